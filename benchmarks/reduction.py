"""Positions × scenarios to one number an account: a million positions of fifty thousand accounts."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.case import Bar, Case, Contender
from crossmargin.core.compile import compiled
from crossmargin.measures.kernels.reduce import losses_rows, tail_rows, weighted_tail_rows, worst_rows
from crossmargin.measures.tiles import WIDTH, cut
from crossmargin.valuation.kernels.vmath import fma_, wide_

INSTRUMENTS, SCENARIOS, A_ROW, THREADS = 3000, 250, 20, 2
TAIL = 7  # ceil(250 · 2.5 %)
SIZES = (250_000, 500_000, 1_000_000)


def draw(positions: int):
    """Rows of about twenty positions each, and unit P&L."""
    rng = np.random.default_rng(0)
    rows = positions // A_ROW
    ptr = np.concatenate([[0], np.cumsum(rng.multinomial(positions, np.full(rows, 1.0 / rows)))])
    index = rng.integers(0, INSTRUMENTS, positions).astype(np.int32)
    return ptr, index, rng.normal(0.0, 1.0, positions), rng.normal(0.0, 1.0, (INSTRUMENTS, SCENARIOS))


@compiled()
def _resident_loop(tile: np.ndarray, rows: int, out: np.ndarray) -> None:
    """As many fused multiply-adds as `rows` positions take in one tile, four rows at a time in their order: what the
    reduction could reach if it found every row by counting."""
    wide_()
    row = np.empty(WIDTH)
    row[:] = 0.0
    done = 0
    while done < rows:
        for i in range(0, tile.shape[0] - 3, 4):
            a, b, c, d = tile[i], tile[i + 1], tile[i + 2], tile[i + 3]
            for s in range(WIDTH):
                row[s] = fma_(0.5, d[s], fma_(0.25, c[s], fma_(0.125, b[s], fma_(0.0625, a[s], row[s]))))
        done += tile.shape[0] // 4 * 4
    out[:] = row


def roofline(tiles: np.ndarray, positions: int) -> None:
    """The same tiles, the same number of multiply-adds, the same threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        for tile in tiles:
            list(
                pool.map(
                    lambda _, tile=tile: _resident_loop(tile, positions // THREADS, np.empty(WIDTH)), range(THREADS)
                )
            )


def scipy_worst(matrix: csr_matrix, pnl: np.ndarray) -> np.ndarray:
    return -(matrix @ pnl).min(axis=1)


def scipy_shortfall(matrix: csr_matrix, pnl: np.ndarray) -> np.ndarray:
    return -np.partition(matrix @ pnl, TAIL - 1, axis=1)[:, :TAIL].mean(axis=1)


def worst(positions: int) -> list[Contender]:
    ptr, index, quantity, pnl = draw(positions)
    matrix = csr_matrix((quantity, index, ptr), shape=(ptr.size - 1, INSTRUMENTS))
    tiles, cells = cut(pnl).pnl, positions * SCENARIOS
    single = pnl.astype(np.float32)
    return [
        Contender(
            name="crossmargin, 2 threads",
            run=lambda: worst_rows(ptr, index, quantity, pnl, threads=THREADS),
            cells=cells,
        ),
        Contender(name="scipy CSR @ dense, min", run=lambda: scipy_worst(matrix, pnl), cells=cells),
        Contender(name="roofline of the tile", run=lambda: roofline(tiles, positions), cells=cells),
        Contender(name="1 thread", run=lambda: worst_rows(ptr, index, quantity, pnl), cells=cells),
        Contender(
            name="float32 P&L", run=lambda: worst_rows(ptr, index, quantity, single, threads=THREADS), cells=cells
        ),
    ]


def shortfall(positions: int) -> list[Contender]:
    ptr, index, quantity, pnl = draw(positions)
    matrix = csr_matrix((quantity, index, ptr), shape=(ptr.size - 1, INSTRUMENTS))
    weight, cells = np.random.default_rng(1).uniform(0.5, 1.0, SCENARIOS), positions * SCENARIOS
    tail = 0.025 * weight.sum()
    return [
        Contender(
            name="crossmargin, 2 threads",
            run=lambda: tail_rows(ptr, index, quantity, pnl, TAIL, threads=THREADS),
            cells=cells,
        ),
        Contender(
            name="worst",
            run=lambda: worst_rows(ptr, index, quantity, pnl, threads=THREADS),
            cells=cells,
        ),
        Contender(name="scipy CSR @ dense, partition", run=lambda: scipy_shortfall(matrix, pnl), cells=cells),
        Contender(
            name="unequal weights",
            run=lambda: weighted_tail_rows(ptr, index, quantity, pnl, weight, tail, threads=THREADS),
            cells=cells,
        ),
        Contender(
            name="all losses stored",
            run=lambda: losses_rows(ptr, index, quantity, pnl, threads=THREADS),
            cells=cells,
        ),
    ]


def shortfall_error() -> float:
    """Largest distance from SciPy and NumPy, as a share of the largest loss."""
    ptr, index, quantity, pnl = draw(SIZES[0])
    matrix = csr_matrix((quantity, index, ptr), shape=(ptr.size - 1, INSTRUMENTS))
    ours, reference = tail_rows(ptr, index, quantity, pnl, TAIL)[1], scipy_shortfall(matrix, pnl)
    return float(np.abs(ours - reference).max() / np.abs(reference).max())


def cases() -> list[Case]:
    unit = f"positions × {SCENARIOS} scenarios"
    return [
        Case(
            name="reduction, worst",
            unit=unit,
            sizes=SIZES,
            contest=worst,
            bars=(
                Bar(against="scipy CSR @ dense, min", ratio_min=3.0),
                Bar(against="roofline of the tile", ratio_min=0.6),
            ),
        ),
        Case(
            name="reduction, expected shortfall",
            unit=unit,
            sizes=SIZES,
            contest=shortfall,
            bars=(Bar(against="worst", ratio_min=1.0 / 3.0),),
            error=shortfall_error,
            error_max=1e-12,
        ),
    ]
