"""Brackets and uniMMR against their plain forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.binance import unified as rule
from crossmargin.margin.rulebooks.brackets import Bracket, BracketTable, bracket_maintenance, whole_maintenance
from spec.rulebooks import binance_unified as plain


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def tables(draw: st.DrawFn) -> BracketTable:
    floors = [0.0, *sorted(draw(st.sets(st.integers(1, 10**8), max_size=11)))]
    rates = sorted(draw(numbers(0.0, 1.0)) for _ in floors)
    levels = sorted((draw(numbers(1.0, 125.0)) for _ in floors), reverse=True)
    return BracketTable(
        brackets=tuple(
            Bracket(notional_floor=float(f), maintenance_rate=r, leverage_max=x)
            for f, r, x in zip(floors, rates, levels, strict=True)
        )
    )


def marginal(table: BracketTable, notional: float) -> float:
    columns = zip(*((b.notional_floor, b.maintenance_rate) for b in table.brackets), strict=True)
    floors, rates = columns
    return plain.marginal(notional, floors, rates)


@given(tables(), numbers(0.0, 1e9))
def test_deductions_are_marginal_rates(table, notional):
    assert bracket_maintenance(table, notional) == pytest.approx(marginal(table, notional), rel=1e-9, abs=1e-6)
    assert whole_maintenance(table, notional) >= bracket_maintenance(table, notional) - 1e-6


@st.composite
def balances(draw: st.DrawFn) -> rule.Balance:
    amounts = {name: draw(numbers(-1e6, 1e6)) for name in ("margin", "futures", "unrealised")}
    owed = {name: draw(st.just(0.0) | numbers(0.0, 1e6)) for name in ("loan", "open_loss")}
    rates = {name: draw(numbers(0.0, 1.0)) for name in ("collateral_rate", "loan_rate")}
    return rule.Balance(asset="A", index=draw(numbers(0.01, 1e5)), **amounts, **owed, **rates)


@given(
    st.lists(balances(), max_size=4),
    st.lists(st.tuples(numbers(-1e9, 1e9), tables(), numbers(0.5, 2.0)), max_size=4),
    st.booleans(),
)
def test_ratios_agree(held, sized, pro):
    positions = tuple(rule.Position(symbol="S", notional=n, table=t, index=i) for n, t, i in sized)
    got = rule.margin_of(rule.Portfolio(balances=tuple(held), positions=positions, pro=pro))
    equity = sum(plain.equity(b.net, b.index, b.collateral_rate) for b in held)
    losses = 0.0 if pro else sum(b.open_loss * b.index for b in held)
    owed = sum(b.loan * b.loan_rate * b.index for b in held)
    owed += sum(marginal(t, abs(n)) * i for n, t, i in sized)
    assert got.equity == pytest.approx(equity, rel=1e-9, abs=1e-3)
    assert got.adjusted_equity == pytest.approx(equity - losses, rel=1e-9, abs=1e-3)
    assert got.maintenance == pytest.approx(owed, rel=1e-9, abs=1e-3)
