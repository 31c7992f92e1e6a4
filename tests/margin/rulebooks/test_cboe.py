"""Strategy margin: reference cases, sums by hand, what pairing may never do, and books."""

from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings

from crossmargin.adapters.vectors_cboe import read_cboe
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.terms import Option, Spot
from crossmargin.margin.rulebooks.cboe.portfolio import OptionLeg, Portfolio, ShareLeg
from crossmargin.margin.rulebooks.cboe.strategy import RULEBOOK, margin_of
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Order, Position
from tests.margin.rulebooks.accounts import account, ask
from tests.margin.rulebooks.cboe_books import portfolios, shipped
from tests.strategies import AS_OF_MS, DAY_MS
from tests.worlds import flat_surface, market, underlying

replace = msgspec.structs.replace


def leg(right: str, strike: object, price: object, quantity: int, days: int = 30) -> OptionLeg:
    return OptionLeg(
        right=right, strike=Decimal(str(strike)), price=Decimal(str(price)), quantity=quantity, days=days
    )  # fmt: skip


def desk(spot: object, *legs: OptionLeg, shares: tuple[ShareLeg, ...] = (), **more) -> Portfolio:
    return Portfolio(underlying=Decimal(str(spot)), options=legs, shares=shares, **more)


def names(pairing) -> list[tuple[int, str]]:
    return sorted((p.count, p.name) for p in pairing.strategies)


def test_reference_cases_hold(shared):
    cases = list(read_cboe(shared / "vectors/cboe_margin_rules"))
    assert len(cases) >= 15
    for case in cases:
        assert all(c.passed for c in case.check()), (case.name, case.check())


def test_short_put_by_hand():
    # 20 % of 50 less 4 out of the money is 6, above 10 % of 46; with the premium 7.25 a share.
    found = margin_of(desk(50, leg("put", 46, "1.25", -3)), shipped())
    assert found.initial.requirement == 3 * 725
    assert found.initial.deposit == 3 * 600
    assert found.cash is not None
    assert found.cash.requirement == 3 * (4600 - 125)


def test_rounds_a_share_to_the_cent_half_to_even():
    # 10 % of 20.05 is 2.005, above 20 % less 5 out of the money: 2.00 a share, not 2.01.
    assert margin_of(desk("20.05", leg("call", 26, 0, -1)), shipped()).initial.requirement == 200


def test_leverage_stops_at_all_of_the_underlying():
    found = margin_of(desk(100, leg("call", 100, 2, -1), leverage=Decimal(9)), shipped())
    assert found.initial.requirement == 10_200


@pytest.mark.parametrize(("days", "part"), [(273, "1"), (274, "0.75")])
def test_nine_months(days: int, part: str):
    found = margin_of(desk(100, leg("put", 100, 10, 1, days)), shipped())
    assert found.initial.requirement == 1000 * Decimal(part)


def test_spread_too_wide_costs_its_short_leg():
    # Greatest loss 9,000; the short put alone asks 20 % of 100 = 2,000 above its premium. The long costs 10.
    found = margin_of(desk(100, leg("put", 100, 3, -1), leg("put", 10, "0.1", 1)), shipped())
    assert found.initial.requirement == 2_000 + 10
    assert names(found.initial) == [(1, "put spread at the short's requirement")]


def test_long_that_expires_first_protects_nothing():
    apart = margin_of(desk(100, leg("put", 100, 3, -1, 60), leg("put", 95, 1, 1, 30)), shipped())
    assert apart.initial.requirement == 2_300 + 100
    covered = margin_of(desk(100, leg("put", 100, 3, -1, 60), leg("put", 95, 1, 1, 60)), shipped())
    assert covered.initial.requirement == 500 - 200
    assert names(covered.initial) == [(1, "put spread")]


def test_straddle_takes_the_greater_side_with_its_premium():
    # Put 10 + 13 = 23 (17 out of 30 - 7), call 1 + 20 = 21: the put side, and the call's premium, though 20 > 13.
    found = margin_of(desk(100, leg("put", 93, 10, -1), leg("call", 100, 1, -1)), shipped())
    assert found.initial.requirement == 2_400
    assert names(found.initial) == [(1, "short strangle")]


@pytest.mark.parametrize(
    ("legs", "name", "requirement"),
    [
        # Short box: 20 owed whatever happens, less 21 received.
        ([("call", 90, 15, -1), ("call", 110, 4, 1), ("put", 110, 14, -1), ("put", 90, 4, 1)], "box", -100),
        # Long box: paid, and nothing to lose.
        ([("call", 90, 15, 1), ("call", 110, 4, -1), ("put", 110, 14, 1), ("put", 90, 4, -1)], "box", 2_100),
        # Short butterfly: 5 lost in the middle, 1 received.
        ([("call", 95, 8, -1), ("call", 100, 5, 2), ("call", 105, 3, -1)], "call butterfly", 400),
        ([("put", 95, 2, 1), ("put", 100, 4, -1), ("call", 100, 4, -1), ("call", 105, 2, 1)], "iron butterfly", 100),
        ([("put", 90, 1, 1), ("put", 95, 2, -1), ("put", 100, 4, -1), ("put", 105, 7, 1)], "put condor", 200),
        ([("call", 100, 5, -1), ("call", 100, 6, 1)], "call spread", 100),
    ],
)
def test_named_spreads_by_hand(legs, name: str, requirement: int):
    found = margin_of(desk(100, *(leg(*one) for one in legs)), shipped())
    assert found.initial.requirement == requirement
    assert names(found.initial) == [(1, name)]


def test_best_pairing_beats_the_nearest_one():
    """Each short with its nearest long leaves a naked call; the search gives the shares to the right one.

    Long 100 shares; short calls 95 and 120; long call 100. Shares cover either short. Shares with 95: 5,000, and the
    120 with the 100: no loss, 300 paid. Shares with 120 and 95 with 100: 5,000 + 500 + 300.
    """
    shares = (ShareLeg(price=Decimal(100), quantity=100),)
    legs = (leg("call", 95, 6, -1), leg("call", 120, 1, -1), leg("call", 100, 3, 1))
    found = margin_of(desk(100, *legs, shares=shares), shipped())
    assert found.initial.gross == 5_000 + 300
    assert names(found.initial) == [(1, "call spread"), (1, "covered call")]


def test_hedged_shares_are_maintained_by_strike():
    shares = (ShareLeg(price=Decimal(90), quantity=100),)
    put, call = leg("put", 100, 4, 1), leg("call", 100, 5, -1)
    # 10 % of 100, nothing out of the money, and the put.
    assert margin_of(desk(100, put, shares=shares), shipped()).maintenance.gross == 1_000 + 400
    conversion = margin_of(desk(100, put, call, shares=shares), shipped())
    assert names(conversion.maintenance) == [(1, "conversion")]
    assert conversion.maintenance.gross == 1_000 + 400
    assert conversion.initial.gross == 4_500 + 400
    # Collar 95/110 at 112: lesser of 9.5 + 17 and 25 % of 110; 2 in the money; the put.
    collar = margin_of(desk(112, leg("put", 95, 1, 1), leg("call", 110, 5, -1), shares=shares), shipped())
    assert collar.maintenance.gross == 2_650 + 200 + 100


def test_cheap_shorts_cost_a_minimum():
    short = (ShareLeg(price=Decimal(2), quantity=-100),)
    assert margin_of(desk(2, shares=short), shipped()).maintenance.gross == 100 * (Decimal(2) + Decimal("2.5"))
    assert margin_of(desk(6, shares=short), shipped()).maintenance.gross == 100 * (6 + 5)
    assert margin_of(desk(6, shares=short), shipped()).cash is None


@given(portfolios(), portfolios())
@settings(max_examples=60)
def test_together_never_costs_more_than_apart(a: Portfolio, b: Portfolio):
    b = replace(b, underlying=a.underlying, kind=a.kind, leverage=a.leverage)
    both = replace(a, options=a.options + b.options, shares=a.shares + b.shares)
    apart = [margin_of(p, shipped()) for p in (a, b)]
    found = margin_of(both, shipped())
    assert found.initial.gross <= sum(x.initial.gross for x in apart)
    assert found.maintenance.gross <= sum(x.maintenance.gross for x in apart)


@given(portfolios())
@settings(max_examples=60)
def test_requirement_rises_with_every_rate(portfolio: Portfolio):
    base = shipped()
    for part, name in [("short_option", "equity"), ("short_option", "minimum"), ("shares", "maintenance_long")]:
        rates = getattr(base, part)
        steps = [replace(base, **{part: replace(rates, **{name: Decimal(x)})}) for x in ("0", "0.2", "1")]
        found = [margin_of(portfolio, p) for p in steps]
        assert all(x.initial.gross <= y.initial.gross for x, y in pairwise(found))
        assert all(x.maintenance.gross <= y.maintenance.gross for x, y in pairwise(found))


@given(portfolios())
@settings(max_examples=40)
def test_order_of_legs_changes_nothing(portfolio: Portfolio):
    turned = replace(portfolio, options=portfolio.options[::-1], shares=portfolio.shares[::-1])
    assert margin_of(turned, shipped()).initial.gross == margin_of(portfolio, shipped()).initial.gross


def test_many_contracts_are_paired_exactly():
    legs = [leg(r, 80 + i, 1 + i % 7, (-1) ** i * (1000 + i), 30 + i % 3) for i in range(30) for r in ("call", "put")]
    found = margin_of(desk(100, *legs), shipped()).initial
    used = [0] * len(legs)
    for p in found.strategies:
        for i, n in p.legs:
            used[i] += n * p.count
    assert used == [abs(x.quantity) for x in legs]


def test_a_million_contracts_cost_a_million_times_one():
    legs = [("put", 90, 1, 1), ("put", 95, 2, -1), ("call", 105, 3, -1), ("call", 110, 1, 1)]
    one, many = (margin_of(desk(100, *(leg(r, k, p, q * n) for r, k, p, q in legs)), shipped()) for n in (1, 10**6))
    assert many.initial.requirement == 10**6 * one.initial.requirement == 10**6 * 200
    assert names(many.initial) == [(10**6, "iron condor")]


def test_nothing_costs_nothing():
    found = margin_of(desk(100, leg("call", 100, 1, 0)), shipped())
    assert (found.initial.gross, found.initial.strategies) == (0, ())


@pytest.mark.parametrize(
    "broken",
    [
        lambda: leg("call", 0, 1, 1),
        lambda: leg("call", "NaN", 1, 1),
        lambda: leg("call", 100, -1, 1),
        lambda: leg("call", 100, 1, 10**9),
        lambda: leg("call", 100, 1, 1, -1),
        lambda: desk("Infinity"),
        lambda: desk(100, leverage=Decimal(0)),
        lambda: replace(shipped(), long_term_rate=Decimal("1.5")),
    ],
)
def test_numbers_out_of_range_are_refused(broken):
    with pytest.raises(InvalidInput):
        broken()


EXPIRY = AS_OF_MS + 90 * DAY_MS


def listed(right: str, strike: float, **more) -> Option:
    fields = {"id": f"SPX-{right}-{strike:g}.V", "underlying": "SPX", "payout": "linear", "settle": "USD"}
    fields |= {"expiry": EXPIRY, "strike": strike, "right": right, "multiplier": 100.0}
    return Option(**(fields | more))


def answer(*positions: tuple[str, float], cash: float = 0.0, orders: tuple[Order, ...] = ()):
    index = underlying("SPX", 6_000.0, surface=flat_surface(0.2))
    snapshot = build_snapshot(market(index, assets=(doc.Asset(name="USDC", reference="USD"),)))
    instruments = (
        listed("put", 5_800.0),
        listed("put", 5_900.0),
        listed("call", 6_100.0, premium="futures"),
        Spot(id="USDC-S.V", asset="USDC"),
    )
    held = tuple(Position(instrument=name, quantity=q) for name, q in positions)
    one = Account(
        id="a",
        groups=(Group(id="g", mode="cross", positions=held, orders=orders),),
        collateral=(Holding(asset="USD", amount=cash),),
    )
    book = build_book(BookDocument(accounts=(one,), instruments=instruments), now_ns=snapshot.time_ns)
    return RULEBOOK.evaluate(book, snapshot, shipped())


def test_book_of_an_index_spread():
    found = answer(("SPX-put-5900.V", -2), ("SPX-put-5800.V", 2), cash=50_000.0)
    long = found.equity_usd - 50_000.0  # the value of the long puts
    assert found.initial_usd == pytest.approx(2 * 10_000 + long)
    assert found.terms[0].note == "2 x put spread"
    assert not found.refused


def test_what_is_not_listed_is_refused_by_name():
    found = answer(("SPX-call-6100.V", -1), ("SPX-put-5800.V", -0.5), ("USDC-S.V", 5.0), cash=-10.0)
    assert found.refused == ("SPX-call-6100.V", "SPX-put-5800.V", "collateral USDC")
    assert (found.initial_usd, found.equity_usd) == (0, -10.0)


def test_coins_are_not_listed():
    found = ask(RULEBOOK, account(("BTC-P.V", 1.0), ("BTC-C.V", -1.0), orders=(("BTC-X.V", 1.0),)))
    assert set(found.refused) == {"BTC-C.V", "BTC-P.V", "order BTC-X.V"}
    assert found.initial_usd == 0.0
