"""How a calibration fits, as tables for a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from crossmargin.cli.table_parts import prose, table
from crossmargin.cli.wording import Column, label_text
from crossmargin.engine.diagnosis import Diagnosis, FactorDiagnosis
from crossmargin.scenarios.basis import alone, followed
from crossmargin.scenarios.statistics.tails import SHAPE_OF_MARGINS

# Dogecoin rose by 961 % within 24 hours of 2021-01-28: the most of ten listed coins, hourly closes 2020-01 to 2024-06.
RISE_ON_RECORD: Final = 9.61


def diagnosis_table(diagnosis: Diagnosis) -> RenderableType:
    """Volatilities, residuals and tails of each factor, and what was filled or stands out."""
    head = (
        f" {diagnosis.model}: {diagnosis.method}, {diagnosis.rows:,} dates from {diagnosis.first[:10]} to "
        f"{diagnosis.last[:10]}, horizon {diagnosis.horizon_days:g} d"
    )
    return Group(
        Text(head, style="bold"),
        table("Volatility a year, %", VOL_COLUMNS, [vol_cells(f) for f in diagnosis.factors]),
        table("Residuals", RESIDUAL_COLUMNS, [residual_cells(f) for f in diagnosis.factors]),
        table("Tails of the residuals", TAIL_COLUMNS, [tail_cells(f) for f in diagnosis.factors]),
        prose(remarks(diagnosis)),
    )


def _columns(*names: str) -> tuple[Column, ...]:
    return (Column("factor", words=True), *map(Column, names))


VOL_COLUMNS = _columns("moves", "now", "long run", "stressed", "used")
RESIDUAL_COLUMNS = _columns("deviation", "excess kurtosis", "memory p", "later/earlier")
TAIL_COLUMNS = _columns("fall ES 97.5 %", "rise ES 97.5 %", "fall ξ", "rise ξ")


def vol_cells(f: FactorDiagnosis) -> list[str]:
    """Volatilities of one factor, under `VOL_COLUMNS`."""
    return [f.factor, f"{f.observations:,}", *(f"{100.0 * x:.1f}" for x in (f.now, f.long_run, f.stressed, f.used))]


def residual_cells(f: FactorDiagnosis) -> list[str]:
    """The residuals of one factor, under `RESIDUAL_COLUMNS`."""
    return [
        f.factor,
        f"{f.residual_deviation:.2f} ± {f.residual_deviation_error:.2f}",
        label_text(f"{f.excess_kurtosis:.1f}"),
        f"{f.squares_p_value:.3f}",
        f"{f.halves_ratio:.2f}",
    ]


def tail_cells(f: FactorDiagnosis) -> list[str]:
    """The tails of one factor, under `TAIL_COLUMNS`."""
    return [
        f.factor,
        f"{f.fall:.2f} ± {f.fall_error:.2f}",
        f"{f.rise:.2f} ± {f.rise_error:.2f}",
        _with_error(f.fall_shape, f.fall_shape_error),
        _with_error(f.rise_shape, f.rise_shape_error),
    ]


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return "–"
    return label_text(f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f}")


def remarks(diagnosis: Diagnosis) -> tuple[str, ...]:
    """What was filled, what the filter leaves, and what else stands out."""
    said = [
        f"{f.factor}: {f.proxied:,} of {diagnosis.rows:,} dates filled from {f.proxy} at a beta of {f.proxy_beta:.2f}, "
        "with an own part drawn from the dates that are there."
        for f in diagnosis.factors
        if f.proxied
    ]
    memory = [f.factor for f in diagnosis.factors if f.squares_p_value < 0.01]
    if memory:
        said.append(f"The filter leaves memory in the squares of {', '.join(memory)} (p below 0.01).")
    said += [f"{f.factor}: the fit of the filter gave way: {f.reason}." for f in diagnosis.factors if f.reason]
    unfiltered = [f.factor for f in diagnosis.factors if not f.parameters]
    if 0 < len(unfiltered) < len(diagnosis.factors):
        said.append(f"Without a filter, at one volatility for the whole look-back: {', '.join(unfiltered)}.")
    for factor in alone(f.factor for f in diagnosis.factors):
        said.append(f"{factor} has no {followed(factor)} beside it: it gives no basis, and is a price of its own.")
    return (*said, *_tail_remarks(diagnosis), *_blend(diagnosis), *_joint(diagnosis))


def _tail_remarks(diagnosis: Diagnosis) -> list[str]:
    """Tails that were held, and columns that no price follows."""
    held = [
        f"{f.factor} ({side})"
        for f in diagnosis.factors
        for side, tail in (("falls", f.lower), ("rises", f.upper))
        if tail is not None and tail.shape_error is None and tail.shape > 0.0
    ]
    said = []
    if held:
        said.append(
            f"Tails held at a shape of {SHAPE_OF_MARGINS:g}, beyond which estimates of a shortfall have no variance: "
            f"{', '.join(held)}."
        )
    return said + [
        f"{f.factor}: a column multiplies it by {1.0 + f.rise_max:,.0f}, more than any day on record. The residual "
        "of a shock meets a volatility that has taken in a shock. Margins of short positions answer to it above all: "
        "look at them before you ask for them, or leave the factor out."
        for f in diagnosis.factors
        if f.rise_max is not None and f.rise_max > RISE_ON_RECORD
    ]


def _blend(diagnosis: Diagnosis) -> list[str]:
    """The families, where there are several."""
    if len(diagnosis.families) < 2:
        return []
    parts = ", ".join(f"{100.0 * f.share:.0f} % {f.name} ({f.columns:,} columns)" for f in diagnosis.families)
    when = f" The stressed stretch is {diagnosis.stretch}." if diagnosis.stretch else ""
    return [f"Columns by weight: {parts}.{when}"]


_METHODS = {
    "rank": "ranks (Kendall's τ)",
    "ledoit_wolf": "Ledoit and Wolf's shrinkage",
    "ewma": "exponential weights",
    "dcc": "dynamic conditional correlation",
}


def _joint(diagnosis: Diagnosis) -> list[str]:
    """The copula, and how its joint tails compare with what was seen."""
    found = diagnosis.copula
    if found is None or len(found.factors) < 2:
        return []
    errors = [f" ± {e:.1f}" if e is not None else ", at its limit" for e in found.degrees_error]
    degrees = ", ".join(f"{nu:.1f}{e}" for nu, e in zip(found.degrees, errors, strict=True))
    nature = f" with {degrees} degrees of freedom" if degrees else ""
    repair = f", repaired by up to {found.repair_max:.3f}" if found.repair_max else ""
    shrunk = f", shrunk by {100.0 * found.shrinkage:.1f} %" if found.shrinkage else ""
    pairs = [(i, j) for i in range(len(found.factors)) for j in range(i)]
    seen, drawn = (sum(rows[i][j] for i, j in pairs) / len(pairs) for rows in (found.seen_falls, found.drawn_falls))
    joint = (
        f"Given a fall beyond {100.0 * found.level:.0f} % of one factor, another falls as far {100.0 * seen:.0f} % of "
        f"the time among the residuals, {100.0 * drawn:.0f} % among the draws (mean of all pairs)."
    )
    return [f"Copula: {found.copula}{nature}; correlation by {_METHODS[found.method]}{shrunk}{repair}.", joint]
