"""Strategy portfolios: both sides of each, one million a leg, and the shapes that their names promise."""

from __future__ import annotations

import numpy as np
import pytest

from crossmargin.core.instant import DAY_NS
from crossmargin.scenarios.history import build_history
from crossmargin.scenarios.scenario_set import Scenario, collect
from crossmargin.validation.portfolios import Strategies, strategies
from crossmargin.valuation.pnl import pnl

FACTORS = (
    "spot:BTC",
    "spot:ETH",
    "spot:SOL",
    "index:SPX",
    "vol:BTC",
    "fwd:ETH",
    "rate:USD:10y",
    "spot:WTI",
    "basis:BTC",
    "funding:BTC",
)
LEVELS = np.array([[60000.0, 3000.0, 150.0, 5000.0, 0.6, 0.05, 0.04, -37.0, 0.0002, 0.0003]] * 2)


@pytest.fixture(scope="module")
def found() -> Strategies:
    told = build_history(np.array([1, 2]) * 20_000 * DAY_NS // 2, FACTORS, LEVELS, scale={"spot:WTI": 50.0})
    return strategies(told, random=3)


def gains(found: Strategies, **shocks: float) -> dict[str, float]:
    named = {key.replace("__", ":"): value for key, value in shocks.items()}
    scenario = collect([Scenario(label="one", family="one", shocks=named)])
    matrix = pnl(found.book.table, found.snapshot, scenario).values[:, 0]
    lines, book = found.book.positions, found.book
    total = np.zeros(len(book.accounts))
    np.add.at(total, book.group_account[lines.owner], lines.quantity * matrix[lines.instrument])
    return dict(zip(book.accounts, total, strict=True))


def test_every_portfolio_is_held_on_both_sides(found: Strategies) -> None:
    names = {name.rsplit(" ", 1)[0] for name in found.book.accounts}
    assert set(found.book.accounts) == {f"{name} {side}" for name in names for side in ("long", "short")}
    assert len(found.families) == len(found.book.accounts)
    moved = gains(found, spot__BTC=0.1, spot__ETH=-0.05, index__SPX=0.02)
    assert all(moved[f"{name} long"] == pytest.approx(-moved[f"{name} short"], rel=1e-9) for name in names)
    families = {"outright", "basis", "calendar", "hedge", "basket", "random"}
    assert families | {"straddle", "strangle", "butterfly", "risk reversal", "delta-hedged"} == set(found.families)


def test_a_leg_is_a_million(found: Strategies) -> None:
    assert gains(found, spot__BTC=0.01)["BTC long"] == pytest.approx(10_000.0)
    assert gains(found, index__SPX=-0.01)["SPX short"] == pytest.approx(10_000.0)
    assert gains(found, spot__WTI=0.01)["WTI long"] == pytest.approx(10_000.0)  # a hundredth of its scale
    assert gains(found, rate__USD__10y=0.0001)["USD:10y long"] == pytest.approx(100.0)


def test_spreads_move_with_their_difference_alone(found: Strategies) -> None:
    together = gains(found, spot__BTC=0.1)
    assert together["BTC against its perpetual long"] == pytest.approx(0.0, abs=1e-6)
    assert together["BTC perpetual long"] == pytest.approx(1e5)
    apart = gains(found, spot__BTC=0.1, basis__BTC=-0.01)
    assert apart["BTC against its perpetual long"] == pytest.approx(-1.1e6 * np.expm1(-0.01))
    assert apart["BTC long"] == pytest.approx(1e5)
    curve = gains(found, fwd__ETH=0.01)["ETH calendar long"]
    assert curve == pytest.approx(1e6 * (np.exp(0.01 * 30 / 365) - np.exp(0.01 * 180 / 365)), rel=1e-6)


def test_option_strategies_have_their_shapes(found: Strategies) -> None:
    up, down, vol = gains(found, spot__BTC=0.2), gains(found, spot__BTC=-0.2), gains(found, vol__BTC=0.3)
    for name in ("BTC straddle", "BTC strangle", "BTC delta-hedged call"):
        assert min(up[f"{name} long"], down[f"{name} long"], vol[f"{name} long"]) > 0.0
    assert max(up["BTC butterfly long"], down["BTC butterfly long"]) < 0.0
    assert down["BTC risk reversal long"] < 0.0 < up["BTC risk reversal long"]


def test_random_books_are_those_of_the_seed() -> None:
    told = build_history(np.array([1, 2]) * 10_000 * DAY_NS, FACTORS, LEVELS, scale={"spot:WTI": 50.0})
    first, again = strategies(told, seed=4), strategies(told, seed=4)
    np.testing.assert_array_equal(first.book.positions.quantity, again.book.positions.quantity)
    assert not np.array_equal(first.book.positions.quantity, strategies(told, seed=5).book.positions.quantity)
