"""Arrays inside frozen values: read-only, contiguous, checked once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from crossmargin.core.errors import InvalidInput

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
IndexArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]


def frozen(values: ArrayLike, dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """A read-only, C-contiguous array of `values`; a copy only where one is needed to own the memory."""
    array = np.ascontiguousarray(values, dtype=dtype)
    if (array is values or array.base is not None) and _can_change(array):
        array = array.copy()
    array.flags.writeable = False
    return array


def _can_change(array: NDArray[Any]) -> bool:
    """Whether somebody may still write to the memory of an array: to it, or to one that it is a view of."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return True
        owner = owner.base
    return False


def require_finite(values: FloatArray, what: str, *, where: str, names: tuple[str, ...] | None = None) -> None:
    """Raise `InvalidInput` that names the first NaN or infinity, by `names` or by its index."""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        at = tuple(int(i) for i in bad[0])
        place = names[at[0]] if names else str(list(at))
        raise InvalidInput(
            what,
            where=f"{where} at {place}",
            value=float(values[at]),
            limit="a finite number",
            remedy="Correct the source; no value is defaulted.",
        )


def tally(index: NDArray[Any], amount: NDArray[Any], size: int) -> FloatArray:
    """Sums of `amount` by `index` [size]; the order of addition is the order of the lines."""
    return np.bincount(index, weights=amount, minlength=size).astype(np.float64, copy=False)
