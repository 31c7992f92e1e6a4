"""What a rulebook asks of every account of a book, one account at a time."""

from __future__ import annotations

from dataclasses import dataclass

from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.engine.model import RulebookModel, in_force
from crossmargin.engine.plan import Progress
from crossmargin.engine.variants import account_at
from crossmargin.margin.rulebooks.rulebook import RuleResult
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RuledMargin:
    """What a rulebook asks of a book: `results` [account], and what they were computed from.

    `model` has its parameters. An account whose result names refused positions is margined in part.
    """

    book: Book
    snapshot: Snapshot
    model: RulebookModel
    results: tuple[RuleResult, ...]

    def figures(self, name: str) -> FloatArray:
        """`initial_usd`, `maintenance_usd` or `equity_usd` of each account [account]."""
        values = {
            "initial_usd": [r.initial_usd for r in self.results],
            "maintenance_usd": [r.maintenance_usd for r in self.results],
            "equity_usd": [r.equity_usd for r in self.results],
        }
        return frozen(values[name])


def ruled_margin(
    book: Book, snapshot: Snapshot, model: RulebookModel, *, progress: Progress | None = None
) -> RuledMargin:
    """The answer of a rulebook for each account of a book. Raises what it raises, and what `in_force` does."""
    ready = in_force(model, snapshot)
    results = []
    for row in range(len(book.accounts)):
        results.append(ready.evaluate(account_at(book, row), snapshot))
        if progress is not None:
            progress("margin", row + 1, len(book.accounts))
    return RuledMargin(book=book, snapshot=snapshot, model=ready, results=tuple(results))
