"""Replays of oracles as tables for a terminal."""

from __future__ import annotations

from rich.console import RenderableType

from crossmargin.cli.oracles.words import OVERVIEW, asset_words, clock, figure, notes, overview, turning_points, verdict
from crossmargin.cli.table_parts import Row, Sheet, prose, table
from crossmargin.cli.wording import Column, level
from crossmargin.engine.oracles.document import ReplayDocument
from crossmargin.engine.oracles.reports import AssetReplay, OracleReplay

HEADS = ("market", "one source", "mark lo", "mark hi", "new risk", "settled", "credit")


def library_table(days: tuple[ReplayDocument, ...]) -> RenderableType:
    """Every day that ships."""
    columns = [Column(name, words=True) for name in ("id", "day", "assets", "must follow")]
    rows: list[Row] = [
        [day.id, f"{str(day.start)[:10]}, {day.label}", ", ".join(a.asset for a in day.assets), day.expected]
        for day in days
    ]
    return Sheet(table("Days to replay", columns, rows), prose(("Prices, sources and what is assumed: `--json`.",)))


def replay_tables(report: OracleReplay) -> RenderableType:
    """One table an asset, of the moments at which something changes, and what they come to."""
    parts: list[RenderableType] = [prose((f"{report.id}, {report.label}. {verdict(report)}",)), _overview(report)]
    for one in report.assets:
        parts += [_asset(one), prose(asset_words(one, report))]
    return Sheet(*parts, prose(notes(report)))


def _overview(report: OracleReplay) -> RenderableType:
    return table("What came of it", OVERVIEW, overview(report))


def _asset(one: AssetReplay) -> RenderableType:
    words = (
        Column("UTC", words=True),
        *map(Column, HEADS),
        *(Column(x, words=True) for x in ("peg", "account", "alone")),
    )
    place = one.sources.index(one.alone)
    rows: list[Row] = [
        [
            clock(s.time_ms)[5:],
            level(s.market),
            level(s.said[place]),
            figure(s.lo),
            figure(s.hi),
            figure(s.new_risk),
            figure(s.settled),
            level(s.credit),
            s.peg.lower(),
            s.status,
            s.alone,
        ]
        for s in turning_points(one)
    ]
    return table(f"{one.asset}, one source: {one.alone}", words, rows)
