"""A registry refuses what would make one thing two or two things one, and its hash says what was in it."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossmargin.core.errors import DuplicateName, InvalidInput, UnknownName
from crossmargin.core.instant import parse_instant
from crossmargin.core.merkle import inclusion_proof, verify_inclusion
from crossmargin.market.oracles.document import Feed
from crossmargin.market.registry.build import build_registry, canonical_json, leaves
from crossmargin.market.registry.document import (
    BackingEdge,
    CanonicalAsset,
    Committee,
    Finality,
    LaneLimit,
    Limits,
    Ramp,
    RegistryDocument,
    VerifierSet,
)
from tests.market.registry.made_up import (
    ABROAD,
    FIRST,
    HOME,
    LOCKBOX,
    RAMP,
    SAID,
    SECOND,
    abroad,
    bridge,
    chain,
    document,
    home,
    later,
)

OTHER = "eip155:1/erc20:0x" + "d4" * 20
BACK = BackingEdge(bridge="lanes", home=ABROAD)


def test_a_sound_registry_is_read():
    view = build_registry(document()).at(parse_instant(FIRST, where=""))
    assert set(view.instances) == {HOME, ABROAD}
    assert set(view.chains) == {"eip155:1", "eip155:42161"}


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        (
            {
                "instances": (
                    home(),
                    home(HOME.upper().replace("EIP155", "eip155").replace("ERC20", "erc20").replace("0X", "0x")),
                )
            },
            DuplicateName,
            "record",
        ),
        ({"instances": (home(), home(HOME.replace("erc20", "erc4626")))}, DuplicateName, "address of an instance"),
        ({"instances": (home(), abroad(decimals=18))}, InvalidInput, "decimals is '18 with no scale'"),
        ({"instances": (home(), abroad(decimals=18, scale="1/1000"))}, InvalidInput, "18 with scale 1/1000"),
        ({"instances": (home(), abroad(scale="0/7"))}, InvalidInput, "scale"),
        ({"instances": (home(), abroad(decimals=37))}, InvalidInput, "decimals is 37"),
        ({"instances": (home(decimals=-1),)}, InvalidInput, "decimals is -1"),
        ({"chains": (chain(),)}, UnknownName, "chain is 'eip155:42161'"),
        ({"bridges": ()}, UnknownName, "bridge is 'lanes'"),
        ({"instances": (abroad(),)}, UnknownName, "home instance"),
        ({"assets": ()}, UnknownName, "canonical asset"),
        (
            {"chains": (chain(aliases={"ccip": "7"}), chain("eip155:42161", aliases={"ccip": "7"}))},
            DuplicateName,
            "ccip alias",
        ),
        (
            {"instances": (home(kind="lock_mint", backing=(BACK,)), abroad())},
            InvalidInput,
            "without a cycle",
        ),
        (
            {"bridges": (bridge(verifiers=VerifierSet(required=("one",))),)},
            InvalidInput,
            "at most 0 while one verifier can forge its messages",
        ),
        (
            {"bridges": (bridge(verifiers=VerifierSet(required=("a", "b"), operator={"a": "x", "b": "x"})),)},
            InvalidInput,
            "while one verifier",
        ),
        ({"bridges": (bridge(verifiers=VerifierSet()),)}, InvalidInput, "verifiers is 0"),
        ({"bridges": (bridge(verifiers=VerifierSet(optional=("a",), threshold=2)),)}, InvalidInput, "threshold is 2"),
        (
            {"bridges": (bridge(verifiers=VerifierSet(committee=Committee(members=3, quorum=4))),)},
            InvalidInput,
            "quorum",
        ),
        ({"bridges": (bridge(issuer="somebody"),)}, InvalidInput, "for the assets of somebody alone"),
        ({"bridges": (bridge(exposure_cap=1.5),)}, InvalidInput, "exposure_cap is 1.5"),
        ({"instances": (home(backing=(BACK,)), abroad())}, InvalidInput, "none for kind 'issuer_native'"),
        ({"instances": (home(), abroad(backing=()))}, InvalidInput, "at least one edge for kind 'lock_mint'"),
        ({"instances": (home(kind="native"),)}, InvalidInput, "`native` for slip44"),
        (
            {
                "instances": (
                    home(),
                    abroad(backing=(BackingEdge(bridge="lanes", home=HOME, lockbox="eip155:42161:0x" + "c3" * 20),)),
                )
            },
            InvalidInput,
            "lockbox",
        ),
        ({"instances": (home(ramp=RAMP, valid_from=SECOND),)}, InvalidInput, "at most 0 USD"),
        ({"instances": (home(ramp=replace(RAMP, from_usd=1.0)),)}, InvalidInput, "at most 0 USD"),
        ({"instances": (home(ramp=replace(RAMP, days=1.0)),)}, InvalidInput, "days is 1"),
        ({"instances": (home(ramp=replace(RAMP, cap_usd=float("nan"))),)}, InvalidInput, "cap_usd"),
        ({"instances": (home(date="yesterday"),)}, InvalidInput, "date is 'yesterday'"),
        ({"instances": (home(source=" "),)}, InvalidInput, "source"),
        ({"chains": (chain(finality=Finality(method="depth", final_s=1.0, halt_s=1.0)),)}, InvalidInput, "blocks is 0"),
        (
            {"instances": (home(feeds=(Feed(source="x", family="y", kind="push"),)), abroad())},
            InvalidInput,
            "heartbeat_s",
        ),
        ({"limits": Limits(single_verifier_cap=2.0)}, InvalidInput, "single_verifier_cap"),
        (
            {
                "bridges": (
                    bridge(
                        limits=(
                            LaneLimit(
                                asset="USDX",
                                origin="eip155:1",
                                destination="eip155:42161",
                                capacity=str(2**256),
                                refill_per_s="1",
                            ),
                        )
                    ),
                )
            },
            InvalidInput,
            "amount",
        ),
        (
            {
                "bridges": (
                    bridge(
                        limits=(
                            LaneLimit(
                                asset="USDX",
                                origin="eip155:1",
                                destination="eip155:42161",
                                capacity="nan",
                                refill_per_s="1",
                            ),
                        )
                    ),
                )
            },
            InvalidInput,
            "capacity is 'nan'",
        ),
    ],
)
def test_what_is_refused(changed, error, said: str):
    with pytest.raises(error, match=said.replace("(", r"\(").replace(")", r"\)")):
        build_registry(document(**changed))


def test_the_issuer_may_attest_its_own():
    alone = bridge(verifiers=VerifierSet(required=("mint",)), issuer="mint")
    assert build_registry(document(bridges=(alone,)))


def test_a_cap_below_the_limit_lets_one_verifier_pass():
    alone = bridge(verifiers=VerifierSet(required=("one",)), exposure_cap=0.05)
    with pytest.raises(InvalidInput, match="while one verifier"):
        build_registry(document(bridges=(alone,)))
    assert build_registry(document(bridges=(alone,), limits=Limits(single_verifier_cap=0.05)))


def test_a_contradiction_that_begins_later_is_seen():
    lost = later(bridge(), verifiers=VerifierSet(required=("one",)))
    with pytest.raises(InvalidInput, match="registry at 2026-02-01"):
        build_registry(document(bridges=(bridge(), lost)))


@given(st.randoms(use_true_random=False))
def test_order_in_the_file_changes_no_hash(chance: random.Random):
    whole = document(instances=(home(), abroad(), home(OTHER), later(home(OTHER), status="retired")))
    mixed = list(whole.instances)
    chance.shuffle(mixed)
    kept = sorted(mixed, key=lambda r: r.valid_from)
    again = build_registry(replace(whole, instances=tuple(kept), chains=whole.chains[::-1]))
    assert (again.sha256, again.root) == (build_registry(whole).sha256, build_registry(whole).root)


def test_spelling_changes_no_hash():
    spelled = document(instances=(home("eip155:1/erc20:0x" + "A1" * 20, valid_from=1_767_225_600_000), abroad()))
    assert build_registry(spelled).sha256 == build_registry(document()).sha256


@pytest.mark.parametrize(
    "changed",
    [
        {"instances": (home(symbol="USDY"), abroad())},
        {"instances": (home(), abroad(), home(OTHER))},
        {"limits": Limits(ramp_days_min=8.0)},
        {"bridges": (bridge(exposure_cap=0.1),)},
    ],
)
def test_each_change_changes_the_hashes(changed):
    one, other = build_registry(document()), build_registry(document(**changed))
    assert one.sha256 != other.sha256
    assert one.root != other.root


def test_one_record_is_proved_against_the_root():
    registry = build_registry(document())
    records = leaves(registry.document)
    for index, record in enumerate(records):
        proof = inclusion_proof(records, index)
        assert verify_inclusion(record, index, len(records), proof, bytes.fromhex(registry.root))
    assert ABROAD.encode() in canonical_json(registry.document)


def test_a_long_chain_of_backing_is_no_cycle():
    keys = [f"eip155:1/erc20:0x{i:040x}" for i in range(2_000)]
    links = [
        home(key, kind="lock_mint", backing=(BackingEdge(bridge="lanes", home=before),))
        for before, key in pairwise(keys)
    ]
    assert build_registry(document(instances=(home(keys[0]), *links)))


def test_an_empty_registry_is_one():
    empty = build_registry(RegistryDocument())
    assert empty.times_ns == ()
    assert not empty.at(0).instances


def test_a_lockbox_is_kept_in_one_spelling():
    edge = BackingEdge(bridge="lanes", home=HOME, lockbox="eip155:1:0x" + "C3" * 20)
    registry = build_registry(document(instances=(home(), abroad(backing=(edge,)))))
    assert registry.document.instances[1].backing[0].lockbox == LOCKBOX


def test_ramps_need_time():
    with pytest.raises(InvalidInput, match=r"ramp\.start"):
        build_registry(document(instances=(home(ramp=Ramp(start="soon", days=9.0, cap_usd=1.0, liquidity_share=1.0)),)))


def test_assets_keep_their_decimals():
    asset = document().assets[0]
    with pytest.raises(InvalidInput, match="decimals of USDX"):
        build_registry(document(assets=(asset, later(asset, decimals=8))))
    assert isinstance(asset, CanonicalAsset)
    assert SAID["source"] == asset.source
