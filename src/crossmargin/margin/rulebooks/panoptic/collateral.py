"""Collateral of Panoptic v1's option legs and of the pairs that share risk.

Amounts are in the asset that a leg moves: puts in the numeraire (size times strike), calls in coins.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.terms import Right

Partner: TypeAlias = Literal["none", "spread", "strangle"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class Parameters(_Part, frozen=True, kw_only=True):
    """Ratios, and where between the two utilisations they stand; `strangle` is the reading of an open rule."""

    source: str
    date: str
    coins: tuple[str, ...]
    numeraire: str
    sell_ratio: float
    buy_ratio: float
    buy_ratio_high: float
    utilisation_low: float
    utilisation_high: float
    strangle: Literal["halved_base", "halved_ratio"]
    book_utilisation_short: float
    book_utilisation_long: float

    def __post_init__(self) -> None:
        """Check that all are parts, and that utilisations ascend."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, float):
                check.within(value, name, 0.0, 1.0, where="panoptic-v1")
        if not self.utilisation_low < self.utilisation_high:
            raise InvalidInput(
                "utilisation_high",
                where="panoptic-v1",
                value=self.utilisation_high,
                limit=f"above utilisation_low ({self.utilisation_low})",
                remedy="Correct the parameter set.",
            )

    def sell_ratio_at(self, utilisation: float, *, strangle: bool = False) -> float:
        """Of a short leg: flat, then linear to all of it; a leg of a strangle starts from half."""
        half = 0.5 if strangle else 1.0
        if self.strangle == "halved_ratio":
            return half * self._between(self.sell_ratio, 1.0, utilisation)
        return self._between(half * self.sell_ratio, 1.0, utilisation)

    def buy_ratio_at(self, utilisation: float) -> float:
        """Of a long leg: flat, then linear down."""
        return self._between(self.buy_ratio, self.buy_ratio_high, utilisation)

    def _between(self, low: float, high: float, utilisation: float) -> float:
        part = (utilisation - self.utilisation_low) / (self.utilisation_high - self.utilisation_low)
        share = min(max(part, 0.0), 1.0)
        return low * (1.0 - share) + high * share


class Leg(_Part, frozen=True, kw_only=True):
    """`size` coins of a perpetual option, long > 0, in a pool of which `utilisation` is in use."""

    right: Right
    strike: float
    size: float
    utilisation: float

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.positive(self.strike, "strike", where="panoptic leg")
        check.finite(self.size, "size", where="panoptic leg")
        check.within(self.utilisation, "utilisation", 0.0, 1.0, where="panoptic leg")

    @property
    def amount(self) -> float:
        """What it moves: of the numeraire for a put, of coins for a call."""
        return abs(self.size) * (self.strike if self.right == "put" else 1.0)


class Position(_Part, frozen=True, kw_only=True):
    """One leg, or two that share risk: a `spread` (short first) or a `strangle` (put first), of equal size."""

    legs: tuple[Leg, ...]
    partner: Partner = "none"

    def __post_init__(self) -> None:
        """Check that the legs are what they are called."""
        shape = tuple((leg.right, leg.size < 0.0) for leg in self.legs)
        fits = {
            "none": len(shape) == 1,
            "spread": len(shape) == 2 and shape[0][0] == shape[1][0] and shape[0][1] and not shape[1][1],
            "strangle": shape == (("put", True), ("call", True)),
        }[self.partner]
        if not fits or len({abs(leg.size) for leg in self.legs}) > 1:
            limit = "legs of equal size: one; short and long of a type; or short put and short call"
            remedy = "Split the position."
            raise InvalidInput(self.partner, where="panoptic position", value=shape, limit=limit, remedy=remedy)


class Collateral(_Part, frozen=True, kw_only=True):
    """What a position asks for: of the numeraire (puts) and of coins (calls)."""

    numeraire: float
    coins: float


def margin_of(position: Position, price: float, parameters: Parameters) -> Collateral:
    """Collateral of a position at `price`, numeraire a coin.

    Short: amount·(ratio + 1 − S/K in the money) for a put, 1 − K/S for a call. Long: amount·buy ratio. Spread: the
    greater of its greatest loss and the long leg's. Strangle: both legs at half the ratio.
    Source: Panoptic v1, documentation of collateral requirements.
    """
    check.positive(price, "price", where="panoptic")
    if position.partner == "spread":
        short, long = position.legs
        asked = max(spread_loss(short, long), long_leg(long, parameters))
        return _in(short.right, asked)
    strangle = position.partner == "strangle"
    parts = [
        _in(
            leg.right,
            short_leg(leg, price, parameters, strangle=strangle) if leg.size < 0.0 else long_leg(leg, parameters),
        )
        for leg in position.legs
    ]
    return Collateral(numeraire=math.fsum(p.numeraire for p in parts), coins=math.fsum(p.coins for p in parts))


def _in(right: Right, amount: float) -> Collateral:
    return Collateral(numeraire=amount if right == "put" else 0.0, coins=amount if right == "call" else 0.0)


def short_leg(leg: Leg, price: float, parameters: Parameters, *, strangle: bool = False) -> float:
    """Of a short leg, in the asset it moves: its ratio, and the part of it that is in the money."""
    ratio = price / leg.strike if leg.right == "put" else leg.strike / price
    return leg.amount * (parameters.sell_ratio_at(leg.utilisation, strangle=strangle) + max(1.0 - ratio, 0.0))


def long_leg(leg: Leg, parameters: Parameters) -> float:
    """Of a long leg, in the asset it moves."""
    return leg.amount * parameters.buy_ratio_at(leg.utilisation)


def spread_loss(short: Leg, long: Leg) -> float:
    """The greatest loss of a spread, in the asset it moves; a call's in coins, which is most far above both strikes."""
    if short.right == "put":
        return abs(short.size) * max(short.strike - long.strike, 0.0)
    return abs(short.size) * max(1.0 - short.strike / long.strike, 0.0)
