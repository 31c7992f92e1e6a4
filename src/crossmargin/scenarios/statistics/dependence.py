"""How factors move together: correlations over time, shrunk, repaired and stressed.

Correlations are [factor, factor] of standardised returns z [date, factor], which are uncentred (their mean is zero by
construction). Everything that changes a matrix says by how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, frozen, require_finite
from crossmargin.core.check import within
from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.kernels.dependence import correlation_log_likelihood, filter_correlations

COMMON_MIN: Final = 30  # Dates that two factors must share before their correlation is estimated.
PERSISTENCE_MAX: Final = 0.9999
_EIGENVALUE_SLACK: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repair:
    """A positive semi-definite correlation matrix, and how far it lies from the matrix that was asked for.

    `change_max` is the largest change of an entry, `change_norm` the Frobenius norm of the change, `eigenvalue_min` the
    least eigenvalue before. All zero changes mean that nothing had to be done."""

    matrix: FloatArray
    change_max: float
    change_norm: float
    eigenvalue_min: float


def repair(matrix: FloatArray, *, tolerance: float = 1e-10, rounds_max: int = 2000) -> Repair:
    """The nearest correlation matrix in the Frobenius norm; one that is positive semi-definite stays as it is.

    Alternating projections with Dykstra's correction, then scaled to an exact unit diagonal.
    Source: Higham (2002), "Computing the nearest correlation matrix", IMA Journal of Numerical Analysis 22, 329–343.
    Raises `InvalidInput` for a matrix that is not symmetric with ones on its diagonal and entries in [−1, 1]."""
    _check_correlation(matrix)
    least = float(np.linalg.eigvalsh(matrix)[0])
    if least >= -_EIGENVALUE_SLACK:
        return Repair(matrix=frozen(matrix), change_max=0.0, change_norm=0.0, eigenvalue_min=least)
    found, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(rounds_max):
        shifted = found - correction
        values, vectors = np.linalg.eigh(shifted)
        positive = (vectors * np.maximum(values, 0.0)) @ vectors.T
        correction = positive - shifted
        found = positive.copy()
        np.fill_diagonal(found, 1.0)
        if np.abs(found - positive).max() < tolerance:
            break
    values, vectors = np.linalg.eigh(found)
    positive = (vectors * np.maximum(values, 0.0)) @ vectors.T
    scale = 1.0 / np.sqrt(np.diag(positive))
    near = _symmetric(positive * scale[:, None] * scale)
    return Repair(
        matrix=frozen(near),
        change_max=float(np.abs(near - matrix).max()),
        change_norm=float(np.linalg.norm(near - matrix)),
        eigenvalue_min=least,
    )


def correlation(z: FloatArray, *, weight: FloatArray | None = None) -> Repair:
    """The correlation of z [date, factor] over dates that two factors share, repaired where gaps make it indefinite.

    Σ w·z_i·z_j/√(Σ w·z_i² · Σ w·z_j²), each sum over the dates that have both; `weight` [date] is equal without one.
    Raises `InvalidInput` for a pair with fewer than 30 common dates, or one of which stands still."""
    there = ~np.isnan(z)
    known = there.astype(np.float64)
    common = known.T @ known
    if common.min() < COMMON_MIN:
        i, j = (int(k) for k in np.unravel_index(np.argmin(common), common.shape))
        raise InvalidInput(
            "number of common dates",
            where=f"correlation of factors {min(i, j)} and {max(i, j)}",
            value=int(common[i, j]),
            limit=f"at least {COMMON_MIN}",
            remedy="Give a longer history, or take the younger factor by a proxy.",
        )
    filled = np.where(there, z, 0.0)
    share = np.ones(len(z)) if weight is None else weight
    products = (filled * share[:, None]).T @ filled
    squares = (filled**2 * share[:, None]).T @ known  # of the row's factor, over dates that have the column's too
    spread = np.sqrt(squares * squares.T)
    if not (np.diag(spread) > 0.0).all():
        raise InvalidInput(
            "variance",
            where=f"correlation, factor {int(np.argmin(np.diag(spread)))}",
            value=0.0,
            limit="above zero",
            remedy="A factor that stands still has no correlation: leave it out.",
        )
    return repair(_symmetric(products / np.where(spread > 0.0, spread, 1.0)))


def ewma_correlation(z: FloatArray, decay: float) -> Repair:
    """The correlation for the date after the last, weights λ^age; the newest date has age 0.

    The same as `filter_correlations` with a = 1 − λ, b = λ once its start has faded, but for dates with gaps."""
    within(decay, "decay", 0.5, 1.0, where="EWMA correlation")
    return correlation(z, weight=decay ** np.arange(len(z) - 1, -1, -1, dtype=np.float64))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DccModel:
    """Dynamic conditional correlation: `a` the weight of the last returns, `b` of the last Q, `target` the long run.

    a = b = 0 is constant correlation."""

    a: float
    b: float
    target: FloatArray

    def __post_init__(self) -> None:
        for name, value in (("a", self.a), ("b", self.b), ("a + b", self.a + self.b)):
            within(value, name, 0.0, 1.0 + 1e-12, where="DCC model")
        _check_correlation(self.target)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DccFit:
    """A fitted model with `errors` of (a, b), the log-likelihood of the correlations and that of constant ones.

    The errors are of the second step alone, from its curvature: they take volatilities and target as known, and are
    NaN where a or b lies at a limit. `change` says what the repair of the target took."""

    model: DccModel
    errors: tuple[float, float]
    log_likelihood: float
    constant_log_likelihood: float
    converged: bool
    change: Repair


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CorrelationPath:
    """Correlations of each date [date, factor, factor], known before its returns, and Q for the date after."""

    correlation: FloatArray
    state: FloatArray


def filter_dcc(model: DccModel, z: FloatArray, state: FloatArray | None = None) -> CorrelationPath:
    """The correlations of a history of standardised returns [date, factor] from Q = `state`, or from the target.

    A NaN counts as what is expected of it given the other factors of its date."""
    before = model.target if state is None else state
    path, after = filter_correlations(np.asarray(z, np.float64), model.target, before, model.a, model.b)
    return CorrelationPath(correlation=frozen(path), state=frozen(after))


def fit_dcc(z: FloatArray) -> DccFit:
    """Two-step maximum likelihood with correlation targeting: volatilities are in z already, the target is its own
    correlation, and (a, b) maximise `correlation_log_likelihood`.

    Best of a grid, then Nelder and Mead. Source: Engle (2002), section 3. Raises as `correlation` does."""
    from scipy import optimize  # noqa: PLC0415 it takes a fifth of a second, and few fit

    target = correlation(z)

    def cost(x: FloatArray) -> float:
        a, b = float(x[0]), float(x[1])
        if a < 0.0 or b < 0.0 or a + b > PERSISTENCE_MAX:
            return math.inf
        return -correlation_log_likelihood(z, target.matrix, a, b)

    grid = [(a, p - a) for a in (0.005, 0.02, 0.05) for p in (0.8, 0.95, 0.99)]
    first = min(grid, key=lambda point: cost(np.array(point)))
    simplex = np.array([first, (first[0] * 1.5, first[1]), (first[0], first[1] * 0.97)])
    found = optimize.minimize(
        cost, first, method="Nelder-Mead", options={"initial_simplex": simplex, "xatol": 1e-6, "fatol": 1e-8}
    )
    constant = -cost(np.zeros(2))
    best = found.x if -found.fun > constant else np.zeros(2)
    return DccFit(
        model=DccModel(a=float(best[0]), b=float(best[1]), target=target.matrix),
        errors=_curvature_errors(cost, best),
        log_likelihood=max(-float(found.fun), constant),
        constant_log_likelihood=constant,
        converged=bool(found.success),
        change=target,
    )


def ledoit_wolf(z: FloatArray) -> tuple[FloatArray, float]:
    """The covariance of z [date, factor] shrunk to a multiple of the identity, and how far: 0 not at all, 1 wholly.

    (1 − δ)·S + δ·μ·I with μ the mean variance and δ the least expected distance from the truth; z is taken as centred.
    Source: Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
    Multivariate Analysis 88, 365–411. Raises `InvalidInput` for a gap: shrink complete dates."""
    require_finite(z, "standardised return", where="Ledoit–Wolf shrinkage")
    dates, size = z.shape
    sample = z.T @ z / dates
    level = np.trace(sample) / size
    away = float(np.sum(sample**2)) - size * level**2
    noise = (float(np.sum((z**2).T @ z**2)) / dates - float(np.sum(sample**2))) / dates
    shrinkage = min(1.0, max(0.0, noise / away)) if away > 0.0 else 1.0
    return (1.0 - shrinkage) * sample + shrinkage * level * np.eye(size), shrinkage


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Factors whose correlations are stressed together: places of `factors`, their `signs`, and how far.

    `stress` s takes the correlation of two factors to ρ + s(σ_i·σ_j − ρ): towards +1 for equal signs, towards −1 for
    opposite ones, as of a hedge whose legs come apart."""

    factors: tuple[int, ...]
    signs: tuple[int, ...] = ()
    stress: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StressedCorrelation:
    """A correlation with stressed blocks. `kept` is the part of the correlations between blocks that could stay: at 1
    they are unchanged, at 0 each is scaled by √((1 − s)(1 − s′)) of its two blocks. `change_max` is the largest change
    between blocks."""

    matrix: FloatArray
    kept: float
    change_max: float


def stress_correlation(matrix: FloatArray, blocks: Sequence[Block]) -> StressedCorrelation:
    """Take each block exactly as far as its stress says, and keep what stands between blocks as far as can be.

    A common shock √s·σ_i added to √(1 − s) of each factor gives the blocks wanted, is positive semi-definite whatever
    the stresses, and scales the rest by √((1 − s)(1 − s′)). The result is the point nearest to the unscaled rest on the
    line from there that is still positive semi-definite. Raises `InvalidInput` for a matrix that is not a positive
    semi-definite correlation, and for blocks that share a factor."""
    _check_correlation(matrix)
    if (least := float(np.linalg.eigvalsh(matrix)[0])) < -1e-9:
        raise InvalidInput(
            "least eigenvalue", where="correlation stress", value=least, limit="not negative", remedy="Repair it first."
        )
    signs, stress = _block_columns(blocks, len(matrix))
    inside = (signs.T @ signs != 0.0) & ~np.eye(len(matrix), dtype=bool)
    wanted = np.where(inside, matrix + stress[:, None] * (signs.T @ signs - matrix), matrix)
    faded = np.sqrt((1.0 - stress)[:, None] * (1.0 - stress))
    safe = np.where(inside, wanted, faded * matrix)
    np.fill_diagonal(safe, 1.0)
    kept = _largest_share(safe, wanted)
    found = _symmetric(safe + kept * (wanted - safe))
    return StressedCorrelation(
        matrix=frozen(found), kept=kept, change_max=float(np.abs(np.where(inside, 0.0, found - matrix)).max())
    )


def _block_columns(blocks: Sequence[Block], size: int) -> tuple[FloatArray, FloatArray]:
    """Signs [block, factor], 0 outside the block, and the stress of each factor."""
    signs, stress = np.zeros((len(blocks), size)), np.zeros(size)
    for row, block in enumerate(blocks):
        where = f"correlation stress, block {row}"
        within(block.stress, "stress", 0.0, 1.0, where=where)
        given = block.signs or (1,) * len(block.factors)
        if len(given) != len(block.factors) or not set(given) <= {1, -1}:
            raise InvalidInput("signs", where=where, value=given, limit="1 or −1 for each factor", remedy="Correct it.")
        for factor, sign in zip(block.factors, given, strict=True):
            if not 0 <= factor < size or signs[:, factor].any():
                limit = f"a place below {size} that is in one block only"
                raise InvalidInput("factor", where=where, value=factor, limit=limit, remedy="Part the blocks.")
            signs[row, factor], stress[factor] = sign, block.stress
    return signs, stress


def _largest_share(safe: FloatArray, wanted: FloatArray) -> float:
    """The largest λ in [0, 1] at which safe + λ·(wanted − safe) is positive semi-definite; these λ form an interval."""

    def fits(share: float) -> bool:
        return bool(np.linalg.eigvalsh(safe + share * (wanted - safe))[0] >= -_EIGENVALUE_SLACK)

    if fits(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _curvature_errors(cost: object, best: FloatArray) -> tuple[float, float]:
    """Standard errors of (a, b) from second differences of the negative log-likelihood."""
    assert callable(cost)
    step = np.array([1e-4, 1e-4])
    if (best < 2.0 * step).any() or best.sum() > PERSISTENCE_MAX - 4e-4:
        return math.nan, math.nan
    h = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            e, d = np.eye(2)[i] * step[i], np.eye(2)[j] * step[j]
            corners = cost(best + e + d) - cost(best + e - d) - cost(best - e + d) + cost(best - e - d)
            h[i, j] = corners / (4.0 * step[i] * step[j])
    if np.linalg.eigvalsh(h)[0] <= 0.0:
        return math.nan, math.nan
    first, second = np.sqrt(np.diag(np.linalg.inv(h)))
    return float(first), float(second)


def _symmetric(matrix: FloatArray) -> FloatArray:
    out: FloatArray = 0.5 * (matrix + matrix.T)
    np.fill_diagonal(out, 1.0)
    return np.clip(out, -1.0, 1.0)


def _check_correlation(matrix: FloatArray) -> None:
    require_finite(matrix, "correlation", where="correlation matrix")
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not square or np.abs(matrix - matrix.T).max() > 1e-10 or np.abs(np.diag(matrix) - 1.0).max() > 1e-10:
        raise InvalidInput(
            "shape", where="correlation matrix", value=matrix.shape, limit="symmetric with ones", remedy="Correct it."
        )
    if np.abs(matrix).max() > 1.0 + 1e-10:
        i, j = (int(k) for k in np.unravel_index(np.argmax(np.abs(matrix)), matrix.shape))
        raise InvalidInput(
            "correlation",
            where=f"factors {i} and {j}",
            value=float(matrix[i, j]),
            limit="between −1 and 1",
            remedy="Correct it.",
        )
