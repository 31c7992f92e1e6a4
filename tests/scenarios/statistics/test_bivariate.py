"""Copulas of two factors: reference values, derivatives that agree with each other, and parameters from τ."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.statistics.bivariate import BivariateCopula, of_kendall_tau

inner = st.floats(0.02, 0.98)
copulas = st.one_of(
    st.builds(BivariateCopula, family=st.just("gaussian"), parameter=st.floats(-0.9, 0.9)),
    st.builds(BivariateCopula, family=st.just("student"), parameter=st.floats(-0.9, 0.9), nu=st.floats(2.0, 30.0)),
    st.builds(BivariateCopula, family=st.just("clayton"), parameter=st.floats(0.2, 8.0)),
    st.builds(BivariateCopula, family=st.just("gumbel"), parameter=st.floats(1.0, 6.0)),
    st.builds(BivariateCopula, family=st.just("frank"), parameter=st.floats(0.5, 12.0) | st.floats(-12.0, -0.5)),
)


def test_reference_values(shared):
    for row in csv.DictReader((shared / "vectors/copula/bivariate_copulas.csv").read_text().splitlines()):
        copula = BivariateCopula(family=row["family"], parameter=float(row["par1"]), nu=float(row["par2"] or "nan"))
        u, v = float(row["u"]), float(row["v"])
        assert float(copula.density(u, v)) == pytest.approx(float(row["pdf"]), rel=1e-10)
        assert float(copula.conditional(u, v)) == pytest.approx(float(row["h_u_given_v"]), rel=1e-10)
        assert copula.kendall_tau == pytest.approx(float(row["kendall_tau"]), rel=1e-10)
        assert copula.tail_dependence[0] == pytest.approx(float(row["lower_tail_dep"]), rel=1e-10)
        assert copula.tail_dependence[1] == pytest.approx(float(row["upper_tail_dep"]), rel=1e-10)


@given(copulas, inner, inner)
def test_the_density_is_the_slope_of_the_conditional(copula, u, v):
    h = 1e-6
    slope = (copula.conditional(u + h, v) - copula.conditional(u - h, v)) / (2.0 * h)
    assert float(copula.density(u, v)) == pytest.approx(float(slope), rel=1e-4, abs=1e-6)


@given(copulas, inner, inner)
def test_both_factors_have_the_same_part(copula, u, v):
    assert float(copula.density(u, v)) == pytest.approx(float(copula.density(v, u)), rel=1e-9)
    assert 0.0 <= float(copula.conditional(u, v)) <= 1.0


@given(copulas, st.floats(0.05, 0.95))
def test_margins_are_uniform(copula, u):
    """The conditional averaged over v is the margin."""
    mean = integrate.quad(lambda v: float(copula.conditional(u, v)), 0.0, 1.0, points=[u], limit=200)[0]
    assert mean == pytest.approx(u, abs=1e-5)


@given(copulas)
def test_parameters_from_tau(copula):
    if copula.kendall_tau == 0.0:
        return
    back = of_kendall_tau(copula.family, copula.kendall_tau, nu=copula.nu)
    assert back.parameter == pytest.approx(copula.parameter, rel=1e-8)


def test_frank_has_the_tau_of_its_integral():
    """τ = 4·∫∫ C dC − 1 = 1 − 4·∫∫ ∂C/∂u · ∂C/∂v du dv."""
    copula = BivariateCopula(family="frank", parameter=4.0)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    x, w = 0.5 * (nodes + 1.0), 0.5 * weights
    to_v = copula.conditional(x[:, None], x[None, :])
    assert copula.kendall_tau == pytest.approx(1.0 - 4.0 * float(w @ (to_v * to_v.T) @ w), abs=1e-10)
    assert BivariateCopula(family="frank", parameter=1e-5).kendall_tau == pytest.approx(1e-5 / 9.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BivariateCopula(family="gaussian", parameter=1.0), r"parameter is 1.0, but must be in \(−1, 1\)"),
        (lambda: BivariateCopula(family="student", parameter=0.1), "degrees of freedom is nan"),
        (lambda: BivariateCopula(family="clayton", parameter=-1.0), "above 0"),
        (lambda: BivariateCopula(family="gumbel", parameter=0.9), "at least 1"),
        (lambda: BivariateCopula(family="frank", parameter=0.0), "not 0"),
        (lambda: of_kendall_tau("clayton", -0.2), "Take another family"),
        (lambda: of_kendall_tau("frank", 0.0), "not 0"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
