"""What `model-card` does: find the model, read the evidence, and print the card."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from crossmargin.adapters.documents import convert, read_document, read_tree
from crossmargin.adapters.files import builtin_models, read_model_document
from crossmargin.cli.output import print_json
from crossmargin.core.check import known
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.outlook.predictor import PredictiveSpec
from crossmargin.engine.recipe import Recipe, recipes
from crossmargin.validation.cards.card import Described, model_card
from crossmargin.validation.cards.markdown import markdown
from crossmargin.validation.evidence.documents import BacktestReport
from crossmargin.validation.predictive.margin import NAME

_OF_MODELS: Final = "collateral"  # every model document has it, and no recipe


def print_card(model: str, *, evidence: Path | None, owner: str, as_json: bool) -> None:
    """Print the card of a model by its name, or of the recipe or model in a file."""
    report = None if evidence is None else read_document(evidence, BacktestReport)
    card = model_card(_described(model), report, owner=owner)
    if as_json:
        print_json(card)
    else:
        sys.stdout.write(markdown(card))


def _described(name: str) -> Described:
    if Path(name).suffix.lower() in {".toml", ".json"}:
        tree = read_tree(name)
        if isinstance(tree, dict) and _OF_MODELS in tree:
            return convert(tree, ModelDocument, where=name)
        return convert(tree, Recipe, where=name)
    known(name, {*recipes(), *builtin_models(), NAME}, "model", where="model-card", remedy="Name one, or a file.")
    if name == NAME:
        return PredictiveSpec()
    return recipes()[name] if name in recipes() else read_model_document(name)
