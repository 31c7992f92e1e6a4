"""The matrix R against its plain twin, for every family, on random markets and scenarios."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.valuation.pnl import pnl, values_usd
from spec import valuation as plain
from tests.cases import Case, case, cases, gross_usd
from tests.strategies import FAMILIES, american_terms, few, markets, scenario_columns


def twin(c: Case, sticky: float = 1.0) -> np.ndarray:
    rows = [[plain.pnl(k, c.plain_market, s, sticky) for s in c.plain_scenarios] for k in c.plain_contracts]
    return np.asarray(rows).reshape(len(c.terms), len(c.columns))


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data(), sticky=st.sampled_from((1.0, 0.0, 0.5)))
@settings(max_examples=40)
def test_every_family_gains_what_its_twin_gains(family: str, data: st.DataObject, sticky: float):
    c = data.draw(cases((family,), most=4))
    close(pnl(c.table, c.snapshot, c.scenarios, sticky=sticky).values, twin(c, sticky), gross_usd(c))


@given(cases(("option", "forward", "spot", "linear")))
@settings(max_examples=40)
def test_values_are_those_of_the_twin(c: Case):
    expected = np.asarray([plain.value_usd(k, c.plain_market) for k in c.plain_contracts])
    close(values_usd(c.table, c.snapshot), expected, gross_usd(c).max(axis=1))


@few
@given(st.data())
def test_american_options_gain_what_a_tree_says(data: st.DataObject):
    market = data.draw(markets())
    terms = (data.draw(american_terms(market, "A")),)
    columns, rules = data.draw(scenario_columns(market, terms, most=2))
    c = case(market, terms, columns, rules)
    # A tree of 151 steps is good to some 2e-4 of the price at high volatility.
    close(pnl(c.table, c.snapshot, c.scenarios).values, twin(c), gross_usd(c), of_notional=5e-4)
    expected = np.asarray([plain.value_usd(k, c.plain_market) for k in c.plain_contracts])
    close(values_usd(c.table, c.snapshot), expected, gross_usd(c).max(axis=1), of_notional=5e-4)


def close(found: np.ndarray, expected: np.ndarray, gross: np.ndarray, *, of_notional: float = 1e-13) -> None:
    """Equal to 1e-11 relative, or to a share of the notional, where a gain is the small difference of two values."""
    excess = np.abs(found - expected) - (1e-11 * np.abs(expected) + of_notional * gross)
    worst = np.unravel_index(int(np.argmax(excess)), excess.shape)
    assert excess[worst] <= 0.0, f"{found[worst]!r} is not {expected[worst]!r} at {worst}"
