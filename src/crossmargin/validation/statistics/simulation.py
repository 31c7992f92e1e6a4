"""P-values that need no limit theorem: a test of exceptions against its own law under independent ones of rate p."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from crossmargin.core.arrays import BoolArray
from crossmargin.validation import check
from crossmargin.validation.statistics.results import Tested

_CELLS = 4_000_000  # Marks drawn at once: 4 MB.


def simulated(
    test: Callable[[BoolArray], Tested],
    exceptional: ArrayLike,
    *,
    rate: float,
    seed: int,
    simulations: int = 1_999,
    significance: float = 0.05,
) -> Tested:
    """`test` of marks [..., date] with p-values from `simulations` series of independent exceptions of rate p.

    p = (1 + #{simulated ≥ observed})/(B + 1), which never rejects too often; `critical` is the statistic that a share
    of `significance` of the simulations reaches or passes. For `tuff`, `tbfi` and `tbf`, whose terms are single waiting
    times and no chi-square, for `independence` and `conditional_coverage` at rates of 1 % and less, and for any test of
    few dates. `test` takes marks [simulation, date]. Source: Dufour (2006), Journal of Econometrics 133, 443–477.
    Raises `InvalidInput` for a rate, significance or number of simulations out of range."""
    marks = check.exceptions(exceptional, where="simulated")
    p, level = check.rate(rate, where="simulated"), check.rate(significance, "significance", where="simulated")
    count, dates = check.simulations(simulations, where="simulated"), marks.shape[-1]
    rng, observed = np.random.default_rng(seed), test(marks)
    block = max(1, _CELLS // dates)
    sizes = [min(block, count - start) for start in range(0, count, block)]
    law = np.sort(np.concatenate([test(rng.random((size, dates)) < p).statistic for size in sizes]))
    # The slack counts equal statistics as equal where sums of logarithms differ in their last bits.
    reached = count - np.searchsorted(law, observed.statistic * (1.0 - 1e-9) - 1e-12)
    return replace(
        observed,
        distribution="simulated",
        rule=f"{observed.rule}; {count} simulations, seed {seed}",
        p_value=np.asarray((1.0 + reached) / (count + 1.0)),
        critical=np.asarray(law[int(np.ceil(count * (1.0 - level))) - 1]),
    )
