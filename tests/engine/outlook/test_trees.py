"""Kept trees say what the learner said, whatever is missing, and refuse what would never end."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.engine.outlook.trees import LEAF, Trees, evaluate
from crossmargin.validation.predictive.exporting import trees_of


def fitted(seed: int, rows: int, missing: float, quantile: float) -> tuple[Any, np.ndarray]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 4))
    features[:, 3] = np.round(features[:, 3])
    target = np.where(features[:, 0] > 0.3, 2.0, 1.0) * np.abs(rng.standard_t(3, size=rows)) + features[:, 3]
    features[rng.random(features.shape) < missing] = np.nan
    target[np.isnan(features[:, 1])] += 3.0  # so that what is missing is worth a split of its own
    learner = HistGradientBoostingRegressor(
        loss="quantile", quantile=quantile, max_iter=20, max_leaf_nodes=6, min_samples_leaf=20, early_stopping=False
    )
    return learner.fit(features, target), features


@settings(max_examples=6, deadline=None)
@given(
    st.integers(0, 2**20), st.integers(120, 400), st.sampled_from([0.0, 0.2, 0.6]), st.sampled_from([0.5, 0.95, 0.99])
)
def test_they_predict_as_the_learner_does(seed: int, rows: int, missing: float, quantile: float) -> None:
    learner, features = fitted(seed, rows, missing, quantile)
    kept = msgspec.json.decode(msgspec.json.encode(trees_of(learner, np.arange(4))), type=Trees)
    rng = np.random.default_rng(seed + 1)
    asked = np.concatenate([features, 3.0 * rng.normal(size=(200, 4)), np.full((1, 4), np.nan)])
    asked[rng.random(asked.shape) < missing] = np.nan
    np.testing.assert_allclose(evaluate(kept, asked), learner.predict(asked), rtol=0.0, atol=1e-12)


def test_features_keep_their_places_in_a_wider_table() -> None:
    learner, features = fitted(1, 300, 0.2, 0.9)
    wide = np.full((len(features), 9), np.nan)
    columns = np.asarray([7, 1, 8, 2])
    wide[:, columns] = features
    np.testing.assert_array_equal(
        evaluate(trees_of(learner, columns), wide), evaluate(trees_of(learner, np.arange(4)), features)
    )


def one_split(**changes: object) -> Trees:
    parts = {
        "base": 1.0,
        "roots": (0,),
        "feature": (0, LEAF, LEAF),
        "threshold": (0.5, 0.0, 0.0),
        "missing_left": (True, False, False),
        "left": (1, 0, 0),
        "right": (2, 0, 0),
        "value": (0.0, 10.0, 20.0),
    }
    return msgspec.convert(parts | changes, Trees)


def test_a_split_is_read_as_it_is_written() -> None:
    features = np.asarray([[0.5], [0.5 + 1e-15], [np.nan], [-np.inf]])
    assert evaluate(one_split(), features).tolist() == [11.0, 21.0, 11.0, 11.0]


@pytest.mark.parametrize(
    "changes",
    [{"left": (0, 0, 0)}, {"right": (3, 0, 0)}, {"value": (0.0, 1.0)}, {"roots": (3,)}, {"feature": (-2, -1, -1)}],
)
def test_nodes_that_lead_nowhere_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="boosted trees"):
        one_split(**changes)


def test_too_few_columns_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 1 columns"):
        evaluate(one_split(), np.empty((3, 0)))
