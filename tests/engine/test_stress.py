"""Stress: the P&L of a shock is the value after it less the value before."""

import numpy as np
import pytest
from hypothesis import given, settings

from crossmargin.core.errors import UnknownName
from crossmargin.engine.margin import margin
from crossmargin.engine.stress import default_stress, stress
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


def test_the_margin_after_a_shock_is_that_of_the_moved_market_with_its_gains():
    """Also of futures without an entry price, whose gains no mark would show."""
    held = {BTC_PERP.id: 2.0, BTC_COIN.id: 3.0, ETH_PERP.id: -10.0, CALL.id: -0.5}
    c = desk(account(group(held), collateral={"BTC": 1.0, "USDC": 500.0}), model=small_model())
    down = StressDocument(scenarios=SHOCKS.scenarios[:1])
    report = stress(c.book, c.snapshot, c.model, scenarios=down).accounts[0]
    (after,) = report.margins
    moved = bump(c.snapshot, down.scenarios[0].shocks)
    fresh = margin(c.book, moved, c.model)
    settled = -80.0 - 120.0 + 50.0  # by hand above
    assert after.equity_usd == pytest.approx(float(fresh.pools.equity.sum()) + settled)
    assert after.initial_usd == pytest.approx(float(fresh.pools.initial.sum()), rel=0.05)
    assert after.unmoved == ()


def test_shocks_of_single_tenors_show_their_loss_alone():
    c = desk(account(group({CALL.id: 1.0})), model=small_model())
    shocks = StressDocument(
        scenarios=(
            NamedShock(label="bent", shocks={"vol:BTC:7d": 0.5, "vol:BTC:180d": 0.0}),
            NamedShock(label="skewed", shocks={"skew:BTC": 0.1, "spot:BTC": 0.1}),
        )
    )
    report = stress(c.book, c.snapshot, c.model, scenarios=shocks).accounts[0]
    assert [line.label for line in report.lines] == ["bent", "skewed"]
    assert [(m.label, m.unmoved) for m in report.margins] == [("skewed", ("skew:BTC",))]


def test_events_say_what_the_market_left_of_them():
    c = desk(account(group({CALL.id: 1.0})), model=small_model())
    own = StressDocument(scenarios=SHOCKS.scenarios[:1])
    both = stress(c.book, c.snapshot, c.model, scenarios=own, library=True)
    assert [e.label for e in both.events] == ["down", *(s.label for s in default_stress().scenarios)]
    told = {e.label: e for e in both.events}
    lines = {line.label for line in both.accounts[0].lines}
    assert lines == {e.label for e in both.events if e.moves}
    for shock in default_stress().scenarios:
        assert set(told[shock.label].moves) | set(told[shock.label].left_out) == set(shock.shocks)
    picked = stress(c.book, c.snapshot, c.model, events=["2020-03-12"])
    assert [e.date for e in picked.events] == ["2020-03-12"]
    with pytest.raises(UnknownName, match="2031"):
        stress(c.book, c.snapshot, c.model, events=["2031"])


def test_the_library_says_where_each_shock_is_from():
    library = default_stress().scenarios
    assert len({s.label for s in library}) == len(library) >= 50
    assert all(s.source and s.shocks for s in library)
    assert all(s.window for s in library if s.date)
    dates = [s.date for s in library if s.date]
    assert dates == sorted(dates)
    for wanted in (
        "1987-10-19",
        "1998",
        "2001-09",
        "2008",
        "2020-03-12",
        "2021-05-19",
        "2022-11",
        "2023-03",
        "2024-04",
    ):
        assert any(date.startswith(wanted) for date in dates), wanted


def test_large_books_show_losses_without_margins_after(monkeypatch: pytest.MonkeyPatch):
    c = desk(account(group({BTC_PERP.id: 2.0})), model=small_model())
    shocks = StressDocument(scenarios=SHOCKS.scenarios[:2])
    whole = stress(c.book, c.snapshot, c.model, scenarios=shocks).accounts[0]
    monkeypatch.setattr("crossmargin.engine.stress.MARGINED", 0)
    short = stress(c.book, c.snapshot, c.model, scenarios=shocks).accounts[0]
    assert len(whole.margins) == len(shocks.scenarios)
    assert short.margins == ()
    assert short.lines == whole.lines
