"""What a statistical measure is an estimate of: its sample, its sampling error, and what the sample leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.engine.collateral_risk import inside_scenarios, with_collateral
from crossmargin.engine.margin import MarginResult
from crossmargin.engine.plan import Plan, moved_names, optioned, perpetual
from crossmargin.engine.reports import Proxied, Sampling
from crossmargin.instruments.table import InstrumentTable
from crossmargin.margin.scan import losses_with_orders, measure_of
from crossmargin.market.snapshot import Snapshot, factors_of
from crossmargin.measures.tail import estimate_tail
from crossmargin.portfolio.book import Mode
from crossmargin.scenarios.calibrating.calibration import Calibration
from crossmargin.scenarios.factors import PERPETUAL_KINDS

CELLS: Final = 4_000_000  # group × scenario whose losses are stored at once: 32 MB


def sampling(ready: Plan) -> Sampling | None:
    """What the measure of a plan reads; None for the worst case, which is no estimate."""
    measure, fitted = measure_of(ready.model.measure), ready.model.calibration
    if measure.kind == "worst":
        return None
    count, weight = ready.scenarios.regular, ready.terms.matrix.weight
    alike = not count or bool((weight == weight[0]).all())
    read = Sampling(
        measure=measure.kind,
        level=measure.level,
        scenarios=count,
        tail=measure.tail_count(count) if alike else None,
    )
    if fitted is None:
        return read
    own = np.asarray([family == fitted.method for family in ready.scenarios.families[:count]], bool)
    stressed = 1.0 - float(weight[own].sum() / weight.sum())
    return _of_calibration(read, fitted, stressed, _felt(ready.table, ready.snapshot))


def _of_calibration(read: Sampling, fitted: Calibration, stressed: float, felt: set[str]) -> Sampling:
    rows = len(fitted.close_ms)
    moved = {":".join(name.split(":")[:2]) for name in fitted.names}
    return msgspec.structs.replace(
        read,
        method=fitted.method,
        horizon_days=fitted.horizon_days,
        horizon_bars=fitted.horizon_bars,
        horizon_rule=fitted.horizon_rule,
        source=fitted.source,
        stressed_share=stressed,
        independent=read.scenarios / fitted.overlap,
        unmoved=tuple(sorted(felt - moved)),
        proxied=tuple(
            Proxied(factor=fit.factor, proxy=fit.proxy, beta=fit.proxy_beta, share=fit.proxied / rows)
            for fit in fitted.factors
            if fit.proxied
        ),
    )


def _felt(table: InstrumentTable, snapshot: Snapshot) -> set[str]:
    """The factors of a market that something in a table depends on."""
    names, assets = moved_names(table, snapshot)
    held = {snapshot.underlyings[name].factor for name in names} | {f"fwd:{name}" for name in names}
    held |= {f"{kind}:{name}" for kind in ("vol", "skew", "smile") for name in optioned(table) & names}
    held |= {f"{kind}:{name}" for kind in PERPETUAL_KINDS for name in perpetual(table) & names}
    held |= {f"peg:{asset}" for asset in assets} | {f"backing:{snapshot.assets[asset].backing}" for asset in assets}
    return {factor for factor in factors_of(snapshot) if factor in held or factor.startswith("rate:")}


class Tails(NamedTuple):
    """The greatest loss of each group [group], and the sampling error of its scan [group] (NaN where it is none)."""

    worst: FloatArray
    error: FloatArray


def tails(result: MarginResult) -> Tails:
    """The greatest loss of every group and the sampling error of its scan, USD; of groups by rule 0 and NaN.

    Under the worst case the loss is the scan. The error takes scenarios as independent draws, and of windows that
    overlap one for every bar they are long (`measures.tail`). It is NaN under the worst case and for columns of a grid.
    """
    scanned, ready = result.book.group_mode == Mode.PORTFOLIO, result.plan
    measure = measure_of(ready.model.measure)
    worst = np.where(scanned, result.groups.scan_loss, 0.0)
    error = np.full(len(worst), np.nan)
    if measure.kind == "worst" or not ready.scenarios.regular:
        return Tails(worst, error)
    for rows, losses in _losses(result, np.flatnonzero(scanned)):
        worst[rows] = np.maximum(losses.max(axis=1), 0.0)
        if (fitted := ready.model.calibration) is not None:
            weight = ready.terms.matrix.weight
            found = estimate_tail(-losses, measure.level, weight=weight, overlap=fitted.overlap)
            is_quantile = measure.kind == "value_at_risk"
            error[rows] = found.value_at_risk_error if is_quantile else found.expected_shortfall_error
    return Tails(worst, error)


def _losses(result: MarginResult, groups: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Groups and their losses [group, scenario] in blocks, with orders at their worst fill."""
    book, terms = result.book, result.plan.terms
    inside = inside_scenarios(book, result.plan)
    held = with_collateral(book, inside) if inside.any() else book.positions
    block = max(CELLS // result.plan.scenarios.regular, 1)
    for first in range(0, len(groups), block):
        rows = groups[first : first + block]
        chosen = held.select(rows), book.orders.select(rows)
        yield rows, losses_with_orders(*chosen, terms.matrix.regular, terms.exposure, terms.table)
