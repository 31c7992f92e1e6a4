"""A backtest as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from crossmargin.cli.backtesting import words
from crossmargin.cli.cards.verdicts import VERDICTS, verdict_rows, verdict_sentences
from crossmargin.cli.table_parts import Sheet, prose, table, warning
from crossmargin.validation.evidence.documents import BacktestReport

ABREAST: Final = 5  # models beside each other in a hundred columns


def backtest_tables(report: BacktestReport) -> RenderableType:
    """The challengers, the windows, the default by family, its targets, the scores and the frontier."""
    return Sheet(*_parts(report))


def _parts(report: BacktestReport) -> Iterator[RenderableType]:
    lead = report.models[0]
    head = f" Backtest of {lead.model}: {report.first[:10]} to {report.last[:10]}, horizon {report.horizon_days:g} d"
    yield Text(head, style="bold")
    yield prose(words.summary_sentences(report))
    yield from warning([*words.left_out_sentences(report), *words.out_of_measure_sentences(report)])
    yield table("Coverage", words.COVERED, words.covered_rows(report))
    yield table("Procyclicality and cost", words.MOVED, words.moved_rows(report))
    for first in range(0, len(report.models), ABREAST):
        shown = report.models[first : first + ABREAST]
        yield table("Coverage by window", words.window_columns(shown), words.window_rows(shown))
    parts = (*lead.periods, *lead.sides, *lead.families)
    yield table(f"{lead.model} by part", words.GROUPS, words.group_rows(parts))
    yield table("Targets", words.TARGETS, words.target_rows(report))
    for scores in report.scores:
        yield table(f"Scores of the tail, {scores.period}", words.SCORES, words.score_rows(scores))
    if report.adoption is not None:
        yield table("Where the predictive margin is used", VERDICTS, verdict_rows(report.adoption))
        yield prose(tuple(verdict_sentences(report.adoption)))
    if report.frontier:
        yield table("Frontier", words.FRONTIER, words.frontier_rows(report.frontier))
    yield prose(words.method_sentences(report))
