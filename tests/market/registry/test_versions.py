"""Over time: what is in force, what may change, what only grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossmargin.core.errors import DuplicateName, InvalidInput, UnknownName
from crossmargin.core.instant import DAY_NS, format_instant, parse_instant
from crossmargin.market.registry.build import build_registry
from crossmargin.market.registry.document import BackingEdge, Limits
from crossmargin.market.registry.versions import check_appended
from spec.market.registry import in_force
from tests.market.registry.made_up import (
    ABROAD,
    FIRST,
    HOME,
    RAMP,
    SECOND,
    THIRD,
    abroad,
    bridge,
    document,
    home,
    later,
)

FURTHER = "eip155:42161/erc4626:0x" + "d4" * 20
START_NS = parse_instant(FIRST, where="")


@given(st.lists(st.integers(0, 400), min_size=1, max_size=8, unique=True).map(sorted), st.integers(-1, 401))
def test_the_last_version_whose_time_has_come(days: list[int], day: int):
    versions = [home(symbol=f"V{d}", valid_from=format_instant(START_NS + d * DAY_NS)) for d in days]
    view = build_registry(document(instances=tuple(versions), assets=document().assets)).at(START_NS + day * DAY_NS)
    expected = in_force([(d, f"V{d}") for d in days], day)
    assert (view.instances[HOME].symbol if HOME in view.instances else None) == expected


def test_versions_stand_in_order():
    with pytest.raises(InvalidInput, match="after 2026-02-01"):
        build_registry(document(instances=(later(home()), home())))
    with pytest.raises(DuplicateName, match="record"):
        build_registry(document(instances=(home(), home(symbol="other"))))


@pytest.mark.parametrize("changed", [{"decimals": 7}, {"kind": "synthetic"}, {"canonical": "other"}])
def test_facts_never_change(changed):
    with pytest.raises(InvalidInput, match="as in the version before it"):
        build_registry(document(instances=(home(), later(home(), **changed))))


@given(st.floats(0.0, 40.0), st.floats(0.0, 1e9))
def test_collateral_enters_at_nothing_and_grows_slowly(day: float, liquidity_usd: float):
    registry = build_registry(document(instances=(home(ramp=RAMP), abroad())))
    cap = registry.at(START_NS + int(day * DAY_NS)).cap_usd(HOME, proven_liquidity_usd=liquidity_usd)
    assert cap <= min(1e5 * day + 1e-6, 1e6, 0.1 * liquidity_usd)
    assert registry.at(START_NS).cap_usd(HOME, proven_liquidity_usd=liquidity_usd) == 0.0


def test_without_a_ramp_or_when_closed_nothing_counts():
    registry = build_registry(
        document(instances=(home(ramp=RAMP), later(home(ramp=RAMP), status="close_only"), abroad()))
    )
    assert registry.at(START_NS + 20 * DAY_NS).cap_usd(HOME, proven_liquidity_usd=1e9) == 1e6
    assert registry.at(START_NS + 40 * DAY_NS).cap_usd(HOME, proven_liquidity_usd=1e9) == 0.0
    assert registry.at(START_NS + 20 * DAY_NS).cap_usd(ABROAD, proven_liquidity_usd=1e9) == 0.0


def test_a_larger_ramp_begins_where_the_old_one_stands():
    larger = replace(RAMP, start=SECOND, cap_usd=5e6, from_usd=1e6)
    assert build_registry(document(instances=(home(ramp=RAMP), later(home(), ramp=larger))))
    with pytest.raises(InvalidInput, match="which counted before"):
        build_registry(document(instances=(home(ramp=RAMP), later(home(), ramp=replace(larger, from_usd=1.1e6)))))
    with pytest.raises(InvalidInput, match="which counted before"):
        build_registry(document(instances=(home(ramp=RAMP), later(home(), ramp=replace(larger, start=FIRST)))))


@pytest.mark.parametrize("liquidity_usd", [float("nan"), -1.0, float("inf")])
def test_liquidity_is_proved_or_refused(liquidity_usd: float):
    view = build_registry(document()).at(START_NS)
    with pytest.raises(InvalidInput, match="proven liquidity"):
        view.cap_usd(HOME, proven_liquidity_usd=liquidity_usd)


def test_registries_only_grow():
    before = build_registry(document())
    grown = document(instances=(home(), abroad(), later(home(), status="close_only")))
    check_appended(before, build_registry(grown), where="new")
    check_appended(before, before, where="new")
    with pytest.raises(InvalidInput, match="kept as it was"):
        check_appended(build_registry(grown), before, where="new")


@pytest.mark.parametrize(
    "changed",
    [
        {"instances": (home(symbol="other"), abroad())},
        {"bridges": (bridge(exposure_cap=0.1),)},
        {"instances": (home(), abroad(), home("eip155:1/erc20:0x" + "d4" * 20))},
        {"limits": Limits(ramp_days_min=8.0)},
    ],
)
def test_the_past_is_not_rewritten(changed):
    with pytest.raises(InvalidInput, match="new"):
        check_appended(build_registry(document()), build_registry(document(**changed)), where="new")


def test_no_record_slips_in_before_the_last_change():
    before = document(instances=(home(), abroad(), later(home(), THIRD, symbol="third")))
    after = replace(before, instances=(*before.instances, later(abroad(), SECOND, symbol="second")))
    with pytest.raises(InvalidInput, match="in force after 2026-03-01"):
        check_appended(build_registry(before), build_registry(after), where="new")


def test_an_unknown_instance_is_named():
    with pytest.raises(UnknownName, match="asset instance"):
        build_registry(document()).at(START_NS).instance("eip155:1/slip44:60")


@pytest.mark.parametrize(("incident", "cap"), [("none", 1e6), ("watch", 1e6), ("paused", 0.0), ("exploited", 0.0)])
def test_behind_a_closed_bridge_nothing_counts(incident: str, cap: float):
    further = abroad(FURTHER, kind="vault_share", backing=(BackingEdge(bridge="safe", home=ABROAD),), ramp=RAMP)
    bridges = (bridge(), bridge("safe"), later(bridge(), incident=incident))
    view = build_registry(document(bridges=bridges, instances=(home(), abroad(ramp=RAMP), further))).at(
        START_NS + 40 * DAY_NS
    )
    assert view.bridges_behind(FURTHER) == ("lanes", "safe")
    assert view.bridges_behind(HOME) == ()
    for key in (ABROAD, FURTHER):
        assert view.cap_usd(key, proven_liquidity_usd=1e9) == cap
