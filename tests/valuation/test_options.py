"""Options in R: published prices, parity, smiles that stick or travel, and how shocks spread over a surface."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.table import build_table
from crossmargin.instruments.terms import Option
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.market.snapshot import Snapshot
from crossmargin.scenarios.scenario_set import Scenario, SurfaceRule, collect
from crossmargin.valuation.options import option_blocks
from crossmargin.valuation.pnl import pnl, values_usd
from crossmargin.valuation.world import World, tenor_scale
from tests.cases import Case, case, cases, gross_usd
from tests.strategies import AS_OF_MS, DAY_MS, YEAR_MS, american_terms, few, markets, scenario_columns
from tests.worlds import flat_surface, market, underlying, unit_pnl


def option(expiry: int = AS_OF_MS + YEAR_MS, strike: float = 100.0, right: str = "call", **more: object) -> Option:
    fields = {"underlying": "X", "payout": "linear", "settle": "USD", "discounted": False}
    return Option(id=f"O{strike}{right}{expiry}", expiry=expiry, strike=strike, right=right, **(fields | more))


def flat_market(spot: float, vol: float, rate: float = 0.0) -> doc.MarketDocument:
    curve = doc.RateCurve(currency="USD", points=(doc.RatePoint(tenor_years=1.0, rate=rate),))
    return market(underlying("X", spot, surface=flat_surface(vol)), rates=(curve,))


def value(document: doc.MarketDocument, terms: Option) -> float:
    snapshot = build_snapshot(document)
    return float(values_usd(build_table([terms], now_ns=snapshot.time_ns), snapshot)[0])


def test_published_black_76():
    # Haug, The Complete Guide to Option Pricing Formulas (2nd ed., 2007), chapter 1, options on futures: nine months,
    # F = X = 19, r = 10 %, σ = 28 %: call and put 1.7011.
    world, expiry = flat_market(19.0, 0.28, 0.10), AS_OF_MS + 3 * YEAR_MS // 4
    for right in ("call", "put"):
        assert value(world, option(expiry, 19.0, right, discounted=True)) == pytest.approx(1.7011, abs=5e-5)
    # Hull, Options, Futures, and Other Derivatives (9th ed.), chapter 18, Black's model: put, F = K = 60, four months,
    # r = 9 %, σ = 25 %: 3.35.
    world, expiry = flat_market(60.0, 0.25, 0.09), AS_OF_MS + YEAR_MS // 3
    assert value(world, option(expiry, 60.0, "put", discounted=True)) == pytest.approx(3.35, abs=5e-3)


def test_bachelier_at_the_money_is_the_mean_of_a_normal():
    # σ√τ/√(2π) with a normal volatility of 30 · 0.5 = 15 a year: 15 · 0.398942 = 5.98413.
    crude = market(underlying("X", -3.0, kind="index", surface=flat_surface(0.5, scale=30.0)))
    with pytest.raises(InvalidInput, match="strike"):
        value(crude, option(strike=-3.0))
    above = market(underlying("X", 10.0, kind="index", surface=flat_surface(0.5, scale=30.0)))
    assert value(above, option(strike=10.0)) == pytest.approx(15.0 / math.sqrt(2.0 * math.pi), rel=1e-12)


def test_a_coin_settled_option_is_paid_in_coin():
    # With no volatility left to lose, a call at half the price is worth (1 − K/F) of a coin: half of one, 25,000 USD.
    world = market(underlying("X", 50_000.0, surface=flat_surface(1e-3)))
    terms = option(strike=25_000.0, payout="inverse", settle="X")
    assert value(world, terms) == pytest.approx(25_000.0, rel=1e-9)
    # The coin doubles: (1 − 25/100) coins of 100,000 are 75,000. In coin 0.25 more, in USD 50,000 more.
    assert unit_pnl(world, terms, {"spot:X": 1.0}) == pytest.approx(50_000.0, rel=1e-9)


@settings(max_examples=40)
@given(cases(("option",), most=3), st.sampled_from((0.0, 1.0)))
def test_a_call_less_a_put_is_a_forward(c: Case, sticky: float):
    """R of call − put has no volatility in it: with m, A, D and F in the scenario, m·A·D·(F − K), or m·A·(1 − K/F)."""
    pairs = [(change(t, right="call"), change(t, right="put")) for t in c.terms]
    both = case(c.document, tuple(t for pair in pairs for t in pair), list(c.columns), dict(c.scenarios.rules))
    rows = pnl(both.table, both.snapshot, both.scenarios, sticky=sticky).values
    other = {name: SurfaceRule(short_power=0.5, min_vol_up=2.0) for name in c.scenarios.rules}
    bent = [Scenario(**{**fields(s), "shocks": without_vol(dict(s.shocks))}) for s in c.columns]
    plain = case(c.document, both.terms, bent, other)
    reference = pnl(plain.table, plain.snapshot, plain.scenarios, sticky=sticky).values
    found, expected = rows[0::2] - rows[1::2], reference[0::2] - reference[1::2]
    assert (np.abs(found - expected) <= 1e-12 * gross_usd(both)[0::2]).all()


def change(terms: Option, *, right: str) -> Option:
    return Option(
        **{name: getattr(terms, name) for name in terms.__struct_fields__}
        | {"id": f"{terms.id}-{right}", "right": right}
    )


def fields(s: Scenario) -> dict[str, object]:
    return {name: getattr(s, name) for name in s.__dataclass_fields__}


def without_vol(shocks: dict[str, float]) -> dict[str, float]:
    return {f: x for f, x in shocks.items() if not f.startswith(("vol:", "skew:", "smile:"))}


def whole(c: Case, world: World) -> np.ndarray:
    block = np.full((len(c.terms), len(world.scenarios)), np.nan)
    for rows, found in option_blocks(c.table, world, np.arange(len(c.terms), dtype=np.int32)):
        block[rows] = found
    return block


@settings(max_examples=40)
@given(cases(("option",), columns=8))
def test_equal_columns_are_priced_once_and_all_filled(c: Case):
    """The block, which prices distinct columns only, equals each column priced alone, bit for bit."""
    block = whole(c, World(snapshot=c.snapshot, scenarios=c.scenarios))
    for j in range(len(c.scenarios)):
        alone = World(snapshot=c.snapshot, scenarios=c.scenarios.take(np.asarray([j])))
        assert np.array_equal(whole(c, alone)[:, 0], block[:, j])


@few
@given(st.data())
def test_options_of_one_expiry_share_nothing_that_differs(data: st.DataObject):
    """Payout, settlement, discounting and exercise side by side at one expiry, each as if it stood alone."""
    document = data.draw(markets())
    expiry = AS_OF_MS + 2 * YEAR_MS
    kinds = [
        {"payout": payout, "settle": settle, "discounted": discounted, "exercise": exercise, "deliverable": deliverable}
        for payout, settle in (("linear", "USD"), ("linear", "USDC"), ("quanto", "EUR"), ("inverse", "ETH"))
        for discounted in (True, False)
        for exercise, deliverable in (("european", "spot"), ("american", "spot"), ("american", "future"))
        if not (payout == "inverse" and exercise == "american")
    ]
    terms = tuple(
        Option(id=f"O{i}", underlying="ETH", expiry=expiry, strike=1_500.0, right="call", **kind)
        for i, kind in enumerate(kinds)
    )
    columns, rules = data.draw(scenario_columns(document, terms))
    both = case(document, terms, columns, rules)
    together = pnl(both.table, both.snapshot, both.scenarios).values
    for i, one in enumerate(terms):
        alone = case(document, (one,), columns, rules)
        assert np.array_equal(pnl(alone.table, alone.snapshot, alone.scenarios).values[0], together[i])


def test_columns_that_move_only_the_settlement_asset_are_told_apart():
    stable = doc.Asset(name="USDC", reference="USD")
    world = market(
        underlying("X", 100.0, surface=flat_surface(0.5), quote="EURC"),
        underlying("EUR", 1.1),
        assets=(stable, doc.Asset(name="X", reference="X"), doc.Asset(name="EURC", reference="EUR")),
    )
    linear, coin = option(settle="USDC"), option(payout="inverse", settle="X")
    still = value(world, linear), value(world, coin)
    assert unit_pnl_beside_nothing(world, linear, {"peg:USDC": -0.1}) == pytest.approx(-0.1 * still[0])
    for move in ({"peg:EURC": -0.1}, {"fx:EUR": -0.1}):
        assert unit_pnl_beside_nothing(world, coin, move) == pytest.approx(-0.1 * still[1])


def unit_pnl_beside_nothing(document: doc.MarketDocument, terms: Option, shocks: dict[str, float]) -> float:
    """P&L in a column that stands beside one in which nothing moves."""
    snapshot = build_snapshot(document)
    columns = collect(Scenario(label=str(i), family="price", shocks=s) for i, s in enumerate(({}, shocks)))
    found = pnl(build_table([terms], now_ns=snapshot.time_ns), snapshot, columns).values[0]
    assert found[0] == 0.0
    return float(found[1])


SMILE = doc.Surface(slices=(doc.Slice(expiry=AS_OF_MS + YEAR_MS, a=0.02, b=0.1, rho=-0.5, m=0.0, sigma=0.2),))
SMILING = market(underlying("X", 100.0, surface=SMILE))


def smile_vol(k: float) -> float:
    return math.sqrt(0.02 + 0.1 * (-0.5 * k + math.sqrt(k * k + 0.04)))


def vol_after(
    shocks: dict[str, float],
    *,
    strike: float = 100.0,
    tenor_ms: int = YEAR_MS,
    sticky: float = 1.0,
    rules: dict[str, SurfaceRule] | None = None,
    document: doc.MarketDocument = SMILING,
) -> float:
    """The volatility at which R values an option in a scenario, by inverting its price with bisection."""
    terms = option(AS_OF_MS + tenor_ms, strike)
    worth = value(document, terms) + unit_pnl(document, terms, shocks, sticky=sticky, rules=rules)
    spot = 100.0 * (1.0 + shocks.get("spot:X", 0.0))
    low, high = 1e-4, 20.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        if value(flat_market(spot, middle), terms) < worth:
            low = middle
        else:
            high = middle
    return low


def test_the_smile_travels_with_the_price_or_stays_at_its_strike():
    fall = {"spot:X": -0.2}
    k_before, k_after = math.log(90.0 / 100.0), math.log(90.0 / 80.0)
    assert vol_after(fall, strike=90.0) == pytest.approx(smile_vol(k_after), rel=1e-9)
    assert vol_after(fall, strike=90.0, sticky=0.0) == pytest.approx(smile_vol(k_before), rel=1e-9)
    middle = k_before + 0.5 * (k_after - k_before)
    assert vol_after(fall, strike=90.0, sticky=0.5) == pytest.approx(smile_vol(middle), rel=1e-9)


def test_a_vol_shock_multiplies_every_vol():
    for strike in (60.0, 100.0, 150.0):
        expected = 1.5 * smile_vol(math.log(strike / 100.0))
        assert vol_after({"vol:X": 0.5}, strike=strike) == pytest.approx(expected, rel=1e-9)


def test_a_vol_shock_grows_as_the_tenor_shrinks_down_to_a_floor():
    # 30 days is the measure; at 120 days half of it with power 0.5, at 7.5 days double, under 2 days as at 2.
    rules = {"X": SurfaceRule(short_power=0.5, long_power=0.5, floor_days=2.0)}
    flat = flat_market(100.0, 0.4)
    for days, scale in ((30, 1.0), (120, 0.5), (7.5, 2.0), (2, math.sqrt(15.0)), (0.5, math.sqrt(15.0))):
        found = vol_after({"vol:X": 0.1}, tenor_ms=int(days * DAY_MS), rules=rules, document=flat)
        assert found == pytest.approx(0.4 * (1.0 + 0.1 * scale), rel=1e-9)


@given(st.floats(0.0, 0.5), st.floats(0.0, 0.5), st.floats(0.1, 10.0))
def test_the_scale_of_tenors_falls_and_is_one_at_thirty_days(short: float, long: float, floor: float):
    rule = SurfaceRule(short_power=short, long_power=long, floor_days=floor)
    scale = tenor_scale(rule, np.asarray([0.0, 0.5, 1.0, 7.0, 30.0, 31.0, 365.0]) / 365.0)
    assert (np.diff(scale) <= 1e-15).all()
    assert scale[4] == pytest.approx(1.0, rel=1e-12)
    assert np.isfinite(scale).all()


def test_nodes_move_the_vols_near_them():
    flat = flat_market(100.0, 0.4)
    moves = {"vol:X:30d": 0.5, "vol:X:1y": 0.0}
    assert vol_after(moves, tenor_ms=30 * DAY_MS, document=flat) == pytest.approx(0.6, rel=1e-9)
    assert vol_after(moves, document=flat) == pytest.approx(0.4, rel=1e-9)


def test_a_rise_leaves_no_vol_under_the_floor_and_a_fall_knows_none():
    rules = {"X": SurfaceRule(min_vol_up=0.45)}
    flat = flat_market(100.0, 0.2)
    assert vol_after({"vol:X": 0.1}, rules=rules, document=flat) == pytest.approx(0.45, rel=1e-9)
    assert vol_after({"vol:X": 2.0}, rules=rules, document=flat) == pytest.approx(0.60, rel=1e-9)
    assert vol_after({"vol:X": -0.1}, rules=rules, document=flat) == pytest.approx(0.18, rel=1e-9)
    assert vol_after({"spot:X": 0.01}, rules=rules, document=flat) == pytest.approx(0.20, rel=1e-9)


def test_a_skew_tilts_the_smile_and_a_smile_bends_it_up_to_their_size():
    # k* = 1.5 · 0.2 · √1 = 0.3: at k = 0.15 half of the shock, from 0.3 on all of it; below the money the other way.
    flat = flat_market(100.0, 0.2)
    for kind, mirrored in (("skew", -1.0), ("smile", 1.0)):
        for k, share in ((0.0, 0.0), (0.15, 0.5), (0.3, 1.0), (0.6, 1.0)):
            up = vol_after({f"{kind}:X": 0.1}, strike=100.0 * math.exp(k), document=flat)
            assert up == pytest.approx(0.2 * (1.0 + 0.1 * share), rel=1e-8)
            down = vol_after({f"{kind}:X": 0.1}, strike=100.0 * math.exp(-k), document=flat)
            assert down == pytest.approx(0.2 * (1.0 + mirrored * 0.1 * share), rel=1e-8)


def test_time_alone_takes_the_time_value():
    # After the horizon the expiry is a day away; past it the option is worth what it pays.
    terms = option(AS_OF_MS + 10 * DAY_MS, 90.0)
    flat = flat_market(100.0, 0.4)
    shorter = value(flat, option(AS_OF_MS + DAY_MS, 90.0))
    assert unit_pnl(flat, terms, {}, days=9.0) == pytest.approx(shorter - value(flat, terms), rel=1e-9)
    assert unit_pnl(flat, terms, {}, days=400.0) == pytest.approx(10.0 - value(flat, terms), rel=1e-12)


@settings(max_examples=40)
@given(cases(("option",)))
def test_a_long_option_never_loses_more_than_its_value_at_a_fixed_price_of_money(c: Case):
    held = [Scenario(**{**fields(s), "damping": 1.0}) for s in c.columns]
    whole = case(c.document, c.terms, held, dict(c.scenarios.rules))
    value_now = values_usd(whole.table, whole.snapshot)
    found = pnl(whole.table, whole.snapshot, whole.scenarios).values
    assert (found >= -value_now[:, None] - 1e-12 * gross_usd(whole)).all()


@few
@given(st.data())
def test_early_exercise_is_worth_something_or_nothing(data: st.DataObject):
    document = data.draw(markets())
    american = data.draw(american_terms(document, "A"))
    kept = {name: getattr(american, name) for name in american.__struct_fields__}
    european = Option(**kept | {"id": "E", "exercise": "european", "deliverable": "spot", "discounted": True})
    snapshot = build_snapshot(document)
    a, e = values_usd(build_table([american, european], now_ns=snapshot.time_ns), snapshot)
    scale = settle_scale(snapshot, american)
    assert a >= e - 1e-7 * scale
    now = snapshot.underlyings[american.underlying].spot
    if american.deliverable == "spot":
        sign = 1.0 if american.right == "call" else -1.0
        pays = max(sign * (now - american.strike), 0.0) * snapshot.asset_price(american.settle)
        assert a >= pays - 1e-4 * scale


def settle_scale(snapshot: Snapshot, terms: Option) -> float:
    price = snapshot.underlyings[terms.underlying].spot + terms.strike
    return price * (1.0 if terms.settle == "USD" else snapshot.asset_price(terms.settle))


def test_american_exercise_needs_prices_that_stay_positive():
    crude = market(underlying("X", 10.0, kind="index", surface=flat_surface(0.5, scale=30.0)))
    with pytest.raises(InvalidInput, match=r"exercise is 'american'.*may be negative"):
        value(crude, option(strike=10.0, exercise="american"))
    with pytest.raises(InvalidInput, match=r"exercise is 'american'.*coin-settled"):
        value(SMILING, option(payout="inverse", settle="X", exercise="american"))


def test_labels_do_not_tell_columns_apart():
    shocks = {"spot:X": 0.1}
    columns = collect(Scenario(label=name, family="price", shocks=shocks) for name in "ab")
    snapshot = build_snapshot(SMILING)
    found = pnl(build_table([option()], now_ns=snapshot.time_ns), snapshot, columns).values
    assert found[0, 0] == found[0, 1] != 0.0
