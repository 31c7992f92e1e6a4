"""What of a model a backtest tests, as a hash: figures belong to it, whatever a model of other parameters is called."""

from __future__ import annotations

from crossmargin.core.canon import digest
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.recipe import Recipe


def tested_hash(model: Recipe | ModelDocument) -> str:
    """The hash of measure, scan and what is fitted, the same for a recipe and for what it makes of any history.

    Of a grid, which is fitted to nothing, it is that of the document. Nothing else of a recipe enters a backtest: its
    base gives add-ons and far moves."""
    if isinstance(model, Recipe):
        return digest((model.measure, model.scan, digest(model.calibration)))
    if model.calibration is None:
        return digest(model)
    return digest((model.measure, model.scan, model.calibration.spec_hash))
