"""Days that ship: a wrong price liquidates nobody, a true one cuts credit before it passes the haircut."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.adapters.files import read_model_document
from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.engine.oracles.document import ReplayDocument
from crossmargin.engine.oracles.library import shipped_replay, shipped_replays
from crossmargin.engine.oracles.replay import price_at, replay_oracles
from crossmargin.engine.oracles.reports import OracleReplay

MODEL = read_model_document()
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def replays() -> dict[str, OracleReplay]:
    return {name: replay_oracles(shipped_replay(name), MODEL) for name in shipped_replays()}


def test_what_ships():
    assert shipped_replays() == ("D01", "D02", "D03", "D05")
    with pytest.raises(UnknownName, match="D01, D02, D03, D05"):
        shipped_replay("D04")


@pytest.mark.parametrize("name", ["D03", "D05"])
def test_a_wrong_price_liquidates_nobody(replays: dict[str, OracleReplay], name: str):
    replay = replays[name]
    assert replay.held
    for one in replay.assets:
        assert one.liquidated_ms is None
        assert one.alone_ms is not None, "or the day would show nothing"
        assert one.cut_ms is not None
        assert one.cut_ms <= one.alone_ms
        assert "liquidation" not in {step.status for step in one.steps}


@pytest.mark.parametrize(("name", "lead_min"), [("D01", 1_380), ("D02", 75)])
def test_a_depeg_cuts_credit_before_the_price_passes_the_haircut(
    replays: dict[str, OracleReplay], name: str, lead_min: int
):
    """How long before, in steps of the replay; a change of rules that costs that lead is seen here."""
    (one,) = replays[name].assets
    assert replays[name].held
    assert one.cut_ms is not None
    assert one.passed_ms is not None
    assert one.passed_ms - one.cut_ms >= lead_min * MINUTE_MS
    assert one.liquidated_ms is not None


@pytest.mark.parametrize("name", ["D01", "D02", "D03", "D05"])
def test_no_new_loan_is_ever_above_the_market(replays: dict[str, OracleReplay], name: str):
    for one in replays[name].assets:
        assert one.over_market < 0.0
        for step in one.steps:
            assert step.new_risk is None or step.new_risk <= min(step.said)


def test_a_peg_that_comes_back_gives_credit_again(replays: dict[str, OracleReplay]):
    (usdc,), (ust,) = replays["D02"].assets, replays["D01"].assets
    assert usdc.steps[-1].credit == pytest.approx(usdc.steps[0].credit, rel=2e-3)
    assert (ust.steps[-1].credit, ust.steps[-1].peg) == (0.0, "BROKEN")


def test_where_every_venue_falls_alike_the_account_goes(replays: dict[str, OracleReplay]):
    """D03 with the one venue's wBETH everywhere: the protection is agreement, not blindness."""
    day = shipped_replay("D03")
    wbeth = day.assets[1]
    points = wbeth.paths[0].points
    paths = tuple(msgspec.structs.replace(path, points=points) for path in wbeth.paths)
    fallen = msgspec.structs.replace(wbeth, paths=paths, fund=points)
    found = replay_oracles(msgspec.structs.replace(day, assets=(fallen,)), MODEL)
    assert not found.held
    assert found.assets[0].liquidated_ms is not None
    assert found.assets[0].liquidated_ms - found.assets[0].alone_ms <= 2 * MINUTE_MS


def test_what_is_run_off_to_nothing_is_liquidated():
    """Nine days broken: the run-off of seven ends, however the market stands."""
    day = shipped_replay("D05")
    closed = msgspec.structs.replace(day.assets[0], closed_min=(0.0, 1e9), alone="first venue")
    (one,) = replay_oracles(
        msgspec.structs.replace(day, assets=(closed,), duration_min=13_000.0, step_min=1_000.0), MODEL
    ).assets
    assert (one.steps[-1].settled, one.steps[-1].status, one.steps[-1].credit) == (0.0, "liquidation", 0.0)


@settings(max_examples=6, deadline=None)
@given(low=st.floats(0.01, 1.15), minute=st.integers(5, 60))
def test_no_lie_of_one_source_liquidates(low: float, minute: int):
    day = shipped_replay("D05")
    wsteth = day.assets[0]
    lie = msgspec.structs.replace(wsteth.paths[0], points=((0.0, 1.2278), (minute - 1.0, 1.2278), (minute, low)))
    one = msgspec.structs.replace(wsteth, paths=(lie, *wsteth.paths[1:]))
    found = replay_oracles(msgspec.structs.replace(day, assets=(one,), duration_min=80.0, step_min=2.0), MODEL)
    assert found.held
    assert found.assets[0].alone_ms is not None


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=5), st.floats(-10.0, 100.0))
def test_a_line_stays_between_its_points(prices: list[float], minute: float):
    points = tuple((10.0 * k, price) for k, price in enumerate(prices))
    assert min(prices) * (1 - 1e-12) <= price_at(points, minute) <= max(prices) * (1 + 1e-12)


@pytest.mark.parametrize(
    "change",
    [
        {"step_min": 0.0},
        {"duration_min": 0.1},
        {"assets": (msgspec.structs.replace(shipped_replay("D05").assets[0], alone="nobody"),)},
        {"assets": (msgspec.structs.replace(shipped_replay("D05").assets[0], fund=((1.0, 1.0), (1.0, 1.0))),)},
        {"assets": (msgspec.structs.replace(shipped_replay("D05").assets[0], fund=()),)},
        {"assets": (msgspec.structs.replace(shipped_replay("D05").assets[0], fund=((0.0, -1.0),)),)},
    ],
)
def test_days_that_cannot_be_replayed_are_refused(change: dict[str, object]):
    day: ReplayDocument = shipped_replay("D05")
    with pytest.raises(InvalidInput):
        replay_oracles(msgspec.structs.replace(day, **change), MODEL)
