"""The columns of a calibration: what they say of one bar, of a horizon, and what they refuse."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.canon import digest
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.scenarios.calibrating.calibrated import build_calibrated, horizon_moves
from crossmargin.scenarios.calibrating.calibration import (
    Calibration,
    FactorModel,
    FilterFit,
    HorizonRule,
    Matrix,
    Scale,
)

RESIDUALS = np.array([[1.0, -2.0], [0.5, 0.0], [-3.0, 1.0], [2.0, 2.0]])


def calibration(
    *, bars: int = 1, rule: HorizonRule = "overlapping", scale: Scale | None = None, now: float = 0.02
) -> Calibration:
    fits = tuple(
        FactorModel(
            factor=name,
            is_log=is_log,
            observations=4,
            now=now,
            long_run=0.03,
            stressed=0.10,
            filter=FilterFit(kind="ewma", decay=0.97),
        )
        for name, is_log in (("spot:BTC", True), ("rate:USD:2y", False))
    )
    return Calibration(
        method="filtered",
        source="made up",
        history_hash="",
        bar_days=0.5,
        horizon_bars=bars,
        horizon_rule=rule,
        close_ms=(0, 43_200_000, 86_400_000, 129_600_000),
        factors=fits,
        residuals=Matrix.of(RESIDUALS),
        scale=scale or Scale(),
        draws=500,
        seed=7,
    )


def test_a_column_is_a_date_with_all_factors_together() -> None:
    found = build_calibrated(calibration(), ["spot:BTC", "rate:USD"])
    np.testing.assert_allclose(found.row("spot:BTC"), np.expm1(0.02 * RESIDUALS[:, 0]), rtol=1e-14)
    np.testing.assert_allclose(found.row("rate:USD:2y"), 0.02 * RESIDUALS[:, 1], rtol=1e-14)
    assert found.labels[2] == "1970-01-02T00:00:00Z"
    assert set(found.horizon_days) == {0.5}
    assert found.regular == 4


def test_the_horizon_sums_bars_that_followed_each_other() -> None:
    moves, labels = horizon_moves(calibration(bars=2))
    np.testing.assert_allclose(moves[:, 0], 0.02 * np.array([1.5, -2.5, -1.0]), rtol=1e-12)
    assert labels == calibration().labels()[1:]
    root, _ = horizon_moves(calibration(bars=4, rule="square_root"))
    np.testing.assert_allclose(root, 2.0 * 0.02 * RESIDUALS, rtol=1e-12)


def test_paths_are_drawn_by_the_seed_from_whole_dates() -> None:
    moves, labels = horizon_moves(calibration(bars=2, rule="bootstrap"))
    again, _ = horizon_moves(calibration(bars=2, rule="bootstrap"))
    np.testing.assert_array_equal(moves, again)
    pairs = {tuple(np.round(0.02 * (a + b), 12)) for a in RESIDUALS for b in RESIDUALS}
    assert {tuple(np.round(row, 12)) for row in moves} == pairs
    assert len(labels) == 500


@given(st.floats(0.0, 1.0), st.floats(0.0, 3.0), st.floats(1e-4, 1.0))
def test_the_scale_lies_between_stress_and_floor(weight: float, floor: float, now: float) -> None:
    scales = calibration(scale=Scale(stressed_weight=weight, floor=floor), now=now).scales()
    assert np.all(scales >= floor * 0.03)
    assert np.all(scales >= min(now, 0.10) - 1e-15)
    assert np.all(scales <= max(now, 0.10, floor * 0.03) + 1e-15)


def test_no_fall_takes_a_price_to_zero() -> None:
    found = build_calibrated(calibration(now=30.0), ["spot:BTC"])
    assert found.row("spot:BTC").min() > -1.0


def test_a_needed_factor_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(MissingFactors, match="spot:ETH"):
        build_calibrated(calibration(), ["spot:BTC", "spot:ETH"])
    assert build_calibrated(calibration(), ["spot:BTC"], moved=["rate:USD", "peg:USDC"]).factors == (
        "spot:BTC",
        "rate:USD:2y",
    )


def test_it_survives_the_border_and_an_altered_one_is_refused() -> None:
    raw = msgspec.json.encode(calibration())
    back = msgspec.json.decode(raw, type=Calibration)
    assert digest(back) == digest(calibration())
    assert digest(calibration(now=0.021)) != digest(calibration())
    with pytest.raises(InvalidInput, match="cut or altered"):
        Matrix(rows=2, columns=2, values=b"\0" * 31)
    with pytest.raises(InvalidInput, match="4 dates"):
        msgspec.structs.replace(calibration(), residuals=Matrix.of(RESIDUALS[:3]))
