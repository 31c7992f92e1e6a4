"""The size of losses beyond value at risk."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from crossmargin.validation.statistics import shortfall
from crossmargin.validation.statistics.quantiles import expected_shortfall, value_at_risk
from crossmargin.validation.statistics.results import Conventions

TAIL = 0.025


def student_shortfall(nu, a):
    t = stats.t.ppf(a, nu)
    return stats.t.pdf(t, nu) / a * (nu + t**2) / (nu - 1)


LAWS = {
    "normal": (special.ndtri, -special.ndtri(TAIL), stats.norm.pdf(special.ndtri(TAIL)) / TAIL),
    "t3": (lambda u: stats.t.ppf(u, 3), -stats.t.ppf(TAIL, 3), student_shortfall(3, TAIL)),
}


# Acerbi and Székely (2014), table of critical values of Z₂ at a = 2.5 %, T = 250, for 5 % and 0.01 %.
@pytest.mark.parametrize(("law", "at_5", "at_001"), [("normal", -0.70, -1.8), ("t3", -0.82, -4.4)])
def test_published_critical_values(law, at_5, at_001):
    quantile, level, beyond = LAWS[law]
    one = np.ones(250)

    def critical(significance):
        tested = shortfall.acerbi_szekely(
            one, level * one, beyond * one, rate=TAIL, predictive=shortfall.scaled_predictive(quantile, one), seed=1,
            simulations=100_000, significance=significance,
        )  # fmt: skip
        return float(tested.z2.critical)

    assert critical(0.05) == pytest.approx(at_5, abs=0.015)
    assert critical(0.0001) == pytest.approx(at_001, rel=0.1)


def drawn(seed, *, series=3, dates=400):
    """A forecast that is right: normal P&L whose scale moves, value at risk and shortfall of it."""
    rng = np.random.default_rng(seed)
    scale = np.exp(0.1 * np.cumsum(rng.normal(size=(series, dates)), axis=-1))
    _, level, beyond = LAWS["normal"]
    return scale, scale * rng.normal(size=scale.shape), level * scale, beyond * scale


@given(st.integers(0, 1000))
def test_the_two_statistics_hang_together(seed):
    """Z₂ = 1 − (1 − Z₁) n/(T a), and one is 1 where there are no exceptions."""
    scale, pnl, level, beyond = drawn(seed, dates=60)
    normal = shortfall.scaled_predictive(special.ndtri, scale)
    first, second = shortfall.acerbi_szekely(pnl, level, beyond, rate=TAIL, predictive=normal, seed=1, simulations=100)
    count = (pnl + level < 0.0).sum(axis=-1)
    some = count > 0
    assert second.statistic[some] == pytest.approx(1.0 - (1.0 - first.statistic[some]) * count[some] / (60 * TAIL))
    assert (second.statistic[~some] == 1.0).all()
    assert np.isnan(first.statistic[~some]).all()
    assert (first.flag[~some] > 0).all()


def test_a_series_gets_the_same_alone_and_in_a_batch():
    scale, pnl, level, beyond = drawn(5)
    together = shortfall.acerbi_szekely(
        pnl, level, beyond, rate=TAIL, predictive=shortfall.scaled_predictive(special.ndtri, scale), seed=2
    )
    for row in range(3):
        alone = shortfall.acerbi_szekely(
            pnl[row], level[row], beyond[row], rate=TAIL, seed=2,
            predictive=shortfall.scaled_predictive(special.ndtri, scale[row]),
        )  # fmt: skip
        for one, batch in zip(alone, together, strict=True):
            found = float(one.statistic), float(one.p_value)
            assert found == pytest.approx((float(batch.statistic[row]), float(batch.p_value[row])))


@pytest.mark.parametrize("count", [200, 1_000])
def test_scenarios_are_a_forecast(count):
    """Scenarios that fill a normal law, with their own value at risk and shortfall, give its critical value."""
    scenarios = np.broadcast_to(special.ndtri((np.arange(count) + 0.5) / count), (250, count))
    one, (quantile, level, beyond) = np.ones(250), LAWS["normal"]
    own = value_at_risk(scenarios, q=TAIL), expected_shortfall(scenarios, q=TAIL)
    critical = [
        float(shortfall.acerbi_szekely(one, *tail, rate=TAIL, predictive=law, seed=3, simulations=20_000).z2.critical)
        for law, tail in (
            (shortfall.scenario_predictive(scenarios), own),
            (shortfall.scaled_predictive(quantile, one), (level * one, beyond * one)),
        )
    ]
    assert critical[0] == pytest.approx(critical[1], abs=0.02)


def test_losses_beyond_the_shortfall_are_seen():
    scale, pnl, level, beyond = drawn(6, dates=1000)
    normal = shortfall.scaled_predictive(special.ndtri, scale)
    for tested in shortfall.acerbi_szekely(1.5 * pnl, level, beyond, rate=TAIL, predictive=normal, seed=1):
        assert tested.rejects(0.01).all()
        assert (tested.side == 1).all()
    # Losses that stop at the value at risk, on as many dates: too small where they exceed, never too many.
    tame = np.where(pnl < -level, -1.001 * level, pnl)
    tested = shortfall.acerbi_szekely(tame, level, beyond, rate=TAIL, predictive=normal, seed=1).z1
    assert (tested.side == -1).all()
    assert not tested.rejects(0.5).any()


def test_residuals_are_a_t_test():
    """The statistic and p-value of SciPy on the exceptions of one series."""
    scale, pnl, level, beyond = drawn(8, dates=2000)
    tested = shortfall.exceedance_residuals(pnl, level, beyond, scale=scale)
    for row in range(3):
        hit = pnl[row] + level[row] < 0.0
        expected = stats.ttest_1samp(((pnl + beyond) / scale)[row][hit], 0.0, alternative="less")
        assert float(tested.statistic[row]) == pytest.approx(expected.statistic)
        assert float(tested.p_value[row]) == pytest.approx(expected.pvalue)
        assert int(tested.degrees_of_freedom[row]) == hit.sum() - 1


def test_resamples_agree_with_student_where_residuals_are_many():
    scale, pnl, level, beyond = drawn(9, dates=20_000)
    exact = shortfall.exceedance_residuals(pnl, level, beyond, scale=scale)
    resampled = shortfall.exceedance_residuals(pnl, level, beyond, scale=scale, seed=1, simulations=1_999)
    assert resampled.p_value == pytest.approx(exact.p_value, abs=0.06)
    assert resampled.at((0,), Conventions()).distribution == "simulated"


@pytest.mark.parametrize(("exceptions", "flag"), [(0, "no_exceptions"), (1, "few_exceptions")])
def test_residuals_need_two_exceptions(exceptions, flag):
    pnl = np.zeros(50)
    pnl[:exceptions] = -5.0
    for seed in (None, 1):
        tested = shortfall.exceedance_residuals(pnl, np.ones(50), 2.0 * np.ones(50), seed=seed).at((), Conventions())
        assert (tested.statistic, tested.p_value, tested.flag) == (None, None, flag)


def test_resamples_repeat_with_their_seed():
    scale, pnl, level, beyond = drawn(10)
    p_values = [
        shortfall.exceedance_residuals(pnl, level, beyond, scale=scale, seed=seed, simulations=500).p_value
        for seed in (1, 1, 2)
    ]
    assert (p_values[0] == p_values[1]).all()
    assert (p_values[0] != p_values[2]).any()
