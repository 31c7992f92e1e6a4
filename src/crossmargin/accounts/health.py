"""The health of a pool: equity against its requirement."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, frozen

ROUNDING: Final = 1e-12  # relative: what two ways to add the same amounts may differ by


class Status(IntEnum):
    """What an account in this state may do."""

    HEALTHY = 0  # equity covers initial margin: may open and withdraw
    RESTRICTED = 1  # equity covers maintenance margin only: may only reduce
    LIQUIDATION = 2  # equity does not cover maintenance margin


def status(
    equity: FloatArray, initial: FloatArray, maintenance: FloatArray, *, held: FloatArray | None = None
) -> IndexArray:
    """The status of each pool; equality with a requirement covers it, but for the rounding of sums.

    `held` is the equity behind risk that was taken before, where it differs from `equity`, which new risk needs: what
    stops new risk alone restricts an account and does not liquidate it.
    """
    code = np.where(_covers(equity, initial), Status.HEALTHY, Status.RESTRICTED)
    stands = _covers(equity if held is None else held, maintenance)
    return frozen(np.where(stands, code, Status.LIQUIDATION), np.int32)


def _covers(equity: FloatArray, requirement: FloatArray) -> BoolArray:
    return np.asarray(equity >= requirement - ROUNDING * np.abs(requirement))


def margin_ratio(equity: FloatArray, maintenance: FloatArray) -> FloatArray:
    """Maintenance margin over equity: 1 or more means liquidation; 0 with nothing required; infinite without equity."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(equity > 0.0, maintenance / equity, np.inf)
    return frozen(np.where(maintenance == 0.0, 0.0, ratio))
