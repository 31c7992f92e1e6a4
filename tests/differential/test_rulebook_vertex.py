"""Vertex health against its plain form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.vertex import health as rule
from spec.rulebooks import vertex_health as plain


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def products(draw: st.DrawFn) -> rule.Product:
    names = rule.Weights.__struct_fields__
    ranges = {name: numbers(0.0, 1.0) if name.startswith("long") else numbers(1.0, 3.0) for name in names}
    weights = rule.Weights(**{name: draw(x) for name, x in ranges.items()})
    amount = draw(st.just(0.0) | numbers(-1e4, 1e4))
    return rule.Product(amount=amount, price=draw(numbers(0.01, 1e5)), weights=weights, quote=draw(numbers(-1e5, 1e5)))


@pytest.mark.parametrize("level", ["initial", "maintenance"])
@given(drawn=st.lists(st.tuples(st.none() | products(), st.none() | products()), max_size=4), quote=numbers(-1e6, 1e6))
def test_health_agrees(level, drawn, quote):
    assets = tuple(rule.Asset(name=str(i), spot=s, perpetual=p) for i, (s, p) in enumerate(drawn))
    expected, size = quote, abs(quote)
    for spot, perpetual in drawn:
        for p in filter(None, (spot, perpetual)):
            weights = (p.weights.of(level, long=True), p.weights.of(level, long=False))
            expected += plain.weighted(p.amount, p.price, *weights) + p.quote
            size += abs(p.amount * p.price) * 3.0 + abs(p.quote)
        if spot and perpetual:
            longs = (spot.weights.of(level, long=True), perpetual.weights.of(level, long=True))
            expected += plain.spread(spot.amount, perpetual.amount, spot.price, perpetual.price, *longs)
    got = rule.margin_of(rule.Portfolio(quote=quote, assets=assets), level)
    assert got.health == pytest.approx(expected, rel=1e-12, abs=1e-12 * (1.0 + size))
