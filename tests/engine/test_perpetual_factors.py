"""Basis and funding as factors of a fitted model: margin, stress, a shocked market, and what the report names."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crossmargin.core.instant import DAY_NS
from crossmargin.engine.accounts import provenance
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.stress import stress
from crossmargin.instruments.terms import Spot
from crossmargin.scenarios.basis import with_basis
from crossmargin.scenarios.document import NamedShock, StressDocument
from crossmargin.scenarios.history import FactorHistory, build_history
from tests.engine.calibrated import LOOKBACK, fitted
from tests.margin.desk import BTC_PERP, account, desk, group, required

COIN = Spot(id="BTC-SPOT.A", asset="BTC")
HEDGED = {COIN.id: 3.0, BTC_PERP.id: -3.0}
BARS = 320


def history(basis: float = 0.001, funding: float = 0.0005) -> FactorHistory:
    """A coin, its perpetual, and what that pays a day."""
    draw = np.random.default_rng(3)
    spot = 100.0 * np.exp(np.cumsum(0.03 * draw.standard_t(5, size=BARS)))
    perpetual = spot * np.exp(basis * draw.standard_t(4, size=BARS))
    paid = funding * draw.normal(size=BARS)
    names = ("spot:BTC", "spot:BTC-PERP", "funding:BTC")
    level = np.column_stack([spot, perpetual, paid])
    return with_basis(build_history(np.arange(1, BARS + 1) * DAY_NS, names, level, source="made up"))


def model(told: FactorHistory) -> ModelDocument:
    return fitted(told=told)


def scan(told: FactorHistory, positions: dict[str, float]) -> float:
    return required(desk(account(group(positions)), model=model(told), more=(COIN,)), "scan")


def test_a_hedged_coin_is_margined_on_basis_and_funding_by_hand():
    made = model(history()).calibration
    assert made is not None
    rows, scales = made.residuals.array, made.scales()
    moves = rows * scales
    assert made.names == ("spot:BTC", "basis:BTC", "funding:BTC")
    assert [fit.filter.kind for fit in made.factors] == ["ewma", "none", "ewma"]
    losses = [3.0 * 100.0 * (math.exp(x) * math.expm1(b) - f) for x, b, f in moves.tolist()]
    expected = math.fsum(sorted(losses, reverse=True)[:5]) / 5.0  # 2.5 % of 200 dates
    assert len(losses) == LOOKBACK
    assert scan(history(), HEDGED) == pytest.approx(expected, rel=1e-9)


def test_what_does_not_move_costs_nothing_and_each_of_the_two_costs_something():
    limit = 1e-12 * 300.0
    assert scan(history(basis=0.0, funding=0.0), HEDGED) <= 20.0 * limit  # of logs of prices some 1e-14 stays
    assert scan(history(basis=0.0), HEDGED) > 0.05
    assert scan(history(funding=0.0), HEDGED) > 0.05
    assert scan(history(), HEDGED) < 0.2 * scan(history(), {COIN.id: 3.0})


def test_the_report_names_them_where_the_history_has_neither():
    told = history()
    for kept, named in ((told.factors, set()), (("spot:BTC",), {"basis:BTC", "funding:BTC"})):
        c = desk(account(group(HEDGED)), model=model(told.select(kept)), more=(COIN,))
        found = provenance(c.result).sampling
        assert found is not None
        assert {f for f in found.unmoved if f.startswith(("basis:", "funding:"))} == named


def test_named_shocks_move_both_and_the_margin_after_them_is_of_that_market():
    c = desk(account(group(HEDGED), collateral={"USD": 1e3}), model=model(history()), more=(COIN,))
    shocks = {"basis:*": 0.02, "funding:BTC": 0.004}
    named = StressDocument(scenarios=(NamedShock(label="squeeze", shocks=shocks, horizon_days=2.0),))
    report = stress(c.book, c.snapshot, c.model, scenarios=named)
    (line,) = report.accounts[0].lines
    assert line.pnl_usd == pytest.approx(-300.0 * (math.expm1(0.02) - 2.0 * 0.004), rel=1e-9)
    (after,) = report.accounts[0].margins
    assert after.unmoved == ()
    assert after.equity_usd == pytest.approx(1e3 + 300.0 - 300.0 * math.expm1(0.02), abs=1e-6)
