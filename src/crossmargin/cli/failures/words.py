"""Failures in words: the same for the terminal and for the page."""

from __future__ import annotations

from typing import Final

from crossmargin.cli.rulebooks.ruling import ruling_words
from crossmargin.cli.wording import compact, named, percent, trimmed, usd
from crossmargin.engine.failures.reports import FailureLine, FailureReport, FailureReports, SalesLine
from crossmargin.scenarios.failures.severity import Severity


def duration(seconds: float | None) -> str:
    """A time in the unit that reads best; nothing for none.

    >>> duration(60.0), duration(1200.0), duration(5160.0), duration(518_400.0), duration(None)
    ('60 s', '20 min', '1.4 h', '6 d', '')
    """
    if seconds is None:
        return ""
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 1.5 * size or (seconds >= size and unit != "min"):
            return f"{trimmed(f'{seconds / size:.1f}')} {unit}"
    return f"{trimmed(f'{seconds:.1f}')} s"


def span(seconds: tuple[float, float]) -> str:
    """From the least to the most, once where they are the same."""
    low, high = map(duration, seconds)
    return low if low == high else f"{low} to {high}"


def is_held(line: FailureLine) -> bool:
    """Whether the event touches anything in the book."""
    return bool(line.moves or line.availability or line.findings)


def notices(line: FailureLine) -> str:
    """Who notices first, and when; nothing for an event that touches nothing."""
    if not is_held(line):
        return ""
    return "none" if line.detect_s is None else f"{line.detector}, {duration(line.detect_s)}"


def follows(line: FailureLine) -> str:
    """Whether a call or a liquidation follows, forced sales included, and whether one does at another end."""
    if not is_held(line):
        return "not held"
    counts = (("low", line.low.liquidations), ("high", line.high.liquidations))
    other = "".join(f" ({n} at the {end} end)" for end, n in counts if n != line.totals.liquidations)
    by_sales = " by sales" if line.liquidations > line.totals.liquidations else ""
    said = f"{named(line.liquidations, 'liquidation')}{by_sales}" if line.liquidations else _called(line)
    return f"{said}{other}{_sold(line.sales) if line.sales else ''}"


def _sold(sales: SalesLine) -> str:
    """Who of the book must sell, and what all sellers leave unpaid."""
    mine = sum(one.first_s is not None for one in sales.book)
    return f"; {mine:,} of {len(sales.book):,} must sell, debts of all {compact(sales.deficit_usd)}"


def _called(line: FailureLine) -> str:
    """A call, or none, and whether that is because nobody looks."""
    if line.call_usd > 0.0:
        return f"call of {usd(line.call_usd)}"
    return "nothing" if line.detect_s is not None or line.loss_usd <= 0.0 else "nothing, unseen"


def book_words(report: FailureReport) -> str:
    """Where the collateral of a book stands."""
    held = f"{usd(report.collateral_usd)} USD of collateral"
    if not report.largest_bridge:
        return f"{held}, none of it behind a bridge or custodian."
    return f"{held}, {percent(report.bridged_share)} of it behind {report.largest_bridge}, the largest."


def severity_words(severity: Severity) -> str:
    """At which end of the sources all figures are."""
    ends = {"low": "at the low end", "mid": "in the middle", "high": "at the high end"}
    return f"{ends[severity]} of what was reported"


def ruled_words(report: FailureReport) -> tuple[str, ...]:
    """By which rule the accounts are margined, where it is not our own, and which collateral it does not take."""
    rulings = report.rulings.values()
    refused = {name for one in rulings for name in one.refused if name.startswith("collateral ")}
    names = ", ".join(sorted(name.removeprefix("collateral ") for name in refused))
    said = dict.fromkeys(ruling_words(one)[0] for one in rulings)
    return (*said, f"It takes no {names} as collateral; that is in no figure but the first.") if names else tuple(said)


def unheld_words(report: FailureReport) -> tuple[str, ...]:
    """Which events touch nothing here."""
    names = [line.id for line in report.events if not is_held(line)]
    return (f"Nothing of this book is touched by {', '.join(names)}.",) if names else ()


def bridge_words(report: FailureReport) -> str:
    """How much of the collateral is behind which bridge."""
    return f"{percent(report.bridged_share)} behind {report.largest_bridge}"


def most_words(loss_usd: float, name: str) -> str:
    """What forced sales add at most, and to which event.

    >>> most_words(29_128.4, "X1"), most_words(-2_770.0, "C02")
    ('at most 29,128 USD, to X1', 'to no loss')
    """
    return f"at most {usd(loss_usd)} USD, to {name}" if loss_usd > 0.0 else "to no loss"


def verdicts(report: FailureReport) -> tuple[str, ...]:
    """What stands out: the worst event, what nobody notices, and who is liquidated."""
    if not report.events:
        return ()
    worst = max(report.events, key=lambda e: e.loss_usd)
    early = sum(one.before == "liquidation" for one in worst.accounts)
    told = f"In liquidation before anything fails: {early:,} of {named(len(worst.accounts), 'account')}."
    said = [told] if early else []
    said += [f"The largest loss is {usd(worst.loss_usd)} USD, {worst.id}: {worst.label}."]
    blind = [e for e in report.events if e.detect_s is None and e.loss_usd > 0.0]
    if blind:
        reasons = dict.fromkeys(f.words for e in blind for f in e.findings if f.detector == "supply invariant")
        why = f" ({'; '.join(reasons)})" if reasons else ""
        said.append(f"Nothing notices {', '.join(e.id for e in blind)} while it lasts{why}.")
    added = max(((e.sales.loss_usd, e.id) for e in report.events if e.sales is not None), default=None)
    if added is not None:
        said.append(f"Forced sales add {most_words(*added)}.")
    gone = [f"{e.id} ({e.liquidations})" for e in report.events if e.liquidations]
    said.append(f"Liquidations follow from {', '.join(gone)}." if gone else "No event brings about a liquidation.")
    return tuple(said)


_STILL: Final = (
    "Unavailable stands still while it lasts. It counts for risk that is held, so nobody is liquidated for it; it does "
    "not count for new risk, and can meet no call."
)


def notes(reports: FailureReports) -> tuple[str, ...]:
    """What the figures rest on."""
    wait = "" if reports.as_it_is.rulings else ", and 2.33 daily deviations of what waits for a way out"
    return (
        f"All figures are {severity_words(reports.severity)}; a loss at another end stands where it is another.",
        "Loss is P&L of positions and collateral before haircuts, of those who lose.",
        _STILL,
        f"Added requirement is the change of initial margin{wait}.",
        "Calls follow the worst credible price, liquidations the settled one.",
        *_sales_notes(reports.as_it_is),
        *reports.left_out,
        f"Library {reports.library}; registry {reports.registry_sha256[:12]}.",
    )


def _sales_notes(report: FailureReport) -> tuple[str, ...]:
    """What forced sales rest on, where there are any."""
    sales = next((line.sales for line in report.events if line.sales is not None), None)
    if sales is None:
        return ()
    crowd = f"{sales.made_up:,} made-up accounts (seed {sales.seed})" if sales.made_up else "no made-up account"
    followed = f"Forced sales are followed to their end over the book and {crowd}"
    return (
        f"{followed}; they add the event at the last prices less the event alone, and penalties, with nothing sold.",
        "Reported falls have the sales of their own day in them, so what is added is an upper end.",
        "What debtors cannot pay is paid by the fund, then by those who are left in proportion to their worth.",
    )


def findings_words(line: FailureLine) -> str:
    """Each look at an event: what it saw and when."""
    return "; ".join(
        f"{f.detector}: {f.words}" + ("" if f.after_s is None else f" ({duration(f.after_s)})") for f in line.findings
    )
