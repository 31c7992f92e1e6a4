"""Statements in words: the same for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence

from crossmargin.cli.proving.report import AttestReport, CheckRow, VerifyReport
from crossmargin.cli.wording import label_text, moment, named, trimmed


def money(quanta: str, decimals: int) -> str:
    """Quanta of money as USD to the cent, without a float: losses up, which is against the account, are the text's.

    >>> money("1234567891234567890", 12)
    '1,234,567.89'
    >>> money("no number", 12)
    'no number'
    """
    if not (quanta.isascii() and quanta.isdigit() and 0 <= decimals <= 18 and len(quanta) <= 60):
        return quanta[:40]
    whole, cents = divmod(int(quanta) * 100 // 10**decimals, 100)
    return f"{whole:,}.{cents:02d}"


def verdict(checks: Sequence[CheckRow]) -> str:
    """Whether to believe it, in a sentence."""
    failed = [row.check for row in checks if row.outcome == "fails"]
    left = sum(row.outcome == "not checked" for row in checks)
    if failed:
        return f"Do not believe it: {named(len(failed), 'check')} of {len(checks)} failed ({', '.join(failed)})."
    held = f"{named(len(checks) - left, 'check')} held, none failed"
    return f"{held}; {left} could not be checked." if left else f"{held}, and none was left out."


def claims(report: VerifyReport) -> tuple[str, ...]:
    """What the statement says."""
    decimals = report.money_decimals
    worst = f" in “{label_text(report.worst_scenario)}”" if report.worst_scenario else ""
    held = f"{report.account[:80]} in epoch {report.epoch}, as of {trimmed_moment(report.as_of_ms)}"
    loss, collateral = money(report.worst_loss, decimals), money(report.collateral, decimals)
    losses, all_collateral = money(report.worst_loss_total, decimals), money(report.collateral_total, decimals)
    stated = f"a worst loss of {loss} USD{worst}, and {collateral} USD of collateral"
    everybody = f"{losses} USD of worst losses and {all_collateral} USD of collateral"
    return (
        f"It is of {held}: {named(report.positions, 'position')} with {stated}.",
        f"All {named(report.accounts, 'account')} together: {everybody}.",
    )


def left_out(checks: Sequence[CheckRow]) -> tuple[str, ...]:
    """What was not checked, said plainly, once for all that have the same reason."""
    subjects: dict[str, list[str]] = {}
    for row in checks:
        if row.outcome == "not checked":
            subjects.setdefault(row.meaning, []).append(row.check.partition(" of ")[2])
    told = {meaning: ", ".join(filter(None, names)) for meaning, names in subjects.items()}
    return tuple(f"Not checked is {meaning}{f' ({names})' if names else ''}." for meaning, names in told.items())


def limits() -> tuple[str, ...]:
    """What no statement shows."""
    return (
        (
            "No statement shows that R is what the model makes of that market (run it again on the published inputs), "
            "that prices of collateral are right, or that nobody was left out."
        ),
        "The loss is that of positions over scenarios: orders and terms beyond the scan are not in it.",
    )


def published(report: AttestReport) -> tuple[str, ...]:
    """What to do with an epoch."""
    return (
        (
            f"Epoch {report.epoch} as of {trimmed_moment(report.as_of_ms)}: {named(report.rows, 'row')} of R in "
            f"{named(report.scenarios, 'scenario')}; integers and floats agree for every account."
        ),
        f"Publish the digest {report.digest}.",
        *_shown(report),
        "Give each account its own file only: it opens positions, rows and salt.",
    )


def _shown(report: AttestReport) -> tuple[str, ...]:
    """What is claimed of chains, and how to check the first statement that shows some."""
    if not report.claims:
        return ()
    lines, backed = sum(row.lines for row in report.statements), sum(row.backed for row in report.statements)
    held = f"{backed} of {named(lines, 'line')} of collateral shown by state proofs"
    found = [f"{named(report.claims, 'claim')} of what vaults hold, {held}."]
    unnamed = [row.account for row in report.statements if row.command and not row.backed]
    if unnamed:
        found.append(f"No line of {', '.join(unnamed[:4])} is shown: the account does not bear its owner's name.")
    return tuple(found)


def trimmed_moment(as_of_ms: int) -> str:
    """A time that any integer may claim."""
    return moment(as_of_ms) if 0 <= as_of_ms < 253_402_300_800_000 else f"{trimmed(str(as_of_ms))} ms"
