"""What a failure does to the accounts of a book under a rulebook: its own equity and requirement after the event.

A rulebook sees the asset of a token, not its chain or bridge. So what an event takes of a line of collateral, or does
not let out, is taken off the amount that the rulebook is asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, frozen
from crossmargin.engine.failures.consequences import Consequences
from crossmargin.engine.failures.crowd import Standing
from crossmargin.engine.failures.desk import Outcome, losses_by_r
from crossmargin.engine.failures.footing import Footing
from crossmargin.engine.failures.reports import FailureAccount
from crossmargin.engine.model import RulebookModel
from crossmargin.engine.moved import dealt_at_marks, snapshot_moves
from crossmargin.engine.reports import Provenance, Ruling
from crossmargin.engine.ruled.accounts import ruled_provenance, ruling
from crossmargin.engine.ruled.margin import RuledMargin, ruled_margin
from crossmargin.engine.ruled.versions import scaled
from crossmargin.engine.variants import account_at
from crossmargin.engine.verdict import status_name
from crossmargin.margin.exposure import sensitivities
from crossmargin.market.snapshot import bump
from crossmargin.portfolio.book import Book, Lines, part

_TOKENS: Final = (
    "A rulebook sees the asset of a token, not its chain or bridge: what an event takes of a line of collateral, or "
    "keeps from being moved, is taken off the amount that the rulebook is asked about."
)
_OWN: Final = (
    "Left out under a rulebook: haircuts that double while a peg is in stress, and margin for waiting. Both are "
    "Crossmargin's own; a rulebook keeps its haircuts and asks nothing for waiting."
)
LEFT_OUT: Final = (_TOKENS, _OWN)
_BY_LINE: Final = ("backing:", "chain:")  # factors of what stands behind a line, not of its asset


@dataclass(frozen=True, kw_only=True, eq=False)
class RuledDesk:
    """A footing and what a rulebook asks of it before anything fails; each question is asked once."""

    ground: Footing
    model: RulebookModel
    base: RuledMargin
    entered: tuple[Book, ...]
    taken: _Taken
    kept: dict[tuple[int, tuple[tuple[str, float], ...], bytes], _Answer] = field(default_factory=dict)

    @classmethod
    def of(cls, ground: Footing, model: RulebookModel) -> RuledDesk:
        """The desk before anything fails; raises what `ruled_margin` raises."""
        base = ruled_margin(ground.unbridged, ground.market, model)
        entered = dealt_at_marks(ground.unbridged, ground.market)
        alone = tuple(part(entered, row, row + 1) for row in range(len(entered.accounts)))
        return cls(ground=ground, model=base.model, base=base, entered=alone, taken=_taken(ground, base))

    @property
    def provenance(self) -> Provenance:
        """The hashes and settings of the margin before."""
        return ruled_provenance(self.base)

    @property
    def rulings(self) -> dict[str, Ruling]:
        """By which rule each account is margined."""
        found = zip(self.ground.book.accounts, self.base.results, strict=True)
        return {name: ruling(self.model, one) for name, one in found}

    @property
    def _listed(self) -> Book:
        """The book with nothing of what the rulebook refuses."""
        book, taken = self.ground.book, self.taken
        return replace(
            book,
            positions=_times(book.positions, taken.positions),
            holdings=_times(book.holdings, taken.holdings),
        )

    def standing(self) -> Standing:
        """As `Desk.standing`; what the rulebook refuses is not held."""
        ground = self.ground
        return Standing(
            book=self._listed,
            snapshot=ground.snapshot,
            delta=sensitivities(ground.book.table, ground.snapshot)[0],
            equity=self.base.figures("equity_usd"),
            maintenance=self.base.figures("maintenance_usd"),
            gross=ground.worth * self.taken.holdings,
            recognised=self._recognised(),
        )

    def _recognised(self) -> FloatArray:
        """What each line of collateral counts for: the rise of equity with it, after those before it [holding]."""
        found = []
        for row, alone in enumerate(self.entered):
            steps = np.tri(len(alone.holdings) + 1, len(alone.holdings), -1)
            found.append(np.diff([self._asked(row, {}, step).equity_usd for step in steps]))
        return np.concatenate([np.zeros(0), *found])

    def losses(self, found: Sequence[Consequences]) -> tuple[FloatArray, FloatArray]:
        """As `Desk.losses`, of what the rulebook takes, like the equity beside it."""
        return losses_by_r(self._listed, self.ground.snapshot, found, {})

    def accounts(self, outcome: Outcome, loss: FloatArray, still: FloatArray) -> tuple[FailureAccount, ...]:
        """As `Desk.accounts`: one question for each of the two clocks."""
        return tuple(
            self._account(row, outcome.found, float(loss[row]), float(still[row]))
            for row in range(len(self.ground.book.accounts))
        )

    def _account(self, row: int, found: Consequences, loss: float, still: float) -> FailureAccount:
        gone = 1.0 - found.shares["gone"]
        before = self.base.results[row]
        held = self._after(row, found.settled, gone * (1.0 - found.shares["run_off"]))
        free = self._after(row, found.cautious, gone * (1.0 - found.shares["frozen"]))
        short = max(held.initial_usd - free.equity_usd, 0.0) - max(before.initial_usd - before.equity_usd, 0.0)
        status = status_name(held.equity_usd, held.initial_usd, held.maintenance_usd)
        return FailureAccount(
            id=self.ground.book.accounts[row],
            loss_usd=loss,
            unavailable_usd=still,
            requirement_usd=held.initial_usd - before.initial_usd,
            call_usd=max(short, 0.0),
            before=status_name(before.equity_usd, before.initial_usd, before.maintenance_usd),
            status="restricted" if status == "healthy" and short > 0.0 else status,
        )

    def _after(self, row: int, moves: Mapping[str, float], usable: FloatArray) -> _Answer:
        """The answer for an account in the market after `moves`, with so much of what it holds [holding] as is `usable`
        and backed; what it owes stays."""
        asset, _ = snapshot_moves(self.ground.market, {f: x for f, x in moves.items() if not f.startswith(_BY_LINE)})
        left = usable.copy()
        for factor, x in moves.items():
            kind, _, bridge = factor.partition(":")
            if kind == "backing":
                left[self.ground.behind(bridge)] *= 1.0 + x
        owed, mine = self.ground.book.holdings.quantity < 0.0, _lines_of(self.ground.book, row)
        return self._asked(row, {f: x for f, x in asset.items() if x}, np.where(owed, 1.0, left)[mine])

    def _asked(self, row: int, moves: Mapping[str, float], usable: FloatArray) -> _Answer:
        """The answer for an account in a moved market with so much of each line of its collateral [line]."""
        key = (row, tuple(sorted(moves.items())), usable.tobytes())
        if key not in self.kept:
            alone = account_at(scaled(self.entered[row], holdings=usable), 0)
            found = self.model.evaluate(alone, bump(self.ground.market, moves))
            self.kept[key] = _Answer(found.equity_usd, found.initial_usd, found.maintenance_usd)
        return self.kept[key]


class _Answer(NamedTuple):
    """The figures of a rulebook's answer that are kept, for there is one for each account, event and clock."""

    equity_usd: float
    initial_usd: float
    maintenance_usd: float


def _lines_of(book: Book, row: int) -> slice:
    """The lines of collateral of an account, which stand together."""
    first, last = book.holdings.ptr[np.searchsorted(book.pool_account, [row, row + 1])]
    return slice(int(first), int(last))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Taken:
    """Which lines of a book a rulebook takes, by the names that it knows: positions and holdings [line]."""

    positions: BoolArray
    holdings: BoolArray


def _taken(ground: Footing, base: RuledMargin) -> _Taken:
    book, refused = ground.book, [set(result.refused) for result in base.results]
    held = [f"collateral {asset}" for asset in ground.assets]
    return _Taken(
        positions=_not_among(refused, book.group_account[book.positions.owner], _ids(book, book.positions)),
        holdings=_not_among(refused, book.pool_account[book.holdings.owner], held),
    )


def _not_among(refused: Sequence[set[str]], accounts: IndexArray, names: Iterable[str]) -> BoolArray:
    """Whether the account of each line takes it, by name [line]."""
    return np.asarray([x not in refused[a] for a, x in zip(accounts.tolist(), names, strict=True)], np.bool_)


def _ids(book: Book, lines: Lines) -> list[str]:
    return [book.table.ids[row] for row in lines.instrument]


def _times(lines: Lines, taken: BoolArray) -> Lines:
    """The lines with nothing of those that are not taken."""
    return replace(lines, quantity=frozen(lines.quantity * taken))
