"""A recipe: what to fit to a history, and the model around it; and the model that a history makes of it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec

from crossmargin.core.check import known
from crossmargin.engine.model import ModelDocument
from crossmargin.margin.document import Factor, MeasureChoice
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec, calibrate, fit_filters
from crossmargin.scenarios.calibrating.calibration import FilterFit
from crossmargin.scenarios.history import FactorHistory


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statistical model before it has seen a history.

    `base` is the built-in model whose add-ons, collateral rules, far moves and spread of vol shocks are kept; `measure`
    and the factors of `scan` replace its own, `calibration` says what to fit.
    """

    name: str
    date: str
    source: str
    calibration: CalibrationSpec
    measure: MeasureChoice = MeasureChoice(kind="expected_shortfall", level=0.975)
    scan: Factor = Factor(initial=1.0, maintenance=0.75)
    base: str = "crossmargin-grid"


@cache
def recipes() -> Mapping[str, Recipe]:
    """The shipped recipes by name."""
    folder = resources.files("crossmargin.engine").joinpath("models/recipes")
    names = sorted(f.name for f in folder.iterdir() if f.name.endswith(".toml"))
    return {found.name: found for found in map(_shipped, names)}


def _shipped(file: str) -> Recipe:
    text = resources.files("crossmargin.engine").joinpath("models/recipes", file).read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Recipe)


def recipe(name: str, *, where: str = "recipe") -> Recipe:
    """A shipped recipe. Raises `UnknownName` with the nearest ones."""
    return recipes()[known(name, recipes(), "recipe", where=where, remedy="Name a shipped one, or a .toml file.")]


def calibrated_model(
    made: Recipe, base: ModelDocument, history: FactorHistory, *, fits: Mapping[str, FilterFit] | None = None
) -> ModelDocument:
    """The model that a recipe makes of a history; nothing after the history's last bar enters.

    Filters of GARCH are fitted to the same history unless `fits` are given. The close-out period that the scan covers
    is the horizon of the scenarios. Raises what `fit_filters` and `calibrate` raise.
    """
    fitted = calibrate(history, made.calibration, fits=fit_filters(history, made.calibration) if fits is None else fits)
    return msgspec.structs.replace(
        base,
        name=made.name,
        date=made.date,
        source=f"{made.source} Fitted to: {history.source or 'a history without a source'}.",
        measure=made.measure,
        scan=made.scan,
        liquidity=msgspec.structs.replace(base.liquidity, horizon_days=fitted.horizon_days),
        calibration=fitted,
    )
