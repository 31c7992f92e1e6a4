"""What options say of volatility, blended into a calibration once a market is known."""

from __future__ import annotations

from typing import Final

import msgspec

from crossmargin.core.instant import DAY_NS
from crossmargin.market.snapshot import Snapshot, Underlying
from crossmargin.scenarios.calibrating.calibration import Calibration, FactorModel

AT_THE_MONEY: Final = 0.0


def at_market(calibration: Calibration, snapshot: Snapshot) -> Calibration:
    """The calibration with `now` of each price that has a surface at (1 − w)·now + w·σ/√(bars a year).

    w is `implied_weight` and σ the implied volatility at the money over the horizon; before the first listed expiry it
    is that of the first. Prices without a surface, and all other factors, keep what their own moves say. The weights of
    stress, and every floor, act on the blend. Bars are counted as the closes of the calibration stand, so a market that
    closes 252 times a year is scaled by 252.
    """
    if calibration.implied_weight == 0.0:
        return calibration
    held = {u.factor: u for u in snapshot.underlyings.values() if u.surface is not None and u.curve.lognormal}
    factors = tuple(
        _informed(fit, held[fit.factor], snapshot.time_ns, calibration) if fit.is_log and fit.factor in held else fit
        for fit in calibration.factors
    )
    return msgspec.structs.replace(calibration, factors=factors)


def _informed(fit: FactorModel, underlying: Underlying, now_ns: int, calibration: Calibration) -> FactorModel:
    assert underlying.surface is not None, "chosen for its surface"
    ahead = now_ns + int(calibration.horizon_days * DAY_NS)
    implied = float(underlying.surface.vol(AT_THE_MONEY, ahead)) / calibration.bars_a_year**0.5
    weight = calibration.implied_weight
    return msgspec.structs.replace(fit, now=(1.0 - weight) * fit.now + weight * implied)
