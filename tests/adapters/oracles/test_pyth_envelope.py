"""The envelope of Pyth's updates: what production routers signed, and guardians of a test, thirteen of nineteen."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("coincurve", reason="signatures need the extra evm")

from crossmargin.adapters.oracles.pyth import (
    ROUTER_EMITTER,
    Routers,
    guardian_quorum,
    read_hermes,
    router_quorum,
    verified_prices,
)
from crossmargin.core.errors import InvalidInput
from crossmargin.market.oracles.document import Feed, OracleRules
from crossmargin.market.oracles.gates import accepted, refusal
from crossmargin.market.oracles.sources.pyth import PriceUpdate
from tests.adapters.oracles.signers import (
    ADDRESSES,
    EMITTER,
    ETH_ID,
    NOW_NS,
    NOW_S,
    ROUTERS,
    envelope,
    message,
    tree,
    update,
)

# What production routers signed on 2026-08-21, set 0: BTC/USD with its path, of the two prices of the update that
# pyth-crosschain's receiver on Solana is tested with (its count of prices, which nobody signs, is one here). The keys
# are those of set 0, in its getDefaultDeploymentConfig. Both Apache-2.0, read 2026-11-23.
PRODUCTION = (
    "504e4155010000000124010000000003016c35c53600ce71c881ecd577ae72838aaf462b588d87913488062d5023027b4159450f"
    "afef39f574cfc0e2c4b2b0b60bee1ebaaafe524cef268046212e4ee919000271a1a64d9f4f19978ba43b7a312e37b13607c104ee"
    "a4d9a1504148c3ffcec1286c40a2bccd0783c1c81d18b5645e51cdfcb58856805bf4046dc94e62c6144e920104298c0f75509f1c"
    "0caab656dba73de32f7875ef729a8c6737a7346cd613f44b3661febc579e362c8a9a949dbfae53009c5fb843a9a19a6e15ee0a2f"
    "657343d74d006a8854ce00000000001a507974686e6574507974686e6574507974686e6574507974686e65745079746800000008"
    "52a6a0180041555756000000000852a6a01800000000758a84cfa78245c794a812f5c7e57b6a619aaed701005500e62df6c8b4a8"
    "5fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43000006f7c61dcbe600000000438c5c4cfffffff8000000006a88"
    "54ce000000006a8854cd00000701203361c00000000061273c220c5e85322bfba771a5dc9e39f34d137c70d1c2346732e4df44e3"
    "b1c18d9579b71a32ac182b1507ea50ef5d5a816a0f64e5aea0351ac6b201eab10b8cd0a9b39d1bc2b43ef88195bd74fffc1b2f7f"
    "db3c65c7e01642a2ebef5a2788379e21767d7cba9bc28d3464b952826dbeab662ea97e42744ead9d580cf1d3839ebc161f3e1f2b"
    "4c58b2401b1fe95512886ff8d74af4e19bc635e719ca149b6ab549dcf8c6811d4f45953675a46e3daaf59893bab38787c3f3747b"
    "c72e3df39256a5d173f06d5c9d3f6eaf32f714c30977a014f23d6361857360e72a6c6f73b2795babb0e8805e2e66f202278cacb2"
    "202901689eb248"
)
SET_0 = (
    "41534bb176e461a3fb30479400f210549ecce638",
    "6502987b62f21cab7eb5ccd8f0173084b60d5b41",
    "44a3e8f6a382412cf6bb90a3f8106e68977476c9",
    "d9d7d4529577864352c9a6539a48238fcd447052",
    "1663a5a822336ece48559b1dfb1e93a017a7dac3",
)
PRODUCTION_ROUTERS = Routers(addresses=tuple(bytes.fromhex(one) for one in SET_0))
BTC_ID = "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43"

GUARDIANS = Routers(addresses=ADDRESSES[:19], quorum=guardian_quorum(19), emitter_chain=26, emitter=EMITTER)
LEAVES = (message(184_136_023_127, 100), message(7, key=f"{7:064x}"))
ROOT, PATHS = tree(LEAVES)
THIRTEEN = tuple(range(13))


def reason_of(raw: bytes, routers: Routers = GUARDIANS) -> str:
    with pytest.raises(InvalidInput) as error:
        verified_prices(raw, routers)
    return error.value.what


def signed_by(*by: int, **how) -> bytes:
    return update(LEAVES[:1], envelope(ROOT, by, **how), PATHS[:1])


def test_what_production_routers_signed_is_proved():
    """Three of five, 1, 2 and 4: 76,612.51 dollars for a bitcoin at 13:38:22 UTC."""
    assert PRODUCTION_ROUTERS.emitter == ROUTER_EMITTER
    price = PriceUpdate(price=7_661_250_530_278, conf=1_133_272_140, expo=-8, publish_time=1_787_319_502)
    assert verified_prices(bytes.fromhex(PRODUCTION), PRODUCTION_ROUTERS) == ((BTC_ID, price),)
    others = replace(PRODUCTION_ROUTERS, addresses=PRODUCTION_ROUTERS.addresses[::-1])
    assert reason_of(bytes.fromhex(PRODUCTION), others) == "signer"
    assert reason_of(bytes.fromhex(PRODUCTION), replace(PRODUCTION_ROUTERS, quorum=4)) == "quorum"
    assert reason_of(bytes.fromhex(PRODUCTION), replace(PRODUCTION_ROUTERS, emitter=EMITTER)) == "signer"


def test_no_changed_byte_of_production_makes_another_price():
    raw = bytes.fromhex(PRODUCTION)
    truth = verified_prices(raw, PRODUCTION_ROUTERS)
    for place in range(len(raw)):
        bad = bytearray(raw)
        bad[place] ^= 1 + place % 255
        try:
            found = verified_prices(bytes(bad), PRODUCTION_ROUTERS)
        except InvalidInput:
            continue
        assert found == truth, place
        assert place == 5 or 11 <= place < 15, "the minor version, and the set, which no signature covers"


@pytest.mark.parametrize("by", [THIRTEEN, tuple(range(6, 19)), tuple(range(19)), tuple(range(0, 19, 2))])
def test_thirteen_guardians_of_nineteen_make_a_price(by: tuple[int, ...]):
    raw = signed_by(*by)
    if len(by) < 13:
        assert reason_of(raw) == "quorum"
    else:
        assert [key for key, _ in verified_prices(raw, GUARDIANS)] == [ETH_ID]


@pytest.mark.parametrize(
    ("reason", "raw"),
    [
        ("quorum", signed_by(*range(12))),
        ("quorum", signed_by()),
        ("signer", signed_by(*range(12), 11)),  # One of them twice.
        ("signer", signed_by(*reversed(THIRTEEN))),
        ("signer", signed_by(*range(11), 12, 11)),
        ("signer", signed_by(*range(12), 19)),  # A twentieth, who is none of them.
        ("signature", signed_by(*THIRTEEN, forge=True)),
        ("signature", signed_by(*THIRTEEN, first_v=27)),  # The contract adds 27 itself.
        ("signer", signed_by(*THIRTEEN, emitter=ROUTER_EMITTER)),
        ("proof", update(LEAVES[:1], envelope(bytes(20), THIRTEEN), PATHS[:1])),
        ("proof", update([message(7 * 10**11, 100)], envelope(ROOT, THIRTEEN), PATHS[:1])),
        ("proof", update(LEAVES[:1], envelope(ROOT, THIRTEEN), PATHS[1:])),
    ],
)
def test_what_a_quorum_of_guardians_did_not_sign_is_refused(reason: str, raw: bytes):
    assert reason_of(raw) == reason


def test_a_replayed_update_ages_and_never_displaces_a_newer_one():
    """Nothing in an update says that it is the newest: gates go by its time, and of one source by its newest quote."""
    feed = Feed(source="pyth", family="pyth", kind="pull", decimals=8)
    newer = message(190_000_000_000, 100, time_s=NOW_S)
    older = message(184_136_023_127, 100, time_s=NOW_S - 20)
    root, paths = tree([newer, older])
    data = [
        update([one], envelope(root, THIRTEEN), [path]).hex() for one, path in zip((newer, older), paths, strict=True)
    ]

    def quotes(*texts: str):
        answer = json.dumps({"binary": {"encoding": "hex", "data": texts}}).encode()
        return read_hermes(answer, {ETH_ID: feed}, routers=GUARDIANS, seen_ns=NOW_NS).quotes

    for order in (data, data[::-1], [*data, data[1], data[0]]):
        kept, _ = accepted(quotes(*order), OracleRules(), now_ns=NOW_NS)
        assert [quote.price for quote in kept] == [1_900.0]
    (alone,) = quotes(data[1])
    assert refusal(alone, OracleRules(), now_ns=NOW_NS) == ""
    assert "old" in refusal(alone, OracleRules(), now_ns=NOW_NS + 11 * 10**9)


def test_versions_to_come_are_read_as_the_contract_reads_them():
    """A minor version, a longer header, and more bytes after a root or a price; but no other major version or kind."""
    long = LEAVES[0] + b"later"
    root, paths = tree([long, LEAVES[1]])
    raw = update([long], envelope(root, THIRTEEN, more=b"later"), paths[:1])
    assert raw[:8] == b"PNAU\x01\x00\x00\x00"
    for head in (b"PNAU\x01\x00\x00\x00", b"PNAU\x01\x07\x00\x00", b"PNAU\x01\x00\x02ab\x00"):
        assert verified_prices(head + raw[8:], GUARDIANS) == verified_prices(signed_by(*THIRTEEN), GUARDIANS)
    for head in (b"PNAU\x02\x00\x00\x00", b"PNAU\x01\x00\x00\x01", b"PNAV\x01\x00\x00\x00"):
        assert reason_of(head + raw[8:]) == "payload"
    twap = b"\x01" + LEAVES[0][1:]
    root, paths = tree([twap, LEAVES[1]])
    assert reason_of(update([twap], envelope(root, THIRTEEN), paths[:1])) == "payload"


def test_quorums():
    assert [guardian_quorum(n) for n in (1, 3, 4, 7, 19)] == [1, 3, 3, 5, 13]
    assert [router_quorum(n) for n in (1, 3, 4, 5)] == [1, 2, 3, 3]


@pytest.mark.parametrize(
    "changed",
    [
        {"quorum": 2},
        {"quorum": 0},
        {"quorum": 6},
        {"addresses": ()},
        {"addresses": ADDRESSES[:19]},  # Three of nineteen are no quorum.
        {"addresses": (*ADDRESSES[:4], ADDRESSES[0])},
        {"addresses": (*ADDRESSES[:4], b"short")},
        {"emitter": b"short"},
    ],
)
def test_routers_that_no_receiver_has_are_refused(changed: dict):
    with pytest.raises(InvalidInput, match="routers"):
        replace(ROUTERS, **changed)
