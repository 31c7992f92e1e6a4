"""What a reader must know of an answer that a rulebook gave: whose rule it is, what it leaves out, what is open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from crossmargin.cli.wording import named
from crossmargin.engine.reports import Doubt, ExplainReport, Ruling

_SHOWN: Final = 6
_CERTAINTY: Final = {
    "exact": "its rule is public in full",
    "approximate": "an approximation of its rule",
    "unknown": "a stated reading of a rule that is not public in full",
}
SCAN: Final = "scan"
INITIAL: Final = "initial margin"


def ruling_words(ruling: Ruling) -> tuple[str, ...]:
    """By which rule, how certain, what is open and how the account was read."""
    dated = f"parameters of {ruling.date}" if ruling.date else "parameters of your own"
    words = [f"Margined by {ruling.name}, {dated}: {_CERTAINTY[ruling.certainty]}."]
    words += [f"{note[0].upper()}{note[1:]}." for note in (*ruling.notes, *_doubts(ruling.doubts)) if note]
    return tuple(words)


def _doubts(doubts: Iterable[Doubt]) -> Iterator[str]:
    """`BTC collateral, ETH collateral: haircuts are read from …`, a line for each note."""
    terms: dict[str, list[str]] = {}
    for doubt in doubts:
        terms.setdefault(doubt.note or f"{doubt.certainty}, not exact", []).append(doubt.term)
    return (f"{_listed(named_terms)}: {note}" for note, named_terms in terms.items())


def warnings(ruling: Ruling | None) -> tuple[str, ...]:
    """What is in none of the figures; nothing for an account that a rulebook margins whole, or that no rulebook did."""
    if ruling is None:
        return ()
    collateral = [name.removeprefix("collateral ") for name in ruling.refused if name.startswith("collateral ")]
    rest = [name for name in ruling.refused if not name.startswith("collateral ")]
    words = []
    if rest:
        what = f"{ruling.rulebook} does not list {named(len(rest), 'position or order', 'positions or orders')}"
        words.append(f"Partial requirement: {what} of this account, which is in no figure: {_listed(rest)}.")
    if collateral:
        words.append(f"Collateral that does not count under {ruling.rulebook}: {_listed(collateral)}.")
    return tuple(words)


def partial_line(rulings: Mapping[str, Ruling | None]) -> str:
    """One line of warning about all accounts of a report, by id; empty where every one is margined whole."""
    partial = [name for name, ruling in rulings.items() if ruling is not None and ruling.partial]
    if not partial:
        return ""
    if len(rulings) == 1:
        return f"{partial[0]}: {' '.join(warnings(rulings[partial[0]]))}"
    return f"Partial requirement of {len(partial):,} of {named(len(rulings), 'account')}: {_listed(partial)}."


def share_whole(report: ExplainReport) -> str:
    """What Euler shares add up to: the scan of our own model, the initial margin of a rulebook."""
    return SCAN if report.account.ruling is None else INITIAL


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
