"""The grid of scenarios in plain Python: which columns there are, and what each moves.

Written from section 5 of the design and the fields of the grid's document. There is one grid for a market, and a book
sees what moves its own part of it: a column that moves nothing there becomes one more in which nothing moves. Regular
columns come first, far moves last; within each: underlyings alone, all together, in pairs, rates, pegs.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from spec.world import Market, Scenario, Underlying

Raw = Mapping[str, Any]
Matrix = list[list[float]]
SLOPES = {"up": (1, 1), "down": (-1, -1), "steeper": (-1, 1), "flatter": (1, -1)}


def grid(spec: Raw, market: Market, underlyings: Iterable[str], assets: Iterable[str]) -> list[Scenario]:
    """All columns of a grid that a book of these underlyings and assets feels."""
    names, own = set(underlyings), set(assets)
    columns = [
        replace(s, moves={f: x for f, x in s.moves.items() if felt(f, names, own)}, days=spec["horizon_days"])
        for s in whole(spec, market, names)
    ]
    kept = [s for s in columns if s.moves]
    quiet = sum(s.weight for s in columns if not s.moves and s.family != "tail")
    still = Scenario(moves={}, family="price", days=spec["horizon_days"], weight=1.0 + quiet)
    return [still, *(s for s in kept if s.family != "tail"), *(s for s in kept if s.family == "tail")]


def felt(factor: str, names: set[str], assets: set[str]) -> bool:
    """Whether a book feels a factor; rates are everybody's."""
    kind, name = factor.split(":")[:2]
    return kind == "rate" or name in (assets if kind == "peg" else names)


def whole(spec: Raw, market: Market, paired: set[str]) -> list[Scenario]:
    """The columns of a market that move anything; of its pairs, those among `paired`, which no average counts."""
    columns = []
    known = [u for name, u in sorted(market.underlyings.items()) if u.risk_class in spec["classes"]]
    for u in known:
        columns += alone(spec, u)
    related = [u for u in known if (u.name, u.name) in market.correlations]
    if spec["joint"]["together"] and len(related) > 1:
        columns += together(spec, market, related, related)
        for name in sorted({u.risk_class for u in related}):
            members = [u for u in related if u.risk_class == name]
            if len(members) < len(related):
                columns += together(spec, market, related, members)
    if spec["joint"]["pairs"]:
        for first, second in itertools.combinations([u for u in known if u.name in paired], 2):
            columns += pair(spec, market, first, second)
    return [*columns, *rates(spec, market), *pegs(spec, market, sorted(market.assets))]


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


def together(spec: Raw, market: Market, us: Sequence[Underlying], among: Sequence[Underlying]) -> list[Scenario]:
    """All along the first principal component of some; then the far moves of its leader, all by beta."""
    leader, betas = led(market, us, among)
    n, found = spec["steps"], []
    for step in [s for s in range(-n, n + 1) if s]:
        for direction in (-1, 0, 1):
            moves: dict[str, float] = {}
            for u, beta in zip(us, betas, strict=True):
                moves[u.factor] = scaled(class_of(spec, u)["price_range"] * step / n, beta)
                moves |= vol_move(spec, u, direction)
            found.append(Scenario(moves=moves, family="joint"))
    own = class_of(spec, leader)
    for tail in own["tails"]:
        moves = {}
        for u, beta in zip(us, betas, strict=True):
            ratio = class_of(spec, u)["price_range"] / own["price_range"]
            moves[u.factor] = scaled(tail["move"], beta * ratio)
            moves |= vol_move(spec, u, 1)
        found.append(Scenario(moves=moves, family="tail", damping=tail["damping"]))
    return found


def led(market: Market, us: Sequence[Underlying], among: Sequence[Underlying]) -> tuple[Underlying, list[float]]:
    """Who leads a set, and what each moves by of its range while the leader moves by all of its own.

    The weights w of the first principal component of the set come of squaring its correlations; each follows by its
    covariance with the weighted sum of the set, Σ ρ·w, over that of the leader, and by no more than its range.
    """
    power = [[correlation(market, a, b) for b in among] for a in among]
    for _ in range(30):
        power = squared(power)
    largest = max(power[i][i] for i in range(len(among)))
    first = next(i for i in range(len(among)) if power[i][i] >= largest * (1.0 - 1e-9))
    weight = [row[first] for row in power]
    along = [sum(correlation(market, u, a) * w for a, w in zip(among, weight, strict=True)) for u in us]
    whole_move = along[us.index(among[first])]
    return among[first], [min(max(x / whole_move, -1.0), 1.0) for x in along]


def correlation(market: Market, a: Underlying, b: Underlying) -> float:
    """The market's correlation of two underlyings, 1 of one with itself."""
    return 1.0 if a is b else market.correlations[a.name, b.name]


def squared(m: Matrix) -> Matrix:
    """The square of a symmetric matrix, scaled to keep its numbers in range."""
    product = [[sum(a * b for a, b in zip(row, column, strict=True)) for column in m] for row in m]
    largest = max(abs(x) for row in product for x in row)
    return [[x / largest for x in row] for row in product]


def pair(spec: Raw, market: Market, first: Underlying, second: Underlying) -> list[Scenario]:
    """Both by their whole ranges, alike and opposed, counted as far as the stressed correlation makes that likely.

    Two moves of variance 1 and correlation r have a sum of variance 2 + 2r: each counts half of its deviation.
    """
    rho, s = market.correlations[first.name, second.name], spec["joint"]["correlation_stress"]
    own, other = class_of(spec, first)["price_range"], class_of(spec, second)["price_range"]
    vols = vol_move(spec, first, 1) | vol_move(spec, second, 1)
    variance = {1: 2.0 + 2.0 * (rho + s * (1.0 - rho)), -1: 2.0 - 2.0 * (rho - s * (1.0 + rho))}
    return [
        Scenario(
            moves={first.factor: sign * own, second.factor: sign * side * other} | vols,
            family="pair",
            damping=math.sqrt(max(variance[side], 0.0)) / 2.0,
            weight=0.0,
        )
        for side in (1, -1)
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
