"""The nearest move that costs a given loss: where it is known, it is found; where there is none, that is said."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2

import crossmargin as xm
from crossmargin.core.errors import UnknownName
from crossmargin.engine.outlook.reverse import FARTHEST, ReverseReport, design_point, reverse_stress
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.calibrating.calibrated import horizon_moves
from crossmargin.scenarios.calibrating.calibration import Scale
from tests.engine.calibrated import fitted
from tests.margin.desk import BTC_PERP, account, group
from tests.margin.desk import desk as desk_case

SLOPES = arrays(np.float64, 4, elements=st.floats(-5.0, 5.0))


@settings(deadline=None, max_examples=30)
@given(SLOPES, st.floats(0.5, 20.0))
def test_a_linear_loss_is_reached_straight_along_its_slope(slope: np.ndarray, target: float) -> None:
    size = float(np.linalg.norm(slope))
    found = design_point(lambda y: y @ slope, target, 4)
    if size * FARTHEST < target * 1.001:
        return
    assert found is not None
    np.testing.assert_allclose(found, target / size**2 * slope, atol=2e-3 * target / size)


def test_a_curved_loss_is_reached_at_its_nearest_point() -> None:
    # loss = y0² + 4·y1²: the ellipse at 16 is nearest along y1, at 2.
    found = design_point(lambda y: y[:, 0] ** 2 + 4.0 * y[:, 1] ** 2, 16.0, 2)
    assert found is not None
    np.testing.assert_allclose(np.abs(found), [0.0, 2.0], atol=2e-3)


def test_a_loss_that_needs_two_moves_together_is_found() -> None:
    # loss = y0·y1 − 0.01·Σ y²: nothing along the axes; nearest on the diagonal, where y²(1 − 0.02) = 9.
    found = design_point(lambda y: y[:, 0] * y[:, 1] - 0.01 * (y**2).sum(axis=1), 9.0, 3)
    assert found is not None
    side = 3.0 / np.sqrt(0.98)
    np.testing.assert_allclose(np.abs(found), [side, side, 0.0], atol=5e-3)


def test_what_cannot_be_lost_is_not_found() -> None:
    assert design_point(lambda y: -np.abs(y[:, 0]), 1.0, 2) is None
    np.testing.assert_array_equal(design_point(lambda y: y[:, 0], 0.0, 2), [0.0, 0.0])


@pytest.fixture(scope="module")
def desk() -> tuple[Book, Snapshot]:
    with resources.as_file(resources.files("crossmargin.cli").joinpath("demo")) as folder:
        snapshot = xm.read_market(Path(folder) / "market.toml")
        return xm.read_book(Path(folder) / "book.toml", market=snapshot), snapshot


@pytest.fixture(scope="module")
def report(desk: tuple[Book, Snapshot]) -> ReverseReport:
    return reverse_stress(*desk, xm.read_model(), account="desk")


def test_the_point_costs_the_target_and_the_path_leads_there(report: ReverseReport) -> None:
    reached = [line for line in report.lines if line.deviations is not None]
    assert reached, "the demonstration desk can lose its maintenance margin within reach"
    for line in reached:
        assert line.pnl_usd == pytest.approx(-line.target_usd, rel=1e-6)
        assert line.path[0].pnl_usd == pytest.approx(0.0, abs=1e-6)
        assert line.path[-1].pnl_usd == pytest.approx(line.pnl_usd, rel=1e-9)
        assert sum(p.pnl_usd for p in line.positions) == pytest.approx(line.pnl_usd, rel=1e-9)
    distances = [line.deviations if line.deviations is not None else np.inf for line in report.lines]
    assert distances == sorted(distances)


def test_an_account_that_is_not_there_is_refused(desk: tuple[Book, Snapshot]) -> None:
    with pytest.raises(UnknownName, match="nobody"):
        reverse_stress(*desk, xm.read_model(), account="nobody")


def test_the_past_is_measured_in_the_metric_of_the_point() -> None:
    """A book of one coin: the distance is the loss in deviations, and the past counts itself."""
    c = desk_case(account(group({BTC_PERP.id: -1.0}), collateral={"USDC": 10.0}), model=fitted())
    calibration = fitted().calibration
    assert calibration is not None
    report = reverse_stress(c.book, c.snapshot, c.model, account="desk", calibration=calibration)
    line = report.lines[0]
    moves = horizon_moves(calibration)[0]
    scale, correlation = calibration.scales(), np.corrcoef(calibration.residuals.array.T)
    inverse = np.linalg.inv(scale[:, None] * correlation * scale[None, :])
    far = np.sqrt(np.einsum("ij,jk,ik->i", moves, inverse, moves))
    assert line.deviations is not None
    assert line.past is not None
    assert line.past.as_far == int((far >= line.deviations).sum())
    assert line.past.lost == int((100.0 * np.expm1(moves[:, 0]) >= line.target_usd).sum())
    assert line.past.scenarios == len(moves)
    assert line.past.as_far_normal == pytest.approx(float(chi2.sf(line.deviations**2, 4)), rel=1e-9)
    assert line.deviations == pytest.approx(np.log1p(line.target_usd / 100.0) / scale[0], rel=1e-4)


def test_without_a_calibration_there_is_no_past(report: ReverseReport) -> None:
    assert all(line.past is None for line in report.lines)


def test_what_options_imply_is_in_the_distance() -> None:
    """With all weight on the surface of 50 % a year the deviation of a day is that, whatever the history did."""
    model = fitted(implied_weight=1.0, scale=Scale())
    c = desk_case(account(group({BTC_PERP.id: -1.0}), collateral={"USDC": 10.0}), model=model)
    line = reverse_stress(c.book, c.snapshot, model, account="desk").lines[0]
    assert line.deviations == pytest.approx(np.log1p(line.target_usd / 100.0) / (0.5 / np.sqrt(365.0)), rel=1e-4)
