"""Amounts: exact, and every rounding against the account."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import parse_instant
from crossmargin.market.registry.amounts import (
    AMOUNT_MAX,
    check_amount,
    owed,
    paid_out,
    parse_scale,
    to_canonical,
    whole_tokens,
)
from crossmargin.market.registry.build import build_registry
from tests.market.registry.made_up import ABROAD, FIRST, abroad, document, home

amounts = st.integers(0, AMOUNT_MAX)
scales = st.builds(lambda e: Fraction(10) ** e, st.integers(-24, 24))


@given(amounts, scales)
def test_there_and_back(amount: int, scale: Fraction):
    canonical = to_canonical(amount, scale)
    assert canonical / scale == amount
    if canonical.denominator == 1:
        assert paid_out(int(canonical), scale) == owed(int(canonical), scale) == amount


@given(amounts, scales)
def test_rounding_goes_against_the_account(amount: int, scale: Fraction):
    assert to_canonical(paid_out(amount, scale), scale) <= amount <= to_canonical(owed(amount, scale), scale)
    assert owed(amount, scale) - paid_out(amount, scale) <= 1


def test_the_largest_amount_with_eighteen_decimals_is_exact():
    scaled = abroad(decimals=18, scale="1/1000000000000")
    view = build_registry(document(instances=(home(), scaled))).at(parse_instant(FIRST, where=""))
    assert view.canonical_amount(ABROAD, AMOUNT_MAX) == Fraction(AMOUNT_MAX, 10**18)
    assert view.canonical_amount(ABROAD, 1) == Fraction(1, 10**18)


@pytest.mark.parametrize("amount", [-1, AMOUNT_MAX + 1, 1.0, True, float("nan"), "1", None])
def test_what_no_contract_holds_is_refused(amount):
    with pytest.raises(InvalidInput, match="here: amount"):
        check_amount(amount, where="here")


@pytest.mark.parametrize("text", ["", "0", "1/0", "-1", "1.5", "1/2/3", "٣", "1" * 38, "1/", "/1", "nan"])
def test_what_is_no_ratio_is_refused(text: str):
    with pytest.raises(InvalidInput, match="here: scale"):
        parse_scale(text, where="here")


@pytest.mark.parametrize(
    ("amount", "decimals", "tokens"), [(1, 0, Fraction(1)), (10**24, 24, Fraction(1)), (5, 1, Fraction(1, 2))]
)
def test_whole_tokens(amount: int, decimals: int, tokens: Fraction):
    assert whole_tokens(amount, decimals) == tokens
