"""Prices, notionals and what the market must hold, by hand."""

import numpy as np
import pytest

from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.instruments.table import build_table
from crossmargin.instruments.terms import (
    BondFuture,
    Delta,
    Forward,
    Future,
    Option,
    Perpetual,
    Sensitivities,
    Spot,
)
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.scenarios.scenario_set import still
from crossmargin.valuation.marks import Marks, marks, missing_factors, required_factors
from crossmargin.valuation.pnl import pnl, values_usd
from tests.strategies import AS_OF_MS, YEAR_MS
from tests.worlds import flat_surface, market, underlying

EXPIRY = AS_OF_MS + YEAR_MS
FORWARD = (doc.ForwardPoint(expiry=EXPIRY, forward=55_000.0),)
BTC = underlying("BTC", 50_000.0, forwards=FORWARD, surface=flat_surface(0.6))
SX5E = doc.Underlying(name="SX5E", kind="index", risk_class="equity_index", spot=4_000.0, quote="EUR")
WORLD = market(BTC, underlying("EUR", 1.25), SX5E)


def marked(*terms: object, document: doc.MarketDocument = WORLD) -> Marks:
    snapshot = build_snapshot(document)
    return marks(build_table(terms, now_ns=snapshot.time_ns), snapshot)


def perpetual(payout: str, settle: str, multiplier: float = 1.0, name: str = "BTC") -> Perpetual:
    return Perpetual(id="P", underlying=name, payout=payout, settle=settle, multiplier=multiplier)


def test_the_mark_is_the_curve_unless_one_is_given():
    future = Future(id="F", underlying="BTC", payout="linear", settle="USDC", expiry=EXPIRY)
    assert marked(future).price == pytest.approx([55_000.0])
    assert marked(perpetual("linear", "USDC")).price == pytest.approx([50_000.0])
    own = market(BTC, marks=(doc.Mark(instrument="F", underlying="BTC", price=54_000.0),))
    assert marked(future, document=own).price == pytest.approx([54_000.0])


@pytest.mark.parametrize(
    ("terms", "usd"),
    [
        (perpetual("linear", "USDC", 0.1), 0.1 * 50_000.0),
        (perpetual("inverse", "BTC", 10.0), 10.0),  # ten USD of notional, whatever the price
        # One euro per point, an index at 4,000: 4,000 EUR at 1.25.
        (perpetual("linear", "EUR", 1.0, "SX5E"), 5_000.0),
        # A millionth of a bitcoin per point of the index: 0.004 BTC at 50,000; the euro has no part in it.
        (perpetual("quanto", "BTC", 1e-6, "SX5E"), 200.0),
        (Forward(id="F", underlying="EUR", settle="USD", expiry=EXPIRY, strike=1.2, multiplier=1e6), 1.25e6),
        (Spot(id="S", asset="EUR"), 1.25),
        (Sensitivities(id="L", settle="USD", underlying="BTC", deltas=(Delta(factor="spot:BTC", amount=1.0),)), 0.0),
    ],
)
def test_notional_of_one_contract(terms: object, usd: float):
    assert marked(terms).notional_usd == pytest.approx([usd], rel=1e-12)


def test_what_has_no_price_has_none():
    ladder = Sensitivities(id="L", settle="USD", underlying="BTC")
    assert np.isnan(marked(ladder).price).all()


def test_an_option_is_marked_by_the_surface_and_by_nothing_else():
    option = Option(
        id="O", underlying="BTC", payout="inverse", settle="BTC", expiry=EXPIRY, strike=50_000.0, right="call"
    )
    wrong = market(BTC, marks=(doc.Mark(instrument="O", underlying="BTC", price=0.1),))
    with pytest.raises(InvalidInput, match=r"mark of O.*options are marked by the surface"):
        marked(option, document=wrong)


def test_a_mark_on_another_underlying_is_refused():
    wrong = market(BTC, underlying("EUR", 1.25), marks=(doc.Mark(instrument="P", underlying="EUR", price=1.3),))
    with pytest.raises(InvalidInput, match=r"mark of P.*EUR"):
        marked(perpetual("linear", "USDC"), document=wrong)


def test_everything_missing_is_named_at_once():
    terms = [
        Option(id="A", underlying="SX5E", payout="linear", settle="EUR", expiry=EXPIRY, strike=1.0, right="call"),
        Option(id="Q", underlying="SX5E", payout="quanto", settle="BTC", expiry=EXPIRY, strike=1.0, right="call"),
        perpetual("linear", "DAI", name="SOL"),
        BondFuture(
            id="B",
            underlying="TY",
            settle="USD",
            expiry=EXPIRY,
            coupon=0.06,
            maturity=EXPIRY + YEAR_MS,
            conversion_factor=1.0,
            multiplier=1.0,
        ),
        Sensitivities(id="L", settle="GBP", deltas=(Delta(factor="rate:GBP:2y", amount=1.0),)),
    ]
    snapshot = build_snapshot(WORLD)
    table = build_table(terms, now_ns=snapshot.time_ns)
    missing = missing_factors(table, snapshot, ["GBP", "CHF"])
    assert set(missing) == {
        "asset CHF",
        "asset DAI",
        "asset GBP",
        "rate:EUR",
        "rate:GBP",
        "underlying SOL",
        "underlying TY",
        "vol:SX5E",
    }
    assert missing["underlying SOL"] == "P"
    assert set(required_factors(table)) >= {"asset BTC", "underlying SX5E"}


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        (perpetual("linear", "DAI"), "asset DAI"),
        (perpetual("linear", "USDC", name="SOL"), "underlying SOL"),
        (Spot(id="S", asset="DAI"), "asset DAI"),
        (Forward(id="F", underlying="SX5E", settle="EUR", expiry=EXPIRY, strike=1.0), "rate:EUR"),
        (
            Option(id="O", underlying="EUR", payout="linear", settle="USD", expiry=EXPIRY, strike=1.0, right="put"),
            "vol:EUR",
        ),
    ],
)
def test_valuing_without_a_figure_names_it(terms: object, name: str):
    snapshot = build_snapshot(WORLD)
    table = build_table([terms], now_ns=snapshot.time_ns)
    with pytest.raises(MissingFactors, match=name):
        pnl(table, snapshot, still())
    with pytest.raises(MissingFactors, match=name):
        values_usd(table, snapshot)


@pytest.mark.parametrize("settle", ["USD", "USDC", "EUR"])
def test_an_inverse_contract_settles_in_its_coin(settle: str):
    with pytest.raises(InvalidInput, match=rf"P: settlement asset is '{settle}'.*reference is BTC"):
        marked(perpetual("inverse", settle))
