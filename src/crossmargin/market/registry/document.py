"""A registry of assets as it crosses a border: records that are only ever added, each with the time it takes effect.

A record with a key that stands already is a later version of it. What margin reads at a time is, for each key, the
last version that has taken effect (`registry.Registry.at`).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from crossmargin.instruments.terms import Instant
from crossmargin.market.oracles.document import Feed

Family: TypeAlias = Literal["evm", "svm", "cosmos", "bitcoin"]
Kind: TypeAlias = Literal["native", "issuer_native", "lock_mint", "burn_mint", "lst", "vault_share", "synthetic"]
Status: TypeAlias = Literal["active", "close_only", "retired"]
Incident: TypeAlias = Literal["none", "watch", "paused", "exploited"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class _Record(_Part, frozen=True, kw_only=True):
    """What every record says: when it takes effect, and in which document, of which day, its figures stand."""

    valid_from: Instant
    source: str
    date: str


class Finality(_Part, frozen=True, kw_only=True):
    """When a chain's state no longer changes.

    `method`: the finalised `tag` of its nodes, a block `depth` of `blocks`, or `instant` with the commit. `final_s` is
    the conservative time until then, `soft_s` that of a promise short of it (a sequencer's), `exit_s` of the canonical
    way out, `halt_s` the length of a halt to be survived.
    """

    method: Literal["tag", "depth", "instant"]
    final_s: float
    blocks: int = 0
    soft_s: float | None = None
    exit_s: float | None = None
    halt_s: float


class Chain(_Record, frozen=True, kw_only=True):
    """A chain: `chain` is its CAIP-2 id, `aliases` its names in bridge protocols (`ccip`, `wormhole`, `cctp`, …)."""

    chain: str
    name: str
    family: Family
    finality: Finality
    sequencer: bool = False
    aliases: dict[str, str] = {}


class CanonicalAsset(_Record, frozen=True, kw_only=True):
    """What instances on chains stand for: counted in units of 10^−`decimals`; `issuer` is whose promise it is."""

    asset: str
    name: str
    decimals: int
    issuer: str = ""
    peg: str = ""


class Committee(_Part, frozen=True, kw_only=True):
    """`quorum` of `members`, all independent of each other, must sign."""

    members: int
    quorum: int


class VerifierSet(_Part, frozen=True, kw_only=True):
    """Who attests that a message is true: all `required`, `threshold` of `optional`, and a committee if there is one.

    `operator` names who runs a verifier, where that is not the verifier itself: two of one operator are one.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    threshold: int = 0
    committee: Committee | None = None
    operator: dict[str, str] = {}


class LaneLimit(_Part, frozen=True, kw_only=True):
    """A token bucket from one chain to another: `capacity` in the asset's smallest canonical units, refilled by
    `refill_per_s` of them a second (decimal text, for both exceed what JSON counts exactly)."""

    asset: str
    origin: str
    destination: str
    capacity: str
    refill_per_s: str


class Bridge(_Record, frozen=True, kw_only=True):
    """A bridge: who must be honest, when it takes a message for final, and how much may depend on it.

    `exposure_cap` is the share of equity that may stand behind it. A bridge that an `issuer` runs for its own assets
    alone adds no party whom its holders do not trust already.
    """

    bridge: str
    name: str
    verifiers: VerifierSet
    finality_knob: str
    exposure_cap: float
    incident: Incident = "none"
    issuer: str = ""
    limits: tuple[LaneLimit, ...] = ()


class ProofSlot(_Part, frozen=True, kw_only=True):
    """The storage behind a balance: a mapping at `slot`, whose key is hashed as the compiler's `layout` says."""

    slot: int
    layout: Literal["solidity", "vyper"]


class BackingEdge(_Part, frozen=True, kw_only=True):
    """What stands behind an instance: `home` (CAIP-19) held at `lockbox` (CAIP-10) by a bridge.

    The invariant: the supply of all instances behind one lockbox never exceeds what it holds.
    """

    bridge: str
    home: str
    lockbox: str = ""
    proof: ProofSlot | None = None


class Ramp(_Part, frozen=True, kw_only=True):
    """How far an instance counts: from `from_usd` at `start` in a straight line to `cap_usd` after `days`, and never
    more than `liquidity_share` of the liquidity that is proven on the day."""

    start: Instant
    days: float
    cap_usd: float
    liquidity_share: float
    from_usd: float = 0.0


class AssetInstance(_Record, frozen=True, kw_only=True):
    """A token on a chain; `instance` (CAIP-19) is its key, `symbol` is for display alone.

    `scale`: smallest canonical units in its smallest unit, as a ratio ("1/1000000000000"); it must be said where the
    decimals differ from those of the canonical asset, and must agree with them. Without a ramp nothing counts.
    """

    instance: str
    symbol: str
    canonical: str
    decimals: int
    kind: Kind
    status: Status = "active"
    scale: str = ""
    backing: tuple[BackingEdge, ...] = ()
    feeds: tuple[Feed, ...] = ()
    ramp: Ramp | None = None


class Limits(_Part, frozen=True, kw_only=True):
    """What a registry refuses.

    `single_verifier_cap`: the largest exposure cap of a bridge whose word one party can forge. `ramp_days_min`: how
    slowly collateral may begin to count.
    """

    single_verifier_cap: float = 0.0
    ramp_days_min: float = 7.0


class RegistryDocument(_Part, frozen=True, kw_only=True):
    """All records, in the order in which they were added."""

    limits: Limits = Limits()
    chains: tuple[Chain, ...] = ()
    assets: tuple[CanonicalAsset, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    instances: tuple[AssetInstance, ...] = ()
