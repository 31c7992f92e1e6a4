"""Failures in words: the same for the terminal and for the page."""

from __future__ import annotations

from crossmargin.cli.wording import named, percent, trimmed, usd
from crossmargin.engine.failures.reports import FailureLine, FailureReport, FailureReports


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
    """Whether a call or a liquidation follows."""
    if not is_held(line):
        return "not held"
    if line.liquidations:
        return f"{named(line.liquidations, 'liquidation')}"
    if line.call_usd > 0.0:
        return f"call of {usd(line.call_usd)}"
    return "nothing" if line.detect_s is not None or line.loss_usd <= 0.0 else "nothing, unseen"


def book_words(report: FailureReport) -> str:
    """Where the collateral of a book stands."""
    held = f"{usd(report.collateral_usd)} USD of collateral"
    if not report.largest_bridge:
        return f"{held}, none of it behind a bridge or custodian."
    return f"{held}, {percent(report.bridged_share)} of it behind {report.largest_bridge}, the largest."


def verdicts(report: FailureReport) -> tuple[str, ...]:
    """What stands out: the worst event, what nobody notices, and who is liquidated."""
    if not report.events:
        return ()
    worst = max(report.events, key=lambda e: e.loss_usd)
    said = [f"The largest loss is {usd(worst.loss_usd)} USD, {worst.id}: {worst.label}."]
    blind = [e for e in report.events if e.detect_s is None and e.loss_usd > 0.0]
    if blind:
        reasons = dict.fromkeys(f.words for e in blind for f in e.findings if f.detector == "supply invariant")
        why = f" ({'; '.join(reasons)})" if reasons else ""
        said.append(f"Nothing notices {', '.join(e.id for e in blind)} while it lasts{why}.")
    gone = [f"{e.id} ({e.liquidations})" for e in report.events if e.liquidations]
    said.append(f"Liquidations follow from {', '.join(gone)}." if gone else "No event brings about a liquidation.")
    return tuple(said)


def notes(reports: FailureReports) -> tuple[str, ...]:
    """What the figures rest on."""
    return (
        "Loss is P&L of positions and collateral before haircuts, of those who lose.",
        "Unavailable stands still while it lasts, and does not count for new risk.",
        "Added requirement is the change of initial margin, and 2.33 daily deviations of what waits for a way out.",
        "Calls follow the worst credible price, liquidations the settled one.",
        f"Library {reports.library}; registry {reports.registry_sha256[:12]}.",
    )


def findings_words(line: FailureLine) -> str:
    """Each look at an event: what it saw and when."""
    return "; ".join(
        f"{f.detector}: {f.words}" + ("" if f.after_s is None else f" ({duration(f.after_s)})") for f in line.findings
    )
