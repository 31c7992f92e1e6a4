"""What the demonstration found, as values: for the transcript and for machines. Amounts count whole tokens."""

from __future__ import annotations

import msgspec

from crossmargin.cli.proving.report import CheckRow
from crossmargin.engine.reports import Status


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts."""


class Gas(_Part, frozen=True, kw_only=True):
    """What a transaction took on a chain, all of it."""

    chain: str
    what: str
    gas: int


class Endpoint(_Part, frozen=True, kw_only=True):
    """One way to a chain, and who operates it."""

    chain: str
    name: str
    operator: str


class Balance(_Part, frozen=True, kw_only=True):
    """What is in the vault of a chain at one look, by how final it is, and by what it is known.

    `amounts` by level; `block` is the last final one, `head` the last; `proof_bytes` of `nodes` were checked in
    `proof_ms`, the asking included."""

    when: str
    chain: str
    head: int
    block: int
    operators: int
    trust: str
    amounts: dict[str, float]
    proven: float
    nodes: int
    proof_bytes: int
    proof_ms: float


class Figures(_Part, frozen=True, kw_only=True):
    """The desk's margin, USD: what counts, by chain, what is pending or refused, what is asked for, and chain terms."""

    counts_usd: float
    by_chain: dict[str, float]
    pending_usd: float
    refused_usd: float
    equity_usd: float
    initial_usd: float
    maintenance_usd: float
    excess_usd: float
    status: Status
    terms: dict[str, float]
    health: dict[str, str]


class Across(_Part, frozen=True, kw_only=True):
    """A balance of chain A, read by a contract on chain B."""

    block: int
    read: float
    vault: float
    header_bytes: int
    account_nodes: int
    slot_nodes: int


class Withdrawal(_Part, frozen=True, kw_only=True):
    """What was asked back, and what came of it; `reason` where it was refused."""

    chain: str
    amount: float
    paid: float
    reason: str


class Attested(_Part, frozen=True, kw_only=True):
    """An epoch that was committed, signed and checked; `command` checks its file again."""

    epoch: int
    digest: str
    signers: str
    worst_scenario: str
    worst_loss_usd: str
    collateral_usd: str
    file: str
    good: bool
    checks: tuple[CheckRow, ...]
    opened: bool
    command: str


class Moment(_Part, frozen=True, kw_only=True):
    """One look during a break: what had happened, and what was seen."""

    stage: str
    seen: str
    figures: Figures


class Break(_Part, frozen=True, kw_only=True):
    """Something that goes wrong, look by look."""

    id: str
    title: str
    moments: tuple[Moment, ...]


class Step(_Part, frozen=True, kw_only=True):
    """A step of the demonstration, and the seconds that it took."""

    id: str
    title: str
    seconds: float


class DemoReport(_Part, frozen=True, kw_only=True):
    """All of it; `chains` are the CAIP-2 ids of A and B, `note` says why the backend is not the one to expect."""

    backend: str
    note: str = ""
    account: str
    chains: dict[str, str]
    steps: tuple[Step, ...]
    endpoints: tuple[Endpoint, ...]
    gas: tuple[Gas, ...]
    balances: tuple[Balance, ...]
    across: Across
    margin: Figures
    attested: Attested
    withdrawals: tuple[Withdrawal, ...]
    breaks: tuple[Break, ...]
    seconds: float
