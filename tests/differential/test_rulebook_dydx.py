"""dYdX v4 against exact fractions."""

from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.dydx import perpetuals as rule
from spec.rulebooks import dydx_perpetuals as plain

PPMS = st.integers(0, 10**6)


@st.composite
def tiers(draw: st.DrawFn) -> rule.Tier:
    lower, upper = sorted(draw(st.tuples(st.integers(0, 10**15), st.integers(0, 10**15))))
    return rule.Tier(
        initial_ppm=draw(PPMS),
        maintenance_fraction_ppm=draw(PPMS),
        open_interest_lower_cap=draw(st.sampled_from((0, lower))),
        open_interest_upper_cap=draw(st.sampled_from((upper, lower))),
    )


@st.composite
def positions(draw: st.DrawFn) -> rule.Position:
    return rule.Position(
        base_quantums=draw(st.integers(-(10**20), 10**20) | st.integers(-3, 3)),
        price=draw(st.integers(1, 10**12)),
        price_exponent=draw(st.integers(-12, 3)),
        base_exponent=draw(st.integers(-12, 0)),
        tier=draw(st.sampled_from((rule.Tier(initial_ppm=20_000, maintenance_fraction_ppm=600_000),)) | tiers()),
        open_interest=draw(st.integers(0, 10**20)),
        custom_initial_ppm=draw(st.just(0) | PPMS),
    )


@given(st.lists(positions(), max_size=5), st.integers(-(10**18), 10**18))
def test_every_integer_agrees(held, balance):
    net, initial, maintenance = balance, 0, 0
    for p in held:
        place = (p.price, p.price_exponent, p.base_exponent)
        own = plain.notional(p.base_quantums, *place)
        tier, of_all = p.tier, plain.notional(p.open_interest, *place)
        caps = (tier.open_interest_lower_cap, tier.open_interest_upper_cap)
        scaled = plain.fraction(tier.initial_ppm, of_all, *caps)
        margins = plain.margin(abs(own), tier.initial_ppm, scaled, p.custom_initial_ppm, tier.maintenance_fraction_ppm)
        assert rule.position_margin(p) == margins
        net, initial, maintenance = net + own, initial + margins[0], maintenance + margins[1]
    risk = rule.margin_of(rule.Portfolio(quote_balance=balance, positions=tuple(held)))
    assert (risk.net_collateral, risk.initial, risk.maintenance) == (net, initial, maintenance)
