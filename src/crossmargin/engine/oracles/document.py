"""A day of an asset's prices, as it crosses a border: what each source said when, and what must follow."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from crossmargin.instruments.terms import Instant
from crossmargin.market.oracles.document import Feed

Expected: TypeAlias = Literal["no liquidation", "credit cut before loss"]
Points: TypeAlias = tuple[tuple[float, float], ...]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class SourcePath(_Part, frozen=True, kw_only=True):
    """What one source said: `points` of (minutes since the start, price), straight lines between them.

    The price is the middle of a book whose half spread is `half_spread_bps`."""

    feed: Feed
    points: Points
    half_spread_bps: float = 5.0


class ReplayedAsset(_Part, frozen=True, kw_only=True):
    """An asset on such a day.

    `fund` is what it redeems for by minute; `alone` names the source that a naive margin would have gone by;
    `closed_min` the minutes between which nobody could redeem. `haircut` is that of a calm day, `cushion` how far above
    its maintenance margin the account stands that holds it."""

    asset: str
    daily_vol: float
    haircut: float
    alone: str
    fund: Points
    paths: tuple[SourcePath, ...]
    closed_min: tuple[float, float] | None = None
    cushion: float = 0.01


class ReplayDocument(_Part, frozen=True, kw_only=True):
    """A day: figures by `sources`, `assumed` what no source says, above all the lines between the figures."""

    id: str
    label: str
    start: Instant
    duration_min: float
    step_min: float
    expected: Expected
    date: str
    sources: tuple[str, ...]
    assumed: str
    assets: tuple[ReplayedAsset, ...]
