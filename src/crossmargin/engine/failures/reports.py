"""Answers about failures and cascades as they cross a border."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from crossmargin.engine.reports import Provenance, Ruling, Status
from crossmargin.scenarios.failures.severity import Severity


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts of an answer."""


class FindingLine(_Part, frozen=True, kw_only=True):
    """What notices an event, how many seconds after its start (None: not while it lasts), and why."""

    detector: str
    after_s: float | None
    words: str


class FailureAccount(_Part, frozen=True, kw_only=True):
    """One account in one event, USD.

    `loss_usd` of positions and collateral before haircuts; `unavailable_usd` stands still. `requirement_usd` is what
    initial margin grows by, and what may be lost while waiting for a way out. `call_usd` is what is missing for new
    risk beyond what was missing before; `status` is that of what liquidations are measured by, `before` that before
    the event."""

    id: str
    loss_usd: float
    unavailable_usd: float
    requirement_usd: float
    call_usd: float
    before: Status
    status: Status

    @property
    def liquidated(self) -> bool:
        """Whether the event brings about a liquidation."""
        return self.status == "liquidation" and self.before != "liquidation"


class FailureTotals(_Part, frozen=True, kw_only=True):
    """All accounts in one event, USD. The loss is of those who lose: a gain of one does not pay for another."""

    loss_usd: float
    unavailable_usd: float
    requirement_usd: float
    call_usd: float
    liquidations: int


def totals_of(accounts: Iterable[FailureAccount]) -> FailureTotals:
    """Sums over accounts, and how many of them the event brings into liquidation."""
    everyone = tuple(accounts)
    return FailureTotals(
        loss_usd=sum(max(one.loss_usd, 0.0) for one in everyone),
        unavailable_usd=sum(one.unavailable_usd for one in everyone),
        requirement_usd=sum(one.requirement_usd for one in everyone),
        call_usd=sum(one.call_usd for one in everyone),
        liquidations=sum(one.liquidated for one in everyone),
    )


class SalesAccount(_Part, frozen=True, kw_only=True):
    """One account of the book among all that sell: when it first must and when it cannot pay (seconds; None for never).

    `loss_usd` is that of the cascade, in which accounts are linear: shock, sales and penalties, less what is not paid.
    `charged_usd` is its part of what others do not pay and no fund does."""

    id: str
    first_s: float | None
    failed_s: float | None
    loss_usd: float
    penalty_usd: float
    deficit_usd: float
    charged_usd: float


class SalesLine(_Part, frozen=True, kw_only=True):
    """What forced sales add to an event, followed to their fixed point over the book and a made-up crowd.

    `moves` are where prices end, from before the event. Of all `population` accounts `sellers` must sell and `failed`
    cannot pay `deficit_usd`: the fund pays `fund_usd`, those who are left `charged_usd`, nobody `unpaid_usd`.
    `totals` and `accounts` are the event at the last prices, by full revaluation and nothing sold; `loss_usd` is what
    that adds to the loss, with the penalties of the book. `liquidations` counts accounts of the book that the event
    brings into liquidation, at once or at the last prices, or that must sell, and that were not in it before.
    `settled` is false where no fixed point was found."""

    population: int
    made_up: int
    seed: int
    rules_hash: str
    moves: dict[str, float]
    rounds: int
    lasted_s: float
    settled: bool
    sellers: int
    failed: int
    lost_usd: float
    penalty_usd: float
    deficit_usd: float
    fund_usd: float
    charged_usd: float
    unpaid_usd: float
    loss_usd: float
    liquidations: int
    totals: FailureTotals
    accounts: tuple[FailureAccount, ...]
    book: tuple[SalesAccount, ...]


class FailureLine(_Part, frozen=True, kw_only=True):
    """One event on a book, at the severity of the report, and its `totals` at the low and the high end.

    `duration_s` is as reported; `moves` are those of the market's factors, `availability` what stands still; `detector`
    is the first to notice, `detect_s` when; "none" where nobody does while it lasts. `targets` says what relative
    targets are in this book. `sales` is None where the event forces none, or they are left out."""

    id: str
    label: str
    tests: str
    duration_s: tuple[float, float]
    reported_s: tuple[float, float] | None
    moves: dict[str, float]
    availability: dict[str, float]
    targets: tuple[str, ...]
    states: tuple[str, ...]
    findings: tuple[FindingLine, ...]
    detector: str
    detect_s: float | None
    totals: FailureTotals
    low: FailureTotals
    high: FailureTotals
    accounts: tuple[FailureAccount, ...]
    sales: SalesLine | None
    sources: tuple[str, ...]
    assumed: tuple[str, ...]

    @property
    def loss_usd(self) -> float:
        """The loss of all accounts; a gain of one does not pay for another."""
        return self.totals.loss_usd

    @property
    def unavailable_usd(self) -> float:
        """What stands still, of all accounts."""
        return self.totals.unavailable_usd

    @property
    def requirement_usd(self) -> float:
        """What is required on top, of all accounts."""
        return self.totals.requirement_usd

    @property
    def call_usd(self) -> float:
        """What is called, of all accounts; at the last prices where sales are forced."""
        return max(self.totals.call_usd, self.sales.totals.call_usd if self.sales else 0.0)

    @property
    def liquidations(self) -> int:
        """How many accounts the event brings into liquidation, forced sales included."""
        return self.sales.liquidations if self.sales else self.totals.liquidations


class FailureReport(_Part, frozen=True, kw_only=True):
    """Events on one book; `largest_bridge` is behind `bridged_share` of its collateral. `rulings` [account] say by
    which rule, where the model is a rulebook."""

    provenance: Provenance
    collateral_usd: float
    largest_bridge: str
    bridged_share: float
    rulings: dict[str, Ruling] = {}
    events: tuple[FailureLine, ...]


class FailureReports(_Part, frozen=True, kw_only=True):
    """The same events on the book as it is, and with `asked_share` of its collateral behind one bridge where that is
    not 0; all figures at one `severity`. `left_out` says what is in no figure, and why."""

    library: str
    registry_sha256: str
    severity: Severity
    asked_share: float
    left_out: tuple[str, ...]
    as_it_is: FailureReport
    bridged: FailureReport | None = None
