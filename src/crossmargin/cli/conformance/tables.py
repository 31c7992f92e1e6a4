"""Conformance packs as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from crossmargin.adapters.packs import Failure, PackResult
from crossmargin.cli.table_parts import Row, prose, table
from crossmargin.cli.wording import Column

_SHOWN = 50  # failures of one pack; --json has all of them


def pack_table(results: Sequence[PackResult]) -> RenderableType:
    """Cases passed and failed with the worst error, then every failure by case and field."""
    columns = (
        Column("pack", words=True),
        Column("cases"),
        Column("passed"),
        Column("failed"),
        Column("numbers"),
        Column("worst relative error"),
        Column("answered by", words=True),
    )
    rows: list[Row] = [
        [
            r.pack,
            f"{r.cases}",
            f"{r.passed}",
            f"{r.failed}",
            f"{r.numbers:,}",
            f"{r.worst_relative_error:.1e}",
            r.source,
        ]
        for r in results
    ]
    parts = [table("Conformance", columns, rows)]
    parts += [_failures(r) for r in results if r.failures]
    for r in results:
        more = len(r.failures) - _SHOWN
        parts += [prose((f"{r.pack}: {more} more failures; --json lists all.",))] if more > 0 else []
        own = f"{r.pack}: {r.own} of {r.cases} cases expect Crossmargin's own numbers, which shows no agreement."
        parts += [prose((own,))] if r.own else []
    return Group(*parts)


def _failures(result: PackResult) -> RenderableType:
    columns = (
        Column("case", words=True),
        Column("field", words=True),
        Column("expected"),
        Column("got"),
        Column("error"),
        Column("relative"),
    )
    return table(f"Failed in {result.pack}", columns, [_row(f) for f in result.failures[:_SHOWN]])


def _row(failure: Failure) -> Row:
    errors = (failure.error, failure.relative_error)
    shown = ["" if x is None else f"{x:.6g}" for x in errors]
    return [failure.case, failure.field, _stated(failure.expected), _stated(failure.got), *shown]


def _stated(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.12g}"
