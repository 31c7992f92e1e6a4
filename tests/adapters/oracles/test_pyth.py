"""Answers of Hermes: a price that three routers signed is quoted, whatever the unsigned part says."""

import json

import pytest

pytest.importorskip("coincurve", reason="signatures need the extra evm")

from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.adapters.oracles.pyth import read_hermes
from crossmargin.adapters.oracles.reading import Read
from crossmargin.market.oracles.document import Feed, OracleRules
from crossmargin.market.oracles.gates import accepted, refusal
from tests.adapters.oracles.signers import ETH_ID, NOW_NS, NOW_S, ROUTERS, envelope, hermes, message, tree, update

FEED = Feed(source="pyth", family="pyth", kind="pull", decimals=8)
LEAVES = (message(184_136_023_127, 100), *(message(n, key=f"{n:064x}") for n in (1, 2, 3)))
ROOT, PATHS = tree(LEAVES)
GOOD = update(LEAVES[:1], envelope(ROOT, (0, 2, 4)), PATHS[:1])


def read(raw: bytes) -> Read:
    return read_hermes(raw, {f"0x{ETH_ID.upper()}": FEED}, routers=ROUTERS, seen_ns=NOW_NS)


def test_three_of_five_make_a_quote():
    found = read(hermes(GOOD))
    (quote,) = found.quotes
    assert (quote.price, quote.confidence, quote.quorum_ok) == (1_841.36023127, 1e-6, True)
    assert not found.refused
    assert refusal(quote, OracleRules(), now_ns=NOW_NS) == ""


def test_all_leaves_of_a_tree_are_proved():
    raw = update(LEAVES, envelope(ROOT, (1, 2, 3)), PATHS)
    assert len(read(hermes(raw)).quotes) == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (update(LEAVES[:1], envelope(ROOT, (0, 2)), PATHS[:1]), "quorum"),
        (update(LEAVES[:1], envelope(ROOT, (0, 0, 0)), PATHS[:1]), "signer"),
        (update(LEAVES[:1], envelope(ROOT, (2, 1, 0)), PATHS[:1]), "signer"),
        (update(LEAVES[:1], envelope(ROOT, (0, 1, 5)), PATHS[:1]), "signer"),
        (update(LEAVES[:1], envelope(ROOT, (0, 1, 2), emitter=bytes(32)), PATHS[:1]), "signer"),
        (update(LEAVES[:1], envelope(ROOT, (0, 1, 2), forge=True), PATHS[:1]), "signature"),
        (update(LEAVES[:1], envelope(bytes(20), (0, 1, 2)), PATHS[:1]), "proof"),
        (update([message(10**12, 100)], envelope(ROOT, (0, 1, 2)), PATHS[:1]), "proof"),
        (update(LEAVES[:1], envelope(ROOT, (0, 1, 2)), PATHS[1:2]), "proof"),
        (GOOD + b"\0", "malformed"),
        (GOOD[:-1], "malformed"),
        (b"", "malformed"),
    ],
)
def test_what_is_not_proved_is_a_reason_and_no_price(raw: bytes, reason: str):
    found = read(hermes(raw))
    assert not found.quotes
    assert [one.reason for one in found.refused] == [reason, "feed"]


def test_a_lie_in_the_unsigned_part_is_not_believed():
    found = read(hermes(GOOD, price="284136023127"))
    assert not found.quotes
    assert {one.reason for one in found.refused} == {"contradiction", "feed"}


def test_a_replayed_answer_is_too_old_for_the_gate():
    (quote,) = read(hermes(GOOD)).quotes
    assert "old" in refusal(quote, OracleRules(), now_ns=NOW_NS + 31 * 10**9)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"binary": 1}', b'{"binary": {"encoding": "hex", "data": ["zz"]}}']
)
def test_no_answer_is_a_reason(raw: bytes):
    found = read(raw)
    assert not found.quotes
    assert found.refused[0].reason == "malformed"


def test_without_routers_the_caller_answers_for_the_quorum():
    for said in (True, False):
        found = read_hermes(hermes(GOOD), {ETH_ID: FEED}, routers=None, quorum_ok=said, seen_ns=NOW_NS)
        (quote,) = found.quotes
        assert (refusal(quote, OracleRules(), now_ns=NOW_NS) == "") is said


def test_text_that_is_no_integer_is_a_reason():
    found = read_hermes(hermes(GOOD, price="1e9"), {ETH_ID: FEED}, routers=None, quorum_ok=True, seen_ns=NOW_NS)
    assert not found.quotes
    assert found.refused[0].reason == "malformed"


def test_base64_is_read_too():
    import base64

    answer = json.loads(hermes(GOOD))
    answer["binary"] = {"encoding": "base64", "data": [base64.b64encode(GOOD).decode()]}
    assert read(json.dumps(answer).encode()).quotes


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, len(GOOD) - 1), mask=st.integers(1, 255))
def test_no_flipped_byte_makes_another_price(place: int, mask: int):
    raw = bytearray(GOOD)
    raw[place] ^= mask
    answer = json.dumps({"binary": {"encoding": "hex", "data": [raw.hex()]}}).encode()
    said = [(quote.price, quote.confidence, quote.publish_ns) for quote in read(answer).quotes]
    assert said in ([], [(1_841.36023127, 1e-6, NOW_S * 10**9)])


def test_of_two_signed_updates_the_gates_take_the_newer():
    older = message(184_000_000_000, 100, time_s=NOW_S - 1)
    root, paths = tree([older, message(7, key=f"{7:064x}")])
    data = [GOOD.hex(), update([older], envelope(root, (0, 1, 2)), paths[:1]).hex()]
    found = read(json.dumps({"binary": {"encoding": "hex", "data": data}}).encode())
    kept, reasons = accepted(found.quotes, OracleRules(), now_ns=NOW_NS)
    assert ([quote.price for quote in kept], reasons) == ([1_841.36023127], ())


@pytest.mark.parametrize("time_s", [10**400, -(10**30), 2**63])
def test_a_time_beyond_all_is_a_reason(time_s: int):
    found = read_hermes(hermes(GOOD, time_s=time_s), {ETH_ID: FEED}, routers=None, quorum_ok=True, seen_ns=NOW_NS)
    assert [one.reason for one in found.refused] == ["malformed"]
