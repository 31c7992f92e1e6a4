"""How a calibration fits, as tables for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from crossmargin.cli.table_parts import Row, prose, table
from crossmargin.cli.wording import Column
from crossmargin.engine.diagnosis import Diagnosis, FactorDiagnosis


def diagnosis_table(diagnosis: Diagnosis) -> RenderableType:
    """Volatilities, residuals and tails of each factor, and what was filled or stands out."""
    head = (
        f" {diagnosis.model}: {diagnosis.method}, {diagnosis.rows:,} dates from {diagnosis.first[:10]} to "
        f"{diagnosis.last[:10]}, horizon {diagnosis.horizon_days:g} d"
    )
    return Group(
        Text(head, style="bold"),
        table("Volatility a year, %", _VOL_COLUMNS, [_vols(f) for f in diagnosis.factors]),
        table("Residuals", _RESIDUAL_COLUMNS, [_residuals(f) for f in diagnosis.factors]),
        prose(_remarks(diagnosis)),
    )


_VOL_COLUMNS = tuple(
    Column(name, words=name == "factor") for name in ("factor", "moves", "now", "long run", "stressed", "used")
)
_RESIDUAL_COLUMNS = tuple(
    Column(name, words=name == "factor")
    for name in (
        "factor",
        "deviation",
        "kurtosis",
        "memory p",
        "later/earlier",
        "fall ES",
        "rise ES",
        "fall ξ",
        "rise ξ",
    )
)


def _vols(f: FactorDiagnosis) -> Row:
    return [f.factor, f"{f.observations:,}", *(f"{100.0 * x:.1f}" for x in (f.now, f.long_run, f.stressed, f.used))]


def _residuals(f: FactorDiagnosis) -> Row:
    return [
        f.factor,
        f"{f.residual_deviation:.2f} ± {f.residual_deviation_error:.2f}",
        f"{f.excess_kurtosis:.1f}",
        f"{f.squares_p_value:.3f}",
        f"{f.halves_ratio:.2f}",
        f"{f.fall:.2f} ± {f.fall_error:.2f}",
        f"{f.rise:.2f} ± {f.rise_error:.2f}",
        f"{f.fall_shape:.2f} ± {f.fall_shape_error:.2f}",
        f"{f.rise_shape:.2f} ± {f.rise_shape_error:.2f}",
    ]


def _remarks(diagnosis: Diagnosis) -> tuple[str, ...]:
    said = [
        f"{f.factor}: {f.proxied:,} of {diagnosis.rows:,} dates filled from {f.proxy} at a beta of {f.proxy_beta:.2f}, "
        "with an own part drawn from the dates that are there"
        for f in diagnosis.factors
        if f.proxied
    ]
    memory = [f.factor for f in diagnosis.factors if f.squares_p_value < 0.01]
    if memory:
        said.append(f"The filter leaves memory in the squares of {', '.join(memory)} (p below 0.01).")
    return tuple(said)
