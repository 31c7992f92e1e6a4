"""The requirement of a portfolio on SPAN's own terms.

loss_j = Σ q·array_j;  scan = Σ over scan tiers of max(0, max_j loss_j);  the active point is the first argmax
volatility-adjusted scan = mean of the active point and its pair;  time risk = mean of points 1 and 2
price risk = max(0, volatility-adjusted scan − time risk);  weighted price risk = price risk/|net delta|
risk = max(scan + spread charges + spot charges − credits, short option minimum)
maintenance = max(0, Σ risk·adjustment − net option value), initial likewise with risk·initial ratio
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, tally
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.span.parameters import (
    Commodity,
    CommodityRules,
    InterSpread,
    ScanPoint,
    SpanContract,
    SpanParameters,
)
from crossmargin.margin.rulebooks.span.spreads import (
    FormedSpread,
    IntraSpreads,
    form_inter,
    form_intra,
    spot_charge,
)


class CommodityMargin(msgspec.Struct, frozen=True, kw_only=True):
    """One combined commodity, in its currency: everything that enters its risk.

    `losses` [point] are of all scan tiers together; `active` is the number (from 1) of the point that sets the scan, of
    the first tier with a loss. `option_value` is net, `long_only` tells whether options bought are all there is; then
    risk counts at most their value.
    """

    code: str
    currency: str
    losses: tuple[float, ...]
    active: int
    scan: float
    time_risk: float
    price_risk: float
    net_delta: float
    weighted_price_risk: float
    intra_charge: float
    spot_charge: float
    inter_credit: float
    short_minimum: float
    risk: float
    option_value: float
    long_only: bool
    spreads: tuple[FormedSpread, ...]


class SpanMargin(msgspec.Struct, frozen=True, kw_only=True):
    """Requirements in the base currency, and all that they are made of."""

    commodities: tuple[CommodityMargin, ...]
    inter_spreads: tuple[FormedSpread, ...]
    maintenance: float
    initial: float

    def commodity(self, code: str) -> CommodityMargin:
        """The margin of one combined commodity; raises `UnknownName`."""
        check.known(code, [c.code for c in self.commodities], "combined commodity", where="SPAN margin")
        return next(c for c in self.commodities if c.code == code)


def margin_of(
    positions: Mapping[str, float], parameters: SpanParameters, *, rates: Mapping[str, float] | None = None
) -> SpanMargin:
    """The margin of `positions`: signed contracts by the id of the contract.

    `rates` is what a unit of each currency is worth in the base currency; a single currency needs none. Raises
    `UnknownName` for a contract or rate that there is not, `InvalidInput` for a number out of range.
    """
    held = held_in(positions, parameters.commodities)
    return margin_of_held(held, parameters.inter_spreads, parameters.points, rates=rates)


def held_in(positions: Mapping[str, float], commodities: Iterable[Commodity]) -> tuple[Held, ...]:
    """The commodities of which a portfolio holds something, each with the contracts held, by their ids."""
    for name, quantity in positions.items():
        check.quantity(quantity, "quantity", where=f"position {name}")
    listed = tuple(commodities)
    known = {contract.id for commodity in listed for contract in commodity.contracts}
    for name in positions:
        check.known(name, known, "contract", where="positions")
    found = []
    for commodity in listed:
        mine = sorted((c for c in commodity.contracts if positions.get(c.id)), key=lambda c: c.id)
        if mine:
            found.append(
                Held(
                    code=commodity.code,
                    currency=commodity.currency,
                    rules=commodity.rules,
                    contracts=tuple(mine),
                    quantity=np.asarray([float(positions[c.id]) for c in mine]),
                )
            )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """What is held of one combined commodity: `contracts` and their signed `quantity` [contract]."""

    code: str
    currency: str
    rules: CommodityRules
    contracts: tuple[SpanContract, ...]
    quantity: FloatArray

    def column(self, name: str) -> FloatArray:
        """A number of each contract [contract]."""
        return np.asarray([getattr(c, name) for c in self.contracts], float)

    @property
    def losses(self) -> FloatArray:
        """Loss of each scan tier at each point [tier, point]."""
        each = self.quantity[:, None] * np.asarray([c.losses for c in self.contracts])
        if not self.rules.scan_tiers:
            return np.asarray(each.sum(axis=0, keepdims=True))
        tier = np.asarray([_tier_of(c, self.rules, self.code) for c in self.contracts])
        return np.stack([each[tier == t].sum(axis=0) for t in range(len(self.rules.scan_tiers))])

    @property
    def short_minimum(self) -> float:
        """Σ of what sold options ask for at least, or the larger of calls and puts."""
        size = np.maximum(-self.quantity, 0.0) * self.column("short_minimum")
        calls, puts = (float(size[[c.right == right for c in self.contracts]].sum()) for right in ("call", "put"))
        return calls + puts if self.rules.short_minimum == "gross" else max(calls, puts)

    @property
    def option_value(self) -> float:
        """Value of options bought less that of options sold, of those whose premium is paid up front."""
        return float(self.quantity @ (self.column("value") * [c.is_option_value for c in self.contracts]))

    @property
    def long_only(self) -> bool:
        """Whether it is options bought, premium paid, and nothing else."""
        return bool((self.quantity > 0.0).all()) and all(c.is_option_value for c in self.contracts)


def _tier_of(contract: SpanContract, rules: CommodityRules, code: str) -> int:
    for place, tier in enumerate(rules.scan_tiers):
        if tier.holds(contract.period):
            return place
    raise InvalidInput(
        "period",
        where=f"{code}: contract {contract.id}",
        value=contract.period,
        limit="in one of the scan tiers",
        remedy="Add the tier; none is assumed.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    scan: float
    active: int
    time_risk: float
    price_risk: float


def _scan(losses: FloatArray, points: tuple[ScanPoint, ...]) -> _Scan:
    """Scan, time and price risk of losses [tier, point], added up over tiers."""
    active = losses.argmax(axis=1)
    tiers = np.arange(len(losses))
    worst = losses[tiers, active]
    pair = np.asarray([point.pair - 1 for point in points])[active]
    adjusted = (worst + losses[tiers, pair]) / 2.0
    time = losses[:, :2].mean(axis=1)
    risky = worst > 0.0
    leading = int(np.argmax(risky))
    return _Scan(
        scan=float(np.maximum(worst, 0.0).sum()),
        active=int(active[leading]) + 1,
        time_risk=float(time[risky].sum()),
        price_risk=float(np.maximum(adjusted - time, 0.0)[risky].sum()),
    )


def _weighted(price_risk: float, net_delta: float, rules: CommodityRules) -> float:
    """Price risk of one delta, by the commodity's method; none without a delta."""
    normal = price_risk / abs(net_delta) if net_delta else 0.0
    return {
        "normal": normal,
        "scanrange": rules.price_scan,
        "scanrange_cap": min(normal, rules.price_scan),
    }[rules.price_risk]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alone:
    """A commodity before spreads with others."""

    held: Held
    scan: _Scan
    net_delta: float
    weighted: float
    intra: IntraSpreads
    spot: float


def _alone(held: Held, points: tuple[ScanPoint, ...]) -> _Alone:
    delta = held.quantity * held.column("delta")
    periods = sorted({c.period for c in held.contracts})
    place = np.asarray([periods.index(c.period) for c in held.contracts])
    by_period = tally(place, delta, len(periods))
    intra = form_intra(by_period, periods, held.rules, where=held.code)
    scan, net = _scan(held.losses, points), float(delta.sum())
    return _Alone(
        held=held,
        scan=scan,
        net_delta=net,
        weighted=_weighted(scan.price_risk, net, held.rules),
        intra=intra,
        spot=spot_charge(intra, periods, held.rules.spot),
    )


def margin_of_held(
    held: Iterable[Held],
    inter_spreads: Iterable[InterSpread],
    points: tuple[ScanPoint, ...],
    *,
    rates: Mapping[str, float] | None = None,
) -> SpanMargin:
    """As `margin_of`, of commodities with what is held of them."""
    alone = [_alone(one, points) for one in held]
    currencies = {a.held.currency for a in alone}
    unit = dict.fromkeys(currencies, 1.0) if rates is None and len(currencies) < 2 else dict(rates or {})
    for currency in currencies:
        check.known(currency, unit, "currency", where="rates")
        check.positive(unit[currency], f"rate of {currency}", where="rates")
    inter = form_inter(
        {a.held.code: a.net_delta for a in alone},
        {a.held.code: a.weighted for a in alone},
        {a.held.code: a.held.currency for a in alone},
        inter_spreads,
    )
    found = tuple(_margin(a, inter.credit[a.held.code]) for a in alone)
    rules = {a.held.code: a.held.rules for a in alone}
    return SpanMargin(
        commodities=found,
        inter_spreads=inter.formed,
        maintenance=_required(found, rules, unit, initial=False),
        initial=_required(found, rules, unit, initial=True),
    )


def _margin(a: _Alone, credit: float) -> CommodityMargin:
    minimum = a.held.short_minimum
    return CommodityMargin(
        code=a.held.code,
        currency=a.held.currency,
        losses=tuple(a.held.losses.sum(axis=0).tolist()),
        active=a.scan.active,
        scan=a.scan.scan,
        time_risk=a.scan.time_risk,
        price_risk=a.scan.price_risk,
        net_delta=a.net_delta,
        weighted_price_risk=a.weighted,
        intra_charge=a.intra.charge,
        spot_charge=a.spot,
        inter_credit=credit,
        short_minimum=minimum,
        risk=max(a.scan.scan + a.intra.charge + a.spot - credit, minimum),
        option_value=a.held.option_value,
        long_only=a.held.long_only,
        spreads=a.intra.formed,
    )


def counted_risk(margin: CommodityMargin, rules: CommodityRules, *, initial: bool) -> float:
    """Risk as a level counts it: times its factors, and for options bought alone at most their value."""
    risk = margin.risk * rules.adjustment * (rules.initial_ratio if initial else 1.0)
    return min(risk, margin.option_value) if margin.long_only else risk


def _required(
    found: Iterable[CommodityMargin],
    rules: Mapping[str, CommodityRules],
    unit: Mapping[str, float],
    *,
    initial: bool,
) -> float:
    """Option value is taken off once; where it is capped, off the commodity's own risk alone."""
    net = [
        (rules[m.code].cap_value, unit[m.currency] * (counted_risk(m, rules[m.code], initial=initial) - m.option_value))
        for m in found
    ]
    own = math.fsum(max(x, 0.0) for capped, x in net if capped)
    return own + max(math.fsum(x for capped, x in net if not capped), 0.0)
