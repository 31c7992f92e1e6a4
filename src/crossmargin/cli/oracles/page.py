"""A replay of oracles as one self-contained page."""

from __future__ import annotations

from functools import partial

from crossmargin.cli.failures.words import duration
from crossmargin.cli.oracles import charts
from crossmargin.cli.oracles.words import (
    OVERVIEW,
    asset_words,
    clock,
    figure,
    listed,
    notes,
    overview,
    turning_points,
    verdict,
)
from crossmargin.cli.report.page_parts import (
    Section,
    Tile,
    card,
    closing,
    framed,
    grid,
    status_pill,
    summary,
    table,
)
from crossmargin.cli.report.page_parts import figure as drawing
from crossmargin.cli.report.page_parts import tiles as tile_row
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import Column, level, moment
from crossmargin.engine.oracles.reports import AssetReplay, OracleReplay


def replay_page(report: OracleReplay) -> str:
    """Each asset: what every source said, the mark, what a unit counted for, and what became of the account."""
    head = element(
        "header",
        element("p", "Crossmargin · oracles replayed", class_="kind"),
        element("h1", element("span", f"{report.id}: {report.label}")),
        element("p", f"{moment(report.start_ms)} · model {report.model}", class_="when"),
    )
    said = (verdict(report), f"{listed(report)}.")
    top = join((head, summary(said), _tiles(report), card(_overview(report))))
    sections = [
        Section(f"asset-{i + 1}", one.asset, join((summary(asset_words(one, report)), _asset(one))))
        for i, one in enumerate(report.assets)
    ]
    sections.append(Section("sources", "What it rests on", card(join(element("p", text) for text in notes(report)))))
    entries = (
        ("Day", f"{report.id}, its figures of {report.date}"),
        ("Model", report.model),
        ("Code", f"Crossmargin {report.version}"),
    )
    foot = closing(entries, "Oracle rules and peg rules are the defaults of the code.")
    return framed(f"{report.id} · oracles replayed", top, sections, foot)


def _tiles(report: OracleReplay) -> Markup:
    entries = []
    for one in report.assets:
        gone = one.liquidated_ms is not None
        wrong = gone and report.expected == "no liquidation"
        alone = f"by {one.alone} alone {clock(one.alone_ms)[11:] or 'never'}" if one.alone_ms is not None else ""
        entries.append(Tile(f"{one.asset} liquidated", clock(one.liquidated_ms), alone, "short" if wrong else ""))
        if one.cut_ms is not None and one.passed_ms is not None:
            lead = (one.passed_ms - one.cut_ms) / 1_000.0
            entries.append(Tile("Credit cut before the loss", duration(lead), "", "short" if lead < 0.0 else ""))
    return tile_row(entries)


def _overview(report: OracleReplay) -> Markup:
    return table("What came of it", OVERVIEW, overview(report))


def _asset(one: AssetReplay) -> Markup:
    note = "Lines between published figures; the band is two standard deviations around the median of the sources."
    prices = drawing("Prices and mark", note, partial(charts.price_chart, one))
    note = "New risk follows the worst that any family says, at once; liquidations what several agree on, later."
    counts = drawing("What a unit counts for", note, partial(charts.credit_chart, one))
    return join((grid(prices, counts), card(_steps(one))))


def _steps(one: AssetReplay) -> Markup:
    heads = (*one.sources, "mark lo", "mark hi", "new risk", "settled", "credit")
    words = ("peg", "account", "by one source")
    columns = [Column("UTC", words=True), *map(Column, heads), *(Column(name, words=True) for name in words)]
    rows = []
    for s in turning_points(one):
        figures = (s.lo, s.hi, s.new_risk, s.settled, s.credit)
        pills = (status_pill(s.status), status_pill(s.alone))
        rows.append([clock(s.time_ms)[5:], *map(level, s.said), *map(figure, figures), s.peg.lower(), *pills])
    return table(f"When something changes: {one.asset}", columns, rows)
