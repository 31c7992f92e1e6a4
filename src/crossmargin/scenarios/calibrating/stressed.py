"""Columns for the times that the method's own do not know: the worst stretch as it was, and correlations that break.

A stretch is one and the same time for all factors, because what moved together in it is what it teaches. Stressed
correlations move ranks alone: each factor keeps its own distribution, as in Iman and Conover (1982), "A
distribution-free approach to inducing rank correlation among input variables", Communications in Statistics B 11,
311–334.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray
from crossmargin.scenarios.calibrating.calibration import CorrelationStress
from crossmargin.scenarios.calibrating.law import moving
from crossmargin.scenarios.factors import parse_factor
from crossmargin.scenarios.statistics.dependence import Block, stress_correlation

UP: Final = "correlation up"
DOWN: Final = "correlation down"
_LEAST: Final = 1e-9  # of an eigenvalue that is taken a root of: factors that move as one leave zeros


def worst_window(residuals: FloatArray, bars: int) -> slice:
    """The `bars` consecutive rows [row, factor] of greatest mean square over all factors; all rows where fewer."""
    span = min(bars, len(residuals))
    squares = np.cumsum(np.concatenate([[0.0], np.mean(residuals**2, axis=1)]))
    first = int(np.argmax(squares[span:] - squares[:-span]))
    return slice(first, first + span)


def correlation_families(
    rows: FloatArray, factors: Sequence[str], stress: CorrelationStress
) -> Iterator[tuple[str, FloatArray]]:
    """The families `UP` and `DOWN` with residuals [row, factor] whose correlations are stressed block by block.

    Factors in no block, and those that never move, keep their residuals' correlations as far as can be
    (`stress_correlation`). Raises `UnknownName` for a factor of a block that there is not.
    """
    kept = np.flatnonzero(moving(rows))
    values = rows[:, kept]
    spread = np.sqrt(np.mean(values**2, axis=0))
    known = _unit(values.T @ values / len(values) / spread[:, None] / spread)
    blocks = _blocks([factors[int(i)] for i in kept], factors, stress)
    for name, sides in ((UP, _together), (DOWN, _apart)):
        wanted = [Block(factors=b, signs=sides(known[np.ix_(b, b)]), stress=stress.stress) for b in blocks]
        turned = rows.copy()
        turned[:, kept] = _turned(values, known, stress_correlation(known, wanted).matrix, spread)
        yield name, turned


def _unit(matrix: FloatArray) -> FloatArray:
    out: FloatArray = np.clip(0.5 * (matrix + matrix.T), -1.0, 1.0)
    np.fill_diagonal(out, 1.0)
    return out


def _blocks(kept: Sequence[str], factors: Sequence[str], stress: CorrelationStress) -> list[tuple[int, ...]]:
    """Places among the factors `kept` of each block that has two or more."""
    named = stress.blocks
    if not named:
        kinds = [parse_factor(name, where="correlation stress").kind for name in kept]
        named = tuple(tuple(n for n, k in zip(kept, kinds, strict=True) if k == kind) for kind in dict.fromkeys(kinds))
    for name in (name for block in named for name in block):
        check.known(name, factors, "factor", where="correlation stress")
    places = [tuple(kept.index(name) for name in block if name in kept) for block in named]
    return [block for block in places if len(block) > 1]


def _together(correlation: FloatArray) -> tuple[int, ...]:
    return (1,) * len(correlation)


def _apart(correlation: FloatArray) -> tuple[int, ...]:
    """Signs of the direction of greatest variance among those that leave the sum alone: two sides, the first is +1."""
    size = len(correlation)
    centre = np.eye(size) - 1.0 / size
    way = np.linalg.eigh(centre @ correlation @ centre)[1][:, -1]
    signs = np.where(way * np.sign(way[0] or 1.0) >= 0.0, 1, -1)
    return tuple(int(s) for s in signs)


def _turned(values: FloatArray, known: FloatArray, wanted: FloatArray, spread: FloatArray) -> FloatArray:
    """Values [row, factor] in the order of ranks of the nearest ones that have the wanted correlation.

    The nearest in mean square come by A = K^−½·(K^½·W·K^½)^½·K^−½, K being the known and W the wanted correlation.
    Source: Knott and Smith (1984), "On the optimal mapping of distributions", Journal of Optimization Theory and
    Applications 43, 39–49.
    """
    root, inverse = _root(known, 0.5), _root(known, -0.5)
    moved = (values / spread) @ inverse @ _root(root @ wanted @ root, 0.5) @ inverse
    out = np.empty_like(values)
    np.put_along_axis(out, np.argsort(moved, axis=0, kind="stable"), np.sort(values, axis=0), axis=0)
    return out


def _root(matrix: FloatArray, power: float) -> FloatArray:
    """A power of a symmetric matrix that is positive semi-definite up to rounding."""
    values, vectors = np.linalg.eigh(matrix)
    found: FloatArray = (vectors * np.maximum(values, _LEAST) ** power) @ vectors.T
    return found
