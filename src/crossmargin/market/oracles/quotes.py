"""A price as one source said it, and the mark that many of them make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from crossmargin.market.oracles.document import Feed

MarkState: TypeAlias = Literal["NORMAL", "DEGRADED", "HALT"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What one feed said: nothing in it is believed before `gates` has looked at it, so anything may stand here.

    `price` and `confidence` (about one standard error, or 0 where the source gives none) in the quote currency;
    `publish_ns` when the source says it was made, `seen_ns` when it arrived; `quorum_ok` whether its signatures were
    verified; `decimals` those that the payload was scaled by, where it was an integer."""

    feed: Feed
    price: float
    confidence: float
    publish_ns: int
    seen_ns: int
    quorum_ok: bool = True
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequencer:
    """The sequencer of an L2 as its uptime feed tells: `since_ns` is when it last went up or down."""

    up: bool
    since_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """The one price of an upstream family; `kept` is false for an outlier, which still can stop new risk."""

    family: str
    price: float
    confidence: float
    publish_ns: int
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the sources say together, in the quote currency.

    `mid` is the median of the votes, `sigma` its standard deviation from confidence, dispersion and age;
    collateral counts at `lo` = mid − band × sigma (never below 0), debts at `hi`. `n_eff` is how many families were
    kept. `state`: NORMAL is at least two families that agree, DEGRADED fewer, HALT none, and then there is no price at
    all. `reasons` says why each quote or vote was left out. Votes stand in the order of their families."""

    mid: float | None
    lo: float | None
    hi: float | None
    sigma: float | None
    n_eff: int
    state: MarkState
    reasons: tuple[str, ...]
    votes: tuple[Vote, ...]
    time_ns: int
