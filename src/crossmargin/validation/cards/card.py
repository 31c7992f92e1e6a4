"""The card of a model: written from the model itself, so that it cannot say anything else than the model does."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

from crossmargin.core.canon import digest
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.outlook.predictor import PredictiveSpec
from crossmargin.engine.recipe import Recipe
from crossmargin.scenarios.calibrating.calibration import Calibration
from crossmargin.validation.cards.documents import CardEvidence, ModelCard, Parameter, Statement
from crossmargin.validation.cards.statements import (
    ADD_ONS,
    GRID,
    PREDICTIVE,
    REVALUED,
    Traits,
    statements_of,
    traits_of,
)
from crossmargin.validation.evidence.documents import BacktestReport, Group, ModelEvidence
from crossmargin.validation.evidence.tested import tested_hash
from crossmargin.validation.predictive.margin import NAME

Described: TypeAlias = Recipe | ModelDocument | PredictiveSpec
Evidence: TypeAlias = BacktestReport | ModelCard | None
OWNER: Final = "Crossmargin"
PREDICTIVE_DATE: Final = "2026-11-22"  # when its settings were chosen
GRID_EVIDENCE: Final = "grid"  # what a backtest calls the grid of the default model


def model_card(model: Described, evidence: Evidence = None, *, owner: str = OWNER) -> ModelCard:
    """The card of a recipe, of a model document (a grid or a calibrated one) or of the predictive margin.

    `evidence` is the report of `crossmargin backtest … --json`, or an earlier card, whose figures stay as long as the
    parameters do. A report without the model, or with one of its name and other parameters, gives no figures, and the
    card says so; the learnt correction is found by its name. `owner` answers for the model."""
    name = name_of(model)
    own = digest(model)
    found, remark = _kept(evidence, own) if isinstance(evidence, ModelCard) else _evidence(name, model, evidence)
    return ModelCard(
        name=name,
        date=PREDICTIVE_DATE if isinstance(model, PredictiveSpec) else model.date,
        owner=owner,
        kind=_kind(model),
        purpose=_purpose(model),
        inputs=tuple(_inputs(model)),
        statements=tuple(_statements(model)),
        parameters=tuple(_parameters(msgspec.to_builtins(_numbers(model)))),
        source=_source(model),
        hash=own,
        evidence=found,
        remark=remark,
    )


def name_of(model: Described) -> str:
    """What a card calls a model."""
    return NAME if isinstance(model, PredictiveSpec) else model.name


def _traits(model: Described) -> Traits | None:
    if isinstance(model, PredictiveSpec):
        return None
    return traits_of(model.calibration) if model.calibration is not None else None


def _kind(model: Described) -> str:
    if isinstance(model, PredictiveSpec):
        return "learnt correction of a filter"
    traits = _traits(model)
    if traits is None:
        return "fixed grid of scenarios"
    words = {"historical": "history", "filtered": "filtered history", "monte_carlo": "Monte Carlo"}[traits.method]
    return words if isinstance(model, Recipe) else f"{words}, calibrated"


def _purpose(model: Described) -> str:
    if isinstance(model, PredictiveSpec):
        return (
            f"The loss of the next horizon that is passed with a chance of {model.rate:.2%}, and the shortfall "
            "beyond it, for "
            "portfolios whose filter has a record. A challenger: it replaces the filter where it beats it out of "
            "sample."
        )
    measure = model.measure
    words = measure.kind.replace("_", " ") + ("" if measure.kind == "worst" else f" at {measure.level:.1%}")
    scan = (
        f"{words} of the scenarios, times {model.scan.initial:g} (initial) and {model.scan.maintenance:g} (maintenance)"
    )
    return f"Initial and maintenance margin of portfolios: {scan}, and the terms beside the scan."


def _inputs(model: Described) -> list[str]:
    if isinstance(model, PredictiveSpec):
        return [
            "the backtest of a filter: its margins, its forecasts of the tail, and the P&L that came",
            "realised volatility, correlation, carry, implied volatility and skew of its history, and the calendar",
            "any table of features known at the close of a bar: funding, open interest",
        ]
    found = ["a snapshot of the market and a book, both hashed in every result"]
    calibration = model.calibration
    if isinstance(calibration, Calibration):
        labels = calibration.labels()
        found.append(
            f"{len(calibration.factors)} factors over {len(labels):,} bars of {calibration.bar_days:g} d from "
            f"{labels[0][:10]} to {labels[-1][:10]}, history {calibration.history_hash[:12]}: "
            f"{calibration.source or 'without a source'}"
        )
        filled = [fit.factor for fit in calibration.factors if fit.proxied]
        if filled:
            found.append(f"filled from proxies: {', '.join(filled)}")
    elif isinstance(model, Recipe):
        found.append(
            f"a history of every factor the book depends on: {model.calibration.lookback:,} bars and the warm-up"
        )
    return found


def _statements(model: Described) -> list[Statement]:
    if isinstance(model, PredictiveSpec):
        return [*PREDICTIVE, REVALUED]
    traits = _traits(model)
    return [*(GRID if traits is None else statements_of(traits)), REVALUED, ADD_ONS]


def _numbers(model: Described) -> Any:
    """What stands under parameters: a grid's base is the document itself, and a fit is not a parameter."""
    if isinstance(model, Recipe):
        return {"measure": model.measure, "scan": model.scan, "base": model.base, "calibration": model.calibration}
    if isinstance(model, ModelDocument):
        told = msgspec.structs.asdict(model)
        return {key: value for key, value in told.items() if key not in ("name", "date", "source", "calibration")}
    return model


def _parameters(tree: Any, path: str = "") -> list[Parameter]:
    """The leaves of nested tables that hold something, each by its path."""
    if isinstance(tree, dict):
        parts = [_parameters(value, f"{path}.{key}" if path else str(key)) for key, value in tree.items()]
        return [leaf for part in parts for leaf in part]
    return [] if tree in (None, "", [], ()) else [Parameter(path=path, value=str(tree))]


def _source(model: Described) -> str:
    if isinstance(model, PredictiveSpec):
        return "gamma was chosen on daily moves of nine coins up to 2023-06-30; the other settings are first guesses."
    return " ".join(model.source.split())


def _kept(card: ModelCard, own: str) -> tuple[CardEvidence | None, str]:
    """The figures of an earlier card of the same parameters."""
    if card.hash != own:
        return None, f"No evidence: what there is belongs to other parameters, {card.hash[:16]}."
    return card.evidence, card.remark


def _evidence(name: str, model: Described, report: BacktestReport | None) -> tuple[CardEvidence | None, str]:
    """The figures of a report, or why there are none."""
    if report is None:
        return None, "No evidence: this card was made without a backtest."
    calibrated = isinstance(model, Recipe | PredictiveSpec) or model.calibration is not None
    asked = name if calibrated else GRID_EVIDENCE
    if asked in report.left_out:
        return None, f"No evidence: the backtest left it out. {report.left_out[asked]}"
    for one in report.models:
        if one.model == asked:
            if not isinstance(model, PredictiveSpec) and report.hashes.get(asked) != tested_hash(model):
                return None, f"No evidence: the backtest is of a {asked} of other parameters. Run it with these."
            return _figures(one, report), ""
    known = ", ".join(one.model for one in report.models)
    return None, f"No evidence: the backtest holds {known}, and not {asked}."


def _figures(one: ModelEvidence, report: BacktestReport) -> CardEvidence:
    unseen = one.periods[-1] if len(one.periods) > 1 else None
    crisis = min(one.windows, key=lambda window: window.coverage, default=None)
    score = next((line for scores in report.scores[:1] for line in scores.lines if line.model == one.model), None)
    whole = one.whole
    return CardEvidence(
        model=one.model,
        source=report.source,
        history_hash=report.history_hash,
        book_hash=report.book_hash,
        version=report.version,
        first=whole.first,
        last=whole.last,
        accounts=whole.accounts,
        observations=whole.observations,
        rate=report.rate,
        coverage=whole.coverage,
        unseen_from=report.unseen_from,
        unseen_coverage=unseen.coverage if unseen else None,
        crisis=crisis.name if crisis else "",
        crisis_coverage=crisis.coverage if crisis else None,
        loss_to_margin_max=_worst(one.windows),
        rise_5=whole.rise_5.median if whole.rise_5 else None,
        peak_to_trough=whole.peak_to_trough.median if whole.peak_to_trough else None,
        cost_ratio=whole.cost_ratio,
        baseline=report.baseline,
        too_many_p=whole.too_many_p,
        fz0=score.fz0 if score else None,
        kept=score.kept if score else None,
    )


def _worst(windows: tuple[Group, ...]) -> float | None:
    return max((w.loss_to_margin_max for w in windows if w.loss_to_margin_max is not None), default=None)
