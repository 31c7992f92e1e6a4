"""Marks as tables for a terminal, and their rows, which the page has too."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType

from crossmargin.cli.oracles.report import GateRow, MarkRow, MarksReport
from crossmargin.cli.table_parts import Sheet, prose, table, warning
from crossmargin.cli.wording import Column, level, moment, trimmed

_NUMBERS: Final = ("mid", "lo", "hi", "sigma", "families")
_WORDS: Final = ("state", "new risk", "liquidations", "peg", "worth")
MARK_COLUMNS: Final = (
    Column("asset", words=True),
    *map(Column, _NUMBERS),
    *(Column(name, words=True) for name in _WORDS),
)
GATE_COLUMNS: Final = (
    *(Column(name, words=True) for name in ("source", "family")),
    Column("price"),
    Column("age s"),
    Column("gate", words=True),
)


def mark_tables(report: MarksReport) -> RenderableType:
    """Marks with both clocks and pegs, then every source at its gate."""
    parts: list[RenderableType] = [table(f"Marks of {moment(report.as_of_ms)}", MARK_COLUMNS, mark_rows(report))]
    for one in report.assets:
        parts.append(table(f"{one.symbol}, {one.instance}", GATE_COLUMNS, gate_rows(one)))
        parts += [prose(said)] if (said := reasons(one)) else []
    parts += warning(report.refused)
    return Sheet(*parts, prose((*report.notes, f"Registry {report.registry_sha256[:16]}….")))


def mark_rows(report: MarksReport) -> list[list[str]]:
    """A row an asset."""
    rows = []
    for one in report.assets:
        figures = [_price(x) for x in (one.mid, one.lo, one.hi, one.sigma)]
        open_words = _price(one.new_risk) if one.may_open else f"blocked{_counted(one.new_risk)}"
        settled = _price(one.settled) if one.may_liquidate else "nobody"
        worth = "" if one.worth is None else f"{level(one.worth)} by {one.worth_by}"
        rows.append([one.symbol, *figures, str(one.families), one.state, open_words, settled, one.peg, worth])
    return rows


def gate_rows(one: MarkRow) -> list[list[str]]:
    """A row a source."""
    return [[g.source, g.family, _price(g.price), _age(g.age_s), _gate(g)] for g in one.gates]


def reasons(one: MarkRow) -> tuple[str, ...]:
    """Why an asset is marked as it is, in sentences."""
    said = dict.fromkeys((*one.reasons, *one.worth_reasons))
    return tuple(f"{reason[0].upper()}{reason[1:]}." for reason in said if reason)


def _gate(row: GateRow) -> str:
    return row.refused or ("an outlier: stops new risk, does not move the mark" if row.outlier else "passes")


def _counted(price: float | None) -> str:
    return "" if price is None else f", counts {level(price)}"


def _price(value: float | None) -> str:
    return "none" if value is None else level(value)


def _age(seconds: float | None) -> str:
    return "" if seconds is None else trimmed(f"{seconds:.1f}")
