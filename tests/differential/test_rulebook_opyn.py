"""Gamma's vaults and auctions against exact fractions; pairing against trying everything."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.matching import Pair, cheapest_pairs
from crossmargin.margin.rulebooks.opyn.account import RULEBOOK
from crossmargin.margin.rulebooks.opyn.fixed_point import ONE
from crossmargin.margin.rulebooks.opyn.gamma import Auction, Vault, liquidation_price, margin_of
from spec.rulebooks import opyn_gamma as plain

TOKEN = 10**8
AMOUNTS = st.integers(0, 10**15) | st.integers(0, 3)
PRICES = st.integers(1, 10**14)
SIDES = st.sampled_from(("put", "call"))
SECONDS = st.integers(1, 56 * 86_400) | st.sampled_from([d * 86_400 + s for d in (7, 14, 28, 42) for s in (0, 1)])


def shipped():
    return RULEBOOK.load(RULEBOOK.dates()[-1])


@given(SIDES, AMOUNTS, PRICES, PRICES, SECONDS, st.integers(0, 10**18), st.sampled_from((6, 8, 18)))
def test_naked_vault(right, short, strike, spot, seconds, collateral, decimals):
    vault = Vault(
        kind="naked",
        right=right,
        short=short,
        short_strike=strike,
        seconds_to_expiry=seconds,
        spot=spot,
        collateral=collateral,
        decimals=decimals,
    )
    found, p = margin_of(vault, shipped()), shipped()
    expected = plain.naked(
        put=right == "put",
        size=Fraction(short, TOKEN),
        strike=Fraction(strike, TOKEN),
        spot=Fraction(spot, TOKEN),
        shock=Fraction(p.spot_shock),
        a=plain.bound(seconds, [(t.days, Fraction(t.upper_bound)) for t in p.tenors]),
    )
    assert found.required == expected * ONE
    balance = Fraction(collateral, 10**decimals) - expected
    assert found.excess == max(balance, 0) * 10**decimals // 1
    assert found.deficit == -(min(balance, 0) * 10**decimals // 1)


@given(SIDES, AMOUNTS, PRICES, AMOUNTS, PRICES)
def test_full_vault(right, short, strike, long, other):
    vault = Vault(
        kind="full",
        right=right,
        short=short,
        short_strike=strike,
        seconds_to_expiry=1,
        spot=1,
        long=long,
        long_strike=other if long else 0,
    )
    sizes = {name: Fraction(x, TOKEN) for name, x in (("short", short), ("strike", strike), ("long", long))}
    expected = plain.full(put=right == "put", other=Fraction(vault.long_strike, TOKEN), **sizes)
    assert margin_of(vault, shipped()).required == expected * ONE


@given(SIDES, st.integers(1, 10**12), PRICES, PRICES, st.integers(0, 10**14), st.integers(0, 4000))
def test_auction(right, short, strike, spot, collateral, elapsed):
    vault = Vault(
        kind="naked",
        right=right,
        short=short,
        short_strike=strike,
        seconds_to_expiry=1,
        spot=spot,
        collateral=collateral,
    )
    deviation = Decimal("0.05")
    found = liquidation_price(vault, Auction(elapsed_s=elapsed, length_s=3600, oracle_deviation=deviation))
    expected = plain.auction_price(
        put=right == "put",
        strike=Fraction(strike, TOKEN),
        spot=Fraction(spot, TOKEN),
        collateral=Fraction(collateral, 10**6),
        debt=Fraction(short, TOKEN),
        deviation=Fraction(deviation),
        elapsed=Fraction(elapsed, 3600),
    )
    # The protocol cuts the product with the elapsed seconds before it divides: one unit of 10⁻²⁷ at most.
    assert abs(found - expected * 10**6 // 1) <= (1 if elapsed < 3600 else 0)


@st.composite
def matchings(draw: st.DrawFn):
    shorts, longs = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    amounts = tuple(draw(st.lists(st.integers(0, 2), min_size=shorts + longs, max_size=shorts + longs)))
    costs = st.integers(0, 1000)
    alone = [float(draw(costs)) if i < shorts else 0.0 for i in range(shorts + longs)]
    ends = [(i, j) for i in range(shorts) for j in range(shorts, shorts + longs)]
    return amounts, alone, {ends_: float(draw(costs)) for ends_ in ends if draw(st.booleans())}


@given(matchings(), st.sampled_from((1, 10**9)))
def test_pairing_is_the_cheapest_of_all(case, unit):
    amounts, alone, costs = case
    pairs = [Pair(first=i, second=j, cost=cost) for (i, j), cost in costs.items()]
    left, made = cheapest_pairs([n * unit for n in amounts], alone, pairs)
    total = sum(n * c for n, c in zip(left, alone, strict=True)) + sum(
        n * p.cost for n, p in zip(made, pairs, strict=True)
    )
    assert total == pytest.approx(unit * plain.least_matching(amounts, alone, costs))
    used = list(left)
    for p, n in zip(pairs, made, strict=True):
        used[p.first] += n
        used[p.second] += n
    assert used == [n * unit for n in amounts]
