"""Books in cascades: worth and need carry over, the whole stays balanced, halts gap, and the same seed is the same."""

from importlib import resources

import numpy as np
import pytest

from crossmargin.accounts.cascade import ChainClock
from crossmargin.adapters.files import read_book, read_market, read_model_document
from crossmargin.adapters.registries.files import default_registry
from crossmargin.core.errors import UnknownName
from crossmargin.engine.failures.cascading import CascadeAsked, asked_of, run_cascade
from crossmargin.engine.failures.consequences import Rules
from crossmargin.engine.failures.crowd import depth_of, joined, made_up_crowd, population_of, standing_of
from crossmargin.engine.failures.library import default_crowd, default_failures
from crossmargin.engine.margin import margin
from crossmargin.scenarios.failures.library import failures

DEMO = resources.files("crossmargin.cli").joinpath("demo")
ARBITRUM = "eip155:42161"


@pytest.fixture(scope="module")
def desk():
    """The demonstration's book, market and model."""
    snapshot = read_market(str(DEMO / "market.toml"))
    return read_book(str(DEMO / "book.toml"), market=snapshot), snapshot, read_model_document("crossmargin-grid")


def asked(**more):
    return CascadeAsked(**{"shock": {"BTC": -0.12, "ETH": -0.2}, "crowd": 20_000, "seed": 1} | more)


def test_an_account_is_as_far_from_its_limit_as_in_the_margin(desk):
    book, snapshot, model = desk
    result = margin(book, snapshot, model)
    assets, depth = depth_of(snapshot)
    people, left_out = population_of(standing_of(result), assets, depth)
    owner = people.owner
    need = np.bincount(owner, people.rate * np.abs(people.quantity) * depth.price[people.asset], len(people))
    slack = result.by_account(result.pools.equity - result.pools.maintenance)
    np.testing.assert_allclose(people.worth(depth.price) - need, slack, rtol=1e-12)
    assert left_out == ("EUR", "SPX")
    assert [people.chains[c] for c in people.chain] == ["eip155:1", "bip122:000000000019d6689c085ae165831e93"]


def test_a_crowd_has_the_open_interest_that_it_was_asked_for(desk):
    _, snapshot, _ = desk
    assets, depth = depth_of(snapshot)
    crowd = default_crowd()
    people = made_up_crowd(assets, depth, crowd, accounts=5_000, seed=3)
    first = people.ptr[:-1]
    value = people.quantity[first] * depth.price[people.asset[first]]
    for j in range(len(assets)):
        mine = value[people.asset[first] == j]
        wanted = crowd.open_interest_days * depth.volume[j] * depth.price[j]
        assert mine[mine > 0.0].sum() == pytest.approx(wanted)
        assert mine[mine < 0.0].sum() == pytest.approx(-wanted)
    again = made_up_crowd(assets, depth, crowd, accounts=5_000, seed=3)
    np.testing.assert_array_equal(people.quantity, again.quantity)
    assert not np.array_equal(people.quantity, made_up_crowd(assets, depth, crowd, accounts=5_000, seed=4).quantity)


def test_joined_accounts_keep_their_chains(desk):
    _, snapshot, _ = desk
    assets, depth = depth_of(snapshot)
    one, two = (made_up_crowd(assets, depth, default_crowd(), accounts=50, seed=i) for i in (1, 2))
    both = joined(one, two)
    assert len(both) == 100
    names = [both.chains[c] for c in both.chain]
    assert names[50:] == [two.chains[c] for c in two.chain]
    np.testing.assert_allclose(both.worth(depth.price)[50:], two.worth(depth.price))


def test_a_report_adds_up(desk):
    report = run_cascade(*desk, asked())
    assert report.settled
    assert report.lost_usd - report.gained_usd == pytest.approx(report.loss_usd)
    taken = report.shock_usd + report.impact_usd + report.penalty_usd - report.deficit_usd
    assert report.loss_usd == pytest.approx(taken, rel=1e-9)
    assert report.fund_usd + report.charged_usd + report.unpaid_usd == pytest.approx(report.deficit_usd)
    assert sum(c.lost_usd for c in report.by_chain) == pytest.approx(report.lost_usd)
    assert sum(c.accounts for c in report.by_chain) == report.accounts == 20_002
    assert sum(r.dealing for r in report.by_round) >= sum(c.dealt for c in report.by_chain)
    assert all(a.move <= a.shock for a in report.by_asset)


def test_accounts_that_wait_on_a_halted_chain_leave_more_unpaid(desk):
    free, held = (run_cascade(*desk, asked(clocks=c)) for c in ({}, {ARBITRUM: ChainClock(halted_s=7_200.0)}))
    there = [next(c for c in r.by_chain if c.chain == ARBITRUM).deficit_usd for r in (free, held)]
    assert there[1] > there[0]
    assert held.lasted_s >= 7_200.0


def test_alone_a_healthy_book_sells_nothing(desk):
    report = run_cascade(*desk, asked(crowd=0, shock={"*": -0.1}))
    assert all(one.first_s is None for one in report.book)
    assert [a.move for a in report.by_asset] == pytest.approx([-0.1, -0.1])


def test_an_event_gives_its_shock_and_its_halts(desk):
    library = default_failures()
    (one,) = failures(library, ["X1"])
    found = asked_of(one, *desk, default_registry(), Rules(detection=library.detection))
    assert found.shock == {"BTC": -0.12, "ETH": -0.2}
    assert found.clocks == {ARBITRUM: ChainClock(halted_s=7_200.0)}


def test_a_coin_that_nobody_trades_is_refused(desk):
    with pytest.raises(UnknownName, match="DOGE"):
        run_cascade(*desk, asked(shock={"DOGE": -0.1}))
