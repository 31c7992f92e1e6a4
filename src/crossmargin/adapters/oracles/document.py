"""What oracles said, as a file: payloads as they came, tickers, redemption rates, and what is known of each asset."""

from __future__ import annotations

from typing import Annotated

import msgspec

from crossmargin.instruments.terms import Instant
from crossmargin.market.oracles.document import Feed, OracleRules, PegRules


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class SaidTicker(_Part, frozen=True, kw_only=True):
    """Best bid and ask of a venue at `time`, in USD."""

    source: str
    bid: float
    ask: float
    time: Instant


class SaidRound(_Part, frozen=True, kw_only=True):
    """A round of an aggregator, read at `seen`; the times that it states are in seconds."""

    source: str
    answer: int
    decimals: int
    updated_at: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    seen: Instant


class SaidPackages(_Part, frozen=True, kw_only=True):
    """Calldata with RedStone's packages in hexadecimal, taken at `seen`: `threshold` of `signers` (addresses)."""

    source: str
    feed_id: str
    calldata: str
    signers: tuple[str, ...]
    threshold: int
    seen: Instant


class SaidRouters(_Part, frozen=True, kw_only=True):
    """Who signs Pyth's updates, by index, and the emitter, all in hexadecimal."""

    addresses: tuple[str, ...]
    emitter: str
    emitter_chain: int
    quorum: int = 3


class SaidHermes(_Part, frozen=True, kw_only=True):
    """An answer of Hermes in `file`, beside this one, taken at `seen`; `feeds` are sources by the ids of prices.

    With `routers` the signed part is verified; without, `quorum_ok` is the word of whoever wrote this file."""

    file: str
    feeds: dict[str, str]
    seen: Instant
    routers: SaidRouters | None = None
    quorum_ok: bool = False


class SaidCap(_Part, frozen=True, kw_only=True):
    """The cap on a redemption rate: ratio and time, which are one record."""

    ratio: float
    time: Instant
    growth_per_year: float = 0.1


class SaidRate(_Part, frozen=True, kw_only=True):
    """What a token redeems for, times 10^`decimals`, at `time`; `reference` is the USD price of what it redeems for."""

    source: str
    ratio: int | str
    decimals: int
    time: Instant
    cap: SaidCap
    reference: float = 1.0


class SaidSequencer(_Part, frozen=True, kw_only=True):
    """The sequencer of a chain (CAIP-2): `up` since `since`; without `up` its state is not known."""

    chain: str
    up: bool | None = None
    since: Instant = "1970-01-01T00:00:00Z"


class SaidAsset(_Part, frozen=True, kw_only=True):
    """An instance (CAIP-19) to be marked.

    `daily_vol` of its daily returns; `fund` what it redeems for in USD, for what has a peg in the registry other than
    USD; `feeds` beside those of the registry."""

    instance: str
    daily_vol: float
    fund: float | None = None
    backing: float = 1.0
    redemption_open: bool = True
    proofs_fresh: bool = True
    feeds: tuple[Feed, ...] = ()


class QuotesDocument(_Part, frozen=True, kw_only=True):
    """Everything that was said of some assets; names of sources are unique in it."""

    assets: tuple[SaidAsset, ...]
    tickers: tuple[SaidTicker, ...] = ()
    rounds: tuple[SaidRound, ...] = ()
    packages: tuple[SaidPackages, ...] = ()
    hermes: tuple[SaidHermes, ...] = ()
    rates: tuple[SaidRate, ...] = ()
    sequencers: tuple[SaidSequencer, ...] = ()
    rules: OracleRules = OracleRules()
    peg: PegRules = PegRules()
