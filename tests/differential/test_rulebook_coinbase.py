"""Coinbase International's rates, offsets and haircuts against their plain forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.coinbase import perpetuals as rule
from spec.rulebooks import coinbase_perpetuals as plain

COINS = ("BTC", "ETH", "SOL")


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def portfolios(draw: st.DrawFn) -> list[rule.Position]:
    return [
        rule.Position(
            coin=coin,
            coins=draw(numbers(-1e4, 1e4)),
            vwap=draw(numbers(0.01, 1e5)),
            market=rule.Market(
                base_rate=draw(numbers(0.0, 1.0)),
                risk_parameter=draw(numbers(0.0, 5.0)),
                daily_volume=draw(numbers(1.0, 1e6)),
            ),
        )
        for coin in draw(st.sets(st.sampled_from(COINS)))
    ]


PAIRS = st.lists(st.tuples(st.permutations(COINS), numbers(0.0, 1.0)), max_size=4)


@given(portfolios(), PAIRS, st.sampled_from(("smaller", "both")))
def test_requirements_agree(held, drawn, credit_on):
    pairs = [rule.Offset(first=names[0], second=names[1], rate=x) for names, x in drawn]
    got = rule.margin_of(held, pairs, credit_on=credit_on)
    markets = {p.coin: (p.market.base_rate, p.market.risk_parameter, p.market.daily_volume) for p in held}
    rates = {p.coin: plain.rate(p.coins, *markets[p.coin]) for p in held}
    notionals = {p.coin: p.coins * p.vwap for p in held}
    gross = sum(abs(n) * rates[name] for name, n in notionals.items())
    taken = plain.credit(notionals, rates, [(p.first, p.second, p.rate) for p in pairs], credit_on == "both")
    assert got.initial == pytest.approx(gross - taken, rel=1e-9, abs=1e-6 + 1e-12 * gross)
    assert -1e-6 <= got.initial <= gross * (1 + 1e-12)


@given(
    numbers(0.0, 1e6), numbers(0.01, 1e5), numbers(0.0, 1.0), numbers(0.0, 3.0), numbers(1.0, 1e6), numbers(0.0, 1e6)
)
def test_collateral_agrees(units, price, base, slope, volume, limit):
    terms = rule.Collateral(base_haircut=base, size_parameter=slope, daily_volume=volume, limit=limit)
    expected = plain.value(units, price, base, slope, volume, limit)
    assert rule.collateral_value(units, price, terms) == pytest.approx(expected, rel=1e-12, abs=1e-9)
