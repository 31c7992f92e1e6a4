"""The health of a pool: equity against its requirement."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray, frozen


class Status(IntEnum):
    """What an account in this state may do."""

    HEALTHY = 0  # equity covers initial margin: may open and withdraw
    RESTRICTED = 1  # equity covers maintenance margin only: may only reduce
    LIQUIDATION = 2  # equity does not cover maintenance margin


def status(equity: FloatArray, initial: FloatArray, maintenance: FloatArray) -> IndexArray:
    """The status of each pool; equality with a requirement covers it."""
    code = np.where(equity >= initial, Status.HEALTHY, Status.RESTRICTED)
    return frozen(np.where(equity >= maintenance, code, Status.LIQUIDATION), np.int32)


def margin_ratio(equity: FloatArray, maintenance: FloatArray) -> FloatArray:
    """Maintenance margin over equity: 1 or more means liquidation; 0 with nothing required; infinite without equity."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(equity > 0.0, maintenance / equity, np.inf)
    return frozen(np.where(maintenance == 0.0, 0.0, ratio))
