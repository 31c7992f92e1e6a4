"""Paradex, portfolio and cross margin: sums by hand, what must hold of all holdings, and hostile ones."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.margin.rulebooks.paradex import cross
from crossmargin.margin.rulebooks.paradex.portfolio import (
    RULEBOOK,
    CoinRates,
    FundedUnit,
    UnitMargin,
    WeightedMove,
    margin_of,
    unit_margin,
)
from crossmargin.margin.rulebooks.scanning import RiskUnit
from tests.margin.rulebooks.accounts import account, ask
from tests.margin.rulebooks.portfolio_units import funded_units, scale_of
from tests.margin.rulebooks.scan_units import call, perpetual

RULES = RULEBOOK.load("2026-11-01")
BTC = RULES.coins["BTC"]
FREE = msgspec.structs.replace(BTC, fee=0.0)
CROSS = cross.RULEBOOK.load("2026-04-22")
replace = msgspec.structs.replace


def held(*legs, index: float = 100.0, funding: float = 0.0) -> FundedUnit:
    linear = tuple(leg for leg in legs if hasattr(leg, "kind"))
    unit = RiskUnit(coin="BTC", index=index, linear=linear, options=tuple(x for x in legs if x not in linear))
    return FundedUnit(unit=unit, funding=funding)


def asked(*legs, rates: CoinRates = FREE, **more) -> UnitMargin:
    return unit_margin(held(*legs, **more), {"BTC": rates})


def test_a_lone_perpetual_by_hand():
    found = asked(perpetual(price=100_000.0), index=100_000.0)
    # 16 % of a full move, 24 % of −66 % is 15.84 %, 48 % of −33 % as much: the regular move is worst.
    assert found.scan == pytest.approx(16_000.0)
    assert found.min_delta == pytest.approx(2_000.0)
    assert found.maintenance == pytest.approx(8_000.0)
    assert found.initial == pytest.approx(16_000.0)
    assert found.worst == "spot -16% vol +40%"
    assert len(found.scenarios) == 24
    # Short: 32 % of +50 %, 16 % of +100 %, … 3.2 % of +500 % all lose 16 %.
    short = asked(perpetual(price=100_000.0, quantity=-1.0), index=100_000.0)
    assert short.scan == pytest.approx(16_000.0)


def test_tails_bind_for_options_sold():
    found = asked(call(strike=150.0, days=7.0, quantity=-1.0))
    # +500 % costs 450, of which 3.2 % count: 14.4; +300 % 250·5.33 % = 13.325; +100 % 50·16 % = 8.
    assert found.scan == pytest.approx(14.4, rel=1e-3)
    assert found.worst == "spot +500% vol +40%"


def test_volatility_moves_by_hand():
    option = call(days=7.0, volatility=0.5, quantity=-1.0)
    rates = replace(FREE, scenarios=(WeightedMove(spot=0.0, vol=0.4),))
    # vol' = 0.5·(1 + 0.4·(30/7)^0.3): the loss is what the option is worth at it beyond now.
    vol = 0.5 * (1.0 + 0.4 * (30.0 / 7.0) ** 0.3)
    higher = replace(option, volatility=vol)
    worth = [
        asked(x, rates=replace(FREE, scenarios=(WeightedMove(spot=-0.99, vol=0.0),))).scan for x in (option, higher)
    ]
    assert worth == [0.0, 0.0]
    found = asked(option, rates=rates).scan
    root = math.sqrt(7.0 / 365.0)
    at_the_money = [100.0 * math.erf(v * root / 2.0 / math.sqrt(2.0)) for v in (0.5, vol)]
    assert found == pytest.approx(at_the_money[1] - at_the_money[0], rel=1e-9)
    # A quiet option is lifted to 40 %.
    quiet = asked(replace(option, volatility=0.05), rates=rates).scan
    lifted = [100.0 * math.erf(v * root / 2.0 / math.sqrt(2.0)) for v in (0.05, 0.4)]
    assert quiet == pytest.approx(lifted[1] - lifted[0], rel=1e-9)


def test_min_delta_of_a_hedged_book():
    hedged = (perpetual(instrument="a", quantity=3.0), perpetual(instrument="b", quantity=-2.0))
    # Net 1 at 2 %, hedged 2 at 1 %, of 100.
    assert asked(*hedged).min_delta == pytest.approx(2.0 + 2.0)
    flat = (perpetual(instrument="a", quantity=3.0), perpetual(instrument="b", quantity=-3.0))
    assert asked(*flat).scan == pytest.approx(0.0, abs=1e-12)
    assert asked(*flat).initial == pytest.approx(3.0)
    # Orders: 3 long and 2 short held, 4 to sell. Long 3, short 2 + 4: at most 3 unhedged, 3 hedged.
    waiting = (hedged[0], replace(hedged[1], sells=4.0))
    assert asked(*waiting).order_min_delta == pytest.approx(6.0 + 3.0)


def test_provisions_by_hand():
    paid = asked(perpetual(quantity=2.0), rates=BTC, funding=0.001)
    # A long pays 0.1 % of 200; 0.05 % of 200 to close.
    assert (paid.funding, paid.fees) == (pytest.approx(0.2), pytest.approx(0.1))
    assert paid.maintenance == pytest.approx(0.5 * 32.0 + 0.3)
    assert asked(perpetual(quantity=-2.0), funding=0.001).funding == 0.0
    assert asked(perpetual(quantity=-2.0, buys=3.0), funding=0.001).order_funding == pytest.approx(0.1)
    # An option far out pays at most an eighth of its mark.
    far = asked(call(strike=200.0, days=7.0), rates=BTC)
    assert far.fees < 1e-6
    assert asked(call(strike=100.0), rates=BTC).fees == pytest.approx(0.05)


def test_options_fade_in_the_settlement_window():
    minute = 1.0 / 1_440.0
    whole, half = (asked(call(strike=50.0, days=m * minute, quantity=-1.0)).scan for m in (30.0, 15.0))
    assert half == pytest.approx(0.5 * whole, rel=1e-6)
    assert asked(call(strike=50.0, days=0.0, quantity=-1.0)).scan == 0.0


@given(one=funded_units("BTC"), k=st.floats(1.0, 3.0))
@settings(max_examples=40)
def test_more_stress_never_asks_for_less(one, k):
    near = 1e-9 * scale_of(one.unit)
    base = unit_margin(one, {"BTC": BTC})
    assert base.initial >= base.maintenance - near
    for name in ("unhedged", "hedged", "fee", "option_fee_cap"):
        high = unit_margin(one, {"BTC": replace(BTC, **{name: getattr(BTC, name) * k})})
        assert high.initial >= base.initial - near, name
        assert high.maintenance >= base.maintenance - near, name
    heavier = tuple(replace(s, weight=s.weight * k) for s in BTC.scenarios)
    high = unit_margin(one, {"BTC": replace(BTC, scenarios=heavier)})
    assert high.initial >= base.initial - near


@given(one=funded_units("BTC"))
@settings(max_examples=30)
def test_holdings_together_never_ask_for_more(one):
    """Sub-additive: scan and provisions are worst cases and sums; min delta moves delta from 2 % to 1 %."""
    unit = replace(
        one.unit,
        linear=tuple(replace(x, buys=0.0, sells=0.0) for x in one.unit.linear),
        options=tuple(replace(x, buys=0.0, sells=0.0) for x in one.unit.options),
    )
    parts = [replace(unit, linear=(x,), options=()) for x in unit.linear]
    parts += [replace(unit, linear=(), options=(x,)) for x in unit.options]
    alone = [unit_margin(replace(one, unit=part), {"BTC": BTC}) for part in parts]
    whole = unit_margin(replace(one, unit=unit), {"BTC": BTC})
    near = 1e-9 * scale_of(unit)
    assert whole.initial <= sum(x.initial for x in alone) + near
    assert whole.maintenance <= sum(x.maintenance for x in alone) + near


def test_nothing_held_asks_for_nothing():
    found = asked(perpetual(quantity=0.0), call(quantity=0.0), rates=BTC)
    assert (found.initial, found.maintenance, found.worst) == (0.0, 0.0, "")
    assert margin_of((), {}).initial == 0.0


@pytest.mark.parametrize("quantity", [1e-18, -1e-18, 1e15])
def test_one_wei_and_the_largest_size(quantity):
    side = math.copysign(1.0, quantity)
    one, unit = (asked(perpetual(quantity=q), call(quantity=q), rates=BTC) for q in (quantity, side))
    assert one.initial == pytest.approx(abs(quantity) * unit.initial, rel=1e-9)


def test_one_hundred_and_twenty_eight_assets():
    legs = [call(instrument=f"o{n}", strike=50.0 + n, days=1.0 + n, quantity=(-1.0) ** n) for n in range(128)]
    found = asked(*legs)
    assert found.scan <= sum(asked(leg).scan for leg in legs)


def test_parameters_at_both_bounds():
    none = CoinRates(scenarios=(), tenor=BTC.tenor, unhedged=0.0, hedged=0.0, fee=0.0, maintenance_factor=0.0)
    assert asked(perpetual(), call(quantity=-1.0), rates=none).initial == 0.0
    names = ("unhedged", "hedged", "fee", "maintenance_factor")
    most = replace(none, **dict.fromkeys(names, 1.0), settlement_minutes=1_440.0)
    found = asked(perpetual(), rates=most)
    assert found.initial == found.maintenance == pytest.approx(200.0)


def test_what_is_refused():
    with pytest.raises(UnknownName, match="base asset"):
        unit_margin(held(perpetual()), {})
    for leg in (perpetual(kind="future", days=3.0), perpetual(inverse=True), call(inverse=True)):
        with pytest.raises(InvalidInput, match="contract"):
            held(leg)
    with pytest.raises(InvalidInput, match="funding"):
        held(perpetual(), funding=math.nan)
    with pytest.raises(InvalidInput, match="spot move"):
        WeightedMove(spot=-1.0, vol=0.0)


def test_a_book():
    book = account(("BTC-P.V", 1), ("BTC-F.V", 1), ("SOL-P.V", 10), collateral={"USDC": 1_000, "BTC": 1, "ETH": -1})
    answer = ask(RULEBOOK, book)
    # BTC 16 % and 0.05 % of 100,000; SOL 32 % and 0.05 % of 2,000; no funding in this market.
    assert answer.initial_usd == pytest.approx(16_000 + 50 + 640 + 1)
    assert answer.maintenance_usd == pytest.approx(8_000 + 50 + 320 + 1)
    assert answer.equity_usd == pytest.approx(1_000 - 4_000)
    assert answer.refused == ("BTC-F.V", "collateral BTC")
    assert answer.worst_scenario == "BTC: spot -16% vol +40%"
    assert {t.name: t.certainty for t in answer.terms}["BTC scan"] == "exact"


def test_inverse_contracts_are_read_as_linear():
    answer = ask(RULEBOOK, account(("BTC-I.V", -100_000)))
    assert answer.initial_usd == pytest.approx(16_000 + 50, rel=1e-6)
    assert any("inverse" in note for note in answer.notes)


def test_the_weights_of_each_date():
    early, late = (RULEBOOK.load(date).coins["BTC"] for date in RULEBOOK.dates())
    short = perpetual(quantity=-1.0)
    # +50 % at 24 % and at 32 %: within, and at, the 16 % of the largest regular move.
    assert asked(short, rates=early).scan == pytest.approx(16.0)
    assert asked(short, rates=late).scan == pytest.approx(16.0)
    wing = call(strike=150.0, days=7.0, quantity=-1.0)
    # +500 % costs 450: 2.4 % of it, then 3.2 %.
    assert asked(wing, rates=early).scan == pytest.approx(10.8, rel=1e-3)
    assert asked(wing, rates=late).scan == pytest.approx(14.4, rel=1e-3)


def test_cross_margin_of_perpetuals_by_hand():
    # 2 % of 100,000 on max(|1 + 2|, |1 − 5|) = 4 coins; half of that on the coin held.
    perp = cross.Perpetual(coin="BTC", mark=100_000.0, quantity=1.0, buys=2.0, sells=5.0)
    assert cross.perpetual_margin(perp, CROSS) == pytest.approx((8_000.0, 1_000.0))
    # 0.05 % of 400,000 and of 100,000.
    assert cross.margin_of(cross.Portfolio(perpetuals=(perp,)), CROSS) == pytest.approx((8_200.0, 1_050.0))
    with pytest.raises(UnknownName, match="perpetual"):
        cross.perpetual_margin(replace(perp, coin="XYZ"), CROSS)


def test_the_published_account():
    # Source: paradex-py, tests of its margin library (2026): an account of 2026-04-22 for which the venue reported
    # 3.2504 initial and 1.6339 maintenance, fees of less than 0.02 among them, which are not printed.
    perp = cross.Perpetual(coin="BTC", mark=77_888.84, quantity=-0.0005)
    option = cross.Option(coin="BTC", right="call", strike=78_000.0, spot=77_939.768, mark=2_455.661, quantity=0.001)
    account_held = cross.Portfolio(perpetuals=(perp,), options=(option,))
    found = cross.margin_of(account_held, replace(CROSS, fee=0.0))
    # 0.0005·77,888.84·2 % + 2.455661, half of each.
    assert found == pytest.approx((0.7788884 + 2.455661, 0.3894442 + 1.2278305))
    assert found == pytest.approx((3.2504, 1.6339), abs=0.02)


def test_cross_orders_count_for_initial_margin_only():
    # The same source: 1 short, 3 to buy, 2 to sell at 90,000: 3 coins open, 2 % and 0.03 %; 1 held, 1 % and 0.03 %.
    perp = cross.Perpetual(coin="BTC", mark=90_000.0, quantity=-1.0, buys=3.0, sells=2.0)
    found = cross.margin_of(cross.Portfolio(perpetuals=(perp,)), replace(CROSS, fee=0.0003))
    assert found == pytest.approx((5_400.0 + 81.0, 927.0))


FIRST_PAGE = CROSS.dated_options.initial


@pytest.mark.parametrize(
    ("option", "rates", "wanted"),
    [
        # Long, out of the money: its mark. Long, deep in the money: 20 % of spot.
        ({"mark": 2_455.661, "spot": 77_939.768, "strike": 78_000.0, "quantity": 0.001}, FIRST_PAGE, 2.455661),
        ({"mark": 20_000.0, "spot": 95_000.0, "strike": 50_000.0, "quantity": 0.01}, FIRST_PAGE, 190.0),
        # Short call 5 % out: 15 % less 5 % of 100,000. Far out: 10 %.
        ({"mark": 0.0, "spot": 1e5, "strike": 1.05e5, "quantity": -1.0}, FIRST_PAGE, 10_000.0),
        ({"mark": 0.0, "spot": 1e5, "strike": 1.02e5, "quantity": -1.0}, FIRST_PAGE, 13_000.0),
        ({"mark": 0.0, "spot": 1e5, "strike": 2e5, "quantity": -1.0}, FIRST_PAGE, 10_000.0),
        # A short put at a tiny strike: half of the strike.
        ({"right": "put", "mark": 0.0, "spot": 1e5, "strike": 1e4, "quantity": -1.0}, FIRST_PAGE, 5_000.0),
        # Perpetual ones at half of the rates: 7.5 % less 2 %; maintenance 3.75 % less 2 %, at least 2.5 %.
        ({"mark": 0.0, "spot": 1e5, "strike": 1.02e5, "quantity": -1.0}, CROSS.perpetual_options.initial, 5_500.0),
        ({"mark": 0.0, "spot": 1e5, "strike": 1.02e5, "quantity": -1.0}, CROSS.perpetual_options.maintenance, 2_500.0),
    ],
)
def test_options_in_cross_margin_by_hand(option, rates, wanted):
    held_option = cross.Option(**({"coin": "BTC", "right": "call"} | option))
    assert cross.option_margin(held_option, rates) == pytest.approx(wanted)


def test_kinds_of_options_and_their_orders():
    base = {"coin": "BTC", "right": "call", "strike": 1.02e5, "spot": 1e5, "mark": 2_000.0}
    waiting = {
        perpetual: cross.Option(**base, quantity=1.0, sells=3.0, perpetual=perpetual) for perpetual in (False, True)
    }
    # Two short after all is sold: 13,000 and 5,500 each; one long held: half of its mark of 2,000.
    assert cross.option_margins(waiting[False], CROSS) == pytest.approx((26_000.0, 1_000.0))
    assert cross.option_margins(waiting[True], CROSS) == pytest.approx((11_000.0, 1_000.0))
    # The fee is 50, below an eighth of the mark, on two coins open and on the one held.
    assert cross.option_fees(waiting[False], CROSS) == pytest.approx((100.0, 50.0))


def test_a_book_in_cross_margin():
    book = account(("BTC-P.V", 1), ("SOL-P.V", 10), ("BTC-C.V", -1), ("BTC-F.V", 1), collateral={"USDC": 10})
    answer = ask(cross.RULEBOOK, book)
    terms = {term.name: (term.initial, term.maintenance) for term in answer.terms}
    # 2 % of 100,000; 10 % of 2,000; the call is 10 % out: at least 10 % of 100,000. Fees 0.05 % of all three.
    assert terms == {
        "BTC-P.V": pytest.approx((2_000.0, 1_000.0)),
        "SOL-P.V": pytest.approx((200.0, 100.0)),
        "BTC-C.V": pytest.approx((10_000.0, 5_000.0)),
        "fee provision": pytest.approx((101.0, 101.0)),
    }
    assert answer.refused == ("BTC-F.V",)
    assert answer.equity_usd < 10.0  # what the call sold is worth
    assert {t.certainty for t in answer.terms} == {"exact", "approximate", "unknown"}
    none = replace(CROSS, option_coins=())
    assert ask(cross.RULEBOOK, book, none).refused == ("BTC-F.V", "BTC-C.V")
    with pytest.raises(UnknownName, match="options without a perpetual"):
        replace(CROSS, option_coins=("XYZ",))
