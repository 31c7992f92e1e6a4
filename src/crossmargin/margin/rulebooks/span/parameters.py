"""What a SPAN-style margin is computed from: combined commodities, risk arrays, spreads; all from the user's file.

Amounts are in the currency of their commodity and losses are positive. A risk array holds what one contract held long
loses at each of the sixteen points after the look-ahead time, the cover fraction of the far moves already in it.

Source: CME, "Components of SPAN", and its public SPAN pages on combined commodities and file layouts, November 2026.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.terms import Right

POINTS: Final = 16
Side: TypeAlias = Literal["A", "B"]
RateType: TypeAlias = Literal["wpr", "flat", "pmps"]
PriceRiskMethod: TypeAlias = Literal["normal", "scanrange", "scanrange_cap"]
_AMOUNT_MOST: Final = 1e15


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts of a parameter set."""


class ScanPoint(Part, frozen=True, kw_only=True):
    """One of the sixteen points: moves in units of the price and volatility scan ranges.

    `extreme` points move by the extreme multiple instead of `price`, whose sign counts. `pair` is the number (from 1)
    of the point that moves the price alike and volatility the other way; a point without one is its own pair.
    """

    price: float
    volatility: float
    pair: int
    extreme: bool = False


STANDARD_POINTS: Final = (
    *(
        ScanPoint(price=price, volatility=vol, pair=2 * i + (2 if vol > 0.0 else 1))
        for i, price in enumerate((0.0, 1 / 3, -1 / 3, 2 / 3, -2 / 3, 1.0, -1.0))
        for vol in (1.0, -1.0)
    ),
    ScanPoint(price=1.0, volatility=0.0, pair=15, extreme=True),
    ScanPoint(price=-1.0, volatility=0.0, pair=16, extreme=True),
)


class SpanContract(Part, frozen=True, kw_only=True):
    """One contract: `losses` [point] of one held long, and its composite `delta`, scaled to the commodity's unit.

    `period` (YYYYMM or YYYYMMDD) is the month under which its delta is spread: that of the future, for an option on
    one. `value` is what one contract is worth; of an option it counts as option value where the premium is paid up
    front (`premium`). `short_minimum` is what one sold option asks for at least.
    """

    id: str
    losses: tuple[float, ...]
    delta: float
    period: str = ""
    right: Right | None = None
    premium: bool = True
    value: float = 0.0
    short_minimum: float = 0.0

    def __post_init__(self) -> None:
        """Check all numbers."""
        where = f"contract {self.id}"
        if len(self.losses) != POINTS:
            raise InvalidInput(
                "losses", where=where, value=len(self.losses), limit=f"{POINTS} values", remedy="State every point."
            )
        for number, loss in enumerate(self.losses, 1):
            check.within(loss, f"loss {number}", -_AMOUNT_MOST, _AMOUNT_MOST, where=where)
        for name in ("delta", "value"):
            check.within(getattr(self, name), name, -_AMOUNT_MOST, _AMOUNT_MOST, where=where)
        check.within(self.short_minimum, "short_minimum", 0.0, _AMOUNT_MOST, where=where)
        check_period(self.period, "period", where=where)

    @property
    def is_option_value(self) -> bool:
        """Whether its value is option value: an option whose premium is paid up front."""
        return self.right is not None and self.premium


class Tier(Part, frozen=True, kw_only=True):
    """Contracts whose periods lie from `first` to `last`, both included; an empty end is open."""

    number: int
    first: str = ""
    last: str = ""

    def __post_init__(self) -> None:
        """Check that both ends are periods, in their order."""
        where = f"tier {self.number}"
        check_period(self.first, "first", where=where)
        check_period(self.last, "last", where=where)
        if self.first and self.last and self.first[:6] > self.last[:6]:
            raise InvalidInput("last", where=where, value=self.last, limit=f"from {self.first} on", remedy="Swap them.")

    def holds(self, period: str) -> bool:
        """Whether a period lies in the tier; a month holds all its days."""
        low, high = self.first, self.last
        return (not low or period[: len(low)] >= low) and (not high or period[: len(high)] <= high)


class IntraLeg(Part, frozen=True, kw_only=True):
    """A side of a spread inside a commodity: a `tier` by its number, or a `period`; `ratio` deltas a spread."""

    side: Side
    tier: int | None = None
    period: str = ""
    ratio: float = 1.0

    def __post_init__(self) -> None:
        """Check that it names one of the two, and that its ratio is above zero."""
        check.positive(self.ratio, "ratio", where="leg")
        check_period(self.period, "period", where="leg")
        if (self.tier is None) == (not self.period):
            raise InvalidInput(
                "leg", where="leg", value=self.tier, limit="either a tier or a period", remedy="State one of the two."
            )


class IntraSpread(Part, frozen=True, kw_only=True):
    """A spread between months, formed in the order of `priority` at `charge` a spread, or a month a spread (pmps)."""

    priority: int
    charge: float
    legs: tuple[IntraLeg, ...]
    rate_type: Literal["flat", "pmps"] = "flat"

    def __post_init__(self) -> None:
        """Check the charge and that both sides have a leg."""
        where = f"spread {self.priority}"
        check.within(self.charge, "charge", -_AMOUNT_MOST, _AMOUNT_MOST, where=where)
        check_sides((leg.side for leg in self.legs), where=where)
        if self.rate_type == "pmps" and not all(leg.period for leg in self.legs):
            raise InvalidInput(
                "legs", where=where, value="tiers", limit="periods, where the rate is a month's", remedy="Name periods."
            )

    @property
    def months(self) -> int:
        """Whole months between its first and its last period."""
        when = sorted(int(leg.period[:4]) * 12 + int(leg.period[4:6]) for leg in self.legs)
        return when[-1] - when[0]


class SpotCharge(Part, frozen=True, kw_only=True):
    """Charges in a delivery month: per delta that spreads have taken, and per delta that is left outright."""

    period: str
    spread: float
    outright: float

    def __post_init__(self) -> None:
        """Check both charges."""
        check_period(self.period, "period", where="spot charge")
        for name in ("spread", "outright"):
            check.within(getattr(self, name), name, 0.0, _AMOUNT_MOST, where=f"spot charge {self.period}")


class CommodityRules(Part, frozen=True, kw_only=True):
    """How the arrays of one combined commodity become a requirement.

    `scan_tiers` are scanned apart and added up; `tiers` are what spreads between months name. `price_scan` is the price
    scan range of one delta, which the price-risk methods `scanrange` and `scanrange_cap` use. The short option minimum
    counts all sold options (`gross`) or the larger of calls and puts (`max`). With `cap_value`, option value beyond
    the commodity's own risk is of no use to others. Risk counts `adjustment` times at maintenance, and that
    `initial_ratio` times at initial.
    """

    price_risk: PriceRiskMethod = "normal"
    price_scan: float = 0.0
    short_minimum: Literal["gross", "max"] = "gross"
    cap_value: bool = False
    adjustment: float = 1.0
    initial_ratio: float = 1.0
    scan_tiers: tuple[Tier, ...] = ()
    tiers: tuple[Tier, ...] = ()
    spreads: tuple[IntraSpread, ...] = ()
    spot: tuple[SpotCharge, ...] = ()

    def __post_init__(self) -> None:
        """Check all numbers, and that every leg names a tier that there is."""
        where = "commodity rules"
        check.within(self.price_scan, "price_scan", 0.0, _AMOUNT_MOST, where=where)
        check.within(self.adjustment, "adjustment", 0.0, 100.0, where=where)
        check.within(self.initial_ratio, "initial_ratio", 1.0, 100.0, where=where)
        for name in ("scan_tiers", "tiers"):
            check.unique((str(tier.number) for tier in getattr(self, name)), "tier", where=f"{where}: {name}")
        check.unique((charge.period for charge in self.spot), "period", where=f"{where}: spot")
        numbers = {str(tier.number) for tier in self.tiers}
        for spread in self.spreads:
            for leg in spread.legs:
                if leg.tier is not None:
                    check.known(str(leg.tier), numbers, "tier", where=f"spread {spread.priority}")


class Commodity(Part, frozen=True, kw_only=True):
    """A combined commodity: contracts that offset one another in one scan, in one currency."""

    code: str
    contracts: tuple[SpanContract, ...] = ()
    currency: str = "USD"
    rules: CommodityRules = CommodityRules()


class InterLeg(Part, frozen=True, kw_only=True):
    """A side of a spread between commodities: `ratio` deltas of `commodity` a spread, at its own `rate` if stated."""

    commodity: str
    side: Side
    ratio: float = 1.0
    rate: float | None = None

    def __post_init__(self) -> None:
        """Check its numbers."""
        check.positive(self.ratio, "ratio", where=f"leg {self.commodity}")
        if self.rate is not None:
            check.within(self.rate, "rate", -_AMOUNT_MOST, _AMOUNT_MOST, where=f"leg {self.commodity}")


class InterSpread(Part, frozen=True, kw_only=True):
    """A credit between commodities, formed in the order of `priority`; negative rates are charges.

    `rate` is a part of the weighted price risk (wpr), an amount a spread shared equally by its legs (flat), or such an
    amount for each of `months` (pmps).
    """

    priority: int
    rate: float
    legs: tuple[InterLeg, ...]
    rate_type: RateType = "wpr"
    months: float = 0.0

    def __post_init__(self) -> None:
        """Check its rate, that both sides have a leg, and that no commodity stands on two legs."""
        where = f"inter-commodity spread {self.priority}"
        check.within(self.rate, "rate", -_AMOUNT_MOST, _AMOUNT_MOST, where=where)
        check_sides((leg.side for leg in self.legs), where=where)
        check.unique((leg.commodity for leg in self.legs), "commodity", where=where)
        if self.rate_type == "pmps":
            check.positive(self.months, "months", where=where)
        for rate in (self.rate, *(leg.rate for leg in self.legs if leg.rate is not None)):
            if self.rate_type == "wpr":
                check.within(rate, "rate (a part of the price risk)", -10.0, 10.0, where=where)


class ScanRange(Part, frozen=True, kw_only=True):
    """The scan ranges of one underlying, from which arrays of a book's own contracts are made.

    `price` is a part of the spot (relative) or in its quote currency (absolute). `volatility` is a part of each
    option's own volatility (relative), or in volatility points as a decimal, 0.04 being four points (absolute).
    Far moves are `extreme_multiple` times the price range, and `cover` of their loss counts. `delta_weights` are of
    the prices unmoved and ⅓, ⅔ and one range to either side. `calendar` is what spreading one delta between two months
    costs, a part of the later month's price. `short_minimum` is USD for one coin of an option sold.
    """

    price: float
    volatility: float
    price_unit: Literal["relative", "absolute"] = "relative"
    volatility_unit: Literal["relative", "absolute"] = "relative"
    extreme_multiple: float = 3.0
    cover: float = 0.33
    horizon_days: float = 1.0
    delta_weights: tuple[float, float, float, float] = (0.27, 0.217, 0.111, 0.037)
    calendar: float | None = None
    short_minimum: float = 0.0
    rules: CommodityRules = CommodityRules()

    def __post_init__(self) -> None:
        """Check all numbers; no move may take a price or a volatility to zero."""
        where = "scan range"
        relative, steps = self.price_unit == "relative", max(self.extreme_multiple, 1.0)
        check.within(self.extreme_multiple, "extreme_multiple", 0.0, 100.0, where=where)
        check.within(self.price, "price", 0.0, _below(1.0 / steps) if relative else _AMOUNT_MOST, where=where)
        most = _below(1.0) if self.volatility_unit == "relative" else 100.0
        check.within(self.volatility, "volatility", 0.0, most, where=where)
        check.within(self.cover, "cover", 0.0, 1.0, where=where)
        check.within(self.horizon_days, "horizon_days", 0.0, 365.0, where=where)
        for weight in self.delta_weights:
            check.within(weight, "delta weight", 0.0, 1.0, where=where)
        check.within(self.delta_weights[0] + 2.0 * sum(self.delta_weights[1:]), "sum of delta weights (both sides)",
                     1.0 - 1e-9, 1.0 + 1e-9, where=where)  # fmt: skip
        if self.calendar is not None:
            check.within(self.calendar, "calendar", 0.0, 1.0, where=where)
        check.within(self.short_minimum, "short_minimum", 0.0, _AMOUNT_MOST, where=where)


class FileContract(Part, frozen=True, kw_only=True):
    """Which contract of the file an instrument of a book is, and how many of it one of the book's contracts is."""

    contract: str
    contracts: float = 1.0

    def __post_init__(self) -> None:
        """Check the number."""
        check.positive(self.contracts, "contracts", where=f"mapping to {self.contract}")


class SpanParameters(Part, frozen=True, kw_only=True):
    """All of a file, and how a book reads under it.

    An instrument of a book is the contract that `mapping` names for its id. Where it names none, arrays are made from
    the scan range that `ranges` gives for its underlying; what has neither is refused by name.
    """

    source: str
    date: str
    points: tuple[ScanPoint, ...] = STANDARD_POINTS
    commodities: tuple[Commodity, ...] = ()
    inter_spreads: tuple[InterSpread, ...] = ()
    mapping: dict[str, FileContract] = {}
    ranges: dict[str, ScanRange] = {}

    def __post_init__(self) -> None:
        """Check that names are unique and known, and that points are sixteen with pairs among them."""
        where = f"SPAN parameters {self.source}"
        codes = [*(c.code for c in self.commodities), *self.ranges]
        check.unique(codes, "combined commodity", where=where)
        ids = [contract.id for commodity in self.commodities for contract in commodity.contracts]
        check.unique(ids, "contract", where=where)
        known = set(ids)
        for name, target in self.mapping.items():
            check.known(target.contract, known, f"contract of {name}", where=f"{where}: mapping")
        for spread in self.inter_spreads:
            for leg in spread.legs:
                check.known(leg.commodity, codes, "combined commodity", where=f"{where}: spread {spread.priority}")
        check_points(self.points, where=where)


def check_points(points: tuple[ScanPoint, ...], *, where: str) -> None:
    """Raise `InvalidInput` for other than sixteen points, pairs that are not among them, or moves out of range."""
    if len(points) != POINTS:
        raise InvalidInput("points", where=where, value=len(points), limit=f"{POINTS}", remedy="State every point.")
    for number, point in enumerate(points, 1):
        at = f"{where}: point {number}"
        check.within(point.pair, "pair", 1, POINTS, where=at)
        check.within(point.price, "price", -1.0, 1.0, where=at)
        check.within(point.volatility, "volatility", -1.0, 1.0, where=at)


def check_sides(sides: Iterable[str], *, where: str) -> None:
    """Raise `InvalidInput` where one of the two sides has no leg."""
    found = sorted(set(sides))
    if found != ["A", "B"]:
        raise InvalidInput(
            "legs", where=where, value=", ".join(found) or "none", limit="on both sides, A and B", remedy="Complete it."
        )


def check_period(period: str, what: str, *, where: str) -> None:
    """Raise `InvalidInput` for what is neither empty nor a month (YYYYMM) or day (YYYYMMDD)."""
    if period and not (period.isascii() and period.isdigit() and len(period) in (6, 8) and 1 <= int(period[4:6]) <= 12):
        raise InvalidInput(what, where=where, value=period, limit="YYYYMM or YYYYMMDD", remedy="Correct the file.")


def _below(limit: float) -> float:
    return math.nextafter(limit, 0.0)
