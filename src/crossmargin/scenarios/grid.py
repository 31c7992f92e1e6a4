"""The grid family: every underlying alone, all together, and in pairs; with tails, skews, carries, rates and pegs.

The form is the common one of portfolio margin (SPAN, 1988; exchange portfolio margins since): a lattice of price
moves by vol moves with damped far moves. What is added are joint moves, so that offsets between underlyings come
from scenarios: all underlyings along the directions of the market (`scenarios.direction`), and each pair at its
correlation stressed both ways.

The grid is one of the market, and a book has the part of it that moves what it holds. What is left out changes no
result: a column moves an underlying by the same amount in every book; one that moves nothing held counts, in a measure
that averages, as the column in which nothing moves; and a pair of which one is held never asks for more than that one
moving alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import TypeAlias

import numpy as np

from crossmargin.core.arrays import frozen
from crossmargin.core.check import known
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.market.snapshot import USD, Snapshot, Underlying
from crossmargin.scenarios.direction import Direction, directions
from crossmargin.scenarios.document import Grid, Moves
from crossmargin.scenarios.scenario_set import TAIL, Scenario, ScenarioSet, SurfaceRule, collect

_VOL_LABEL = {-1: "vol down", 0: "vol same", 1: "vol up"}
Moved: TypeAlias = Mapping[str, tuple[Underlying, Moves]]


def build_grid(grid: Grid, snapshot: Snapshot, *, underlyings: Iterable[str], assets: Iterable[str]) -> ScenarioSet:
    """The part of the market's grid that moves the given underlyings and assets of `snapshot`.

    The first column moves nothing, and weighs what the columns of everything else in the market do. Raises
    `UnknownName` for a risk class the grid does not hold, `MissingFactors` for correlations the market lacks.
    """
    names = sorted(set(underlyings))
    moved = {name: (snapshot.underlyings[name], _moves(grid, snapshot.underlyings[name])) for name in names}
    _check_correlations(grid, snapshot, names)
    columns = [s for u, moves in moved.values() for s in _alone(grid, u, moves)]
    if grid.joint.together:
        columns += [s for along in directions(snapshot, grid.classes) for s in _together(grid, snapshot, along, moved)]
    if grid.joint.pairs:
        columns += _pairs(grid, snapshot, moved)
    columns += _rates(grid, snapshot)
    columns += _pegs(grid, snapshot, set(assets))
    unfelt = sum(not s.shocks and s.family != TAIL for s in columns) + _elsewhere(grid, snapshot, moved)
    still = Scenario(
        label="nothing moves", family="price", shocks={}, weight=1.0 + unfelt, horizon_days=grid.horizon_days
    )
    rules = {name: _rule(moves) for name, (_, moves) in moved.items()}
    return collect([still, *(s for s in columns if s.shocks)], rules=rules, where="grid")


def as_counted(grid: ScenarioSet) -> ScenarioSet:
    """The columns of a grid as an average over them counts: each as often as it weighs, and pairs not at all."""
    times = grid.weight.astype(np.int64)
    found = grid.take(np.repeat(np.arange(len(grid)), times))
    return replace(found, weight=frozen(np.ones(len(found))))


def _check_correlations(grid: Grid, snapshot: Snapshot, names: Collection[str]) -> None:
    lacking = [f"correlation:{name}" for name in names if name not in snapshot.correlation_names]
    if lacking and len(names) > 1 and (grid.joint.together or grid.joint.pairs):
        raise MissingFactors(lacking, where="market")


def _elsewhere(grid: Grid, snapshot: Snapshot, moved: Moved) -> int:
    """How many regular columns move one of the market's other underlyings alone; those alike are counted once."""
    alike: dict[tuple[str, bool, bool], list[Underlying]] = {}
    for name, u in snapshot.underlyings.items():
        if name not in moved and u.risk_class in grid.classes:
            alike.setdefault((u.risk_class, u.surface is None, not len(u.curve.expiry_ns)), []).append(u)
    return sum(
        len(same) * sum(s.family != TAIL for s in _alone(grid, same[0], _moves(grid, same[0])))
        for same in alike.values()
    )


def _moves(grid: Grid, u: Underlying) -> Moves:
    known(
        u.risk_class,
        grid.classes,
        f"risk class of {u.name}",
        where="model grid",
        remedy="Add the class to the model's grid, or correct it in the market; nothing falls into a default.",
    )
    moves = grid.classes[u.risk_class]
    if not 0.0 < moves.price_range < 1.0:
        raise InvalidInput(
            "price range",
            where=f"model grid: {u.risk_class}",
            value=moves.price_range,
            limit="above 0 and below 1",
            remedy="Write 0.16 for ±16 %.",
        )
    return moves


def _rule(moves: Moves) -> SurfaceRule:
    return SurfaceRule(
        short_power=moves.short_power,
        long_power=moves.long_power,
        floor_days=moves.floor_days,
        min_vol_up=moves.min_vol_up,
        width=moves.skew_width,
    )


def _vol_shock(u: Underlying, moves: Moves, direction: int) -> dict[str, float]:
    size = {-1: -moves.vol_down, 0: 0.0, 1: moves.vol_up}[direction]
    return {f"vol:{u.name}": size} if u.surface is not None and size else {}


def _vol_directions(u: Underlying, moves: Moves) -> tuple[int, ...]:
    return (-1, 0, 1) if u.surface is not None and (moves.vol_up or moves.vol_down) else (0,)


def _at_step(grid: Grid, moves: Moves, step: int) -> float:
    return moves.price_range * step / grid.steps


def _percent(move: float) -> str:
    return f"{100.0 * move:+.1f} %"


def _alone(grid: Grid, u: Underlying, moves: Moves) -> Iterator[Scenario]:
    """One underlying by itself: price × vol, then skew, smile and carry, then far moves with vol up."""
    h = grid.horizon_days
    for step in range(-grid.steps, grid.steps + 1):
        move = _at_step(grid, moves, step)
        for direction in _vol_directions(u, moves):
            shocks = ({u.factor: move} if step else {}) | _vol_shock(u, moves, direction)
            if shocks:
                label = f"{u.name} {_percent(move)}, {_VOL_LABEL[direction]}"
                yield Scenario(label=label, family="price", shocks=shocks, horizon_days=h)
    for kind, size in (("skew", moves.skew), ("smile", moves.smile)):
        if size and u.surface is not None:
            for x in (-size, size):
                label = f"{u.name} {kind} {_percent(x)}"
                yield Scenario(label=label, family=kind, shocks={f"{kind}:{u.name}": x}, horizon_days=h)
    yield from _carry(grid, u, moves)
    for tail in moves.tails:
        shocks = {u.factor: tail.move} | _vol_shock(u, moves, 1)
        label = f"{u.name} {_percent(tail.move)} × {tail.damping:g}"
        yield Scenario(label=label, family=TAIL, shocks=shocks, horizon_days=h, damping=tail.damping)


def _carry(grid: Grid, u: Underlying, moves: Moves) -> Iterator[Scenario]:
    """The term structure of forwards: up, down, steeper, flatter."""
    if not moves.carry or not len(u.curve.expiry_ns):
        return
    near, far = f"fwd:{u.name}:30d", f"fwd:{u.name}:365d"
    for label, first, second in (("up", 1, 1), ("down", -1, -1), ("steeper", -1, 1), ("flatter", 1, -1)):
        yield Scenario(
            label=f"{u.name} carry {label}",
            family="carry",
            shocks={near: first * moves.carry, far: second * moves.carry},
            horizon_days=grid.horizon_days,
        )


def _scaled(move: float, scale: float) -> float:
    """`move` scaled in logs, so that no multiple of a fall passes −100 %."""
    return math.expm1(scale * math.log1p(move))


def _together(grid: Grid, snapshot: Snapshot, along: Direction, moved: Moved) -> Iterator[Scenario]:
    """What is held, along a direction of the market: in even steps with vols, then by the far moves of its leader."""
    held = [(u, moves, along.beta[name]) for name, (u, moves) in moved.items() if name in along.beta]
    to = f"beta to {along.risk_class}" if along.risk_class else "beta"
    h = grid.horizon_days
    for step in (s for s in range(-grid.steps, grid.steps + 1) if s):
        for direction in (-1, 0, 1):
            shocks: dict[str, float] = {}
            for u, moves, beta in held:
                shocks[u.factor] = _scaled(_at_step(grid, moves, step), beta)
                shocks |= _vol_shock(u, moves, direction)
            label = f"all {step:+d}/{grid.steps} of range by {to}, {_VOL_LABEL[direction]}"
            yield Scenario(label=label, family="joint", shocks=shocks, horizon_days=h)
    leader = _moves(grid, snapshot.underlyings[along.leader])
    for tail in leader.tails:
        shocks = {}
        for u, moves, beta in held:
            shocks[u.factor] = _scaled(tail.move, beta * moves.price_range / leader.price_range)
            shocks |= _vol_shock(u, moves, 1)
        label = f"{along.leader} {_percent(tail.move)}, others by {to}, × {tail.damping:g}"
        yield Scenario(label=label, family=TAIL, shocks=shocks, horizon_days=h, damping=tail.damping)


def _pairs(grid: Grid, snapshot: Snapshot, moved: Moved) -> Iterator[Scenario]:
    """Each pair by its full ranges, alike and opposed, vol up, at the correlation stressed closer and apart.

    The P&L counts √((1 + r)/2), r being the correlation of the two moves: where the ellipse of all equally likely
    moves meets the diagonal. So with one of the two alone a pair loses at most what that one does in its own columns.
    It bounds what is lost at worst and is no outcome of its own, so an average gives it no weight.
    """
    stress = grid.joint.correlation_stress
    for (first, own), (second, other) in combinations(moved.values(), 2):
        rho = snapshot.correlation_of(first.name, second.name)
        closer, apart = rho + stress * (1.0 - rho), rho - stress * (1.0 + rho)
        for label, alike, r in (("closer", 1, closer), ("apart", -1, -apart)):
            damping = math.sqrt(max(0.5 * (1.0 + r), 0.0))
            for step in (-grid.steps, grid.steps):
                move, follow = _at_step(grid, own, step), _at_step(grid, other, alike * step)
                both = f"{first.name} {_percent(move)}, {second.name} {_percent(follow)}"
                yield Scenario(
                    label=f"{both} ({label}) × {damping:.3g}",
                    family="pair",
                    shocks={first.factor: move, second.factor: follow}
                    | _vol_shock(first, own, 1)
                    | _vol_shock(second, other, 1),
                    weight=0.0,
                    horizon_days=grid.horizon_days,
                    damping=damping,
                )


def _rates(grid: Grid, snapshot: Snapshot) -> Iterator[Scenario]:
    if not grid.rate_shift:
        return
    x, h = grid.rate_shift, grid.horizon_days
    for currency in sorted(snapshot.rates):
        near, far = f"rate:{currency}:1y", f"rate:{currency}:10y"
        for label, first, second in (("up", x, x), ("down", -x, -x), ("steeper", -x, x), ("flatter", x, -x)):
            shocks = {near: first, far: second}
            yield Scenario(label=f"{currency} rates {label}", family="rate", shocks=shocks, horizon_days=h)


def _pegs(grid: Grid, snapshot: Snapshot, held: Collection[str]) -> Iterator[Scenario]:
    """Each peg of the market off by itself, then all stable and all wrapped assets together; only `held` ones move."""
    sizes = {True: grid.stable_peg, False: grid.wrapped_peg}
    pegged = {a: _is_stable(snapshot, a) for a in sorted(snapshot.assets) if f"peg:{a}" in snapshot.asset_factors(a)}
    h = grid.horizon_days
    for asset, stable in pegged.items():
        for x in (-sizes[stable], sizes[stable]):
            if x:
                shocks = {f"peg:{asset}": x} if asset in held else {}
                yield Scenario(label=f"{asset} peg {_percent(x)}", family="peg", shocks=shocks, horizon_days=h)
    for stable, label in ((True, "all stable assets"), (False, "all wrapped assets")):
        members = [a for a, is_stable in pegged.items() if is_stable is stable]
        if sizes[stable] and len(members) > 1:
            shocks = {f"peg:{a}": -sizes[stable] for a in members if a in held}
            yield Scenario(label=f"{label} {_percent(-sizes[stable])}", family="peg", shocks=shocks, horizon_days=h)


def _is_stable(snapshot: Snapshot, asset: str) -> bool:
    reference = snapshot.assets[asset].reference
    return reference == USD or snapshot.underlyings[reference].kind == "fx"
