"""Every chain that no market can contain is refused, with row, instrument, value and limit."""

from dataclasses import replace

import numpy as np
import pytest

from crossmargin.core.errors import DuplicateName, ExpiredInstrument, InvalidInput, UnfitMarket
from crossmargin.market.fit import build_chain
from crossmargin.market.quotes import FutureQuotes, require_sound
from tests.market.option_chains import NOW_NS, known_chain, with_rows, with_value

QUOTES = known_chain().quotes


def test_a_sound_chain_passes():
    require_sound(QUOTES, now_ns=NOW_NS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.01])
@pytest.mark.parametrize("column", ["strike", "bid", "ask", "mark", "mark_vol", "underlying_price"])
def test_numbers_that_no_quote_has(column, value):
    broken = with_value(QUOTES, column, 7, value)
    with pytest.raises(InvalidInput) as refused:
        require_sound(broken, now_ns=NOW_NS)
    assert refused.value.where == f"BTC chain, row 7 ({QUOTES.instrument[7]})"
    assert refused.value.what == column.replace("_", " ")


def test_a_strike_of_zero_is_refused_and_a_bid_of_zero_is_none():
    with pytest.raises(InvalidInput, match=r"strike is 0\.0"):
        require_sound(with_value(QUOTES, "strike", 3, 0.0), now_ns=NOW_NS)
    require_sound(with_value(QUOTES, "bid", 3, 0.0), now_ns=NOW_NS)


@pytest.mark.parametrize("spot", [0.0, np.nan, np.inf, -5.0])
def test_a_missing_index_price(spot):
    with pytest.raises(InvalidInput, match="BTC chain: index price is"):
        build_chain(replace(QUOTES, spot=spot), now_ns=NOW_NS)


def test_an_expired_instrument_is_named():
    with pytest.raises(ExpiredInstrument, match=QUOTES.instrument[0]):
        build_chain(QUOTES, now_ns=int(QUOTES.expiry_ns[0]))


def test_a_duplicate_is_named_with_both_rows():
    doubled = replace(QUOTES, instrument=(*QUOTES.instrument[:-1], QUOTES.instrument[4]))
    with pytest.raises(DuplicateName, match=rf"chain\[{len(QUOTES.instrument) - 1}\].*chain\[4\]"):
        build_chain(doubled, now_ns=NOW_NS)


@pytest.mark.parametrize("what", ["expiries", "strikes"])
def test_a_chain_of_one_expiry_or_one_strike(what):
    column = QUOTES.expiry_ns if what == "expiries" else QUOTES.strike
    if what == "strikes":
        broken = with_value(QUOTES, "strike", slice(None), 60_000.0)
    else:
        broken = with_rows(QUOTES, np.flatnonzero(column == column[0]))
    with pytest.raises(UnfitMarket, match=f"number of {what} is 1, but must be at least 2"):
        build_chain(broken, now_ns=NOW_NS)


def test_a_chain_without_rows():
    with pytest.raises(UnfitMarket, match="number of expiries is 0"):
        build_chain(with_rows(QUOTES, np.arange(0)), now_ns=NOW_NS)


def test_a_time_after_now():
    with pytest.raises(InvalidInput, match="time seen"):
        build_chain(QUOTES, now_ns=NOW_NS - 1)


def test_columns_of_different_lengths():
    with pytest.raises(InvalidInput, match="length of column bid"):
        build_chain(replace(QUOTES, bid=QUOTES.bid[:-1]), now_ns=NOW_NS)
    with pytest.raises(InvalidInput, match="futures: length of column expiry_ns"):
        build_chain(replace(QUOTES, futures=FutureQuotes(instrument=("BTC-F",))), now_ns=NOW_NS)
