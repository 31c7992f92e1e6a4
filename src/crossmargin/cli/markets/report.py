"""How good a fitted chain is, and what a market holds, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from crossmargin.cli.table_parts import Row, prose, table
from crossmargin.cli.wording import Column, compact, named, percent, price
from crossmargin.core.instant import YEAR_DAYS, YEAR_NS, format_instant
from crossmargin.market.arbitrage import examine
from crossmargin.market.fit import FittedChain
from crossmargin.market.integrity import FitError, IntegrityReport, Quarantined
from crossmargin.market.snapshot import Snapshot, Underlying

QUARANTINED_SHOWN: Final = 12
NONE: Final = "–"


def chain_line(chain: FittedChain) -> str:
    """One fitted chain in one line: its time, its size, its error, and what it cost to take arbitrage out."""
    report, error = chain.report, chain.report.total
    parts = (
        f"{format_instant(chain.time_ns)} {chain.underlying:<9}",
        f"{report.quotes:>5} quotes {len(report.expiries):>3} expiries",
        f"vol error {_points(error.median_points)} median {_points(error.p90_points)} p90",
        f"inside {_share(error.inside_share):>7}",
        f"left out {len(report.quarantined):>3}",
        f"arbitrage before {report.butterfly_before}+{report.calendar_before}, after 0",
    )
    return "  ".join(parts)


def survey_line(errors: Sequence[FitError], refused: int) -> str:
    """Many fitted chains in one line: the middle and the worst of each figure."""
    median = [e.median_points for e in errors if e.median_points is not None]
    p90 = [e.p90_points for e in errors if e.p90_points is not None]
    inside = [e.inside_share for e in errors if e.inside_share is not None]
    parts = [f"{named(len(errors), 'chain')} fitted, {refused} refused"]
    if median and p90:
        parts.append(f"vol error {float(np.median(median)):.3f} median (worst {max(median):.3f})")
        parts.append(f"{float(np.median(p90)):.3f} p90 (worst {max(p90):.3f})")
    if inside:
        parts.append(f"inside {percent(float(np.median(inside)))} (least {percent(min(inside))})")
    return ", ".join(parts)


def chain_report(chain: FittedChain) -> RenderableType:
    """One fitted chain: each expiry, each quote left out and why, parity, arbitrage."""
    report = chain.report
    title = f"{chain.underlying} at {format_instant(chain.time_ns)}, spot {price(chain.spot)}"
    return Group(Rule(Text(title, style="bold"), align="left"), prose(summary_lines(report)), *_tables(report))


def summary_lines(report: IntegrityReport) -> list[str]:
    """How far the fit can be trusted, in sentences."""
    total = report.total
    median, p90 = _points(total.median_points), _points(total.p90_points)
    lines = [f"{named(report.quotes, 'quote')}, {len(report.expiries)} expiries."]
    lines.append(f"For |delta| of 0.1 to 0.9 beyond a day, the fit is off the marks by {median} vol points (median)")
    lines.append(f"and {p90} (90th percentile), and inside bid and ask for {_share(total.inside_share)} of")
    lines.append(f"{named(total.two_sided, 'two-sided quote')}.")
    lines.append(f"Fitted one by one, {named(report.butterfly_before, 'smile')} admitted butterfly arbitrage and")
    lines.append(
        f"{report.calendar_before} calendar arbitrage; the surface admits none (least g {report.density_min:.3g},"
    )
    lines.append(f"least growth of total variance {report.growth_min:.3g}).")
    if report.violations:
        worst = max(report.violations, key=lambda v: abs(v.gap_bps))
        lines.append(
            f"{named(len(report.violations), 'pair')} of call and put break parity, by {worst.gap_bps:.1f} bps at most."
        )
    if report.dropped:
        lines.append(f"Left out for want of quotes: {', '.join(report.dropped)}.")
    return lines + [f"{note}." for note in report.notes]


def _tables(report: IntegrityReport) -> Iterator[RenderableType]:
    yield table("Expiries; errors and repairs in vol points, * from the shape of the others", *expiry_rows(report))
    left_out = report.quarantined
    if left_out:
        counts = Counter(q.reason for q in left_out)
        told = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
        more = f"; the first {QUARANTINED_SHOWN}" if len(left_out) > QUARANTINED_SHOWN else ""
        yield table(f"Left out of the fit: {told}{more}", *quarantine_rows(left_out[:QUARANTINED_SHOWN]))


def expiry_rows(report: IntegrityReport) -> tuple[tuple[Column, ...], list[list[str]]]:
    """Each expiry: its forward and who settled it, its points, and its error."""
    headings = ("days", "forward", "pairs", "points", "error median", "p90", "inside", "repair")
    columns = (Column("expiry", words=True), Column("forward from", words=True), *map(Column, headings))
    rows = [
        [
            e.expiry,
            e.forward_source,
            f"{e.tenor_years * YEAR_DAYS:.1f}",
            price(e.forward),
            str(e.pairs),
            str(e.points) + ("" if e.method == "svi" else "*"),
            *_error(e.error),
            f"{e.repair_points:.2f}",
        ]
        for e in report.expiries
    ]
    return columns, rows


def quarantine_rows(left_out: Sequence[Quarantined]) -> tuple[tuple[Column, ...], list[list[str]]]:
    """Each quote that took no part, and why."""
    words = tuple(Column(word, words=True) for word in ("quote", "why", "what"))
    rows = [[q.instrument, q.reason, q.measure, f"{q.value:.6g}", f"{q.limit:.6g}"] for q in left_out]
    return (*words, Column("is"), Column("limit")), rows


def _error(error: FitError) -> list[str]:
    return [_points(error.median_points), _points(error.p90_points), _share(error.inside_share)]


def _points(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return NONE if value is None else percent(value)


def check_report(snapshot: Snapshot) -> RenderableType:
    """What a market holds, and how far its surfaces are from arbitrage (g and growth of variance, both at least 0)."""
    words = (Column("underlying", words=True), Column("class", words=True))
    headings = ("price", "volume USD", "forwards", "smiles", "days", "least g", "least growth")
    underlyings = [_underlying_row(u, snapshot) for u in snapshot.underlyings.values()]
    assets: list[Row] = [
        [a.name, a.reference, a.issuer or NONE, a.backing or NONE, f"{snapshot.asset_price(a.name):,.6g}"]
        for a in snapshot.assets.values()
    ]
    asset_columns = (*(Column(w, words=True) for w in ("asset", "of", "issuer", "backing")), Column("USD"))
    origin = f"Source: {snapshot.source.rstrip('.')}." if snapshot.source else "It names no source."
    others = [f"Rates of {', '.join(snapshot.rates) or 'no currency'}; {named(len(snapshot.marks), 'mark')}."]
    alone = [name for name in snapshot.underlyings if name not in snapshot.correlation_names]
    if alone and len(snapshot.underlyings) > 1:
        others.append(f"No correlations of {', '.join(alone)}: books that hold them beside others cannot be margined.")
    return Group(
        Rule(Text(f"Market at {format_instant(snapshot.time_ns)}", style="bold"), align="left"),
        prose([f"Hash {snapshot.hash}.", origin]),
        table("Underlyings", (*words, *map(Column, headings)), underlyings),
        table("Assets", asset_columns, assets),
        prose(others),
    )


def _underlying_row(u: Underlying, snapshot: Snapshot) -> Row:
    volume = "missing" if u.liquidity is None else compact(u.liquidity.adv_usd)
    figures = [price(u.spot), volume, str(len(u.curve.expiry_ns))]
    if u.surface is None:
        return [u.name, u.risk_class, *figures, *[NONE] * 4]
    days = (u.surface.expiry_ns - snapshot.time_ns) / YEAR_NS * YEAR_DAYS
    figures += [str(len(days)), f"{days[0]:.1f} to {days[-1]:.0f}"]
    if not u.surface.lognormal:
        return [u.name, u.risk_class, *figures, NONE, NONE]
    found = examine(u.surface.params)
    least = [f"{float(np.min(x)):.3g}" for x in (found.density_min, found.growth_min)]
    return [u.name, u.risk_class, *figures, *least]
