"""The verdict on an account or pool, as reports name it."""

from __future__ import annotations

from typing import Final

import numpy as np

from crossmargin.accounts.health import Status, status
from crossmargin.engine.reports import Status as StatusName

STATUS_NAMES: Final[dict[int, StatusName]] = {
    Status.HEALTHY: "healthy",
    Status.RESTRICTED: "restricted",
    Status.LIQUIDATION: "liquidation",
}


def status_name(equity: float, initial: float, maintenance: float) -> StatusName:
    """The status of one account, as `accounts.health.status` has it."""
    return STATUS_NAMES[int(status(*(np.asarray([x]) for x in (equity, initial, maintenance)))[0])]


def ratio_of(equity: float, maintenance: float) -> float | None:
    """Maintenance margin over equity: 0 with nothing required, None without equity."""
    if maintenance == 0.0:
        return 0.0
    return maintenance / equity if equity > 0.0 else None
