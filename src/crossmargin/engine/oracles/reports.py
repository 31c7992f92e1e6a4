"""What a replay found, step by step."""

from __future__ import annotations

import msgspec

from crossmargin.engine.oracles.document import Expected
from crossmargin.engine.reports import Status


class ReplayStep(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of an asset: what was said, what it counted for, and what the account did.

    `said` are the prices of the sources in their order, `market` the median of those that are not the one alone;
    `new_risk` and `settled` the prices of both clocks. `credit` is USD that one unit counts for when something is
    opened, `requirement_usd` the account's maintenance margin; `status` is its own by settled prices, `opening` says
    whether it may open something, by those of new risk, and `alone` what it would be by one source."""

    time_ms: int
    minute: float
    said: tuple[float, ...]
    market: float
    lo: float | None
    hi: float | None
    families: int
    mark_state: str
    new_risk: float | None
    settled: float | None
    peg: str
    credit: float
    requirement_usd: float
    status: Status
    opening: Status
    alone: Status


class AssetReplay(msgspec.Struct, frozen=True, kw_only=True):
    """An asset through the day.

    `cut_ms` is when a unit first counted for less than at the start, `passed_ms` when the market price went below what
    a unit had counted for at the start, `liquidated_ms` and `alone_ms` when the account was liquidated, or would have
    been by one source alone. `over_market` is the most by which a unit ever counted for more than its market price, as
    a share of that: above 0 a new loan would have been a loss."""

    asset: str
    sources: tuple[str, ...]
    alone: str
    haircut: float
    cut_ms: int | None
    passed_ms: int | None
    liquidated_ms: int | None
    alone_ms: int | None
    over_market: float
    steps: tuple[ReplayStep, ...]


class OracleReplay(msgspec.Struct, frozen=True, kw_only=True):
    """A day; `held` says whether what was expected came true."""

    id: str
    label: str
    start_ms: int
    expected: Expected
    held: bool
    assets: tuple[AssetReplay, ...]
    sources: tuple[str, ...]
    assumed: str
    date: str
    model: str
    version: str
