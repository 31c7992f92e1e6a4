"""The best pairing against a search of every partition: equal to the last digit."""

import pytest
from hypothesis import given, settings

from crossmargin.margin.rulebooks.cboe.pairing import best_pairing
from crossmargin.margin.rulebooks.cboe.portfolio import Portfolio
from crossmargin.margin.rulebooks.cboe.strategies import Sheet
from spec.rulebooks.cboe_strategy import least
from tests.margin.rulebooks.cboe_books import plain_terms, plain_units, portfolios, shipped


@pytest.mark.parametrize("purpose", ["initial", "maintenance", "cash"])
@given(portfolio=portfolios())
@settings(max_examples=120)
def test_pairing_is_the_least_of_all_partitions(portfolio: Portfolio, purpose):
    parameters = shipped()
    held = best_pairing(Sheet(portfolio, parameters), purpose)
    found = sum(h.strategy.gross * h.count for h in held)
    assert found == least(plain_units(portfolio), plain_terms(portfolio, parameters), purpose)


@given(portfolio=portfolios())
@settings(max_examples=60)
def test_every_contract_is_in_one_strategy(portfolio: Portfolio):
    used = [0] * (len(portfolio.options) + len(portfolio.shares))
    for h in best_pairing(Sheet(portfolio, shipped()), "initial"):
        for leg, n in h.strategy.legs:
            used[leg] += n * h.count
    assert used == [abs(leg.quantity) for leg in (*portfolio.options, *portfolio.shares)]
