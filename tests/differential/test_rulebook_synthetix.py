"""Synthetix v3 with 18 decimals against exact fractions."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.synthetix import perpetuals as rule
from spec.rulebooks import synthetix_perpetuals as plain

U = rule.UNIT


def decimals(low: float, high: float) -> st.SearchStrategy[int]:
    return st.integers(int(low * U), int(high * U))


def exact(struct) -> dict[str, Fraction]:
    return {name: Fraction(getattr(struct, name), U) for name in struct.__struct_fields__}


@st.composite
def positions(draw: st.DrawFn) -> rule.Position:
    market = rule.Market(
        skew_scale=draw(decimals(1e3, 1e7)),
        initial_ratio=draw(decimals(0, 10)),
        initial_ratio_min=draw(decimals(0, 0.5)),
        maintenance_scalar=draw(decimals(0, 1)),
        position_margin_min=draw(decimals(0, 100)),
        flag_ratio=draw(decimals(0, 0.01)),
        maker_fee=draw(decimals(1e-4, 1e-2)),
        taker_fee=draw(decimals(1e-4, 1e-2)),
        limit_multiplier=draw(decimals(0.1, 3)),
        window_seconds=draw(st.integers(1, 100)),
    )
    size = draw(st.just(0) | decimals(-1e4, 1e4))
    return rule.Position(market=market, size=size, price=draw(decimals(0.01, 1e5)))


@st.composite
def tokens(draw: st.DrawFn) -> rule.Collateral:
    low, high = sorted((draw(decimals(0, 1)), draw(decimals(0, 1))))
    return rule.Collateral(
        amount=draw(decimals(0, 1e4)),
        price=draw(decimals(0.01, 1e5)),
        skew_scale=draw(st.just(0) | decimals(1, 1e6)),
        scalar=draw(decimals(0, 10)),
        discount_min=low,
        discount_max=high,
    )


@st.composite
def rewards(draw: st.DrawFn) -> rule.Rewards:
    names = {"reward_min": 50, "reward_max": 1e4, "profit_ratio_min": 1, "margin_ratio_max": 1, "collateral_ratio": 1}
    return rule.Rewards(cost=draw(decimals(0, 20)), **{name: draw(decimals(0, top)) for name, top in names.items()})


@given(st.lists(positions(), max_size=4), st.lists(tokens(), max_size=3), rewards(), decimals(-1e6, 1e6))
def test_requirements_agree(held, owned, terms, pnl):
    account = rule.Portfolio(positions=tuple(held), collateral=tuple(owned), pnl=pnl, rewards=terms)
    got = rule.margin_of(account)
    margins = [plain.margins(Fraction(p.size, U), Fraction(p.price, U), exact(p.market)) for p in held]
    values = [plain.collateral(*exact(c).values()) for c in owned]
    available = sum(values, Fraction(0)) + Fraction(pnl, U)
    paid = Fraction(0)
    open_positions = [p for p in held if p.size]
    if open_positions:
        flagged = sum(Fraction(abs(p.size) * p.price * p.market.flag_ratio, U**3) for p in open_positions)
        secured = sum(values, Fraction(0)) * Fraction(terms.collateral_ratio, U)
        steps = max(_windows(p) for p in open_positions)
        paid = plain.reward(flagged, secured, available, steps, exact(terms))
    for whole, parts in ((got.initial, [x for x, _ in margins]), (got.maintenance, [x for _, x in margins])):
        wanted = float(sum(parts, paid))
        # Each cut loses less than 10⁻¹⁸ of its factor; a whole window more or less would be seen.
        assert abs(whole / U - wanted) <= 1e-9 * (1.0 + abs(wanted))
    assert abs(got.available / U - float(available)) <= 1e-9 * (1.0 + abs(float(available)))


def _windows(p: rule.Position) -> int:
    m = p.market
    fees = [Fraction(m.maker_fee, U), Fraction(m.taker_fee, U)]
    scales = (Fraction(m.skew_scale, U), Fraction(m.limit_multiplier, U))
    return plain.windows(Fraction(p.size, U), fees, *scales, m.window_seconds)
