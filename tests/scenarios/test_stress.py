"""Named shocks: what a pattern reaches, and what a user wrote is never cut."""

import pytest

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.scenarios.document import NamedShock, StressDocument
from crossmargin.scenarios.stress import DEEPEST, Cut, build_stress, pick, restrict, spot_vol_grid
from tests.worlds import flat_surface, market, underlying

WORLD = build_snapshot(
    market(
        underlying("BTC", 5e4, surface=flat_surface(0.6)),
        underlying("ETH", 2e3, surface=flat_surface(0.7)),
        underlying("SPX", 5e3),
        assets=(
            doc.Asset(name="USDC", reference="USD", backing="stargate"),
            doc.Asset(name="BTC", reference="BTC"),
            doc.Asset(name="ETH", reference="ETH"),
        ),
    )
)


def stress(**shocks: float) -> StressDocument:
    named = {name.replace("__", ":").replace("all", "*"): move for name, move in shocks.items()}
    return StressDocument(scenarios=(NamedShock(label="one", shocks=named, horizon_days=2.0),), name="mine")


def moves(document: StressDocument) -> dict[str, float]:
    found = build_stress(document, WORLD)
    return {factor: float(found.shock[i, 0]) for i, factor in enumerate(found.factors)}


def test_a_pattern_reaches_every_factor_of_its_kind_that_is_not_named():
    assert moves(stress(spot__all=-0.3, spot__ETH=-0.5)) == {"spot:BTC": -0.3, "spot:ETH": -0.5}
    assert moves(stress(vol__all=0.5)) == {"vol:BTC": 0.5, "vol:ETH": 0.5}
    assert moves(stress(peg__all=-0.1)) == {"peg:USDC": -0.1}
    assert moves(stress(backing__all=-1.0)) == {"backing:stargate": -1.0}


def test_a_pattern_of_a_kind_the_market_lacks_reaches_nothing():
    assert moves(stress(fx__all=-0.1, spot__BTC=-0.1)) == {"spot:BTC": -0.1}


def test_patterns_that_can_never_match_are_refused():
    with pytest.raises(UnknownName, match=r"factor is 'price:\*'"):
        build_stress(stress(price__all=-0.1), WORLD)
    with pytest.raises(InvalidInput, match=r"chain:\*.*one chain by name"):
        build_stress(stress(chain__all=-1.0), WORLD)


def test_all_missing_factors_are_named_at_once_and_chains_never():
    document = stress(spot__SOL=-0.1, rate__GBP__2y=0.01, vol__BTC__30d=0.1, chain__eip155__1=-1.0)
    with pytest.raises(MissingFactors) as caught:
        build_stress(document, WORLD)
    assert set(caught.value.factors) == {"spot:SOL", "rate:GBP:2y"}


def test_a_library_is_cut_to_the_market_keeps_its_time_and_says_what_was_cut():
    document = stress(spot__SOL=-0.1, spot__BTC=-0.2, fx__all=0.1)
    kept, cuts = restrict(document, WORLD)
    assert kept.scenarios[0].shocks == {"spot:BTC": -0.2}
    assert build_stress(kept, WORLD).horizon_days[0] == 2.0
    assert cuts == (Cut(label="one", left_out=("spot:SOL", "fx:*"), shortened={}),)
    kept, cuts = restrict(stress(spot__SOL=-0.1), WORLD)
    assert (kept.scenarios, cuts[0].left_out) == ((), ("spot:SOL",))


def test_a_fall_by_more_than_everything_is_shortened_and_said():
    oil = underlying("WTI", 60.0, surface=flat_surface(0.4, scale=60.0))
    world = build_snapshot(market(underlying("BTC", 5e4), oil))
    kept, cuts = restrict(stress(spot__WTI=-3.06, spot__BTC=-0.5), world)
    assert kept.scenarios[0].shocks == {"spot:WTI": DEEPEST, "spot:BTC": -0.5}
    assert cuts[0].shortened == {"spot:WTI": -3.06}
    assert len(build_stress(kept, world)) == 1


def test_events_are_picked_by_date_and_label():
    document = StressDocument(
        scenarios=(
            NamedShock(label="War", shocks={}, date="2022-02-24"),
            NamedShock(label="Exchange failure", shocks={}, date="2022-11-09"),
            NamedShock(label="Hypothetical: peg", shocks={}),
        )
    )
    assert [s.label for s in pick(document, ["PEG", "2022-02"]).scenarios] == ["War", "Hypothetical: peg"]
    assert len(pick(document, ["2022"]).scenarios) == 2
    with pytest.raises(UnknownName, match=r"event is '2021'.*2022-02-24"):
        pick(document, ["2022", "2021"])


def test_a_library_with_a_name_that_is_no_factor_is_refused():
    with pytest.raises(UnknownName, match="mine: factor is 'price:BTC'"):
        restrict(stress(price__BTC=-0.1), WORLD)


def test_a_grid_of_prices_by_vols_reshapes():
    prices, vols = (-0.2, 0.0, 0.2), (-0.1, 0.5)
    found = spot_vol_grid(["spot:BTC", "spot:ETH"], ["vol:BTC"], moves=prices, vol_moves=vols)
    assert found.row("spot:BTC").reshape(3, 2)[:, 0].tolist() == list(prices)
    assert found.row("spot:ETH").reshape(3, 2)[:, 1].tolist() == list(prices)
    assert found.row("vol:BTC").reshape(3, 2)[0].tolist() == list(vols)
