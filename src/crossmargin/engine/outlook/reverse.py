"""Reverse stress: the most plausible joint move that costs an account as much as it must hold, or all that it has.

Moves are measured in standard deviations of their joint distribution: with Σ = C·C' of the factors over a horizon, a
move C·y has the distance |y| (Mahalanobis), and the nearest point of {y : loss(C·y) = target} is the design point of
structural reliability. It is found by the iteration of Hasofer, Lind, Rackwitz and Fiessler from many starts at once,
with losses by full revaluation. Source: Hasofer and Lind (1974), Journal of the Engineering Mechanics Division 100,
111–121; Rackwitz and Fiessler (1978), Computers & Structures 9, 489–494.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec
import numpy as np
from scipy.special import chdtrc, ndtr

from crossmargin.core.arrays import BoolArray, FloatArray, frozen
from crossmargin.engine.accounts import provenance
from crossmargin.engine.explaining.curves import account_pnl
from crossmargin.engine.margin import margin
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.plan import Plan, optioned, plan
from crossmargin.engine.reports import Provenance
from crossmargin.engine.variants import account_alone
from crossmargin.instruments.table import InstrumentTable
from crossmargin.market.snapshot import Snapshot, factors_of
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.calibrating.calibrated import horizon_moves
from crossmargin.scenarios.calibrating.calibration import Calibration
from crossmargin.scenarios.calibrating.implied import at_market
from crossmargin.scenarios.factors import RELATIVE_KINDS, parse_factor
from crossmargin.scenarios.scenario_set import ScenarioSet
from crossmargin.valuation.pnl import pnl

FARTHEST: Final = 15.0  # standard deviations beyond which nothing is called plausible
STARTS: Final = 24  # random directions, beside both ways along every factor
ASCENTS: Final = 15
KEPT: Final = 8
ROUNDS: Final = 40
STEPS: Final = (1.0, 0.5, 0.2, 0.05)
RADII: Final = tuple(np.linspace(0.6, 1.4, 33).tolist())
STEP: Final = 1e-3  # of a standard deviation, for slopes
PATH: Final = 21
_VOL_DEVIATIONS: Final = 3.0  # a model's volatility shock is taken as this many standard deviations
Losses: TypeAlias = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """How factors move together over a horizon: standard deviations [factor] of log (or absolute) moves, and
    correlations [factor, factor]; `source` says where they are from. `past` are the moves of a calibration's scenarios
    [scenario, factor], none where the market alone is asked."""

    factors: tuple[str, ...]
    is_log: BoolArray
    deviation: FloatArray
    correlation: FloatArray
    horizon_days: float
    source: str
    past: FloatArray

    def root(self) -> FloatArray:
        """C with C·C' = Σ [factor, factor]; of a correlation matrix that is only semi-definite, too."""
        value, vector = np.linalg.eigh(self.correlation)
        return np.asarray(self.deviation[:, None] * (vector * np.sqrt(np.maximum(value, 0.0))) @ vector.T)

    def shocks(self, moves: FloatArray) -> FloatArray:
        """Shocks [factor, column] of moves [column, factor]."""
        return np.where(self.is_log[:, None], np.expm1(moves.T), moves.T)


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts."""


class FactorMove(_Part, frozen=True, kw_only=True):
    """One factor's part in a joint move: the shock, and how many of its own standard deviations that is."""

    factor: str
    shock: float
    deviations: float


class PathPoint(_Part, frozen=True, kw_only=True):
    """A point on the way: the part of the move made, and the P&L of the account there, USD."""

    part: float
    pnl_usd: float


class PositionLoss(_Part, frozen=True, kw_only=True):
    """P&L of one position or holding at the point, USD."""

    instrument: str
    pnl_usd: float


class Past(_Part, frozen=True, kw_only=True):
    """What the calibration's own scenarios, scaled to now, say of a point at some distance.

    Of `scenarios`, `as_far` moved at least as far in any direction (Mahalanobis) and `lost` cost at least the target;
    `as_far_normal` is the share that a normal distribution would have as far: P(χ² of the factors > distance²).
    """

    scenarios: int
    as_far: int
    lost: int
    as_far_normal: float


class ReverseLine(_Part, frozen=True, kw_only=True):
    """The most plausible move that costs `target_usd`; None of the figures where no move in reach does.

    `deviations` is its distance, `probability` that of a loss at least as large over the horizon if the edge were
    straight there and moves were normal: Φ(−distance). Fat tails make it larger: see `past`, which a calibration gives.
    """

    exhausts: str
    target_usd: float
    deviations: float | None = None
    probability: float | None = None
    past: Past | None = None
    pnl_usd: float | None = None
    moves: tuple[FactorMove, ...] = ()
    path: tuple[PathPoint, ...] = ()
    positions: tuple[PositionLoss, ...] = ()


class ReverseReport(_Part, frozen=True, kw_only=True):
    """The reverse stress of one account; `horizon_days` of the distances, `source` of how factors move together."""

    provenance: Provenance
    account: str
    horizon_days: float
    source: str
    farthest: float
    equity_usd: float
    lines: tuple[ReverseLine, ...]


def spread_of(ready: Plan, calibration: Calibration | None = None) -> Spread:
    """How the factors of a plan move together: as the calibration says, or the market and the model's vol shocks.

    A calibration gives residual correlations and its scales over its horizon. Without one the market's daily
    volatilities and correlations stand for prices, a third of the model's shock for a volatility, which is then
    independent of the rest.
    """
    given = calibration or ready.model.calibration
    if given is not None:
        fitted, held = at_market(given, ready.snapshot), set(factors_of(ready.snapshot))
        kept = [i for i, name in enumerate(fitted.names) if ":".join(name.split(":")[:2]) in held]
        return Spread(
            factors=tuple(fitted.names[i] for i in kept),
            is_log=np.asarray([fitted.factors[i].is_log for i in kept], bool),
            deviation=fitted.scales()[kept] * np.sqrt(fitted.horizon_bars),
            correlation=fitted.correlation()[np.ix_(kept, kept)],
            horizon_days=fitted.horizon_days,
            source=f"calibration: {fitted.source}",
            past=horizon_moves(fitted)[0][:, kept],
        )
    return _market_spread(ready.table, ready.snapshot, ready.model, sorted(ready.scenarios.rules))


def _market_spread(table: InstrumentTable, snapshot: Snapshot, model: ModelDocument, names: Iterable[str]) -> Spread:
    prices = list(names)
    vols = sorted(optioned(table) & set(prices))
    correlation = np.eye(len(prices) + len(vols))
    for i, a in enumerate(prices):
        for j, b in enumerate(prices):
            correlation[i, j] = snapshot.correlation_of(a, b)
    deviation = [_daily_vol(snapshot, name) for name in prices]
    deviation += [model.grid.classes[snapshot.underlyings[v].risk_class].vol_up / _VOL_DEVIATIONS for v in vols]
    factors = (*(snapshot.underlyings[name].factor for name in prices), *(f"vol:{name}" for name in vols))
    return Spread(
        factors=factors,
        is_log=np.asarray([parse_factor(f, where="market").kind in RELATIVE_KINDS for f in factors], bool),
        deviation=np.asarray(deviation),
        correlation=correlation,
        horizon_days=1.0,
        source="the market's daily volatilities and correlations; volatility shocks of the model over three",
        past=np.zeros((0, len(factors))),
    )


def _daily_vol(snapshot: Snapshot, name: str) -> float:
    liquidity = snapshot.underlyings[name].liquidity
    return 0.0 if liquidity is None else liquidity.daily_vol


def reverse_stress(
    book: Book, snapshot: Snapshot, model: ModelDocument, *, account: str, calibration: Calibration | None = None
) -> ReverseReport:
    """The most plausible joint moves that cost an account its maintenance margin, its initial margin, and all it has.

    Losses are those of positions and collateral together, before haircuts. Raises what `plan` raises, and `UnknownName`
    for the account.
    """
    alone = account_alone(book, account)
    ready = plan(alone, snapshot, model)
    now = margin(alone, snapshot, model, prepared=ready)
    pools = now.pools
    spread = spread_of(ready, calibration)
    root = spread.root()

    def losses(points: FloatArray) -> FloatArray:
        return np.asarray(-account_pnl(alone, snapshot, _columns(spread, points @ root.T, ready))[0])

    targets = {
        "maintenance margin": float(pools.maintenance.sum()),
        "initial margin": float(pools.initial.sum()),
        "all collateral": float(pools.held_equity.sum()),
    }
    return ReverseReport(
        provenance=provenance(now),
        account=account,
        horizon_days=spread.horizon_days,
        source=spread.source,
        farthest=FARTHEST,
        equity_usd=targets["all collateral"],
        lines=tuple(
            _line(name, target, design_point(losses, target, len(root)), spread, root, alone, ready)
            for name, target in targets.items()
        ),
    )


def _columns(spread: Spread, moves: FloatArray, ready: Plan) -> ScenarioSet:
    count = len(moves)
    shock = np.maximum(spread.shocks(moves), np.where(spread.is_log, -0.999999, -np.inf)[:, None])
    return ScenarioSet(
        labels=("",) * count,
        families=("reverse",) * count,
        factors=spread.factors,
        shock=frozen(shock),
        weight=frozen(np.ones(count)),
        horizon_days=frozen(np.zeros(count)),
        damping=frozen(np.ones(count)),
        rules=ready.scenarios.rules,
    )


def design_point(losses: Losses, target: float, dimensions: int) -> FloatArray | None:
    """The nearest y [dimension] with losses(y) = target; None where none lies within `FARTHEST`.

    `losses` takes points [row, dimension]. Starts lie where rays first reach the target: both ways along each dimension
    and in random directions by a fixed seed, and the same turned to where the loss is greatest at the farthest. A
    target that is not positive is reached where one stands.
    """
    if target <= 0.0 or dimensions == 0:
        return np.zeros(dimensions) if target <= 0.0 else None
    random = np.random.default_rng(0).normal(size=(STARTS, dimensions))
    ways = np.vstack([np.eye(dimensions), -np.eye(dimensions), random])
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    steepest = _slopes(losses, np.zeros((1, dimensions)))
    size = float(np.linalg.norm(steepest))
    ways = np.vstack([ways, steepest / size]) if size > 0.0 else ways
    points = _nearest(_reached(losses, target, np.vstack([ways, _ascended(losses, ways)])))
    if not len(points):
        return None
    for _ in range(ROUNDS):
        improved = _improved(losses, target, points)
        if np.allclose(improved, points, rtol=0.0, atol=1e-6):
            break
        points = improved
    # A ray through a point of the edge reaches the target at that point or before it.
    found = _reached(losses, target, points / np.linalg.norm(points, axis=1)[:, None])
    nearest: FloatArray = _nearest(found)[0]
    return nearest


def _nearest(points: FloatArray) -> FloatArray:
    """The `KEPT` points nearest to where one stands, the nearest first."""
    return points[np.argsort(np.linalg.norm(points, axis=1), kind="stable")[:KEPT]]


def _slopes(losses: Losses, points: FloatArray) -> FloatArray:
    """∂loss/∂y [row, dimension] by central differences."""
    rows, dimensions = points.shape
    steps = STEP * np.eye(dimensions)
    moved = np.concatenate([points[:, None, :] + steps, points[:, None, :] - steps], axis=1)
    found = losses(moved.reshape(-1, dimensions)).reshape(rows, 2, dimensions)
    return np.asarray((found[:, 0] - found[:, 1]) / (2.0 * STEP))


def _ascended(losses: Losses, ways: FloatArray) -> FloatArray:
    """Directions turned to the slope of the loss at `FARTHEST`, as long as the loss there grows [row, dimension]."""
    best, found = ways, losses(FARTHEST * ways)
    for _ in range(ASCENTS):
        slope = _slopes(losses, FARTHEST * best)
        length = np.linalg.norm(slope, axis=1)[:, None]
        aimed = best + slope / np.where(length > 0.0, length, 1.0)
        aimed /= np.maximum(np.linalg.norm(aimed, axis=1)[:, None], 1e-12)
        reached = losses(FARTHEST * aimed)
        best = np.where((reached > found)[:, None], aimed, best)
        found = np.maximum(reached, found)
    return best


def _reached(losses: Losses, target: float, ways: FloatArray) -> FloatArray:
    """Where rays first reach the target [row, dimension]; rays that do not within `FARTHEST` are left out."""
    radii = np.linspace(0.0, FARTHEST, 121)
    rows, dimensions = ways.shape
    found = losses((ways[:, None, :] * radii[None, :, None]).reshape(-1, dimensions)).reshape(rows, -1)
    over = found >= target
    hit = over.any(axis=1)
    ways, first = ways[hit], over[hit].argmax(axis=1)
    low, high = radii[np.maximum(first - 1, 0)], radii[first]
    for _ in range(40):
        middle = 0.5 * (low + high)
        reached = losses(ways * middle[:, None]) >= target
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return np.asarray(ways * high[:, None])


def _improved(losses: Losses, target: float, points: FloatArray) -> FloatArray:
    """One round of HL–RF: each point towards the nearest of its tangent, back onto the edge where that is nearer."""
    slope = _slopes(losses, points)
    square = np.maximum((slope**2).sum(axis=1), 1e-300)
    gap = losses(points) - target
    aimed = ((slope * points).sum(axis=1) - gap)[:, None] / square[:, None] * slope
    steps = np.asarray(STEPS)[:, None, None]
    tried = (points + steps * (aimed - points)).reshape(-1, points.shape[1])
    landed = _landed(losses, target, tried).reshape(len(STEPS), *points.shape)
    every = np.concatenate([points[None], landed])
    nearest = np.linalg.norm(every, axis=2).argmin(axis=0)
    return np.asarray(every[nearest, np.arange(len(points))])


def _landed(losses: Losses, target: float, points: FloatArray) -> FloatArray:
    """Where the rays through points meet the target near them [row, dimension]; infinite where they do not.

    The loss is read at `RADII` times the point's distance, and linearly between.
    """
    radii = np.asarray(RADII)
    found = losses((points[:, None, :] * radii[None, :, None]).reshape(-1, points.shape[1])).reshape(len(points), -1)
    crossed = (found[:, :-1] < target) & (found[:, 1:] >= target)
    first = crossed.argmax(axis=1)
    rows = np.arange(len(points))
    low, high = found[rows, first], found[rows, first + 1]
    part = (target - low) / np.where(high > low, high - low, 1.0)
    factor = radii[first] + part * (radii[first + 1] - radii[first])
    return np.where(crossed.any(axis=1, keepdims=True), points * factor[:, None], np.inf)


def _line(
    name: str,
    target: float,
    point: FloatArray | None,
    spread: Spread,
    root: FloatArray,
    alone: Book,
    ready: Plan,
) -> ReverseLine:
    if point is None:
        return ReverseLine(exhausts=name, target_usd=target)
    parts = np.linspace(0.0, 1.0, PATH)
    columns = _columns(spread, np.outer(parts, root @ point), ready)
    gains = account_pnl(alone, ready.snapshot, columns)[0]
    moved = spread.shocks((root @ point)[None, :])[:, 0]
    own = (root @ point) / np.where(spread.deviation > 0.0, spread.deviation, 1.0)
    distance = float(np.linalg.norm(point))
    order = np.argsort(-np.abs(own))
    return ReverseLine(
        exhausts=name,
        target_usd=target,
        deviations=distance,
        probability=float(ndtr(-distance)),
        past=_past(spread, root, distance, target, alone, ready),
        pnl_usd=float(gains[-1]),
        moves=tuple(
            FactorMove(factor=spread.factors[i], shock=float(moved[i]), deviations=float(own[i])) for i in order
        ),
        path=tuple(PathPoint(part=float(p), pnl_usd=float(x)) for p, x in zip(parts, gains, strict=True)),
        positions=_position_losses(alone, ready, columns),
    )


def _past(spread: Spread, root: FloatArray, distance: float, target: float, alone: Book, ready: Plan) -> Past | None:
    """What the scenarios of the calibration say of a point; of no distance where nothing has to be lost."""
    if not len(spread.past):
        return None
    rank = int(np.linalg.matrix_rank(root))
    far = np.linalg.norm(spread.past @ np.linalg.pinv(root).T, axis=1)
    gains = account_pnl(alone, ready.snapshot, _columns(spread, spread.past, ready))[0]
    return Past(
        scenarios=len(spread.past),
        as_far=int((far >= distance).sum()),
        lost=int((-gains >= target).sum()),
        as_far_normal=float(chdtrc(rank, distance**2)) if rank else 0.0,
    )


def _position_losses(alone: Book, ready: Plan, columns: ScenarioSet) -> tuple[PositionLoss, ...]:
    """P&L of positions and collateral in the last column, the worst first."""
    matrix = pnl(alone.table, ready.snapshot, columns.take(np.asarray([len(columns) - 1]))).values[:, 0]
    totals: dict[str, float] = {}
    for lines in (alone.positions, alone.holdings):
        for row, quantity in zip(lines.instrument.tolist(), lines.quantity.tolist(), strict=True):
            totals[alone.table.ids[row]] = totals.get(alone.table.ids[row], 0.0) + quantity * float(matrix[row])
    return tuple(PositionLoss(instrument=i, pnl_usd=x) for i, x in sorted(totals.items(), key=lambda item: item[1]))
