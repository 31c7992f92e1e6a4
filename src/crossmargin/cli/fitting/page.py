"""How a calibration fits, as one self-contained page."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import numpy as np
from scipy.stats import norm

from crossmargin.cli.fitting import plots
from crossmargin.cli.fitting.plots import Level, Whisker
from crossmargin.cli.fitting.tables import (
    RESIDUAL_COLUMNS,
    TAIL_COLUMNS,
    VOL_COLUMNS,
    remarks,
    residual_cells,
    tail_cells,
    vol_cells,
)
from crossmargin.cli.report.page_parts import Section, Tile, card, closing, figure, framed, grid, summary, table, tiles
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import Column, days, label_text, named, percent
from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.instant import YEAR_DAYS
from crossmargin.core.version import VERSION
from crossmargin.engine.diagnosis import SHORTFALL, Diagnosis, FactorDiagnosis
from crossmargin.scenarios.calibrating.calibrate import common_bars, unfiltered, variance_model
from crossmargin.scenarios.calibrating.calibration import Calibration
from crossmargin.scenarios.history import FactorHistory
from crossmargin.scenarios.statistics.volatility import filter_history

_PATH_NOTE: Final = (
    "A year, forecast before each bar. Across: what scenarios use, the long run and, above it, the stressed."
)
FACTORS_SHOWN: Final = 16  # with plots of their own; all of them are in the tables


def diagnosis_page(diagnosis: Diagnosis, calibration: Calibration, history: FactorHistory, *, model_hash: str) -> str:
    """Volatilities over time, residuals, tails, correlations and stability of a calibration to a history."""
    top = join((_header(diagnosis), tiles(_tiles(diagnosis)), summary(_words(diagnosis))))
    sections = [
        Section("volatility", "Volatility over time", _volatility(diagnosis, calibration, history)),
        Section("residuals", "What the filter leaves", _residuals(diagnosis, calibration)),
        Section("tails", "Tails and stability", _tails(diagnosis)),
        Section("correlation", "What moves together", _correlation(diagnosis)),
    ]
    entries = (
        ("Model", diagnosis.model),
        ("Model parameters", model_hash),
        ("History", calibration.history_hash),
        ("Code", f"Crossmargin {VERSION}"),
    )
    foot = closing(entries, "The same history and recipe give the same model, to the last bit.")
    return framed(f"{diagnosis.model} · calibration", top, sections, foot)


def _header(diagnosis: Diagnosis) -> Markup:
    when = (
        f"{diagnosis.source} · {named(diagnosis.rows, 'date')} from {diagnosis.first[:10]} to {diagnosis.last[:10]} · "
        f"horizon {days(diagnosis.horizon_days)}"
    )
    return element(
        "header",
        element("p", "Crossmargin · calibration", class_="kind"),
        element("h1", element("span", diagnosis.model)),
        element("p", when, class_="when"),
    )


def _tiles(diagnosis: Diagnosis) -> list[Tile]:
    proxied = sum(bool(f.proxied) for f in diagnosis.factors)
    memory = sum(f.squares_p_value < 0.01 for f in diagnosis.factors)
    return [
        Tile("Method", diagnosis.method.replace("_", " ")),
        Tile("Factors", f"{len(diagnosis.factors):,}", f"{proxied:,} filled from a proxy"),
        Tile("Dates", f"{diagnosis.rows:,}", "each a scenario of all factors together"),
        Tile("Memory left", f"{memory:,}", f"of {named(len(diagnosis.factors), 'factor')}, p below 1 %"),
    ]


def _words(diagnosis: Diagnosis) -> tuple[str, ...]:
    fattest = max(diagnosis.factors, key=lambda f: max(f.fall, f.rise))
    side, size = ("fall", fattest.fall) if fattest.fall >= fattest.rise else ("rise", fattest.rise)
    raised = [f for f in diagnosis.factors if f.used > f.now * 1.0001]
    every = named(len(diagnosis.factors), "factor")
    worst = f"its worst {percent(1.0 - SHORTFALL.level)} lie at {size:.2f} deviations on average"
    return (
        f"Scenarios use a volatility above that of now for {len(raised)} of {every}.",
        f"The fattest tail is the {side} of {fattest.factor}: {worst}, normal ones at {_normal_shortfall():.2f}.",
        *map(label_text, remarks(diagnosis)),
    )


def _normal_shortfall() -> float:
    """φ(z)/(1 − level), z the quantile of the level: the expected shortfall of a standard normal loss."""
    return float(norm.pdf(norm.ppf(SHORTFALL.level)) / (1.0 - SHORTFALL.level))


def _volatility(diagnosis: Diagnosis, calibration: Calibration, history: FactorHistory) -> Markup:
    close_ns, vol = volatility_paths(calibration, history)
    drawn = []
    for i, f in enumerate(diagnosis.factors[:FACTORS_SHOWN]):
        levels = (
            Level("now", f.now, ""),
            Level("long run", f.long_run),
            Level("stressed", f.stressed),
            Level("used", f.used, "held"),
        )
        draw = partial(plots.volatility_path, f.factor, close_ns, vol[:, i], levels)
        drawn.append(figure(f.factor, _PATH_NOTE, draw))
    made = table("Volatility a year, %", VOL_COLUMNS, [vol_cells(f) for f in diagnosis.factors])
    return join((grid(*drawn), card(made)))


def volatility_paths(calibration: Calibration, history: FactorHistory) -> tuple[IntArray, FloatArray]:
    """When each move ended [move], and the volatility that its filter had forecast for it, a year [move, factor]."""
    whole = common_bars(history)
    moves, year = whole.moves(), math.sqrt(YEAR_DAYS / calibration.bar_days)
    filters = tuple(fit.filter for fit in calibration.factors)
    forecast = np.sqrt(filter_history(variance_model(filters), moves).variance)
    path = np.where(unfiltered(filters), [fit.now for fit in calibration.factors], forecast)
    return whole.close_ns[1:], np.asarray(year * path)


def _residuals(diagnosis: Diagnosis, calibration: Calibration) -> Markup:
    rows, drawn = calibration.residuals.array, []
    for i, f in enumerate(diagnosis.factors[:FACTORS_SHOWN]):
        draw = partial(plots.normal_quantiles, f.factor, rows[f.proxied :, i])
        deviation = f"{f.residual_deviation:.2f} ± {f.residual_deviation_error:.2f}"
        note = f"Deviation {deviation}, excess kurtosis {f.excess_kurtosis:.1f}."
        drawn.append(figure(f.factor, note, draw))
    made = table("Residuals", RESIDUAL_COLUMNS, [residual_cells(f) for f in diagnosis.factors])
    note = "A residual is a move over the volatility forecast for it. Points off the line are tails a normal one lacks."
    return join((element("p", note, class_="note"), grid(*drawn), card(made)))


def _tails(diagnosis: Diagnosis) -> Markup:
    names = [f.factor for f in diagnosis.factors]
    tails = [(Whisker(f.fall, f.fall_error, "loss"), Whisker(f.rise, f.rise_error, "gain")) for f in diagnosis.factors]
    title = f"expected shortfall at {percent(SHORTFALL.level)}, in residuals"
    reference = Level(f"normal {_normal_shortfall():.2f}", _normal_shortfall())
    keys = (("loss", "falls"), ("gain", "rises"))
    left = figure(
        "Tails of the residuals",
        "Dots with two standard errors to either side.",
        partial(plots.whiskers, title, names, tails, reference, keys=keys),
    )
    halves = [(Whisker(f.halves_ratio, _ratio_error(f, diagnosis.rows), "initial"),) for f in diagnosis.factors]
    title = "deviation of the later half over that of the earlier"
    right = figure(
        "Stability",
        "A filter that suits the whole look-back leaves both halves alike: 1 within two standard errors.",
        partial(plots.whiskers, title, names, halves, Level("alike", 1.0)),
    )
    made = table("Tails of the residuals", TAIL_COLUMNS, [tail_cells(f) for f in diagnosis.factors])
    return join((grid(left, right), card(made)))


def _ratio_error(f: FactorDiagnosis, rows: int) -> float:
    """The standard error of the ratio of two deviations of half the residuals each, by the kurtosis found."""
    half = max((rows - f.proxied) / 2.0, 1.0)
    return f.halves_ratio * math.sqrt((2.0 + max(f.excess_kurtosis, 0.0)) / (2.0 * half))


def _correlation(diagnosis: Diagnosis) -> Markup:
    names = [f.factor for f in diagnosis.factors]
    columns = (Column("factor", words=True), *(Column(name) for name in names))
    cells = [[name, *(f"{x:.2f}" for x in row)] for name, row in zip(names, diagnosis.correlation, strict=True)]
    numbers = table("Correlations of residuals", columns, cells, shown=False)
    note = (
        "Of residuals over the look-back. Blue moves together, orange against; columns stand in the order of the rows."
    )
    draw = partial(plots.correlation_map, names, diagnosis.correlation)
    return grid(figure("Correlations", note, draw, numbers))
