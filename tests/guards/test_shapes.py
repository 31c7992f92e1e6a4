"""The hook sees wrong shapes and dtypes in public kernels, and leaves compiled loops alone."""

import sys
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from tests.guards.tree import plant
from tests.shapes import CheckedFinder, CheckedLoader

KERNEL = """
from jaxtyping import Float
from numpy import ndarray


def scale(
    forward: Float[ndarray, "option scenario"], strike: Float[ndarray, "option 1"]
) -> Float[ndarray, "option scenario"]:
    return _loop(forward, strike)


def _loop(forward: Float[ndarray, "one axis too many"], strike):
    return forward / strike
"""


@pytest.fixture
def scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plant(tmp_path, {"planted_kernels.py": KERNEL})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [CheckedFinder(("planted_kernels",)), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "planted_kernels", raising=False)
    import planted_kernels

    yield planted_kernels.scale
    del sys.modules["planted_kernels"]


def test_right_axes_pass(scale):
    assert scale(np.ones((3, 5)), np.ones((3, 1))).shape == (3, 5)


@pytest.mark.parametrize(
    ("forward", "strike", "argument"),
    [
        (np.ones((5, 3)), np.ones((3, 1)), "strike"),
        (np.ones((3, 5)), np.ones((1, 3)), "strike"),
        (np.ones((3, 5), dtype=np.int64), np.ones((3, 1)), "forward"),
    ],
    ids=["swapped axes", "strike across", "integers"],
)
def test_planted_shape_is_named(scale, forward: np.ndarray, strike: np.ndarray, argument: str):
    with pytest.raises(TypeCheckError, match=rf"parameters of planted_kernels.scale[\s\S]*'?{argument}'?"):
        scale(forward, strike)


def test_kernels_of_the_package_are_checked():
    kernels = pytest.importorskip("crossmargin.valuation.kernels")
    assert isinstance(kernels.__loader__, CheckedLoader)
