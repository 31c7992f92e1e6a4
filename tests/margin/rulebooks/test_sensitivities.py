"""Sensitivity-based margin: hand-computed pins, laws for every portfolio, and what is refused. Numbers are made up."""

import datetime as dt
import math
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import CrossmarginError, DuplicateName, InvalidInput, UnknownName
from crossmargin.margin.rulebooks.sensitivities.crif import crif_of
from crossmargin.margin.rulebooks.sensitivities.native import margin_of, regulations_in
from crossmargin.margin.rulebooks.sensitivities.parameters import (
    LIFE_DAYS,
    SensitivityParameters,
    parameters_at,
)
from crossmargin.margin.rulebooks.sensitivities.rule import shares
from crossmargin.margin.rulebooks.sensitivities.tables import tables_of
from tests.margin.rulebooks.sensitivity_worlds import PRODUCTS, made_up, random_row

PARAMETERS = made_up()
TABLES = tables_of(PARAMETERS)
seeds = st.integers(0, 2**32 - 1)
FX = {"product_class": "RatesFX", "risk_type": "Risk_FX", "qualifier": "EUR"}
EQUITY = {"product_class": "Equity", "risk_type": "Risk_Equity", "qualifier": "A", "bucket": "1"}


def margin(*rows, **more):
    return margin_of(crif_of(rows), PARAMETERS, **{"sides": ("collect",)} | more)


def total(*rows, **more) -> float:
    return float(margin(*rows, **more).total.sum())


def test_one_currency_by_hand():
    # EUR is calm and so is USD: weight 6.1 a percent. 1e6 a percent is below the threshold of 900e6: CR = 1.
    assert total(FX | {"amount_usd": -1e6}) == pytest.approx(6.1e6)


def test_concentration_by_hand():
    # 3,600e6 is four times the threshold of 900e6: CR = 2, so 6.1 · 3,600e6 · 2.
    assert total(FX | {"amount_usd": 3.6e9}) == pytest.approx(6.1 * 3.6e9 * 2.0)
    # One day has no concentration.
    assert total(FX | {"amount_usd": 3.6e9}, horizon_days=1) == pytest.approx(6.1 * 3.6e9)


def test_two_currencies_by_hand():
    # WS = 6.1e6 and 11.3e6 (BRL is wild), ρ = 0.22: √(6.1² + 11.3² + 2·0.22·6.1·11.3) e6.
    rows = [FX | {"amount_usd": 1e6}, FX | {"qualifier": "BRL", "amount_usd": 1e6}]
    assert total(*rows) == pytest.approx(math.sqrt(6.1**2 + 11.3**2 + 0.44 * 6.1 * 11.3) * 1e6)


def test_the_calculation_currency_is_no_risk():
    assert total(FX | {"qualifier": "USD", "amount_usd": 1e9}) == 0.0
    assert total(FX | {"amount_usd": 1e9}, currency="EUR") == 0.0


def test_a_pair_is_one_factor_both_ways():
    # USDJPY and JPYUSD net. SF(1y) = 0.5·14/365; λ = Φ⁻¹(0.995)² − 1 at θ = 0: ΣCVR (1 + λ) = 6.634897 ΣCVR.
    row = {"product_class": "RatesFX", "risk_type": "Risk_FXVol", "label1": "1y"}
    rows = [row | {"qualifier": "USDJPY", "amount_usd": 3e5}, row | {"qualifier": "JPYUSD", "amount_usd": -2e5}]
    vol = 1e5 * 6.1 * math.sqrt(365.0 / 14.0) / 2.3263478740408408
    found = margin(*rows).components[0, 0, 5]
    assert found[1] == pytest.approx(0.57 * 0.41 * vol)
    assert found[2] == pytest.approx(7.0 / 365.0 * vol * 2.5758293035489004**2)


def test_short_volatility_of_one_sign_has_no_curvature():
    # θ = −1, λ = 1: ΣCVR + |ΣCVR| = 0.
    row = {"product_class": "RatesFX", "risk_type": "Risk_FXVol", "qualifier": "EURUSD", "label1": "1y"}
    assert margin(row | {"amount_usd": -1e6}).components[0, 0, 5, 2] == 0.0


def test_volatility_indices_have_vega_and_no_curvature():
    row = {"product_class": "Equity", "risk_type": "Risk_EquityVol", "qualifier": "V", "bucket": "12", "label1": "1y"}
    found = margin(row | {"amount_usd": 1e6}).components[0, 2, 3]
    assert found[1] > 0.0
    assert found[2] == 0.0


def test_payment_currencies_of_one_issuer_do_not_net_away():
    row = {"product_class": "Credit", "risk_type": "Risk_CreditQ", "qualifier": "X", "bucket": "1", "label1": "5y"}
    rows = [row | {"label2": "USD", "amount_usd": 1e5}, row | {"label2": "EUR", "amount_usd": -1e5}]
    weight = PARAMETERS.credit_qualifying.weights["10"].delta["1"]
    same = PARAMETERS.credit_qualifying.same["1"]
    assert total(*rows) == pytest.approx(weight * 1e5 * math.sqrt(2.0 * (1.0 - same)))


def test_inflation_volatilities_of_all_tenors_are_one_factor():
    row = {"product_class": "RatesFX", "risk_type": "Risk_InflationVol", "qualifier": "EUR"}
    rows = [row | {"label1": "1y", "amount_usd": 1e6}, row | {"label1": "5y", "amount_usd": -1e6}]
    assert margin(*rows).part("vega")[0] == 0.0


def test_basis_is_outside_concentration():
    row = {"product_class": "RatesFX", "risk_type": "Risk_XCcyBasis", "qualifier": "EUR"}
    assert total(row | {"amount_usd": 1e9}) == pytest.approx(17.0 * 1e9)


def test_residual_nets_with_no_other_bucket():
    rows = [EQUITY | {"amount_usd": 1e5}, EQUITY | {"bucket": "Residual", "amount_usd": -1e5}]
    assert total(*rows) == pytest.approx(total(rows[0]) + total(rows[1]))


def test_add_ons_by_hand():
    rows = [
        FX | {"amount_usd": 1e6},
        {"risk_type": "Param_ProductClassMultiplier", "qualifier": "RatesFX", "amount": 1.5},
        {"risk_type": "Param_AddOnFixedAmount", "amount_usd": 2e6},
        {"risk_type": "Param_AddOnNotionalFactor", "qualifier": "exotic", "amount": 4.0},
        {"risk_type": "Notional", "qualifier": "exotic", "amount_usd": -1e7},
    ]
    assert float(margin(*rows).addon[0]) == pytest.approx(0.5 * 6.1e6 + 2e6 + 0.04 * 1e7)


@given(seeds, st.floats(0.01, 0.99))
def test_without_concentration_margin_grows_in_proportion(seed: int, scale: float):
    rows = [random_row(random.Random(seed + i)) for i in range(12)]
    smaller = [row | {"amount_usd": row["amount_usd"] * scale} for row in rows]
    assert total(*smaller, horizon_days=1) == pytest.approx(scale * total(*rows, horizon_days=1), rel=1e-9)
    assert total(*smaller) <= scale * total(*rows) * (1 + 1e-9) + 1e-6  # concentration only adds


@given(seeds)
def test_products_add_and_the_order_of_rows_does_not_matter(seed: int):
    rng = random.Random(seed)
    rows = [random_row(rng) for _ in range(25)]
    alone = sum(total(*[r for r in rows if r["product_class"] == p]) for p in PRODUCTS)
    assert total(*rows) == pytest.approx(alone, rel=1e-9, abs=1e-6)
    assert total(*rng.sample(rows, len(rows))) == pytest.approx(alone, rel=1e-9, abs=1e-6)


@given(seeds)
def test_splitting_a_row_changes_nothing(seed: int):
    rows = [random_row(random.Random(seed + i)) for i in range(10)]
    halves = [row | {"amount_usd": row["amount_usd"] / 2.0} for row in rows for _ in range(2)]
    assert total(*halves) == pytest.approx(total(*rows), rel=1e-9)


@given(seeds)
def test_portfolios_do_not_see_each_other(seed: int):
    rng = random.Random(seed)
    rows = [random_row(rng) | {"portfolio": rng.choice("abc")} for _ in range(30)]
    together = margin(*rows)
    for i, one in enumerate(together.sets):
        mine = [row for row in rows if row["portfolio"] == one.portfolio]
        assert together.total[i] == pytest.approx(total(*mine), rel=1e-9, abs=1e-6)


@given(seeds, st.sampled_from(("delta", "vega")))
def test_a_larger_weight_never_costs_less(seed: int, what: str):
    rows = [
        random_row(random.Random(seed + i), "Risk_EquityVol" if what == "vega" else "Risk_Equity") for i in range(8)
    ]
    tree = msgspec.to_builtins(PARAMETERS)
    weights = tree["equity"]["weights"]["10"][what]
    tree["equity"]["weights"]["10"][what] = {name: 1.3 * value for name, value in weights.items()}
    heavier = margin_of(crif_of(rows), msgspec.convert(tree, SensitivityParameters), sides=("collect",))
    assert float(heavier.total.sum()) >= total(*rows) * (1 - 1e-12)


@given(seeds)
def test_shares_add_up_to_the_total(seed: int):
    rng = random.Random(seed)
    found = margin(*[random_row(rng) for _ in range(20)])
    assert sum(term.initial for term in shares(found)) == pytest.approx(float(found.total[0]), rel=1e-9, abs=1e-6)


def test_a_portfolio_may_cost_more_than_its_parts():
    # The rule is not sub-additive: together the two are concentrated, apart they are not.
    half = EQUITY | {"amount_usd": 1e6 * PARAMETERS.equity.delta_threshold["1"]}
    assert total(half, half) > 1.4 * (total(half) + total(half))


def test_the_worst_regulation_is_owed():
    rows = [
        FX | {"amount_usd": 1e6, "collect_regulations": "CFTC,ESA", "post_regulations": "ESA"},
        FX | {"amount_usd": 2e6, "collect_regulations": "[ESA]", "post_regulations": "Excluded"},
        FX | {"amount_usd": -9e6, "collect_regulations": "CFTC"},
        {"risk_type": "Param_AddOnFixedAmount", "amount_usd": 1e6},
    ]
    found = margin(*rows, sides=("collect", "post"))
    by_name = {(s.side, s.regulation): float(x) for s, x in zip(found.sets, found.total, strict=True)}
    assert by_name == pytest.approx(
        {
            ("collect", "CFTC"): 8 * 6.1e6 + 1e6,
            ("collect", "ESA"): 3 * 6.1e6 + 1e6,
            ("post", "ESA"): 6.1e6 + 1e6,
            ("post", "unspecified"): 9 * 6.1e6 + 1e6,
        }
    )
    worst, amount = found.owed("", "collect")
    assert (worst.regulation, amount) == ("CFTC", pytest.approx(8 * 6.1e6 + 1e6))
    assert regulations_in("") == ()


@given(seeds)
def test_sides_under_the_same_regulations_ask_the_same(seed: int):
    rng = random.Random(seed)
    rows = [random_row(rng) | {"portfolio": rng.choice("ab")} for _ in range(12)]
    named = [row | {"collect_regulations": "CFTC", "post_regulations": "CFTC"} for row in rows[:6]] + rows[6:]
    both = margin(*named, sides=("collect", "post"))
    for side in ("collect", "post"):
        mine = [i for i, s in enumerate(both.sets) if s.side == side]
        alone = margin(*named, sides=(side,))
        assert [both.sets[i] for i in mine] == list(alone.sets)
        assert both.total[mine].tolist() == alone.total.tolist()


def test_nothing_asks_nothing():
    assert margin().sets == ()
    assert total(EQUITY | {"amount_usd": 0.0}) == 0.0


def test_rows_of_the_schedule_are_left_out():
    assert total(FX | {"amount_usd": 1e6}, FX | {"amount_usd": 1e9, "im_model": "Schedule"}) == pytest.approx(6.1e6)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (EQUITY | {"bucket": ""}, UnknownName),  # never sent to Residual silently
        (EQUITY | {"bucket": "13"}, UnknownName),
        (EQUITY | {"qualifier": " "}, InvalidInput),
        (EQUITY | {"product_class": "Crypto"}, UnknownName),
        (EQUITY | {"risk_type": "Risk_Crypto"}, UnknownName),
        (EQUITY | {"im_model": "VaR"}, UnknownName),
        (EQUITY | {"amount_usd": math.nan}, InvalidInput),
        (EQUITY | {"amount_usd": math.inf}, InvalidInput),
        (FX | {"qualifier": "BTC"}, UnknownName),
        (FX | {"risk_type": "Risk_FXVol", "qualifier": "EURBTC", "label1": "1y"}, UnknownName),
        (FX | {"risk_type": "Risk_FXVol", "qualifier": "EUREUR", "label1": "1y"}, InvalidInput),
        (FX | {"risk_type": "Risk_FXVol", "qualifier": "EURUSD", "label1": "7y"}, UnknownName),
        (FX | {"risk_type": "Risk_IRCurve", "label1": "1y", "label2": "SOFR3m"}, UnknownName),
        (FX | {"risk_type": "Risk_IRCurve", "label1": "", "label2": "OIS"}, UnknownName),
        ({"risk_type": "Param_ProductClassMultiplier", "qualifier": "RatesFX", "amount": 0.5}, InvalidInput),
        ({"risk_type": "Param_ProductClassMultiplier", "qualifier": "Rates", "amount": 1.5}, UnknownName),
        ({"risk_type": "Param_AddOnFixedAmount", "amount_usd": -1.0}, InvalidInput),
    ],
)
def test_what_the_rule_does_not_know_is_refused(row: dict, error: type[CrossmarginError]):
    with pytest.raises(error) as raised:
        margin({"amount_usd": 1.0} | row)
    assert "CRIF" in str(raised.value)


def test_two_multipliers_of_one_product_are_refused():
    row = {"risk_type": "Param_ProductClassMultiplier", "qualifier": "Equity", "amount": 1.5}
    with pytest.raises(DuplicateName):
        margin(row, row)


def test_dates_beyond_the_sets_are_refused():
    assert parameters_at([PARAMETERS], dt.date(2026, 12, 31)).name == "made-up"
    for day in (dt.date(2025, 12, 31), dt.date(2027, 1, 1)):
        with pytest.raises(InvalidInput, match="valuation date"):
            parameters_at([PARAMETERS], day)
    later = msgspec.structs.replace(PARAMETERS, name="later", effective="2026-07-01", until="")
    assert parameters_at([later, PARAMETERS], dt.date(2026, 6, 30)).name == "made-up"
    assert parameters_at([later, PARAMETERS], dt.date(2026, 7, 1)).name == "later"
    assert (later.last_day - dt.date(2026, 7, 1)).days == LIFE_DAYS
    with pytest.raises(DuplicateName):
        parameters_at([PARAMETERS, PARAMETERS], dt.date(2026, 6, 30))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rates", "weights", "10", "delta", "calm"), [1.0]),
        (("rates", "weights", "10", "vega"), -0.1),
        (("rates", "inflation_correlation"), 1.5),
        (("rates", "delta_threshold", "deep"), 0.0),
        (("equity", "different", "1"), math.nan),
        (("equity", "between"), [[1.0, 0.2], [0.3, 1.0]]),
        (("equity", "order"), ["1", "2", "12", "Residual"]),
        (("fx", "vega_threshold"), [[1.0]]),
        (("fx", "weights", "10", "historical_ratio"), 0.0),
        (("until",), "2025-12-31"),
        (("effective",), "soon"),
        (("commodity", "weights"), {}),
    ],
)
def test_parameters_out_of_range_are_refused(path: tuple[str, ...], value: object):
    tree = msgspec.to_builtins(PARAMETERS)
    node = tree
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    with pytest.raises(InvalidInput):
        msgspec.convert(tree, SensitivityParameters)


@pytest.mark.parametrize("days", [5, 0, -1])
def test_a_margin_period_without_weights_is_refused(days: int):
    with pytest.raises(UnknownName):
        tables_of(PARAMETERS, horizon_days=days)


def test_many_names_are_no_square_of_work():
    rng = np.random.default_rng(0)
    rows = [EQUITY | {"qualifier": f"n{i}", "amount_usd": float(x)} for i, x in enumerate(rng.normal(0, 1e5, 5_000))]
    assert total(*rows) > 0.0


@settings(max_examples=10)
@given(seeds)
def test_tables_prepared_once_give_the_same(seed: int):
    rows = crif_of([random_row(random.Random(seed + i)) for i in range(10)])
    assert np.array_equal(margin_of(rows, TABLES).total, margin_of(rows, PARAMETERS).total)
