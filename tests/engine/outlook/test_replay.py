"""A replay is the margin of the moved market at each bar, and a recipe never sees what comes later."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import pytest

from crossmargin.adapters.files import read_model
from crossmargin.core.errors import MissingFactors, UnknownName
from crossmargin.core.instant import DAY_NS
from crossmargin.engine.margin import margin
from crossmargin.engine.outlook.replay import Event, Settings, Walk, replay
from crossmargin.engine.recipe import calibrated_model, recipe
from crossmargin.market.snapshot import bump
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.episode import sampled
from crossmargin.scenarios.history import FactorHistory, build_history
from tests.margin.books import MarginCase
from tests.margin.desk import BTC_COIN, BTC_PERP, CALL, ETH_PERP, account, desk, group, plain_model

HOUR_NS = DAY_NS // 24
NAMES = ("spot:BTC", "spot:ETH", "vol:BTC", "peg:USDC")
START = Event(label="crash", start_ns=60 * DAY_NS)
HELD = {BTC_PERP.id: 2.0, BTC_COIN.id: 3.0, ETH_PERP.id: -10.0, CALL.id: -0.5}


def history(fall: float = -0.4, *, later: float = 1.0) -> FactorHistory:
    """Two months of hourly noise, then half a day of crash; `later` scales all closes from that midnight on."""
    draw = np.random.default_rng(0)
    count = 24 * 70
    moves = draw.normal(size=(count, 4)) * np.array([0.004, 0.005, 0.01, 0.0001])
    crash = slice(60 * 24, 60 * 24 + 12)
    moves[crash] += np.array([np.log1p(fall) / 12, np.log1p(1.2 * fall) / 12, 0.05, -0.002])
    level = np.exp(np.cumsum(moves, axis=0)) * np.array([30_000.0, 2_000.0, 0.6, 1.0])
    level[61 * 24 - 1 :] *= later  # from the close at the end of that day on
    return build_history(np.arange(1, count + 1) * HOUR_NS, NAMES, level, source="made up")


def case(collateral: Mapping[str, float] | None = None) -> MarginCase:
    return desk(account(group(HELD), collateral=collateral or {"BTC": 1.0, "USDC": 300.0}), model=plain_model())


def test_each_bar_is_the_margin_of_the_moved_market():
    c, told = case(), history()
    report = replay(c.book, c.snapshot, c.model, told, [START], settings=Settings(days=1.0))
    (event,) = report.events
    points = event.accounts[0].points
    now = margin(c.book, c.snapshot, c.model)
    assert (points[0].pnl_usd, points[0].posted_usd) == (0.0, 0.0)
    assert points[0].equity_usd == pytest.approx(float(now.pools.equity.sum()))
    assert points[0].initial_usd == pytest.approx(float(now.pools.initial.sum()))
    assert [p.factor for p in event.paths] == list(NAMES)
    for bar in (7, 24):
        moves = {p.factor: p.moves[bar] for p in event.paths}
        level = told.level[[START.start_ns // HOUR_NS - 1, START.start_ns // HOUR_NS - 1 + bar]]
        assert list(moves.values()) == pytest.approx(list(level[1] / level[0] - 1.0))
        there = margin(c.book, bump(c.snapshot, moves), c.model)
        btc, eth, usdc = 100.0 * (1.0 + moves["spot:BTC"]), 10.0 * (1.0 + moves["spot:ETH"]), 1.0 + moves["peg:USDC"]
        settled = 2.0 * (btc - 100.0) * usdc + 300.0 * (1.0 / 100.0 - 1.0 / btc) * btc - 10.0 * (eth - 10.0) * usdc
        assert points[bar].equity_usd == pytest.approx(float(there.pools.equity.sum()) + settled)
        assert points[bar].initial_usd == pytest.approx(float(there.pools.initial.sum()), rel=1e-9)


def test_without_haircuts_equity_moves_by_the_pnl():
    """The P&L comes from R, the equity from marks of the moved market."""
    c = case()
    report = replay(c.book, c.snapshot, c.model, history(), [START], settings=Settings(days=2.0))
    points = report.events[0].accounts[0].points
    gain = [p.equity_usd - points[0].equity_usd for p in points]
    assert gain == pytest.approx([p.pnl_usd for p in points], rel=1e-9, abs=1e-7)


def test_calls_bring_equity_to_the_requirement_and_only_when_it_is_passed_by_a_tenth():
    c = case({"USDC": 100.0})
    report = replay(c.book, c.snapshot, c.model, history(), [START], settings=Settings(days=1.0))
    one = report.events[0].accounts[0]
    assert one.calls > 0
    assert one.called_usd == pytest.approx(sum(p.called_usd for p in one.points))
    posted = 0.0
    for p in one.points:
        held = p.equity_usd + posted
        assert p.posted_usd == pytest.approx(posted)
        assert (p.called_usd > 0.0) == (p.initial_usd > 1.1 * held)
        if p.called_usd:
            assert p.called_usd == pytest.approx(p.initial_usd - held)
        posted += p.called_usd
    unpaid = [p.time_ms for p in one.points if p.unpaid_status == "liquidation"]
    assert one.liquidated_ms == (unpaid[0] if unpaid else None)
    lazy = replay(c.book, c.snapshot, c.model, history(), [START], settings=Settings(days=1.0, trigger=1.5))
    assert lazy.events[0].accounts[0].calls <= one.calls


def walk() -> Walk:
    made = recipe("crossmargin-dynamic")
    spec = CalibrationSpec(lookback=30, least_bars=25, stress_bars=20)
    return Walk(recipe=msgspec.structs.replace(made, calibration=spec), base=read_model(made.base))


def test_a_recipe_is_fitted_to_nothing_later_than_its_bar():
    c, settings = case(), Settings(days=1.0, every_hours=12.0)
    first, second = (
        replay(c.book, c.snapshot, walk(), history(later=later), [START], settings=settings) for later in (1.0, 3.0)
    )
    before, after = (r.events[0].accounts[0].points for r in (first, second))
    assert len(before) == len(after) == 3
    assert before[:2] == after[:2]
    # The last bar is the first that differs, and its own move is known by then.
    assert before[2] != after[2]


def test_a_recipe_at_a_bar_is_its_calibration_there():
    c, told, asked = case(), history(), walk()
    report = replay(c.book, c.snapshot, asked, told, [START], settings=Settings(days=0.5, every_hours=12.0))
    end = START.start_ns + DAY_NS // 2
    fitted = calibrated_model(asked.recipe, asked.base, sampled(told, end_ns=end, bar_days=1.0))
    moves = {p.factor: p.moves[-1] for p in report.events[0].paths}
    there = margin(c.book, bump(c.snapshot, moves), fitted)
    assert report.events[0].accounts[0].points[-1].initial_usd == pytest.approx(float(there.pools.initial.sum()))
    assert report.recipe.startswith("crossmargin-dynamic@")


def test_what_is_missing_is_refused_and_held_still_only_by_name():
    c, told = case(), history().select(NAMES[:2])
    with pytest.raises(MissingFactors) as caught:
        replay(c.book, c.snapshot, c.model, told, [START])
    assert set(caught.value.factors) == {"vol:BTC", "peg:USDC"}
    held = Settings(days=1.0, still=("vol:BTC", "peg:*"))
    report = replay(c.book, c.snapshot, c.model, told, [START], settings=held)
    assert "vol:BTC" in report.still
    assert "peg:USDC" in report.still
    perpetual = {f"{kind}:{name}" for kind in ("basis", "funding") for name in ("BTC", "ETH")}
    assert set(report.unmoved) == perpetual | {"fwd:BTC", "fwd:ETH", "skew:BTC", "smile:BTC", "rate:USD"}
    assert [p.factor for p in report.events[0].paths] == ["spot:BTC", "spot:ETH"]
    with pytest.raises(UnknownName, match="spot:XRP"):
        replay(c.book, c.snapshot, c.model, told, [START], settings=Settings(still=("spot:XRP",)))


def test_a_factor_held_still_does_not_move_though_the_history_has_it():
    c = case()
    report = replay(c.book, c.snapshot, c.model, history(), [START], settings=Settings(days=1.0, still=("vol:BTC",)))
    assert "vol:BTC" not in [p.factor for p in report.events[0].paths]


def test_many_events_and_accounts_stand_side_by_side():
    c = desk(account(group(HELD)), account(group({BTC_PERP.id: -1.0}), id="short"), model=plain_model())
    events = [START, Event(label="calm", start_ns=30 * DAY_NS)]
    report = replay(c.book, c.snapshot, c.model, history(), events, settings=Settings(days=1.0, every_hours=6.0))
    assert [e.label for e in report.events] == ["crash", "calm"]
    for event in report.events:
        assert [a.account for a in event.accounts] == ["desk", "short"]
    short = report.events[0].accounts[1]
    assert short.points[-1].pnl_usd > 0.0
    alone = replay(c.book, c.snapshot, c.model, history(), events[1:], settings=Settings(days=1.0, every_hours=6.0))
    assert alone.events[0] == report.events[1]
