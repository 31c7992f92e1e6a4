"""Hyperliquid's tiers and portfolio ratio against their plain forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.hyperliquid import perpetuals, portfolio
from spec.rulebooks import hyperliquid_margin as plain


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def tiers(draw: st.DrawFn) -> tuple[perpetuals.Tier, ...]:
    bounds = [0.0, *sorted(map(float, draw(st.sets(st.integers(1, 10**8), max_size=3))))]
    levels = sorted((draw(numbers(1.0, 50.0)) for _ in bounds), reverse=True)
    return tuple(perpetuals.Tier(lower_bound=b, leverage_max=x) for b, x in zip(bounds, levels, strict=True))


@given(tiers(), numbers(-1e4, 1e4), numbers(0.01, 1e5), numbers(1.0, 50.0))
def test_requirements_agree(table, size, mark, leverage):
    position = perpetuals.Position(coin="C", size=size, mark=mark, tiers=table, leverage=leverage)
    listed = [(t.lower_bound, t.leverage_max) for t in table]
    got = perpetuals.position_margin(position)
    assert got.maintenance == pytest.approx(plain.maintenance(abs(size) * mark, listed), rel=1e-9, abs=1e-6)
    assert got.initial >= got.maintenance * (1.0 - 1e-12)


@st.composite
def tokens(draw: st.DrawFn, name: str) -> portfolio.Token:
    terms = perpetuals.Collateral(
        loan_to_value=draw(numbers(0.0, 1.0)),
        supply_cap=draw(st.just(math.inf) | numbers(0.0, 1e6)),
        borrow_cap=draw(st.just(math.inf) | numbers(0.0, 1e8)),
    )
    return portfolio.Token(
        name=name,
        balance=draw(numbers(0.1, 1e6)),
        borrowed=draw(st.just(0.0) | numbers(0.0, 1e6)),
        price=draw(numbers(0.01, 1e5)),
        terms=draw(st.none() | st.just(terms)),
    )


@given(st.tuples(tokens("A"), tokens("B"), tokens("C")), st.lists(numbers(0.0, 1e7), max_size=3))
def test_ratios_agree(held, maintained):
    account = portfolio.Portfolio(tokens=held, maintenance=tuple(maintained))
    for token in held:
        others = [
            (t.balance, t.terms.supply_cap, t.price * (0.5 + 0.5 * t.terms.loan_to_value), t.terms.borrow_cap)
            for t in held
            if t is not token and t.terms is not None
        ]
        owed, own = token.borrowed * token.price, token.balance * token.price
        expected = plain.ratio(20.0, sum(maintained), owed, own, others)
        assert portfolio.token_ratio(account, token.name) == pytest.approx(expected, rel=1e-9)
    assert set(portfolio.margin_of(account)) == {t.name for t in held if t.borrowed > 0.0}
