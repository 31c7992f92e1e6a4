"""A replay in words: the same for the terminal and for the page."""

from __future__ import annotations

from typing import Final

from crossmargin.cli.wording import moment, named, percent, trimmed, usd
from crossmargin.engine.outlook.replay import AccountReplay, EventReplay, FactorPath, ReplayPoint, ReplayReport
from crossmargin.scenarios.factors import PRICE_KINDS

PATHS_SHOWN: Final = 6
_HOUR_MS: Final = 3_600_000


def hours_in(point_ms: int, event: EventReplay) -> str:
    """How long after the start: `26 h`.

    >>> hours_in(93_600_000, EventReplay(label="", times_ms=(0,), paths=(), accounts=()))
    '26 h'
    """
    return trimmed(f"{(point_ms - event.times_ms[0]) / _HOUR_MS:.1f}") + " h"


def at(point_ms: int) -> str:
    """A bar's time to the minute."""
    return moment(point_ms)[:16]


def account_words(one: AccountReplay, event: EventReplay) -> tuple[str, ...]:
    """One account through one event in a few sentences."""
    first, worst = one.points[0], one.points[one.worst]
    peak = max(one.points, key=lambda p: p.initial_usd)
    start = f"{usd(first.equity_usd)} USD of equity and {usd(first.initial_usd)} USD of initial margin"
    left = f"{usd(worst.held_equity_usd)} USD against {usd(worst.maintenance_usd)} USD of maintenance margin"
    told = [
        f"{one.account} begins with {start}, which peaks at {usd(peak.initial_usd)} USD.",
        f"Its worst bar comes after {hours_in(worst.time_ms, event)}: {usd(worst.pnl_usd)} USD of P&L leave {left}.",
    ]
    if one.first_call_ms is not None:
        told.append(
            f"{named(one.calls, 'bar')} with calls ask for {usd(one.called_usd)} USD in all, the first after "
            f"{hours_in(one.first_call_ms, event)}."
        )
    else:
        told.append("Nothing is called.")
    if one.liquidated_ms is not None:
        told.append(f"Paying nothing, it is in liquidation from {hours_in(one.liquidated_ms, event)} on.")
    return tuple(told)


def notes(report: ReplayReport) -> tuple[str, ...]:
    """What the figures rest on."""
    rule = f"where initial margin exceeds {percent(report.trigger)} of equity, up to the margin"
    said = [f"A call is made {rule}, and paid by the next bar.", "Options keep their time to expiry; nobody trades."]
    if report.recipe:
        said.append(f"At each bar {report.recipe} is fitted anew to what was known by then.")
    if report.still:
        said.append(f"Held still by request: {', '.join(report.still)}.")
    if report.unmoved:
        said.append(f"Without a history, and not moved: {', '.join(report.unmoved)}.")
    return tuple(said)


def shown_paths(event: EventReplay) -> tuple[list[FactorPath], list[FactorPath]]:
    """The prices and pegs, and the volatilities, that moved furthest, as far as a plot can show them."""
    order = sorted(event.paths, key=lambda p: -max(map(abs, p.moves)))
    kinds = {p.factor: p.factor.split(":")[0] for p in order}
    prices = [p for p in order if kinds[p.factor] in (*PRICE_KINDS, "peg")]
    return prices[:PATHS_SHOWN], [p for p in order if kinds[p.factor] == "vol"][:PATHS_SHOWN]


def thinned(points: tuple[ReplayPoint, ...], count: int, always: int) -> list[ReplayPoint]:
    """At most about `count` points evenly from the first to the last, with the point at `always`."""
    step = max(1, -(-(len(points) - 1) // count))
    chosen = {*range(0, len(points), step), len(points) - 1, always}
    return [points[i] for i in sorted(chosen)]
