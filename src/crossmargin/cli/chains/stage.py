"""Two chains with everything on them, and what is read of them: only what is agreed on and proven."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final, Literal

from crossmargin.adapters.attesting import by_address
from crossmargin.adapters.contracts.deployed import Deployed, System
from crossmargin.adapters.contracts.vault import balance_slot, vault_key
from crossmargin.adapters.live.sources import Vault
from crossmargin.adapters.networks.backend import ChainBackend, ChainReader, Receipt
from crossmargin.adapters.networks.endpoints import Anchor, Endpoint, Reading, read_slots
from crossmargin.adapters.networks.following import Follower, Poll, Source
from crossmargin.adapters.networks.signing import address_of
from crossmargin.cli.chains.desk import (
    DECIMALS,
    PROFILE,
    Known,
    Place,
    Sight,
    account_of,
    book_document,
    chains_document,
    margined,
)
from crossmargin.cli.chains.report import Balance, Figures, Gas, Withdrawal
from crossmargin.core.finality import Level, Trust
from crossmargin.engine.margin import MarginResult
from crossmargin.market.chains.blocks import Key
from crossmargin.market.chains.health import Condition, condition, unexplained
from crossmargin.market.chains.levels import Heads, level_of
from crossmargin.market.chains.recognition import by_level
from crossmargin.market.registry.registry import Registry

Kind = Literal["anvil", "in-process"]
UNIT: Final = 10**DECIMALS
SIGNERS: Final = 5  # The first keys of a chain; then one for each role.
DEPOSITOR, CHALLENGER, CUSTODIAN, SPONSOR, ISSUER = range(SIGNERS, SIGNERS + 5)
FINAL_BLOCKS: Final = 9  # After so many more a block is final.
WINDOW_S: Final = 1_800
HONEST: Final = "the endpoints are honest, and the chain is read from its beginning"
BOND, STAKE = 10**16, 10**18


def place_of(name: str, chain: ChainBackend, token: Deployed) -> Place:
    """A chain and its token as registries name them."""
    caip2 = f"eip155:{chain.chain_id}"
    return Place(chain=caip2, name=f"chain {name}", instance=f"{caip2}/erc20:0x{token.address.hex()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One chain, what stands on it, and who follows it."""

    name: str
    chain: ChainBackend
    token: Deployed
    system: System
    follower: Follower

    @property
    def place(self) -> Place:
        """The chain and its token as registries name them."""
        return place_of(self.name, self.chain, self.token)

    @property
    def vault(self) -> Vault:
        """The vault as sources of live chains name it, with the account of its one owner."""
        owner, home = address_of(self.chain.keys[DEPOSITOR]), self.system.vault.ask("home")
        return Vault(
            chain=self.place.chain,
            address=self.system.vault.address,
            instance=self.place.instance,
            decimals=DECIMALS,
            code_hash=self.system.vault.code_hash,
            home=home,
            journal=self.follower.store.path,
            owners={owner: f"eip155:{home}:0x{owner.hex()}"},
        )

    @property
    def now_s(self) -> int:
        """The time of its last block, Unix seconds."""
        return self.chain.block("latest").timestamp_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a chain: what the follower found, the proof of the vault's slot, and what both say together.

    `reading` is None where nothing is believed now; `amounts` are then those of the journal as it stood."""

    poll: Poll
    reading: Reading | None
    condition: Condition
    amounts: dict[Level, int]
    proof_ms: float


@dataclass(slots=True, kw_only=True)
class Stage:
    """The demonstration as it stands: both chains, and all gas that was used."""

    a: Side
    b: Side
    folder: Path
    registry: Registry
    gas: list[Gas] = field(default_factory=list)
    heads: dict[str, Heads] = field(default_factory=dict)
    files: ExitStack
    balances: list[Balance] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys of all roles, the same on both chains."""
        return self.a.chain.keys

    @property
    def signers(self) -> tuple[bytes, ...]:
        """The keys of those who sign reports, by rising address."""
        return by_address(self.keys[:SIGNERS])

    @property
    def owner(self) -> bytes:
        """The address whose account it is, the same on both chains."""
        return address_of(self.keys[DEPOSITOR])

    @property
    def lockbox(self) -> bytes:
        """The address on A that holds what the bridge has minted on B."""
        return address_of(self.keys[CUSTODIAN])

    @property
    def account(self) -> str:
        """The account in reports."""
        return f"eip155:{self.a.chain.chain_id}:0x{self.owner.hex()}"

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both chains."""
        return self.a, self.b

    @property
    def now_s(self) -> int:
        """The time of the later chain."""
        return max(side.now_s for side in self.sides)

    def used(self, side: Side, what: str, receipt: Receipt) -> Receipt:
        """Keep what a transaction took."""
        self.gas.append(Gas(chain=side.name, what=what, gas=receipt.gas_used))
        return receipt

    def meet(self, seconds: int = 12) -> None:
        """Let both chains have a block at the same time, so many seconds after the later one."""
        target = self.now_s + seconds
        for side in self.sides:
            side.chain.set_time(target)
            side.chain.mine()

    def settle(self, seconds: int = 12) -> None:
        """Let all that both chains have be final."""
        self.meet(seconds)
        for side in self.sides:
            side.chain.mine(FINAL_BLOCKS)

    def look(self, side: Side, source: Source | None = None) -> Look:
        """Follow a chain up to now, and prove the owner's balance in its last final block.

        `source` is asked instead of the side's own, with the same journal."""
        follower = Follower(source or side.follower.source, side.follower.store)
        poll = follower.poll()
        reading, proof_ms = None, 0.0
        if poll.anchor is not None and not poll.frozen:
            began = time.perf_counter()
            reading = self.prove(side, poll.anchor, follower.source.endpoints)
            proof_ms = 1e3 * (time.perf_counter() - began)
        if poll.heads is not None:
            self.heads[side.name] = poll.heads
        return self._judged(side, poll, reading, proof_ms)

    def _judged(self, side: Side, poll: Poll, reading: Reading | None, proof_ms: float) -> Look:
        key = self.key(side)
        proven = {}
        if reading is not None and reading.block.hash == poll.journal.root.hash:
            proven = {key: reading.values[balance_slot(self.owner)]}
        found = condition(poll.journal, PROFILE, now_s=float(self.now_s), unexplained=unexplained(poll.journal, proven))
        level = partial(level_of, profile=PROFILE, heads=self.heads[side.name], now_s=self.now_s)
        amounts = by_level(poll.journal, level).get(key, {})
        return Look(poll=poll, reading=reading, condition=found, amounts=amounts, proof_ms=proof_ms)

    def prove(self, side: Side, anchor: Anchor, endpoints: Sequence[Endpoint[ChainReader]]) -> Reading:
        """The owner's balance in the vault of a chain, proven."""
        vault = side.system.vault
        return read_slots(endpoints, anchor, vault.address, [balance_slot(self.owner)], code_hash=vault.code_hash)

    def key(self, side: Side) -> Key:
        """Whose and of what, as the journal of a chain has it."""
        return vault_key(self.owner, home=self.a.chain.chain_id, asset=side.place.instance)

    def known(self, look: Look) -> Known:
        """What a look says, as the desk takes it; what a journal holds already was proven when it was read."""
        trust = look.reading.trust if look.reading is not None else Trust.L2
        amounts = {level: str(Decimal(amount) / UNIT) for level, amount in look.amounts.items()}
        return Known(amounts=amounts, trust=trust, condition=look.condition)

    def margin(self, looks: tuple[Look, Look], sight: Sight, *, time_s: int | None = None) -> MarginResult:
        """The ordinary margin of the desk on what was looked at."""
        home, abroad = self.a.place, self.b.place
        known = {place.chain: self.known(look) for place, look in zip((home, abroad), looks, strict=True)}
        return margined(
            book_document(self.account, home, abroad, known),
            chains_document(home, abroad, known, sight),
            self.registry,
            time_s=self.now_s if time_s is None else time_s,
        )

    def figures(self, sight: Sight) -> Figures:
        """What the desk has and must have now."""
        return self.figures_of((self.look(self.a), self.look(self.b)), sight)

    def figures_of(self, looks: tuple[Look, Look], sight: Sight) -> Figures:
        """What the desk has and must have by two looks."""
        return _figures(self, looks, self.margin(looks, sight))


def _figures(stage: Stage, looks: tuple[Look, Look], result: MarginResult) -> Figures:
    """The figures of a result, with the health of both chains."""
    report = account_of(result)
    (pool,) = report.pools
    by_chain = {line.name: line for line in report.standings if line.kind == "chain"}
    held = {side.name: by_chain.get(side.place.chain) for side in stage.sides}
    return Figures(
        counts_usd=pool.collateral_usd,
        by_chain={name: line.recognised_usd if line else 0.0 for name, line in held.items()},
        pending_usd=sum(line.pending_usd for line in by_chain.values()),
        refused_usd=sum(line.refused_usd for line in by_chain.values()),
        equity_usd=report.equity_usd,
        initial_usd=report.initial_usd,
        maintenance_usd=report.maintenance_usd,
        excess_usd=report.excess_initial_usd,
        status=report.status,
        terms={term.name: term.initial for term in pool.terms},
        health={s.name: look.condition.health.name for s, look in zip(stage.sides, looks, strict=True)},
    )
