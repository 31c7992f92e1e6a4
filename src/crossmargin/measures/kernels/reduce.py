"""Measures of accounts from positions and unit P&L, fused: account × scenario is never stored unless asked for.

Positions come as CSR rows: row r holds `quantity[p]` of instrument `index[p]` for p in `ptr[r]` … `ptr[r + 1]`. Its
loss in scenario s is L = −Σ quantity · pnl[index, s], summed in the order of the positions, in float64 also where
`pnl` is float32 (half the memory to read, 7 digits). Measures are losses in USD: positive where money is lost, not
floored at 0. A row without positions loses 0 everywhere.

Many positions pass over tiles of scenarios that stay in the cache (see `tiles`); few are added up as they come, because
then cutting the tiles would be the larger work.
"""

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from crossmargin.core.compile import compiled
from crossmargin.measures.tiles import MAGNITUDE_BITS, WIDTH, add_positions, any_below, cut, least, place
from crossmargin.valuation.blocks import run_blocks, uniform, weighted_bounds
from crossmargin.valuation.kernels.vmath import fma_, wide_

ROWS_A_BLOCK = 2048  # Rows whose full P&L is held at a time; enough that fetching a tile anew for each block is cheap.
CANDIDATES_MAX = 16  # Stop narrowing the tail when so few values are left to sort beyond those wanted.
HALVINGS_MAX = 40
WEIGHT_SLACK = 1e-12  # Relative rounding in a sum of weights that must not push the boundary of the tail by one.


def worst_rows(
    ptr: Int[ndarray, "rows_and_one"],
    index: Int[ndarray, "position"],
    quantity: Float[ndarray, "position"],
    pnl: Float[ndarray, "instrument scenario"],
    *,
    threads: int = 1,
) -> tuple[Float[ndarray, "row"], Int[ndarray, "row"]]:
    """Largest loss of each row, max over s of L[s], and the first scenario that brings it."""
    if not _many(index, pnl):
        worst, _, scenario = tail_rows(ptr, index, quantity, pnl, 1, threads=threads)
        return worst, scenario
    plain, tiles = _checked(ptr, index, quantity, pnl), cut(pnl)
    gain, scenario = np.full(ptr.size - 1, np.inf), np.zeros(ptr.size - 1, dtype=np.int64)

    def work(top: int, bottom: int) -> None:
        _worst_loop(*plain, *tiles, gain, scenario, top, bottom)

    run_blocks(work, weighted_bounds(ptr, pnl.shape[1], threads))
    return 0.0 - gain, scenario


def tail_rows(
    ptr: Int[ndarray, "rows_and_one"],
    index: Int[ndarray, "position"],
    quantity: Float[ndarray, "position"],
    pnl: Float[ndarray, "instrument scenario"],
    tail_count: int,
    *,
    threads: int = 1,
) -> tuple[Float[ndarray, "row"], Float[ndarray, "row"], Int[ndarray, "row"]]:
    """Value at risk, expected shortfall and worst scenario of each row, all scenarios being equally likely.

    The `tail_count`-th largest loss, and the mean of the `tail_count` largest. With n scenarios and confidence c the
    count is ceil(n·(1 − c)): the inverted distribution function, and the boundary belongs to the tail."""
    assert 0 < tail_count <= pnl.shape[1], "the tail is at least one scenario and at most all"
    quantile, shortfall, scenario = _results(ptr)
    plain, source = _checked(ptr, index, quantity, pnl), _source(index, pnl)

    def work(top: int, bottom: int) -> None:
        _tail_loop(*plain, *source, tail_count, quantile, shortfall, scenario, top, bottom)

    run_blocks(work, weighted_bounds(ptr, pnl.shape[1], threads))
    assert np.isfinite(shortfall).all(), "unit P&L is finite"
    return quantile, shortfall, scenario


def weighted_tail_rows(
    ptr: Int[ndarray, "rows_and_one"],
    index: Int[ndarray, "position"],
    quantity: Float[ndarray, "position"],
    pnl: Float[ndarray, "instrument scenario"],
    weight: Float[ndarray, "scenario"],
    tail_weight: float,
    *,
    threads: int = 1,
) -> tuple[Float[ndarray, "row"], Float[ndarray, "row"], Int[ndarray, "row"]]:
    """As `tail_rows` for scenarios of unequal weight.

    The tail is the fewest of the largest losses that together weigh at least `tail_weight`; value at risk is the
    smallest of them and expected shortfall their weighted mean. Among equal losses earlier scenarios come first."""
    assert (weight >= 0.0).all(), "weights are not negative"
    assert 0.0 < tail_weight <= weight.sum() * (1.0 + WEIGHT_SLACK), "the tail weighs something and not more than all"
    quantile, shortfall, scenario = _results(ptr)
    plain, source = _checked(ptr, index, quantity, pnl), _source(index, pnl)
    wanted, share = tail_weight * (1.0 - WEIGHT_SLACK), uniform(weight)

    def work(top: int, bottom: int) -> None:
        _weighted_loop(*plain, *source, share, wanted, quantile, shortfall, scenario, top, bottom)

    run_blocks(work, weighted_bounds(ptr, pnl.shape[1], threads))
    assert np.isfinite(shortfall).all(), "unit P&L is finite"
    return quantile, shortfall, scenario


def losses_rows(
    ptr: Int[ndarray, "rows_and_one"],
    index: Int[ndarray, "position"],
    quantity: Float[ndarray, "position"],
    pnl: Float[ndarray, "instrument scenario"],
    *,
    threads: int = 1,
) -> Float[ndarray, "row scenario"]:
    """The loss of each row in each scenario, L[r, s]: the one function here that stores them."""
    out = np.empty((ptr.size - 1, pnl.shape[1]))
    plain, source = _checked(ptr, index, quantity, pnl), _source(index, pnl)

    def work(top: int, bottom: int) -> None:
        _losses_loop(*plain, *source, out, top, bottom)

    run_blocks(work, weighted_bounds(ptr, pnl.shape[1], threads))
    return out


def order_losses_rows(
    ptr: Int[ndarray, "rows_and_one"],
    index: Int[ndarray, "order"],
    quantity: Float[ndarray, "order"],
    gain: Float[ndarray, "order"],
    pnl: Float[ndarray, "instrument scenario"],
) -> Float[ndarray, "row scenario"]:
    """What open orders add to the loss of each row in each scenario when each fills only where that hurts.

    Σ over orders of max(0, −quantity·pnl[index, s] − gain). `quantity` is signed (buy > 0); `gain` is the P&L in USD
    of the fill at the mark, negative for a limit worse than the mark. The maximum of positions and orders over
    scenarios is then the maximum over all sets of fills too."""
    out = np.zeros((ptr.size - 1, pnl.shape[1]))
    _order_loop(*_checked(ptr, index, quantity, pnl), uniform(gain), uniform(pnl), out)
    return out


def _checked(ptr: ndarray, index: ndarray, quantity: ndarray, pnl: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """The rows in one layout; the loops trust their indices, and would lose a NaN in a comparison."""
    assert ptr[0] == 0, "row pointers start at 0"
    assert ptr[-1] == index.size, "row pointers end at the number of positions"
    assert pnl.shape[1] > 0, "a measure needs a scenario"
    plain = uniform(ptr, np.int64), uniform(index, np.int32), uniform(quantity)
    strays, broken = _count_faults(plain[1], plain[2], pnl.shape[0])
    assert strays == 0, "instruments are rows of the P&L"
    assert broken == 0, "quantities are finite"
    return plain


def _many(index: ndarray, pnl: ndarray) -> bool:
    return bool(index.size > 2 * pnl.shape[0])


def _source(index: ndarray, pnl: ndarray) -> tuple[ndarray, ndarray]:
    """Unit P&L as it came, and its tiles where they pay: the loops take the tiles if there are any."""
    plain = uniform(pnl, np.float32 if pnl.dtype == np.float32 else np.float64)
    return plain, cut(pnl).pnl if _many(index, pnl) else uniform(np.empty((0, 0, WIDTH)), plain.dtype)


def _results(ptr: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    return np.empty(ptr.size - 1), np.empty(ptr.size - 1), np.empty(ptr.size - 1, dtype=np.int64)


@compiled()
def _count_faults(index: ndarray, quantity: ndarray, instruments: int) -> tuple[int, int]:
    """How many positions are of no instrument, and how many quantities are not finite."""
    strays = broken = 0
    for p in range(index.size):
        strays += 0 if 0 <= index[p] < instruments else 1
        broken += 0 if abs(quantity[p]) < np.inf else 1
    return strays, broken


@compiled()
def _worst_loop(
    ptr: ndarray,
    index: ndarray,
    quantity: ndarray,
    tiles: ndarray,
    first: ndarray,
    gain: ndarray,
    scenario: ndarray,
    top: int,
    bottom: int,
) -> None:
    """Tiles outside, rows inside: the tile stays in the cache, and of each row only its least gain so far is kept."""
    wide_()
    row = np.empty(WIDTH)
    for t in range(first.size):
        tile = tiles[t]
        for r in range(top, bottom):
            row[:] = 0.0
            add_positions(row, tile, index, quantity, ptr[r], ptr[r + 1])
            if any_below(row, gain[r]):
                low = least(row)
                gain[r], scenario[r] = low, first[t] + place(row, low)


@compiled()
def _new_block(pnl: ndarray, rows: int) -> ndarray:
    return np.empty((min(ROWS_A_BLOCK, rows), (pnl.shape[1] + WIDTH - 1) // WIDTH * WIDTH))


@compiled()
def _fill_block(
    ptr: ndarray,
    index: ndarray,
    quantity: ndarray,
    pnl: ndarray,
    tiles: ndarray,
    block: ndarray,
    top: int,
    bottom: int,
) -> None:
    """P&L of rows [top, bottom) in all scenarios, in rows padded to whole tiles."""
    wide_()
    block[: bottom - top] = 0.0
    if tiles.shape[0] == 0:
        for r in range(top, bottom):
            row = block[r - top, : pnl.shape[1]]
            for p in range(ptr[r], ptr[r + 1]):
                q, unit = quantity[p], pnl[index[p]]
                for s in range(row.size):
                    row[s] = fma_(q, unit[s], row[s])
            if _broken(row):
                row[:] = np.nan
    for t in range(tiles.shape[0]):
        tile = tiles[t]
        for r in range(top, bottom):
            row = block[r - top, t * WIDTH : (t + 1) * WIDTH]
            add_positions(row, tile, index, quantity, ptr[r], ptr[r + 1])


@compiled()
def _broken(row: ndarray) -> bool:
    """Whether any number is not finite: tiles are checked as they are cut, plain rows here."""
    count = 0
    for s in range(row.size):
        count += 0 if abs(row[s]) < np.inf else 1
    return count > 0


@compiled()
def _losses_loop(
    ptr: ndarray,
    index: ndarray,
    quantity: ndarray,
    pnl: ndarray,
    tiles: ndarray,
    out: ndarray,
    top: int,
    bottom: int,
) -> None:
    block = _new_block(pnl, bottom - top)
    for start in range(top, bottom, ROWS_A_BLOCK):
        stop = min(start + ROWS_A_BLOCK, bottom)
        _fill_block(ptr, index, quantity, pnl, tiles, block, start, stop)
        for r in range(start, stop):
            row, gain = out[r], block[r - start]
            for s in range(row.size):
                row[s] = 0.0 - gain[s]


@compiled()
def _tail_loop(
    ptr: ndarray,
    index: ndarray,
    quantity: ndarray,
    pnl: ndarray,
    tiles: ndarray,
    count: int,
    quantile: ndarray,
    shortfall: ndarray,
    scenario: ndarray,
    top: int,
    bottom: int,
) -> None:
    wide_()
    block, tail = _new_block(pnl, bottom - top), np.empty(pnl.shape[1] + 1)
    for start in range(top, bottom, ROWS_A_BLOCK):
        stop = min(start + ROWS_A_BLOCK, bottom)
        _fill_block(ptr, index, quantity, pnl, tiles, block, start, stop)
        for r in range(start, stop):
            row = block[r - start, : pnl.shape[1]]
            _lowest(row, count, tail)
            total = 0.0
            for s in range(count):
                total += tail[s]
            quantile[r], shortfall[r] = 0.0 - tail[count - 1], 0.0 - total / count
            scenario[r] = place(row, tail[0])


@compiled()
def _lowest(row: ndarray, count: int, tail: ndarray) -> None:
    """Write the `count` smallest values of `row`, in ascending order, to the front of `tail`, which is one longer.

    Halves the interval that holds the boundary, which only counts and so runs on vectors, until few candidates stand
    beyond it; only those are sorted."""
    wide_()
    low, high = _range(row)
    for _ in range(HALVINGS_MAX):
        middle = low + 0.5 * (high - low)
        below = 0
        for s in range(row.size):
            below += 1 if row[s] <= middle else 0
        if below < count:
            low = middle
        else:
            high = middle
            if below <= count + CANDIDATES_MAX:
                break
    found = 0
    for s in range(row.size):
        tail[found] = row[s]  # Written always and kept if wanted: a branch would be guessed wrong at each candidate.
        found += 0 if row[s] > high else 1
    _sort(tail, found)


@compiled()
def _range(row: ndarray) -> tuple[float, float]:
    """Smallest and largest value, by integers in the order of the doubles, as `least` does: that runs on vectors."""
    wide_()
    low, high = MAGNITUDE_BITS, ~MAGNITUDE_BITS
    for s in range(row.size):
        bits = np.float64(row[s]).view(np.int64)
        ordered = bits ^ ((bits >> 63) & MAGNITUDE_BITS)
        low, high = min(low, ordered), max(high, ordered)
    return _double(low), _double(high)


@compiled(inline=True)
def _double(ordered: np.int64) -> float:
    return float(np.int64(ordered ^ ((ordered >> 63) & MAGNITUDE_BITS)).view(np.float64))


@compiled()
def _sort(tail: ndarray, size: int) -> None:
    """Ascending, in place: by insertion where that is quicker, which is nearly always."""
    if size > 3 * CANDIDATES_MAX:
        tail[:size].sort()
        return
    for s in range(1, size):
        value, p = tail[s], s
        while p > 0 and tail[p - 1] > value:
            tail[p] = tail[p - 1]
            p -= 1
        tail[p] = value


@compiled()
def _weighted_loop(
    ptr: ndarray,
    index: ndarray,
    quantity: ndarray,
    pnl: ndarray,
    tiles: ndarray,
    weight: ndarray,
    wanted: float,
    quantile: ndarray,
    shortfall: ndarray,
    scenario: ndarray,
    top: int,
    bottom: int,
) -> None:
    block, tail = _new_block(pnl, bottom - top), np.empty(pnl.shape[1] + 1, dtype=np.int64)
    for start in range(top, bottom, ROWS_A_BLOCK):
        stop = min(start + ROWS_A_BLOCK, bottom)
        _fill_block(ptr, index, quantity, pnl, tiles, block, start, stop)
        for r in range(start, stop):
            row = block[r - start, : pnl.shape[1]]
            found = _lowest_weighing(row, weight, wanted, tail)
            weighed = total = 0.0
            for p in range(found):
                s = tail[p]
                weighed += weight[s]
                total += weight[s] * row[s]
                quantile[r] = 0.0 - row[s]
                if weighed >= wanted:
                    break
            shortfall[r], scenario[r] = 0.0 - total / weighed, tail[0]


@compiled()
def _lowest_weighing(row: ndarray, weight: ndarray, wanted: float, tail: ndarray) -> int:
    """Write the places of the smallest values that weigh `wanted` or more, values ascending, to the front of `tail`;
    return how many were written. As `_lowest`, by weight."""
    low, high = _range(row)
    for _ in range(HALVINGS_MAX):
        middle = low + 0.5 * (high - low)
        below, count = 0.0, 0
        for s in range(row.size):
            below += weight[s] if row[s] <= middle else 0.0
            count += 1 if row[s] <= middle else 0
        if below < wanted:
            low = middle
        else:
            high = middle
            if count <= 2 * CANDIDATES_MAX:
                break
    found = 0
    for s in range(row.size):
        tail[found] = s
        found += 0 if row[s] > high else 1
    if found > 4 * CANDIDATES_MAX:
        tail[:found] = tail[:found][np.argsort(row[tail[:found]], kind="mergesort")]
        return found
    for p in range(1, found):
        s, q = tail[p], p
        while q > 0 and row[tail[q - 1]] > row[s]:
            tail[q] = tail[q - 1]
            q -= 1
        tail[q] = s
    return found


@compiled()
def _order_loop(ptr: ndarray, index: ndarray, quantity: ndarray, gain: ndarray, pnl: ndarray, out: ndarray) -> None:
    for r in range(out.shape[0]):
        row = out[r]
        for p in range(ptr[r], ptr[r + 1]):
            q, now, unit = quantity[p], gain[p], pnl[index[p]]
            for s in range(row.size):
                row[s] += max(fma_(-q, unit[s], -now), 0.0)
