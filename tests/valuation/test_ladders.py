"""Trades given by their sensitivities: a Taylor expansion whose every part can be checked by hand."""

import pytest

from crossmargin.core.errors import DuplicateName, InvalidInput, MissingFactors
from crossmargin.instruments.table import build_table
from crossmargin.instruments.terms import Delta, Gamma, Sensitivities
from crossmargin.scenarios.scenario_set import SurfaceRule
from crossmargin.valuation.marks import missing_factors
from tests.strategies import AS_OF_MS
from tests.worlds import flat_surface, market, underlying, unit_pnl

BTC = underlying("BTC", 50_000.0, surface=flat_surface(0.6))
WORLD = market(BTC, underlying("ETH", 2_000.0), underlying("EUR", 1.1))


def ladder(*parts: Delta | Gamma, settle: str = "USD") -> Sensitivities:
    deltas = tuple(p for p in parts if isinstance(p, Delta))
    return Sensitivities(
        id="SWAP-1", settle=settle, deltas=deltas, gammas=tuple(p for p in parts if isinstance(p, Gamma))
    )


def test_a_delta_counts_moves_in_its_unit():
    # 85 USD a basis point times 50 basis points; 1,000 a percent times 10; 7 for a doubling times 0.1.
    for factor, per, amount, move, gain in (
        ("rate:USD", "basis_point", -85.0, 0.005, -4_250.0),
        ("spot:BTC", "percent", 1_000.0, 0.10, 10_000.0),
        ("spot:BTC", "unit", 7.0, 0.10, 0.7),
    ):
        found = unit_pnl(WORLD, ladder(Delta(factor=factor, amount=amount, per=per)), {factor: move})
        assert found == pytest.approx(gain, rel=1e-12)


def test_a_node_moves_with_the_curve_at_its_tenor():
    # Nodes at one and ten years move by 0 and 90 bp: at four years by 30 bp.
    trade = ladder(Delta(factor="rate:USD:4y", amount=10.0, per="basis_point"))
    assert unit_pnl(WORLD, trade, {"rate:USD:1y": 0.0, "rate:USD:10y": 0.009}) == pytest.approx(300.0, rel=1e-12)


def test_a_vol_point_is_a_hundredth_of_volatility():
    # 60 % of volatility up by a tenth is 6 points, each worth 200.
    trade = ladder(Delta(factor="vol:BTC", amount=200.0, per="vol_point"))
    assert unit_pnl(WORLD, trade, {"vol:BTC": 0.1}) == pytest.approx(1_200.0, rel=1e-12)


def test_vega_at_a_tenor_takes_the_shock_of_that_tenor():
    # A 30-day shock of 10 % counts (30/120)^0.5 = half at 120 days: 3 points of the 6.
    rules = {"BTC": SurfaceRule(long_power=0.5)}
    trade = ladder(Delta(factor="vol:BTC:120d", amount=200.0, per="vol_point"))
    assert unit_pnl(WORLD, trade, {"vol:BTC": 0.1}, rules=rules) == pytest.approx(600.0, rel=1e-12)


def test_a_second_derivative_counts_half_its_square():
    trade = ladder(Gamma(factor="spot:BTC", amount=100.0, per="percent"))
    assert unit_pnl(WORLD, trade, {"spot:BTC": 0.10}) == pytest.approx(0.5 * 100.0 * 10.0**2, rel=1e-12)
    named = ladder(Gamma(factor="spot:BTC", other="spot:BTC", amount=100.0, per="percent"))
    assert unit_pnl(WORLD, named, {"spot:BTC": 0.10}) == pytest.approx(0.5 * 100.0 * 10.0**2, rel=1e-12)


def test_a_mixed_derivative_counts_once_in_full():
    # P&L = x·y has mixed derivative 1 and no other: moves of 10 % and −20 % give −0.02, not −0.01.
    trade = ladder(Gamma(factor="spot:BTC", other="spot:ETH", amount=1.0))
    assert unit_pnl(WORLD, trade, {"spot:BTC": 0.1, "spot:ETH": -0.2}) == pytest.approx(-0.02, rel=1e-12)


@pytest.mark.parametrize("again", [("spot:BTC", "spot:ETH"), ("spot:ETH", "spot:BTC")])
def test_a_mixed_derivative_stated_twice_is_refused(again: tuple[str, str]):
    first = Gamma(factor="spot:BTC", other="spot:ETH", amount=1.0)
    with pytest.raises(DuplicateName, match=r"SWAP-1.*spot:BTC/spot:ETH.*unique"):
        build_table([ladder(first, Gamma(factor=again[0], other=again[1], amount=1.0))], now_ns=AS_OF_MS * 1_000_000)


def test_the_result_is_in_the_settlement_asset_at_the_price_of_the_scenario():
    trade = ladder(Delta(factor="rate:USD", amount=100.0, per="basis_point"), settle="EUR")
    # 100 EUR a basis point, ten of them, at 1.1 × 0.9 USD.
    assert unit_pnl(WORLD, trade, {"rate:USD": 0.001, "fx:EUR": -0.1}) == pytest.approx(1_000.0 * 0.99, rel=1e-12)


def test_vol_points_of_a_price_are_refused():
    with pytest.raises(InvalidInput, match=r"SWAP-1: sensitivity is 'rate:USD'.*vol:NAME only"):
        unit_pnl(WORLD, ladder(Delta(factor="rate:USD", amount=1.0, per="vol_point")), {"rate:USD": 0.1})


@pytest.mark.parametrize("name", ["ETH", "SOL"])
def test_vol_points_without_a_surface_are_missing_factors(name: str):
    with pytest.raises(MissingFactors, match=f"vol:{name}"):
        unit_pnl(WORLD, ladder(Delta(factor=f"vol:{name}", amount=1.0, per="vol_point")), {"spot:BTC": 0.1})


def test_the_market_must_hold_every_factor_but_chains():
    from crossmargin.market.build import build_snapshot

    trade = ladder(
        Delta(factor="spot:SOL", amount=1.0),
        Delta(factor="rate:GBP:2y", amount=1.0),
        Delta(factor="chain:eip155:1", amount=1.0),
        Gamma(factor="spot:BTC", other="vol:ETH", amount=1.0),
    )
    snapshot = build_snapshot(WORLD)
    table = build_table([trade], now_ns=snapshot.time_ns)
    assert set(missing_factors(table, snapshot)) == {"spot:SOL", "rate:GBP", "vol:ETH"}
