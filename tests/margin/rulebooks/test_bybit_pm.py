"""Bybit portfolio margin: a published answer, sums by hand, what must hold of all holdings, and hostile ones."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.margin.rulebooks.bybit_pm.account import RULEBOOK
from crossmargin.margin.rulebooks.bybit_pm.stress import CoinRates, Loan, Portfolio, UnitMargin, margin_of, unit_margin
from crossmargin.margin.rulebooks.scanning import LinearLeg, RiskUnit
from crossmargin.margin.rulebooks.spreads import QuotedUnit
from tests.margin.rulebooks.accounts import account, ask
from tests.margin.rulebooks.portfolio_units import quoted_units, scale_of
from tests.margin.rulebooks.scan_units import call, perpetual

RULES = RULEBOOK.load("2024-09-04")
BTC = RULES.coins["BTC"]
replace = msgspec.structs.replace


def held(*legs, coin: str = "BTC", index: float = 100.0, quotes: dict[str, str] | None = None) -> QuotedUnit:
    linear = tuple(leg for leg in legs if hasattr(leg, "kind"))
    unit = RiskUnit(coin=coin, index=index, linear=linear, options=tuple(x for x in legs if x not in linear))
    return QuotedUnit(unit=unit, quotes=quotes or {leg.instrument: "USDT" for leg in legs})


def asked(*legs, rates: CoinRates = BTC, **more) -> UnitMargin:
    return unit_margin(held(*legs, **more), {"BTC": rates})


# Source: Bybit API documentation, "Get Portfolio Margin Info", response example of 2026-03-24 (time 1774319290506):
# what 0.02 coins of BTC-25SEP26-80000-C-USDT gain at seven prices, volatilities up, same and down. Its forward and its
# volatility are not printed; 71,378.1 and 27.74 % reproduce the middle column to 1e-4 USD, at 185.23 days.
PUBLISHED = {
    -0.10: (-24.06747339, -33.15841013, -39.65273684),
    -0.06: (-11.36193138, -22.62748031, -31.13352117),
    -0.02: (4.77766694, -8.52041879, -18.98866670),
    0.0: (14.21190294, 0.00067229, -11.36906857),
    0.02: (24.58198339, 9.54902598, -2.63944748),
    0.06: (48.16388381, 31.81313064, 18.30672359),
    0.10: (75.52147477, 58.34116026, 44.02244694),
}
INDEX = 70_500.557  # 7.05047869 on 0.00100006 coins of spot at −10 %.
PUBLISHED_CALL = call(
    instrument="o", strike=80_000.0, days=185.2303, forward=71_378.10658, volatility=0.277438729, quantity=0.02
)


def test_the_published_grid_of_an_option():
    found = asked(PUBLISHED_CALL, index=INDEX)
    pnl = {s.label: s.pnl_usd for s in found.scenarios}
    for move, (up, same, down) in PUBLISHED.items():
        # The volatility moves of 24 % up and 20 % down at 30 days, with a power of 0.3, were found from these numbers.
        at = [pnl[f"{move:+.0%} vol {name}"] for name in ("up", "same", "down")]
        assert at == pytest.approx([up, same, down], abs=0.03)


def test_the_published_totals():
    perp = perpetual(instrument="p", price=972.14482880 / 0.038 / 0.1, quantity=0.038)
    spot = LinearLeg(instrument="s", kind="spot", price=INDEX, quantity=-0.00100006)
    found = asked(perp, spot, PUBLISHED_CALL, index=INDEX)
    assert found.worst == "-10% vol down"
    assert found.max_loss == pytest.approx(1_004.7471, rel=1e-4)
    assert found.contingencies["perpetuals and futures"] == pytest.approx(0.80370460, rel=1e-5)
    for name in ("net short options", "vega", "USDT-USDC"):
        assert found.contingencies[name] == 0.0
    # The venue charges 56.89 for delta by a rule that is not public; what is charged here is not less.
    assert found.contingencies["delta"] >= 56.89174177
    assert found.initial / found.maintenance == pytest.approx(1_274.8190514 / 1_062.3492095, rel=1e-9)


def test_a_lone_perpetual_by_hand():
    found = asked(perpetual(price=100_000.0, quantity=-2.0), index=100_000.0)
    # 10 % of 200,000 and 0.03 % of it; initial margin 1.2 times both.
    assert found.max_loss == pytest.approx(20_000.0)
    assert found.maintenance == pytest.approx(20_060.0)
    assert found.initial == pytest.approx(1.2 * 20_060.0)
    assert len(found.scenarios) == 33


def test_a_spread_loses_at_most_what_it_can():
    # Long 95 put, short 85 put a minute before expiry: worth 0 now, 5 at a fall by 10 %, never less than 0.
    put = {"right": "put", "days": 1.0 / 1_440.0, "volatility": 0.2}
    long, short = call(instrument="l", strike=95.0, **put), call(instrument="s", strike=85.0, quantity=-1.0, **put)
    found = asked(long, short)
    assert found.max_loss == pytest.approx(0.0, abs=1e-9)
    assert found.contingencies["net short options"] == 0.0
    # The short leg alone is naked: 1 % of the index.
    assert asked(short).contingencies["net short options"] == pytest.approx(1.0)


def test_net_short_options_by_expiry_and_right():
    options = (
        call(instrument="a", days=30.0, quantity=-3.0),
        call(instrument="b", days=30.0, strike=120.0, quantity=1.0),
        call(instrument="c", days=60.0, quantity=5.0),
        call(instrument="d", days=30.0, right="put", quantity=-1.0),
    )
    # Calls of 30 days: 2 short; puts of 30 days: 1 short; those of 60 days do not help.
    assert asked(*options).contingencies["net short options"] == pytest.approx(3.0)


def test_calendars_by_hand():
    near, far = call(instrument="n", days=30.0, quantity=2.0), call(instrument="f", days=90.0, quantity=-1.0)
    # One coin matched, 60 days apart, 0.03 % of 100 a day.
    assert asked(near, far).contingencies["vega"] == pytest.approx(60.0 * 0.0003 * 100.0)
    future = perpetual(instrument="q", kind="future", days=73.0, quantity=-3.0)
    # 300 for a fifth of a year at 45 %.
    assert asked(perpetual(quantity=3.0), future).contingencies["delta"] == pytest.approx(300.0 * 0.2 * 0.45)


def test_stablecoins_stand_against_one_another():
    legs = (perpetual(instrument="t", quantity=3.0), perpetual(instrument="c", quantity=-2.0))
    found = asked(*legs, quotes={"t": "USDT", "c": "USDC"})
    assert found.contingencies["USDT-USDC"] == pytest.approx(0.01 * 200.0)
    assert found.max_loss == pytest.approx(10.0)


@given(one=quoted_units("BTC"), k=st.floats(1.0, 4.0))
@settings(max_examples=40)
def test_more_stress_never_asks_for_less(one, k):
    near = 1e-9 * scale_of(one.unit)
    base = unit_margin(one, {"BTC": BTC})
    assert base.initial >= 1.2 * base.maintenance - near
    for name in ("short_option", "vega_day", "basis_annual", "contract", "stable_spread", "initial_factor"):
        high = unit_margin(one, {"BTC": replace(BTC, **{name: getattr(BTC, name) * k})})
        assert high.maintenance >= base.maintenance - near, name
        assert high.initial >= base.initial - near, name
    futures = replace(one, unit=replace(one.unit, options=()))
    wide, narrow = (unit_margin(futures, {"BTC": replace(BTC, step=s)}) for s in (0.02 * k, 0.02))
    assert wide.max_loss >= narrow.max_loss - near


@given(one=quoted_units("BTC"), shock=st.floats(0.2, 1.0))
@settings(max_examples=30)
def test_options_sold_ask_for_more_under_wider_volatilities(one, shock):
    sold = tuple(replace(o, quantity=-abs(o.quantity)) for o in one.unit.options)
    unit = replace(one, unit=replace(one.unit, options=sold))
    wider = replace(BTC, volatility=replace(BTC.volatility, up=0.24 + shock))
    low, high = (unit_margin(unit, {"BTC": rates}).max_loss for rates in (BTC, wider))
    assert high >= low - 1e-9 * scale_of(one.unit)


@given(one=quoted_units("BTC"))
@settings(max_examples=30)
def test_scenarios_and_gross_charges_are_sub_additive(one):
    whole, alone = unit_margin(one, {"BTC": BTC}), []
    for at, _ in enumerate(one.unit.legs):
        count = len(one.unit.linear)
        part = replace(
            one.unit,
            linear=one.unit.linear[at : at + 1],
            options=one.unit.options[max(at - count, 0) :][: at >= count],
        )
        alone.append(unit_margin(replace(one, unit=part), {"BTC": BTC}))
    near = 1e-9 * scale_of(one.unit)
    assert whole.max_loss <= sum(x.max_loss for x in alone) + near
    for name in ("net short options", "delta", "perpetuals and futures"):
        assert whole.contingencies[name] <= sum(x.contingencies[name] for x in alone) + near


def test_spread_charges_are_not_sub_additive():
    """A calendar, or two stablecoins, are charged for standing against each other: alone neither is."""
    near, far = call(instrument="n", days=30.0), call(instrument="f", days=90.0, quantity=-1.0)
    assert asked(near).contingencies["vega"] + asked(far).contingencies["vega"] == 0.0
    assert asked(near, far).contingencies["vega"] > 0.0


def test_nothing_held_asks_for_nothing():
    found = asked(perpetual(quantity=0.0), call(quantity=0.0))
    assert (found.initial, found.maintenance, found.worst) == (0.0, 0.0, "")
    assert asked().maintenance == 0.0
    assert margin_of(Portfolio(), {}).initial == 0.0


@pytest.mark.parametrize("quantity", [1e-18, -1e-18, 1e15])
def test_one_wei_and_the_largest_size(quantity):
    one = asked(perpetual(quantity=quantity), call(quantity=quantity))
    unit = asked(perpetual(quantity=math.copysign(1.0, quantity)), call(quantity=math.copysign(1.0, quantity)))
    assert one.initial == pytest.approx(abs(quantity) * unit.initial, rel=1e-9)


def test_expiry_within_hours():
    found = asked(call(strike=95.0, days=2.0 / 24.0, quantity=-1.0))
    assert found.max_loss == pytest.approx(10.0, abs=0.2)
    assert asked(call(strike=95.0, days=0.0, quantity=-1.0)).max_loss == pytest.approx(10.0)


def test_one_hundred_and_twenty_eight_assets():
    legs = [call(instrument=f"o{n}", strike=50.0 + n, days=1.0 + n, quantity=(-1.0) ** n) for n in range(128)]
    found = asked(*legs)
    assert found.max_loss <= sum(asked(leg).max_loss for leg in legs)
    assert math.isfinite(found.initial)


def test_parameters_at_both_bounds():
    names = ("short_option", "vega_day", "basis_annual", "contract", "stable_spread")
    none = replace(BTC, step=0.0, initial_factor=1.0, **dict.fromkeys(names, 0.0))
    assert asked(perpetual(quantity=-1.0), rates=none).initial == 0.0
    most = replace(BTC, step=0.19, initial_factor=10.0, **dict.fromkeys(names, 10.0))
    # A fall by 95 %, and ten times the notional.
    assert asked(perpetual(), rates=most).initial == pytest.approx(10.0 * (95.0 + 1_000.0))


def test_what_is_refused():
    with pytest.raises(UnknownName, match="coin"):
        asked(perpetual(), coin="ETHW")
    with pytest.raises(InvalidInput, match="step"):
        replace(BTC, step=0.2)
    with pytest.raises(InvalidInput, match="maintenance_rate"):
        Loan(value=1.0, initial_rate=0.1, maintenance_rate=0.2)
    with pytest.raises(InvalidInput, match="value ratio of BTC"):
        replace(RULES, value_ratios={"BTC": 1.5})


def test_a_book_with_and_without_spot_hedging():
    book = account(("BTC-P.V", -1), collateral={"BTC": 1, "USDC": 500, "ETH": -1, "SOL": 3, "PEPE": 1})
    off = ask(RULEBOOK, book)
    # 10 % and 0.03 % of 100,000; 5 % of a debt of 4,000.
    assert off.maintenance_usd == pytest.approx(10_000 + 30 + 200)
    assert off.initial_usd == pytest.approx(1.2 * 10_030 + 400)
    assert off.equity_usd == pytest.approx(90_000 + 500 - 4_000 + 480)
    assert off.refused == ("collateral PEPE",)
    assert "spot hedging is off" in off.notes
    on = ask(RULEBOOK, book, replace(RULES, spot_hedging=True))
    assert on.maintenance_usd == pytest.approx(30 + 200)
    assert on.certainty == "unknown"


def test_orders_count_for_initial_margin_only():
    without, waiting = (ask(RULEBOOK, account(("BTC-P.V", 1), orders=o)) for o in ((), (("BTC-P.V", 2),)))
    assert waiting.maintenance_usd == without.maintenance_usd
    assert waiting.initial_usd == pytest.approx(3 * without.initial_usd)
    assert {t.certainty for t in waiting.terms} == {"approximate"}
