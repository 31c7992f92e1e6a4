"""The terms of every instrument, as they cross a border (file, API).

The kind of a contract is stated, never inferred from its name. P&L of `q` units with multiplier `m`, P0 to P1:

=========  ======================  ===================================================
payout     settles in              P&L
=========  ======================  ===================================================
linear     quote currency          q m (P1 − P0)
inverse    base coin; m in quote   q m (1/P0 − 1/P1) coins
quanto     a third currency        q m (P1 − P0) in `settle`, at a fixed rate inside m
=========  ======================  ===================================================

An option with payout `inverse` pays m·max(F − K, 0)/F coins (per contract of m coins).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from crossmargin.core.finality import DEFAULT_LEVEL, DEFAULT_TRUST, LevelName, TrustName

Instant: TypeAlias = str | int
Payout: TypeAlias = Literal["linear", "inverse", "quanto"]
Right: TypeAlias = Literal["call", "put"]
Exercise: TypeAlias = Literal["european", "american"]
Premium: TypeAlias = Literal["upfront", "futures"]
Deliverable: TypeAlias = Literal["spot", "future"]
Unit: TypeAlias = Literal["unit", "percent", "basis_point", "vol_point"]


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family"):
    """What all families share: the canonical id, `SYMBOL.VENUE`."""

    id: str


class Spot(Terms, frozen=True, kw_only=True, tag="spot"):
    """A holding of one unit of `asset`, on `chain` (CAIP-2) where it lives on one."""

    asset: str
    chain: str = ""


class Token(Spot, frozen=True, kw_only=True):
    """One unit of `asset` as its `instance` (CAIP-19) on a chain, known at a level of finality and of trust.

    Made for collateral that names its instance; a book does not define it.
    """

    instance: str
    level: LevelName = DEFAULT_LEVEL
    trust: TrustName = DEFAULT_TRUST


class Perpetual(Terms, frozen=True, kw_only=True, tag="perpetual"):
    """A perpetual swap on `underlying`; `multiplier` is in coins (linear, quanto) or in quote currency (inverse)."""

    underlying: str
    payout: Payout
    settle: str
    multiplier: float = 1.0


class Future(Terms, frozen=True, kw_only=True, tag="future"):
    """A dated future on a coin, an index, a commodity or a currency pair."""

    underlying: str
    payout: Payout
    settle: str
    expiry: Instant
    multiplier: float = 1.0


class Option(Terms, frozen=True, kw_only=True, tag="option"):
    """An option on the forward of its own expiry (or, American, on the spot with its carry).

    `premium` "upfront": the value is an asset of the holder. "futures": variation margin is paid daily, so the value
    is never counted. `discounted`: whether a linear value is discounted on the curve of its quote currency (an
    American one always is). `deliverable`: what an American option is exercised into, which decides when to.
    """

    underlying: str
    payout: Payout
    settle: str
    expiry: Instant
    strike: float
    right: Right
    multiplier: float = 1.0
    exercise: Exercise = "european"
    premium: Premium = "upfront"
    deliverable: Deliverable = "spot"
    discounted: bool = True


class Forward(Terms, frozen=True, kw_only=True, tag="forward"):
    """An outright forward (an FX forward, say): worth D·m·(F − strike) in `settle` today."""

    underlying: str
    settle: str
    expiry: Instant
    strike: float
    multiplier: float = 1.0
    discounted: bool = True


class BondFuture(Terms, frozen=True, kw_only=True, tag="bond_future"):
    """A government-bond future, revalued through the yield of its cheapest-to-deliver bond.

    `coupon` is a decimal a year paid `coupons_per_year` times; price × `conversion_factor` is the bond's clean forward
    price per 100 of face. `multiplier` is currency per price point (1,000 for a 100,000 face).
    """

    underlying: str
    settle: str
    expiry: Instant
    coupon: float
    maturity: Instant
    conversion_factor: float
    multiplier: float
    coupons_per_year: int = 2


class Delta(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """P&L in `settle` for a move of `factor` by one `per` (100 %, 1 %, 1 bp, or one vol point)."""

    factor: str
    amount: float
    per: Unit = "unit"


class Gamma(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Second derivative to `factor` and `other` (itself by default), both moves counted in `per`.

    A mixed derivative is stated once: it counts `amount`·x·y, that to one factor ½·`amount`·x².
    """

    factor: str
    amount: float
    other: str = ""
    per: Unit = "unit"


class Sensitivities(Terms, frozen=True, kw_only=True, tag="sensitivities"):
    """An OTC trade given by its ladder: P&L = δ·x + ½ x'Γx over the moves x of its factors."""

    settle: str
    deltas: tuple[Delta, ...] = ()
    gammas: tuple[Gamma, ...] = ()
    underlying: str = ""


AnyTerms: TypeAlias = Spot | Perpetual | Future | Option | Forward | BondFuture | Sensitivities
