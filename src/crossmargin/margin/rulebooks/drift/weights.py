"""Drift v2: weights that fall for assets and rise for liabilities with the square root of their size.

Whole numbers throughout: weights and ratios in 10⁻⁴, IMF factors in 10⁻⁶, sizes in 10⁻⁹ tokens; every division is
truncated. Source: `drift-labs/protocol-v2` @ 0ae3e3b1, programs/drift/src/math/margin.rs (Apache-2.0).
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec

from crossmargin.margin.rulebooks.integers import whole

WEIGHT = 10_000
IMF = 1_000_000
SIZE = 1_000_000_000
ROOT = 100_000  # the root of ten times a size in 10⁻⁹ comes in 10⁻⁵

Level: TypeAlias = Literal["initial", "fill", "maintenance"]


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One weight or ratio at the initial and the maintenance level, 10⁻⁴."""

    initial: int
    maintenance: int

    def __post_init__(self) -> None:
        whole(self.initial, "initial weight", 0, where="drift weights")
        whole(self.maintenance, "maintenance weight", 0, where="drift weights")

    def at(self, level: Level) -> int:
        """The weight at a level; fill is the mean of the other two."""
        if level == "fill":
            return (self.initial + self.maintenance) // 2
        return self.initial if level == "initial" else self.maintenance


def root(size: int) -> int:
    """√size in 10⁻⁵ of a size in 10⁻⁹: ⌊√(10·size + 1)⌋."""
    return math.isqrt(10 * size + 1)


def asset_weight(weight: int, size: int, imf: int) -> int:
    """min(w, 1.1/(1 + imf·√size)); an imf of zero switches the discount off."""
    if imf == 0:
        return weight
    return min(weight, (IMF + IMF // 10) * WEIGHT // (IMF + root(size) * imf // ROOT))


def unbounded_liability_weight(weight: int, size: int, imf: int) -> int:
    """0.8·w + imf·√size, with 0.8·w as w − w/5."""
    return weight - weight // 5 + root(size) * imf // (ROOT * IMF // WEIGHT)


def liability_weight(weight: int, size: int, imf: int) -> int:
    """max(w, 0.8·w + imf·√size), also for the margin ratio of a perpetual; an imf of zero switches the rise off."""
    return weight if imf == 0 else max(weight, unbounded_liability_weight(weight, size, imf))


def deposit_scaled(weight: int, deposits_value: int, start: int) -> int:
    """An initial asset weight once all deposits of the token are worth more than `start` (0: never scaled)."""
    return weight if start == 0 or deposits_value <= start else weight * start // deposits_value


def high_leverage_ratio(default: int, ordinary: int, size: int, imf: int) -> int:
    """The ratio in high-leverage mode, from its own `default` and the `ordinary` ratio r.

    a = 0.8 r + imf·√size: above r it is a; at r the default; below, default + (r − default)·(1 − (r − a)/(r/5)).
    """
    if imf == 0:
        return default
    adjusted = unbounded_liability_weight(ordinary, size, imf)
    fifth = ordinary // 5
    if adjusted > ordinary:
        return adjusted
    if adjusted == ordinary or fifth == 0:
        return default
    share = WEIGHT - (ordinary - adjusted) * WEIGHT // fifth
    return default + (ordinary - default) * share // WEIGHT
