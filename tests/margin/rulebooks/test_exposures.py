"""Sensitivities of books against closed forms, and the schedule by hand."""

import datetime as dt
import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.instruments.terms import Future, Option
from crossmargin.margin.rulebooks.rulebook import Rulebook
from crossmargin.margin.rulebooks.sensitivities import rule, schedule
from crossmargin.margin.rulebooks.sensitivities.crif import crif_of
from crossmargin.margin.rulebooks.sensitivities.exposures import (
    ExposureSettings,
    FactorMapping,
    exposures_of,
)
from crossmargin.margin.rulebooks.sensitivities.schedule import (
    ScheduleTrade,
    schedule_margin,
    schedule_trades,
)
from crossmargin.market.build import build_snapshot
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Position
from tests.margin.rulebooks.sensitivity_worlds import made_up
from tests.strategies import AS_OF_MS, DAY_MS, YEAR_MS
from tests.worlds import flat_surface, market, underlying

BTC_FUTURE = Future(id="BTC-F", underlying="BTC", payout="linear", settle="USDC", expiry=AS_OF_MS + YEAR_MS)
BTC_INVERSE = Future(
    id="BTC-I", underlying="BTC", payout="inverse", settle="BTC", expiry=AS_OF_MS + YEAR_MS, multiplier=10.0
)
EUR_CALL = Option(
    id="EUR-C", underlying="EUR", payout="linear", settle="USD", expiry=AS_OF_MS + 365 * DAY_MS, strike=1.1,
    right="call", multiplier=1e6,
)  # fmt: skip
BTC_MAP = FactorMapping(underlying="BTC", risk="commodity", product_class="Commodity", qualifier="BTC", bucket="1")
MAPPED = ExposureSettings(mappings=(BTC_MAP,), cash=("USDC",))
SCHEDULE = schedule.RULEBOOK.load("2020-04-09")


def world():
    return build_snapshot(
        market(
            underlying("BTC", 60_000.0, surface=flat_surface(0.6)),
            underlying("EUR", 1.1, surface=flat_surface(0.1)),
        )
    )


def book(*held: tuple[str, float], collateral: float = 0.0):
    positions = tuple(Position(instrument=name, quantity=quantity) for name, quantity in held)
    group = Group(id="main", mode="portfolio", positions=positions)
    account = Account(id="desk", groups=(group,), collateral=(Holding(asset="USDC", amount=collateral),))
    document = BookDocument(accounts=(account,), instruments=(BTC_FUTURE, BTC_INVERSE, EUR_CALL))
    return build_book(document, now_ns=AS_OF_MS * 1_000_000)


def rows_of(crif, risk_type: str) -> dict[tuple[str, str], float]:
    return {
        (crif.texts["qualifier"][i], crif.texts["label1"][i]): float(crif.amount_usd[i])
        for i in range(len(crif))
        if crif.texts["risk_type"][i] == risk_type
    }


def test_a_future_has_one_percent_of_its_price():
    found = exposures_of(book(("BTC-F", 3.0)), world(), MAPPED)
    assert found.refused == ()
    assert rows_of(found.crif, "Risk_Commodity") == pytest.approx({("BTC", ""): 3.0 * 600.0}, rel=1e-6)
    assert found.crif.texts["bucket"][0] == "1"


def test_an_inverse_future_is_worth_its_notional():
    # m (1/P − 1/P') coins at P' = m (P'/P − 1) dollars: ten dollars a contract, 1 % of it is ten cents.
    found = exposures_of(book(("BTC-I", 1.0)), world(), MAPPED)
    assert rows_of(found.crif, "Risk_Commodity")["BTC", ""] == pytest.approx(0.1, rel=1e-9)


def test_an_option_has_the_greeks_of_black():
    found = exposures_of(book(("EUR-C", -2.0)), world(), ExposureSettings())
    forward, strike, vol, discount = 1.1, 1.1, 0.1, math.exp(-0.05)
    d1 = math.log(forward / strike) / vol + vol / 2.0
    density = math.exp(-(d1**2) / 2.0) / math.sqrt(2.0 * math.pi)
    vega = discount * forward * density * 0.01 * 1e6  # per vol point
    assert sum(rows_of(found.crif, "Risk_FXVol").values()) == pytest.approx(-2.0 * vega, rel=1e-3)
    assert set(rows_of(found.crif, "Risk_FXVol")) == {("EURUSD", "1y")}
    delta = discount * 0.5 * (1.0 + math.erf(d1 / math.sqrt(2.0))) * 0.011 * 1e6
    assert rows_of(found.crif, "Risk_FX")["EUR", ""] == pytest.approx(-2.0 * delta, rel=2e-3)
    price = discount * forward * (2.0 * 0.5 * (1.0 + math.erf(vol / 2.0 / math.sqrt(2.0))) - 1.0) * 1e6
    rates = rows_of(found.crif, "Risk_IRCurve")
    assert sum(rates.values()) == pytest.approx(2.0 * price * 1e-4, rel=2e-2)  # discounting, at the one-year node
    assert max(rates, key=lambda key: abs(rates[key])) == ("USD", "1y")


def test_what_has_no_mapping_is_refused_by_name():
    assert exposures_of(book(("BTC-F", 1.0), ("EUR-C", 1.0)), world(), ExposureSettings()).refused == ("BTC-F",)
    no_cash = ExposureSettings(mappings=(BTC_MAP,))
    assert exposures_of(book(("BTC-F", 1.0)), world(), no_cash).refused == ("BTC-F",)  # settles in USDC


@pytest.mark.parametrize(
    "terms",
    [
        {"risk": "equity", "qualifier": "BTC"},
        {"risk": "commodity", "bucket": "1"},
        {"risk": "fx", "qualifier": "BTC"},
        {"risk": "equity", "qualifier": "BTC", "bucket": "1", "product_class": "Crypto"},
    ],
)
def test_half_a_mapping_is_refused(terms: dict[str, str]):
    with pytest.raises(InvalidInput):
        FactorMapping(**{"underlying": "BTC", "product_class": "Equity"} | terms)


def test_a_mapping_of_nothing_is_refused():
    lost = ExposureSettings(mappings=(msgspec.structs.replace(BTC_MAP, underlying="DOGE"),))
    with pytest.raises(UnknownName, match="DOGE"):
        exposures_of(book(("BTC-F", 1.0)), world(), lost)


def rule_of(**more) -> rule.SensitivityRule:
    tenors = ("2w", "1m", "3m", "6m", "1y", "2y", "3y", "5y", "10y", "15y", "20y", "30y")
    tree = msgspec.to_builtins(made_up())
    tree["rates"] |= {"tenors": tenors, "tenor_correlation": [[float(i == j) for j in tenors] for i in tenors]}
    for weights in tree["rates"]["weights"].values():
        weights["delta"] = {group: [50.0] * len(tenors) for group in weights["delta"]}
    tree["fx"]["tenors"] = tree["equity"]["tenors"] = tree["commodity"]["tenors"] = tenors
    calibration = msgspec.convert(tree, type(made_up()))
    return rule.SensitivityRule(calibrations=(calibration,), exposures=MAPPED, **more)


def test_an_account_is_margined_by_its_sensitivities():
    weight = made_up().commodity.weights["10"].delta["1"]
    result = rule.evaluate(book(("BTC-F", 3.0), collateral=5e4), world(), rule_of())
    assert result.initial_usd == pytest.approx(weight * 1800.0, rel=1e-6)
    assert result.binding == "Commodity: commodity delta"
    assert result.equity_usd == pytest.approx(5e4)
    assert result.certainty == "approximate"
    with pytest.raises(InvalidInput, match="margin period"):
        rule.evaluate(book(("BTC-F", 3.0)), world(), rule_of(horizon_days=3))


def test_parameters_do_not_ship():
    assert rule.RULEBOOK.dates() == ()
    with pytest.raises(InvalidInput, match="a file of yours"):
        rule.RULEBOOK.load("2026-01-01")


def trade(product: str, notional: float, years: float, value: float = 0.0) -> ScheduleTrade:
    return ScheduleTrade(name="t", product=product, notional_usd=notional, years=years, value_usd=value)


@pytest.mark.parametrize(
    ("product", "years", "rate"),
    [
        ("credit", 2.0, 0.02), ("credit", 2.01, 0.05), ("credit", 5.0, 0.05), ("credit", 30.0, 0.10),
        ("rates", 0.0, 0.01), ("rates", 4.0, 0.02), ("rates", 6.0, 0.04), ("commodity", 1.0, 0.15),
        ("equity", 1.0, 0.15), ("fx", 1.0, 0.06), ("other", 1.0, 0.15),
    ],
)  # fmt: skip
def test_schedule_rates(product: str, years: float, rate: float):
    # One trade without value: the gross replacement cost is zero, so the ratio is 1 and nothing is relieved.
    assert schedule_margin([trade(product, -1e6, years)], SCHEDULE).margin == pytest.approx(rate * 1e6)


def test_the_schedule_by_hand():
    # Gross 0.06·1e6 + 0.15·2e6 = 360,000. Values +30,000 and −10,000: NGR 2/3; 360,000·(0.4 + 0.6·2/3) = 288,000.
    trades = [trade("fx", 1e6, 1.0, 30_000.0), trade("equity", 2e6, 1.0, -10_000.0)]
    assert schedule_margin(trades, SCHEDULE).margin == pytest.approx(288_000.0)
    # The other side sees −30,000 and +10,000: net is nothing, so only the gross share stands.
    assert schedule_margin(trades, SCHEDULE, side="post").margin == pytest.approx(144_000.0)


@given(st.lists(st.tuples(st.sampled_from(schedule.PRODUCT_NAMES), st.floats(0, 1e9), st.floats(0, 50),
                          st.floats(-1e8, 1e8)), max_size=8))  # fmt: skip
def test_the_schedule_stays_between_its_share_and_the_gross(rows):
    found = schedule_margin([trade(*row) for row in rows], SCHEDULE)
    gross = sum(found.gross.values())
    assert 0.0 <= found.ratio <= 1.0 + 1e-12
    assert SCHEDULE.gross_share * gross * (1 - 1e-12) <= found.margin <= gross * (1 + 1e-12)


@pytest.mark.parametrize("bad", [("fx", math.nan, 1.0), ("fx", 1.0, -1.0), ("fx", 1.0, 1.0, math.inf)])
def test_the_schedule_refuses_what_is_no_number(bad):
    with pytest.raises(InvalidInput):
        schedule_margin([trade(*bad)], SCHEDULE)


def test_the_schedule_reads_its_rows():
    head = {"im_model": "Schedule", "trade": "x", "product_class": "Rates", "end_date": "2029-03-31"}
    crif = crif_of(
        [
            head | {"risk_type": "Notional", "amount_usd": 5e6},
            head | {"risk_type": "Notional", "amount_usd": -6e6},
            head | {"risk_type": "PV", "amount_usd": 1e4},
            {"risk_type": "PV", "amount_usd": 1e9, "im_model": "SIMM"},
        ]
    )
    (one,) = schedule_trades(crif, day=dt.date(2026, 3, 31), portfolio="")
    assert (one.product, one.notional_usd, one.value_usd) == ("rates", 6e6, 1e4)
    assert one.years == pytest.approx(3.0, abs=0.01)
    assert schedule_margin([one], SCHEDULE).margin == pytest.approx(0.02 * 6e6)


def test_the_schedule_margins_an_account():
    result = schedule.evaluate(book(("BTC-F", -2.0), ("EUR-C", 1.0)), world(), SCHEDULE)
    value = 1.1 * math.exp(-0.05) * math.erf(0.05 / math.sqrt(2.0)) * 1e6  # at the money: F·D·(2N(v/2) − 1)
    assert result.initial_usd == pytest.approx(0.15 * 120_000.0 + 0.06 * 1.1e6)  # NGR is 1: only the option has value
    assert result.equity_usd == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("one", [rule.RULEBOOK, schedule.RULEBOOK])
def test_rulebooks_are_listed_with_their_sources(one: Rulebook):
    assert one.sources
    assert one.family == "sensitivities"
    assert Path(one.folder).name == "sensitivities"
