"""Spreads formed from deltas: between the months of one commodity, and between commodities.

A side of a spread takes deltas of one sign, the other side of the other; which side is long is free. Spreads are formed
in the order of their priority, each as often as the deltas left allow, and take them earliest period first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.span.parameters import (
    CommodityRules,
    InterLeg,
    InterSpread,
    IntraLeg,
    IntraSpread,
    SpotCharge,
)


class FormedSpread(msgspec.Struct, frozen=True, kw_only=True):
    """`count` spreads of a `priority`; `amount` is a charge inside a commodity, a credit between commodities."""

    priority: int
    count: float
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntraSpreads:
    """What spreads between months took: `used` [period] deltas, `left` [period] signed, and the spreads formed."""

    used: FloatArray
    left: FloatArray
    formed: tuple[FormedSpread, ...]

    @property
    def charge(self) -> float:
        """The sum of all charges."""
        return sum(spread.amount for spread in self.formed)


def form_intra(delta: FloatArray, periods: Sequence[str], rules: CommodityRules, *, where: str) -> IntraSpreads:
    """The spreads between months of deltas [period], `periods` ascending.

    Raises `InvalidInput` for a spread of which two legs of one side share a period but are not the same.
    """
    left, used = delta.copy(), np.zeros(len(delta))
    formed: list[FormedSpread] = []
    for spread in sorted(rules.spreads, key=lambda s: s.priority):
        nodes = _nodes(spread, periods, rules, where=f"{where}: spread {spread.priority}")
        count = 0.0
        for long_side in ("A", "B"):
            signs = [1.0 if side == long_side else -1.0 for side, _, _ in nodes]
            there = [np.maximum(sign * left, 0.0) * member for sign, (_, member, _) in zip(signs, nodes, strict=True)]
            times = min(float(x.sum()) / ratio for x, (_, _, ratio) in zip(there, nodes, strict=True))
            if times > 0.0:
                for sign, available, (_, _, ratio) in zip(signs, there, nodes, strict=True):
                    taken = _earliest(available, times * ratio)
                    used += taken
                    left -= sign * taken
                count += times
        if count > 0.0:
            unit = spread.charge * (spread.months if spread.rate_type == "pmps" else 1.0)
            formed.append(FormedSpread(priority=spread.priority, count=count, amount=unit * count))
    return IntraSpreads(used=used, left=left, formed=tuple(formed))


def _earliest(available: FloatArray, needed: float) -> FloatArray:
    """Deltas taken of those available [period], earliest first, `needed` in all."""
    before = np.concatenate([[0.0], np.cumsum(available)[:-1]])
    return np.clip(needed - before, 0.0, available)


def _nodes(
    spread: IntraSpread, periods: Sequence[str], rules: CommodityRules, *, where: str
) -> list[tuple[str, BoolArray, float]]:
    """Side, periods [period] and ratio of each leg; legs that are the same are one of both ratios."""
    ratios: dict[tuple[str, int | None, str], float] = {}
    for leg in spread.legs:
        key = (leg.side, leg.tier, leg.period)
        ratios[key] = ratios.get(key, 0.0) + leg.ratio
    nodes = [
        (side, _members(IntraLeg(side="A", tier=tier, period=period), periods, rules), ratio)
        for (side, tier, period), ratio in ratios.items()
    ]
    for side in ("A", "B"):
        shared = sum(member.astype(int) for s, member, _ in nodes if s == side)
        if np.any(np.asarray(shared) > 1):
            raise InvalidInput(
                "legs",
                where=where,
                value=f"side {side}",
                limit="of periods that no other leg of the side has",
                remedy="Take the tiers apart.",
            )
    return nodes


def _members(leg: IntraLeg, periods: Sequence[str], rules: CommodityRules) -> BoolArray:
    if leg.tier is None:
        return np.asarray([p[: len(leg.period)] == leg.period for p in periods], bool)
    tier = next(tier for tier in rules.tiers if tier.number == leg.tier)
    return np.asarray([tier.holds(p) for p in periods], bool)


def spot_charge(found: IntraSpreads, periods: Sequence[str], charges: Iterable[SpotCharge]) -> float:
    """Σ rate·(deltas that spreads took) + rate·|deltas left|, over the months in delivery."""
    total = 0.0
    for charge in charges:
        here = np.asarray([p[: len(charge.period)] == charge.period for p in periods], bool)
        total += charge.spread * float(found.used[here].sum()) + charge.outright * float(np.abs(found.left[here]).sum())
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class InterCredits:
    """`credit` by commodity, in its currency, and the spreads formed; amounts of those are in the legs' currencies."""

    credit: Mapping[str, float]
    formed: tuple[FormedSpread, ...]


def form_inter(
    delta: Mapping[str, float],
    price_risk: Mapping[str, float],
    currency: Mapping[str, str],
    spreads: Iterable[InterSpread],
) -> InterCredits:
    """Credits of spreads between commodities, of their net deltas and weighted price risks (an amount a delta).

    A spread is formed min_legs |delta|/ratio times, where the deltas left of sides A and B have opposite signs. Raises
    `InvalidInput` for a flat rate over commodities of several currencies.
    """
    left, credit = dict(delta), dict.fromkeys(delta, 0.0)
    formed: list[FormedSpread] = []
    for spread in sorted(spreads, key=lambda s: s.priority):
        if any(leg.commodity not in left for leg in spread.legs):
            continue
        times = max(_times(spread.legs, left, long_side) for long_side in ("A", "B"))
        if times <= 0.0:
            continue
        total = 0.0
        for leg in spread.legs:
            taken = times * leg.ratio
            amount = _leg_credit(spread, leg, taken, times, price_risk, currency)
            credit[leg.commodity] += amount
            total += amount
            left[leg.commodity] -= np.sign(left[leg.commodity]) * taken
        formed.append(FormedSpread(priority=spread.priority, count=times, amount=total))
    return InterCredits(credit=credit, formed=tuple(formed))


def _times(legs: Iterable[InterLeg], left: Mapping[str, float], long_side: str) -> float:
    sides = [(left[leg.commodity] * (1.0 if leg.side == long_side else -1.0), leg.ratio) for leg in legs]
    return max(min(delta / ratio for delta, ratio in sides), 0.0)


def _leg_credit(
    spread: InterSpread,
    leg: InterLeg,
    taken: float,
    times: float,
    price_risk: Mapping[str, float],
    currency: Mapping[str, str],
) -> float:
    rate = spread.rate if leg.rate is None else leg.rate
    if spread.rate_type == "wpr":
        return rate * price_risk[leg.commodity] * taken
    used = {currency[other.commodity] for other in spread.legs}
    if len(used) > 1:
        raise InvalidInput(
            "currencies",
            where=f"inter-commodity spread {spread.priority}",
            value=", ".join(sorted(used)),
            limit="one, where the rate is an amount",
            remedy="Use a rate of the price risk (wpr).",
        )
    return rate * times * (spread.months if spread.rate_type == "pmps" else 1.0) / len(spread.legs)
