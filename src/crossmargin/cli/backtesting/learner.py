"""What a backtest learns and keeps: settings and features in, the predictor out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.feature_tables import read_features
from crossmargin.engine.outlook.predictor import Base, PredictiveSpec, Predictor
from crossmargin.scenarios.history import FactorHistory
from crossmargin.validation.backtest import Progress, Series
from crossmargin.validation.challengers.registry import BASELINE, conformal
from crossmargin.validation.challengers.walked import textbook
from crossmargin.validation.evidence.documents import BacktestReport
from crossmargin.validation.evidence.held import Held
from crossmargin.validation.evidence.trial import Hold, Models, Question
from crossmargin.validation.predictive.features import FeatureTable
from crossmargin.validation.predictive.fitting import Lesson, fit_predictor
from crossmargin.validation.predictive.margin import NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """How to learn, and from which tables beside the history."""

    spec: PredictiveSpec
    given: tuple[FeatureTable, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Remembered:
    """What makes the portfolios, and the portfolios once they are made."""

    hold: Hold
    made: list[Held] = field(default_factory=list)

    def __call__(self, known: FactorHistory) -> Held:
        """Make them."""
        self.made.append(self.hold(known))
        return self.made[-1]

    def held(self) -> Held:
        """The portfolios of the backtest that was run."""
        return self.made[-1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backtested:
    """A backtest that was run."""

    report: BacktestReport
    series: tuple[Series, ...]
    history: FactorHistory
    models: Models
    question: Question


def read_learner(spec: Path | None, features: Sequence[Path]) -> Learner:
    """Settings and tables from files; the defaults without a file."""
    chosen = PredictiveSpec() if spec is None else read_document(spec, PredictiveSpec)
    return Learner(spec=chosen, given=tuple(read_features(path) for path in features))


def with_learner(models: Models, learner: Learner, *, kept: bool) -> Models:
    """The models of a backtest, where the predictive margin, if it runs or is to be kept, learns as asked."""
    if NAME not in models.derived and not kept:
        return models
    made = partial(conformal, spec=learner.spec, given=learner.given)
    return replace(models, derived={**models.derived, NAME: made})


def learnt(found: Backtested, held: Held, learner: Learner, *, of_book: bool, progress: Progress) -> Predictor:
    """The predictor of a backtest: losses learnt on the baseline, requirements on the first recipe.

    A recipe whose filter is fitted date by date (GARCH) is too slow to follow at a forecast: then no requirements are
    learnt."""
    lead, by_name = found.models.recipes[0], {one.model: one for one in found.series}
    spec = msgspec.structs.replace(lead.calibration, horizon_bars=found.question.horizon_bars)
    plain = Base(name=BASELINE, calibration=textbook(spec, found.history), measure=lead.measure)
    own = Base(name=lead.name, calibration=spec, measure=lead.measure, factor=lead.scan.initial)
    followed = spec.filter not in ("garch", "gjr")
    return fit_predictor(
        Lesson(base=plain, series=by_name[BASELINE]),
        Lesson(base=own, series=by_name[lead.name]) if followed else None,
        found.history,
        held.book,
        spec=msgspec.structs.replace(learner.spec, rate=found.question.rate),
        horizon_days=found.report.horizon_days,
        of_book=of_book,
        given=learner.given,
        adoption=found.report.adoption,
        progress=progress,
    )
