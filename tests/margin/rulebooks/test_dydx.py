"""dYdX v4: rounding, open interest, and books read as subaccounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.vectors_dydx import read_dydx
from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.margin.rulebooks.dydx.perpetuals import (
    RULEBOOK,
    Market,
    Parameters,
    Portfolio,
    Position,
    Tier,
    initial_ppm,
    margin_of,
    position_margin,
)
from tests.margin.rulebooks.accounts import account, ask

TIER = Tier(
    initial_ppm=200_000,
    maintenance_fraction_ppm=500_000,
    open_interest_lower_cap=10**13,
    open_interest_upper_cap=2 * 10**13,
)


def position(quantums: int, **more) -> Position:
    return Position(
        **{"base_quantums": quantums, "price": 1, "price_exponent": 0, "base_exponent": -6, "tier": TIER} | more
    )


def test_reference_cases_hold(shared):
    cases = list(read_dydx(shared / "vectors/dydx"))
    assert len(cases) >= 4
    for case in cases:
        assert all(c.passed for c in case.check()), case


def test_one_quantum_rounds_up_twice():
    # N = 1: ⌈0.2⌉ = 1; base ⌈0.2⌉ = 1, ⌈1·0.5⌉ = 1.
    assert position_margin(position(1)) == (1, 1)
    assert position_margin(position(-1)) == (1, 1)
    assert position_margin(position(0)) == (0, 0)


def test_fraction_at_and_beside_its_caps():
    assert initial_ppm(TIER, 10**13) == 200_000
    assert initial_ppm(TIER, 10**13 + 1) == 200_000  # 0.00000008 ppm more, truncated
    assert initial_ppm(TIER, 15 * 10**12) == 600_000
    assert initial_ppm(TIER, 2 * 10**13 - 1) == 999_999
    assert initial_ppm(TIER, 2 * 10**13) == 1_000_000


@given(st.integers(0, 3 * 10**13), st.integers(0, 3 * 10**13))
def test_open_interest_only_raises_the_initial_fraction(a, b):
    low, high = sorted((a, b))
    assert initial_ppm(TIER, low) <= initial_ppm(TIER, high)
    assert position_margin(position(5, open_interest=low))[1] == position_margin(position(5, open_interest=high))[1]


def test_custom_fraction_leaves_maintenance():
    plain, own = position(10**9), position(10**9, custom_initial_ppm=900_000)
    assert position_margin(own)[0] == 900_000_000 > position_margin(plain)[0]
    assert position_margin(own)[1] == position_margin(plain)[1]


def test_liquidation_is_strict():
    # N = 1,000,000: maintenance 100,000; net collateral exactly that is safe, one quantum less is not.
    held = (position(1_000_000),)
    assert not margin_of(Portfolio(quote_balance=-900_000, positions=held)).is_liquidatable
    assert margin_of(Portfolio(quote_balance=-900_001, positions=held)).is_liquidatable
    assert not margin_of(Portfolio(quote_balance=-1)).is_liquidatable


def test_book_is_margined_at_two_per_cent_of_notional():
    # 2 BTC at 100,000 (one linear, 1 in inverse contracts): 2 % and 60 % of it; ETH alone: 4,000·10·2 %.
    answer = ask(RULEBOOK, account(("BTC-P.V", 1), ("BTC-I.V", 100_000), ("ETH-P.V", -10), collateral={"USDC": 9_000}))
    assert answer.initial_usd == pytest.approx(4_000 + 800)
    assert answer.maintenance_usd == pytest.approx(0.6 * 4_800)
    assert answer.equity_usd == 9_000
    assert answer.certainty == "exact"
    assert answer.binding == "BTC"


def test_what_is_not_listed_is_named():
    answer = ask(RULEBOOK, account(("BTC-F.V", 1), ("PEPE-P.V", 1), ("BTC-C.V", -1), collateral={"BTC": 1}))
    assert answer.initial_usd == 0
    assert set(answer.refused) == {"BTC-F.V", "PEPE-P.V", "BTC-C.V", "collateral BTC"}


def test_debt_and_loss_lower_equity():
    answer = ask(RULEBOOK, account(("BTC-P.V", 1, 101_000.0), collateral={"USDC": 5_000, "ETH": -1}))
    assert answer.equity_usd == pytest.approx(5_000 - 4_000 - 1_000)


def test_bad_parameters_are_refused():
    with pytest.raises(InvalidInput, match="initial_ppm"):
        Tier(initial_ppm=1_000_001, maintenance_fraction_ppm=0)
    with pytest.raises(InvalidInput, match="lower <= upper"):
        Tier(initial_ppm=1, maintenance_fraction_ppm=1, open_interest_lower_cap=2, open_interest_upper_cap=1)
    market = {"BTC": Market(tier="none", base_exponent=-8, price_exponent=-5)}
    with pytest.raises(UnknownName, match="tier of BTC"):
        Parameters(source="test", date="2026-01-01", tiers={}, markets=market)
    with pytest.raises(InvalidInput, match="price"):
        position(1, price=0)
