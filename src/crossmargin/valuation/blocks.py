"""How arrays reach compiled loops: in one layout, and in blocks of rows that threads share."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import DTypeLike, NDArray

# About a millisecond of work each; starting a thread costs a tenth of that.
PRICES_A_THREAD_MIN = 200_000
PRODUCTS_A_THREAD_MIN = 5_000_000


def uniform(values: NDArray[np.generic], dtype: DTypeLike = np.float64) -> NDArray[np.generic]:
    """A read-only, C-contiguous view of `values` (a copy only where needed), so that a loop compiles for one type."""
    view = np.ascontiguousarray(values, dtype=dtype).view()
    view.flags.writeable = False
    return view


def even_bounds(rows: int, columns: int, threads: int) -> list[int]:
    """Where to cut `rows` of `columns` prices each into at most `threads` blocks worth starting a thread for."""
    parts = max(1, min(threads, rows, rows * columns // PRICES_A_THREAD_MIN))
    return [rows * part // parts for part in range(parts + 1)]


def weighted_bounds(ptr: NDArray[np.int64], columns: int, threads: int) -> list[int]:
    """Where to cut CSR rows into at most `threads` blocks of about equal numbers of entries, worth a thread each."""
    entries = int(ptr[-1])
    parts = max(1, min(threads, entries * columns // PRODUCTS_A_THREAD_MIN))
    cuts = np.searchsorted(ptr, [entries * part // parts for part in range(1, parts)])
    return [0, *(int(cut) for cut in cuts), ptr.size - 1]


def run_blocks(work: Callable[[int, int], None], bounds: Sequence[int]) -> None:
    """Call `work(first, last)` for each block; more than one run in threads, which `work` must release the lock for."""
    if len(bounds) == 2:
        work(bounds[0], bounds[1])
        return
    with ThreadPoolExecutor(len(bounds) - 1) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))
