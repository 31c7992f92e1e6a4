"""What-if under a rulebook: an account before and after a deal at the mark."""

from __future__ import annotations

from collections.abc import Mapping

from crossmargin.core.errors import InvalidInput
from crossmargin.engine.model import RulebookModel
from crossmargin.engine.reports import SimulateReport
from crossmargin.engine.ruled.accounts import answered, ruled_provenance
from crossmargin.engine.ruled.dealing import dealt
from crossmargin.engine.ruled.margin import RuledMargin
from crossmargin.engine.variants import additions
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


def simulate_ruled(
    alone: Book,
    snapshot: Snapshot,
    model: RulebookModel,
    *,
    add: Mapping[str, float],
    collateral: Mapping[tuple[str, str], float],
    group: str | None,
) -> SimulateReport:
    """A book of one account before and after; premiums are paid in the asset that an instrument settles in.

    Raises `InvalidInput` for an instrument that the rulebook does not list: nobody could deal it there.
    """
    after = dealt(alone, snapshot, add, collateral, group=group)
    answers = [model.evaluate(book, snapshot) for book in (alone, after)]
    for name in add:
        if name in answers[1].refused:
            raise InvalidInput(
                "instrument",
                where="what-if",
                value=name,
                limit=f"one that {model.rulebook.id} lists ({model.rulebook.products})",
                remedy="Ask another rulebook, or a model of our own.",
            )
    return SimulateReport(
        provenance=ruled_provenance(RuledMargin(book=after, snapshot=snapshot, model=model, results=(answers[1],))),
        added=additions(add, collateral),
        before=answered(alone, snapshot, model, answers[0]),
        after=answered(after, snapshot, model, answers[1]),
    )
