"""Shocks in words: the same for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crossmargin.cli.wording import named, percent
from crossmargin.engine.reports import ScenarioLine, StressAccount, StressEvent
from crossmargin.scenarios.factors import PRICE_KINDS

MOVES_SHOWN: Final = 6
_BASIS_POINTS: Final = 10_000.0


def by_loss(account: StressAccount) -> list[ScenarioLine]:
    """The shocks by loss over equity, the largest first; gains come last."""
    return sorted(account.lines, key=lambda line: line.pnl_usd)


def move_words(factor: str, move: float) -> str:
    """One move: percent of what moves relatively, basis points of a rate, percent a year of a carry.

    >>> move_words("spot:BTC", -0.4645), move_words("rate:USD:2y", 0.0034), move_words("fwd:BTC", -0.15)
    ('BTC −46.5 %', 'rate USD 2y +34 bp', 'carry BTC −15 % a year')
    """
    kind, name = factor.split(":", 1)
    said = name.replace(":", " ").replace("*", "every other")
    if kind == "rate":
        size = f"{_BASIS_POINTS * move:+.0f} bp".replace("-", "−")
        return f"rate {said} {size}"
    words = percent(move, plus=True)
    if kind == "fwd":
        return f"carry {said} {words} a year"
    if kind == "funding":
        return f"funding {said} {percent(move, digits=3, plus=True)} a day"
    if kind in PRICE_KINDS:
        return f"{'every other ' + kind if name == '*' else said} {words}"
    return f"{kind} {said} {words}"


def moves_words(moves: Mapping[str, float]) -> str:
    """The first moves of a shock in words, and how many more there are; held factors are left out."""
    told = [move_words(factor, x) for factor, x in moves.items() if x]
    more = len(told) - MOVES_SHOWN
    return ", ".join(told[:MOVES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def cut_words(event: StressEvent) -> str:
    """What a market left out of a shock, and what it cannot fall by.

    >>> cut_words(StressEvent(label="", date="", window="", source="", moves={"spot:WTI": -0.95},
    ...     left_out=("spot:SOL",), shortened={"spot:WTI": -3.06}))
    'SOL; WTI at −306 % is cut to −95 %: a shock is a share of the price, or of its scale, and leaves some of it'
    """
    if not event.moves:
        return f"nothing is left: none of {named(len(event.left_out), 'factor')} is there"
    left = ", ".join(_short(factor) for factor in event.left_out)
    cut = [
        f"{_short(factor)} at {percent(was)} is cut to {percent(event.moves[factor])}: a shock is a share of the "
        "price, or of its scale, and leaves some of it"
        for factor, was in event.shortened.items()
    ]
    return "; ".join(filter(None, (left, *cut)))


def _short(factor: str) -> str:
    kind, name = factor.split(":", 1)
    return name if kind in PRICE_KINDS and name != "*" else factor


def unmoved_words(account: StressAccount) -> tuple[str, ...]:
    """What equity has in it, which factors stayed when margins were made again, and which shocks left no market."""
    sentences = []
    if any(m.held_equity_usd > m.equity_usd for m in account.margins):
        sentences.append("Equity is with what is quarantined: that counts against liquidation, and for no new risk.")
    stayed = sorted({factor for m in account.margins for factor in m.unmoved})
    if stayed:
        sentences.append(f"Factors that stayed where they were after the shock: {', '.join(stayed)}.")
    if account.margins:
        seen = {m.label for m in account.margins}
        without = sum(line.label not in seen for line in account.lines)
        if without:
            kinds = "single tenors of a volatility or carry"
            sentences.append(f"P&L alone, with no margin after, of {named(without, 'shock')} to {kinds}.")
    return tuple(sentences)
