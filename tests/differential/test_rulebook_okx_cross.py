"""OKX cross mode against its plain form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.okx_cross import accounts as rule
from spec.rulebooks import okx_cross_accounts as plain
from tests.differential.test_rulebook_binance import numbers, tables


@given(st.lists(st.tuples(numbers(0.0, 1e9), tables(), numbers(1.0, 100.0)), max_size=4), numbers(0.0, 1e9))
def test_requirements_agree(held, owed):
    positions = [rule.Position(notional=n, table=t, leverage=x) for n, t, x in held]
    loan = rule.Loan(value=owed, initial_rate=0.1, maintenance_rate=0.02)
    initial, maintenance = rule.margin_of(positions, (loan,))
    expected = owed * 0.02
    for n, t, _ in held:
        floors, rates = zip(*((b.notional_floor, b.maintenance_rate) for b in t.brackets), strict=True)
        expected += plain.maintenance(n, floors, rates)
    assert maintenance == pytest.approx(expected, rel=1e-12)
    assert initial >= owed * 0.1 + sum(n / x for n, _, x in held) * (1 - 1e-12)


@given(numbers(-1e9, 1e9), st.dictionaries(st.integers(1, 10**9), numbers(0.0, 1.0), max_size=5))
def test_discounts_agree(value, drawn):
    tiers = sorted((float(cap), rate) for cap, rate in drawn.items())
    got = rule.discounted(value, [rule.DiscountTier(value_cap=c, rate=r) for c, r in tiers])
    assert got == pytest.approx(plain.discounted(value, tiers), rel=1e-9, abs=1e-6)
    assert got <= max(value, 0.0) * (1 + 1e-12) or value < 0
