"""Decoded records become quotes; what is hostile in them is left for the gates, which let none of it through."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.gates import refusal
from crossmargin.market.oracles.rates import RateCap
from crossmargin.market.oracles.sources.chainlink import Round, round_quote, sequencer_state
from crossmargin.market.oracles.sources.direct import RedemptionRate, Ticker, redemption_quote, ticker_quote
from crossmargin.market.oracles.sources.pyth import PriceUpdate, update_quote
from crossmargin.market.oracles.sources.redstone import Package, packages_quote
from crossmargin.market.oracles.sources.scaled import scaled
from tests.market.oracles.made_up import NOW_NS, RULES, feed

NOW_S = NOW_NS // SECOND_NS
PUSH = feed("chainlink", kind="push", heartbeat_s=3_600.0, decimals=8)
PULL = feed("pyth", decimals=8)
STONE = feed("redstone", decimals=8)
VENUE = feed("venue", kind="venue")
uint256 = st.integers(0, 2**256 - 1)


def answered(answer: int, *, decimals: int = 8, age_s: int = 0) -> Round:
    return Round(round_id=1, answer=answer, started_at=NOW_S - age_s, updated_at=NOW_S - age_s, decimals=decimals)


@given(st.integers(1, 2**255 - 1), st.integers(0, 36))
def test_scaling_is_exact_to_the_last_bit(number: int, decimals: int):
    assert scaled(number, -decimals) == number / 10**decimals


@pytest.mark.parametrize(("number", "exponent"), [(2**256, 0), (1, -256), (1, 256)])
def test_what_no_contract_holds_is_no_number(number: int, exponent: int):
    assert math.isnan(scaled(number, exponent))


def test_a_number_beyond_floats_is_infinite():
    assert scaled(2**256 - 1, 255) == math.inf


def test_a_round():
    quote = round_quote(PUSH, answered(184_136_023_127, age_s=7), seen_ns=NOW_NS)
    assert quote.price == 1_841.36023127
    assert quote.publish_ns == NOW_NS - 7 * SECOND_NS
    assert refusal(quote, RULES, now_ns=NOW_NS) == ""


@pytest.mark.parametrize(
    "bad",
    [
        answered(0),
        answered(-1),
        answered(10**8, decimals=0),
        answered(10**24, decimals=24),
        answered(10**8, decimals=255),
        answered(10**8, age_s=NOW_S),
        answered(10**8, age_s=-3_600),
        answered(2**255, decimals=18),
    ],
)
def test_rounds_that_no_gate_lets_through(bad: Round):
    assert refusal(round_quote(PUSH, bad, seen_ns=NOW_NS), RULES, now_ns=NOW_NS)


def test_the_sequencer_feed():
    assert sequencer_state(answered(0, age_s=5)).up
    down = sequencer_state(answered(1, age_s=5))
    assert not down.up
    assert down.since_ns == NOW_NS - 5 * SECOND_NS
    for bad in (answered(2), answered(-1), answered(0, age_s=NOW_S)):
        with pytest.raises(InvalidInput, match="sequencer feed"):
            sequencer_state(bad)


def update(price: int | str, conf: int | str = 0, expo: int = -8) -> PriceUpdate:
    return PriceUpdate(price=price, conf=conf, expo=expo, publish_time=NOW_S)


def test_an_update_of_hermes():
    quote = update_quote(PULL, update("184136023127", "177166324"), quorum_ok=True, seen_ns=NOW_NS)
    assert (quote.price, quote.confidence) == (1_841.36023127, 1.77166324)
    assert refusal(quote, RULES, now_ns=NOW_NS) == ""


@pytest.mark.parametrize(
    ("bad", "quorum_ok"),
    [
        (update(10**11), False),
        (update(0), True),
        (update(-5), True),
        (update(10**11, conf=2 * 10**9), True),
        (update(10**11, conf=-1), True),
        (update(10**11, expo=-7), True),
        (update(10**11, expo=8), True),
        (update(2**256, expo=-8), True),
    ],
)
def test_updates_that_no_gate_lets_through(bad: PriceUpdate, quorum_ok: bool):
    assert refusal(update_quote(PULL, bad, quorum_ok=quorum_ok, seen_ns=NOW_NS), RULES, now_ns=NOW_NS)


@pytest.mark.parametrize("text", ["", "1.5", "nan", "1e9", "٣", "9" * 79, "--1"])
def test_text_that_is_no_integer_is_refused(text: str):
    with pytest.raises(InvalidInput, match="pyth: price"):
        update_quote(PULL, update(text), quorum_ok=True, seen_ns=NOW_NS)


def package(signer: str, value: int, *, age_ms: int = 0, decimals: int = 8, verified: bool = True) -> Package:
    moment_ms = NOW_S * 1_000 - age_ms
    return Package(signer=signer, value=value, decimals=decimals, timestamp_ms=moment_ms, verified=verified)


def stones(*packages: Package, threshold: int = 3):
    return packages_quote(STONE, packages, signers={"a", "b", "c", "d"}, threshold=threshold, seen_ns=NOW_NS)


def test_packages_of_enough_signers():
    quote = stones(package("a", 10**8), package("b", 3 * 10**8), package("c", 2 * 10**8))
    assert quote is not None
    assert quote.price == 2.0
    assert refusal(quote, RULES, now_ns=NOW_NS) == ""


@pytest.mark.parametrize(
    "packages",
    [
        (package("a", 10**8), package("b", 10**8)),
        (package("a", 10**8), package("b", 10**8), package("b", 10**8)),
        (package("a", 10**8), package("b", 10**8), package("x", 10**8)),
        (package("a", 10**8), package("b", 10**8), package("c", 10**8, verified=False)),
        (package("a", 10**8), package("b", 10**8), package("c", 10**8, age_ms=1)),
        (package("a", 10**8), package("b", 10**8), package("c", 10**8), package("c", 2 * 10**8)),
        (package("a", 10**8), package("b", 10**8), package("c", 10**8, decimals=9)),
    ],
)
def test_packages_below_their_quorum_count_for_nothing(packages: tuple[Package, ...]):
    quote = stones(*packages)
    assert quote is not None
    assert refusal(quote, RULES, now_ns=NOW_NS)


def test_no_valid_package_is_no_quote():
    assert stones(package("x", 10**8)) is None


@pytest.mark.parametrize(("bid", "ask"), [(0.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (1.0, math.inf), (-1.0, 1.0)])
def test_books_without_a_price(bid: float, ask: float):
    quote = ticker_quote(VENUE, Ticker(bid=bid, ask=ask, time_ns=NOW_NS), seen_ns=NOW_NS)
    assert "not a positive number" in refusal(quote, RULES, now_ns=NOW_NS)


def test_a_wide_book_is_unsure():
    """10 October 2025: a spread of 22 %."""
    quote = ticker_quote(VENUE, Ticker(bid=0.89, ask=1.11, time_ns=NOW_NS), seen_ns=NOW_NS)
    assert quote.price == pytest.approx(1.0)
    assert "confidence" in refusal(quote, RULES, now_ns=NOW_NS)


def test_a_redemption_rate_stays_under_its_cap():
    lido = feed("lido", kind="redemption", heartbeat_s=86_400.0, decimals=18)
    cap = RateCap(ratio=1.2, time_ns=NOW_NS, growth_per_year=0.1)
    for ratio, expected in ((12 * 10**17, 4_800.0), (13 * 10**17, 4_800.0), (11 * 10**17, 4_400.0)):
        rate = RedemptionRate(ratio=ratio, decimals=18, time_ns=NOW_NS)
        quote = redemption_quote(lido, rate, cap, reference=4_000.0, seen_ns=NOW_NS, now_ns=NOW_NS)
        assert quote.price == pytest.approx(expected)
        assert refusal(quote, RULES, now_ns=NOW_NS) == ""


@given(uint256, st.integers(0, 255), st.floats())
def test_no_rate_gives_a_price_that_is_none(ratio: int, decimals: int, reference: float):
    cap = RateCap(ratio=1.2, time_ns=NOW_NS, growth_per_year=0.1)
    rate = RedemptionRate(ratio=ratio, decimals=decimals, time_ns=NOW_NS)
    quote = redemption_quote(VENUE, rate, cap, reference=reference, seen_ns=NOW_NS, now_ns=NOW_NS)
    assert refusal(quote, RULES, now_ns=NOW_NS) or 0.0 < quote.price < math.inf
