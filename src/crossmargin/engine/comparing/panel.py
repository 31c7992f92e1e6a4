"""Rules that are asked of the parts of one account, each question once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np

from crossmargin.core.arrays import BoolArray
from crossmargin.engine.comparing.parts import Part, book_of, whole
from crossmargin.engine.comparing.rules import Rule
from crossmargin.margin.rulebooks.rulebook import RuleResult
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

Tell: TypeAlias = Callable[[int], None]
Key: TypeAlias = tuple[bytes, bytes, bytes]
_COLLATERAL: Final = "collateral "


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """`rules` and the account that they are asked of. `tell` hears the number of answers after each."""

    alone: Book
    snapshot: Snapshot
    rules: tuple[Rule, ...]
    tell: Tell = lambda _: None
    _books: dict[Key, Book] = field(default_factory=dict)
    _answers: dict[tuple[str, Key], RuleResult | str] = field(default_factory=dict)
    _taken: dict[str, Part] = field(default_factory=dict)

    def answer(self, rule: Rule, part: Part) -> RuleResult | str:
        """What a rule asks of a part, or why it asks nothing."""
        key = part.key
        if (rule.id, key) not in self._answers:
            if key not in self._books:
                self._books[key] = book_of(self.alone, part)
            self._answers[rule.id, key] = rule.ask(self._books[key], self.snapshot)
            self.tell(len(self._answers))
        return self._answers[rule.id, key]

    def together(self, rule: Rule) -> RuleResult | str:
        """What a rule asks of the whole account, or why it asks nothing."""
        return self.answer(rule, whole(self.alone))

    def taken(self, rule: Rule) -> Part:
        """The positions and orders of the account that a rule margins, with all collateral."""
        if rule.id not in self._taken:
            every = whole(self.alone)
            self._taken[rule.id] = within(self.alone, every, self.answer(rule, every))
        return self._taken[rule.id]

    def ask(self, parts: Iterable[Part]) -> None:
        """Ask every rule of each part it takes whole. Part by part, since rules share their reading of one."""
        for part in parts:
            for rule in self.rules:
                self.offer(rule, part)

    def offer(self, rule: Rule, part: Part) -> RuleResult | None:
        """What a rule asks of a part that it takes whole; None where it leaves out any of it."""
        taken = self.taken(rule)
        if not (_covers(taken.positions, part.positions) and _covers(taken.orders, part.orders)):
            return None
        answer = self.answer(rule, part)
        if isinstance(answer, str) or any(not name.startswith(_COLLATERAL) for name in answer.refused):
            return None
        return answer


def within(alone: Book, part: Part, answer: RuleResult | str) -> Part:
    """What of a part an answer margins: nothing where there is no answer; all of its collateral stays."""
    ids, listed = alone.table.ids, not isinstance(answer, str)
    refused = frozenset(() if isinstance(answer, str) else answer.refused)
    positions = [listed and ids[i] not in refused for i in alone.positions.instrument.tolist()]
    orders = [listed and f"order {ids[i]}" not in refused for i in alone.orders.instrument.tolist()]
    return replace(
        part,
        positions=part.positions & np.asarray(positions, np.bool_),
        orders=part.orders & np.asarray(orders, np.bool_),
    )


def _covers(outer: BoolArray, inner: BoolArray) -> bool:
    return bool((outer | ~inner).all())
