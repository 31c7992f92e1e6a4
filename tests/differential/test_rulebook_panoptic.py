"""Panoptic's legs and pairs against the plain twin, and pairing against trying everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.panoptic.account import RULEBOOK, positions_of
from crossmargin.margin.rulebooks.panoptic.collateral import Leg, Position, margin_of
from spec.rulebooks import panoptic_collateral as plain
from spec.rulebooks.opyn_gamma import least_matching

PRICES, USES, SIZES = st.floats(1.0, 1e5), st.floats(0.0, 1.0), st.floats(1e-6, 1e6)
RIGHTS = st.sampled_from(("put", "call"))


def shipped():
    return RULEBOOK.load(RULEBOOK.dates()[-1])


def asked(position: Position, price: float) -> float:
    found = margin_of(position, price, shipped())
    return found.numeraire + found.coins * price


@given(RIGHTS, PRICES, PRICES, SIZES, USES)
def test_single_legs(right, strike, price, size, use):
    terms = {"put": right == "put", "strike": strike, "size": size, "price": price, "utilisation": use}
    for sign, rule in ((-1.0, plain.short), (1.0, plain.long)):
        leg = Leg(right=right, strike=strike, size=sign * size, utilisation=use)
        assert asked(Position(legs=(leg,)), price) == pytest.approx(rule(**terms), rel=1e-12)


@given(RIGHTS, PRICES, PRICES, PRICES, SIZES, USES, USES)
def test_spreads(right, short_strike, long_strike, price, size, short_use, long_use):
    short = Leg(right=right, strike=short_strike, size=-size, utilisation=short_use)
    long = Leg(right=right, strike=long_strike, size=size, utilisation=long_use)
    expected = plain.spread(
        put=right == "put",
        short_strike=short_strike,
        long_strike=long_strike,
        size=size,
        price=price,
        long_use=long_use,
    )
    got = asked(Position(legs=(short, long), partner="spread"), price)
    assert got == pytest.approx(expected, rel=1e-9)


@given(PRICES, PRICES, PRICES, SIZES, USES)
def test_strangles(put_strike, call_strike, price, size, use):
    put = Leg(right="put", strike=put_strike, size=-size, utilisation=use)
    call = Leg(right="call", strike=call_strike, size=-size, utilisation=use)
    shared = {"size": size, "price": price, "utilisation": use, "strangle": True}
    expected = plain.short(put=True, strike=put_strike, **shared) + plain.short(put=False, strike=call_strike, **shared)
    assert asked(Position(legs=(put, call), partner="strangle"), price) == pytest.approx(expected, rel=1e-12)


LEGS = st.builds(
    Leg, right=RIGHTS, strike=st.floats(50.0, 200.0), size=st.sampled_from((-2.0, -1.0, 1.0, 2.0)), utilisation=USES
)


@given(st.lists(LEGS, max_size=5))
def test_pairing_is_the_cheapest_of_all(legs):
    found = sum(asked(p, 100.0) for p in positions_of(legs, 100.0, shipped()))
    units = [Leg(right=x.right, strike=x.strike, size=x.size / abs(x.size), utilisation=x.utilisation) for x in legs]
    alone = [asked(Position(legs=(x,)), 100.0) for x in units]
    pairs = {}
    for i, a in enumerate(units):
        for j, b in enumerate(units):
            if a.right == b.right and a.size < 0.0 < b.size:
                pairs[i, j] = asked(Position(legs=(a, b), partner="spread"), 100.0)
            if (a.right, b.right) == ("put", "call") and max(a.size, b.size) < 0.0:
                pairs[i, j] = asked(Position(legs=(a, b), partner="strangle"), 100.0)
    amounts = tuple(int(abs(x.size)) for x in legs)
    assert found == pytest.approx(least_matching(amounts, alone, pairs), rel=1e-9)
