"""The library of failures as it crosses a border: events that happened, what each does to a book, and composites.

What an event does is a list of effects. Some are moves of factors, which enter the same R as prices do; others are
states: a chain that stands still, a price that an oracle gets wrong, a way out that is closed. A target is a name, or
relative to the book: `largest` (chain or bridge), `largest_l2`, `largest_bridged`, `largest_stable`, `largest_rate`
(what is worth a growing number of its reference).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["bridge", "chain", "finality", "governance", "depeg", "oracle", "cascade"]
Health: TypeAlias = Literal["lagging", "halted", "reorganised", "governed"]
CHAIN_TARGETS = ("largest", "largest_l2")
ASSET_TARGETS = ("largest_bridged", "largest_stable", "largest_rate")
BRIDGE_TARGETS = ("largest",)


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class _Effect(_Part, frozen=True, kw_only=True, tag_field="effect"):
    """Shared settings of all effects."""


class Move(_Effect, frozen=True, kw_only=True, tag="move"):
    """Moves of market factors, relative; `spot:*` is every price of that kind not named itself.

    `shocks` are the larger figures where sources differ; `milder` has the other end, by the same names."""

    shocks: dict[str, float]
    milder: dict[str, float] = {}


class ForcedSales(_Effect, frozen=True, kw_only=True, tag="forced_sales"):
    """Liquidations follow the moves and move prices further, over all accounts, until nothing moves any more."""


class Backing(_Effect, frozen=True, kw_only=True, tag="backing"):
    """A bridge loses a share of what backs its tokens: from `loss_lo` to `loss_hi`, sources differing.

    The market takes no notice for `silent_s`, then falls over `falls_s`. `provable`: proofs of supply and lockbox would
    show it; not where a forged proof is what went wrong. `recovered` is the share that came back in the end."""

    bridge: str = "largest"
    loss_lo: float = 1.0
    loss_hi: float = 1.0
    silent_s: float = 0.0
    falls_s: float = 0.0
    provable: bool = True
    recovered: float = 0.0


class Chain(_Effect, frozen=True, kw_only=True, tag="chain"):
    """A chain stands still, no longer finalises, takes back `reorg_s` of its blocks, or is changed by force."""

    chain: str
    health: Health
    reorg_s: float = 0.0


class Peg(_Effect, frozen=True, kw_only=True, tag="peg"):
    """An asset trades off its peg by `low` (−0.12 is 12 % under) at the worst, which `high` is the milder figure of.

    On `venues` one, the others show `elsewhere`. `redemption_open`: it can be given back at its peg meanwhile."""

    asset: str
    low: float
    high: float
    elsewhere: float = 0.0
    venues: Literal["all", "one"] = "all"
    redemption_open: bool = True
    falls_s: float = 0.0


class Oracle(_Effect, frozen=True, kw_only=True, tag="oracle"):
    """Sources say `deviation` of an asset while its market stands: `poisoned` of `sources` that come from one upstream.

    `milder` is the lesser figure where reports differ. With `cap_ratio`, a rate cap whose ratio is stale under a fresh
    time says it: its ratio, over that of the market."""

    asset: str
    deviation: float
    milder: float | None = None
    sources: int = 3
    poisoned: int = 1
    cap_ratio: float | None = None


class Custody(_Effect, frozen=True, kw_only=True, tag="custody"):
    """A venue on a chain loses client assets: from `loss_lo` to `loss_hi` of what is held on that chain."""

    chain: str
    loss_lo: float
    loss_hi: float


class Exit(_Effect, frozen=True, kw_only=True, tag="exit"):
    """An asset cannot be withdrawn or sold: a lending market at full use."""

    asset: str


class Fees(_Effect, frozen=True, kw_only=True, tag="fees"):
    """Transfers on a chain cost `multiple` times as much."""

    chain: str
    multiple: float


class Limits(_Effect, frozen=True, kw_only=True, tag="limits"):
    """A bridge's rate limits are used up by others."""

    bridge: str = "largest"


Effect: TypeAlias = Move | ForcedSales | Backing | Chain | Peg | Oracle | Custody | Exit | Fees | Limits


class FailureEvent(_Part, frozen=True, kw_only=True):
    """One event. `magnitude_lo` to `magnitude_hi` in `unit`; `duration_s` and `detect_s` as [least, most], where
    sources differ; none where nobody says how long it took to notice. `assumed` says what of the model no source does.
    """

    id: str
    label: str
    kind: Kind
    start_utc: str
    magnitude_lo: float
    magnitude_hi: float
    unit: Literal["USD", "share", "seconds", "blocks"]
    duration_s: tuple[float, float]
    detect_s: tuple[float, float] | None = None
    affected: tuple[str, ...]
    model: tuple[Effect, ...]
    sources: tuple[str, ...]
    assumed: str = ""


class Composite(_Part, frozen=True, kw_only=True):
    """Several events at once, and effects of its own; `duration_s` replaces that of the parts where it is said.

    `retarget` turns targets of the parts into others; `replaces` names effects of the parts that its own stand for."""

    id: str
    label: str
    parts: tuple[str, ...] = ()
    model: tuple[Effect, ...] = ()
    duration_s: tuple[float, float] | None = None
    retarget: dict[str, str] = {}
    replaces: tuple[str, ...] = ()
    tests: str


class Detection(_Part, frozen=True, kw_only=True):
    """How often is looked, and when a late final block is a finding: at `lag_multiple` × its chain's time."""

    poll_s: float
    lag_multiple: float
    gap_deviations: float


class FailureLibrary(_Part, frozen=True, kw_only=True):
    """All events and composites, and how they are found out."""

    name: str
    date: str
    source: str
    detection: Detection
    events: tuple[FailureEvent, ...]
    composites: tuple[Composite, ...] = ()
