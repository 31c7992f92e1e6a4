"""Portfolio margin by ten points against its plain form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.occ_tims import points as rule
from spec.rulebooks import tims_points as plain

PARAMETERS = rule.RULEBOOK.load(rule.RULEBOOK.dates()[-1])


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False)


@st.composite
def positions(draw: st.DrawFn) -> tuple[rule.PointPosition, ...]:
    classes = {name: draw(st.sampled_from(sorted(PARAMETERS.classes))) for name in "ABCDE"}
    found = []
    for n in range(draw(st.integers(0, 8))):
        name = draw(st.sampled_from("ABCDE"))
        found.append(
            rule.PointPosition(
                instrument=f"i{n}",
                underlying=name,
                product_class=classes[name],
                quantity=draw(numbers(-100.0, 100.0)),
                gains=tuple(draw(st.lists(numbers(-1e4, 1e4), min_size=10, max_size=10))),
                minimum_size=draw(st.sampled_from((0.0, 10.0, 100.0))),
                value=draw(st.none() | numbers(0.0, 1e4)),
            )
        )
    return tuple(found)


@given(positions(), numbers(0.0, 1.0))
def test_requirements_agree(held, offset):
    parameters = rule.msgspec.structs.replace(PARAMETERS, offsets=dict.fromkeys(PARAMETERS.offsets, offset))
    rows = [
        (p.underlying, PARAMETERS.classes[p.product_class].group, p.quantity, p.gains, p.minimum_size, p.value)
        for p in held
    ]
    expected = plain.requirement(rows, parameters.offsets, parameters.minimum)
    assert rule.margin_of(held, parameters).requirement == pytest.approx(expected, rel=1e-9, abs=1e-6)
