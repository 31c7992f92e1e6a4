"""OKX portfolio margin: a published answer, sums by hand, what must hold of all holdings, and hostile ones."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.margin.rulebooks.okx_pm.account import RULEBOOK
from crossmargin.margin.rulebooks.okx_pm.parameters import MoveClass, PegRow
from crossmargin.margin.rulebooks.okx_pm.stress import (
    Portfolio,
    UnitMargin,
    hedge_charge,
    margin_of,
    requirement,
    unit_margin,
)
from crossmargin.margin.rulebooks.scanning import RiskUnit
from crossmargin.margin.rulebooks.spreads import QuotedUnit, Tier, tiered
from tests.margin.rulebooks.accounts import account, ask
from tests.margin.rulebooks.portfolio_units import quoted_units, scale_of
from tests.margin.rulebooks.scan_units import call, perpetual

RULES = {date: RULEBOOK.load(date) for date in RULEBOOK.dates()}
NOW = RULES["2025-01-15"]
PEGS = {"USDT": 1.0, "USDC": 1.0}
replace = msgspec.structs.replace


def held(*legs, coin: str = "BTC", index: float = 100.0, quote: str = "USDT") -> QuotedUnit:
    linear = tuple(leg for leg in legs if hasattr(leg, "kind"))
    unit = RiskUnit(coin=coin, index=index, linear=linear, options=tuple(x for x in legs if x not in linear))
    return QuotedUnit(unit=unit, quotes={leg.instrument: quote for leg in legs})


def asked(*legs, rules=NOW, **more) -> UnitMargin:
    return unit_margin(held(*legs, **more), rules, PEGS)


def test_the_published_example():
    # Source: OKX API documentation, position builder, response example of 2025-01-15 (ts 1736936801642): short 0.1 BTC,
    # long 10 LTC in USDT perpetuals, a debt of 78,553 USDT. Its marks are of several instants: 1e-3.
    bitcoin = held(perpetual(price=97_043.0, quantity=-0.1), index=97_043.0)
    litecoin = held(perpetual(price=101.95, quantity=10.0), coin="LTC", index=101.95)
    portfolio = Portfolio(units=(bitcoin, litecoin), debts={"USDT": 78_553.2188898}, stablecoins=PEGS)
    found = margin_of(portfolio, RULES["2025-01-06"])
    wanted = (
        {"MR1": 1_164.41, "MR4": 19.41, "MR6": 1_164.41, "MR7": 43.672},
        {"MR1": 183.507, "MR4": 8.156, "MR6": 183.507, "MR7": 7.1367},
    )
    for unit, terms in zip(found.units, wanted, strict=True):
        assert {name: unit.terms[name] for name in terms} == pytest.approx(terms, rel=1e-3)
        assert all(unit.terms[name] == 0.0 for name in ("MR2", "MR3", "MR5", "MR9"))
    assert [unit.maintenance for unit in found.units] == pytest.approx([1_183.82, 191.663], rel=1e-3)
    assert found.loans["USDT"] == pytest.approx((7_855.32188898, 1_571.064377796), rel=1e-12)
    assert found.maintenance == pytest.approx(2_946.548, rel=1e-3)
    assert found.initial == pytest.approx(9_643.45, rel=1e-3)


def test_a_lone_perpetual_by_hand():
    found = asked(perpetual(price=100_000.0, quantity=2.0), index=100_000.0)
    # MR1 12 % of 200,000; MR6 half of 24 %; MR4 0.2 %; MR7 0.45 %, all in the first tier.
    assert found.terms["MR1"] == pytest.approx(24_000.0)
    assert found.terms["MR6"] == pytest.approx(24_000.0)
    assert found.terms["MR4"] == pytest.approx(400.0)
    assert found.terms["MR7"] == pytest.approx(900.0)
    assert found.maintenance == pytest.approx(24_400.0)
    assert found.initial == pytest.approx(1.3 * 24_400.0)


@pytest.mark.parametrize(
    ("date", "coin", "first", "extreme"),
    [
        ("2024-12-30", "BTC", 0.15, 0.15),  # 30 % halved
        ("2025-01-06", "BTC", 0.12, 0.12),
        ("2024-12-30", "SOL", 0.25, 0.2),
        ("2025-01-06", "SOL", 0.25, 0.18),
        ("2024-12-30", "LTC", 0.2, 0.2),
        ("2025-01-15", "DOT", 0.18, 0.25),
    ],
)
def test_moves_of_each_date(date, coin, first, extreme):
    found = asked(perpetual(), coin=coin, rules=RULES[date])
    assert found.terms["MR1"] == pytest.approx(100.0 * first)
    assert found.terms["MR6"] == pytest.approx(100.0 * extreme)


def test_tiers_act_on_the_increment():
    tiers = RULES["2025-01-06"].risk_of("BTC").tiers
    # 10,000 · 1 + 60,000 · 2 + 100,000 · 4 + 30,000 · 6 = 710,000
    assert tiered(200_000.0, tiers) == pytest.approx(710_000.0)
    assert tiered(10_000.0, tiers) == 10_000.0
    # A book hedged to nothing is left with the charge: two legs of 100 m, 0.45 % each, 900,000 raw.
    hedged = (perpetual(instrument="a", quantity=1e6), perpetual(instrument="b", quantity=-1e6))
    found = asked(*hedged, rules=RULES["2025-01-06"])
    # 10k·1 + 60k·2 + 100k·4 + 130k·6 + 170k·8 + 230k·10 + 200k·12
    assert found.terms["MR7"] == pytest.approx(7_370_000.0)
    assert found.maintenance == pytest.approx(7_370_000.0)


def test_basis_over_expiries_by_hand():
    near = perpetual(instrument="n", kind="future", days=73.0, quantity=10.0)
    far = perpetual(instrument="f", kind="future", days=365.0, quantity=-10.0)
    # 1,000·max(5 %·0.2, 0.2 %) + 1,000·5 % of a year: nothing is offset along the curve.
    assert asked(near, far).terms["MR4"] == pytest.approx(10.0 + 50.0)


def test_extreme_moves_bind_for_convex_books_only():
    short = call(strike=120.0, days=7.0, quantity=-10.0)
    found = asked(short)
    assert found.terms["MR6"] != pytest.approx(found.terms["MR1"])
    wings = asked(call(strike=122.0, days=0.01, volatility=0.3, quantity=-1.0))
    # At 24 % the call is worth 2, which is halved; within 12 % it is worth nothing.
    assert wings.terms["MR6"] == pytest.approx(1.0, rel=1e-6)
    assert wings.terms["MR1"] == pytest.approx(0.0, abs=1e-9)


def test_decay_is_a_day_of_time_value():
    before, after = call(days=10.0), call(days=9.0)
    found = asked(before)
    worth = [asked(x, rules=replace(NOW, decay_days=300.0)).terms["MR2"] for x in (before, after)]
    assert found.terms["MR2"] == pytest.approx(worth[0] - worth[1], rel=1e-9)
    assert asked(replace(before, quantity=-1.0)).terms["MR2"] == 0.0


def test_expiries_apart():
    near, far = call(instrument="n", days=30.0), call(instrument="f", days=60.0, quantity=-1.0)
    alone = [asked(near).terms["MR3"], asked(far).terms["MR3"]]
    assert alone == [0.0, 0.0]
    assert asked(near, far).terms["MR3"] > 0.0
    assert asked(near, far, rules=replace(NOW, vega_share=0.0)).terms["MR3"] == 0.0


def test_stablecoin_hedges_are_matched_in_order():
    rows = NOW.pegs
    # USDT 3 m long against USD 1 m short first: 1 m at 0.5 %. The rest against USDC: 1 m at 0.5 % and 1 m at 1.75 %.
    cash = {"USDT": 3e6, "USD": -1e6, "USDC": -2e6}
    assert hedge_charge(cash, rows, PEGS) == pytest.approx(5_000.0 + 5_000.0 + 17_500.0)
    # All on one side: nothing is matched.
    assert hedge_charge({"USDT": 3e6, "USD": 1e6, "USDC": 2e6}, rows, {}) == 0.0
    # At a peg of 0.8 or less 40 %, whichever of the two has lost its peg.
    assert hedge_charge({"USDT": 1e6, "USD": -1e6, "USDC": 0.0}, rows, {"USDT": 0.8}) == pytest.approx(400_000.0)
    assert hedge_charge({"USDT": 1e6, "USD": -1e6, "USDC": 0.0}, rows, {"USDT": 1.25}) == pytest.approx(400_000.0)


def test_a_matched_stablecoin_needs_a_price():
    both = (perpetual(instrument="t"), perpetual(instrument="c", quantity=-1.0))
    unit = RiskUnit(coin="BTC", index=100.0, linear=both)
    quoted = QuotedUnit(unit=unit, quotes={"t": "USDT", "c": "USDC"})
    with pytest.raises(MissingFactors, match="peg:USDT"):
        margin_of(Portfolio(units=(quoted,)), NOW)


@given(one=quoted_units("BTC"))
@settings(max_examples=40)
def test_initial_is_never_below_maintenance(one):
    found = unit_margin(one, NOW, PEGS)
    assert found.initial >= 1.3 * found.maintenance - 1e-9 * scale_of(one.unit)
    assert found.maintenance >= 0.0
    assert all(x >= 0.0 for x in found.terms.values())
    assert len(found.scenarios) == 24


WIDER = {
    "extreme": lambda rules, k: _risk(rules, extreme=0.24 * k),
    "basis_annual": lambda rules, k: _risk(rules, basis_annual=0.05 * k),
    "basis_floor": lambda rules, k: _risk(rules, basis_floor=0.002 * k),
    "reduction": lambda rules, k: _risk(rules, reduction=0.0045 * k),
    "rate_shock": lambda rules, k: replace(rules, rate_shock=0.05 * k),
    "vega_share": lambda rules, k: replace(rules, vega_share=0.25 * k),
    "initial_factor": lambda rules, k: replace(rules, initial_factor=1.0 * k),
    "extreme_factor": lambda rules, k: replace(rules, extreme_factor=0.25 * k),
}
LINEAR_ONLY = {"extreme"}  # A wider move may pass over a trough in between: with options only its factor is monotone.


def _risk(rules, **more):
    return replace(rules, risks=rules.risks | {"major": replace(rules.risks["major"], **more)})


@pytest.mark.parametrize("name", WIDER)
@given(one=quoted_units("BTC"), k=st.floats(1.0, 4.0))
@settings(max_examples=25)
def test_more_stress_never_asks_for_less(name, one, k):
    if name in LINEAR_ONLY:
        one = replace(one, unit=replace(one.unit, options=()))
    low, high = (unit_margin(one, WIDER[name](NOW, factor), PEGS) for factor in (1.0, k))
    near = 1e-9 * scale_of(one.unit)
    assert high.maintenance >= low.maintenance - near
    assert high.initial >= low.initial - near


@given(one=quoted_units("BTC"))
@settings(max_examples=30)
def test_scenario_terms_are_sub_additive(one):
    """MR1, MR2, MR4, MR5 and MR6 of a book are at most those of its legs alone, summed."""
    whole = unit_margin(one, NOW, PEGS).terms
    alone = [unit_margin(_only(one, n), NOW, PEGS).terms for n in range(len(one.unit.legs))]
    for name in ("MR1", "MR2", "MR4", "MR5", "MR6"):
        assert whole[name] <= sum(x[name] for x in alone) + 1e-9 * scale_of(one.unit)


def _only(one: QuotedUnit, at: int) -> QuotedUnit:
    linear, count = one.unit.linear, len(one.unit.linear)
    unit = replace(one.unit, linear=linear[at : at + 1], options=one.unit.options[max(at - count, 0) :][: at >= count])
    return replace(one, unit=unit)


def test_the_minimum_charge_is_not_sub_additive():
    """Marginal tiers make two accounts cheaper than one: each starts in the first tier."""
    rules = RULES["2025-01-06"]
    parts = [(perpetual(instrument=n, quantity=2e5), perpetual(instrument=n, quantity=-2e5)) for n in "ab"]
    both = asked(*parts[0], *(replace(leg, instrument="b") for leg in parts[1]), rules=rules).maintenance
    assert both > sum(asked(*part, rules=rules).maintenance for part in parts)


def test_expiries_apart_are_not_sub_additive():
    """Two expiries alone have no vega to come apart; together they do."""
    near, far = call(instrument="n", days=30.0), call(instrument="f", days=60.0, quantity=-1.0)
    assert asked(near, far).terms["MR3"] > asked(near).terms["MR3"] + asked(far).terms["MR3"]


def test_nothing_held_asks_for_nothing():
    found = asked(perpetual(quantity=0.0), call(quantity=-0.0))
    assert (found.initial, found.maintenance, found.worst) == (0.0, 0.0, "")
    assert asked().maintenance == 0.0
    assert margin_of(Portfolio(), NOW).initial == 0.0


@pytest.mark.parametrize("quantity", [1e-18, -1e-18, 1e15])
def test_one_wei_and_the_largest_size(quantity):
    found = asked(perpetual(quantity=quantity), call(quantity=quantity))
    assert math.isfinite(found.initial)
    assert 0.0 < found.maintenance < 1e3 * abs(quantity) + 1e19 * (abs(quantity) > 1.0)
    assert found.terms["MR4"] == pytest.approx(abs(quantity) * (0.2 + _call_basis()), rel=1e-9)


def _call_basis() -> float:
    return asked(call()).terms["MR4"]


def test_expiry_within_hours():
    found = asked(call(strike=95.0, days=2.0 / 24.0, quantity=-1.0))
    # Only what is left decays; a rise by 12 % costs about 12.
    assert found.terms["MR1"] == pytest.approx(12.0, abs=0.2)
    assert found.terms["MR2"] == 0.0
    gone = asked(call(strike=95.0, days=0.0, quantity=-1.0))
    assert gone.terms["MR1"] == pytest.approx(12.0)


def test_one_hundred_and_twenty_eight_assets():
    legs = [call(instrument=f"o{n}", strike=50.0 + n, days=1.0 + n, quantity=(-1.0) ** n) for n in range(128)]
    found = asked(*legs)
    assert len(found.scenarios) == 24
    assert found.maintenance <= sum(asked(leg).maintenance for leg in legs) + found.terms["MR3"]


@pytest.mark.parametrize("bound", [0.0, 1.0])
def test_parameters_at_both_bounds(bound):
    rules = _risk(NOW, extreme=min(bound, 0.999), basis_annual=bound, basis_floor=bound, reduction=bound)
    rules = replace(rules, vega_share=bound, rate_shock=bound, extreme_factor=bound, initial_factor=1.0)
    found = asked(perpetual(), call(quantity=-1.0), rules=rules)
    if bound == 0.0:
        assert found.maintenance == max(found.terms["MR1"], found.terms["MR2"])
    else:
        # A rise by 99.9 %: the perpetual gains it all, the call at the money costs nearly as much; a fall loses 99.9.
        assert found.terms["MR6"] == pytest.approx(99.9, abs=15.0)
        assert found.terms["MR4"] == pytest.approx(100.0 + asked(call(), rules=rules).terms["MR4"])


def test_what_is_refused():
    with pytest.raises(UnknownName, match="coin"):
        asked(perpetual(), coin="NOTACOIN")
    with pytest.raises(UnknownName, match="quote currency"):
        QuotedUnit(unit=RiskUnit(coin="BTC", index=1.0, linear=(perpetual(),)))
    with pytest.raises(InvalidInput, match="price step"):
        MoveClass(coins=("A",), steps=(0.1, 0.05))
    with pytest.raises(InvalidInput, match="tiers"):
        PegRow(peg_min=0.9, tiers=(Tier(cap=1.0, factor=1.0),))
    with pytest.raises(InvalidInput, match="date"):
        RULEBOOK.load("2024-06-01")
    with pytest.raises(InvalidInput, match="debt in USDT"):
        Portfolio(debts={"USDT": math.nan})


def test_a_book_with_spot_in_use_and_a_loan():
    book = account(("BTC-P.V", -1), ("SOL-P.V", 10), collateral={"BTC": 0.4, "USDC": 1_000, "ETH": -1, "SOL": 5})
    answer = ask(RULEBOOK, book)
    # BTC: 12 % of the 60,000 left, 0.2 % of the 100,000 short; SOL: 25 % and 0.8 % of 2,000; ETH: 4,000 owed.
    assert answer.maintenance_usd == pytest.approx(7_200 + 200 + 500 + 16 + 200)
    assert answer.initial_usd == pytest.approx(1.3 * (7_200 + 200 + 500 + 16) + 800)
    # 0.4 BTC at 0.9, 1,000 USDC, 4,000 owed.
    assert answer.equity_usd == pytest.approx(36_000 + 1_000 - 4_000)
    assert answer.refused == ("collateral SOL",)
    assert answer.worst_scenario.startswith("BTC: MR1 +12%")
    assert answer.certainty == "unknown"


def test_option_value_is_equity_and_scan_may_lose_it():
    bare = ask(RULEBOOK, account(("BTC-C.V", 1)))
    assert bare.equity_usd > 0.0
    assert {term.certainty for term in bare.terms} == {"unknown"}
    assert bare.maintenance_usd > 0.0


def test_orders_count_for_initial_margin_only():
    without, waiting = (ask(RULEBOOK, account(("BTC-P.V", 1), orders=o)) for o in ((), (("BTC-P.V", 2),)))
    assert waiting.maintenance_usd == without.maintenance_usd
    assert waiting.initial_usd == pytest.approx(3 * without.initial_usd)
    shrinking = ask(RULEBOOK, account(("BTC-P.V", 1), orders=(("BTC-P.V", -1),)))
    assert shrinking.initial_usd == pytest.approx(without.initial_usd)


def test_requirement_is_the_largest_of_both():
    zero = dict.fromkeys(("MR1", "MR2", "MR3", "MR4", "MR5", "MR6", "MR7", "MR9"), 0.0)
    assert requirement(zero | {"MR1": 1.0, "MR2": 5.0, "MR6": 2.0, "MR3": 1.0, "MR7": 5.5}) == 6.0
    assert requirement(zero | {"MR1": 1.0, "MR7": 5.5, "MR9": 2.0}) == 5.5
