"""Sets of columns: what a column means does not depend on the others, and what is no scenario is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.scenarios.scenario_set import TAIL, Scenario, ScenarioSet, collect, concat, still
from tests.cases import cases
from tests.strategies import factor_names, few, markets, scenario_columns

TENORS = np.asarray([0.01, 0.25, 1.0, 2.0, 5.0, 12.0, 30.0])


def column(family: str = "price", **shocks: float) -> Scenario:
    return Scenario(label="one", family=family, shocks={k.replace("_", ":"): x for k, x in shocks.items()})


def test_a_column_moves_the_same_curve_beside_any_other():
    short = Scenario(label="short", family="rate", shocks={"rate:USD:2y": 0.01})
    wide = Scenario(label="wide", family="rate", shocks={"rate:USD:1y": -0.01, "rate:USD:10y": 0.02, "rate:USD": 0.005})
    still_rate = Scenario(label="other", family="rate", shocks={"rate:EUR:30y": 0.01})
    together = collect([short, wide, still_rate])
    for j, alone in enumerate((short, wide, still_rate)):
        assert together.shock_at("rate", "USD", TENORS)[:, j] == pytest.approx(
            collect([alone]).shock_at("rate", "USD", TENORS)[:, 0], abs=1e-16
        )
    assert together.shock_at("rate", "USD", TENORS)[:, 0] == pytest.approx(0.01)  # one node moves all tenors
    # 0.005 − 0.01 up to a year, 0.005 + 0.02 from ten, and a line between: at 5.0 y −0.01 + 0.03 · 4/9 + 0.005
    assert together.shock_at("rate", "USD", TENORS)[4, 1] == pytest.approx(0.005 - 0.01 + 0.03 * 4 / 9)


def test_one_node_has_one_spelling():
    with pytest.raises(InvalidInput, match=r"rate:USD:12m.*spelled as rate:USD:1y"):
        collect([column(rate_USD_1y=0.01), column(rate_USD_12m=0.01)])


def test_far_moves_come_last_and_else_the_order_stays():
    names = ["a", TAIL, "b", TAIL, "c"]
    found = collect([Scenario(label=f"{i}", family=name, shocks={}) for i, name in enumerate(names)])
    assert found.labels == ("0", "2", "4", "1", "3")
    assert found.regular == 3


def test_nothing_moves_in_the_still_set():
    assert len(still()) == 1
    assert still().shock.size == 0
    assert (still().horizon_days == 0.0).all()
    assert (still().row("spot:BTC") == 0.0).all()


@pytest.mark.parametrize("factor", ["spot:BTC", "index:SPX", "fx:EUR", "bond:TY", "vol:BTC", "vol:BTC:30d"])
def test_no_price_and_no_vol_falls_to_zero(factor: str):
    with pytest.raises(InvalidInput, match=r"shock of .* -1.0, but must be above −1"):
        collect([Scenario(label="crash", family="price", shocks={factor: -1.0})])
    assert collect([Scenario(label="crash", family="price", shocks={factor: -0.999})])


@pytest.mark.parametrize("factor", ["peg:USDC", "backing:stargate", "chain:eip155:1"])
def test_a_promise_may_fail_whole_but_not_more(factor: str):
    assert collect([Scenario(label="fail", family="price", shocks={factor: -1.0})]).row(factor)[0] == -1.0
    with pytest.raises(InvalidInput, match="fail"):
        collect([Scenario(label="fail", family="price", shocks={factor: -1.0001})])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_refused_by_name(bad: float):
    with pytest.raises(InvalidInput, match="spot:BTC"):
        collect([column(spot_BTC=bad)])
    for field in ("weight", "horizon_days", "damping"):
        with pytest.raises(InvalidInput, match="scenarios: one"):
            collect([Scenario(label="one", family="price", shocks={}, **{field: bad})])


@pytest.mark.parametrize("field", ["weight", "horizon_days", "damping"])
def test_weight_horizon_and_damping_are_not_negative(field: str):
    with pytest.raises(InvalidInput, match="at least zero"):
        collect([Scenario(label="one", family="price", shocks={}, **{field: -0.1})])


def test_an_unknown_kind_is_refused():
    with pytest.raises(UnknownName, match="price:BTC"):
        collect([Scenario(label="one", family="price", shocks={"price:BTC": 0.1})])


@few
@given(st.data())
def test_joined_sets_say_what_each_said(data: st.DataObject):
    market = data.draw(markets())
    parts = [collect(data.draw(scenario_columns(market))[0]) for _ in range(2)]
    both = concat(*parts)
    assert both.regular == sum(part.regular for part in parts)
    order = sorted((is_tail, p, j) for p, part in enumerate(parts) for j, is_tail in enumerate(tails(part)))
    for column, (_, p, j) in enumerate(order):
        part = parts[p]
        assert (both.labels[column], both.families[column]) == (part.labels[j], part.families[j])
        assert (both.horizon_days[column], both.damping[column]) == (part.horizon_days[j], part.damping[j])
        for name in factor_names(market):
            kind, key = name.split(":")
            found, stated = both.shock_at(kind, key, TENORS)[:, column], part.shock_at(kind, key, TENORS)[:, j]
            assert found == pytest.approx(stated, abs=1e-15)


def tails(part: ScenarioSet) -> list[bool]:
    return [family == TAIL for family in part.families]


@few
@given(cases(("spot",)), st.data())
def test_taking_columns_takes_all_of_them(c, data: st.DataObject):
    chosen = sorted(data.draw(st.sets(st.integers(0, len(c.scenarios) - 1), min_size=1)))
    part = c.scenarios.take(np.asarray(chosen))
    assert part.labels == tuple(c.scenarios.labels[i] for i in chosen)
    assert part.hash() == c.scenarios.take(np.asarray(chosen)).hash()
    for factor in c.scenarios.factors:
        assert (part.row(factor) == c.scenarios.row(factor)[chosen]).all()


def test_the_hash_knows_every_part():
    base = Scenario(label="one", family="price", shocks={"spot:BTC": 0.1}, weight=1.0, horizon_days=1.0, damping=0.5)
    changed = [
        {"label": "two"},
        {"family": "joint"},
        {"shocks": {"spot:BTC": 0.2}},
        {"shocks": {"spot:ETH": 0.1}},
        {"weight": 2.0},
        {"horizon_days": 2.0},
        {"damping": 0.6},
    ]
    fields = {name: getattr(base, name) for name in base.__dataclass_fields__}
    hashes = {collect([Scenario(**(fields | change))]).hash() for change in [{}, *changed]}
    assert len(hashes) == 1 + len(changed)
