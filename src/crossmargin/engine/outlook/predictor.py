"""A predictive margin as a document: boosted quantiles, conformal scores, what they were learnt from, and the verdict.

It holds no code and no learner: trees are arrays, so that what was judged is what is used, years later, by its hash.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.outlook.trees import Trees
from crossmargin.margin.document import MeasureChoice
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec

Outcome: TypeAlias = Literal["wins", "leads", "trails", "loses"]
Target: TypeAlias = Literal["loss", "requirement", "need"]
RATIO_LEAST: Final = 0.5  # What a learner may make of a filter's margin: half of it,
RATIO_MOST: Final = 4.0  # and four times of it.
LEVELS: Final = (0.5, 0.75, 0.95, 0.99)  # of the requirement to come, and of what must be held for it


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class PredictiveSpec(_Part, frozen=True, kw_only=True):
    """How a predictive margin learns, and how its conformal correction follows.

    The first fit is made after `learn_dates`, the next ones every `refit_dates`: `rounds` trees of at most `leaves`
    leaves, each over at least `leaf_exceptions`/`rate` rows, so that a leaf's quantile rests on that many exceptions.
    Scores of the last `window_dates` make the correction, whose level moves by `gamma` times what misses say.
    """

    rate: float = 0.01
    learn_dates: int = 500
    refit_dates: int = 60
    window_dates: int = 250
    gamma: float = 0.002
    rounds: int = 60
    leaves: int = 6
    learning_rate: float = 0.05
    leaf_exceptions: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check all numbers."""
        where = "predictive margin"
        check.within(self.rate, "rate", 1e-4, 0.5, where=where)
        check.within(self.learn_dates, "dates to learn from", 50, 100_000, where=where)
        check.within(self.refit_dates, "dates between fits", 1, 100_000, where=where)
        check.within(self.window_dates, "dates of scores", 20, 100_000, where=where)
        check.within(self.gamma, "gamma", 0.0, 1.0, where=where)
        check.within(self.rounds, "rounds", 1, 10_000, where=where)
        check.within(self.leaves, "leaves", 2, 1_000, where=where)
        check.within(self.learning_rate, "learning rate", 1e-4, 1.0, where=where)
        check.within(self.leaf_exceptions, "exceptions in a leaf", 1.0, 1e6, where=where)

    @property
    def leaf_rows(self) -> int:
        """The least rows of a leaf."""
        return round(self.leaf_exceptions / self.rate)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The predictive margin on one portfolio or family.

    `wins`: the lowest mean score, and no rival in the confidence set; `leads`: the lowest, but a rival is in the set;
    `trails`: not the lowest, but in the set; `loses`: out of it. `rival` is the best of the others, and p-values are
    those at which each would be in the set."""

    subject: str
    outcome: Outcome
    score: float
    rival: str
    rival_score: float
    p_value: float
    rival_p_value: float

    @property
    def is_used(self) -> bool:
        """Whether the predictive margin is used here."""
        return self.outcome == "wins"


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """Where a predictive margin wins: over all portfolios together, by family and by portfolio, FZ0 at `rate`.

    `dates` are those on which it had learnt; `unscored` portfolios have no shortfall above zero under some model, which
    the score needs."""

    model: str
    rivals: tuple[str, ...]
    rate: float
    significance: float
    dates: int
    rule: str
    everywhere: Verdict
    families: tuple[Verdict, ...]
    portfolios: tuple[Verdict, ...]
    unscored: tuple[str, ...]


class Versus(_Part, frozen=True, kw_only=True):
    """Mean pinball scores out of sample over `dates`, in units of the margin, against the quantile of its own past.

    `p_value` is one-sided, of Diebold and Mariano: small where the learnt quantile is better beyond chance."""

    dates: int
    score: float
    rival_score: float
    p_value: float

    def is_better(self, significance: float) -> bool:
        """Whether the learnt quantile beat the past of the same ratio."""
        return self.score < self.rival_score and self.p_value <= significance


class Learnt(_Part, frozen=True, kw_only=True):
    """One quantile of a ratio to today's margin: what is passed with a chance of 1 − `level` only.

    `target`: the loss over the horizon, the requirement after it, or what must be held now to meet that requirement
    then (requirement less P&L). `scores` are what came over what was said, ascending, out of sample, of all accounts;
    `alpha` [account] is the level at which each account reads them by its own misses. `versus` is None for the loss,
    which the adoption judges."""

    target: Target
    level: float
    trees: Trees
    scores: tuple[float, ...]
    alpha: tuple[float, ...]
    versus: Versus | None = None


class Base(_Part, frozen=True, kw_only=True):
    """A model whose figures are corrected: what is fitted, and how its columns become a margin."""

    name: str
    calibration: CalibrationSpec
    measure: MeasureChoice
    factor: float = 1.0


class Predictor(_Part, frozen=True, kw_only=True):
    """A fitted predictive margin.

    The loss is learnt on `filter`; requirement and need on `model`, and not at all where that is None. `factors`,
    `scale` and `history_hash` are of the history it learnt from, `first_ms` and `last_ms` its first date and the
    instant at which the last P&L was known, over `dates` on which margin was set. `held` are hashes of what the
    `accounts` held, and `of_book` says that they are a user's and no strategy portfolios. `features` are the columns of
    the trees in their order; those in `given` came from files. `adoption` is None where it learnt on too few dates to
    be judged."""

    format: Literal["crossmargin-predictor-1"] = "crossmargin-predictor-1"
    version: str
    spec: PredictiveSpec
    filter: Base
    model: Base | None
    horizon_days: float
    bar_days: float
    factors: tuple[str, ...]
    scale: dict[str, float]
    history: str
    history_hash: str
    of_book: bool
    first_ms: int
    last_ms: int
    dates: int
    accounts: tuple[str, ...]
    held: tuple[str, ...]
    features: tuple[str, ...]
    given: tuple[str, ...]
    learnt: tuple[Learnt, ...]
    adoption: Adoption | None

    def __post_init__(self) -> None:
        """Check that its parts fit together."""
        if len(self.of("loss")) != 1:
            raise _refused("learnt quantiles of the loss", len(self.of("loss")), "one")
        for one in self.learnt:
            check.within(one.level, f"level of the {one.target}", 1e-4, 1.0 - 1e-4, where="predictor")
            if one.trees.width > len(self.features):
                raise _refused("columns of trees", one.trees.width, f"at most {len(self.features)} features")
            if not len(one.alpha) == len(self.accounts) == len(self.held):
                raise _refused("conformal levels", len(one.alpha), f"one for each of {len(self.accounts)} accounts")
            rising = all(a <= b for a, b in zip(one.scores, one.scores[1:], strict=False))
            if not one.scores or not rising:
                raise _refused("conformal scores", f"{len(one.scores)} numbers", "at least one, ascending")

    def of(self, target: Target) -> tuple[Learnt, ...]:
        """The quantiles of one target, by level."""
        return tuple(sorted((one for one in self.learnt if one.target == target), key=lambda one: one.level))


def _refused(what: str, value: object, limit: str) -> InvalidInput:
    return InvalidInput(what, where="predictor", value=value, limit=limit, remedy="Fit the predictor again.")
