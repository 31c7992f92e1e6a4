"""Chains, bridges and tokens at the market's time, as they cross a border; what they are says the registry."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from crossmargin.core.finality import HealthName

BridgeCondition: TypeAlias = Literal["open", "paused", "exploited"]
PegName: TypeAlias = Literal["normal", "watch", "stress", "broken"]


NEEDED_WITHIN_S: Final = 3600.0  # An hour: what a margin call leaves to those who have to bring more.


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class ChainState(_Part, frozen=True, kw_only=True):
    """How `chain` (CAIP-2) does, and how old its last final block is."""

    chain: str
    health: HealthName
    final_age_s: float


class BridgeState(_Part, frozen=True, kw_only=True):
    """Whether `bridge` carries, and what is locked at home over what it has issued abroad."""

    bridge: str
    backing_ratio: float
    state: BridgeCondition = "open"


class Transfer(_Part, frozen=True, kw_only=True):
    """The way from where a token is to where it is needed, in place of the market's routes: what it costs and how long
    it takes.

    `cost_usd` for each transfer and `cost_bps` of what is moved; `p50_s` and `p95_s` from finality at the origin to
    use at the destination.
    """

    route: str
    p50_s: float
    p95_s: float
    cost_usd: float = 0.0
    cost_bps: float = 0.0


class InstanceState(_Part, frozen=True, kw_only=True):
    """One token on one chain, `instance` (CAIP-19).

    `market_ratio` is its own price over that of what it stands for; it must be said of what came over a bridge.
    `held_ratio` is the same for risk that was taken before, where settled prices differ from those of new risk: never
    below `market_ratio` but for what a broken peg has run off. Without it a broken peg leaves nothing there either.
    `liquidity_usd` is what is proven to be sold without moving that price, `peg` its state over time.
    """

    instance: str
    liquidity_usd: float
    market_ratio: float | None = None
    held_ratio: float | None = None
    peg: PegName = "normal"
    transfer: Transfer | None = None


class ChainsDocument(_Part, frozen=True, kw_only=True):
    """What a market says of chains. With `needed_on` (CAIP-2) collateral must get there.

    `registry` is the file that says what they are, beside the market's own; the shipped one without a name. `routes` is
    a table of routes beside it, or "default" for the one that ships: each token takes the cheapest that is there within
    `needed_within_s`. A `transfer` that its instance states comes before them, and is needed where there are none.
    """

    registry: str = ""
    needed_on: str = ""
    routes: str = ""
    needed_within_s: float = NEEDED_WITHIN_S
    chains: tuple[ChainState, ...] = ()
    bridges: tuple[BridgeState, ...] = ()
    instances: tuple[InstanceState, ...] = ()
