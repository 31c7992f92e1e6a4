"""What a failure does to the accounts of a book under a model of our own.

Two clocks, as in `market.oracles`: calls follow the worst credible price and leave out what stands still; liquidations
follow the price that is settled, and what is gone for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from crossmargin.accounts.health import status
from crossmargin.core.arrays import FloatArray, IndexArray, tally
from crossmargin.core.instant import DAY_NS, SECOND_NS
from crossmargin.engine.accounts import provenance
from crossmargin.engine.explaining.curves import account_pnl
from crossmargin.engine.failures.consequences import Consequences, Rules, compounded
from crossmargin.engine.failures.crowd import Standing, standing_of
from crossmargin.engine.failures.footing import Footing
from crossmargin.engine.failures.reports import FailureAccount
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.moved import dealt_at_marks, ladder_gains, one_column, snapshot_moves
from crossmargin.engine.plan import Plan, plan, replan
from crossmargin.engine.reports import Provenance, Ruling
from crossmargin.engine.verdict import STATUS_NAMES
from crossmargin.market.snapshot import USD, Snapshot, bump
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.failures.library import Failure
from crossmargin.scenarios.scenario_set import Scenario, SurfaceRule, collect

DAY_S: Final = DAY_NS / SECOND_NS


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A failure whose ranges are points, and what it comes to on a footing."""

    failure: Failure
    found: Consequences


class Desk(Protocol):
    """A footing under a model, before anything fails."""

    def accounts(self, outcome: Outcome, loss: FloatArray, still: FloatArray) -> tuple[FailureAccount, ...]:
        """Every account after one failure, of which it loses `loss` and cannot reach `still` [account]."""

    def losses(self, found: Sequence[Consequences]) -> tuple[FloatArray, FloatArray]:
        """What each account loses, and what more would be lost if what stands still were worth nothing
        [account, event]."""

    def standing(self) -> Standing:
        """How the accounts stand before, for forced sales."""

    @property
    def ground(self) -> Footing:
        """What the accounts stand on."""

    @property
    def provenance(self) -> Provenance:
        """The hashes and settings of the margin before."""

    @property
    def rulings(self) -> dict[str, Ruling]:
        """By which rule each account is margined, where the model is a rulebook."""


def losses_by_r(
    book: Book, snapshot: Snapshot, found: Sequence[Consequences], rules: Mapping[str, SurfaceRule]
) -> tuple[FloatArray, FloatArray]:
    """`Desk.losses` by one matrix R of all events."""
    true = [Scenario(label="true", family="failure", shocks=one.true) for one in found]
    still = [Scenario(label="still", family="failure", shocks=compounded((x.true, x.availability))) for x in found]
    gains = account_pnl(book, snapshot, collect((*true, *still), rules=rules))
    lost, without = -gains[:, : len(found)], -gains[:, len(found) :]
    return lost + 0.0, np.maximum(without - lost, 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnDesk:
    """A footing and its margin under a model of our own; margins of moved markets are made once each."""

    ground: Footing
    rules: Rules
    ready: Plan
    base: MarginResult
    entered: Book
    kept: dict[tuple[tuple[str, float], ...], MarginResult]

    @classmethod
    def of(cls, ground: Footing, model: ModelDocument, rules: Rules) -> OwnDesk:
        """The desk before anything fails; raises what `margin` raises."""
        ready = plan(ground.book, ground.snapshot, model)
        base = margin(ground.book, ground.snapshot, model, prepared=ready)
        entered = dealt_at_marks(ground.book, ground.snapshot)
        return cls(ground=ground, rules=rules, ready=ready, base=base, entered=entered, kept={(): base})

    @property
    def provenance(self) -> Provenance:
        """The hashes and settings of the margin before."""
        return provenance(self.base)

    @property
    def rulings(self) -> dict[str, Ruling]:
        """None: the model is our own."""
        return {}

    def standing(self) -> Standing:
        """As `Desk.standing`."""
        return standing_of(self.base)

    def losses(self, found: Sequence[Consequences]) -> tuple[FloatArray, FloatArray]:
        """As `Desk.losses`."""
        return losses_by_r(self.ground.book, self.ground.snapshot, found, self.ready.scenarios.rules)

    def accounts(self, outcome: Outcome, loss: FloatArray, still: FloatArray) -> tuple[FailureAccount, ...]:
        """As `Desk.accounts`."""
        short, gap, required = self._new_risk(outcome)
        before, after = (self._worst(x) for x in (self.base.pools.status, self._settled(outcome.found)))
        return tuple(
            FailureAccount(
                id=name,
                loss_usd=float(loss[i]),
                unavailable_usd=float(still[i]),
                requirement_usd=float(required[i] + gap[i]),
                call_usd=float(short[i]),
                before=STATUS_NAMES[before[i]],
                status=STATUS_NAMES[max(after[i], 1 if short[i] > 0.0 else 0)],
            )
            for i, name in enumerate(self.ground.book.accounts)
        )

    def _after(self, moves: Mapping[str, float]) -> MarginResult:
        """The margin in the market after `moves`; chains that lose something are counted by line, not here."""
        plain, _ = snapshot_moves(self.ground.snapshot, {f: x for f, x in moves.items() if not f.startswith("chain:")})
        key = tuple(sorted((f, x) for f, x in plain.items() if x))
        if key not in self.kept:
            moved = replan(self.ready, bump(self.ground.snapshot, dict(key)))
            cash = ladder_gains(self.ground.book, self.ground.snapshot, one_column(dict(key)))[:, 0]
            self.kept[key] = margin(self.entered, moved.snapshot, moved.model, prepared=moved, cash=cash)
        return self.kept[key]

    def _new_risk(self, outcome: Outcome) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What is called, what waiting may cost, and what initial margin grows by [account], USD.

        What is held is priced at the worst that is credible, what is owed and required at what is settled."""
        found, lasts_s = outcome.found, outcome.failure.duration_s[1]
        result, shares = self._after(found.cautious), found.shares
        required = self._after(found.settled).pools.initial
        counted = np.maximum(result.holdings.recognised, 0.0)
        usable = (1.0 - shares["gone"]) * (1.0 - shares["frozen"])
        more = np.minimum(np.maximum(result.holdings.haircut, 0.0) * shares["haircut"], counted)
        left = result.pools.equity - self._by_pool(counted - (counted - more) * usable)
        before = self.base.pools
        short = np.maximum(required - left, 0.0) - np.maximum(before.initial - before.equity, 0.0)
        wait = self.rules.detection.gap_deviations * self._daily_vol() * np.sqrt(lasts_s / DAY_S)
        gap = self._by_pool(counted * (1.0 - shares["gone"]) * shares["waiting"] * np.minimum(wait, 1.0))
        totals = (np.maximum(short, 0.0), gap, required - before.initial)
        called, waiting, grown = (self.base.by_account(x) for x in totals)
        return called, waiting, grown

    def _settled(self, found: Consequences) -> IndexArray:
        """The status of each pool by what liquidations are measured by [pool]."""
        result, shares = self._after(found.settled), found.shares
        lost, pools = 1.0 - (1.0 - shares["gone"]) * (1.0 - shares["run_off"]), result.pools
        equity, held = (
            now - self._by_pool(np.maximum(found.recognised, 0.0) * lost)
            for now, found in ((pools.equity, result.holdings), (pools.held_equity, result.held))
        )
        return status(equity, pools.initial, pools.maintenance, held=held)

    def _by_pool(self, by_line: FloatArray) -> FloatArray:
        return tally(self.ground.book.holdings.owner, by_line, len(self.ground.book.pools))

    def _worst(self, pools: IndexArray) -> list[int]:
        worst = np.zeros(len(self.ground.book.accounts), np.int32)
        np.maximum.at(worst, self.ground.book.pool_account, pools)
        return [int(code) for code in worst]

    def _daily_vol(self) -> FloatArray:
        """A day's standard deviation of what each line of collateral is counted in [holding]; 0 for dollars."""
        return np.asarray([_daily_vol(self.ground.snapshot, asset) for asset in self.ground.assets])


def _daily_vol(snapshot: Snapshot, asset: str) -> float:
    reference = USD if asset == USD else snapshot.assets[asset].reference
    if reference == USD:
        return 0.0
    liquidity = snapshot.underlyings[reference].liquidity
    return liquidity.daily_vol if liquidity is not None else 0.0
