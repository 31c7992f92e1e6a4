"""Drift v2 weights and requirements in exact fractions, cut where section 12 of the rulebook reference cuts.

Weights and ratios are in 10⁻⁴, sizes in 10⁻⁹, prices and USD in 10⁻⁶.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from typing import Any


def cut(x: Fraction) -> int:
    """Toward zero."""
    return math.floor(x) if x >= 0 else math.ceil(x)


def root(size: int) -> int:
    """√size of a size in 10⁻⁹, in 10⁻⁵, with one unit under the root for rounding."""
    with localcontext() as context:
        context.prec = 80
        return int(Decimal(10 * size + 1).sqrt().to_integral_value(ROUND_FLOOR))


def asset(weight: int, size: int, imf: int) -> int:
    """min(w, 1.1/(1 + imf √size))."""
    if not imf:
        return weight
    grown = 1_000_000 + cut(Fraction(root(size) * imf, 100_000))
    return min(weight, cut(Fraction(1_100_000 * 10_000, grown)))


def rising(weight: int, size: int, imf: int) -> int:
    """0.8 w + imf √size."""
    return weight - cut(Fraction(weight, 5)) + cut(Fraction(root(size) * imf, 10_000_000))


def liability(weight: int, size: int, imf: int) -> int:
    """max(w, 0.8 w + imf √size)."""
    return max(weight, rising(weight, size, imf)) if imf else weight


def level(weights: Mapping[str, int], name: str) -> int:
    """Fill lies halfway."""
    if name == "fill":
        return cut(Fraction(weights["initial"] + weights["maintenance"], 2))
    return weights[name]


def high_leverage(default: int, ordinary: int, size: int, imf: int) -> int:
    """The ratio between an own default and the ordinary one."""
    if not imf:
        return default
    a, fifth = rising(ordinary, size, imf), ordinary // 5
    if a == ordinary or (a < ordinary and fifth == 0):
        return default
    if a > ordinary:
        return a
    share = 10_000 - cut(Fraction((ordinary - a) * 10_000, fifth))
    return default + math.floor(Fraction((ordinary - default) * share, 10_000))


def spot(p: Mapping[str, Any], name: str) -> tuple[int, int]:
    """Collateral and requirement of a token with its orders, at the worse fill."""
    market, found = p["market"], []
    for bought in (p["bids"], -p["asks"]):
        tokens = p["tokens"] + bought
        paid = _strict(-bought, p)
        value = _strict(tokens, p)
        collateral, required = max(paid, 0), max(-paid, 0)
        if tokens >= 0:
            weights = dict(market["asset"])
            if 0 < market["scale_start"] < market["deposits_value"]:
                scaled = Fraction(weights["initial"] * market["scale_start"], market["deposits_value"])
                weights["initial"] = cut(scaled)
            weight = asset(level(weights, name), tokens, market["imf"])
            collateral += cut(Fraction(value * weight, 10_000))
        else:
            weight = liability(level(market["liability"], name), -tokens, market["imf"])
            required += cut(Fraction(-value * weight, 10_000))
        found.append((collateral, required))
    collateral, required = min(found, key=lambda pair: pair[0] - pair[1])
    return collateral, required + 10_000 * p["orders"]


def _strict(tokens: int, p: Mapping[str, Any]) -> int:
    prices = (p["price"], p["price_mean"])
    return cut(Fraction(tokens * (min(prices) if tokens >= 0 else max(prices)), 10**9))


def perpetual(p: Mapping[str, Any], name: str, user_ratio: int, high: bool) -> tuple[int, int]:
    """Weighted P&L and requirement of a perpetual with its orders."""
    market = p["market"]
    size = max(abs(p["coins"] + p["bids"]), abs(p["coins"] - p["asks"]))
    ratio = liability(level(market["ratio"], name), size, market["imf"])
    if high and market["high_leverage"]:
        ordinary = level(market["ratio"], name)
        ratio = high_leverage(level(market["high_leverage"], name), ordinary, size, market["imf"])
    if name == "initial":
        ratio = max(ratio, user_ratio)
    required = 0 if market["in_settlement"] else cut(Fraction(cut(Fraction(size * p["price"], 10**9)) * ratio, 10_000))
    gain = cut(Fraction(p["coins"] * p["price"], 10**9)) + p["quote"]
    if gain > 0:
        weight = level(market["gain"], name)
        if name != "maintenance":
            if 0 < market["gain_max"] < market["gain_net"]:
                weight = cut(Fraction(weight * market["gain_max"], market["gain_net"]))
            weight = asset(weight, gain * 1_000, market["gain_imf"])
        gain = cut(Fraction(gain * weight, 10_000))
        if name == "initial":
            gain = min(gain, 100_000_000)
    return gain, required + 10_000 * p["orders"]
