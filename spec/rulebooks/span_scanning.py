"""SPAN-style scanning in plain Python; section 20 of the rulebook reference.

A contract is a dict with losses (16), delta, period, right ("call", "put" or None), premium, value and minimum. A
commodity is a dict with contracts (by id) and the fields of its rules; tiers are (first, last) by number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Record = Mapping[str, Any]
PRICES = (0.0, 0.0, *(x for p in (1 / 3, -1 / 3, 2 / 3, -2 / 3, 1.0, -1.0) for x in (p, p)))


def pair_of(point: int) -> int:
    """The point (from 0) with the other volatility move; far moves are their own."""
    return point if point > 13 else point ^ 1


def in_tier(period: str, tier: tuple[str, str]) -> bool:
    """Whether a period lies between two ends, each of which may be a month, a day or open."""
    first, last = tier
    return (first == "" or period[: len(first)] >= first) and (last == "" or period[: len(last)] <= last)


def scan(positions: Mapping[str, float], contracts: Mapping[str, Record]) -> dict[str, float]:
    """Scan, active point (from 0), time risk and price risk of one scan tier."""
    losses = [0.0] * 16
    for name, quantity in positions.items():
        for j in range(16):
            losses[j] += quantity * contracts[name]["losses"][j]
    active = 0
    for j in range(16):
        if losses[j] > losses[active]:
            active = j
    if losses[active] <= 0.0:
        return {"scan": 0.0, "active": float(active), "time": 0.0, "price": 0.0}
    time = (losses[0] + losses[1]) / 2.0
    adjusted = (losses[active] + losses[pair_of(active)]) / 2.0
    return {"scan": losses[active], "active": float(active), "time": time, "price": max(0.0, adjusted - time)}


def tiered_scan(positions: Mapping[str, float], commodity: Record) -> dict[str, float]:
    """The sum over scan tiers of scan and price risk."""
    contracts = commodity["contracts"]
    tiers = commodity["scan_tiers"] or [("", "")]
    total = {"scan": 0.0, "price": 0.0, "time": 0.0}
    for tier in tiers:
        mine = {name: q for name, q in positions.items() if in_tier(contracts[name]["period"], tier)}
        found = scan(mine, contracts)
        for name in total:
            total[name] += found[name]
    return total


def month_spreads(
    positions: Mapping[str, float], commodity: Record
) -> tuple[float, dict[str, float], dict[str, float]]:
    """Charge of spreads between months; deltas used and left by period.

    A spread is (priority, charge, legs); a leg is (side, test of a period, ratio).
    """
    left: dict[str, float] = {}
    for name, quantity in positions.items():
        period = commodity["contracts"][name]["period"]
        left[period] = left.get(period, 0.0) + quantity * commodity["contracts"][name]["delta"]
    used = dict.fromkeys(left, 0.0)
    total = 0.0
    for _, charge, legs in sorted(commodity["spreads"], key=lambda spread: spread[0]):
        for long_side in ("A", "B"):
            count = min(
                sum(abs(left[p]) for p in left if _fits(left[p], side == long_side) and test(p)) / ratio
                for side, test, ratio in legs
            )
            for side, test, ratio in legs:
                _take(left, used, side == long_side, test, count * ratio)
            total += charge * count
    return total, used, left


def _fits(delta: float, long: bool) -> bool:
    return delta > 0.0 if long else delta < 0.0


def _take(
    left: dict[str, float], used: dict[str, float], long: bool, test: Callable[[str], bool], needed: float
) -> None:
    for period in sorted(left):
        if test(period) and _fits(left[period], long):
            part = min(needed, abs(left[period]))
            left[period] -= part if long else -part
            used[period] += part
            needed -= part


def delivery_charge(used: Mapping[str, float], left: Mapping[str, float], charges: Iterable[Record]) -> float:
    """Per delta used in spreads, and per delta left, in each delivery month."""
    total = 0.0
    for charge in charges:
        for period in used:
            if period.startswith(charge["period"]):
                total += charge["spread"] * used[period] + charge["outright"] * abs(left[period])
    return total


def short_minimum(positions: Mapping[str, float], commodity: Record) -> float:
    """What sold options ask for at least."""
    sides = {"call": 0.0, "put": 0.0}
    for name, quantity in positions.items():
        contract = commodity["contracts"][name]
        if quantity < 0.0 and contract["right"] is not None:
            sides[contract["right"]] += -quantity * contract["minimum"]
    return sides["call"] + sides["put"] if commodity["gross"] else max(sides.values())


def weighted_price_risk(price: float, net_delta: float, commodity: Record) -> float:
    """Price risk of one delta."""
    normal = 0.0 if net_delta == 0.0 else price / abs(net_delta)
    if commodity["price_risk"] == "normal":
        return normal
    if commodity["price_risk"] == "scanrange":
        return float(commodity["price_scan"])
    return min(normal, float(commodity["price_scan"]))


def commodity_credits(
    deltas: Mapping[str, float], weighted: Mapping[str, float], spreads: Iterable[Record]
) -> dict[str, float]:
    """Credit by commodity. A spread is a dict with priority, rate, kind, months and legs (commodity, side, ratio)."""
    left, credit = dict(deltas), dict.fromkeys(deltas, 0.0)
    for spread in sorted(spreads, key=lambda s: s["priority"]):
        legs = spread["legs"]
        if not all(code in left for code, _, _ in legs):
            continue
        for long_side in ("A", "B"):
            if not all(_fits(left[code], side == long_side) for code, side, _ in legs):
                continue
            count = min(abs(left[code]) / ratio for code, _, ratio in legs)
            for code, _, ratio in legs:
                if spread["kind"] == "wpr":
                    credit[code] += spread["rate"] * weighted[code] * count * ratio
                else:
                    credit[code] += spread["rate"] * count * spread["months"] / len(legs)
                left[code] -= math.copysign(count * ratio, left[code])
            break
    return credit


def requirement(
    positions: Mapping[str, float], commodities: Mapping[str, Record], spreads: Iterable[Record]
) -> dict[str, float]:
    """Maintenance and initial requirement of contracts held, in one currency."""
    found: dict[str, dict[str, float]] = {}
    for code, commodity in commodities.items():
        mine = {name: q for name, q in positions.items() if name in commodity["contracts"] and q != 0.0}
        if mine:
            found[code] = _one(mine, commodity)
    credit = commodity_credits(
        {code: f["delta"] for code, f in found.items()}, {code: f["weighted"] for code, f in found.items()}, spreads
    )
    for code, one in found.items():
        one["risk"] = max(one["scan"] + one["intra"] + one["spot"] - credit[code], one["minimum"])
    return {level: _less_value(found, commodities, initial=level == "initial") for level in ("maintenance", "initial")}


def _one(mine: Mapping[str, float], commodity: Record) -> dict[str, float]:
    contracts = commodity["contracts"]
    scanned = tiered_scan(mine, commodity)
    charge, used, left = month_spreads(mine, commodity)
    delta = sum(quantity * contracts[name]["delta"] for name, quantity in mine.items())
    values = {name: contracts[name]["right"] is not None and contracts[name]["premium"] for name in mine}
    return {
        "scan": scanned["scan"],
        "intra": charge,
        "spot": delivery_charge(used, left, commodity["spot"]),
        "delta": delta,
        "weighted": weighted_price_risk(scanned["price"], delta, commodity),
        "minimum": short_minimum(mine, commodity),
        "value": sum(q * contracts[name]["value"] for name, q in mine.items() if values[name]),
        "long_only": float(all(values[name] and q > 0.0 for name, q in mine.items())),
    }


def _less_value(found: Mapping[str, Record], commodities: Mapping[str, Record], *, initial: bool) -> float:
    shared, own = 0.0, 0.0
    for code, one in found.items():
        risk = one["risk"] * commodities[code]["adjustment"] * (commodities[code]["ratio"] if initial else 1.0)
        if one["long_only"]:
            risk = min(risk, one["value"])
        if commodities[code]["cap_value"]:
            own += max(0.0, risk - one["value"])
        else:
            shared += risk - one["value"]
    return own + max(0.0, shared)
