"""P&L cut into tiles of scenarios that stay in a core's second-level cache while all positions pass over them."""

import math
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from numpy.typing import DTypeLike

from crossmargin.core.compile import compiled
from crossmargin.valuation.blocks import uniform
from crossmargin.valuation.kernels.vmath import fma_, wide_

WIDTH = 64  # Scenarios in a tile: 16 vectors of 4 doubles to accumulate in; 3,000 instruments make 1.5 MiB of it.
CACHE_LINE = 64
MAGNITUDE_BITS = np.int64(0x7FFFFFFFFFFFFFFF)


class Tiles(NamedTuple):
    """P&L [tile, instrument, WIDTH], aligned to cache lines, and the first scenario of each tile.

    The last tile, where its scenarios do not fill it, repeats its first one: a minimum over the whole tile is then the
    minimum over its scenarios, and the first place where it stands is a scenario."""

    pnl: ndarray
    first: ndarray


def cut(pnl: ndarray) -> Tiles:
    """Cut [instrument, scenario] into tiles, float32 or float64 as it is, and see that every number is finite."""
    dtype = np.float32 if pnl.dtype == np.float32 else np.float64
    first = np.arange(0, pnl.shape[1], WIDTH)
    tiles, source = _aligned((first.size, pnl.shape[0], WIDTH), dtype), uniform(pnl, dtype)
    assert math.isfinite(_cut_loop(tiles, source)), "unit P&L is finite"
    return Tiles(uniform(tiles, dtype), uniform(first, np.int64))


def _aligned(shape: tuple[int, int, int], dtype: DTypeLike) -> ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + CACHE_LINE, dtype=np.uint8)
    offset = -raw.ctypes.data % CACHE_LINE
    return raw[offset : offset + size].view(dtype).reshape(shape)


@compiled()
def _cut_loop(tiles: ndarray, pnl: ndarray) -> float:
    """Copy, and return 0, or NaN if any number is not finite."""
    probe = 0.0
    for i in range(pnl.shape[0]):
        for t in range(tiles.shape[0]):
            row, start = tiles[t, i], t * WIDTH
            filled = min(WIDTH, pnl.shape[1] - start)
            for s in range(filled):
                row[s] = pnl[i, start + s]
                probe += 0.0 * pnl[i, start + s]
            for s in range(filled, WIDTH):
                row[s] = pnl[i, start]
    return probe


@compiled()
def add_positions(row: ndarray, tile: ndarray, index: ndarray, quantity: ndarray, start: int, stop: int) -> None:
    """row += Σ quantity · tile[index] over positions [start, stop), in their order, four at a time.

    The fixed width lets the compiler unroll the inner loop; unsigned indices spare it the check for negative ones."""
    wide_()
    whole = start + (stop - start) // 4 * 4
    for p in range(start, whole, 4):
        i, j = np.uint64(index[p]), np.uint64(index[p + 1])
        k, m = np.uint64(index[p + 2]), np.uint64(index[p + 3])
        a, b, c, d = quantity[p], quantity[p + 1], quantity[p + 2], quantity[p + 3]
        for s in range(WIDTH):
            x = fma_(b, tile[j, s], fma_(a, tile[i, s], row[s]))
            row[s] = fma_(d, tile[m, s], fma_(c, tile[k, s], x))
    for p in range(whole, stop):
        i, a = np.uint64(index[p]), quantity[p]
        for s in range(WIDTH):
            row[s] = fma_(a, tile[i, s], row[s])


@compiled()
def any_below(row: ndarray, limit: float) -> bool:
    """Whether any of the tile's values is below `limit`: counting runs on vectors, a minimum of doubles does not."""
    wide_()
    count = 0
    for s in range(WIDTH):
        count += 1 if row[s] < limit else 0
    return count > 0


@compiled()
def least(row: ndarray) -> float:
    """The smallest of the tile's values, none of them NaN, by integers: their minimum runs on vectors.

    Doubles stand in the order of their bits once all bits but the sign of the negative ones are turned."""
    wide_()
    low = MAGNITUDE_BITS
    for s in range(WIDTH):
        bits = np.float64(row[s]).view(np.int64)
        low = min(low, bits ^ ((bits >> 63) & MAGNITUDE_BITS))
    return float(np.int64(low ^ ((low >> 63) & MAGNITUDE_BITS)).view(np.float64))


@compiled()
def place(row: ndarray, value: float) -> int:
    """The first place in the row where `value` stands."""
    wide_()
    found = row.size
    for s in range(row.size):
        found = min(found, s if row[s] == value else row.size)
    return found
