"""Boosted regression trees as plain arrays: what a learner found, kept without the learner.

Each node asks whether a feature is at most a threshold, and goes left or right; where the feature is not known it goes
the way that learning chose. The value of a row is a base and the leaves that it ends in, added in the order of trees.
"""

from __future__ import annotations

import sys
from typing import Final

import msgspec
import numpy as np
from jaxtyping import Float

from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput

LEAF: Final = -1
ALWAYS: Final = sys.float_info.max  # A split of the known from the unknown: every number is at most this.


class Trees(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nodes of all trees in one row of arrays; `roots` says where each tree begins.

    `feature` is the column a node asks, −1 for a leaf; `left` and `right` are places of nodes, always later ones;
    `missing_left` is the way of what is not known; `value` counts at leaves, `base` for every row."""

    base: float
    roots: tuple[int, ...]
    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    missing_left: tuple[bool, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check that every way through the nodes ends."""
        count = len(self.feature)
        lengths = {len(x) for x in (self.threshold, self.missing_left, self.left, self.right, self.value)}
        if lengths != {count}:
            _refuse("arrays", sorted(lengths), f"{count} nodes in each")
        at, feature = np.arange(count), np.asarray(self.feature, np.int64)
        inner = feature != LEAF
        for child in (np.asarray(self.left, np.int64), np.asarray(self.right, np.int64)):
            if (inner & ((child <= at) | (child >= count))).any():
                _refuse("children", "not below their node", f"places after it, before {count}")
        if (feature < LEAF).any() or any(not 0 <= root < count for root in self.roots):
            _refuse("nodes", "out of range", f"features from 0 on, roots before {count}")

    @property
    def width(self) -> int:
        """How many columns of features it asks for at least."""
        return max(self.feature, default=LEAF) + 1


def evaluate(trees: Trees, features: Float[np.ndarray, "row name"]) -> Float[np.ndarray, " row"]:
    """The value of each row of features, NaN where one is not known, in the unit of what was learnt.

    base + Σ leaf values; x ≤ threshold goes left, as in scikit-learn's HistGradientBoosting, whose predictions these
    are to rounding. Raises `InvalidInput` for fewer columns than the trees ask for."""
    if features.shape[1] < trees.width:
        _refuse("features", features.shape[1], f"at least {trees.width} columns")
    feature = np.asarray(trees.feature, np.int64)
    threshold, missing = np.asarray(trees.threshold), np.asarray(trees.missing_left, np.bool_)
    left, right = np.asarray(trees.left, np.int64), np.asarray(trees.right, np.int64)
    total = np.full(len(features), trees.base)
    value, rows = np.asarray(trees.value), np.arange(len(features))
    for root in trees.roots:  # In this order, as rounding depends on it.
        node = np.full(len(features), root, np.int64)
        while (inner := feature[node] != LEAF).any():
            asked: FloatArray = features[rows, np.maximum(feature[node], 0)]
            goes_left = np.where(np.isnan(asked), missing[node], asked <= threshold[node])
            node = np.where(inner, np.where(goes_left, left[node], right[node]), node)
        total += value[node]
    return total


def _refuse(what: str, value: object, limit: str) -> None:
    raise InvalidInput(what, where="boosted trees", value=value, limit=limit, remedy="Fit the predictor again.")
