"""A fitted learner of scikit-learn as the plain arrays that `engine.outlook.trees` evaluates."""

from __future__ import annotations

from typing import Any

import numpy as np

from crossmargin.core.arrays import IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.outlook.trees import ALWAYS, LEAF, Trees


def trees_of(learner: Any, columns: IntArray) -> Trees:
    """The trees of a fitted `HistGradientBoostingRegressor`; `columns` [feature] are the places of its features.

    Read from its node records, which scikit-learn keeps private (`_predictors`, `_baseline_prediction`; versions 1.5
    to 1.9 write them alike). Raises `InvalidInput` for a learner with categories, or of a version that keeps others."""
    needed = {"value", "feature_idx", "num_threshold", "missing_go_to_left", "left", "right", "is_leaf"}
    try:
        nodes = [stage[0].nodes for stage in learner._predictors]
        base = float(np.asarray(learner._baseline_prediction).reshape(-1)[0])
    except AttributeError:
        raise _unreadable("without node records") from None
    if any(not needed <= set(tree.dtype.names) or tree["is_categorical"].any() for tree in nodes):
        raise _unreadable("with other node records")
    starts = np.cumsum([0, *(len(tree) for tree in nodes)])[:-1]
    joined = np.concatenate(nodes)
    offset = np.repeat(starts, [len(tree) for tree in nodes])
    leaf = joined["is_leaf"].astype(np.bool_)
    threshold = np.minimum(np.where(leaf, 0.0, joined["num_threshold"]), ALWAYS)
    return Trees(
        base=base,
        roots=tuple(starts.tolist()),
        feature=tuple(np.where(leaf, LEAF, columns[joined["feature_idx"]]).tolist()),
        threshold=tuple(threshold.tolist()),
        missing_left=tuple(joined["missing_go_to_left"].astype(np.bool_).tolist()),
        left=tuple(np.where(leaf, 0, joined["left"] + offset).tolist()),
        right=tuple(np.where(leaf, 0, joined["right"] + offset).tolist()),
        value=tuple(joined["value"].tolist()),
    )


def _unreadable(value: str) -> InvalidInput:
    return InvalidInput(
        "scikit-learn",
        where="exporting a predictor",
        value=f"a learner {value}",
        limit="HistGradientBoosting of versions 1.5 to 1.9, without categories",
        remedy='Install what was tested: pip install "crossmargin[calibrate]".',
    )
