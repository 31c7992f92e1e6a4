"""The joint law of residuals: tails of each factor, a copula of all, and the rows of residuals that they mean.

A tail is a generalised Pareto one beyond a threshold, the body stays empirical. For the rows of the past each residual
of a tail becomes the quantile of its rank, at (rank − ½)/n, so ranks, and with them what moved together, stay. Draws
are uniforms of the copula through the same marginal quantiles; without tails these join the order statistics by lines.

The shape of a tail is at most ½, so that its moves have a variance. Draws end at the quantile ½/n, where the outermost
of n rows stands. Without an end a price would have no mean: a log move x with a Pareto tail of any ξ > 0 has no E[e^x],
and the shortfall of a short position would be that of the greatest draws, and grow with their number.
Source: Foss, Korshunov and Zachary (2013), An Introduction to Heavy-Tailed and Subexponential Distributions, ch. 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from scipy.special import ndtri

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.calibrating.calibration import (
    CopulaRule,
    Dependence,
    Matrix,
    TailFit,
    TailRule,
    Threshold,
)
from crossmargin.scenarios.factors import parse_factor
from crossmargin.scenarios.kernels.tails import spliced_quantiles
from crossmargin.scenarios.statistics.copulas import (
    CopulaFit,
    EllipticalCopula,
    VineCopula,
    fit_gaussian,
    fit_grouped_t,
    fit_t,
    fit_vine,
    grouped_t_copula,
    pseudo_observations,
    rank_correlation,
)
from crossmargin.scenarios.statistics.dependence import (
    Repair,
    ewma_correlation,
    filter_dcc,
    fit_dcc,
    ledoit_wolf,
    repair,
)
from crossmargin.scenarios.statistics.tails import SHAPE_OF_MARGINS, ParetoTail, fit_tail

MIDDLE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class JointLaw:
    """Tails of each factor, None where there is none, and the copula of those that move, None without draws."""

    lower: tuple[TailFit | None, ...]
    upper: tuple[TailFit | None, ...]
    dependence: Dependence | None = None


def moving(rows: FloatArray) -> BoolArray:
    """Which factors' residuals [row, factor] ever change."""
    return np.asarray(np.ptp(rows, axis=0) > 0.0)


def fit_law(rows: FloatArray, factors: Sequence[str], tails: TailRule | None, copula: CopulaRule | None) -> JointLaw:
    """The law of residuals [row, factor]: tails by their rule, or none, and a copula by its rule, or none.

    Raises `InvalidInput` that names the factor where too few residuals lie beyond a threshold, and what the fit of the
    copula raises.
    """
    none = (None,) * len(factors)
    lower, upper = (none, none) if tails is None else (_tails(sign * rows, factors, tails) for sign in (-1.0, 1.0))
    dependence = None if copula is None else _dependence(rows, factors, copula)
    return JointLaw(lower=lower, upper=upper, dependence=dependence)


def _tails(values: FloatArray, factors: Sequence[str], rule: TailRule) -> tuple[TailFit | None, ...]:
    share = rule.share if rule.threshold == "share" else None
    return tuple(
        _tail(values[:, i], name, share, rule.threshold) if moves else None
        for i, (name, moves) in enumerate(zip(factors, moving(values), strict=True))
    )


def _tail(values: FloatArray, factor: str, share: float | None, rule: Threshold) -> TailFit:
    try:
        found = fit_tail(values[:, None], share, shape_max=SHAPE_OF_MARGINS)
    except InvalidInput as error:
        remedy = f"{error.remedy} Marginals that are empirical need no tails."
        raise InvalidInput(
            error.what, where=f"tail of {factor}", value=error.value, limit=error.limit, remedy=remedy
        ) from None
    return _tail_fit(found, rule)


def _tail_fit(tail: ParetoTail, rule: Threshold) -> TailFit:
    inside = bool(tail.inside[0])
    return TailFit(
        threshold=float(tail.threshold[0]),
        share=float(tail.excesses[0] / tail.total[0]),
        shape=float(tail.shape[0]),
        scale=float(tail.scale[0]),
        shape_error=float(tail.shape_error[0]) if inside else None,
        scale_error=float(tail.scale_error[0]) if inside else None,
        rule=rule,
    )


def _dependence(rows: FloatArray, factors: Sequence[str], rule: CopulaRule) -> Dependence:
    kept = np.flatnonzero(moving(rows))
    names, values = tuple(factors[int(i)] for i in kept), rows[:, kept]
    if len(names) < 2:  # One factor depends on nothing.
        alone = Matrix.of(np.eye(len(names)))
        return Dependence(copula="gaussian", factors=names, correlation=alone, group=(0,) * len(names))
    if rule.copula == "vine":
        vine = fit_vine(values, truncation=rule.trees)
        seen = rank_correlation(values)
        return Dependence(
            copula="vine",
            factors=names,
            correlation=Matrix.of(seen.matrix),
            vine=vine.document,
            repair_max=seen.change_max,
            eigenvalue_min=seen.eigenvalue_min,
            log_likelihood=(vine.log_likelihood,),
        )
    change, shrinkage = estimate_correlation(values, rule)
    found = _elliptical(values, names, rule, change)
    heavy = rule.copula != "gaussian"
    return Dependence(
        copula=rule.copula,
        factors=names,
        correlation=Matrix.of(change.matrix),
        method=rule.correlation,
        degrees=tuple(found.copula.nu.tolist()) if heavy else (),
        degrees_error=tuple(None if math.isnan(x) else x for x in found.nu_error.tolist()) if heavy else (),
        group=tuple(found.copula.group.tolist()),
        shrinkage=float(shrinkage),
        repair_max=change.change_max,
        eigenvalue_min=change.eigenvalue_min,
        log_likelihood=tuple(found.log_likelihood.tolist()),
    )


def _elliptical(values: FloatArray, names: Sequence[str], rule: CopulaRule, change: Repair) -> CopulaFit:
    if rule.copula == "gaussian":
        return fit_gaussian(values, change)
    return fit_t(values, change) if rule.copula == "t" else fit_grouped_t(values, groups(names), change)


def groups(factors: Sequence[str]) -> tuple[int, ...]:
    """The group of each factor: its kind, numbered as they come."""
    kinds = [parse_factor(name, where="copula").kind for name in factors]
    number = {kind: i for i, kind in enumerate(dict.fromkeys(kinds))}
    return tuple(number[kind] for kind in kinds)


def estimate_correlation(values: FloatArray, rule: CopulaRule) -> tuple[Repair, float]:
    """The correlation of a copula of values [row, factor] by its rule, repaired, and how far it was shrunk."""
    if rule.correlation == "rank":
        return rank_correlation(values), 0.0
    scores = np.asarray(ndtri(pseudo_observations(values)))
    if rule.correlation == "ewma":
        return ewma_correlation(scores, rule.decay), 0.0
    if rule.correlation == "dcc":
        fitted = fit_dcc(scores)
        return repair(_correlation_of(filter_dcc(fitted.model, scores).state)), 0.0
    covariance, shrinkage = ledoit_wolf(scores)
    return repair(_correlation_of(covariance)), shrinkage


def _correlation_of(covariance: FloatArray) -> FloatArray:
    spread = 1.0 / np.sqrt(np.diag(covariance))
    found: FloatArray = np.clip(covariance * spread[:, None] * spread, -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return 0.5 * (found + found.T)


class _Marginals(NamedTuple):
    """What the kernel of spliced quantiles reads."""

    ptr: IntArray
    ordered: FloatArray
    low: FloatArray
    high: FloatArray


def _marginals(rows: FloatArray, law: JointLaw) -> _Marginals:
    count, factors = rows.shape

    def side(tails: tuple[TailFit | None, ...]) -> FloatArray:
        known = [(round(t.share * count), t.shape, t.scale) if t else (0.0, 0.0, 1.0) for t in tails]
        return np.ascontiguousarray(np.asarray(known, np.float64).reshape(factors, 3).T)

    ordered = np.sort(rows, axis=0).T.reshape(-1)
    return _Marginals(np.arange(factors + 1) * count, np.ascontiguousarray(ordered), side(law.lower), side(law.upper))


def spliced_rows(rows: FloatArray, law: JointLaw) -> FloatArray:
    """Residuals [row, factor] with those of the tails at the quantiles of their ranks; the body stays as it is."""
    if not any(law.lower) and not any(law.upper):
        return rows
    count, marginals = len(rows), _marginals(rows, law)
    rank = np.argsort(np.argsort(rows, axis=0, kind="stable"), axis=0)
    fitted = spliced_quantiles((rank.T + MIDDLE) / count, *marginals).T
    in_tail = (rank < marginals.low[0]) | (rank >= count - marginals.high[0])
    return np.where(in_tail, fitted, rows)


def drawn_rows(rows: FloatArray, factors: Sequence[str], law: JointLaw, *, draws: int, seed: int) -> FloatArray:
    """Residuals drawn from the law [draw, factor]; the same seed gives the same bits. What never moved stays still.

    No draw of a tail lies beyond where spliced rows end.
    """
    assert law.dependence is not None, "draws need a copula"
    named = law.dependence.factors
    uniforms = np.full((len(factors), draws), MIDDLE)
    if named:
        uniforms[[list(factors).index(name) for name in named]] = copula_of(law.dependence).simulate(draws, seed=seed)
    marginals, end = _marginals(rows, law), MIDDLE / len(rows)
    least, most = np.where(marginals.low[0] > 0.0, end, 0.0), np.where(marginals.high[0] > 0.0, 1.0 - end, 1.0)
    return spliced_quantiles(np.clip(uniforms, least[:, None], most[:, None]), *marginals).T


def copula_of(dependence: Dependence) -> EllipticalCopula | VineCopula:
    """The copula that was stored, ready to be simulated."""
    if dependence.copula == "vine":
        return VineCopula(document=dependence.vine, log_likelihood=math.nan, parameters=math.nan)
    degrees = dependence.degrees or (math.inf,)
    return grouped_t_copula(frozen(dependence.correlation.array), dependence.group, degrees)
