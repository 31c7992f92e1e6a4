"""Recipes: what ships can be read and fitted, and a model keeps of its base what no history says."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from crossmargin.core.errors import UnknownName
from crossmargin.engine.recipe import Recipe, calibrated_model, recipe, recipes
from crossmargin.margin.document import Factor, MeasureChoice
from crossmargin.scenarios.history import build_history
from tests.engine.calibrated import LOOKBACK, history, recipe_of
from tests.margin.books import replace
from tests.margin.desk import plain_model


@pytest.mark.parametrize("name", sorted(recipes()))
def test_every_shipped_recipe_has_a_name_a_day_and_a_source(name: str):
    found = recipe(name)
    assert found.name == name
    assert len(found.date) == 10
    assert found.source
    assert found.measure.kind in ("value_at_risk", "expected_shortfall")
    assert found.scan.initial >= found.scan.maintenance


def test_an_unknown_recipe_is_refused_with_those_that_are():
    with pytest.raises(UnknownName, match="crossmargin-dynamic"):
        recipe("crossmargin-dinamic")


def test_a_model_takes_measure_scan_and_scenarios_and_keeps_the_rest():
    base, told = plain_model(), history()
    made = replace(recipe_of(), measure=MeasureChoice(kind="value_at_risk", level=0.9), scan=Factor(initial=1.2))
    found = calibrated_model(made, base, told)
    assert (found.name, found.date) == (made.name, made.date)
    assert (found.measure, found.scan) == (made.measure, made.scan)
    assert found.source.endswith("Fitted to: made up.")
    assert found.calibration is not None
    assert found.calibration.residuals.rows == LOOKBACK
    for name in ("grid", "rules", "jump", "basis", "oracle", "wrong_way", "collateral", "offset_cap"):
        assert getattr(found, name) == getattr(base, name)


def test_a_fitted_model_is_the_same_after_a_file():
    found = calibrated_model(recipe_of(), plain_model(), history())
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


def test_nothing_after_the_history_enters():
    told = history()
    level = np.array(told.level)
    level[301:] = level[301:][::-1] * 7.0
    rewritten = build_history(told.close_ns, told.factors, level, source=told.source)
    at = int(told.close_ns[300])
    found = [calibrated_model(recipe_of(), plain_model(), h.until(at)) for h in (told, rewritten)]
    assert found[0] == found[1]


def test_a_recipe_refuses_a_word_it_does_not_know():
    raw = msgspec.to_builtins(recipe("crossmargin-dynamic")) | {"lookbak": 10}
    with pytest.raises(msgspec.ValidationError, match="lookbak"):
        msgspec.convert(raw, Recipe)
