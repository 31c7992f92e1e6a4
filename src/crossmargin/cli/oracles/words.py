"""Replays of oracles in words: the same for the terminal and for the page."""

from __future__ import annotations

from typing import Final

from crossmargin.cli.failures.words import duration
from crossmargin.cli.wording import Column, level, moment, named, percent
from crossmargin.engine.oracles.reports import AssetReplay, OracleReplay, ReplayStep

_HEADS: Final = ("asset", "credit cut", "price passes haircut", "liquidated", "by one source alone")
OVERVIEW: Final = (*(Column(name, words=True) for name in _HEADS), Column("haircut"))


def clock(time_ms: int | None, nothing: str = "never") -> str:
    """A time to the minute."""
    return nothing if time_ms is None else moment(time_ms)[:16]


def verdict(report: OracleReplay) -> str:
    """Whether what the day expects came true."""
    went = [one.asset for one in report.assets if one.liquidated_ms is not None]
    if report.expected == "no liquidation":
        return f"Liquidated: {', '.join(went)}, and nobody should be." if went else "Nobody is liquidated."
    return "Credit was cut before the loss." if report.held else "Credit was NOT cut before the loss."


def overview(report: OracleReplay) -> list[list[str]]:
    """What came of each asset, a row each under `OVERVIEW`."""
    rows = []
    for one in report.assets:
        times = map(clock, (one.cut_ms, one.passed_ms, one.liquidated_ms))
        rows.append([one.asset, *times, f"{one.alone}: {clock(one.alone_ms)}", percent(one.haircut)])
    return rows


def asset_words(one: AssetReplay, report: OracleReplay) -> tuple[str, ...]:
    """One asset through the day in a few sentences."""
    said = []
    if one.cut_ms is None:
        said.append(f"What {one.asset} counts for never falls.")
    else:
        said.append(f"{one.asset} counts for less from {clock(one.cut_ms)} on.")
    if one.passed_ms is None:
        said.append(f"Its market never passes the haircut of {percent(one.haircut)}.")
    elif one.cut_ms is not None:
        lead = (one.passed_ms - one.cut_ms) / 1_000.0
        when = f"{duration(abs(lead))} {'later' if lead >= 0.0 else 'EARLIER'}"
        said.append(f"The market passes the haircut of {percent(one.haircut)} at {clock(one.passed_ms)}, {when}.")
    if one.liquidated_ms is not None:
        said.append(f"The account is liquidated at {clock(one.liquidated_ms)}.")
    if one.alone_ms is not None and report.expected == "no liquidation":
        said.append(f"By {one.alone} alone it would have been liquidated at {clock(one.alone_ms)}.")
    if one.over_market > 0.0:
        said.append(f"A new loan stood up to {percent(one.over_market)} ABOVE the market price.")
    else:
        said.append(f"A new loan never came closer to the market price than {percent(-one.over_market)}.")
    return tuple(said)


def notes(report: OracleReplay) -> tuple[str, ...]:
    """What the figures rest on."""
    return (
        f"Sources: {'; '.join(report.sources)}.",
        f"Assumed: {report.assumed}.",
        "The account holds the asset against a long position in Bitcoin, which stands still.",
    )


def turning_points(one: AssetReplay) -> tuple[ReplayStep, ...]:
    """The steps at which something changes, and enough of those between for a table."""
    steps, marked = one.steps, {0, len(one.steps) - 1}
    for i in range(1, len(steps)):
        before, now = steps[i - 1], steps[i]
        if (before.peg, before.status, before.alone, before.mark_state) != (
            now.peg,
            now.status,
            now.alone,
            now.mark_state,
        ):
            marked.add(i)
    marked |= {i for i, s in enumerate(steps) if s.time_ms in {one.cut_ms, one.passed_ms, one.liquidated_ms}}
    marked.add(min(range(len(steps)), key=lambda i: min(steps[i].said)))
    return tuple(steps[i] for i in sorted(marked))


def figure(value: float | None) -> str:
    """A price, or nothing where there is none."""
    return "none" if value is None else level(value)


def listed(report: OracleReplay) -> str:
    """How many assets, and their names."""
    return f"{named(len(report.assets), 'asset')}: {', '.join(one.asset for one in report.assets)}"
