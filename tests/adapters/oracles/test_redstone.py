"""Packages from calldata: what enough distinct signers say within the window is a quote, and nothing else."""

import pytest

pytest.importorskip("coincurve", reason="signatures need the extra evm")

from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.adapters.oracles.reading import Read
from crossmargin.adapters.oracles.redstone import Wanted, packages, read_packages
from crossmargin.core.errors import InvalidInput
from crossmargin.market.oracles.document import Feed, OracleRules
from crossmargin.market.oracles.gates import refusal
from tests.adapters.oracles.signers import ADDRESSES, KEYS, NOW_NS, NOW_S, package, payload

FEED = Feed(source="redstone", family="redstone", kind="pull", decimals=8)
WANTED = Wanted(feed=FEED, feed_id="ETH", signers=frozenset(ADDRESSES[:4]), threshold=3)
GOOD = (package(KEYS[0], 10**8), package(KEYS[1], 3 * 10**8), package(KEYS[2], 2 * 10**8))


def read(calldata: bytes) -> Read:
    return read_packages(calldata, WANTED, now_ns=NOW_NS, seen_ns=NOW_NS)


def test_three_signers_make_their_median():
    (quote,) = read(payload(*GOOD)).quotes
    assert quote.price == 2.0
    assert refusal(quote, OracleRules(), now_ns=NOW_NS) == ""


def test_the_signers_are_recovered():
    assert [one.signer for one in packages(payload(*GOOD))] == list(reversed(ADDRESSES[:3]))


def older(age_s: int) -> bytes:
    return package(KEYS[2], 10**8, time_ms=(NOW_S - age_s) * 1_000)


@pytest.mark.parametrize(
    ("calldata", "reason"),
    [
        (payload(*GOOD[:2]), "quorum"),
        (payload(*GOOD[:2], GOOD[1]), "quorum"),
        (payload(*GOOD[:2], package(KEYS[1], 4 * 10**8)), "quorum"),
        (payload(*GOOD[:2], package(KEYS[5], 10**8)), "signer"),
        (payload(*GOOD[:2], package(KEYS[2], 10**8, forge=True)), "signature"),
        (payload(*GOOD[:2], older(181)), "time"),
        (payload(*GOOD[:2], older(-61)), "time"),
        (payload(*GOOD[:2], older(1)), "quorum"),
        (payload(*(package(key, 10**8, feed_id="BTC") for key in KEYS[:3])), "feed"),
        (payload(), "malformed"),
        (b"", "malformed"),
        (payload(*GOOD)[:-1], "malformed"),
        (payload(*GOOD)[4 + 100 :], "malformed"),
        (b"\xff\xff" + bytes(3) + bytes.fromhex("000002ed57011e0000"), "malformed"),
        (payload(package(KEYS[0], 1, size=33)), "malformed"),
    ],
)
def test_what_is_not_enough_is_a_reason_and_no_price(calldata: bytes, reason: str):
    found = read(calldata)
    assert not found.quotes
    assert reason in {one.reason for one in found.refused}


def test_the_same_bytes_later_are_refused():
    found = read_packages(payload(*GOOD), WANTED, now_ns=NOW_NS + 181 * 10**9, seen_ns=NOW_NS)
    assert not found.quotes
    assert {one.reason for one in found.refused} == {"time", "feed"}


@settings(max_examples=60, deadline=None)
@given(place=st.integers(4, len(payload(*GOOD)) - 17), mask=st.integers(1, 255))
def test_no_flipped_byte_makes_another_price(place: int, mask: int):
    raw = bytearray(payload(*GOOD))
    raw[place] ^= mask
    assert [quote.price for quote in read(bytes(raw)).quotes] in ([], [2.0])


@given(st.binary(max_size=400))
def test_no_bytes_of_a_stranger_make_a_price(raw: bytes):
    assert not read(raw).quotes
    assert not read(raw + bytes(3) + bytes.fromhex("000002ed57011e0000")).quotes


def test_no_payload_is_refused_with_its_place():
    with pytest.raises(InvalidInput, match="here: payload"):
        packages(b"1234", where="here")
