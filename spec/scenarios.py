"""The grid of scenarios in plain Python: which columns there are, and what each moves.

Written from section 5 of the design and the fields of the grid's document. Regular columns come first, far moves last;
within each the order is: each underlying alone, all together, in pairs, rates, pegs.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spec.world import Market, Scenario, Underlying

Raw = Mapping[str, Any]
Matrix = list[list[float]]
SLOPES = {"up": (1, 1), "down": (-1, -1), "steeper": (-1, 1), "flatter": (1, -1)}


def grid(spec: Raw, market: Market, underlyings: Iterable[str], assets: Iterable[str]) -> list[Scenario]:
    """All columns of a grid."""
    us = [market.underlyings[name] for name in sorted(set(underlyings))]
    columns = [Scenario(moves={}, family="price")]
    for u in us:
        columns += alone(spec, u)
    if spec["joint"]["together"] and len(us) > 1:
        columns += together(spec, market, us)
    if spec["joint"]["pairs"]:
        for first, second in itertools.permutations(us, 2):
            columns += pair(spec, market, first, second)
    columns += rates(spec, market)
    columns += pegs(spec, market, sorted(set(assets)))
    days = spec["horizon_days"]
    dated = [Scenario(moves=s.moves, family=s.family, damping=s.damping, days=days) for s in columns]
    return [s for s in dated if s.family != "tail"] + [s for s in dated if s.family == "tail"]


def class_of(spec: Raw, u: Underlying) -> dict[str, Any]:
    """How far an underlying moves."""
    moves: dict[str, Any] = spec["classes"][u.risk_class]
    return moves


def vol_move(spec: Raw, u: Underlying, direction: int) -> dict[str, float]:
    """The vol shock of a direction; none without a surface, or of no size."""
    size = {-1: -class_of(spec, u)["vol_down"], 0: 0.0, 1: class_of(spec, u)["vol_up"]}[direction]
    return {f"vol:{u.name}": size} if u.smiles and size else {}


def alone(spec: Raw, u: Underlying) -> list[Scenario]:
    """One underlying: prices × vols without the still cell, skew, smile, carry, then its far moves with vol up."""
    c, n = class_of(spec, u), spec["steps"]
    has_vol = bool(u.smiles) and (c["vol_up"] > 0.0 or c["vol_down"] > 0.0)
    found = []
    for step in range(-n, n + 1):
        price = {u.factor: c["price_range"] * step / n} if step else {}
        for direction in (-1, 0, 1) if has_vol else (0,):
            moves = price | vol_move(spec, u, direction)
            found += [Scenario(moves=moves, family="price")] if moves else []
    for kind in ("skew", "smile"):
        for sign in (-1, 1) if u.smiles and c[kind] else ():
            found.append(Scenario(moves={f"{kind}:{u.name}": sign * c[kind]}, family=kind))
    for near, far in SLOPES.values() if c["carry"] and u.forwards else ():
        moves = {f"fwd:{u.name}:30d": near * c["carry"], f"fwd:{u.name}:365d": far * c["carry"]}
        found.append(Scenario(moves=moves, family="carry"))
    for tail in c["tails"]:
        moves = {u.factor: tail["move"]} | vol_move(spec, u, 1)
        found.append(Scenario(moves=moves, family="tail", damping=tail["damping"]))
    return found


def scaled(move: float, times: float) -> float:
    """A move taken `times` in logs: (1 + move)^times − 1, which never reaches −100 %."""
    return math.pow(1.0 + move, times) - 1.0


def together(spec: Raw, market: Market, us: Sequence[Underlying]) -> list[Scenario]:
    """All along the first principal component; then each far move, the others following by beta."""
    betas, n, found = loadings(market, [u.name for u in us]), spec["steps"], []
    for step in [s for s in range(-n, n + 1) if s]:
        for direction in (-1, 0, 1):
            moves: dict[str, float] = {}
            for u, beta in zip(us, betas, strict=True):
                moves[u.factor] = scaled(class_of(spec, u)["price_range"] * step / n, beta)
                moves |= vol_move(spec, u, direction)
            found.append(Scenario(moves=moves, family="joint"))
    for leader in us:
        own = class_of(spec, leader)
        for tail in own["tails"]:
            moves = {}
            for u in us:
                ratio = class_of(spec, u)["price_range"] / own["price_range"]
                beta = 1.0 if u is leader else market.correlations[leader.name, u.name] * ratio
                moves[u.factor] = scaled(tail["move"], beta)
                moves |= vol_move(spec, u, 1)
            found.append(Scenario(moves=moves, family="tail", damping=tail["damping"]))
    return found


def loadings(market: Market, names: Sequence[str]) -> list[float]:
    """The first eigenvector of the correlations, its largest entry 1 (the first of equals), by squaring the matrix."""
    power = [[1.0 if a == b else market.correlations[a, b] for b in names] for a in names]
    for _ in range(30):
        power = squared(power)
    size = [math.sqrt(max(power[i][i], 0.0)) for i in range(len(names))]
    leader = next(i for i, x in enumerate(size) if x >= max(size) * (1.0 - 1e-9))
    return [row[leader] / power[leader][leader] for row in power]


def squared(m: Matrix) -> Matrix:
    """The square of a symmetric matrix, scaled to keep its numbers in range."""
    product = [[sum(a * b for a, b in zip(row, column, strict=True)) for column in m] for row in m]
    largest = max(abs(x) for row in product for x in row)
    return [[x / largest for x in row] for row in product]


def pair(spec: Raw, market: Market, first: Underlying, second: Underlying) -> list[Scenario]:
    """The first by its whole range, the second at their correlation stressed towards one and towards minus one."""
    rho, s = market.correlations[first.name, second.name], spec["joint"]["correlation_stress"]
    own, other = class_of(spec, first)["price_range"], class_of(spec, second)["price_range"]
    vols = vol_move(spec, first, 1) | vol_move(spec, second, 1)
    return [
        Scenario(moves={first.factor: sign * own, second.factor: sign * r * other} | vols, family="pair")
        for r in (rho + s * (1.0 - rho), rho - s * (1.0 + rho))
        for sign in (-1.0, 1.0)
    ]


def rates(spec: Raw, market: Market) -> list[Scenario]:
    """Each curve up, down, steeper and flatter, from nodes at one and ten years."""
    x = spec["rate_shift"]
    return [
        Scenario(moves={f"rate:{currency}:1y": near * x, f"rate:{currency}:10y": far * x}, family="rate")
        for currency in sorted(market.rates)
        for near, far in (SLOPES.values() if x else ())
    ]


def pegs(spec: Raw, market: Market, assets: Sequence[str]) -> list[Scenario]:
    """Each peg off both ways; then all of one kind off together, downwards."""
    found = []
    pegged = [market.assets[a] for a in assets if a != "USD" and market.assets[a].reference != a]
    stable = {a.name: a.reference == "USD" or market.underlyings[a.reference].kind == "fx" for a in pegged}
    size = {True: spec["stable_peg"], False: spec["wrapped_peg"]}
    for a in pegged:
        x = size[stable[a.name]]
        found += [Scenario(moves={f"peg:{a.name}": sign * x}, family="peg") for sign in (-1, 1) if x]
    for kind in (True, False):
        members = [a.name for a in pegged if stable[a.name] is kind]
        if size[kind] and len(members) > 1:
            found.append(Scenario(moves={f"peg:{name}": -size[kind] for name in members}, family="peg"))
    return found
