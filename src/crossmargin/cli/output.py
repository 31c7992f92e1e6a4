"""Where reports go: a terminal, a pipe, a page; and the bar that shows how far a long run is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from crossmargin.adapters.writing import replacing

if TYPE_CHECKING:
    from rich.console import RenderableType

    from crossmargin.engine.plan import Progress

T = TypeVar("T")
PIPE_COLUMNS: Final = 120


def print_report(report: T, *, as_json: bool, tables: Callable[[T], RenderableType]) -> None:
    """Print a report as `tables` makes it, or as JSON; a pipe gets lines of `PIPE_COLUMNS` unless COLUMNS is set."""
    if as_json:
        print_json(report)
        return
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    Console(width=width).print(tables(report))


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def enter_text(files: ExitStack, path: Path, text: str) -> None:
    """Write a file that takes its place when `files` ends without an error."""
    files.enter_context(replacing(path)).write_text(text, encoding="utf-8")


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on a terminal's stderr, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def tell(label: str, done: int, total: int) -> None:
            bar.update(task, description=label, completed=done, total=total or None)

        yield tell
