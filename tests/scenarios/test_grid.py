"""The grid: its columns are those of the twin, each can be lived through, and nothing falls into a default."""

import math
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.scenarios.direction import directions
from crossmargin.scenarios.document import Grid, Joint, Moves, Tail
from crossmargin.scenarios.factors import PRICE_KINDS, RELATIVE_KINDS
from crossmargin.scenarios.grid import build_grid
from crossmargin.scenarios.scenario_set import TAIL, ScenarioSet
from spec import scenarios as plain
from tests.strategies import AS_OF_MS, ASSETS, YEAR_MS, few, grids, markets, plain_market
from tests.worlds import flat_surface, market, underlying


def shocks(found: ScenarioSet, column: int) -> dict[str, float]:
    rows = zip(found.factors, found.shock[:, column], strict=True)
    return {factor: float(x) for factor, x in rows if x != 0.0}


@few
@given(st.data())
def test_columns_are_those_of_the_twin(data: st.DataObject):
    document, grid = data.draw(markets()), data.draw(grids())
    names = data.draw(st.sets(st.sampled_from([u.name for u in document.underlyings])))
    assets = data.draw(st.sets(st.sampled_from(ASSETS)))
    found = build_grid(grid, build_snapshot(document), underlyings=names, assets=assets)
    expected = plain.grid(msgspec.to_builtins(grid), plain_market(document), names, assets)
    assert found.families == tuple(s.family for s in expected)
    for j, s in enumerate(expected):
        row = {factor: s.moves.get(factor, 0.0) for factor in found.factors}
        moved = dict(zip(found.factors, found.shock[:, j].tolist(), strict=True))
        assert moved == pytest.approx(row, rel=1e-9, abs=1e-15), found.labels[j]
        assert set(s.moves) <= set(row)
        assert found.damping[j] == pytest.approx(s.damping, rel=1e-12, abs=1e-12)
        assert (found.horizon_days[j], found.weight[j]) == (s.days, s.weight)
    for name in names:
        moves_of = grid.classes[next(u.risk_class for u in document.underlyings if u.name == name)]
        rule = found.rules[name]
        assert (rule.short_power, rule.min_vol_up, rule.width) == (
            moves_of.short_power,
            moves_of.min_vol_up,
            moves_of.skew_width,
        )


@few
@given(st.data())
def test_no_column_takes_a_price_to_zero_and_far_moves_come_last(data: st.DataObject):
    document, grid = data.draw(markets()), data.draw(grids())
    names = [u.name for u in document.underlyings]
    found = build_grid(grid, build_snapshot(document), underlyings=names, assets=ASSETS)
    for i, factor in enumerate(found.factors):
        kind = factor.split(":")[0]
        if kind in (*PRICE_KINDS, "vol"):
            assert (found.shock[i] > -1.0).all()
        if kind in RELATIVE_KINDS:
            assert (found.shock[i] >= -1.0).all()
    assert all(family == TAIL for family in found.families[found.regular :])
    assert shocks(found, 0) == {}
    assert len(set(found.labels)) > 0.5 * len(found)


def small(*underlyings: doc.Underlying, rho: float = 0.5, **fields: object) -> ScenarioSet:
    names = tuple(u.name for u in underlyings)
    matrix = tuple(tuple(1.0 if a == b else rho for b in names) for a in names)
    correlations = doc.Correlations(names=names, matrix=matrix) if len(names) > 1 else None
    snapshot = build_snapshot(market(*underlyings, correlations=correlations))
    classes = {
        "crypto_major": Moves(price_range=0.2, vol_up=0.5, vol_down=0.25),
        "equity_index": Moves(price_range=0.1),
    }
    grid = Grid(**{"classes": classes, "steps": 2} | fields)
    return build_grid(grid, snapshot, underlyings=names, assets=("USDC", "USD"))


BTC = underlying("BTC", 50_000.0, surface=flat_surface(0.6))
ETH = underlying("ETH", 2_000.0, surface=flat_surface(0.6))
SPX = underlying("SPX", 5_000.0)


def test_the_number_of_columns():
    # 5 prices × 3 vols, of which one is the still column; a future without a surface has 5, one of them still.
    assert len(small(BTC)) == 15
    assert len(small(SPX)) == 5
    # 1 + 14 + 4 alone; 4 steps × 3 vols along the market and each of two classes; one pair alike and opposed × 2 signs.
    assert len(small(BTC, SPX)) == 1 + 14 + 4 + 3 * 12 + 4
    # Both of one class: the class is the market, and has no direction of its own.
    assert len(small(BTC, ETH)) == 1 + 14 + 14 + 12 + 4
    # Four moves of a rate curve, two of the peg of USDC.
    assert len(small(SPX, rate_shift=0.01, stable_peg=0.02)) == 5 + 4 + 2


def test_prices_step_evenly_and_vols_scale():
    found = small(BTC)
    assert sorted({round(float(x), 12) for x in found.row("spot:BTC")}) == [-0.2, -0.1, 0.0, 0.1, 0.2]
    assert sorted({float(x) for x in found.row("vol:BTC")}) == [-0.25, 0.0, 0.5]


def test_all_together_two_names_move_alike_and_opposites_apart():
    found = small(BTC, ETH)
    joint = [shocks(found, j) for j, family in enumerate(found.families) if family == "joint"]
    assert all(s["spot:BTC"] == pytest.approx(s["spot:ETH"], rel=1e-12) for s in joint)
    # A correlation of −0.5 has the component (1, −1): ETH moves as 1/(1 + move), and BTC, first of equals, leads.
    apart = small(BTC, ETH, rho=-0.5)
    moved = [shocks(apart, j) for j, label in enumerate(apart.labels) if label.startswith("all -2/2")]
    assert moved
    assert all(s["spot:BTC"] == pytest.approx(-0.2) and s["spot:ETH"] == pytest.approx(0.25) for s in moved)


NAMES = ("BTC", "ETH", "SOL", "SPX")
MATRIX = ((1.0, 0.5, 0.0, 0.2), (0.5, 1.0, 0.8, 0.3), (0.0, 0.8, 1.0, 0.1), (0.2, 0.3, 0.1, 1.0))
SOL = underlying("SOL", 100.0)
WIDE = build_snapshot(market(BTC, ETH, SOL, SPX, correlations=doc.Correlations(names=NAMES, matrix=MATRIX)))


def of_wide(*held: str) -> ScenarioSet:
    classes = {"crypto_major": Moves(price_range=0.2), "equity_index": Moves(price_range=0.1)}
    return build_grid(Grid(classes=classes, steps=1), WIDE, underlyings=held, assets=())


def labelled(found: ScenarioSet, start: str) -> dict[str, float]:
    return shocks(found, next(j for j, label in enumerate(found.labels) if label.startswith(start)))


def test_a_direction_is_that_of_the_market_whoever_holds_what():
    everything = labelled(of_wide(*NAMES), "all -1/1 of range by beta,")
    for held in (NAMES[:1], NAMES[:2], NAMES[1:3], NAMES[::3]):
        own = labelled(of_wide(*held), "all -1/1 of range by beta,")
        assert own == {f: x for f, x in everything.items() if f.split(":")[1] in held}
    assert everything["spot:ETH"] == pytest.approx(-0.2)  # of the market ETH loads most


def test_a_class_leads_and_the_others_follow_by_their_covariance_with_it():
    # Of ρ(BTC, ETH) = ½, ρ(ETH, SOL) = 0.8, ρ(BTC, SOL) = 0 the component is (½, √0.89, 0.8), its λ = 1 + √0.89, and
    # ETH leads. SPX: (0.2·½ + 0.3·√0.89 + 0.1·0.8) / (λ·√0.89).
    moved = labelled(of_wide(*NAMES), "all -1/1 of range by beta to crypto_major")
    load, largest = 0.89**0.5, 1.0 + 0.89**0.5
    follow = (0.2 * 0.5 + 0.3 * load + 0.1 * 0.8) / (largest * load)
    assert moved["spot:ETH"] == pytest.approx(-0.2)
    assert moved["spot:BTC"] == pytest.approx(0.8 ** (0.5 / load) - 1.0)
    assert moved["index:SPX"] == pytest.approx(0.9**follow - 1.0)
    # A class of one leads alone: the others follow by their correlation with it.
    alone = labelled(of_wide(*NAMES), "all -1/1 of range by beta to equity_index")
    assert alone == pytest.approx(
        {"index:SPX": -0.1, **{f"spot:{n}": 0.8**r - 1.0 for n, r in (("BTC", 0.2), ("ETH", 0.3), ("SOL", 0.1))}}
    )


def test_nothing_follows_further_than_its_range():
    # BTC and ETH are uncorrelated, SPX is 0.7 of both: it correlates with their sum by 0.99, each of them by 0.71.
    matrix = ((1.0, 0.01, 0.7), (0.01, 1.0, 0.7), (0.7, 0.7, 1.0))
    names = ("BTC", "ETH", "SPX")
    world = build_snapshot(market(BTC, ETH, SPX, correlations=doc.Correlations(names=names, matrix=matrix)))
    classes = {"crypto_major": Moves(price_range=0.2), "equity_index": Moves(price_range=0.1)}
    found = build_grid(Grid(classes=classes, steps=1), world, underlyings=names, assets=())
    assert labelled(found, "all -1/1 of range by beta to crypto_major")["index:SPX"] == pytest.approx(-0.1)


def test_of_equal_components_the_first_leads():
    world = build_snapshot(
        market(BTC, ETH, correlations=doc.Correlations(names=("BTC", "ETH"), matrix=((1.0, 0.0), (0.0, 1.0))))
    )
    (along,) = directions(world, ("crypto_major",))
    assert (along.leader, dict(along.beta)) == ("BTC", {"BTC": 1.0, "ETH": 0.0})


def test_a_class_that_the_model_does_not_hold_leads_nothing_and_stops_nothing():
    strange = underlying("DOGE", 0.1, risk_class="meme")
    names = ("BTC", "ETH", "DOGE")
    matrix = ((1.0, 0.5, 0.7), (0.5, 1.0, 0.7), (0.7, 0.7, 1.0))
    world = build_snapshot(market(BTC, ETH, strange, correlations=doc.Correlations(names=names, matrix=matrix)))
    grid = Grid(classes={"crypto_major": Moves(price_range=0.2)}, steps=1)
    found = build_grid(grid, world, underlyings=("BTC",), assets=())
    assert labelled(found, "all -1/1") == pytest.approx({"spot:BTC": -0.2})


def counted(found: ScenarioSet, held: set[str]) -> tuple[Counter[tuple[object, ...]], set[tuple[object, ...]]]:
    """What a book of `held` feels: of regular columns the weight of each move, of far moves and pairs the moves."""
    rows = [i for i, factor in enumerate(found.factors) if factor.split(":")[1] in held or factor.startswith("rate")]
    weigh: Counter[tuple[object, ...]] = Counter()
    others = set()
    for j, family in enumerate(found.families):
        moves = frozenset((found.factors[i], float(found.shock[i, j])) for i in rows if found.shock[i, j])
        if family in ("pair", TAIL):
            others.add((family, moves, float(found.damping[j])))
        if found.weight[j] and family != TAIL:
            weigh[moves, float(found.damping[j])] += int(found.weight[j])
    return weigh, {column for column in others if column[1]}


@few
@given(st.data())
def test_what_others_hold_changes_no_column(data: st.DataObject):
    """The measure of a grid is one over the market: what a book feels of it does not depend on what else is held."""
    document, grid = data.draw(markets()), data.draw(grids())
    snapshot, names = build_snapshot(document), [u.name for u in document.underlyings]
    held, more = (data.draw(st.sets(st.sampled_from([*names, *ASSETS]))) for _ in range(2))
    own, whole = (
        build_grid(grid, snapshot, underlyings=some & set(names), assets=some & set(ASSETS))
        for some in (held, held | more)
    )
    (mine, columns), (among, everyone) = (counted(found, held) for found in (own, whole))
    assert mine == among
    alone = {(moves, 1.0) for moves, damping in mine}
    for family, moves, damping in everyone - columns:  # a pair with one that is not held: its leg alone, and less of it
        assert (family, (moves, 1.0) in alone) == ("pair", True)
        assert 0.0 <= damping <= 1.0
    assert columns <= everyone


def test_pairs_move_by_full_ranges_as_far_as_their_stressed_correlation_lets_them():
    # ρ 0.5 stressed by 0.25: up to 0.5 + 0.25·0.5 = 0.625, down to 0.5 − 0.25·1.5 = 0.125; the index moves 10 %.
    found = small(BTC, SPX)
    pairs = {
        (round(s["spot:BTC"], 12), round(s["index:SPX"], 12)): float(found.damping[j])
        for j, family in enumerate(found.families)
        if family == "pair"
        for s in [shocks(found, j)]
    }
    alike, opposed = math.sqrt((1.0 + 0.625) / 2.0), math.sqrt((1.0 - 0.125) / 2.0)
    assert pairs == pytest.approx({(0.2, 0.1): alike, (-0.2, -0.1): alike, (0.2, -0.1): opposed, (-0.2, 0.1): opposed})
    assert all(found.row("vol:BTC")[j] == 0.5 for j, family in enumerate(found.families) if family == "pair")


@given(st.floats(-1.0, 1.0), st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_a_pair_is_a_point_of_the_ellipse_of_its_correlation(rho: float, first: float, second: float):
    """Two legs lose in it at most what √(a² + b² + 2ρab) says, and exactly that where they are alike."""
    found = small(BTC, ETH, rho=rho, joint=Joint(together=False, correlation_stress=0.0))
    counts = [
        float(found.damping[j]) for j, label in enumerate(found.labels) if label.startswith("BTC -") and "(" in label
    ]
    for damping, r in zip(counts, (rho, -rho), strict=True):
        ellipse = math.sqrt(max(first**2 + second**2 + 2.0 * r * first * second, 0.0))
        assert damping * (first + second) <= ellipse * (1.0 + 1e-9) + 1e-6
        assert damping * 2.0 * first == pytest.approx(first * math.sqrt(2.0 + 2.0 * r), rel=1e-9)


def test_far_moves_take_the_others_along_by_beta():
    tails = (Tail(move=-0.5, damping=0.1),)
    classes = {
        "crypto_major": Moves(price_range=0.2, vol_up=0.5, tails=tails),
        "equity_index": Moves(price_range=0.1),
    }
    found = small(BTC, SPX, classes=classes)
    far = [shocks(found, j) for j in range(found.regular, len(found))]
    # Alone; along the market, of which both are half: the index at 0.1/0.2 of it in logs; led by the class of BTC: at
    # ρ·0.1/0.2 = 0.25.
    assert far == [
        {"spot:BTC": -0.5, "vol:BTC": 0.5},
        pytest.approx({"spot:BTC": -0.5, "vol:BTC": 0.5, "index:SPX": 0.5**0.5 - 1.0}),
        pytest.approx({"spot:BTC": -0.5, "vol:BTC": 0.5, "index:SPX": 0.5**0.25 - 1.0}),
    ]
    assert (found.damping[found.regular :] == 0.1).all()


def test_carries_move_only_where_there_are_forwards():
    classes = {"crypto_major": Moves(price_range=0.2, carry=0.05)}
    listed = underlying("BTC", 5e4, forwards=(doc.ForwardPoint(expiry=AS_OF_MS + YEAR_MS, forward=5.2e4),))
    found = small(listed, classes=classes)
    carries = [shocks(found, j) for j, family in enumerate(found.families) if family == "carry"]
    near, far = "fwd:BTC:30d", "fwd:BTC:365d"
    assert carries == [
        {near: 0.05, far: 0.05},
        {near: -0.05, far: -0.05},
        {near: -0.05, far: 0.05},
        {near: 0.05, far: -0.05},
    ]
    assert "carry" not in small(underlying("BTC", 5e4), classes=classes).families


def test_an_unknown_risk_class_is_an_error_and_never_a_default():
    strange = underlying("DOGE", 0.1, risk_class="meme")
    with pytest.raises(UnknownName, match=r"risk class of DOGE is 'meme'.*nothing falls into a default"):
        small(strange)


@pytest.mark.parametrize("joint", [Joint(pairs=False), Joint(together=False)])
def test_a_missing_correlation_is_an_error(joint: Joint):
    snapshot = build_snapshot(market(BTC, SPX))
    classes = {"crypto_major": Moves(price_range=0.2), "equity_index": Moves(price_range=0.1)}
    with pytest.raises(MissingFactors, match="correlation:BTC, correlation:SPX"):
        build_grid(Grid(classes=classes, joint=joint), snapshot, underlyings=("BTC", "SPX"), assets=())
    alone = Grid(classes=classes, joint=Joint(together=False, pairs=False))
    assert len(build_grid(alone, snapshot, underlyings=("BTC", "SPX"), assets=())) == 1 + 8 + 8


@pytest.mark.parametrize("size", [0.0, 1.0, -0.1, float("nan")])
def test_a_price_range_is_a_share_of_the_price(size: float):
    with pytest.raises(InvalidInput, match="price range"):
        small(SPX, classes={"equity_index": Moves(price_range=size)})


def test_the_order_in_which_names_are_given_changes_nothing():
    snapshot = build_snapshot(
        market(BTC, SPX, correlations=doc.Correlations(names=("BTC", "SPX"), matrix=((1, 0), (0, 1))))
    )
    classes = {"crypto_major": Moves(price_range=0.2), "equity_index": Moves(price_range=0.1)}
    sets = [
        build_grid(Grid(classes=classes), snapshot, underlyings=n, assets=()) for n in (("SPX", "BTC"), ("BTC", "SPX"))
    ]
    assert sets[0].hash() == sets[1].hash()
    assert np.isfinite(sets[0].shock).all()
