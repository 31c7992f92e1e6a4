"""SPAN-style scanning: sums by hand, what must hold of every portfolio, books, and what is refused."""

import math

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crossmargin.adapters.documents import decode
from crossmargin.core.errors import DuplicateName, InvalidInput, MissingFactors, UnknownName
from crossmargin.instruments.terms import Delta, Forward, Future, Option, Perpetual, Sensitivities, Spot
from crossmargin.margin.rulebooks.span.parameters import (
    STANDARD_POINTS,
    Commodity,
    CommodityRules,
    FileContract,
    InterLeg,
    InterSpread,
    IntraLeg,
    IntraSpread,
    ScanRange,
    SpanContract,
    SpanParameters,
    SpotCharge,
    Tier,
)
from crossmargin.margin.rulebooks.span.rule import RULEBOOK, evaluate
from crossmargin.margin.rulebooks.span.scan import margin_of
from crossmargin.market.build import build_snapshot
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Order, Position
from crossmargin.valuation.pnl import values_usd
from tests.margin.rulebooks.span_files import portfolios
from tests.strategies import AS_OF_MS, YEAR_MS
from tests.worlds import flat_surface, market, underlying

replace = msgspec.structs.replace
MOVES = (0.0, 0.0, 1 / 3, 1 / 3, -1 / 3, -1 / 3, 2 / 3, 2 / 3, -2 / 3, -2 / 3, 1.0, 1.0, -1.0, -1.0, 0.99, -0.99)
EXPIRY = AS_OF_MS + YEAR_MS // 4


def future(name: str, scan: float, period: str = "202606") -> SpanContract:
    """A future that loses `scan` when the price falls by its range; far moves of three ranges count a third less."""
    return SpanContract(id=name, losses=tuple(-scan * x for x in MOVES), delta=1.0, period=period, premium=False)


def option(name: str, losses: tuple[float, ...] = (0.0,) * 16, **more) -> SpanContract:
    return SpanContract(**({"id": name, "losses": losses, "delta": 0.0, "period": "202606", "right": "call"} | more))


def parameters(*commodities: Commodity, **more) -> SpanParameters:
    return SpanParameters(source="made up", date="2026-03-31", commodities=commodities, **more)


RULES_AA = CommodityRules(
    initial_ratio=1.1,
    tiers=(Tier(number=1, first="202606", last="202606"), Tier(number=2, first="202609")),
    spreads=(IntraSpread(priority=1, charge=150.0, legs=(IntraLeg(side="A", tier=1), IntraLeg(side="B", tier=2))),),
    spot=(SpotCharge(period="202606", spread=20.0, outright=30.0),),
)
AA = Commodity(code="AA", contracts=(future("near", 1200.0), future("far", 1200.0, "202609")), rules=RULES_AA)
BB = Commodity(code="BB", contracts=(future("other", 500.0),), rules=CommodityRules(initial_ratio=1.1))
CREDIT = InterSpread(
    priority=1, rate=0.5, legs=(InterLeg(commodity="AA", side="A"), InterLeg(commodity="BB", side="B", ratio=2.0))
)


def test_the_standard_points_are_those_of_the_table():
    assert [p.price for p in STANDARD_POINTS[:14]] == list(MOVES[:14])
    assert [p.volatility for p in STANDARD_POINTS] == [1.0, -1.0] * 7 + [0.0, 0.0]
    assert [p.pair for p in STANDARD_POINTS] == [2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 15, 16]
    assert [p.extreme for p in STANDARD_POINTS] == [False] * 14 + [True, True]


def test_a_portfolio_by_hand():
    found = margin_of({"near": 2.0, "far": -1.0, "other": -3.0}, parameters(AA, BB, inter_spreads=(CREDIT,)))
    # AA nets to one long: it loses 1,200 at points 13 and 14, the first of which is active. One spread between months
    # costs 150; it takes one of two near deltas, so delivery costs 20 for that one and 30 for the one left.
    aa = found.commodity("AA")
    assert (aa.scan, aa.active, aa.intra_charge, aa.spot_charge) == (1200.0, 13, 150.0, 50.0)
    # Price risk is all of the scan, time risk 0, of one net delta. BB: three short lose 1,500 at point 11.
    assert (aa.weighted_price_risk, found.commodity("BB").weighted_price_risk) == (1200.0, 500.0)
    # min(1/1, 3/2) = 1 spread: half of 1,200 for one delta, half of 500 for two.
    assert (aa.inter_credit, found.commodity("BB").inter_credit) == (600.0, 500.0)
    assert (aa.risk, found.commodity("BB").risk) == (1200.0 + 150.0 + 50.0 - 600.0, 1500.0 - 500.0)
    assert found.maintenance == 1800.0
    assert found.initial == pytest.approx(1980.0)


def test_time_and_volatility_are_no_price_risk():
    # A short straddle: it loses 300 when volatility rises and 500 more at a full fall; 13 pairs with 14.
    losses = [0.0] * 16
    losses[0], losses[1], losses[12], losses[13] = -300.0, 100.0, -800.0, -200.0
    straddle = Commodity(code="AA", contracts=(option("s", tuple(losses), delta=0.5),))
    found = margin_of({"s": -1.0}, parameters(straddle)).commodity("AA")
    assert found.scan == 800.0
    assert found.time_risk == 100.0  # (300 − 100)/2
    assert found.price_risk == 400.0  # (800 + 200)/2 − 100
    assert found.weighted_price_risk == 800.0  # over half a delta


@pytest.mark.parametrize(("method", "weighted"), [("normal", 1200.0), ("scanrange", 900.0), ("scanrange_cap", 900.0)])
def test_methods_of_the_price_risk(method, weighted):
    rules = replace(RULES_AA, price_risk=method, price_scan=900.0)
    found = margin_of({"near": 1.0}, parameters(replace(AA, rules=rules))).commodity("AA")
    assert found.weighted_price_risk == weighted


@pytest.mark.parametrize(
    ("spread", "credit"),
    [
        ({"rate_type": "flat", "rate": 100.0}, (50.0, 50.0)),  # a spread, shared by two
        ({"rate_type": "pmps", "rate": 100.0, "months": 3.0}, (150.0, 150.0)),
        ({"rate": -0.1}, (-120.0, -100.0)),  # a charge: a tenth of 1,200, and of two times 500
    ],
)
def test_rate_types(spread, credit):
    one = replace(CREDIT, **spread)
    found = margin_of({"near": 1.0, "other": -3.0}, parameters(AA, BB, inter_spreads=(one,)))
    assert tuple(c.inter_credit for c in found.commodities) == pytest.approx(credit)


def test_spreads_follow_their_priority_and_need_opposite_sides():
    second = replace(CREDIT, priority=0, rate=0.8)
    both = parameters(AA, BB, inter_spreads=(CREDIT, second))
    found = margin_of({"near": 2.0, "other": -3.0}, both)
    # The better one comes first and takes all of BB: 1.5 spreads, so 1.5 deltas of AA; nothing is left for the other.
    assert [(s.priority, s.count) for s in found.inter_spreads] == [(0, 1.5)]
    assert found.commodity("AA").inter_credit == pytest.approx(0.8 * 1200.0 * 1.5)
    assert margin_of({"near": 2.0, "other": 3.0}, both).inter_spreads == ()


def test_a_butterfly_takes_two_of_its_middle_and_the_reverse_counts_too():
    legs = (
        IntraLeg(side="A", period="202606"),
        IntraLeg(side="B", period="202609", ratio=2.0),
        IntraLeg(side="A", period="202612"),
    )
    rules = CommodityRules(spreads=(IntraSpread(priority=1, charge=10.0, legs=legs),))
    wings = Commodity(
        code="AA",
        contracts=tuple(
            future(name, 1.0, period) for name, period in (("a", "202606"), ("b", "202609"), ("c", "202612"))
        ),
        rules=rules,
    )
    for sign in (1.0, -1.0):
        found = margin_of({"a": 3.0 * sign, "b": -5.0 * sign, "c": 4.0 * sign}, parameters(wings)).commodity("AA")
        assert [(s.count, s.amount) for s in found.spreads] == [(2.5, 25.0)]  # five in the middle make two and a half


def test_month_rates_count_the_months_between():
    legs = (IntraLeg(side="A", period="202611"), IntraLeg(side="B", period="202702"))
    spread = IntraSpread(priority=1, charge=10.0, legs=legs, rate_type="pmps")
    rules = CommodityRules(spreads=(spread,))
    both = Commodity(code="AA", contracts=(future("a", 1.0, "202611"), future("b", 1.0, "202702")), rules=rules)
    assert margin_of({"a": 1.0, "b": -2.0}, parameters(both)).commodity("AA").intra_charge == 30.0


def test_scan_tiers_do_not_offset():
    tiers = (Tier(number=1, last="202606"), Tier(number=2, first="202609"))
    held = {"near": 1.0, "far": -1.0}
    assert margin_of(held, parameters(replace(AA, rules=CommodityRules()))).maintenance == 0.0
    assert margin_of(held, parameters(replace(AA, rules=CommodityRules(scan_tiers=tiers)))).maintenance == 2400.0
    with pytest.raises(InvalidInput, match="202609"):
        margin_of(held, parameters(replace(AA, rules=CommodityRules(scan_tiers=tiers[:1]))))


@pytest.mark.parametrize(("method", "minimum"), [("gross", 160.0), ("max", 100.0)])
def test_short_option_minimum(method, minimum):
    # Two calls at 50 and three puts at 20, and a call held that saves nothing.
    rows = (
        option("c", short_minimum=50.0),
        option("p", right="put", short_minimum=20.0),
        option("l", short_minimum=9.0),
    )
    one = Commodity(code="AA", contracts=rows, rules=CommodityRules(short_minimum=method))
    found = margin_of({"c": -2.0, "p": -3.0, "l": 4.0}, parameters(one))
    assert found.commodity("AA").risk == found.maintenance == minimum


def test_option_value_is_taken_off_once_and_only_where_premium_was_paid():
    losses = tuple(0.5 * x for x in future("f", 1000.0).losses)
    rows = (
        future("f", 1000.0),
        option("paid", losses, value=300.0),
        option("margined", losses, value=300.0, premium=False),
    )
    one = parameters(Commodity(code="AA", contracts=rows))
    assert margin_of({"f": 1.0, "paid": 1.0}, one).maintenance == 1500.0 - 300.0
    assert margin_of({"f": 1.0, "margined": 1.0}, one).maintenance == 1500.0
    assert margin_of({"f": 1.0, "paid": -1.0}, one).maintenance == 500.0 + 300.0


def test_option_value_serves_others_unless_it_is_capped():
    rich = Commodity(code="AA", contracts=(option("c", value=700.0),))
    for capped, required in ((False, 500.0 * 3 - 700.0), (True, 1500.0)):
        one = replace(rich, rules=CommodityRules(cap_value=capped))
        assert (
            margin_of({"c": 1.0, "other": 3.0}, parameters(one, replace(BB, rules=CommodityRules()))).maintenance
            == required
        )


def test_currencies_are_added_up_at_their_rates():
    euro = parameters(AA, replace(BB, currency="EUR"))
    held = {"near": 1.0, "other": 1.0}
    # 1,200 and the 30 of an outright delta in delivery, and 500 euros.
    assert margin_of(held, euro, rates={"USD": 1.0, "EUR": 1.2}).maintenance == pytest.approx(1230.0 + 600.0)
    with pytest.raises(UnknownName, match="EUR"):
        margin_of(held, euro, rates={"USD": 1.0})
    mixed = replace(euro, inter_spreads=(replace(CREDIT, rate_type="flat", rate=10.0),))
    with pytest.raises(InvalidInput, match="currencies"):
        margin_of({"near": 1.0, "other": -2.0}, mixed, rates={"USD": 1.0, "EUR": 1.2})


@given(portfolios())
def test_what_holds_of_every_portfolio(drawn):
    given_parameters, held = drawn
    found = margin_of(held, given_parameters)
    slack = 1e-9 * (1.0 + sum(c.scan + abs(c.option_value) for c in found.commodities))
    net = sum(c.short_minimum - c.option_value for c in found.commodities if not c.long_only)
    value = sum(c.option_value for c in found.commodities if c.long_only)
    assert found.maintenance >= net - value - slack
    assert found.maintenance >= 0.0
    assert found.initial >= found.maintenance - slack
    assert all(c.risk >= c.short_minimum for c in found.commodities)
    twice = margin_of({name: 2.0 * q for name, q in held.items()}, given_parameters)
    assert twice.maintenance == pytest.approx(2.0 * found.maintenance, rel=1e-9, abs=slack)
    backwards = replace(given_parameters, commodities=given_parameters.commodities[::-1])
    assert margin_of(dict(reversed(held.items())), backwards).maintenance == pytest.approx(found.maintenance, abs=slack)


@given(portfolios())
def test_options_bought_need_at_most_their_value(drawn):
    given_parameters, held = drawn
    assume(all(c.is_option_value for m in given_parameters.commodities for c in m.contracts if held.get(c.id)))
    bought = {name: abs(q) for name, q in held.items()}
    assert margin_of(bought, replace(given_parameters, inter_spreads=())).maintenance <= 1e-6


def test_nothing_held_asks_for_nothing_and_dust_for_dust():
    assert margin_of({}, parameters(AA, BB)).initial == 0.0
    assert margin_of({"near": 0.0}, parameters(AA, BB)).commodities == ()
    assert margin_of({"other": 1e-18}, parameters(AA, BB)).maintenance == pytest.approx(5e-16)


def test_many_commodities():
    many = tuple(Commodity(code=f"C{n}", contracts=(future(f"f{n}", 10.0),)) for n in range(128))
    assert margin_of({f"f{n}": -1.0 for n in range(128)}, parameters(*many)).maintenance == pytest.approx(1280.0)


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (lambda: option("o", (0.0,) * 15), InvalidInput),
        (lambda: option("o", (math.nan,) * 16), InvalidInput),
        (lambda: option("o", delta=math.inf), InvalidInput),
        (lambda: option("o", period="2026-06"), InvalidInput),
        (lambda: option("o", period="202613"), InvalidInput),
        (lambda: Tier(number=1, first="202609", last="202606"), InvalidInput),
        (lambda: IntraLeg(side="A"), InvalidInput),
        (lambda: IntraLeg(side="A", tier=1, period="202606"), InvalidInput),
        (lambda: IntraSpread(priority=1, charge=1.0, legs=(IntraLeg(side="A", tier=1),)), InvalidInput),
        (lambda: replace(RULES_AA, tiers=RULES_AA.tiers[:1]), UnknownName),
        (lambda: CommodityRules(initial_ratio=0.9), InvalidInput),
        (lambda: replace(CREDIT, rate=50.0), InvalidInput),
        (lambda: replace(CREDIT, rate_type="pmps"), InvalidInput),
        (lambda: parameters(AA, inter_spreads=(CREDIT,)), UnknownName),
        (lambda: parameters(AA, AA), DuplicateName),
        (lambda: parameters(AA, replace(BB, contracts=AA.contracts)), DuplicateName),
        (lambda: parameters(AA, mapping={"x": FileContract(contract="none")}), UnknownName),
        (lambda: parameters(points=STANDARD_POINTS[:15]), InvalidInput),
        (lambda: ScanRange(price=0.34, volatility=0.1), InvalidInput),  # three ranges are more than the price
        (lambda: ScanRange(price=0.1, volatility=1.0), InvalidInput),
        (lambda: ScanRange(price=0.1, volatility=0.1, delta_weights=(0.5, 0.5, 0.5, 0.5)), InvalidInput),
        (lambda: margin_of({"none": 1.0}, parameters(AA)), UnknownName),
        (lambda: margin_of({"near": math.nan}, parameters(AA)), InvalidInput),
    ],
)
def test_refusals(broken, error):
    with pytest.raises(error):
        broken()


def test_legs_that_share_a_month_on_one_side_are_refused():
    legs = (IntraLeg(side="A", tier=1), IntraLeg(side="A", period="202606"), IntraLeg(side="B", tier=2))
    rules = replace(RULES_AA, spreads=(IntraSpread(priority=1, charge=1.0, legs=legs),))
    with pytest.raises(InvalidInput, match="no other leg"):
        margin_of({"near": 1.0}, parameters(replace(AA, rules=rules)))


TERMS = (
    Future(id="F1", underlying="SPX", payout="linear", settle="USD", expiry=EXPIRY, multiplier=50.0),
    Future(id="F2", underlying="SPX", payout="linear", settle="USD", expiry=2 * EXPIRY - AS_OF_MS, multiplier=50.0),
    Option(id="C", underlying="SPX", payout="linear", settle="USD", expiry=EXPIRY, strike=5_200.0, right="call",
           multiplier=50.0, premium="upfront", discounted=False),
    Option(id="A", underlying="SPX", payout="linear", settle="USD", expiry=EXPIRY, strike=5_200.0, right="call",
           multiplier=50.0, exercise="american"),
    Perpetual(id="P", underlying="BTC", payout="linear", settle="USDC"),
    Spot(id="S", asset="BTC"),
    Forward(id="W", underlying="SPX", settle="USD", expiry=EXPIRY, strike=4_900.0, multiplier=50.0, discounted=False),
    Sensitivities(id="L", settle="USD", deltas=(Delta(factor="index:SPX", amount=5.0),), underlying="SPX"),
    *(Option(id=f"{right[0]}{strike}", underlying="SPX", payout="linear", settle="USD", expiry=EXPIRY,
             strike=float(strike), right=right, multiplier=50.0, discounted=False)
      for strike in (5_000, 5_500) for right in ("call", "put")),
)  # fmt: skip
RANGE = ScanRange(price=0.06, volatility=0.25, calendar=0.0175)


def world():
    spx = underlying("SPX", 5_000.0, surface=flat_surface(0.2))
    return build_snapshot(market(spx, underlying("BTC", 60_000.0, surface=flat_surface(0.5))))


def book(*held: tuple[str, float], collateral: float = 0.0, orders: tuple[tuple[str, float], ...] = ()):
    group = Group(
        id="g",
        mode="cross",
        positions=tuple(Position(instrument=name, quantity=q) for name, q in held),
        orders=tuple(Order(instrument=name, quantity=q) for name, q in orders),
    )
    account = Account(id="a", groups=(group,), collateral=(Holding(asset="USDC", amount=collateral),))
    return build_book(BookDocument(accounts=(account,), instruments=TERMS), now_ns=AS_OF_MS * 1_000_000)


def ask(*held: tuple[str, float], scan: ScanRange = RANGE, **more):
    return evaluate(book(*held, **more), world(), parameters(ranges={"SPX": scan}))


def test_a_future_asks_for_its_scan_range():
    found = ask(("F1", -2.0), collateral=1e5)
    assert found.initial_usd == found.maintenance_usd == pytest.approx(2 * 50 * 5_000 * 0.06)
    assert (found.worst_scenario, found.equity_usd, found.certainty) == ("SPX 11", 1e5, "approximate")
    assert len(found.scenarios) == 16


def test_a_calendar_asks_for_its_spread_alone():
    # Both months at 5,000: what one gains the other loses; a hundred deltas at 1.75 % of the later month.
    found = ask(("F1", 2.0), ("F2", -2.0))
    assert [t.name for t in found.terms] == ["spreads between months SPX"]
    assert found.maintenance_usd == pytest.approx(100 * 0.0175 * 5_000)


def test_a_box_has_no_scan_risk():
    # Worth 500 a point at expiry whatever happens, undiscounted: no point moves it, and all of it is option value.
    box = (("c5000", 1.0), ("c5500", -1.0), ("p5500", 1.0), ("p5000", -1.0))
    found = ask(*box)
    assert all(abs(s.pnl_usd) < 1e-6 for s in found.scenarios)
    sold = ask(*((name, -q) for name, q in box))
    assert sold.maintenance_usd == pytest.approx(50 * 500.0)
    assert found.maintenance_usd == 0.0


@given(st.floats(0.0, 0.3), st.floats(0.0, 0.3))
def test_futures_and_sold_options_ask_more_over_a_wider_range(one, other):
    low, high = (replace(RANGE, price=x) for x in sorted((one, other)))
    for held in ((("F1", 1.0),), (("C", -1.0),)):
        assert ask(*held, scan=low).maintenance_usd <= ask(*held, scan=high).maintenance_usd + 1e-6


def test_option_value_is_not_in_the_equity():
    found = ask(("C", -1.0), collateral=1e5)
    value = values_usd(book(("C", 1.0)).table, world())[0]
    terms = {t.name: t.maintenance for t in found.terms}
    assert terms["net option value SPX"] == pytest.approx(value)
    assert found.maintenance_usd == pytest.approx(terms["scan SPX"] + value)
    assert found.equity_usd == 1e5
    assert ask(("C", 3.0)).initial_usd == 0.0


def test_terms_add_up():
    scan = replace(RANGE, short_minimum=400.0, rules=CommodityRules(initial_ratio=1.1))
    found = ask(("F1", 1.0), ("F2", -3.0), ("C", -2.0), ("p5500", 4.0), scan=scan)
    assert math.fsum(t.maintenance for t in found.terms) == pytest.approx(found.maintenance_usd)
    assert math.fsum(t.initial for t in found.terms) == pytest.approx(found.initial_usd)


def test_instruments_of_a_book_are_contracts_of_the_file():
    given_parameters = parameters(
        AA, mapping={"P": FileContract(contract="near", contracts=0.5)}, ranges={"SPX": RANGE}
    )
    found = evaluate(book(("P", 4.0), ("S", 1.0)), world(), given_parameters)
    # Two contracts: 2,400, and 60 for outright deltas in delivery; the coin held is collateral.
    assert found.maintenance_usd == pytest.approx(2400.0 + 60.0)
    assert found.equity_usd == pytest.approx(60_000.0)


def test_a_forward_is_worth_its_gain_and_a_ladder_is_refused():
    found = ask(("W", 1.0), ("L", 1.0), collateral=1e3)
    assert found.maintenance_usd == pytest.approx(50 * 5_000 * 0.06)
    assert found.equity_usd == pytest.approx(1e3 + 50 * 100.0)
    assert found.refused == ("L",)


def test_what_is_in_neither_is_refused_by_name():
    found = ask(("P", 1.0), ("F1", 1.0), orders=(("F1", 5.0),))
    assert found.refused == ("P", "order F1")
    assert found.maintenance_usd == pytest.approx(50 * 5_000 * 0.06)


def test_points_of_volatility_are_for_european_options():
    absolute = replace(RANGE, volatility=0.05, volatility_unit="absolute")
    same = replace(RANGE, volatility=0.25)  # five points of twenty
    assert ask(("C", -1.0), scan=absolute).maintenance_usd == pytest.approx(ask(("C", -1.0), scan=same).maintenance_usd)
    with pytest.raises(InvalidInput, match="European"):
        ask(("A", -1.0), scan=absolute)
    assert ask(("A", -1.0)).maintenance_usd > 0.0


def test_absolute_price_ranges_are_in_the_quote_currency():
    found = ask(("F1", 1.0), scan=replace(RANGE, price=300.0, price_unit="absolute"))
    assert found.maintenance_usd == pytest.approx(50 * 300.0)
    with pytest.raises(InvalidInput, match="above zero"):
        ask(("F1", 1.0), scan=replace(RANGE, price=2_000.0, price_unit="absolute"))


def test_missing_market_and_wrong_mapping():
    priced = parameters(replace(AA, currency="EUR"), mapping={"P": FileContract(contract="near")})
    with pytest.raises(MissingFactors, match="EUR"):
        evaluate(book(("P", 1.0)), world(), priced)
    with pytest.raises(InvalidInput, match="collateral"):
        evaluate(book(("S", 1.0)), world(), parameters(AA, mapping={"S": FileContract(contract="near")}))


def test_parameters_load_from_a_file_of_the_users():
    assert RULEBOOK.dates() == ()
    text = b"""
source = "desk table"
date = "2026-03-31"
[ranges.SPX]
price = 0.06
volatility = 0.25
calendar = 0.0175
"""
    assert decode(text, SpanParameters, syntax="toml", where="t").ranges == {"SPX": RANGE}
