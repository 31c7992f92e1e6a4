"""What moved a requirement since an earlier one."""

from __future__ import annotations

from dataclasses import dataclass

from crossmargin.engine.margin import margin
from crossmargin.engine.model import AnyModel, ModelDocument, in_force
from crossmargin.engine.reports import Change
from crossmargin.engine.variants import account_alone
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Previous:
    """What a result is compared with: the book, market and model of then."""

    book: Book
    snapshot: Snapshot
    model: AnyModel


def change(previous: Previous, book: Book, snapshot: Snapshot, model: AnyModel, *, account: str) -> Change:
    """What moved the account's initial margin since `previous`: positions first, then market, then parameters.

    Each step changes one input and keeps the others, so that the three parts add up to the whole; the order is part
    of the definition. A rulebook without a date is that of its own day, then and now. Raises `MissingFactors` where
    the market of then lacks what the book of now needs.
    """
    then, now = account_alone(previous.book, account), account_alone(book, account)
    old, new = in_force(previous.model, previous.snapshot), in_force(model, snapshot)
    steps = (
        (then, previous.snapshot, old),
        (now, previous.snapshot, old),
        (now, snapshot, old),
        (now, snapshot, new),
    )
    required = [_initial(*step) for step in steps]
    return Change(
        before_initial_usd=required[0],
        after_initial_usd=required[3],
        positions_usd=required[1] - required[0],
        market_usd=required[2] - required[1],
        parameters_usd=required[3] - required[2],
    )


def _initial(alone: Book, snapshot: Snapshot, model: AnyModel) -> float:
    if isinstance(model, ModelDocument):
        return float(margin(alone, snapshot, model).pools.initial.sum())
    return float(margin(alone, snapshot, model).figures("initial_usd").sum())
