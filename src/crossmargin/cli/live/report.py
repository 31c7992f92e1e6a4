"""What was read of live chains, as values: for tables and for machines. Amounts are whole tokens in decimal text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crossmargin.adapters.live.joining import token_text
from crossmargin.adapters.live.pending import PendingProof, check_pending
from crossmargin.adapters.live.reading import Balance, VaultReading
from crossmargin.core.finality import HEALTH_NAMES, LEVEL_NAMES, TRUST_NAMES, Health, HealthName, TrustName
from crossmargin.core.instant import to_milliseconds
from crossmargin.market.registry.registry import RegistryView
from crossmargin.market.representations.document import ChainsDocument


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts."""


class ChainsFragment(_Part, frozen=True, kw_only=True):
    """The part of a market that says how chains do."""

    chains: ChainsDocument


class VaultRow(_Part, frozen=True, kw_only=True):
    """A vault as it was found: `block` is the final block at which its journal stands, `head` the last that is known.

    `operators` name that block, of `asked` who could; `agree` must. `blocks` were learnt now, and the journal was
    `resumed` or begun. `said` tells why something is not believed or proven, `refused` why endpoints have no say, and
    `unarchived` why what moved in a block above the final one has no proof to keep."""

    chain: str
    vault: str
    symbol: str
    instance: str
    health: HealthName
    reasons: tuple[str, ...]
    block: int
    block_hash: str
    head: int
    final_age_s: float
    agree: int
    asked: int
    operators: tuple[str, ...]
    trust: TrustName
    proven: bool
    said: tuple[str, ...]
    refused: dict[str, str]
    unarchived: tuple[str, ...]
    blocks: int
    resumed: bool


class BalanceRow(_Part, frozen=True, kw_only=True):
    """What an owner has: `final` credits, `debits` seen since (not positive), `pending` credits, by `levels` as a book
    states them, and what the slot is `proven` to hold, if it is."""

    account: str
    owner: str
    chain: str
    symbol: str
    instance: str
    trust: TrustName
    final: str
    debits: str
    pending: str
    levels: dict[str, str]
    proven: str | None


class PendingRow(_Part, frozen=True, kw_only=True):
    """A movement above the final block, proven by a receipt in `block`; `amount` is below zero for a debit.

    `transaction` is its place in the block, `log` the event's in the receipt."""

    account: str
    owner: str
    chain: str
    symbol: str
    instance: str
    amount: str
    block: int
    block_hash: str
    transaction: int
    log: int


class ReadReport(_Part, frozen=True, kw_only=True):
    """One reading of all vaults; `good` where everything was agreed on, proven and explained by what moved.

    `market_ms` is the time of the market that it was put into, and `files` were written."""

    as_of_ms: int
    market_ms: int | None
    good: bool
    vaults: tuple[VaultRow, ...]
    balances: tuple[BalanceRow, ...]
    pending: tuple[PendingRow, ...]
    files: tuple[str, ...]


def read_report(
    readings: Sequence[VaultReading],
    view: RegistryView,
    *,
    now_ns: int,
    market_ns: int | None = None,
    files: tuple[str, ...] = (),
) -> ReadReport:
    """What was read, in rows."""
    return ReadReport(
        as_of_ms=to_milliseconds(now_ns),
        market_ms=None if market_ns is None else to_milliseconds(market_ns),
        good=all(one.reading is not None and one.condition.health < Health.FORKED for one in readings),
        vaults=tuple(_vault(reading, view) for reading in readings),
        balances=tuple(_balance(reading, one, view) for reading in readings for one in reading.balances),
        pending=tuple(_pending(reading, one, view) for reading in readings for one in reading.pending.proofs),
        files=files,
    )


def _vault(found: VaultReading, view: RegistryView) -> VaultRow:
    root = found.journal.root
    frozen = [f"{one.reason}: {text}" for one in found.frozen for text in one.said]
    return VaultRow(
        chain=found.vault.chain,
        vault=found.vault.name,
        symbol=view.instances[found.vault.instance].symbol,
        instance=found.vault.instance,
        health=HEALTH_NAMES[found.condition.health],
        reasons=found.condition.reasons,
        block=root.number,
        block_hash=f"0x{root.hash.hex()}",
        head=found.journal.head.number,
        final_age_s=found.condition.final_age_s,
        agree=found.agree,
        asked=found.asked,
        operators=() if found.anchor is None or found.frozen else found.anchor.operators,
        trust=TRUST_NAMES[found.trust],
        proven=found.reading is not None,
        said=(*frozen, *([found.unproven] if found.unproven else [])),
        refused=dict(found.refused),
        unarchived=tuple(f"block {number}: {why}" for number, why in found.pending.unproven.items()),
        blocks=found.blocks,
        resumed=found.resumed,
    )


def _balance(found: VaultReading, one: Balance, view: RegistryView) -> BalanceRow:
    vault = found.vault

    def whole(amount: int) -> str:
        return token_text(amount, vault.decimals)

    return BalanceRow(
        account=one.account,
        owner=f"0x{one.owner.hex()}",
        chain=vault.chain,
        symbol=view.instances[vault.instance].symbol,
        instance=vault.instance,
        trust=TRUST_NAMES[found.trust],
        final=whole(one.final),
        debits=whole(one.debits),
        pending=whole(one.pending),
        levels={LEVEL_NAMES[level]: whole(amount) for level, amount in sorted(one.levels.items(), reverse=True)},
        proven=None if one.proven is None else whole(one.proven),
    )


def _pending(found: VaultReading, one: PendingProof, view: RegistryView) -> PendingRow:
    return PendingRow(
        account=one.account,
        owner=one.owner,
        chain=one.event.chain,
        symbol=view.instances[one.instance].symbol,
        instance=one.instance,
        amount=token_text(int(one.amount), found.vault.decimals),
        block=check_pending(one).number,
        block_hash=one.anchor,
        transaction=one.event.transaction,
        log=one.event.log,
    )
