"""Deribit's portfolio margin: responses of the venue, sums by hand, what must hold of all, readings and books."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import DuplicateName, InvalidInput, MissingFactors, UnknownName
from crossmargin.margin.rulebooks.deribit_pm.account import (
    Portfolio,
    PortfolioMargin,
    Reserved,
    cross_margin_of,
    margin_of,
)
from crossmargin.margin.rulebooks.deribit_pm.evaluating import CROSS_COLLATERAL, SEGREGATED
from crossmargin.margin.rulebooks.deribit_pm.parameters import Parameters
from crossmargin.margin.rulebooks.scanning import LinearLeg, RiskUnit
from crossmargin.market.build import build_snapshot
from tests.margin.rulebooks.accounts import account, ask, world
from tests.margin.rulebooks.scan_units import call, perpetual
from tests.worlds import market, underlying

replace = msgspec.structs.replace
RULEBOOKS = (SEGREGATED, CROSS_COLLATERAL)
CALL = "BTC-26JUN26-110000-C.DERIBIT"
MARGINS = (margin_of, cross_margin_of)


def shipped(date="2026-02-15", rulebook=SEGREGATED, **readings) -> Parameters:
    found = rulebook.load(date)
    return replace(found, readings=replace(found.readings, **readings))


def with_pair(parameters: Parameters, coin="BTC", **values) -> Parameters:
    return replace(parameters, pairs=parameters.pairs | {coin: replace(parameters.pairs[coin], **values)})


def with_row(parameters: Parameters, name="BTC", **values) -> Parameters:
    rows = parameters.currencies
    return replace(parameters, currencies=rows | {name: replace(rows[name], **values)})


def unit(*legs, coin="BTC", index=100.0) -> RiskUnit:
    linear = tuple(leg for leg in legs if isinstance(leg, LinearLeg))
    return RiskUnit(coin=coin, index=index, linear=linear, options=tuple(leg for leg in legs if leg not in linear))


def margin(*legs, parameters=None, rule=margin_of, **more) -> PortfolioMargin:
    return rule(Portfolio(units=(unit(*legs, **more),)), parameters or shipped())


def test_the_example_of_the_api_reference():
    """`private/pme/simulate` in Deribit's API reference, a response of 2024-06-17T10:22:20Z: BTC, two futures."""
    index = 65_666.19
    held = unit(
        perpetual(inverse=True, price=65_910.57, quantity=0.314538364),
        LinearLeg(
            instrument="f", kind="future", price=67_371.75, quantity=-0.001187534, inverse=True, days=10.9,
        ),
        index=index,
    )  # fmt: skip
    reserved = {"BTC": Reserved(mmp=0.06 * index, open_orders=0.000018212 * index)}
    found = margin_of(Portfolio(units=(held,), reserved=reserved), shipped("2024-06-17")).accounts[0]
    one = found.units[0]
    standard = [-0.05968587238095239, -0.04272965863636364, -0.02724789826086957, -0.013056284583333334, 0, 0, 0, 0, 0]
    assert np.asarray(one.counted[:27]) / index == pytest.approx(np.repeat(standard, 3), abs=1e-14)
    assert one.counted[27:] == pytest.approx([0.0] * 8)
    assert found.worst_case / index == pytest.approx(0.05968587238095239, rel=1e-12)
    assert found.roll_shock / index == pytest.approx(0.00315725898, rel=1e-12)
    assert (found.delta_shock, found.correlation_contingency) == (0.0, 0.0)
    # The venue rounds the worst case to nine decimals before it adds.
    assert found.risk_matrix / index == pytest.approx(0.06284313098, abs=1e-9)
    assert found.initial / index == pytest.approx(0.122861343, abs=1e-9)
    assert found.maintenance / index == pytest.approx(0.050274504784, abs=1e-9)
    assert one.worst == "price -16.0%, vol down"


def test_a_published_response_for_a_perpetual_on_ether():
    """A response of private/pme/simulate of 2026-02-15 that its receiver published: ETH, one perpetual sold."""
    index = 1_949.34
    held = perpetual(inverse=True, price=1_949.49, quantity=-0.999487053)
    found = margin(held, coin="ETH", index=index).accounts[0]
    one = found.units[0]
    before = [0.21939959699999997, 0.155989308849711, 0.09885036787912087, 0.04709624857068063, 0.0]
    before += [-0.04304011233014354, -0.08252645391743119, -0.11888171996035243, -0.15246412672881357]
    counted = [0.6 * x if x > 0.0 else x for x in before]
    assert np.asarray(one.pnl[:27]) / index == pytest.approx(np.repeat(before, 3), abs=1e-14)
    assert np.asarray(one.counted[:27]) / index == pytest.approx(np.repeat(counted, 3), abs=1e-14)
    # Before the dampener far moves of a future are worth what the edge of the range is.
    assert np.asarray(one.pnl[27:]) / index == pytest.approx([before[0]] * 2 + [before[-1]] * 6, abs=1e-14)
    assert one.counted[27:] == pytest.approx([0.0] * 8)
    assert found.roll_shock / index == pytest.approx(0.004997435265, rel=1e-12)
    assert found.risk_matrix / index == pytest.approx(0.157461562265, abs=1e-9)
    assert found.maintenance / index == pytest.approx(0.125969249812, abs=1e-9)


def test_a_published_account_of_cross_collateral():
    """The same receiver's account, as private/simulate_portfolio and get_account_summaries showed it that day.

    Long 2.3866 USD of bitcoin as equity, 0.001 ETH sold in dollars, first alone, then beside 1 USD bought in ether.
    What the venue prints is rounded; the equity in ether is known to one digit (-0.000002 and -0.000001).
    """
    bitcoin = unit(index=68_598.0)
    parameters = shipped(rulebook=CROSS_COLLATERAL)
    sold = {"quantity": -0.001, "instrument": "ETH_USDC-PERPETUAL"}
    alone = unit(perpetual(price=1_954.22, **sold), coin="ETH", index=1_954.22)
    equity = {"BTC": 2.3866 / 68_598.0, "ETH": -0.000002}
    found = cross_margin_of(Portfolio(units=(bitcoin, alone), equity=equity), parameters)
    assert found.maintenance / 0.8 == pytest.approx(0.595147876 / 0.8, rel=1e-3)
    beside = perpetual(price=1_957.1, quantity=1.0 / 1_957.1, inverse=True)
    both = unit(perpetual(price=1_957.1, **sold), beside, coin="ETH", index=1_957.1)
    found = cross_margin_of(Portfolio(units=(bitcoin, both), equity=equity | {"ETH": -0.000001}), parameters)
    assert found.maintenance / 0.8 == pytest.approx(0.45572159158 / 0.8, rel=1e-3)


def test_an_option_by_hand():
    # A call of no time sold, in coins: worth 10/100 now and (116 - 90)/116 at +16 %; vol does not matter.
    found = margin(call(strike=90.0, days=0.0, quantity=-1.0, inverse=True)).accounts[0]
    assert found.worst_case == pytest.approx(100.0 * (26.0 / 116.0 - 0.1))
    # Its delta is 1 - C/F = 0.9, and it rolls at the minimum of 1 %.
    assert found.roll_shock == pytest.approx(0.9)
    assert found.maintenance == pytest.approx(0.8 * found.initial)


def test_the_extended_table_by_hand():
    # 10,000 calls of no time at 150 sold, in dollars: at +500 % they lose 450 each, of which 0.16/5 count.
    parameters = shipped(linear_row="coin")
    found = margin(call(strike=150.0, days=0.0, quantity=-10_000.0), parameters=parameters).accounts[0].units[0]
    raw = -10_000.0 * 450.0 * 0.16 / 5.0
    assert found.pnl[-1] == pytest.approx(raw)
    # Less (5/0.16 - 1) dampeners of 100,000: nothing is left. At a dampener of 1,000 something is.
    assert found.counted[-1] == 0.0
    small = margin(
        call(strike=150.0, days=0.0, quantity=-10_000.0), parameters=with_row(parameters, extended_dampener=1_000.0)
    )
    assert small.accounts[0].units[0].counted[-1] == pytest.approx(raw + 30.25 * 1_000.0)
    # In coins the same, at the price of the edge: 450/600 coins times 600/116.
    coins = margin(call(strike=150.0, days=0.0, quantity=-10_000.0, inverse=True)).accounts[0].units[0]
    assert coins.pnl[-1] == pytest.approx(-10_000.0 * 450.0 / 600.0 * 0.16 / 5.0 * 600.0 / 116.0 * 100.0)


def test_the_roll_shock_by_hand():
    legs = [
        LinearLeg(instrument="f", kind="future", price=100.0, quantity=q, days=days, inverse=True)
        for q, days in ((3.0, 365.0), (-1.0, 365.0), (-4.0, 73.0), (2.0, 1.0))
    ]
    line = {"roll_form": "linear"}
    found = margin(perpetual(inverse=True, quantity=-5.0), *legs, parameters=shipped(**line)).accounts[0]
    # A year: 2 net at 7.5 %; a fifth: 4 at 1.5 %; a day and the perpetual at the minimum of 1 %; all gross.
    assert found.roll_shock == pytest.approx(100.0 * (2 * 0.075 + 4 * 0.015 + 2 * 0.01 + 5 * 0.01))
    found = margin(*legs[:1], parameters=shipped()).accounts[0]
    assert found.roll_shock == pytest.approx(300.0 * math.expm1(0.075))


def test_the_delta_shock_by_hand():
    # 20 m USD at 100 are 200,000 coins; 201,000 held are 1,000 over, at 0.005 % each: 5 %. Capped at 10 %.
    found = margin(perpetual(inverse=True, quantity=201_000.0)).accounts[0]
    assert found.delta_shock == pytest.approx(201_000.0 * 0.05 * 100.0)
    found = margin(perpetual(inverse=True, quantity=-210_000.0)).accounts[0]
    assert found.delta_shock == pytest.approx(210_000.0 * 0.1 * 100.0)
    # Long puts (delta -1) cover what is held, and no more than that; without time at a strike of 1e9.
    puts = call(strike=1e9, right="put", days=0.0, quantity=150_000.0)
    found = margin(perpetual(quantity=300_500.0), puts).accounts[0]
    assert found.delta_shock == 0.0
    found = margin(perpetual(quantity=351_000.0), puts).accounts[0]
    assert found.delta_shock == pytest.approx(201_000.0 * 0.05 * 100.0)
    assert margin(perpetual(quantity=1e6), parameters=shipped(delta_shock="none")).accounts[0].delta_shock == 0.0


def test_gains_count_their_offset_up_to_the_cap():
    portfolio = Portfolio(units=(unit(perpetual(quantity=1.0)), unit(perpetual(quantity=-1.0), coin="ETH")))
    parameters = shipped(correlation_contingency=0.0)
    found = margin_of(portfolio, parameters).accounts[0]
    # At -16 %/-18 %: BTC loses 16, ETH gains 18·0.4; at the other end ETH loses 18, BTC gains 16·0.4.
    assert found.worst_case == pytest.approx(18.0 - 0.4 * 16.0)
    capped = with_row(parameters, "USD", max_offsetable_pnl=10.0)
    assert margin_of(portfolio, capped).accounts[0].worst_case == pytest.approx(18.0 - 0.4 * 10.0)
    after = with_row(shipped(correlation_contingency=0.0, offset_cap="after the offset"), "USD", max_offsetable_pnl=5.0)
    assert margin_of(portfolio, after).accounts[0].worst_case == pytest.approx(18.0 - 5.0)
    # By default nothing nets between coins: what does in one bucket is charged back.
    whole = margin_of(portfolio, shipped()).accounts[0]
    assert whole.worst_case == pytest.approx(18.0 - 0.4 * 16.0)
    assert whole.worst_case + whole.correlation_contingency == pytest.approx(34.0)
    half = margin_of(portfolio, shipped(correlation_contingency=0.5)).accounts[0]
    assert half.correlation_contingency == pytest.approx(0.5 * (34.0 - 11.6))


def test_open_orders_by_hand():
    found = margin(perpetual(quantity=1.0, buys=2.0, sells=3.0)).accounts[0]
    # Alone 16 and 1 % of 100. Two buys: 48 at -16 %; three sells leave -2: 32 at +16 %. The larger side rolls: 3 more.
    assert found.worst_case == pytest.approx(16.0)
    assert found.open_orders == pytest.approx(32.0 + 3.0)
    assert found.maintenance == pytest.approx(0.8 * 17.0)
    assert margin(perpetual(buys=2.0), parameters=shipped(open_orders="none")).accounts[0].open_orders == 0.0


def test_floors_of_the_volatility():
    sold = call(strike=100.0, days=365.0, volatility=0.1, quantity=-1.0)
    shocked, base = (
        margin(sold, parameters=shipped(vol_floor=f"{at} volatility")).initial for at in ("shocked", "base")
    )
    assert base > shocked


def test_equity_in_the_matrix():
    cross = shipped(rulebook=CROSS_COLLATERAL)

    def worst(amount, parameters=cross):
        portfolio = Portfolio(units=(unit(),), equity={"BTC": amount, "USD": 1e6})
        return cross_margin_of(portfolio, parameters).accounts[0].worst_case

    assert worst(2.0) == pytest.approx(32.0)
    assert worst(-2.0) == pytest.approx(32.0)
    assert worst(2.0, with_row(cross, haircut=0.25)) == pytest.approx(24.0)
    assert worst(-2.0, with_row(cross, haircut=0.25)) == pytest.approx(32.0)
    assert worst(2.0, with_row(cross, equity_side_impact="short")) == 0.0
    assert worst(-2.0, with_row(cross, equity_side_impact="long")) == 0.0
    # A coin and a sold inverse perpetual on it are dollars, in every bucket.
    held = unit(perpetual(inverse=True, quantity=-2.0))
    found = cross_margin_of(Portfolio(units=(held,), equity={"BTC": 2.0}), cross).accounts[0]
    assert found.worst_case == pytest.approx(0.0, abs=1e-12)
    assert found.roll_shock == pytest.approx(2.0)


@pytest.mark.parametrize("inverse", [True, False])
def test_a_box_costs_its_add_ons(inverse):
    legs = [
        call(strike=k, right=right, quantity=q, inverse=inverse)
        for k, right, q in ((90.0, "call", 1.0), (90.0, "put", -1.0), (110.0, "call", -1.0), (110.0, "put", 1.0))
    ]
    found = cross_margin_of(
        Portfolio(units=(unit(*legs),), equity={"BTC": 0.2} if inverse else {}), shipped(rulebook=CROSS_COLLATERAL)
    ).accounts[0]
    # 20 dollars in dollars move nothing; 20 dollars owed in coins are hedged by the equity that they are.
    assert found.worst_case == pytest.approx(0.0, abs=1e-9)
    assert found.initial == pytest.approx(found.roll_shock, abs=1e-9)


sold_options = st.lists(
    st.builds(
        call,
        strike=st.sampled_from((50.0, 100.0, 120.0)),
        right=st.sampled_from(("call", "put")),
        days=st.sampled_from((0.0, 1e-6, 7.0, 30.0, 90.0)),
        quantity=st.floats(-1e6, -1e-18),
    ),
    max_size=4,
)


@given(sold_options, st.floats(0.0, 1e6), st.sampled_from(MARGINS))
def test_a_seller_of_options_owes_more_under_wider_ranges(options, short, rule):
    legs = [perpetual(quantity=-short), *options]

    def maintenance(parameters):
        return margin(*legs, rule=rule, parameters=parameters).maintenance

    base = maintenance(shipped())
    wider = [with_pair(shipped(), **v) for v in ({"volatility_range_up": 0.9}, {"min_volatility_for_shock_up": 0.9})]
    for parameters in (*wider, replace(shipped(), mm_factor=1.0), with_row(shipped(), "USD", annualised_move_risk=0.2)):
        assert maintenance(parameters) >= base * (1.0 - 1e-9) - 1e-6
    # What is sold is concave in the price: its loss is worst at the ends, and grows with the range. (Far moves count by
    # the range and are left out.)
    near = replace(shipped(), extended_moves=())
    assert maintenance(with_pair(near, price_range=0.3)) >= maintenance(near) * (1.0 - 1e-9) - 1e-6


def test_wider_volatilities_may_ask_less_of_a_butterfly():
    """A butterfly above the market is worth most at some volatility: its seller loses less where that is passed."""
    sizes = ((120.0, -1.0), (130.0, 2.0), (140.0, -1.0))
    legs = [call(strike=k, days=30.0, volatility=0.2, quantity=q) for k, q in sizes]
    still = with_pair(shipped(), price_range=0.01, min_volatility_for_shock_up=0.0, extended_table_factor=0.0)
    some, more = (
        margin(*legs, parameters=with_pair(still, volatility_range_up=x)).accounts[0].worst_case for x in (2.0, 10.0)
    )
    assert 0.0 < more < some


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(-50.0, 50.0), st.booleans()), min_size=2, max_size=5), st.sampled_from(MARGINS))
def test_futures_cost_no_more_together_than_apart(legs, rule):
    held = [perpetual(quantity=q, inverse=inverse) for q, inverse in legs]
    whole = margin(*held, rule=rule)
    parts = [margin(leg, rule=rule) for leg in held]
    assert whole.initial <= sum(p.initial for p in parts) * (1.0 + 1e-12) + 1e-9
    assert whole.maintenance <= sum(p.maintenance for p in parts) * (1.0 + 1e-12) + 1e-9


def test_together_may_cost_more_than_apart():
    """The dampener is granted once an account: of options far out of the money each half may be free, the whole not."""
    half = call(strike=150.0, days=0.0, quantity=-100_000.0)
    alone, both = margin(half), margin(half, half)
    assert alone.accounts[0].worst_case < 0.5 * both.accounts[0].worst_case


@pytest.mark.parametrize("rule", MARGINS)
def test_nothing_dust_and_many_assets(rule):
    assert margin(rule=rule).initial == 0.0
    assert margin(perpetual(quantity=0.0), call(quantity=0.0), rule=rule).initial == 0.0
    dust = margin(perpetual(quantity=1e-18), call(quantity=-1e-18), rule=rule)
    assert 0.0 < dust.initial < 1e-15
    many = [call(instrument=f"{n}", strike=50.0 + n, quantity=(-1.0) ** n) for n in range(128)]
    assert margin(*many, rule=rule).initial > 0.0


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("price_range", 0.01, 0.9),
        ("volatility_range_up", 0.0, 10.0),
        ("volatility_range_down", 0.0, 1.0),
        ("min_volatility_for_shock_up", 0.0, 10.0),
        ("short_term_vega_power", 0.0, 0.49),
        ("extended_table_factor", 0.0, 10.0),
        ("max_delta_shock", 0.0, 1.0),
        ("m_inc", 0.0, 1.0),
        ("delta_total_liq_shock_threshold", 0.0, 1e15),
    ],
)
@pytest.mark.parametrize("rule", MARGINS)
def test_parameters_at_both_bounds(rule, name, low, high):
    legs = [perpetual(quantity=3.0), call(quantity=-5.0, days=1e-6), call(quantity=-5.0, inverse=True, days=0.0)]
    for value in (low, high):
        found = margin(*legs, rule=rule, parameters=with_pair(shipped(), **{name: value}))
        assert math.isfinite(found.initial)
        assert found.initial >= found.maintenance >= 0.0
    for value in (low - 1e-6, high * (1 + 1e-6) + 1e-6, math.nan):
        with pytest.raises(InvalidInput):
            with_pair(shipped(), **{name: value})


@pytest.mark.parametrize(
    "broken",
    [
        lambda: with_row(shipped(), haircut=1.1),
        lambda: with_row(shipped(), extended_dampener=-1.0),
        lambda: with_row(shipped(), annualised_move_risk=math.inf),
        lambda: with_row(shipped(), uncertain={"why": ("nothing",)}),
        lambda: with_pair(shipped(), uncertain={"why": ("nothing",)}),
        lambda: shipped(correlation_contingency=1.1),
        lambda: replace(shipped(), extended_moves=(-1.0,)),
        lambda: replace(shipped(), extended_moves=(0.0,)),
        lambda: replace(shipped(), currencies={}),
        lambda: Reserved(mmp=-1.0),
        lambda: Portfolio(equity={"ETH": 1.0}),
        lambda: margin_of(Portfolio(reserved={"SOL": Reserved()}), shipped()),
        lambda: cross_margin_of(Portfolio(reserved={"BTC": Reserved()}), shipped()),
    ],
)
def test_numbers_and_names_out_of_range_are_refused(broken):
    with pytest.raises(InvalidInput):
        broken()


def test_coins_without_parameters_are_refused():
    for rule in MARGINS:
        with pytest.raises(UnknownName, match="SOL"):
            margin(perpetual(), coin="SOL", rule=rule)
    with pytest.raises(UnknownName, match="ETH"):
        margin(perpetual(), coin="ETH", parameters=shipped("2024-06-17"))
    with pytest.raises(DuplicateName):
        Portfolio(units=(unit(), unit()))


@pytest.mark.parametrize("rulebook", RULEBOOKS)
def test_sets_say_what_they_do_not_know(rulebook):
    for date in rulebook.dates():
        found = rulebook.load(date)
        assert found.date == date
        parts = [*found.pairs.values(), *found.currencies.values()]
        if date > "2024-06-17":
            named = {w for part in parts for names in part.uncertain.values() for w in names}
            assert "extended_dampener" in named
    cross = CROSS_COLLATERAL.load("2026-09-01")
    plain = SEGREGATED.load("2026-09-01")
    assert (cross.pairs, cross.currencies) == (plain.pairs, plain.currencies)


def test_a_book_with_accounts_apart():
    book = account(
        (CALL, -2.0), ("BTC-I.V", 10_000.0), ("ETH-P.V", 3.0), ("SOL-P.V", 1.0), collateral={"BTC": 1.0, "SOL": 2.0}
    )
    found = ask(SEGREGATED, book)
    assert found.refused == ("SOL-P.V", "collateral SOL")
    assert {t.name.split()[0] for t in found.terms} == {"BTC", "USD"}
    usd = next(t for t in found.terms if t.name == "USD worst case")
    # ETH at 18 % of 4,000, at no offset; no options in it.
    assert usd.initial == pytest.approx(3 * 4_000.0 * 0.18)
    assert found.initial_usd == pytest.approx(math.fsum(t.initial for t in found.terms))
    assert found.maintenance_usd == pytest.approx(0.8 * found.initial_usd)
    assert found.certainty == "approximate"
    assert any("USD alone" in n for n in found.notes)
    assert any("second-hand" in n for n in found.notes)
    assert len(found.scenarios) == 70
    assert found.worst_scenario.startswith("BTC: price +14.0%, vol up")
    # The option sold is worth less than nothing to the account.
    assert found.equity_usd < 100_000.0


def test_a_book_of_cross_collateral():
    hedged = account(("BTC-I.V", -100_000.0), collateral={"BTC": 1.0, "USDC": -50.0})
    found = ask(CROSS_COLLATERAL, hedged)
    # A coin sold forward is dollars: only the roll shock of 1 % is left.
    assert found.initial_usd == pytest.approx(1_000.0)
    assert found.equity_usd == pytest.approx(99_950.0)
    apart = ask(SEGREGATED, hedged)
    assert apart.initial_usd == pytest.approx(100_000.0 * 0.14 / 1.14 + 1_000.0)
    assert apart.equity_usd == pytest.approx(found.equity_usd)


@pytest.mark.parametrize("rulebook", RULEBOOKS)
def test_books_of_little(rulebook):
    assert ask(rulebook, account()).initial_usd == 0.0
    assert ask(rulebook, account(("BTC-P.V", 0.0))).initial_usd == 0.0
    debt = ask(rulebook, account(collateral={"SOL": -1.0}))
    assert (debt.equity_usd, debt.refused) == (-200.0, ())
    assert ask(rulebook, account(collateral={"SOL": 0.0})).refused == ()
    poor = build_snapshot(market(underlying("ETH", 4_000.0), underlying("BTC", 100_000.0)))
    with pytest.raises(MissingFactors, match="vol:BTC"):
        rulebook.evaluate(account((CALL, 1.0)), poor, rulebook.load("2026-09-01"))
    assert world().usd_price("BTC") == 100_000.0
