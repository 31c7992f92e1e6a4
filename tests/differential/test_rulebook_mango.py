"""Mango's health with 48 binary places against exact fractions."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.mango import health as rule
from spec.rulebooks import mango_health as plain

NAMES = ("USDC", "SOL", "ETH")


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_subnormal=False)


def some(high: float) -> st.SearchStrategy[float]:
    return st.just(0.0) | numbers(0.0, high)


@st.composite
def weights(draw: st.DrawFn) -> rule.Weights:
    return rule.Weights(**{name: draw(numbers(0.0, 2.0)) for name in rule.Weights.__struct_fields__})


@st.composite
def prices(draw: st.DrawFn) -> rule.Price:
    oracle = draw(numbers(0.01, 1e3))
    return rule.Price(oracle=oracle, stable=draw(st.just(oracle) | numbers(0.01, 1e3)))


@st.composite
def tokens(draw: st.DrawFn, name: str) -> rule.Token:
    return rule.Token(
        name=name,
        balance=draw(st.just(0.0) | numbers(-1e4, 1e4)),
        price=draw(prices()),
        weights=draw(weights()),
        deposits=draw(some(1e6)),
        borrows=draw(some(1e6)),
        order_tokens=draw(some(1e6)),
        deposit_scale_start=draw(st.none() | numbers(1.0, 1e6)),
        borrow_scale_start=draw(st.none() | numbers(1e3, 1e6)),
    )


@st.composite
def orders(draw: st.DrawFn) -> rule.SpotOrders:
    base, quote = draw(st.permutations(NAMES))[:2]
    return rule.SpotOrders(
        base=base,
        quote=quote,
        reserved_base=draw(some(1e4)),
        reserved_quote=draw(some(1e4)),
        lowest_ask=draw(st.just(0.0) | numbers(0.01, 1e3)),
        highest_bid=draw(st.just(0.0) | numbers(0.01, 1e3)),
    )


@st.composite
def perpetuals(draw: st.DrawFn) -> rule.Perpetual:
    return rule.Perpetual(
        settle=draw(st.sampled_from(NAMES)),
        price=draw(prices()),
        weights=draw(weights()),
        lot_size=draw(st.sampled_from((10.0, 1.0, 0.01))),
        base_lots=draw(st.integers(-100, 100)),
        quote=draw(numbers(-1e4, 1e4)),
        bids_lots=draw(st.integers(0, 100)),
        asks_lots=draw(st.integers(0, 100)),
        init_overall=draw(numbers(0.0, 1.0)),
        maint_overall=draw(numbers(0.0, 1.0)),
    )


@st.composite
def portfolios(draw: st.DrawFn) -> rule.Portfolio:
    return rule.Portfolio(
        tokens=tuple(draw(tokens(name)) for name in NAMES),
        orders=tuple(draw(st.lists(orders(), max_size=3))),
        perpetuals=tuple(draw(st.lists(perpetuals(), max_size=3))),
    )


@pytest.mark.parametrize("level", ["init", "maint", "liquidation_end"])
@given(portfolio=portfolios())
def test_health_agrees(level, portfolio):
    exact = plain.health(msgspec.to_builtins(portfolio), level)
    # Each cut is below 2⁻⁴⁸; amounts up to 1e9, prices to 1e3 and scales to 1e6 carry it to 1e-3 at the very worst.
    assert rule.margin_of(portfolio, level).health == pytest.approx(float(exact), rel=1e-9, abs=1e-4)
