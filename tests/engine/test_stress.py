"""Stress: the P&L of a shock is the value after it less the value before."""

import numpy as np
import pytest
from hypothesis import given, settings

from crossmargin.engine.stress import stress
from crossmargin.market.snapshot import bump
from crossmargin.scenarios.document import NamedShock, StressDocument
from crossmargin.valuation.marks import marks
from crossmargin.valuation.pnl import values_usd
from tests.margin.books import MarginCase, margin_cases, replace, small_model
from tests.margin.desk import BTC_COIN, BTC_PERP, CALL, ETH_PERP, account, desk, group

SHOCKS = StressDocument(
    scenarios=(
        NamedShock(label="down", shocks={"spot:BTC": -0.4, "spot:ETH": -0.5}),
        NamedShock(label="up", shocks={"spot:BTC": 0.7}),
        NamedShock(label="peg", shocks={"peg:USDC": -0.1, "backing:lido": -0.2, "fx:EUR": 0.05}),
    )
)


@given(margin_cases(families=("spot", "option", "forward"), most_accounts=1))
@settings(max_examples=30)
def test_pnl_is_the_change_of_value(c: MarginCase):
    """Of what has a value: spot, options and forwards, revalued in the bumped market."""
    c = c.changed(model=replace(small_model(), sticky="moneyness"))
    report = stress(c.book, c.snapshot, c.model, scenarios=SHOCKS).accounts[0]
    before, book = values_usd(c.book.table, c.snapshot), c.book
    for shock, line in zip(SHOCKS.scenarios, report.lines, strict=True):
        after = values_usd(book.table, bump(c.snapshot, shock.shocks))
        lines = (book.positions, book.holdings)
        gain = sum(x.quantity @ (after - before)[x.instrument] for x in lines)
        size = sum(np.abs(x.quantity) @ (np.abs(after) + np.abs(before) + gross(c))[x.instrument] for x in lines)
        assert line.pnl_usd == pytest.approx(gain, rel=1e-10, abs=1e-11 * size + 1e-9), shock.label


def gross(c: MarginCase) -> np.ndarray:
    return np.asarray(marks(c.book.table, c.snapshot).notional_usd)


def test_futures_by_hand():
    c = desk(
        account(group({BTC_PERP.id: 2.0, BTC_COIN.id: 3.0, ETH_PERP.id: -10.0}), collateral={"BTC": 1.0}),
        model=small_model(),
    )
    down = StressDocument(scenarios=SHOCKS.scenarios[:1])
    report = stress(c.book, c.snapshot, c.model, scenarios=down).accounts[0]
    # BTC 100 → 60, ETH 10 → 5. 2·(−40), 300 (1/100 − 1/60) coins at 60, −10·(−5), a coin that loses 40.
    assert report.lines[0].pnl_usd == pytest.approx(-80.0 - 120.0 + 50.0 - 40.0)
    assert report.equity_usd == pytest.approx(c.result.pools.equity.sum())


def test_the_shipped_library_runs_on_any_market():
    c = desk(account(group({CALL.id: 1.0})), account(group({}), id="none"), model=small_model())
    report = stress(c.book, c.snapshot, c.model)
    assert [a.id for a in report.accounts] == ["desk", "none"]
    assert len(report.accounts[0].lines) == len({x.label for x in report.accounts[0].lines}) > 3
    assert all(x.pnl_usd == 0.0 for x in report.accounts[1].lines)
    grid = report.accounts[0].risk_arrays[0]
    at = grid.moves.index(0.0), grid.vol_moves.index(0.0)
    assert grid.pnl_usd[at[0]][at[1]] == pytest.approx(0.0, abs=1e-12)
