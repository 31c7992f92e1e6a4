"""PMRM_2 and PMRM: hand-made numbers, what must hold for every account, and accounts at the edge."""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.margin.rulebooks.derive import pmrm, pmrm2
from crossmargin.margin.rulebooks.derive.building import vol_multipliers
from crossmargin.margin.rulebooks.derive.native import (
    Collateral,
    ExpiryFeed,
    Feeds,
    Option,
    Portfolio,
    Svi,
    settlement_forward,
)
from crossmargin.margin.rulebooks.derive.pmrm2_parameters import Haircut, Pmrm2Parameters
from tests.margin.rulebooks.derive_books import UNIT, pmrm2_rules, pmrm_rules, portfolios, scale_of

MAIN, TEST, HIGH, LOW = pmrm2_rules()
MONTH = 2_592_000
replaced = msgspec.structs.replace


def market(*expiries: ExpiryFeed, spot: float = 100.0, **more: object) -> Feeds:
    return Feeds(**{"spot": spot, "perp_price": 100.0, "expiries": expiries} | more)


def expiry(seconds: int = MONTH, forward: float = 100.0, **more: object) -> ExpiryFeed:
    return ExpiryFeed(seconds_to_expiry=seconds, forward_variable=forward, **more)


def option(strike: float, amount: float, *, right: str = "call", seconds: int = MONTH, vol: float = 0.5) -> Option:
    return Option(seconds_to_expiry=seconds, strike=strike, right=right, amount=amount, vol=vol)


def held(*options: Option, feeds: Feeds | None = None, **more: object) -> Portfolio:
    return Portfolio(**{"underlying": "BTC", "feeds": feeds or market(expiry()), "options": options} | more)


@pytest.mark.parametrize("amount", [1.0, -1.0])
def test_a_perpetual_costs_its_worst_move_and_its_contingency(amount: float):
    margins = pmrm2.margin_of(held(perp=amount, cash=50.0), MAIN)
    # 18 % of 100 is 18; the far moves cost 66·0.21 = 33·0.42 = 13.86 down, 50·0.2772 = 13.86 up. IM: 18 + 3 + 1.
    assert margins.span[0] == pytest.approx(-18.0)
    assert margins.initial[0] == pytest.approx(50.0 - 18.0 - 4.0)
    # MM: 0.8·18 + 3.
    assert margins.maintenance[0] == pytest.approx(50.0 - 14.4 - 3.0)


def test_first_manager_takes_its_add_on_inside_the_factor():
    margins = pmrm.margin_of(held(perp=1.0), pmrm_rules())
    # 20 % of 100 and 3 % of the spot: MM 23, IM 1.25·23.
    assert margins.maintenance[0] == pytest.approx(-23.0)
    assert margins.initial[0] == pytest.approx(-28.75)


def test_depeg_raises_the_factor_of_initial_margin_only():
    margins = pmrm2.margin_of(held(perp=1.0, feeds=market(stable_price=0.94)), MAIN)
    # 1 + (0.99 − 0.94)·4 = 1.2; the perpetual is not divided by the price of the stablecoin.
    assert margins.initial[0] == pytest.approx(-1.2 * 18.0 - 4.0)
    assert margins.maintenance[0] == pytest.approx(-14.4 - 3.0)


def test_collateral_is_worth_stablecoins_and_cut():
    coin = Collateral(asset="USDT", amount=100.0, price=1.0)
    margins = pmrm2.margin_of(held(collaterals=(coin,), feeds=market(stable_price=1.25)), MAIN)
    # 100/1.25 = 80, less 2 %, less 1.96 % more for initial margin.
    assert margins.maintenance[0] == pytest.approx(80.0 * 0.98)
    assert margins.initial[0] == pytest.approx(80.0 * (1.0 - 0.02 - 0.0196))


def test_collateral_that_is_the_underlying_offsets_a_short_perpetual():
    coin = Collateral(asset="BTC", amount=1.0, price=100.0)
    margins = pmrm2.margin_of(held(perp=-1.0, collaterals=(coin,)), MAIN)
    assert margins.span[0] == pytest.approx(0.0)
    other = pmrm2.margin_of(held(perp=-1.0, collaterals=(coin,), underlying="ETH"), MAIN)
    assert other.span[0] == pytest.approx(-18.0)


def test_confidence_one_unit_below_the_threshold_costs_and_at_it_does_not():
    at, below = (
        pmrm2.margin_of(held(perp=1.0, feeds=market(spot_confidence=c)), MAIN)
        for c in (Decimal("0.55"), Decimal("0.55") - UNIT)
    )
    assert at.oracle[0] == 0.0
    assert below.oracle[0] == pytest.approx(45.0)  # (1 − 0.55)·100
    assert below.maintenance[0] == at.maintenance[0]


def test_collateral_does_not_hear_the_perpetual():
    coin = Collateral(asset="USDT", amount=100.0, price=1.0)
    doubted = market(perp_confidence=0.0)
    assert pmrm2.margin_of(held(collaterals=(coin,), feeds=doubted), MAIN).oracle[0] == 0.0
    # Nor does anything where no perpetual is held; with one, 100 for it and nothing for the collateral.
    assert pmrm2.margin_of(held(perp=1.0, collaterals=(coin,), feeds=doubted), MAIN).oracle[0] == pytest.approx(100.0)


def test_a_perpetual_that_is_not_held_is_not_doubted():
    doubted = market(expiry(), perp_confidence=0.0)
    assert pmrm2.margin_of(held(option(100.0, 1.0), feeds=doubted), MAIN).oracle[0] == 0.0
    assert pmrm2.margin_of(held(option(100.0, 1.0), perp=1.0, feeds=doubted), MAIN).oracle[0] == pytest.approx(200.0)


def test_thirty_days_are_short_and_a_second_more_is_long():
    shock = replaced(MAIN.vol_shock, days_floor=60.0)
    # g = (30/60)^power: 0.3 to thirty days, 0.13 beyond; up 50 %, down 30 % of it.
    up, down = vol_multipliers(np.asarray([MONTH, MONTH + 1]), shock)
    assert up.tolist() == pytest.approx([1.0 + 0.5 * 0.5**0.3, 1.0 + 0.5 * 0.5**0.13])
    assert down.tolist() == pytest.approx([1.0 - 0.3 * 0.5**0.3, 1.0 - 0.3 * 0.5**0.13])


def test_the_least_volatilities_are_worth_their_payoff():
    feeds = market(expiry(forward=110.0))
    for vol in (0.0, 1e-300, 1e-60, 1e-20):
        margins = pmrm2.margin_of(held(option(100.0, 2.0, vol=vol), feeds=feeds), MAIN)
        assert margins.option_value[0] == pytest.approx(20.0)


def test_doubt_about_an_expiry_counts_longs_and_shorts():
    feeds = market(expiry(vol_confidence=0.25))
    margins = pmrm2.margin_of(held(option(100.0, 2.0), option(110.0, -3.0), feeds=feeds), MAIN)
    assert margins.oracle[0] == pytest.approx(0.75 * 5.0 * 100.0)


@pytest.mark.parametrize(
    ("call", "put", "naked"), [(-2.0, -3.0, 5.0), (-2.0, 3.0, 0.0), (-3.0, 2.0, 1.0), (2.0, 3.0, 0.0)]
)
def test_shorts_net_across_call_and_put_of_a_strike(call: float, put: float, naked: float):
    margins = pmrm2.margin_of(held(option(90.0, call), option(90.0, put, right="put")), MAIN)
    assert margins.option.maintenance[0] == pytest.approx(naked * 100.0 * 0.003)
    assert margins.option.initial_extra[0] == pytest.approx(naked * 100.0 * 0.002)


def test_a_value_is_discounted_by_its_sign_also_with_no_move():
    feeds = market(expiry(seconds=0, forward=110.0))
    calm = next(i for i, s in enumerate(TEST.scenarios) if s.spot == 1.0 and s.vol == "none")
    # Expired 10 in the money: worth 10; long discount 0.95 loses 0.5, short 0.95 gains it.
    for amount, gain in ((1.0, -0.5), (-1.0, 0.5)):
        margins = pmrm2.margin_of(held(option(100.0, amount, seconds=0), feeds=feeds), TEST)
        assert margins.pnl[0, calm] == pytest.approx(gain)
        assert margins.mark_to_market[0] == pytest.approx(10.0 * amount)


def test_what_is_settled_does_not_move():
    variable, fixed = settlement_forward(100.0, seconds_to_expiry=450, spot_average=104.0)
    assert (variable, fixed) == (25.0, 78.0)  # 450/1800 of 100, the rest of 104
    feeds = market(expiry(seconds=450, forward=variable, forward_fixed=fixed))
    # A call at 1 is worth 102 now and 25·1.15 + 78 − 1 = 105.75 when the spot gains 15 %.
    margins = pmrm2.margin_of(held(option(1.0, 1.0, seconds=450), feeds=feeds), LOW)
    assert margins.option_value[0] == pytest.approx(102.0)
    up = next(i for i, s in enumerate(TEST.scenarios) if s.spot == 1.15 and s.vol == "none")
    found = pmrm2.margin_of(held(option(1.0, -1.0, seconds=450), feeds=feeds), TEST).pnl[0, up]
    years = 450 / 31_536_000
    # Undone to no less than its value: rate 0, so the short discount is min(1, 0.95·e^(0.05·T)).
    assert found == pytest.approx(102.0 - 105.75 * min(1.0, 0.95 * math.exp(0.05 * years)))


def test_no_window_before_it_opens():
    assert settlement_forward(100.0, seconds_to_expiry=1_800, spot_average=7.0) == (100.0, 0.0)
    assert settlement_forward(100.0, seconds_to_expiry=0, spot_average=7.0) == (0.0, 7.0)


def test_turns_of_the_smile_do_not_net_between_expiries():
    far = 2 * MONTH
    feeds = market(expiry(), expiry(far))
    near = held(option(120.0, 5.0), feeds=feeds)
    back = held(option(120.0, -5.0, seconds=far), feeds=feeds)
    both = held(*near.options, *back.options, feeds=feeds)
    linear = next(i for i, s in enumerate(MAIN.scenarios) if s.vol == "linear")
    pnl = [pmrm2.margin_of(p, MAIN).pnl[0, linear] for p in (near, back, both)]
    assert pnl[0] < 0.0
    assert pnl[1] < 0.0
    assert pnl[2] == pytest.approx(pnl[0] + pnl[1])


def test_feed_keeps_its_own_forward_and_is_clamped():
    svi = Svi(a=0.01, b=0.04, rho=0.0, m=0.0, sigma=0.0, forward=100.0, tenor_years=0.25)
    # B = 4·√0.01 = 0.4; at K = 300, ln 3 is clamped to it: w = 0.01 + 0.04·0.4 = 0.026, vol = √(0.026/0.25).
    feeds = market(expiry(forward=50.0, svi=svi))
    asked = Option(seconds_to_expiry=MONTH, strike=300.0, right="put", amount=1.0)
    stated = replaced(asked, vol=math.sqrt(0.026 / 0.25))
    found, wanted = (pmrm2.margin_of(held(o, feeds=feeds), MAIN) for o in (asked, stated))
    assert found.pnl[0].tolist() == pytest.approx(wanted.pnl[0].tolist())


@given(st.lists(portfolios(), max_size=4))
@settings(max_examples=25)
def test_a_batch_is_its_accounts(batch: list[Portfolio]):
    together = pmrm2.margins_of(batch, MAIN)
    assert len(together) == len(batch)
    for a, p in enumerate(batch):
        alone = pmrm2.margin_of(p, MAIN)
        assert together.initial[a] == pytest.approx(alone.initial[0], rel=1e-12, abs=1e-12 * scale_of(p))
        assert together.worst[a] == alone.worst[0]


@given(portfolios(), st.sampled_from((0.5, 3.0)))
@settings(max_examples=30)
def test_margin_grows_with_the_account(p: Portfolio, factor: float):
    larger = replaced(
        p,
        cash=p.cash * factor,
        perp=p.perp * factor,
        perp_pnl=p.perp_pnl * factor,
        perp_funding=p.perp_funding * factor,
        options=tuple(replaced(o, amount=o.amount * factor) for o in p.options),
        collaterals=tuple(replaced(c, amount=c.amount * factor) for c in p.collaterals),
    )
    one, many = pmrm2.margin_of(p, MAIN), pmrm2.margin_of(larger, MAIN)
    near = {"rel": 1e-9, "abs": 1e-11 * scale_of(p)}
    assert many.initial[0] == pytest.approx(one.initial[0] * factor, **near)
    assert many.maintenance[0] == pytest.approx(one.maintenance[0] * factor, **near)


STRESSES = {
    "contingencies": (
        "peg_threshold", "peg_factor", "confidence_threshold", "confidence_margin", "perp_maintenance",
        "perp_initial_extra", "option_maintenance", "option_initial_extra",
    ),
    "basis": ("add", "mult"),
    "": ("initial_factor", "maintenance_factor"),
}  # fmt: skip
NAMES = [(part, name) for part, names in STRESSES.items() for name in names]


def stressed(rules: Pmrm2Parameters, part: str, name: str) -> Pmrm2Parameters:
    if not part:
        return replaced(rules, **{name: getattr(rules, name) * 1.5})
    inner = getattr(rules, part)
    more = min(getattr(inner, name) * 1.5 + 0.01, 1.0) if name == "confidence_threshold" else getattr(inner, name) * 1.5
    return replaced(rules, **{part: replaced(inner, **{name: more})})


@pytest.mark.parametrize(("part", "name"), NAMES, ids=[name for _, name in NAMES])
@given(p=portfolios())
@settings(max_examples=12)
def test_no_stress_lowers_the_requirement(part: str, name: str, p: Portfolio):
    one, more = pmrm2.margin_of(p, MAIN), pmrm2.margin_of(p, stressed(MAIN, part, name))
    slack = 1e-12 * scale_of(p)
    assert more.initial[0] <= one.initial[0] + slack
    assert more.maintenance[0] <= one.maintenance[0] + slack


@given(p=portfolios(), cut=st.integers(0, 6))
@settings(max_examples=30)
def test_netting_never_costs_more_than_two_accounts(p: Portfolio, cut: int):
    """Holds where a long value is not raised above a short one by the static discounts: so it does under TEST."""
    sure = replaced(p, feeds=certain(p.feeds), collaterals=())
    first, second = replaced(sure, options=p.options[:cut], cash=0.0), replaced(sure, options=p.options[cut:], perp=0.0)
    first = replaced(first, perp_pnl=0.0, perp_funding=0.0)
    parts, whole = pmrm2.margins_of([first, second], TEST), pmrm2.margin_of(sure, TEST)
    slack = 1e-11 * scale_of(p)
    assert whole.initial[0] >= parts.initial.sum() - slack
    assert whole.maintenance[0] >= parts.maintenance.sum() - slack


def test_where_the_discounts_favour_longs_netting_can_cost():
    """The counterexample: under MAIN a long value counts 1.05-fold, a short one 0.95-fold: both gain by standing apart.

    Options that have just expired at 100, worst move −18 % to 82. Short: two puts at 120, worth −40, and a perpetual:
    −76·0.95 + 40 + 18 = −14.2, MM −40 − 0.8·14.2 − 0.6 − 3 = −54.96. Long: two calls at 40, worth 120: 84·1.05 − 120 =
    −31.8, MM 120 − 25.44 = 94.56. Together 8·1.05 − 80 + 18 = −53.6, MM 80 − 42.88 − 3.6 = 33.52, not 39.6.
    """
    feeds = market(expiry(seconds=0))
    puts, calls = option(120.0, -2.0, right="put", seconds=0), option(40.0, 2.0, seconds=0)
    short, long = held(puts, perp=-1.0, feeds=feeds), held(calls, feeds=feeds)
    both = held(puts, calls, perp=-1.0, feeds=feeds)
    assert pmrm2.margins_of([short, long, both], MAIN).maintenance == pytest.approx([-54.96, 94.56, 33.52])


def certain(feeds: Feeds) -> Feeds:
    sure = {"forward_confidence": 1.0, "rate_confidence": 1.0, "vol_confidence": 1.0}
    expiries = tuple(replaced(e, **sure) for e in feeds.expiries)
    return replaced(feeds, spot_confidence=1.0, perp_confidence=1.0, expiries=expiries)


def test_an_empty_account_owes_nothing():
    for rules in (MAIN, TEST, HIGH, LOW):
        margins = pmrm2.margin_of(Portfolio(underlying="BTC", feeds=Feeds(spot=100.0)), rules)
        assert margins.initial[0] == margins.maintenance[0] == margins.mark_to_market[0] == 0.0
    assert len(pmrm2.margins_of((), MAIN)) == 0


def test_zero_confidence_is_no_division():
    doubted = market(expiry(forward_confidence=0.0), spot_confidence=0.0, perp_confidence=0.0)
    margins = pmrm2.margin_of(held(option(100.0, 1.0), perp=1.0, feeds=doubted), MAIN)
    assert margins.oracle[0] == pytest.approx(200.0)


def test_128_assets_are_margined_and_129_refused():
    strikes = [option(50.0 + i, 1.0) for i in range(128)]
    assert math.isfinite(pmrm2.margin_of(held(*strikes), MAIN).initial[0])
    with pytest.raises(InvalidInput, match="number of assets is 129, but must be at most 128"):
        pmrm2.margin_of(held(*strikes, perp=1.0), MAIN)
    later = [expiry(MONTH + i) for i in range(12)]
    with pytest.raises(InvalidInput, match="number of expiries is 12"):
        pmrm2.margin_of(held(*(option(100.0, 1.0, seconds=MONTH + i) for i in range(12)), feeds=market(*later)), MAIN)


def test_missing_feeds_are_named():
    with pytest.raises(MissingFactors, match=f"expiry in {MONTH + 1} s"):
        pmrm2.margin_of(held(option(100.0, 1.0, seconds=MONTH + 1)), MAIN)
    with pytest.raises(MissingFactors, match="volatility"):
        pmrm2.margin_of(held(Option(seconds_to_expiry=MONTH, strike=1.0, right="put", amount=1.0)), MAIN)
    with pytest.raises(MissingFactors, match="perp:BTC"):
        pmrm2.margin_of(held(perp=1.0, feeds=market(perp_price=None)), MAIN)
    with pytest.raises(UnknownName, match="right"):
        pmrm2.margin_of(held(option(100.0, 1.0, right="C")), MAIN)
    with pytest.raises(UnknownName, match="DOGE"):
        pmrm2.margin_of(held(collaterals=(Collateral(asset="DOGE", amount=1.0, price=1.0),)), MAIN)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(bad: float):
    for portfolio in (held(perp=bad), held(cash=bad), held(option(100.0, bad)), held(option(bad, 1.0))):
        with pytest.raises(InvalidInput):
            pmrm2.margin_of(portfolio, MAIN)
    with pytest.raises(InvalidInput):
        market(spot=bad)
    with pytest.raises(InvalidInput):
        market(spot_confidence=1.5)


def test_parameters_outside_the_admitted_ranges_are_refused():
    with pytest.raises(InvalidInput, match="initial_factor"):
        replaced_checked(MAIN, initial_factor=0.4)
    with pytest.raises(InvalidInput, match="sum of haircuts"):
        Haircut(maintenance=0.8, initial_extra=0.3)
    skewed = (*MAIN.scenarios, pmrm2.Scenario(spot=1.1, vol="linear"))
    with pytest.raises(InvalidInput, match="spot factor of a skew scenario"):
        replaced_checked(MAIN, scenarios=skewed)


def replaced_checked(rules: Pmrm2Parameters, **changes: object) -> Pmrm2Parameters:
    return Pmrm2Parameters(**{name: getattr(rules, name) for name in rules.__struct_fields__} | changes)


def test_the_assessor_and_the_auction_use_the_same_rule():
    book = held(option(100.0, -1.0), perp=0.5, cash=100.0)
    assessed = pmrm2.margin_of(book, pmrm2.assessor_parameters(MAIN))
    margins = pmrm2.margin_of(book, MAIN)
    assert assessed.pnl.shape == (1, 3)
    assert assessed.maintenance[0] >= margins.maintenance[0]
    assert margins.maintenance_in(int(margins.worst[0]))[0] == pytest.approx(margins.maintenance[0])
    assert (margins.maintenance_in(11) >= margins.maintenance).all()
    assert margins.maintenance_in(len(MAIN.scenarios))[0] == pytest.approx(
        margins.maintenance[0] + 0.8 * (margins.basis[0] - margins.span[0])
    )
