"""Checks at the border, frozen arrays, chain ids and errors: what passes, and what a refusal says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core import check, errors
from crossmargin.core.arrays import frozen, require_finite, tally
from crossmargin.core.chain_ids import check_chain
from crossmargin.core.errors import (
    CrossmarginError,
    DuplicateName,
    ExpiredInstrument,
    InvalidInput,
    MissingFactors,
    MixedValuationTime,
    UnknownName,
    UnreadableFile,
)

BAD = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("bad", BAD)
def test_what_is_not_finite_passes_no_check(bad: float):
    for test in (check.finite, check.positive):
        with pytest.raises(InvalidInput, match=r"here: price is .* finite"):
            test(bad, "price", where="here")
    with pytest.raises(InvalidInput, match="finite"):
        check.within(bad, "price", 0.0, 1.0, where="here")
    with pytest.raises(InvalidInput, match="quantity"):
        check.quantity(bad, "quantity", where="here")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_positive_means_above_zero(x: float):
    if x > 0.0:
        assert check.positive(x, "price", where="here") == x
    else:
        with pytest.raises(InvalidInput, match="above zero"):
            check.positive(x, "price", where="here")


def test_within_holds_its_limits():
    assert check.within(0.0, "share", 0.0, 1.0, where="here") == 0.0
    assert check.within(1.0, "share", 0.0, 1.0, where="here") == 1.0
    with pytest.raises(InvalidInput, match=r"here: share is 1\.0000001, but must be between 0 and 1"):
        check.within(1.0000001, "share", 0.0, 1.0, where="here")


@given(st.floats(-1e15, 1e15))
def test_a_quantity_reads_the_same_from_text(x: float):
    assert check.quantity(repr(x), "quantity", where="here") == x == check.quantity(x, "quantity", where="here")


@pytest.mark.parametrize("text", ["", "ten", "1,5", "0x10", "1e400", "-Infinity", "sNaN", "1e16", "--1"])
def test_text_that_is_no_quantity_is_refused(text: str):
    with pytest.raises(InvalidInput, match="here: quantity is"):
        check.quantity(text, "quantity", where="here")


def test_a_quantity_too_large_for_a_float_is_refused_whole():
    with pytest.raises(InvalidInput, match="at most 1e\\+15"):
        check.quantity(10**400, "quantity", where="here")


def test_a_name_that_stands_twice_says_where_both_stand():
    with pytest.raises(DuplicateName, match=r"accounts\[2\]: account is 'a'.*first seen at accounts\[0\]"):
        check.unique(["a", "b", "a"], "account", where="accounts")


def test_an_unknown_name_shows_the_nearest():
    with pytest.raises(UnknownName, match="USDC") as caught:
        check.known("USCD", ["USDC", "BTC", "wstETH"], "asset", where="here")
    assert caught.value.known == ("USDC",)


def test_every_error_is_ours_and_says_what_where_value_limit_and_remedy():
    said = [
        InvalidInput("price", where="here", value=-1, limit="above zero", remedy="Correct it."),
        UnknownName("asset", where="here", value="X", known=["USDC"]),
        DuplicateName("account", where="here", value="X"),
        ExpiredInstrument("X", where="here", expiry="2020", now="2026"),
        MixedValuationTime(where="here", value="2020", first="2026"),
        MissingFactors(["vol:X"], where="here", needed_by={"vol:X": "option"}),
        UnreadableFile("here", reason="it is truncated", remedy="Copy it again."),
    ]
    for error in said:
        assert isinstance(error, CrossmarginError)
        assert str(error).startswith("here: ")
        assert str(error).endswith(".")
    public = {e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)}
    assert all(issubclass(e, CrossmarginError) for e in public)


def test_a_long_list_of_known_names_is_cut_and_counted():
    assert "… (12 in all)" in str(UnknownName("asset", where="here", value="X", known=[f"N{i:02d}" for i in range(12)]))


def test_a_frozen_array_is_its_own():
    source = np.zeros(3)
    kept = frozen(source)
    source[0] = 1.0
    assert kept[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1.0
    view = frozen(source[::1][:2])
    source[1] = 5.0
    assert view[1] == 0.0
    assert frozen(np.zeros((3, 2)).T).flags.c_contiguous


def test_a_frozen_array_does_not_share_with_a_read_only_view_of_what_can_change():
    source = np.zeros(3)
    view = source.view()
    view.flags.writeable = False
    kept = frozen(view)
    source[0] = 1.0
    assert kept[0] == 0.0


def test_freezing_twice_copies_once():
    kept = frozen([1.0, 2.0])
    assert frozen(kept) is kept


def test_what_is_not_finite_in_an_array_is_named():
    with pytest.raises(InvalidInput, match="here at b: shock is nan"):
        require_finite(np.asarray([[1.0], [math.nan]]), "shock", where="here", names=("a", "b"))
    with pytest.raises(InvalidInput, match=r"here at \[1\]"):
        require_finite(np.asarray([1.0, math.inf]), "shock", where="here")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-100, 100))))
def test_a_tally_sums_by_index(lines: list[tuple[int, int]]):
    found = tally(np.asarray([i for i, _ in lines], int), np.asarray([x for _, x in lines], float), 5)
    assert found.tolist() == [sum(x for i, x in lines if i == k) for k in range(5)]
    assert found.dtype == np.float64


@pytest.mark.parametrize("chain", ["eip155:1", "bip122:000000000019d6689c085ae165831e93", "solana:5eykt4UsFv8P8NJd"])
def test_chains_are_caip_2(chain: str):
    assert check_chain(chain, where="here") == chain


@pytest.mark.parametrize(
    "chain", ["", "ethereum", "eip155:", "EIP155:1", "eip155:1:2", "ei:1", "eip155:" + "1" * 33, "eip155:1\n"]
)
def test_what_is_no_chain_is_refused(chain: str):
    with pytest.raises(InvalidInput, match=r"here: chain is .*eip155:1"):
        check_chain(chain, where="here")
