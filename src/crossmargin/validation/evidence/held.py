"""What stands in a backtest: strategies over the factors of a history, or a user's own book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from crossmargin.engine.model import ModelDocument
from crossmargin.engine.plan import moved_names, optioned
from crossmargin.market.snapshot import Snapshot, factors_of
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.calibrating.calibration import require_factors
from crossmargin.scenarios.document import Joint
from crossmargin.scenarios.grid import build_grid
from crossmargin.scenarios.history import FactorHistory
from crossmargin.scenarios.scenario_set import SurfaceRule
from crossmargin.validation.portfolios import strategies


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """A book in one market, the family and side of each account [account], and how vol shocks spread over tenors."""

    book: Book
    snapshot: Snapshot
    family: tuple[str, ...]
    side: tuple[str, ...]
    rules: dict[str, SurfaceRule] = field(default_factory=dict)


def hold_strategies(history: FactorHistory, *, classes: Mapping[str, str], seed: int = 0) -> Held:
    """The strategy portfolios of a history, both sides of each, at its last levels."""
    made = strategies(history, classes=classes, seed=seed)
    sides = tuple(name.rpartition(" ")[2] for name in made.book.accounts)
    return Held(book=made.book, snapshot=made.snapshot, family=made.families, side=sides)


def hold_book(book: Book, snapshot: Snapshot, model: ModelDocument, history: FactorHistory) -> Held:
    """A book as it stands, each account one portfolio; vol shocks spread as the model says.

    Raises `MissingFactors` for factors that the book depends on and the history lacks, and `UnknownName` for a risk
    class that the model does not hold.
    """
    names, assets = moved_names(book.table, snapshot)
    needed = {snapshot.underlyings[name].factor for name in names}
    needed |= {f"vol:{name}" for name in optioned(book.table) & names}
    require_factors({_parallel(name) for name in history.factors}, needed)
    alone = msgspec.structs.replace(model.grid, joint=Joint(together=False, pairs=False))
    rules = dict(build_grid(alone, snapshot, underlyings=names, assets=assets).rules)
    accounts = len(book.accounts)
    return Held(book=book, snapshot=snapshot, family=("book",) * accounts, side=("held",) * accounts, rules=rules)


def felt(history: FactorHistory, snapshot: Snapshot, proxies: frozenset[str]) -> FactorHistory:
    """The factors of a history that a market has, and the proxies that fill them: others would only cost dates."""
    there = set(factors_of(snapshot))
    return history.select(name for name in history.factors if _parallel(name) in there or name in proxies)


def _parallel(factor: str) -> str:
    """A factor without its node."""
    return ":".join(factor.split(":")[:2])
