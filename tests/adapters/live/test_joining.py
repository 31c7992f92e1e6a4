"""What joins a book is never more than what was read, and amounts in text are exact."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.live.joining import counted_text, joined_book, token_text
from crossmargin.core.errors import DuplicateName, UnknownName
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding

TOKEN = "eip155:1/erc20:0x" + "ab" * 20
amounts = st.integers(-(1 << 128), (1 << 128) - 1)
decimals = st.integers(0, 36)


@given(amounts, decimals)
def test_text_is_exact(amount: int, places: int) -> None:
    assert Fraction(token_text(amount, places)) == Fraction(amount, 10**places)


@given(amounts, decimals)
def test_a_book_counts_no_more_than_there_is_and_loses_a_float_at_most(amount: int, places: int) -> None:
    exact = Decimal(f"{amount}E-{places}")
    counted = float(counted_text(amount, places))
    assert Decimal(repr(counted)) <= exact
    assert abs(counted - float(exact)) <= abs(float(exact)) * 2**-51


def holding(amount: str, instance: str = TOKEN) -> Holding:
    return Holding(instance=instance, amount=amount)


BOOK = BookDocument(
    accounts=(
        Account(id="desk", groups=(Group(id="iso", mode="isolated"),), collateral=(Holding(asset="USD", amount=1),)),
        Account(id="other", collateral=(holding("5", f"eip155:1/erc20:0x{'AB' * 20}"),)),
    )
)


def test_lines_go_to_their_account_and_group_beside_what_is_stated() -> None:
    found = joined_book(BOOK, {"desk": (holding("2"),), "desk/iso": (holding("3"),)}, where="book.toml")
    desk, other = found.accounts
    assert [line.amount for line in desk.collateral] == [1, "2"]
    assert [line.amount for line in desk.groups[0].collateral] == ["3"]
    assert other == BOOK.accounts[1]


def test_two_truths_and_unknown_accounts_are_refused() -> None:
    with pytest.raises(DuplicateName, match="what was read"):
        joined_book(BOOK, {"other": (holding("2"),)}, where="book.toml")
    with pytest.raises(UnknownName, match="nobody"):
        joined_book(BOOK, {"nobody": ()}, where="book.toml")
