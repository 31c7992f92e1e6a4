"""The routes of a transfer as tables for a terminal."""

from __future__ import annotations

from rich.console import RenderableType

from crossmargin.cli.table_parts import Row, Sheet, prose, table
from crossmargin.cli.transferring.report import RouteRow, TransferReport
from crossmargin.cli.wording import Column, chain_name, percent, quantity, usd
from crossmargin.market.transfers.cost import PARTS


def transfer_tables(report: TransferReport) -> RenderableType:
    """The routes with their parts, then which one to take and what prices can persist."""
    title = f"{quantity(report.amount)} {report.asset} from {chain_name(report.origin)}"
    title += f" to {chain_name(report.destination)}, worth {usd(report.amount_usd)} USD"
    if not report.routes:
        said = "No route carries this asset between these chains. Add one to the table of routes, or swap it first."
        return Sheet(prose((f"{title}.", said)))
    columns = (
        Column("route", words=True),
        *(Column(name) for name in PARTS),
        Column("cost USD"),
        Column("half by"),
        Column("95 % by"),
        Column("queue"),
        Column("in time"),
        Column("", words=True),
    )
    return Sheet(table(title, columns, [_row(route) for route in report.routes]), prose(_said(report)))


def _row(route: RouteRow) -> Row:
    parts = [usd(route.parts_usd[name]) for name in PARTS]
    wait = "never" if route.wait_s is None else duration_words(route.wait_s)
    times = [duration_words(route.p50_s), duration_words(route.p95_s), wait, percent(route.chance)]
    return [route.route, *parts, usd(route.cost_usd), *times, route.verdict]


def _said(report: TransferReport) -> tuple[str, ...]:
    by = f"within {duration_words(report.deadline_s)} with {percent(report.confidence)} probability"
    taken = f"Take {report.taken}: the cheapest that is there {by}." if report.taken else f"None is there {by}."
    if report.band is None or report.band_amount_usd is None:
        return (taken,)
    at = f"{usd(report.band_amount_usd)} USD by {report.band_route}"
    return (
        taken,
        f"Prices on the two chains may differ by {10_000.0 * report.band:.2f} bp before closing pays ({at}).",
    )


def duration_words(seconds: float) -> str:
    """Seconds as people say them: 45 s, 19 min, 3.2 h, 7 d."""
    for limit, unit, word in ((120.0, 1.0, "s"), (7_200.0, 60.0, "min"), (172_800.0, 3_600.0, "h")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {word}"
    return f"{seconds / 86_400.0:.3g} d"
