"""Panoptic's collateral: sums by hand, bounds, and books."""

import math
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.margin.rulebooks.panoptic.account import RULEBOOK, positions_of
from crossmargin.margin.rulebooks.panoptic.collateral import Leg, Position, margin_of
from crossmargin.market.build import build_snapshot
from tests.margin.rulebooks.accounts import account, ask
from tests.worlds import market, underlying

replace = msgspec.structs.replace


def shipped():
    return RULEBOOK.load(RULEBOOK.dates()[-1])


def leg(right="put", **more) -> Leg:
    return Leg(**({"right": right, "strike": 100.0, "size": -1.0, "utilisation": 0.3} | more))


def alone(one: Leg, price: float = 100.0):
    return margin_of(Position(legs=(one,)), price, shipped())


def test_legs_by_hand():
    # 20 % of the strike; at 80 a fifth more is in the money. Of a coin: 20 %, and at 125 a fifth.
    assert alone(leg()).numeraire == pytest.approx(20.0)
    assert alone(leg(), 80.0).numeraire == pytest.approx(40.0)
    assert alone(leg("call"), 125.0).coins == pytest.approx(0.4)
    assert alone(leg(size=3.0)).numeraire == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("use", "sell", "buy"),
    [(0.0, 0.2, 0.1), (0.5, 0.2, 0.1), (0.7, 0.6, 0.075), (0.9, 1.0, 0.05), (1.0, 1.0, 0.05)],
)
def test_ratios_follow_the_use_of_the_pool(use, sell, buy):
    assert shipped().sell_ratio_at(use) == pytest.approx(sell)
    assert shipped().buy_ratio_at(use) == pytest.approx(buy)


def test_readings_of_a_strangle():
    halved = replace(shipped(), strangle="halved_ratio")
    for use in (0.0, 0.5):
        assert shipped().sell_ratio_at(use, strangle=True) == halved.sell_ratio_at(use, strangle=True) == 0.1
    assert shipped().sell_ratio_at(0.9, strangle=True) == 1.0
    assert halved.sell_ratio_at(0.9, strangle=True) == 0.5


def test_spread_asks_for_its_loss_or_its_long_leg():
    credit = Position(legs=(leg(), leg(strike=70.0, size=1.0)), partner="spread")
    assert margin_of(credit, 100.0, shipped()).numeraire == pytest.approx(30.0)
    debit = Position(legs=(leg(), leg(strike=120.0, size=1.0)), partner="spread")
    assert margin_of(debit, 100.0, shipped()).numeraire == pytest.approx(12.0)
    calls = Position(legs=(leg("call"), leg("call", strike=125.0, size=1.0)), partner="spread")
    assert margin_of(calls, 100.0, shipped()).coins == pytest.approx(0.2)


@given(st.sampled_from(("put", "call")), st.floats(1.0, 1e4), st.floats(1.0, 1e4))
def test_requirement_rises_with_use_and_ratio(right, strike, price):
    rising = [alone(leg(right, strike=strike, utilisation=u), price) for u in (0.0, 0.5, 0.6, 0.9, 1.0)]
    assert all(a.numeraire + a.coins <= (b.numeraire + b.coins) * (1 + 1e-12) for a, b in pairwise(rising))
    cheap, dear = (
        margin_of(Position(legs=(leg(right, strike=strike),)), price, replace(shipped(), sell_ratio=r))
        for r in (0.0, 1.0)
    )
    assert cheap.numeraire + cheap.coins <= dear.numeraire + dear.coins


ROWS = st.tuples(st.sampled_from(("put", "call")), st.sampled_from((-1.5, -1e-8, 2.0)), st.floats(50, 200))


@given(st.lists(ROWS, max_size=6))
def test_pairing_never_costs_more_and_holds_every_leg(rows):
    legs = [Leg(right=r, strike=k, size=q, utilisation=0.4) for r, q, k in rows]
    found = list(positions_of(legs, 100.0, shipped()))
    together = sum(x.numeraire + x.coins * 100.0 for x in (margin_of(p, 100.0, shipped()) for p in found))
    apart = sum(x.numeraire + x.coins * 100.0 for x in (alone(one) for one in legs))
    assert together <= apart * (1 + 1e-9)
    sizes = [sum(x.size for p in found for x in p.legs if (x.right, x.strike) == (r, k)) for r, _, k in rows]
    assert sizes == pytest.approx([sum(q for s, q, j in rows if (s, j) == (r, k)) for r, _, k in rows])


@pytest.mark.parametrize(
    "broken",
    [
        lambda: leg(strike=0.0),
        lambda: leg(size=math.nan),
        lambda: leg(utilisation=1.1),
        lambda: alone(leg(), 0.0),
        lambda: Position(legs=(leg(), leg()), partner="spread"),
        lambda: Position(legs=(leg("call"), leg()), partner="strangle"),
        lambda: Position(legs=(leg(), leg(strike=90.0, size=2.0)), partner="spread"),
        lambda: Position(legs=()),
        lambda: replace(shipped(), sell_ratio=1.5),
        lambda: replace(shipped(), utilisation_low=0.9),
    ],
)
def test_what_is_no_position_is_refused(broken):
    with pytest.raises(InvalidInput):
        broken()


def test_book_is_read_with_the_dearer_utilisations():
    held = (("BTC-X.V", -1.0), ("BTC-C.V", 2.0), ("ETH-P.V", 1.0))
    found = ask(RULEBOOK, account(*held, collateral={"USDC": 7.0, "SOL": 1.0}, orders=(("BTC-X.V", 1.0),)))
    # The put in full, its strike; the calls a tenth of two coins.
    assert found.initial_usd == pytest.approx(90_000.0 + 20_000.0)
    assert found.equity_usd == 7.0
    assert set(found.refused) == {"ETH-P.V", "order BTC-X.V", "collateral SOL"}
    assert found.certainty == "approximate"
    assert found.terms[0].note == "2 single leg"


def test_empty_account_and_missing_feed():
    assert ask(RULEBOOK, account()).initial_usd == 0.0
    with pytest.raises(MissingFactors, match="BTC"):
        RULEBOOK.evaluate(account(("BTC-X.V", -1.0)), build_snapshot(market(underlying("ETH", 4e3))), shipped())
