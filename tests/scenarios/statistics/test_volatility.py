"""Volatility: the past alone, parts like the whole, and what missing returns and floors do."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.statistics.volatility import (
    RegimeFloor,
    build_model,
    devolatilise,
    ewma,
    expected_variances,
    filter_history,
    floored,
    regime_floor,
    start,
    step,
    stress_score,
)

seeds = st.integers(0, 100_000)
QUICK = RegimeFloor(window=50, count_min=5)


def history(seed: int, *, dates: int = 80, factors: int = 5, gaps: bool = True):
    rng = np.random.default_rng(seed)
    returns = 0.02 * rng.standard_t(4, (dates, factors))
    if gaps:
        returns[rng.random(returns.shape) < 0.08] = np.nan
        returns[: dates // 4, 1] = np.nan
    return returns


models = st.sampled_from([
    ewma(0.97, 5),
    ewma([0.9, 0.94, 0.97, 0.99, 0.995], 5, warm_up=5),
    build_model(omega=np.full(5, 2e-6), alpha=0.06, beta=0.9, mean=1e-4),
    build_model(omega=np.full(5, 2e-6), alpha=0.02, gamma=0.1, beta=0.88, fall_share=0.55, warm_up=3),
])  # fmt: skip


@given(seeds, models, st.sampled_from([None, 4e-4]))
def test_date_by_date_gives_the_same_bits_as_all_at_once(seed, model, presample):
    returns, state = history(seed), start(model, presample)
    whole = filter_history(model, returns, state)
    rows = []
    for row in returns:
        rows.append(state.variance)
        state = step(model, state, row)
    np.testing.assert_array_equal(np.stack(rows), whole.variance)
    np.testing.assert_array_equal(state.variance, whole.state.variance)
    np.testing.assert_array_equal(state.seen, whole.state.seen)


@given(seeds, models, st.integers(0, 79), st.sampled_from([np.nan, 0.0, 0.5, -0.9]))
def test_the_future_changes_nothing_before(seed, model, at, shock):
    returns = history(seed)
    changed = returns.copy()
    changed[at:] = shock
    before, after = (filter_history(model, r).variance for r in (returns, changed))
    np.testing.assert_array_equal(before[: at + 1], after[: at + 1])
    for rule in (lambda v: regime_floor(v, QUICK), lambda v: stress_score(v, QUICK)):
        np.testing.assert_array_equal(rule(before)[: at + 1], rule(after)[: at + 1])


@given(seeds, models, st.permutations(range(5)))
def test_factors_do_not_know_each_other(seed, model, order):
    returns = history(seed)
    order = list(order)
    twin = build_model(
        omega=model.omega[order], alpha=model.alpha[order], gamma=model.gamma[order], beta=model.beta[order],
        mean=model.mean[order], fall_share=model.fall_share[order], warm_up=model.warm_up,
    )  # fmt: skip
    mixed = filter_history(twin, returns[:, order]).variance
    np.testing.assert_array_equal(mixed, filter_history(model, returns).variance[:, order])


@given(seeds, st.floats(0.01, 100.0))
def test_variance_scales_with_the_square_of_returns(seed, size):
    returns, model = history(seed), ewma(0.97, 5)
    np.testing.assert_allclose(
        filter_history(model, size * returns).variance, size**2 * filter_history(model, returns).variance, rtol=1e-10
    )


def test_a_factor_warms_up_on_its_own_first_returns():
    returns = np.full((6, 2), 0.1)
    returns[:2, 1] = np.nan  # listed two dates later
    path = filter_history(ewma(0.9, 2, warm_up=3), returns)
    assert np.isnan(path.variance[:3, 0]).all()
    assert np.isnan(path.variance[:5, 1]).all()
    np.testing.assert_allclose(path.variance[3:, 0], 0.01)
    np.testing.assert_allclose(path.variance[5:, 1], 0.01)
    assert path.state.seen.tolist() == [6.0, 4.0]


def test_a_missing_return_counts_as_expected():
    """EWMA stands still; GARCH goes towards its long-run variance as forecast."""
    garch = build_model(omega=[1e-5], alpha=0.05, beta=0.9)
    seen = filter_history(garch, np.array([[0.05]]), start(garch, 4e-4)).state
    gone = filter_history(garch, np.full((4, 1), np.nan), seen)
    np.testing.assert_allclose(gone.variance, expected_variances(garch, seen, 4), rtol=1e-14)
    assert garch.long_run_variance[0] == pytest.approx(1e-5 / 0.05)
    for model in (garch, ewma(0.94, 1)):
        far = filter_history(model, np.full((2000, 1), np.nan), seen).state.variance
        assert far[0] == pytest.approx(np.nan_to_num(model.long_run_variance, nan=seen.variance[0])[0])


def test_standardised_returns_are_known_and_scaled():
    model = build_model(omega=[1e-5], alpha=0.05, beta=0.9, mean=0.01)
    returns = np.array([[0.01], [0.03], [np.nan]])
    variance = np.array([[4e-4], [1e-4], [1e-4]])
    np.testing.assert_allclose(devolatilise(model, returns, variance), [[0.0], [2.0], [np.nan]], atol=1e-15)
    with pytest.raises(InvalidInput, match=r"date 1, factor 0: conditional variance is 0.0"):
        devolatilise(model, returns, np.array([[4e-4], [0.0], [0.0]]))
    np.testing.assert_array_equal(floored(variance, 2e-4), [[4e-4], [2e-4], [2e-4]])


@given(seeds)
def test_the_floor_lies_between_calm_and_stress(seed):
    variance = filter_history(ewma(0.9, 5, warm_up=3), history(seed)).variance
    floor = regime_floor(variance, QUICK)
    calm = regime_floor(variance, RegimeFloor(window=50, count_min=5, onset=1e6, full=2e6))
    stress = regime_floor(variance, RegimeFloor(window=50, count_min=5, onset=1e-9, full=2e-9))
    known = ~np.isnan(floor)
    assert (calm[known] <= floor[known] * (1 + 1e-12)).all()
    assert (floor[known] <= stress[known] * (1 + 1e-12)).all()


def test_stress_elsewhere_lifts_the_floor_of_what_has_not_moved():
    calm, wild = np.full((200, 3), 1e-4), np.full((20, 3), 4e-4)
    variance = np.concatenate([calm, wild, calm, np.column_stack([wild[:, :2], calm[:20, 2]])])
    floor = regime_floor(variance, RegimeFloor(window=1000, count_min=20, stress_level=0.97))
    assert floor[-30, 2] == pytest.approx(1e-4)
    assert floor[-1, 2] == pytest.approx(4e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ewma(1.0, 2), r"EWMA: decay is 1.0, but must be between 0 and 1"),
        (lambda: build_model(omega=[1e-6, 1e-6], alpha=[0.1, -0.1], beta=0.8), r"factor 1: alpha is -0.1"),
        (lambda: build_model(omega=[1e-6], alpha=0.05, gamma=-0.1, beta=0.8), r"alpha \+ gamma is -0.05"),
        (lambda: build_model(omega=[np.nan], alpha=0.05, beta=0.8), r"omega is nan"),
        (lambda: start(ewma(0.9, 1), -1.0), r"presample variance is -1.0"),
        (lambda: filter_history(ewma(0.9, 1), np.array([[0.1], [-np.inf]])), r"date 1, factor 0: return is -inf"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()


def test_garch_benchmark(shared):
    """Gaussian log-likelihood at the published estimates; presample e² and h are the mean of squared residuals.

    Source: Fiorentini, Calzolari and Panattoni (1996), Journal of Applied Econometrics 11, 399-417."""
    expected = json.loads((shared / "vectors/garch/fcp_expected.json").read_text())
    rows = csv.DictReader((shared / "vectors/garch/demgbp_returns_pct.csv").read_text().splitlines())
    returns = np.array([[float(row["value"])] for row in rows])
    coef = expected["coef"]
    model = build_model(omega=[coef["omega"]], alpha=coef["alpha"], beta=coef["beta"], mean=coef["mu"])
    e = returns - coef["mu"]
    h = filter_history(model, returns, start(model, float(np.mean(e**2)))).variance
    loglik = -0.5 * np.sum(np.log(2.0 * np.pi * h) + e**2 / h)
    assert len(returns) == expected["n"]
    assert loglik == pytest.approx(expected["loglik_at_coef"], abs=1e-8)
