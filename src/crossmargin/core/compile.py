"""The one door to numba: typed, lazy where it can be, and with one set of floating-point promises.

Kernels come in pairs: a typed public function whose arrays are checked in tests, and a private compiled loop that
sees only plain arrays. The compiled half is decorated here and nowhere else.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

# No `reassoc`: sums keep their written order, so the same inputs give the same bits from run to run.
FASTMATH = frozenset({"contract", "nsz", "arcp", "nnan", "ninf"})


def compiled(
    *, fast: bool = False, parallel: bool = False, inline: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a loop over plain arrays to machine code, cached on disk, with the interpreter lock released.

    `fast` allows fused multiply-add and reciprocals, and promises that no NaN or infinity goes in; leave it off where
    a kernel must see them. `inline` splices the function into its caller before compilation.
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        decorated = numba.njit(
            cache=True,
            nogil=True,
            error_model="numpy",
            parallel=parallel,
            fastmath=set(FASTMATH) if fast else False,
            inline="always" if inline else "never",
        )(function)
        return cast(Callable[P, R], decorated)

    return wrap
