"""A history of the desk's market, and models fitted to it."""

from __future__ import annotations

import numpy as np

from crossmargin.core.instant import DAY_NS
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.recipe import Recipe, calibrated_model, recipe
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.history import FactorHistory, build_history
from tests.margin.books import replace
from tests.margin.desk import plain_model

FACTORS = ("spot:BTC", "spot:ETH", "vol:BTC", "vol:ETH")
BARS, LOOKBACK = 320, 200


def history(factors: tuple[str, ...] = FACTORS, *, bars: int = BARS, seed: int = 5) -> FactorHistory:
    """Daily levels with a common part and fat tails."""
    draw = np.random.default_rng(seed)
    common = draw.standard_t(5, size=(bars, 1))
    own = draw.standard_t(5, size=(bars, len(factors)))
    level = 100.0 * np.exp(np.cumsum(0.01 * (common + own), axis=0))
    return build_history(np.arange(1, bars + 1) * DAY_NS, factors, level, source="made up")


def recipe_of(**changes: object) -> Recipe:
    """The shipped default on a look-back of `LOOKBACK` bars."""
    spec = replace(recipe("crossmargin-dynamic").calibration, lookback=LOOKBACK, **changes)
    assert isinstance(spec, CalibrationSpec)
    return replace(recipe("crossmargin-dynamic"), calibration=spec)


def fitted(base: ModelDocument | None = None, told: FactorHistory | None = None, **changes: object) -> ModelDocument:
    """A model of round figures whose scenarios are those of a calibration."""
    return calibrated_model(recipe_of(**changes), base or plain_model(), told or history())
