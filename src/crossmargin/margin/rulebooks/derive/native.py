"""What a Derive account holds and what its feeds say, in the venue's own terms.

Amounts are signed numbers of coins, prices USD, except cash and values of collateral, which are units of the cash
stablecoin. Confidences lie in [0, 1] and are compared exactly, in the venue's unit of 1e-18: give a `Decimal` where a
value may stand one unit beside a threshold.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput

YEAR_S: Final = 31_536_000
DAY_S: Final = 86_400
SETTLEMENT_WINDOW_S: Final = 1_800  # Options settle on the average of the spot over their last half hour.
WAD: Final = 10**18  # One, in the venue's fixed point.

Confidence: TypeAlias = float | Decimal
Right: TypeAlias = Literal["call", "put"]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of everything native."""


class Svi(Part, frozen=True, kw_only=True):
    """A volatility feed: raw SVI with the forward and the time (years) that it was fitted to, which it keeps."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float
    forward: float
    tenor_years: float

    def __post_init__(self) -> None:
        for name in ("a", "b", "rho", "m", "sigma"):
            check.finite(getattr(self, name), name, where="volatility feed")
        check.positive(self.forward, "forward", where="volatility feed")
        check.positive(self.tenor_years, "tenor", where="volatility feed")
        if self.a + self.b * self.sigma < 0.0:
            raise InvalidInput(
                "a + b·σ", where="volatility feed", value=self.a + self.b * self.sigma, limit="at least 0",
                remedy="No total variance may be negative; the venue refuses such a feed.",
            )  # fmt: skip


class ExpiryFeed(Part, frozen=True, kw_only=True):
    """What the feeds say of one expiry.

    The forward is `forward_variable` + `forward_fixed`: the second is what the settlement average already holds, and
    no shock moves it (see `settlement_forward`). `rate` is a decimal a year.
    """

    seconds_to_expiry: int
    forward_variable: float
    forward_fixed: float = 0.0
    rate: float = 0.0
    forward_confidence: Confidence = 1.0
    rate_confidence: Confidence = 1.0
    vol_confidence: Confidence = 1.0
    svi: Svi | None = None

    def __post_init__(self) -> None:
        where = f"feed of the expiry in {self.seconds_to_expiry} s"
        check.within(self.seconds_to_expiry, "seconds to expiry", 0, 100 * YEAR_S, where=where)
        check.within(self.forward_variable, "forward", 0.0, check.QUANTITY_LIMIT, where=where)
        check.within(self.forward_fixed, "settled part of the forward", 0.0, check.QUANTITY_LIMIT, where=where)
        check.finite(self.rate, "rate", where=where)
        for name in ("forward_confidence", "rate_confidence", "vol_confidence"):
            wad(getattr(self, name), name.replace("_", " "), where=where)


class Feeds(Part, frozen=True, kw_only=True):
    """The feeds of one underlying. A perpetual that is disabled has confidence 1."""

    spot: float
    spot_confidence: Confidence = 1.0
    perp_price: float | None = None
    perp_confidence: Confidence = 1.0
    stable_price: float = 1.0
    expiries: tuple[ExpiryFeed, ...] = ()

    def __post_init__(self) -> None:
        check.within(self.spot, "spot", 0.0, check.QUANTITY_LIMIT, where="feeds")
        check.positive(self.stable_price, "stable price", where="feeds")
        if self.perp_price is not None:
            check.within(self.perp_price, "perpetual price", 0.0, check.QUANTITY_LIMIT, where="feeds")
        wad(self.spot_confidence, "spot confidence", where="feeds")
        wad(self.perp_confidence, "perpetual confidence", where="feeds")
        check.unique((str(e.seconds_to_expiry) for e in self.expiries), "expiry", where="feeds")


class Option(Part, frozen=True, kw_only=True):
    """A signed number of options. `vol` (decimal a year) stands in for the expiry's volatility feed."""

    seconds_to_expiry: int
    strike: float
    right: Right
    amount: float
    vol: float | None = None


class Collateral(Part, frozen=True, kw_only=True):
    """An amount of a coin that is not the cash, with its own price feed."""

    asset: str
    amount: float
    price: float
    confidence: Confidence = 1.0

    def __post_init__(self) -> None:
        where = f"collateral {self.asset}"
        check.within(self.amount, "amount", 0.0, check.QUANTITY_LIMIT, where=where)
        check.within(self.price, "price", 0.0, check.QUANTITY_LIMIT, where=where)
        wad(self.confidence, "confidence", where=where)


class Portfolio(Part, frozen=True, kw_only=True):
    """One account of one portfolio manager, which nets one underlying.

    `perp_pnl` is what the perpetual has gained since its last mark, `perp_funding` what it has accrued, both USD.
    """

    underlying: str
    feeds: Feeds
    cash: float = 0.0
    perp: float = 0.0
    perp_pnl: float = 0.0
    perp_funding: float = 0.0
    options: tuple[Option, ...] = ()
    collaterals: tuple[Collateral, ...] = ()


def wad(value: Confidence, what: str, *, where: str) -> int:
    """A number in [0, 1] in units of 1e-18, exactly as it is written."""
    units = int(Decimal(str(value)).scaleb(18)) if Decimal(str(value)).is_finite() else -1
    if not 0 <= units <= WAD:
        raise InvalidInput(what, where=where, value=value, limit="between 0 and 1", remedy="Correct the feed.")
    return units


def settlement_forward(forward: float, *, seconds_to_expiry: int, spot_average: float) -> tuple[float, float]:
    """The variable and the fixed part of the forward; they sum to what options settle on.

    `forward` is the spot plus the feed's difference, `spot_average` the average of the spot since the window of 1,800 s
    opened. With n seconds left the share n/1800 of the forward may still move, and the rest is fixed.
    Source: rulebook reference 1.3, "Forward".
    """
    left = min(seconds_to_expiry, SETTLEMENT_WINDOW_S) / SETTLEMENT_WINDOW_S
    return forward * left, spot_average * (1.0 - left) if left < 1.0 else 0.0
