"""The largest size that fits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.optimize.capacity import largest_fits


@given(st.lists(st.tuples(st.floats(1e-5, 1e9), st.floats(1e-2, 1e4)), min_size=1, max_size=6))
def test_the_edge_is_found_for_all_at_once(cases: list[tuple[float, float]]):
    edge, start = (np.asarray(column) for column in zip(*cases, strict=True))
    found = largest_fits(lambda size: edge - size, start)
    inside = edge >= start * 1e-6
    assert found[inside] == pytest.approx(edge[inside], rel=1e-8)
    assert ((found >= 0.0) & (found <= edge)).all()


def test_without_an_edge_or_without_room():
    found = largest_fits(lambda size: np.asarray([1.0, -1.0, 3.0]) - np.asarray([0.0, 0.0, 1.0]) * size, np.ones(3))
    assert found.tolist()[:2] == [np.inf, 0.0]
    assert found[2] == pytest.approx(3.0, rel=1e-8)
