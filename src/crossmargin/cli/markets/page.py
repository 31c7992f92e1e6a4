"""A fitted market as one self-contained page: smiles over their quotes, the surface, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.resources import files

from crossmargin.cli.markets.report import expiry_rows, quarantine_rows, summary_lines
from crossmargin.cli.markets.smile_svg import smile_chart, surface_chart, variance_chart
from crossmargin.cli.report.page_parts import figure, grid, summary, table
from crossmargin.cli.report.svg import WIDE, Markup, element, is_wide, join
from crossmargin.cli.wording import price
from crossmargin.core.instant import format_instant
from crossmargin.core.version import VERSION
from crossmargin.market.fit import FittedChain

_PAGE_WIDTH, _NARROW_WIDTH = 1180.0, 520.0  # the narrow one is shown smaller than it is drawn
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def market_page(chains: Sequence[FittedChain]) -> str:
    """The page of the chains of one time; it asks nobody for anything and runs no script."""
    title = f"{', '.join(c.underlying for c in chains)} · fitted market"
    head = join(
        (
            Markup('<meta charset="utf-8">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup('<meta name="color-scheme" content="light dark">'),
            element("title", title),
            element("style", Markup(files("crossmargin.cli.report").joinpath("page.css").read_text(encoding="utf-8"))),
        )
    )
    header = element(
        "header",
        element("p", "Crossmargin · fitted market", class_="kind"),
        element("h1", ", ".join(c.underlying for c in chains)),
        element("p", format_instant(chains[0].time_ns), class_="when"),
    )
    footer = element("footer", element("p", f"Fitted by Crossmargin {VERSION}."))
    body = element("body", element("main", header, *map(_section, chains)), footer)
    return f"<!doctype html>\n{element('html', element('head', head), body, lang='en')}\n"


def _section(chain: FittedChain) -> Markup:
    columns, rows = expiry_rows(chain.report)
    surface = surface_chart(chain, WIDE)
    parts = [
        element("h2", f"{chain.underlying}, spot {price(chain.spot)}"),
        summary(summary_lines(chain.report)),
        figure("Smiles over their quotes", "", partial(_smiles, chain)),
        table("Expiries; errors and repairs in vol points, * from the shape of the others", columns, rows),
        grid(
            figure(
                "Total volatility by expiry", "Lines that cross would be arbitrage.", partial(variance_chart, chain)
            ),
            figure("The surface", "Implied volatility by expiry and moneyness.", lambda _: surface),
        ),
    ]
    if chain.report.quarantined:
        columns, rows = quarantine_rows(chain.report.quarantined)
        parts.append(table("Left out of the fit", columns, rows))
    return element("section", *parts, id=chain.underlying)


def _smiles(chain: FittedChain, width: float) -> Markup:
    """Four panels in a row where the page is wide, two where it is narrow."""
    return smile_chart(chain, _PAGE_WIDTH) if is_wide(width) else smile_chart(chain, _NARROW_WIDTH, columns=2)
