"""OTC trades given by their sensitivities: P&L = δ·x + ½ x'Γx, the only Taylor expansion there is.

Γ is symmetric and a mixed second derivative is stated once, so it stands for both of its halves.
"""

from __future__ import annotations

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.instruments.terms import Sensitivities, Unit
from crossmargin.scenarios.factors import parse_factor
from crossmargin.valuation.world import World, surface_of

_UNITS_PER_ONE: dict[Unit, float] = {"unit": 1.0, "percent": 100.0, "basis_point": 1e4}


def ladder_pnl(terms: Sensitivities, world: World) -> FloatArray:
    """P&L in the settlement asset [scenario]."""
    total = np.zeros(len(world.scenarios))
    for delta in terms.deltas:
        total = total + delta.amount * factor_move(delta.factor, delta.per, world, where=terms.id)
    for gamma in terms.gammas:
        first = factor_move(gamma.factor, gamma.per, world, where=terms.id)
        mixed = gamma.other not in ("", gamma.factor)
        second = factor_move(gamma.other, gamma.per, world, where=terms.id) if mixed else first
        total = total + (1.0 if mixed else 0.5) * gamma.amount * first * second
    return total


def factor_move(factor: str, per: Unit, world: World, *, where: str) -> FloatArray:
    """The move of a factor in units of `per` [scenario].

    A parallel factor moves as the set says; one with a node takes the curve's or surface's move at its tenor. A vol
    point is one hundredth of volatility at the money at the node's tenor. Raises `InvalidInput` for vol points of
    what is no volatility, `MissingFactors` where the market has no surface to read them from.
    """
    kind, name, node = parse_factor(factor, where=where)
    if per == "vol_point" and kind != "vol":
        limit, remedy = "counted in vol points for vol:NAME only", "Use unit, percent or basis_point."
        raise InvalidInput("sensitivity", where=where, value=factor, limit=limit, remedy=remedy)
    tenor = np.asarray([node])
    if kind == "vol":
        tenor = np.asarray([node or 30.0 / 365.0])
        move = world.vol_multiplier(name, tenor)[0] - 1.0
    elif node:
        move = world.scenarios.shock_at(kind, name, tenor)[0]
    else:
        move = world.scenarios.shock_at(kind, name, np.asarray([1.0]))[0]
    if per == "vol_point":
        if name not in world.snapshot.underlyings:
            raise MissingFactors([f"vol:{name}"], where="market", needed_by={f"vol:{name}": where})
        surface = surface_of(world.snapshot.underlyings[name])
        at = world.snapshot.time_ns + np.asarray(tenor * 365 * 86_400 * 1e9, np.int64)
        return np.asarray(move * 100.0 * float(surface.vol(0.0, at)[0]))
    return np.asarray(move * _UNITS_PER_ONE[per])
