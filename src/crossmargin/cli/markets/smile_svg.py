"""Pictures of a fitted chain: each smile over its quotes, total variance of all expiries, and the surface as a map.

Pure functions from a `FittedChain` to SVG text that stands alone: colours fall back to fixed ones outside a page.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import numpy as np

from crossmargin.cli.report.svg import (
    LINE,
    Markup,
    Scale,
    chart,
    element,
    fitted,
    join,
    label,
    line,
    number,
    path,
    ticks,
)
from crossmargin.cli.wording import compact, percent
from crossmargin.core.arrays import FloatArray
from crossmargin.core.instant import YEAR_DAYS, format_expiry_code
from crossmargin.market.fit import FittedChain
from crossmargin.market.integrity import ExpiryReport
from crossmargin.market.svi import total_variance

_STYLE: Final = """
svg.chart { background: var(--card, #fff); font: 12px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
svg .smile-text { fill: var(--ink, #1b2330); } svg .smile-tick { fill: var(--muted, #5a6474); font-size: 11px; }
svg .smile-title { fill: var(--ink, #1b2330); font-weight: 650; }
svg .smile-grid { stroke: var(--grid, #e6e8ec); stroke-width: 1; }
svg .smile-money { stroke: var(--muted, #5a6474); stroke-width: 1; stroke-dasharray: 2 3; }
svg .smile-curve { fill: none; stroke: var(--ink, #1b2330); stroke-width: 1.6; stroke-linejoin: round; }
svg .smile-quote { stroke: var(--gain, #2a6fb0); stroke-width: 3; stroke-opacity: .38; }
svg .smile-mark { fill: var(--loss, #c2500f); }
svg .smile-line { fill: none; stroke: var(--initial, #1f5f99); stroke-width: 1.6; }
svg .smile-cell { fill: var(--initial, #1f5f99); }
"""
_REACH: Final = 3.2  # Standard deviations to each side: beyond it options cost less than a tick.
_STRIKE_SHARES: Final = (0.33, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
_PANEL_HEIGHT: Final = 190.0
_HEADER: Final = 46.0


def smile_chart(chain: FittedChain, width: float = 1180.0, *, columns: int = 4) -> Markup:
    """One panel for each expiry: bid to ask as bars, marks as dots, the fitted smile as a line; axes in strikes."""
    step = width / columns
    parts = [_style(), _header(chain, width)]
    for i, report in enumerate(chain.report.expiries):
        left, top = step * (i % columns), _HEADER + _PANEL_HEIGHT * (i // columns)
        parts.append(_panel(chain, i, report, left, top, step))
    height = _HEADER + _PANEL_HEIGHT * math.ceil(len(chain.expiry_ns) / columns)
    return chart(f"Smiles of {chain.underlying} over their quotes", width, height, *parts)


def variance_chart(chain: FittedChain, width: float = 760.0, height: float = 420.0) -> Markup:
    """√w of every expiry over log-moneyness, in one plot: lines that cross would be calendar arbitrage."""
    k = np.linspace(-1.2, 1.2, 161)
    rows = np.sqrt(total_variance(k, chain.svi[:, None, :]))
    up = Scale(0.0, float(rows.max()) * 1.05, height - 3 * LINE, 40.0)
    across = Scale(float(k[0]), float(k[-1]), 52.0, width - 84.0)
    parts = [_style(), label(8.0, 20.0, f"{chain.underlying}: total volatility √w by expiry", class_="smile-title")]
    parts.append(_vertical_axis(up, across))
    for share in _STRIKE_SHARES:
        x = across(math.log(share))
        parts.append(line(x, up.end, x, up.start, "smile-money" if share == 1.0 else "smile-grid"))
        parts.append(label(x, up.start + LINE, percent(share), anchor="middle", class_="smile-tick"))
    middle = 0.5 * (across.start + across.end)
    parts.append(label(middle, up.start + 2 * LINE, "strike / forward", anchor="middle", class_="smile-tick"))
    parts += [path(_polyline(k, row, across, up), "smile-line") for row in rows]
    parts.append(_end_labels(chain, rows[:, -1], across, up))
    return chart(f"Total volatility of {chain.underlying} by expiry", width, height, *parts)


def surface_chart(chain: FittedChain, width: float = 760.0) -> Markup:
    """The surface as a map: a row for each expiry, a column for each half standard deviation, vols in the cells."""
    deviations = np.linspace(-2.5, 2.5, 11)
    k = np.sqrt(total_variance(np.zeros(1), chain.svi))[:, None] * deviations
    vols = np.sqrt(total_variance(k, chain.svi[:, None, :]) / chain.tenor_years[:, None])
    low, high = float(vols.min()), float(vols.max())
    left, top, cell = 86.0, 62.0, 24.0
    step = (width - left - 8.0) / deviations.size
    parts = [_style(), label(8.0, 20.0, f"{chain.underlying}: implied volatility", class_="smile-title")]
    for j, deviation in enumerate(deviations):
        words = "forward" if deviation == 0.0 else f"{deviation:+g} sd".replace("-", "−")
        parts.append(label(left + step * (j + 0.5), top - 8.0, words, anchor="middle", class_="smile-tick"))
    for i, row in enumerate(vols):
        y = top + cell * i
        parts.append(label(left - 8.0, y + 16.0, _date(chain, i), anchor="end", class_="smile-text"))
        for j, vol in enumerate(row):
            shade = 0.04 + 0.5 * (float(vol) - low) / ((high - low) or 1.0)
            words = f"{100.0 * vol:.1f}"
            parts.append(_cell(left + step * j, y, step - 1.0, cell - 1.0, shade, words))
    parts.append(label(left, 38.0, "percent a year; columns are moves in standard deviations", class_="smile-tick"))
    height = top + cell * len(vols) + 8.0
    return chart(f"Implied volatility of {chain.underlying} by expiry and move", width, height, *parts)


def _style() -> Markup:
    return element("style", Markup(_STYLE))


def _date(chain: FittedChain, i: int) -> str:
    return format_expiry_code(int(chain.expiry_ns[i]))


def _header(chain: FittedChain, width: float) -> Markup:
    total = chain.report.total
    words = f"{chain.underlying}: fitted smiles over quoted volatilities"
    if total.median_points is not None and total.p90_points is not None:
        words += f" · error {total.median_points:.2f} points median, {total.p90_points:.2f} at the 90th percentile"
    if total.inside_share is not None:
        words += f" · {percent(total.inside_share)} of prices inside bid and ask"
    key = [
        element("rect", x=8.0, y=28.0, width=3.0, height=10.0, class_="smile-cell", fill_opacity=".38"),
        label(16.0, 37.0, "bid to ask", class_="smile-tick"),
        element("circle", cx=84.0, cy=33.0, r=2.2, class_="smile-mark"),
        label(91.0, 37.0, "mark", class_="smile-tick"),
        line(128.0, 33.0, 146.0, 33.0, "smile-curve"),
        label(151.0, 37.0, "fit without arbitrage; strikes across, percent a year up", class_="smile-tick"),
    ]
    return join([label(8.0, 18.0, fitted(words, width - 16.0), class_="smile-title"), *key])


def _panel(chain: FittedChain, i: int, report: ExpiryReport, left: float, top: float, width: float) -> Markup:
    tau, params = float(chain.tenor_years[i]), chain.svi[i]
    rows = slice(int(chain.points.start[i]), int(chain.points.start[i + 1]))
    sd = math.sqrt(float(total_variance(np.zeros(1), params)[0]))
    k = np.linspace(-_REACH * sd, _REACH * sd, 81)
    near = np.abs(chain.points.k[rows]) <= _REACH * sd
    points_k, mark = chain.points.k[rows][near], chain.points.mark[rows][near]
    low, high = chain.points.low[rows][near], chain.points.high[rows][near]
    vols = np.sqrt(total_variance(k, params) / tau)
    up = _room(np.concatenate([vols, mark]), top + _PANEL_HEIGHT - 26.0, top + 24.0)
    across = Scale(-_REACH * sd, _REACH * sd, left + 44.0, left + width - 10.0)
    parts = [_vertical_axis(up, across), line(across(0.0), up.end, across(0.0), up.start, "smile-money")]
    for x, a, b in zip(points_k, low, high, strict=True):
        if a > 0.0 and math.isfinite(b):
            parts.append(line(across(x), up.clipped(a), across(x), up.clipped(b), "smile-quote"))
    parts.append(path(_polyline(k, vols, across, up), "smile-curve"))
    parts += [
        element("circle", cx=across(float(x)), cy=up(float(v)), r=1.8, class_="smile-mark")
        for x, v in zip(points_k, mark, strict=True)
    ]
    parts.append(label(left + 8.0, top + 14.0, _caption(report, _date(chain, i)), class_="smile-title"))
    parts.append(_strikes(float(chain.forward[i]), sd, across, up))
    return join(parts)


def _caption(report: ExpiryReport, date: str) -> str:
    error = report.error.median_points
    words = f"{date} · {report.tenor_years * YEAR_DAYS:.3g} d"
    return words if error is None else f"{words} · {error:.2f} pt"


def _room(values: FloatArray, start: float, end: float) -> Scale:
    """A scale over the values with a margin; not the quotes, whose widest would flatten all else."""
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * ((high - low) or high)
    return Scale(low - margin, high + margin, start, end)


def _vertical_axis(up: Scale, across: Scale) -> Markup:
    parts = []
    for value in ticks(up.low, up.high, 4):
        parts.append(line(across.start, up(value), across.end, up(value), "smile-grid"))
        words = f"{100.0 * value:g}"
        parts.append(label(across.start - 6.0, up(value) + 4.0, words, anchor="end", class_="smile-tick"))
    return join(parts)


def _strikes(forward: float, sd: float, across: Scale, up: Scale) -> Markup:
    parts = []
    for deviation in (-2.5, 0.0, 2.5):
        words = compact(forward * math.exp(deviation * sd))
        parts.append(label(across(deviation * sd), up.start + 14.0, words, anchor="middle", class_="smile-tick"))
    return join(parts)


def _polyline(x: FloatArray, y: FloatArray, across: Scale, up: Scale) -> list[tuple[float, float]]:
    return [(across(float(a)), up(float(b))) for a, b in zip(x, y, strict=True)]


def _end_labels(chain: FittedChain, ends: FloatArray, across: Scale, up: Scale) -> Markup:
    """Dates at the right ends of the lines; those that would overlap give way to the later one."""
    heights = [up(float(v)) for v in ends]
    shown = [i for i, (y, later) in enumerate(pairwise(heights)) if y - later >= 12.0] + [len(heights) - 1]
    return join(label(across.end + 6.0, heights[i] + 4.0, _date(chain, i), class_="smile-tick") for i in shown)


def _cell(x: float, y: float, width: float, height: float, shade: float, words: str) -> Markup:
    box = element("rect", x=x, y=y, width=width, height=height, class_="smile-cell", fill_opacity=number(shade))
    return join([box, label(x + 0.5 * width, y + 16.0, words, anchor="middle", class_="smile-text")])
