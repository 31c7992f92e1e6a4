"""What the tables of the terminal are made of: columns that never cut a number, bars, shades and status words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from crossmargin.cli.sampling import sampling_notes
from crossmargin.cli.wording import Column, label_text, measure_words, moment, percent, printable, usd
from crossmargin.engine.reports import Provenance, Status

Row: TypeAlias = Sequence[str | Text]

BAR_WIDTH: Final = 18
STATUS_STYLE: Final[dict[Status, str]] = {
    "healthy": "bold green",
    "restricted": "bold yellow",
    "liquidation": "bold white on red",
}
_BLOCKS: Final = " ▏▎▍▌▋▊▉█"
_SHADES: Final = "░▒▓█"
_NOTHING: Final = 0.02  # of the largest cell: what is smaller gets no shade


class Sheet:
    """Tables one below the other; control characters in what comes from input never reach the terminal."""

    def __init__(self, *parts: RenderableType) -> None:
        self.parts = parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render each part, its text made printable."""
        for segment in console.render(Group(*self.parts), options):
            yield Segment(printable(segment.text), segment.style, segment.control)


def table(title: str, columns: Sequence[Column], rows: Iterable[Row], *, total: bool = False) -> RenderableType:
    """A quiet table under its title; with `total`, the last row stands under a line."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    made = Table(box=box.SIMPLE_HEAD, header_style="dim", padding=(0, 1, 0, 0))
    for i, column in enumerate(columns):
        if column.words:
            made.add_column(column.heading, justify="left", overflow="fold", min_width=4)
        else:
            width = max([len(column.heading), *(row[i].cell_len for row in cells)])
            made.add_column(column.heading, justify="right", no_wrap=True, min_width=width)
    for i, row in enumerate(cells):
        last = total and i == len(cells) - 1
        made.add_row(*row, style="bold" if last else "", end_section=total and i == len(cells) - 2)
    return Group(Text(f" {title}", style="bold"), made) if title else made


def _cell(cell: str | Text) -> Text:
    """Input is text, never markup: a name like `[red]` stays as it was written."""
    text = Text(cell) if isinstance(cell, str) else cell
    if text.plain.startswith("−") and not text.style:
        text.stylize("red")
    return text


def prose(sentences: Sequence[str]) -> RenderableType:
    """Sentences as one paragraph."""
    return Padding(Text(" ".join(sentences)), (0, 1, 1, 1))


def warning(sentences: Sequence[str]) -> Iterator[RenderableType]:
    """Sentences that must not be missed, where there are any."""
    if sentences:
        yield Padding(Text(" ".join(sentences), style="bold yellow"), (0, 1, 1, 1))


def status_text(status: Status) -> Text:
    """The status in its colour."""
    return Text(status, style=STATUS_STYLE[status])


def share(part: float, whole: float) -> str:
    """`part` in percent of `whole`, nothing where there is no whole."""
    return percent(part / whole) if whole else ""


def bar(value: float, largest: float, *, width: int = BAR_WIDTH) -> Text:
    """A bar in eighths of a character, as long as |value| of `largest`; red below zero."""
    eighths = round(8 * width * min(1.0, abs(value) / largest)) if largest else 0
    drawn = "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")
    return Text(drawn.ljust(width), style="red" if value < 0 else "cyan")


def delta(value: float) -> Text:
    """A difference in USD with its sign."""
    return Text(usd(value, plus=True))


def heat(pnl: float, largest: float) -> Text:
    """One cell of a risk array: the figure, and a shade for its size that also reads without colour."""
    depth = abs(pnl) / largest if largest else 0.0
    if depth < _NOTHING:
        return Text(f"{usd(pnl)}  ", style="dim")
    colour = "red" if pnl < 0 else "blue"
    return Text(f"{usd(pnl)} {_SHADES[min(3, int(4 * depth))]}", style=f"bold {colour}" if depth > 0.5 else colour)


def footer(provenance: Provenance) -> Iterator[RenderableType]:
    """Where the figures come from."""
    p = provenance
    hashes = (("market", p.snapshot_hash), ("scenarios", p.scenario_hash), ("book", p.book_hash))
    told = ", ".join(f"{name} {digest[:12]}" for name, digest in hashes)
    model = f"Model {label_text(p.model)} {p.model_hash[:12]}, {measure_words(p)}"
    said = f"As of {moment(p.as_of_ms)}. {model}; {told}. Crossmargin {p.version}."
    yield Padding(Text(" ".join((*sampling_notes(p.sampling), said)), style="dim"), (1, 1, 0, 1))
