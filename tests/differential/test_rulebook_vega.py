"""Vega's factors and levels against their plain forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.vega import lognormal as rule
from spec.rulebooks import vega_lognormal as plain

SCALING = rule.Scaling(search=1.1, initial=1.2, release=1.4)


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def models(draw: st.DrawFn) -> rule.Lognormal:
    return rule.Lognormal(
        risk_aversion=draw(numbers(1e-8, 0.5)),
        tau_years=draw(numbers(1e-6, 1.0)),
        sigma=draw(numbers(1e-3, 10.0)),
        mu=draw(numbers(-1.0, 1.0)),
    )


@given(models())
def test_factors_agree(model):
    short, long = plain.factors(model.risk_aversion, model.tau_years, model.mu, model.sigma)
    got = rule.risk_factors(model)
    # The error function of the platform and the inverse of `statistics` are good to about 1e-13 of 1/λ·Φ(z).
    assert got.short == pytest.approx(short, rel=1e-10, abs=1e-10)
    assert got.long == pytest.approx(long, rel=1e-10, abs=1e-10)


@given(
    models(),
    st.integers(-(10**9), 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    numbers(1e-3, 1e6),
    numbers(0.0, 1.0),
    st.integers(-3, 8),
)
def test_levels_agree(model, volume, buys, sells, mark, slippage, decimals):
    market = rule.Market(risk=model, scaling=SCALING, linear_slippage=slippage)
    position = rule.Position(open_volume=volume, buys=buys, sells=sells, mark=mark, position_decimals=decimals)
    unit, rf = 10.0**-decimals, rule.risk_factors(model)
    whole = plain.maintenance(volume * unit, buys * unit, sells * unit, mark, slippage, (rf.short, rf.long))
    held = plain.maintenance(volume * unit, 0.0, 0.0, mark, slippage, (rf.short, rf.long))
    got = rule.margin_of(position, market)
    assert got.maintenance == pytest.approx(whole, rel=1e-12, abs=1e-9)
    assert got.initial == pytest.approx(1.2 * whole, rel=1e-12, abs=1e-9)
    assert got.order == pytest.approx(whole - held, rel=1e-9, abs=1e-9 * (1.0 + abs(whole)))
