"""Fits: the published benchmark, recovery of what was simulated, and what happens to a fit that cannot stand."""

import csv
import json
import math
import sys

import msgspec
import numpy as np
import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.statistics.fitting import VolatilityFit, fit_volatility, join_fits
from crossmargin.scenarios.statistics.innovations import Innovation
from crossmargin.scenarios.statistics.volatility import devolatilise, filter_history, start

pytest.importorskip("arch")


def simulate(seed: int, dates: int, *, law: Innovation, omega=2e-6, alpha=0.04, gamma=0.06, beta=0.9, mean=3e-4):
    z = law.quantile(np.random.default_rng(seed).random(dates))
    h, returns = omega / (1.0 - alpha - 0.5 * gamma - beta), np.empty(dates)
    for t in range(dates):
        e = math.sqrt(h) * z[t]
        returns[t] = mean + e
        h = omega + (alpha + (gamma if e < 0.0 else 0.0)) * e * e + beta * h
    return returns


def digits(found: float, benchmark: float) -> float:
    """Logarithmic relative error, −log₁₀|found/benchmark − 1|."""
    return -math.log10(abs(found / benchmark - 1.0))


def test_garch_benchmark(shared):
    """Source: Fiorentini, Calzolari and Panattoni (1996); graded as McCullough and Renfro (1999) do."""
    expected = json.loads((shared / "vectors/garch/fcp_expected.json").read_text())
    rows = csv.DictReader((shared / "vectors/garch/demgbp_returns_pct.csv").read_text().splitlines())
    returns = np.array([float(row["value"]) for row in rows])
    fit = fit_volatility(returns, "garch", "normal", strict=True)
    assert fit.log_likelihood == pytest.approx(expected["loglik_at_coef"], abs=1e-6)
    for k, name in enumerate(("mu", "omega", "alpha", "beta")):
        assert digits(fit.estimates[k], expected["coef"][name]) > 4.0
        for errors, kind in ((fit.hessian, "se_hessian"), (fit.opg, "se_opg"), (fit.qmle, "se_qmle")):
            assert digits(errors[k], expected[kind][name]) > 2.0


@pytest.mark.parametrize(
    ("kind", "law"),
    [("gjr", Innovation(nu=5.0)), ("garch", Innovation()), ("gjr", Innovation(nu=6.0, skew=-0.15))],
)
def test_what_was_simulated_is_found(kind, law):
    truth = {"mean": 3e-4, "omega": 2e-6, "alpha": 0.04, "gamma": 0.06 if kind == "gjr" else 0.0, "beta": 0.9}
    truth |= {"nu": law.nu, "skew": law.skew}
    returns = simulate(4, 6000, law=law, **{k: v for k, v in truth.items() if k not in ("nu", "skew")})
    name = "normal" if math.isinf(law.nu) else ("skew_t" if law.skew else "t")
    fit = fit_volatility(returns, kind, name)
    assert (fit.reason, fit.kind, fit.law) == ("", kind, name)
    for parameter, estimate, error in zip(fit.names, fit.estimates, fit.qmle, strict=True):
        assert abs(estimate - truth[parameter]) < 3.5 * error, parameter
    share = fit.innovation().fall_share()
    assert fit.persistence == pytest.approx(fit.value("alpha") + share * fit.value("gamma") + fit.value("beta"))


def test_the_fit_is_that_of_the_filter():
    """The likelihood reported is that of the filtered variances; standardised returns have variance one."""
    returns = simulate(1, 2000, law=Innovation(nu=6.0))
    fit = fit_volatility(returns, "gjr", "t")
    model = join_fits([fit])
    h = filter_history(model, returns[:, None], start(model, fit.presample)).variance
    z = devolatilise(model, returns[:, None], h)
    loglik = float(np.sum(fit.innovation().log_density(z) - 0.5 * np.log(h)))
    assert loglik == pytest.approx(fit.log_likelihood, abs=1e-6)
    assert np.mean(z**2) == pytest.approx(1.0, abs=0.1)
    moved = [fit_volatility(returns, "gjr", "t").estimates, fit_volatility(100.0 * returns, "gjr", "t").estimates]
    np.testing.assert_allclose(np.array(moved[1]) / np.array(moved[0]), [100.0, 1e4, 1.0, 1.0, 1.0, 1.0], rtol=1e-3)


def test_gaps_are_left_out():
    returns = simulate(2, 1500, law=Innovation(nu=6.0))
    gaps = np.insert(returns, [100, 700], np.nan)
    assert fit_volatility(gaps, "garch", "t").estimates == fit_volatility(returns, "garch", "t").estimates


def test_a_persistence_of_one_is_held_below_and_said():
    """An integrated variance: the free maximum lies where shocks never fade."""
    returns = simulate(8, 1500, law=Innovation(nu=4.0), omega=1e-7, alpha=0.08, gamma=0.0, beta=0.9199)
    fit = fit_volatility(returns, "garch", "t")
    assert fit.persistence == pytest.approx(0.995)
    assert fit.reason.startswith("persistence held at 0.995; garch-t: the persistence")
    assert math.isnan(fit.qmle[fit.names.index("beta")])
    assert fit.qmle[fit.names.index("alpha")] > 0.0
    with pytest.raises(InvalidInput, match=r"garch-t: the persistence 1\.\d+ is not below 0.9999"):
        fit_volatility(returns, "garch", "t", strict=True)


def test_what_cannot_be_fitted_is_ewma_and_says_so():
    """Without any clustering α is at its limit, and β is not identified."""
    returns = 0.01 * np.random.default_rng(3).normal(size=800)
    fit = fit_volatility(returns, "garch", "normal")
    assert fit.kind == "ewma"
    assert fit.reason.startswith("garch-normal: ")
    assert "held at 0.995" in fit.reason
    assert (fit.value("alpha"), fit.value("beta"), fit.value("omega")) == pytest.approx((0.03, 0.97, 0.0))
    assert fit.hessian == fit.qmle == ()


def test_fits_cross_a_border():
    fit = fit_volatility(simulate(5, 800, law=Innovation(nu=6.0)), "garch", "t")
    assert msgspec.json.decode(msgspec.json.encode(fit), type=VolatilityFit) == fit


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        (np.full(499, 0.1), "BTC: number of returns is 499, but must be at least 500"),
        (np.zeros(600), "BTC: range of returns is 0.0"),
        (np.append(np.random.default_rng(0).normal(size=600), np.inf), "BTC: return is 'infinite'"),
    ],
)
def test_what_is_refused(returns, message):
    with pytest.raises(InvalidInput, match=message):
        fit_volatility(returns, where="BTC")


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "arch", None)
    with pytest.raises(InvalidInput, match=r'pip install "crossmargin\[calibrate\]"'):
        fit_volatility(np.random.default_rng(0).normal(size=600))
