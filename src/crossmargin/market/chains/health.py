"""How a chain does, from what was read of it, and what that does to what is held there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from crossmargin.core.finality import Health, HealthName
from crossmargin.market.chains.blocks import Key
from crossmargin.market.chains.journal import Journal
from crossmargin.market.registry.document import Finality
from crossmargin.market.representations.document import ChainState

LAG_MULTIPLE: Final = 2.0  # Of the profile's time to finality; F02 and O08 of the library of failures passed it.
# Without a new block for so long a chain has halted: ten slots of Ethereum, the slowest chain of the registry whose
# every slot has a block. The outages on record took 33 minutes and more, so this is quick beside all of them.
SILENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """An account whose proven balance is not what its movements say: `expected` and `proven`, in smallest units."""

    key: Key
    expected: int
    proven: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The health of a chain, and why; of several causes the worst, and the reasons of all."""

    health: Health
    reasons: tuple[str, ...] = ()
    final_age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Effect:
    """What a chain's health leaves of value there.

    `fast`: whether credits short of final count, up to the allowance; `final` whether those that are final carry new
    risk; `held` whether what was counted before still carries the risk that stands. Debits always count.
    """

    fast: bool
    final: bool
    held: bool


# LAGGING freezes credits at the last final block, and so does a halt, through which nothing new can be trusted to pass;
# a chain with two histories or a state changed by force carries no new risk, and is no reason to sell what is there.
EFFECTS: Final[Mapping[Health, Effect]] = {
    Health.HEALTHY: Effect(fast=True, final=True, held=True),
    Health.LAGGING: Effect(fast=False, final=True, held=True),
    Health.HALTED: Effect(fast=False, final=True, held=True),
    Health.FORKED: Effect(fast=False, final=False, held=True),
    Health.GOVERNED: Effect(fast=False, final=False, held=True),
}


def condition(
    journal: Journal,
    profile: Finality,
    *,
    now_s: float,
    unexplained: tuple[Unexplained, ...] = (),
    lag_multiple: float = LAG_MULTIPLE,
    silence_s: float = SILENCE_S,
) -> Condition:
    """The health of the journal's chain at `now_s`, in Unix seconds."""
    final_age_s, silent_s = now_s - journal.root.timestamp_s, now_s - journal.head.timestamp_s
    found: list[tuple[Health, str]] = []
    if unexplained:
        names = ", ".join(sorted({change.key.account for change in unexplained})[:4])
        found.append((Health.GOVERNED, f"{len(unexplained)} balance(s) changed by no movement: {names}"))
    if journal.forked is not None:
        at = journal.forked
        found.append((Health.FORKED, f"block {at.number} 0x{at.hash.hex()} contradicts what was final"))
    if silent_s > silence_s:
        found.append((Health.HALTED, f"no block for {silent_s:.0f} s, limit {silence_s:.0f} s"))
    if final_age_s > lag_multiple * profile.final_s:
        limit_s = lag_multiple * profile.final_s
        found.append((Health.LAGGING, f"the last final block is {final_age_s:.0f} s old, limit {limit_s:.0f} s"))
    worst = max((health for health, _ in found), default=Health.HEALTHY)
    return Condition(health=worst, reasons=tuple(text for _, text in found), final_age_s=max(final_age_s, 0.0))


def state_of(journal: Journal, found: Condition) -> ChainState:
    """How the chain does, as a market states it."""
    names: dict[Health, HealthName] = {
        Health.HEALTHY: "healthy",
        Health.LAGGING: "lagging",
        Health.HALTED: "halted",
        Health.FORKED: "forked",
        Health.GOVERNED: "governed",
    }
    return ChainState(chain=journal.chain, health=names[found.health], final_age_s=found.final_age_s)


def unexplained(journal: Journal, proven: Mapping[Key, int]) -> tuple[Unexplained, ...]:
    """Balances proven at the root that differ from what the movements up to it say, by key.

    Governance moves coins without a transaction of their owner (the council of Arbitrum on 2026-04-20, 30,766 ETH); a
    proof sees it, events do not."""
    return tuple(
        Unexplained(key=key, expected=journal.final.get(key, 0), proven=amount)
        for key, amount in sorted(proven.items())
        if amount != journal.final.get(key, 0)
    )


def kind_of(change: Unexplained) -> Literal["seized", "granted"]:
    """Whether an unexplained change took from an account, or gave to it."""
    return "seized" if change.proven < change.expected else "granted"
