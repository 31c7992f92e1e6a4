"""Marks and axes: pure functions from numbers to SVG text.

Text is escaped unless it is `Markup` already, so that what comes from input can never become a tag. Colours are
classes of `page.css`; no drawing states one, so that light, dark and print need no second drawing.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from crossmargin.cli.wording import compact, level, percent, printable

EM: Final = 12.0
GLYPH: Final = 0.58  # of the font size: the mean width of a glyph in common sans-serif faces, rounded up
LINE: Final = 15.0
NARROW: Final = 360.0
WIDE: Final = 620.0
_WIDE_FROM: Final = 480.0


class Markup(str):
    """Text that is markup already, and is not escaped again."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """Text made safe for elements and attributes, control characters visible; markup as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(printable(text), quote=True))


def join(parts: Iterable[str]) -> Markup:
    """Parts one after the other, those that are not markup escaped."""
    return Markup("".join(map(escape, parts)))


def element(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """`<tag …>children</tag>`; `class_` and `stroke_width` become `class` and `stroke-width`, None is left out.

    >>> element("text", "a < b", x=1.50, class_="tick")
    '<text x="1.5" class="tick">a &lt; b</text>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{tag}{written}>{join(children)}</{tag}>")


def _attribute(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """A coordinate in hundredths of a pixel."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def chart(title: str, width: float, height: float, *children: str) -> Markup:
    """A drawing with a name for those who do not see it."""
    return element(
        "svg",
        element("title", title),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=title,
        class_="chart",
    )


def is_wide(width: float) -> bool:
    """Whether labels fit beside the marks."""
    return width >= _WIDE_FROM


def text_width(text: str, *, size: float = EM) -> float:
    """About how wide a text is, in pixels."""
    return GLYPH * size * len(text)


def fitted(text: str, room: float, *, size: float = EM) -> str:
    """A text cut to the room it has.

    >>> fitted("BTC-27MAR26-60000-P.DERIBIT", 100.0)
    'BTC-27MAR26-6…'
    """
    count = max(1, int(room / (GLYPH * size)))
    return text if len(text) <= count else f"{text[: count - 1]}…"


def label(
    x: float, y: float, text: str, *, anchor: str = "start", class_: str | None = None, full: str | None = None
) -> Markup:
    """Text at a baseline; `full` is shown on hover where the text had to be cut."""
    hover = (element("title", full),) if full is not None and full != text else ()
    return element("text", text, *hover, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def bar(start: float, end: float, y: float, height: float, class_: str, *, tip: str | None = None) -> Markup:
    """A bar from `start` to `end` whichever is further left; at least a hair wide, so that it is seen."""
    hover = (element("title", tip),) if tip is not None else ()
    width = max(abs(end - start), 0.75)
    return element("rect", *hover, x=min(start, end), y=y, width=width, height=height, class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str, *, closed: bool = False) -> Markup:
    """A line through points, closed to an area if asked."""
    steps = " ".join(f"{'L' if i else 'M'}{number(x)} {number(y)}" for i, (x, y) in enumerate(points))
    return element("path", d=f"{steps}{' Z' if closed else ''}", class_=class_)


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from [`low`, `high`] to pixels [`start`, `end`]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def clipped(self, value: float) -> float:
        """The pixel of a value, at the edge where it lies outside."""
        return self(min(max(value, self.low), self.high))


def scale(values: Iterable[float], start: float, end: float, *, pad: float = 0.0) -> Scale:
    """A scale over `values` and zero, widened by `pad` of its span on each side that is not zero."""
    found = [0.0, *values]
    low, high = min(found), max(found)
    if low == high:
        high = low + 1.0
    span = high - low
    return Scale(low - pad * span if low < 0.0 else low, high + pad * span if high > 0.0 else high, start, end)


def ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers in [`low`, `high`].

    >>> ticks(-0.6, 1.0, 4), ticks(0.0, 2_545_655.0, 4)
    ([-0.5, 0.0, 0.5, 1.0], [0.0, 1000000.0, 2000000.0])
    """
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def tick(x: float, y: float, words: str, across: Scale, *, class_: str = "tick") -> Markup:
    """The label of a tick, moved inwards where it would leave the axis."""
    half = text_width(words) / 2.0
    at = min(max(x, across.start - half), across.end + 4.0 - half)
    return label(at, y, words, anchor="middle", class_=class_)


def money_axis(across: Scale, top: float, bottom: float, *, title: str = "USD") -> Markup:
    """Vertical grid lines with amounts under them, and a stronger line at zero."""
    count = max(3, int(abs(across.end - across.start) / 75.0))
    parts = []
    for value in ticks(across.low, across.high, count):
        x = across(value)
        parts.append(line(x, top, x, bottom, "zero" if value == 0.0 else "gridline"))
        parts.append(tick(x, bottom + LINE, compact(value), across))
    middle = (across.start + across.end) / 2.0
    parts.append(label(middle, bottom + 2 * LINE, title, anchor="middle", class_="tick"))
    return join(parts)


def percent_axis(across: Scale, top: float, bottom: float, *, title: str, price: float | None = None) -> Markup:
    """Vertical grid lines with moves in percent under them, and the prices they lead to; a stronger one at no move."""
    count = max(2, int(abs(across.end - across.start) / 65.0))
    parts = []
    for value in ticks(across.low, across.high, count):
        x = across(value)
        parts.append(line(x, top, x, bottom, "zero" if value == 0.0 else "gridline"))
        parts.append(tick(x, bottom + LINE, percent(value, plus=True), across))
        if price is not None:
            parts.append(tick(x, bottom + 2 * LINE, level(price * (1.0 + value)), across))
    middle = (across.start + across.end) / 2.0
    parts.append(label(middle, bottom + (2 if price is None else 3) * LINE, title, anchor="middle", class_="tick"))
    return join(parts)


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows of a bar chart stand: labels and figures beside the bars, or above them where it is narrow."""

    width: float
    left: float
    right: float
    top: float
    pitch: float
    bar_height: float
    count: int

    @property
    def bottom(self) -> float:
        """The end of the last row."""
        return self.top + self.pitch * self.count

    def y(self, row: int) -> float:
        """The upper edge of the bar of a row."""
        return self.top + self.pitch * (row + 1) - self.bar_height - 4.0

    def baseline(self, row: int) -> float:
        """The baseline of the label of a row."""
        beside = self.y(row) + self.bar_height / 2.0 + 0.36 * EM
        return beside if is_wide(self.width) else self.y(row) - 4.0


def rows(
    labels: Sequence[str], figures: Sequence[str], width: float, *, bar_height: float = 14.0, top: float = 4.0
) -> Rows:
    """Place rows so that the longest figure fits whole and the labels take less than half of the width."""
    if not is_wide(width):
        return Rows(width, 2.0, width - 2.0, top, bar_height + LINE + 7.0, bar_height, len(labels))
    left = min(0.46 * width, max(map(text_width, labels), default=0.0) + 10.0)
    right = width - max(map(text_width, figures), default=0.0) - 10.0
    return Rows(width, left, right, top, bar_height + 8.0, bar_height, len(labels))


def row_texts(place: Rows, labels: Sequence[str], figures: Sequence[str], *, strong: Iterable[int] = ()) -> Markup:
    """The labels and figures of all rows; those of `strong` rows in bold."""
    wide, bold = is_wide(place.width), set(strong)
    parts = []
    for i, (name, figure) in enumerate(zip(labels, figures, strict=True)):
        room = place.left - 8.0 if wide else place.width - text_width(figure) - 14.0
        class_ = "strong" if i in bold else None
        x, anchor = (place.left - 8.0, "end") if wide else (2.0, "start")
        parts.append(label(x, place.baseline(i), fitted(name, room), anchor=anchor, class_=class_, full=name))
        parts.append(label(place.width - 2.0, place.baseline(i), figure, anchor="end", class_=class_ or "figure"))
    return join(parts)


def legend(entries: Sequence[tuple[str, str]], x: float, y: float) -> Markup:
    """Squares with words, from left to right: (class, text)."""
    parts = []
    for class_, text in entries:
        parts.append(element("rect", x=x, y=y - 9.0, width=10.0, height=10.0, class_=class_))
        parts.append(label(x + 14.0, y, text, class_="tick"))
        x += 30.0 + text_width(text)
    return join(parts)


def line_legend(keys: Sequence[tuple[str, str]], left: float, width: float) -> tuple[Markup, float]:
    """Short lines with words, (class, text) each, in as many rows as they take, and where the plot may begin."""
    parts, x, y = [], left, 12.0
    for class_, text in keys:
        need = 34.0 + text_width(text)
        if x + need > width and x > left:
            x, y = left, y + LINE + 3.0
        parts += [path([(x, y - 4.0), (x + 18.0, y - 4.0)], class_), label(x + 23.0, y, text, class_="tick")]
        x += need
    return join(parts), y + 12.0
