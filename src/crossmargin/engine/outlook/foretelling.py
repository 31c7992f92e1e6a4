"""What a kept predictor says of one account today, and whether it is used: only where it beat the best filter.

Trees give a multiple of today's margin, the conformal scores what that multiple was short of in the past. The rule of
use is strict, and what is not used is shown beside what is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.core.canon import digest
from crossmargin.core.instant import DAY_NS, to_milliseconds
from crossmargin.engine.outlook.predictor import RATIO_LEAST, RATIO_MOST, Learnt, Predictor, Target, Verdict
from crossmargin.engine.outlook.trees import evaluate

SIGNIFICANCE: Final = 0.10  # as in the adoption
STALE_BARS: Final = 2.0  # A history that ends earlier before the market says nothing of today.
_SLACK: Final = 1e-12  # (n + 1)(1 − α) is a whole number up to rounding.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """Where an account stands under a predictor: features and the figures that it corrects, at a bar's close.

    `loss_features` and `need_features` [name] in the predictor's order (the second None without a model that it learnt
    on); value at risk, shortfall and scan margin in USD. `same_history` says that what it learnt from is the past of
    the history given now."""

    predictor: Predictor
    account: str
    time_ns: int
    families: tuple[str, ...]
    held: str
    loss_features: FloatArray
    value_at_risk_usd: float
    shortfall_usd: float
    need_features: FloatArray | None
    scan_usd: float
    same_history: bool


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts."""


class LearntLevel(_Part, frozen=True, kw_only=True):
    """Not above, with this probability, USD: the initial margin to come, and what must be held now for it."""

    level: float
    initial_usd: float
    need_usd: float


class Foretold(_Part, frozen=True, kw_only=True):
    """A predictor's figures for one account, USD, and whether they are used.

    `margin_usd` and `shortfall_usd` are the predictive margin at `rate` and the mean loss beyond it; `filter_usd` and
    `filter_shortfall_usd` what the best known filter alone says. `verdicts` are those that decide; `reasons` why the
    margin is not used, `call_reasons` why the chance of a call is not; both empty where it is. `call_chance` is between
    the bounds `call_low` and `call_high`, which the learnt levels leave; None without levels."""

    predictor: str
    learnt_first_ms: int
    learnt_last_ms: int
    as_of_ms: int
    rate: float
    filter: str
    filter_usd: float
    filter_shortfall_usd: float
    margin_usd: float
    shortfall_usd: float
    levels: tuple[LearntLevel, ...]
    call_chance: float | None
    call_low: float | None
    call_high: float | None
    families: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    reasons: tuple[str, ...]
    call_reasons: tuple[str, ...]

    @property
    def is_used(self) -> bool:
        """Whether the predictive margin is the answer."""
        return not self.reasons

    @property
    def calls_used(self) -> bool:
        """Whether its chance of a call is the answer."""
        return not self.call_reasons

    def posting(self, chance: float, equity_usd: float) -> float | None:
        """The cash that, posted now, leaves this chance of a call; None where no learnt level says it."""
        found = [one.need_usd for one in self.levels if math.isclose(one.level, 1.0 - chance)]
        return max(found[0] - equity_usd, 0.0) if found else None


def foretold(
    standing: Standing,
    *,
    model: str,
    horizon_days: float,
    as_of_ns: int,
    initial_usd: float,
    equity_usd: float,
    coins_held: bool,
) -> Foretold:
    """What the predictor says of an account with this initial margin and equity under a model (`name@date` without the
    date), and whether it may be used.

    Loss: VaR · trees · score. Requirement and need of the scan alone: the rest of the initial margin is taken to stay
    as it is. Source of the scores: as `read_pool`."""
    kept = standing.predictor
    multiple, beyond = _multiples(kept.of("loss")[0], standing, standing.loss_features)
    margin = multiple * standing.value_at_risk_usd
    levels = _levels(standing, initial_usd)
    chance, low, high = _call(levels, equity_usd)
    verdicts = _verdicts(standing)
    reasons = tuple(_reasons(standing, verdicts, horizon_days=horizon_days, as_of_ns=as_of_ns))
    return Foretold(
        predictor=digest(kept),
        learnt_first_ms=kept.first_ms,
        learnt_last_ms=kept.last_ms,
        as_of_ms=to_milliseconds(standing.time_ns),
        rate=kept.spec.rate,
        filter=kept.filter.name,
        filter_usd=max(standing.value_at_risk_usd, 0.0),
        filter_shortfall_usd=standing.shortfall_usd,
        margin_usd=max(margin, 0.0),
        shortfall_usd=max(beyond * standing.value_at_risk_usd, margin, 0.0),
        levels=levels,
        call_chance=chance,
        call_low=low,
        call_high=high,
        families=standing.families,
        verdicts=verdicts,
        reasons=reasons,
        call_reasons=(*reasons, *_call_reasons(standing, model=model, coins_held=coins_held)),
    )


def read_pool(ascending: FloatArray, alpha: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """The ⌈(n + 1)(1 − α)⌉-th of n ascending scores at each α, the mean from it on, and whether it asks for more.

    Source: Romano, Patterson and Candès (2019), "Conformalized quantile regression", NeurIPS 32."""
    count = len(ascending)
    rank = np.ceil((count + 1) * (1.0 - alpha) * (1.0 - _SLACK)).astype(np.int64)
    capped = (rank > count) | (alpha <= 0.0)
    at = np.clip(rank, 1, count) - 1
    beyond = np.cumsum(ascending[::-1])[::-1] / np.arange(count, 0, -1)
    return ascending[at], beyond[at], capped


def _multiples(learnt: Learnt, standing: Standing, features: FloatArray) -> tuple[float, float]:
    """What today's figure is to be multiplied with: for the quantile, and for the mean beyond it."""
    kept = standing.predictor
    ratio = float(np.clip(evaluate(learnt.trees, features[None, :])[0], RATIO_LEAST, RATIO_MOST))
    own = standing.account in kept.accounts and kept.held[kept.accounts.index(standing.account)] == standing.held
    alpha = learnt.alpha[kept.accounts.index(standing.account)] if own else 1.0 - learnt.level
    quantile, beyond, _ = read_pool(np.asarray(learnt.scores), np.asarray([alpha]))
    return ratio * float(quantile[0]), ratio * float(beyond[0])


def _levels(standing: Standing, initial_usd: float) -> tuple[LearntLevel, ...]:
    """Requirement and need by level, each at least that of the level below."""
    features, kept, scan = standing.need_features, standing.predictor, standing.scan_usd
    if features is None or not scan > 0.0:
        return ()

    def by_level(target: Target) -> FloatArray:
        multiples = [_multiples(one, standing, features)[0] for one in kept.of(target)]
        return np.asarray(np.maximum.accumulate(initial_usd + (np.asarray(multiples) - 1.0) * scan))

    rows = zip(kept.of("need"), by_level("requirement").tolist(), by_level("need").tolist(), strict=True)
    return tuple(LearntLevel(level=one.level, initial_usd=initial, need_usd=need) for one, initial, need in rows)


def _call(levels: tuple[LearntLevel, ...], equity_usd: float) -> tuple[float | None, float | None, float | None]:
    """The chance that the need is above the equity, between the levels on its two sides; linear between them."""
    if not levels:
        return None, None, None
    needs = [one.need_usd for one in levels]
    above = int(np.searchsorted(needs, equity_usd, side="right"))
    high = 1.0 if above == 0 else 1.0 - levels[above - 1].level
    low = 0.0 if above == len(levels) else 1.0 - levels[above].level
    if above in (0, len(levels)):
        return round(low if above == 0 else high, 12), round(low, 12), round(high, 12)
    part = (equity_usd - needs[above - 1]) / (needs[above] - needs[above - 1])
    return high - part * (high - low), round(low, 12), round(high, 12)


def _verdicts(standing: Standing) -> tuple[Verdict, ...]:
    """Those of the account itself, where it holds what it held; else of its kind, or of everything together."""
    kept = standing.predictor
    if kept.adoption is None:
        return ()
    if kept.of_book:
        same = [h for name, h in zip(kept.accounts, kept.held, strict=True) if name == standing.account]
        found = [v for v in kept.adoption.portfolios if v.subject == standing.account and same == [standing.held]]
    else:
        found = [v for v in kept.adoption.families if v.subject in standing.families]
    return tuple(found) or (kept.adoption.everywhere,)


def _reasons(standing: Standing, verdicts: tuple[Verdict, ...], *, horizon_days: float, as_of_ns: int) -> Iterator[str]:
    """Why the predictive margin is not used."""
    kept = standing.predictor
    if not verdicts:
        yield "it learnt on too few dates to be judged"
    for v in verdicts:
        if not v.is_used:
            how = {"leads": "led without beating", "trails": "was behind", "loses": "lost to"}[v.outcome]
            yield f"out of sample it {how} {v.rival} on {v.subject} (FZ0 {v.score:.3f} against {v.rival_score:.3f})"
    if not standing.value_at_risk_usd > 0.0:
        yield "the filter sees no loss that it could correct"
    if not math.isclose(kept.horizon_days, horizon_days, rel_tol=1e-6):
        yield f"it foretells {kept.horizon_days:g} days and the model {horizon_days:g}"
    age = (as_of_ns - kept.last_ms * 1_000_000) / DAY_NS
    most = (kept.spec.refit_dates + 1) * max(kept.horizon_days, kept.bar_days)
    if age > most:
        yield f"it learnt up to {age:.0f} days ago, and is fitted again after {most:.0f}"
    behind = (as_of_ns - standing.time_ns) / DAY_NS
    if behind > STALE_BARS * kept.bar_days:
        yield f"the history ends {behind:.1f} days before the market"
    if not standing.same_history:
        yield "the history is not the one that it learnt from"


def _call_reasons(standing: Standing, *, model: str, coins_held: bool) -> Iterator[str]:
    """Why the learnt chance of a call is not used although the margin may be."""
    kept = standing.predictor
    if kept.model is None or standing.need_features is None:
        yield "requirements were not learnt"
        return
    if kept.model.name != model:
        yield f"requirements were learnt of {kept.model.name}, and the model is {model}"
    if coins_held:
        yield "the account holds collateral whose price moves, which was not learnt"
    worse = [one for one in kept.of("need") if one.versus is None or not one.versus.is_better(SIGNIFICANCE)]
    if worse:
        at = ", ".join(f"{100.0 * one.level:g} %" for one in worse)
        yield f"what must be held at {at} was foretold no better than by its own past"
