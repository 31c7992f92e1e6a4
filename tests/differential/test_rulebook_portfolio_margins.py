"""Portfolio margins of OKX, Bybit and Paradex against their plain twins, on random holdings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.margin.rulebooks import spreads
from crossmargin.margin.rulebooks.bybit_pm import stress as bybit
from crossmargin.margin.rulebooks.bybit_pm.account import RULEBOOK as BYBIT
from crossmargin.margin.rulebooks.okx_pm import stress as okx
from crossmargin.margin.rulebooks.okx_pm.account import RULEBOOK as OKX
from crossmargin.margin.rulebooks.paradex import cross
from crossmargin.margin.rulebooks.paradex import portfolio as paradex
from crossmargin.margin.rulebooks.scanning import RiskUnit
from spec.rulebooks import bybit_pm as plain_bybit
from spec.rulebooks import okx_pm as plain_okx
from spec.rulebooks import paradex_margin as plain_paradex
from spec.rulebooks import spreads as plain_spreads
from tests.margin.rulebooks.portfolio_units import funded_units, okx_table, plain, quoted_units, scale_of

PRICES = st.floats(0.7, 1.3)


def close(found: float, wanted: float, unit: RiskUnit) -> None:
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-10 * scale_of(unit))


@pytest.mark.parametrize("date", OKX.dates())
@given(one=quoted_units("BTC") | quoted_units("LTC") | quoted_units("SOL"), usdt=PRICES, usdc=PRICES)
@settings(max_examples=40)
def test_okx_units(date: str, one: spreads.QuotedUnit, usdt: float, usdc: float):
    rules, stablecoins = OKX.load(date), {"USDT": usdt, "USDC": usdc}
    found = okx.unit_margin(one, rules, stablecoins)
    table = okx_table(one.unit.coin, rules, stablecoins)
    wanted, filled = (plain_okx.terms(plain(one.unit), one.quotes, table, orders) for orders in (False, True))
    near = {"rel": 1e-9, "abs": 1e-10 * scale_of(one.unit)}
    assert found.terms == pytest.approx(wanted, **near)
    # Where both ask for the same, rounding decides which of them is reported.
    assert found.order_terms == pytest.approx(wanted, **near) or found.order_terms == pytest.approx(filled, **near)
    least, most = (plain_okx.requirement(terms) for terms in (wanted, filled))
    close(found.maintenance, least, one.unit)
    close(found.initial / 1.3, max(least, most), one.unit)


@given(one=quoted_units("BTC") | quoted_units("ETH"))
@settings(max_examples=60)
def test_bybit_units(one: spreads.QuotedUnit):
    rates = BYBIT.load(BYBIT.dates()[-1]).coins
    found = bybit.unit_margin(one, rates)
    table = plain(rates[one.unit.coin])
    initial, maintenance = plain_bybit.margin(plain(one.unit), one.quotes, table)
    wanted = plain_bybit.contingencies(plain(one.unit), one.quotes, table, 0)
    for name, value in wanted.items():
        close(found.contingencies[name], value, one.unit)
    close(found.initial, initial, one.unit)
    close(found.maintenance, maintenance, one.unit)


@given(one=funded_units("BTC") | funded_units("SOL"))
@settings(max_examples=60)
def test_paradex_units(one: paradex.FundedUnit):
    rates = paradex.RULEBOOK.load(paradex.RULEBOOK.dates()[-1]).coins
    found = paradex.unit_margin(one, rates)
    initial, maintenance = plain_paradex.margin(plain(one.unit), one.funding, plain(rates[one.unit.coin]))
    close(found.initial, initial, one.unit)
    close(found.maintenance, maintenance, one.unit)


@given(
    right=st.sampled_from(("call", "put")),
    strike=st.floats(1.0, 1e6),
    spot=st.floats(1.0, 1e6),
    mark=st.floats(0.0, 1e6),
    quantity=st.floats(-1e3, 1e3),
)
def test_paradex_options(right: Any, strike: float, spot: float, mark: float, quantity: float):
    held = cross.Option(coin="BTC", right=right, strike=strike, spot=spot, mark=mark, quantity=quantity)
    rules = cross.RULEBOOK.load(cross.RULEBOOK.dates()[-1])
    levels = (rules.dated_options, rules.perpetual_options)
    for rates in (x for level in levels for x in (level.initial, level.maintenance)):
        wanted = plain_paradex.option(plain(held), plain(rates))
        assert cross.option_margin(held, rates) == pytest.approx(wanted, rel=1e-12)


@given(st.dictionaries(st.sampled_from((0.0, 1.0, 7.0, 30.0, 90.0, 365.0)), st.floats(-10.0, 10.0)))
def test_matched_days(amounts: dict[float, float]):
    days = np.asarray(sorted(amounts), float)
    sizes = np.asarray([amounts[t] for t in sorted(amounts)], float)
    wanted = plain_spreads.matched_days(amounts)
    assert spreads.matched_days(sizes, days) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@given(st.floats(0.0, 1e8), st.dictionaries(st.integers(1, 10**7), st.floats(0.0, 20.0), max_size=5))
def test_tiers(amount: float, drawn: dict[int, float]):
    factors = sorted([*drawn.values(), 20.0])
    caps = [*sorted(float(c) for c in drawn), float("inf")]
    tiers = [spreads.Tier(cap=c, factor=f) for c, f in zip(caps, factors, strict=True)]
    wanted = plain_spreads.tiered(amount, list(zip(caps, factors, strict=True)))
    assert spreads.tiered(amount, tiers) == pytest.approx(wanted, rel=1e-12)
