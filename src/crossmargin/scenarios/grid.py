"""The grid family: every underlying alone, all together, and in pairs; with tails, skews, carries, rates and pegs.

The form is the common one of portfolio margin (SPAN, 1988; exchange portfolio margins since): a lattice of price
moves by vol moves with damped far moves. What is added are joint moves, so that offsets between underlyings come
from scenarios: all underlyings along the first principal component of their correlations, and each pair at its
correlation stressed both ways.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import permutations

import numpy as np

from crossmargin.core.check import known
from crossmargin.core.errors import InvalidInput
from crossmargin.market.snapshot import USD, Snapshot, Underlying
from crossmargin.scenarios.document import Grid, Moves
from crossmargin.scenarios.scenario_set import TAIL, Scenario, ScenarioSet, SurfaceRule, collect

_VOL_LABEL = {-1: "vol down", 0: "vol same", 1: "vol up"}


def build_grid(grid: Grid, snapshot: Snapshot, *, underlyings: Iterable[str], assets: Iterable[str]) -> ScenarioSet:
    """The scenario set of `grid` over the given underlyings and assets of `snapshot`.

    Raises `UnknownName` for a risk class the grid does not hold, `MissingFactors` for correlations the market lacks.
    """
    names = sorted(set(underlyings))
    moved = {name: (snapshot.underlyings[name], _moves(grid, snapshot.underlyings[name])) for name in names}
    scenarios = [s for u, moves in moved.values() for s in _alone(grid, u, moves)]
    if grid.joint.together and len(names) > 1:
        scenarios += _together(grid, snapshot, moved)
    if grid.joint.pairs:
        scenarios += _pairs(grid, snapshot, moved)
    scenarios += _rates(grid, snapshot)
    scenarios += _pegs(grid, snapshot, sorted(set(assets)))
    base = Scenario(label="nothing moves", family="price", shocks={}, horizon_days=grid.horizon_days)
    rules = {name: _rule(moves) for name, (_, moves) in moved.items()}
    return collect([base, *scenarios], rules=rules, where="grid")


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


def _percent(move: float) -> str:
    return f"{100.0 * move:+.1f} %"


def _alone(grid: Grid, u: Underlying, moves: Moves) -> Iterator[Scenario]:
    """One underlying by itself: price × vol, then skew, smile and carry, then far moves with vol up."""
    h = grid.horizon_days
    for step in range(-grid.steps, grid.steps + 1):
        move = moves.price_range * step / grid.steps
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


def _together(grid: Grid, snapshot: Snapshot, moved: dict[str, tuple[Underlying, Moves]]) -> Iterator[Scenario]:
    """All underlyings along the first principal component of their correlations, the leader by its full range.

    The direction is that of all underlyings given: one more turns it, and so what each of the others moves by.
    Far moves: each underlying's own, the others following by beta.
    """
    names = list(moved)
    rho = np.asarray([[snapshot.correlation_of(a, b) for b in names] for a in names])
    loading = np.linalg.eigh(rho)[1][:, -1]
    # The first of equals leads, so that no rounding decides which of two opposites goes down in "-4/4".
    first = int(np.argmax(np.abs(loading) >= np.abs(loading).max() * (1.0 - 1e-9)))
    beta = loading / loading[first]
    for step in (s for s in range(-grid.steps, grid.steps + 1) if s):
        for direction in (-1, 0, 1):
            shocks: dict[str, float] = {}
            for (u, moves), b in zip(moved.values(), beta, strict=True):
                shocks[u.factor] = _scaled(moves.price_range * step / grid.steps, float(b))
                shocks |= _vol_shock(u, moves, direction)
            label = f"all {step:+d}/{grid.steps} of range by beta, {_VOL_LABEL[direction]}"
            yield Scenario(label=label, family="joint", shocks=shocks, horizon_days=grid.horizon_days)
    for i, (leader, own) in enumerate(moved.values()):
        for tail in own.tails:
            shocks = {}
            for j, (u, moves) in enumerate(moved.values()):
                follow = 1.0 if i == j else float(rho[i, j]) * moves.price_range / own.price_range
                shocks[u.factor] = _scaled(tail.move, follow)
                shocks |= _vol_shock(u, moves, 1)
            label = f"{leader.name} {_percent(tail.move)}, others by beta, × {tail.damping:g}"
            h = grid.horizon_days
            yield Scenario(label=label, family=TAIL, shocks=shocks, horizon_days=h, damping=tail.damping)


def _pairs(grid: Grid, snapshot: Snapshot, moved: dict[str, tuple[Underlying, Moves]]) -> Iterator[Scenario]:
    """Each ordered pair: the first by its full range, the second at their correlation stressed up and down."""
    stress = grid.joint.correlation_stress
    for (first, own), (second, other) in permutations(moved.values(), 2):
        rho = snapshot.correlation_of(first.name, second.name)
        for label, r in (("closer", rho + stress * (1.0 - rho)), ("apart", rho - stress * (1.0 + rho))):
            for sign in (-1.0, 1.0):
                move, follow = sign * own.price_range, sign * r * other.price_range
                shocks = {first.factor: move, second.factor: follow}
                shocks |= _vol_shock(first, own, 1) | _vol_shock(second, other, 1)
                yield Scenario(
                    label=f"{first.name} {_percent(move)}, {second.name} {_percent(follow)} ({label})",
                    family="pair",
                    shocks=shocks,
                    horizon_days=grid.horizon_days,
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


def _pegs(grid: Grid, snapshot: Snapshot, assets: list[str]) -> Iterator[Scenario]:
    """Each peg off by itself, then all stable assets and all wrapped assets together."""
    sizes = {True: grid.stable_peg, False: grid.wrapped_peg}
    pegged = {a: _is_stable(snapshot, a) for a in assets if f"peg:{a}" in snapshot.asset_factors(a)}
    h = grid.horizon_days
    for asset, stable in pegged.items():
        for x in (-sizes[stable], sizes[stable]):
            if x:
                label = f"{asset} peg {_percent(x)}"
                yield Scenario(label=label, family="peg", shocks={f"peg:{asset}": x}, horizon_days=h)
    for stable, label in ((True, "all stable assets"), (False, "all wrapped assets")):
        members = [a for a, is_stable in pegged.items() if is_stable is stable]
        if sizes[stable] and len(members) > 1:
            shocks = {f"peg:{a}": -sizes[stable] for a in members}
            yield Scenario(label=f"{label} {_percent(-sizes[stable])}", family="peg", shocks=shocks, horizon_days=h)


def _is_stable(snapshot: Snapshot, asset: str) -> bool:
    reference = snapshot.assets[asset].reference
    return reference == USD or snapshot.underlyings[reference].kind == "fx"
