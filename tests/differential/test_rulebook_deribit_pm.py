"""Deribit's portfolio margin against its plain form: one bucket, one contract at a time, under every reading."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.deribit_pm.account import Portfolio, cross_margin_of, margin_of
from crossmargin.margin.rulebooks.deribit_pm.evaluating import SEGREGATED
from crossmargin.margin.rulebooks.deribit_pm.parameters import Parameters, Readings
from spec.rulebooks import deribit_pm as plain
from tests.margin.rulebooks.scan_units import risk_units

replace = msgspec.structs.replace
SHIPPED = SEGREGATED.load("2026-02-15")


@st.composite
def parameters(draw: st.DrawFn) -> Parameters:
    """The shipped set with small dampeners and thresholds, so that every part is felt, under any reading."""
    pairs = {
        coin: replace(
            pair,
            price_range=draw(st.sampled_from((0.16, 0.4))),
            volatility_range_up=draw(st.sampled_from((0.0, 0.5))),
            min_volatility_for_shock_up=draw(st.sampled_from((0.0, 0.5))),
            delta_total_liq_shock_threshold=draw(st.sampled_from((0.0, 1e3))),
            m_inc=draw(st.sampled_from((0.00005, 0.01))),
        )
        for coin, pair in SHIPPED.pairs.items()
    }
    rows = {
        name: replace(
            row,
            extended_dampener=draw(st.sampled_from((0.0, 10.0, 25_000.0))),
            pnl_offset=draw(st.sampled_from((0.0, 0.6))),
            max_offsetable_pnl=draw(st.sampled_from((0.0, 100.0, 1e6))),
            haircut=draw(st.sampled_from((0.0, 0.2))),
            equity_side_impact=draw(st.sampled_from(("both", "long", "short", "none"))),
        )
        for name, row in SHIPPED.currencies.items()
    }
    return replace(SHIPPED, pairs=pairs, currencies=rows, readings=draw(readings()))


def readings() -> st.SearchStrategy[Readings]:
    return st.builds(
        Readings,
        vol_floor=st.sampled_from(("shocked volatility", "base volatility")),
        roll_form=st.sampled_from(("linear", "exponential")),
        extended_coins=st.sampled_from(("at the edge", "at the move")),
        delta_shock=st.sampled_from(("uncovered delta", "none")),
        linear_row=st.sampled_from(("coin", "dollar")),
        offset_cap=st.sampled_from(("before the offset", "after the offset")),
        open_orders=st.sampled_from(("worst fill", "none")),
        correlation_contingency=st.sampled_from((0.0, 0.5, 1.0)),
    )


@settings(max_examples=60, deadline=None)
@given(risk_units("BTC"), risk_units("ETH"), parameters(), st.sampled_from((0.0, 2.5, -4.0)))
def test_accounts_apart_and_cross(btc, eth, rules, amount):
    units, equity = (btc, eth), {"BTC": amount, "ETH": -amount}
    terms, held = msgspec.to_builtins(rules), [msgspec.to_builtins(u) for u in units]
    size = sum(
        (abs(leg.quantity) + leg.buys + leg.sells) * max(u.index, getattr(leg, "strike", 0.0))
        for u in units
        for leg in u.legs
    )
    near = 1e-9 * (1.0 + size)
    apart = margin_of(Portfolio(units=units), rules)
    assert (apart.initial, apart.maintenance) == pytest.approx(plain.segregated(held, terms), rel=1e-9, abs=near)
    cross = cross_margin_of(Portfolio(units=units, equity=equity), rules)
    assert (cross.initial, cross.maintenance) == pytest.approx(plain.cross(held, equity, terms), rel=1e-9, abs=near)
    for account in cross.accounts:
        for found in account.units:
            u = next(u for u in units if u.coin == found.coin)
            legs = [*msgspec.to_builtins(u)["linear"], *msgspec.to_builtins(u)["options"]]
            if not amount:
                row = terms["currencies"][u.coin]
                expected = plain.unit(u.index, u.coin, legs, row, terms, False)
                assert found.pnl == pytest.approx(expected["pnl"], rel=1e-9, abs=near)
                assert found.counted == pytest.approx(expected["counted"], rel=1e-9, abs=near)
