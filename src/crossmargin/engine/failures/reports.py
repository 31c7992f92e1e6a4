"""Answers about failures and cascades as they cross a border."""

from __future__ import annotations

import msgspec

from crossmargin.engine.reports import Provenance, Status


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


class FailureLine(_Part, frozen=True, kw_only=True):
    """One event on a book.

    `moves` are those of the market's factors, `availability` what stands still; `detector` is the first to notice,
    `detect_s` when; "none" where nobody does while it lasts. `targets` says what relative targets are in this book."""

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
    accounts: tuple[FailureAccount, ...]
    sources: tuple[str, ...]
    assumed: tuple[str, ...]

    @property
    def loss_usd(self) -> float:
        """The loss of all accounts; a gain of one does not pay for another."""
        return sum(max(one.loss_usd, 0.0) for one in self.accounts)

    @property
    def unavailable_usd(self) -> float:
        """What stands still, of all accounts."""
        return sum(one.unavailable_usd for one in self.accounts)

    @property
    def requirement_usd(self) -> float:
        """What is required on top, of all accounts."""
        return sum(one.requirement_usd for one in self.accounts)

    @property
    def call_usd(self) -> float:
        """What is called, of all accounts."""
        return sum(one.call_usd for one in self.accounts)

    @property
    def liquidations(self) -> int:
        """How many accounts the event brings into liquidation."""
        return sum(one.liquidated for one in self.accounts)


class FailureReport(_Part, frozen=True, kw_only=True):
    """Events on one book; `largest_bridge` is behind `bridged_share` of its collateral."""

    provenance: Provenance
    collateral_usd: float
    largest_bridge: str
    bridged_share: float
    events: tuple[FailureLine, ...]


class FailureReports(_Part, frozen=True, kw_only=True):
    """The same events on the book as it is, and with `asked_share` of its collateral behind one bridge where that is
    not 0."""

    library: str
    registry_sha256: str
    asked_share: float
    as_it_is: FailureReport
    bridged: FailureReport | None = None
