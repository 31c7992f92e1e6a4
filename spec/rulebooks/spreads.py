"""Charges beside a grid, one holding at a time: deltas, tiers, matched tenors, matched stablecoins.

References: sections 3, 4 and 7 of the rulebook reference. A unit is a plain mapping: `index`, `linear`, `options`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from spec.rulebooks import scanning

Leg = Mapping[str, Any]
PAIRS = (("USDT", "USD"), ("USDT", "USDC"), ("USDC", "USD"))


def is_option(leg: Leg) -> bool:
    """Whether a leg is an option."""
    return "strike" in leg


def legs(unit: Mapping[str, Any]) -> list[Leg]:
    """Linear legs, then options."""
    return [*unit["linear"], *unit["options"]]


def option_delta(leg: Leg) -> float:
    """Coins that hedge one coin of an option; without time value the slope of its payoff, half at the strike."""
    if leg["volatility"] * leg["days"] > 0.0:
        return float(scanning.option_delta(dict(leg)))
    side = 1.0 if leg["right"] == "call" else -1.0
    inside = side * (leg["forward"] - leg["strike"])
    delta = side * (0.5 if inside == 0.0 else float(inside > 0.0))
    if leg["inverse"]:
        return float(delta - max(inside, 0.0) / leg["forward"])
    return float(delta * leg["discount"])


def option_value(leg: Leg, index: float) -> float:
    """What one coin of an option is worth now, USD."""
    worth = scanning.value(leg["right"] == "call", leg["forward"], leg["strike"], leg["volatility"], leg["days"])
    return float(worth / leg["forward"] * index if leg["inverse"] else worth * leg["discount"])


def delta_usd(leg: Leg, index: float) -> float:
    """First-order gain of one coin of a leg on a rise by 100 %."""
    if is_option(leg):
        return option_delta(leg) * (index if leg["inverse"] else float(leg["forward"]))
    return index if leg["inverse"] else float(leg["price"])


def is_spot(leg: Leg) -> bool:
    """Whether a leg is a spot holding."""
    return leg.get("kind") == "spot"


def by_tenor(found: Iterable[Leg]) -> dict[float, list[Leg]]:
    """Legs by days to expiry, those without at 0."""
    groups: dict[float, list[Leg]] = {}
    for leg in found:
        groups.setdefault(leg["days"] or 0.0, []).append(leg)
    return groups


def reach(group: Iterable[Leg], per_coin: Callable[[Leg], float], orders: bool) -> float:
    """The largest |Σ q·x| that fills leave."""
    at = up = down = 0.0
    for leg in group:
        x = per_coin(leg)
        at += leg["quantity"] * x
        if orders:
            up += leg["buys"] * max(x, 0.0) + leg["sells"] * max(-x, 0.0)
            down += leg["buys"] * max(-x, 0.0) + leg["sells"] * max(x, 0.0)
    return max(abs(at + up), abs(at - down))


def tiered(amount: float, tiers: Sequence[tuple[float, float]]) -> float:
    """Tax brackets: (cap, factor), each factor on its own part."""
    total, floor = 0.0, 0.0
    for cap, factor in tiers:
        if amount > floor:
            total += factor * (min(amount, cap) - floor)
        floor = cap
    return total


def matched_days(amounts: Mapping[float, float]) -> float:
    """Long against short by tenor, the nearest first: in order of time, scaled to the smaller side."""
    long = [[t, a] for t, a in sorted(amounts.items()) if a > 0.0]
    short = [[t, -a] for t, a in sorted(amounts.items()) if a < 0.0]
    total_long, total_short = sum(a for _, a in long), sum(a for _, a in short)
    matched = min(total_long, total_short)
    if matched <= 0.0:
        return 0.0
    for side, total in ((long, total_long), (short, total_short)):
        for part in side:
            part[1] *= matched / total
    days = 0.0
    while long and short:
        size = min(long[0][1], short[0][1])
        days += size * abs(long[0][0] - short[0][0])
        for side in (long, short):
            side[0][1] -= size
            if side[0][1] <= 0.0:
                side.pop(0)
    return days


def cash_deltas(
    found: Iterable[Leg], quotes: Mapping[str, str], sizes: Callable[[Leg], float], index: float
) -> dict[str, float]:
    """Delta notional by the currency that contracts are quoted in."""
    cash = {"USD": 0.0, "USDT": 0.0, "USDC": 0.0}
    for leg in found:
        if not is_spot(leg):
            cash[quotes.get(leg["instrument"], "USD")] += sizes(leg) * delta_usd(leg, index)
    return cash


def matched_pairs(cash: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """Opposite sides matched pair by pair."""
    left, found = dict(cash), {}
    for a, b in PAIRS:
        size = 0.0
        if left[a] > 0.0 > left[b] or left[a] < 0.0 < left[b]:
            size = min(abs(left[a]), abs(left[b]))
            sign = 1.0 if left[a] > 0.0 else -1.0
            left[a] -= sign * size
            left[b] += sign * size
        found[a, b] = size
    return found


def fills(leg: Leg) -> tuple[float, float, float]:
    """What is held, with all buys filled, with all sells filled."""
    return leg["quantity"], leg["quantity"] + leg["buys"], leg["quantity"] - leg["sells"]
