"""Forecasts and reverse stress as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.rule import Rule
from rich.text import Text

from crossmargin.cli.outlook.predicted import LEVEL_COLUMNS, LOSS_COLUMNS, learnt_words, level_cells, loss_cells
from crossmargin.cli.outlook.words import forecast_words, odds, reverse_words, shock_words
from crossmargin.cli.table_parts import Row, Sheet, bar, footer, prose, table
from crossmargin.cli.wording import Column, days, percent, usd
from crossmargin.engine.outlook.forecast import ForecastReport
from crossmargin.engine.outlook.reverse import ReverseLine, ReverseReport

POSITIONS_SHOWN: Final = 10


def forecast_tables(report: ForecastReport) -> RenderableType:
    """Quantiles of requirement and excess, chances, and what to post."""
    columns = (Column("probability"), Column("initial USD"), Column("excess USD"))
    rows: list[Row] = [[percent(q.level), usd(q.initial_usd), usd(q.excess_usd)] for q in report.quantiles]
    rows.append(["now", usd(report.initial_usd), usd(report.equity_usd - report.initial_usd)])
    posted: list[Row] = [[percent(p.chance), usd(p.amount_usd)] for p in (report.answer or report).postings]
    return Sheet(
        Rule(Text.assemble((report.account, "bold"), f" in {days(report.horizon_days)}"), align="left"),
        prose(forecast_words(report)),
        table("Not above, with this probability", columns, rows, total=True),
        table("To post now, USD", (Column("for a chance of a call of"), Column("cash USD")), posted),
        *_predicted(report),
        *footer(report.provenance),
    )


def _predicted(report: ForecastReport) -> Iterator[RenderableType]:
    """The predictor's figures beside the filter's."""
    said = report.foretold
    if said is None:
        return
    rows: list[Row] = [*loss_cells(said)]
    yield table(f"Loss passed with a chance of {percent(said.rate)}", LOSS_COLUMNS, rows)
    if said.levels:
        learnt: list[Row] = [*level_cells(said)]
        yield table("Requirement to come, as it was learnt", LEVEL_COLUMNS, learnt)
    yield prose((learnt_words(said),))


def reverse_tables(report: ReverseReport) -> RenderableType:
    """What each target takes: distance, chances, moves by factor, and who loses."""
    reached = [line for line in report.lines if line.moves]
    return Sheet(
        Rule(Text.assemble("What would exhaust ", (report.account, "bold")), align="left"),
        prose(reverse_words(report)),
        _distances(report),
        *_moves(reached),
        *(part for line in reached[:1] for part in _losers(line)),
        *footer(report.provenance),
    )


def _distances(report: ReverseReport) -> RenderableType:
    with_past = any(line.past is not None for line in report.lines)
    headings = ("USD", "deviations", "chance if normal", *(("moved as far", "lost as much") if with_past else ()))
    columns = (Column("what it costs", words=True), *map(Column, headings))
    return table("How far it is", columns, [distance_cells(line, report, with_past=with_past) for line in report.lines])


def distance_cells(line: ReverseLine, report: ReverseReport, *, with_past: bool) -> list[str]:
    """One target: its size, its distance and its chances, blank where no move in reach costs it."""
    if line.deviations is None or line.probability is None:
        return [line.exhausts, usd(line.target_usd), f"over {report.farthest:g}", *[""] * (3 if with_past else 1)]
    cells = [line.exhausts, usd(line.target_usd), f"{line.deviations:.1f}", odds(line.probability)]
    if with_past and line.past is not None:
        cells += [f"{n:,} of {line.past.scenarios:,}" for n in (line.past.as_far, line.past.lost)]
    return cells + [""] * ((6 if with_past else 4) - len(cells))


def _moves(reached: list[ReverseLine]) -> Iterator[RenderableType]:
    for line in reached:
        largest = max(abs(m.deviations) for m in line.moves)
        rows: list[Row] = [
            [m.factor, shock_words(m), f"{m.deviations:+.1f}".replace("-", "−"), bar(m.deviations, largest)]
            for m in line.moves
        ]
        columns = (Column("factor", words=True), Column("move"), Column("own deviations"), Column("", words=True))
        yield table(f"The move that costs the {line.exhausts}", columns, rows)


def _losers(line: ReverseLine) -> Iterator[RenderableType]:
    shown = line.positions[:POSITIONS_SHOWN]
    rows: list[Row] = [[p.instrument, usd(p.pnl_usd)] for p in shown]
    more = f" (the {len(shown)} worst of {len(line.positions)})" if len(shown) < len(line.positions) else ""
    columns = (Column("position or holding", words=True), Column("P&L USD"))
    yield table(f"Who loses in the move that costs the {line.exhausts}{more}", columns, rows)
