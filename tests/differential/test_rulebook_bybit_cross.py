"""Bybit cross mode: futures by marginal rates, options by their plain formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.bybit_cross import accounts as rule
from crossmargin.margin.rulebooks.short_options import ListedOption
from spec.rulebooks import bybit_cross_accounts as plain
from tests.differential.test_rulebook_binance import marginal, numbers, tables

RATES = rule.RULEBOOK.load("2024-09-01").options
OPTIONS = st.tuples(
    numbers(1.0, 1e5), numbers(1.0, 1e5), st.booleans(), numbers(0.0, 1e5), numbers(0.0, 1e5), numbers(-1e3, 1e3)
)


@given(st.lists(st.tuples(numbers(0.0, 1e9), tables(), numbers(1.0, 100.0)), max_size=3), st.lists(OPTIONS, max_size=4))
def test_requirements_agree(held, sold):
    futures = tuple(rule.Future(notional=n, table=t, leverage=x) for n, t, x in held)
    options = tuple(
        ListedOption(
            instrument=str(i),
            settle="USDC",
            right="call" if call else "put",
            strike=strike,
            index=index,
            mark=mark,
            entry=entry,
            quantity=coins,
        )
        for i, (index, strike, call, mark, entry, coins) in enumerate(sold)
    )
    initial, maintenance = rule.margin_of(rule.Portfolio(futures=futures, options={"BTC": options}), RATES)
    expected = sum(marginal(t, n) for n, t, _ in held)
    opening = sum(n / min(x, t.brackets[-1].leverage_max) for n, t, x in held)
    least = sum(n / x for n, _, x in held)
    for *terms, coins in sold:
        im, mm = plain.short_option(*terms)
        expected += max(-coins, 0.0) * mm
        opening, least = opening + max(-coins, 0.0) * im, least + max(-coins, 0.0) * im
    assert maintenance == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert least * (1 - 1e-9) - 1e-6 <= initial <= opening * (1 + 1e-9) + 1e-6
