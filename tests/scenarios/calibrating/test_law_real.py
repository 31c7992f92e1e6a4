"""Joint tails of real coins: what is seen, and which copula draws it."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest

from crossmargin.core.instant import DAY_NS, parse_instant
from crossmargin.measures.reduce import Measure, reduce_losses
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec, calibrate
from crossmargin.scenarios.calibrating.calibrated import build_calibrated
from crossmargin.scenarios.calibrating.calibration import Copula, CopulaRule
from crossmargin.scenarios.calibrating.law import copula_of, fit_law
from crossmargin.scenarios.history import FactorHistory, build_history
from crossmargin.scenarios.statistics.copulas import pseudo_observations, tail_counts

COINS = ("BTC", "ETH", "XRP", "LTC", "ADA", "LINK", "DOGE")
LEVEL = 0.05


@pytest.fixture(scope="module")
def coins(shared) -> FactorHistory:
    """Daily closes to the end of June 2023; bars are stamped at their opening."""
    read = pl.read_parquet(shared / "data/crypto/spot_1d_binance.parquet")
    early = read.filter(pl.col("ts") < pl.datetime(2023, 7, 1, time_zone="UTC"))
    wide = early.pivot(on="symbol", index="ts", values="close").sort("ts")
    level = wide.select([f"{coin}USDT" for coin in COINS]).to_numpy().astype(np.float64)
    opened = wide["ts"].dt.epoch("ns").to_numpy()
    return build_history(opened + DAY_NS, [f"spot:{coin}" for coin in COINS], level)


def test_coins_fall_together_more_than_a_symmetric_copula_says(coins: FactorHistory) -> None:
    pytest.importorskip("pyvinecopulib")
    rows = calibrate(coins, CalibrationSpec(lookback=1000)).residuals.array
    pairs = np.triu_indices(len(COINS), 1)

    def together(uniforms: np.ndarray) -> tuple[float, float]:
        falls, rises = tail_counts(uniforms, LEVEL)
        return float(falls[pairs].mean()), float(rises[pairs].mean())

    def drawn(copula: Copula) -> tuple[float, float]:
        law = fit_law(rows, coins.factors, None, CopulaRule(copula=copula, trees=2 if copula == "vine" else None))
        assert law.dependence is not None
        return together(copula_of(law.dependence).simulate(8192, seed=1))

    seen, gaussian, student, vine = together(pseudo_observations(rows).T), *map(drawn, ("gaussian", "t", "vine"))
    assert seen[0] > seen[1] + 0.2
    assert gaussian[0] < student[0] < seen[0] - 0.1
    assert abs(student[0] - student[1]) < 0.03
    assert vine[0] == pytest.approx(seen[0], abs=0.08)
    assert vine[1] == pytest.approx(seen[1], abs=0.08)


def test_a_short_coin_is_not_margined_on_the_deepest_draw(coins: FactorHistory) -> None:
    """Dogecoin rose by 392 % on 2021-01-28; the draws after it once asked 253 times its worth of who had sold it."""
    known = coins.until(parse_instant("2021-01-29T00:00:00Z", where="test"))
    rows = CalibrationSpec(lookback=500, marginals="spliced")
    drawn = msgspec.structs.replace(rows, method="monte_carlo", draws=16_384, seed=1)
    measure = Measure(kind="expected_shortfall", level=0.975)

    def short(spec: CalibrationSpec) -> float:
        found = build_calibrated(calibrate(known, spec), ("spot:DOGE",))
        return reduce_losses(found.shock[0], measure)[0]

    asked = short(drawn)
    assert 1.0 < asked < 20.0
    assert asked == pytest.approx(short(rows), rel=0.2)
