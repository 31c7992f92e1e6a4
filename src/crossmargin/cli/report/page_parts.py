"""What pages are made of: the frame, tiles, figures with their numbers, tables and the footer."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Final, NamedTuple

from crossmargin.cli.report.svg import NARROW, WIDE, Markup, element, join
from crossmargin.cli.sentences import STATUS_WORDS
from crossmargin.cli.wording import Column, measure_words, moment
from crossmargin.engine.reports import Provenance, Status

_SIGNS: Final[dict[Status, str]] = {"healthy": "●", "restricted": "▲", "liquidation": "■"}


class Section(NamedTuple):
    """A part of the page with a heading that the contents list links to."""

    anchor: str
    heading: str
    body: Markup


def document(title: str, top: Markup, sections: Sequence[Section], provenance: Provenance) -> str:
    """A whole page about one instant."""
    return framed(title, top, sections, footer(provenance))


def framed(title: str, top: Markup, sections: Sequence[Section], foot: Markup) -> str:
    """A whole page that asks nobody for anything: style and script are inside, and a policy forbids the rest."""
    style = Markup(files("crossmargin.cli.report").joinpath("page.css").read_text(encoding="utf-8"))
    script = Markup(files("crossmargin.cli.report").joinpath("page.js").read_text(encoding="utf-8"))
    fingerprint = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{fingerprint}'"
    head = join(
        (
            Markup('<meta charset="utf-8">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup('<meta name="color-scheme" content="light dark">'),
            Markup('<link rel="icon" href="data:,">'),
            element("title", title),
            element("style", style),
        )
    )
    contents = element(
        "nav",
        *(element("a", s.heading, href=f"#{s.anchor}") for s in sections),
        aria_label="Contents",
        class_="contents",
    )
    main = element("main", top, contents if len(sections) > 2 else Markup(""), *map(_section, sections))
    body = element("body", main, foot, element("script", script))
    return f"<!doctype html>\n{element('html', element('head', head), body, lang='en')}\n"


def _section(section: Section) -> Markup:
    return element("section", element("h2", section.heading), section.body, id=section.anchor)


def header(kind: str, name: str, status: Status | None, provenance: Provenance) -> Markup:
    """What the page is about, of whom, and at which instant."""
    pill = status_pill(status) if status is not None else Markup("")
    return element(
        "header",
        element("p", "Crossmargin · ", kind, class_="kind"),
        element("h1", element("span", name), " ", pill),
        element(
            "p",
            f"{moment(provenance.as_of_ms)} · model {provenance.model} · {measure_words(provenance)}",
            class_="when",
        ),
    )


def status_pill(status: Status) -> Markup:
    """The status as a sign, a word and a colour."""
    return element("span", f"{_SIGNS[status]} {status}", class_=f"pill {status}", title=STATUS_WORDS[status])


class Tile(NamedTuple):
    """One large figure, what it is, and a line below."""

    what: str
    figure: str
    note: str = ""
    class_: str = ""


def tiles(entries: Iterable[Tile]) -> Markup:
    """The figures to see first."""
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", t.what),
                element("dd", element("b", t.figure), element("small", t.note) if t.note else Markup("")),
                class_=f"tile {t.class_}".strip(),
            )
            for t in entries
        ),
        class_="tiles",
    )


def summary(sentences: Sequence[str]) -> Markup:
    """The page in one paragraph."""
    return element("p", " ".join(sentences), class_="summary")


def warned(sentences: Iterable[str]) -> Markup:
    """What must not be missed, a box for each sentence."""
    return join(element("p", text, class_="warning", role="note") for text in sentences)


def table(
    caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, total: bool = False, shown: bool = True
) -> Markup:
    """A table that scrolls inside its own box where the page is narrow; `shown` puts its caption above as a heading."""
    cells = [list(row) for row in rows]
    heads = element("tr", *(element("th", c.heading, scope="col", class_=None if c.words else "n") for c in columns))
    body = [_table_row(columns, row, last=total and i == len(cells) - 1) for i, row in enumerate(cells)]
    made = element(
        "table",
        element("caption", caption),
        element("thead", heads),
        element("tbody", *body),
    )
    box = element("div", made, class_="scroll", tabindex="0", role="region", aria_label=caption)
    return join((element("h3", caption), box)) if shown else box


def _table_row(columns: Sequence[Column], row: Sequence[str], *, last: bool) -> Markup:
    written = []
    for i, (column, cell) in enumerate(zip(columns, row, strict=True)):
        if i == 0:
            written.append(element("th", cell, scope="row", class_=None if column.words else "n"))
        else:
            written.append(element("td", cell, class_=None if column.words else "n"))
    return element("tr", *written, class_="total" if last else None)


def figure(
    title: str,
    note: str,
    draw: Callable[[float], Markup],
    figures: Markup | None = None,
) -> Markup:
    """A drawing in two widths, of which the page shows the one that fits, with what to see in it and its numbers."""
    caption = element("figcaption", element("h3", title), element("p", note) if note else Markup(""))
    plot = element(
        "div", element("div", draw(WIDE), class_="wide"), element("div", draw(NARROW), class_="narrow"), class_="plot"
    )
    numbers = element("details", element("summary", "Numbers"), figures) if figures is not None else Markup("")
    return element("figure", caption, plot, numbers)


def grid(*parts: Markup) -> Markup:
    """Figures side by side where the page is wide."""
    return element("div", *parts, class_="grid")


def columns_of(*parts: Markup) -> Markup:
    """Figures of different heights in columns, each read downwards."""
    return element("div", *parts, class_="columns")


def card(body: Markup) -> Markup:
    """A box around what is no figure."""
    return element("div", body, class_="card")


def footer(provenance: Provenance) -> Markup:
    """Everything that is needed to compute the page again."""
    p = provenance
    entries = (
        ("As of", moment(p.as_of_ms)),
        ("Model", f"{p.model}, {measure_words(p)}"),
        ("Model parameters", p.model_hash),
        ("Market snapshot", p.snapshot_hash),
        ("Scenario set", p.scenario_hash),
        ("Book", p.book_hash),
        ("Code", f"Crossmargin {p.version}"),
    )
    note = "The same hashes give the same figures, to the last bit. Amounts in USD; a loss is negative."
    return closing(entries, note)


def closing(entries: Iterable[tuple[str, str]], note: str) -> Markup:
    """What a page rests on, named one by one."""
    listed = (element("div", element("dt", name), element("dd", value)) for name, value in entries)
    return element("footer", element("h2", "Provenance"), element("p", note), element("dl", *listed))
