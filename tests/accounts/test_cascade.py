"""What must hold of every cascade: nothing appears or vanishes, larger shocks go deeper, halts only put off."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.accounts.cascade import CascadeRules, ChainClock, Depth, Population, Regime, cascade
from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.scenarios.liquidity import LiquidityRule

RULES = CascadeRules(
    impact=1.0,
    health=1.25,
    penalty=0.01,
    fund_share=0.5,
    fund_share_oi=0.001,
    step=0.05,
    floor=0.01,
    round_s=60.0,
    rounds=2_000,
    regime=Regime(onset=1.0, full=4.0, liquidity=LiquidityRule(volume=0.2)),
)
WHOLE = msgspec.structs.replace(RULES, health=1e6)
ASSETS = ("BTC", "ETH")
seeds = st.integers(0, 10_000)
falls = st.floats(-0.9, 0.0)


def crowd(seed: int, *, long_only: bool = False, accounts: int = 60) -> tuple[Population, Depth]:
    """Accounts on three chains with two to thirty times leverage, and a market about as large as they are."""
    rng = np.random.default_rng(seed)
    ptr = np.concatenate([[0], np.cumsum(rng.integers(1, 3, accounts))])
    lines = int(ptr[-1])
    price = np.array([60_000.0, 2_000.0])
    asset = rng.integers(0, 2, lines).astype(np.int32)
    side = 1.0 if long_only else rng.choice([1.0, 1.0, -1.0], lines)
    value = rng.lognormal(9.0, 1.0, lines) * side
    owner = np.repeat(np.arange(accounts), np.diff(ptr))
    gross = np.bincount(owner, np.abs(value), accounts)
    population = Population(
        ptr=ptr,
        asset=asset,
        quantity=value / price[asset],
        rate=np.full(lines, 0.02),
        cash=gross / rng.uniform(2.0, 30.0, accounts) - np.bincount(owner, value, accounts),
        chain=rng.integers(0, 3, accounts).astype(np.int32),
        assets=ASSETS,
        chains=("", "eip155:1", "eip155:8453"),
    )
    volume = np.bincount(asset, np.abs(value), 2) / price + 1e-6
    return population, Depth(price=price, daily_vol=np.array([0.03, 0.04]), volume=volume)


@given(seeds, falls, falls, st.sampled_from([RULES, WHOLE]))
def test_nothing_appears_or_vanishes(seed, btc, eth, rules):
    population, depth = crowd(seed)
    found = cascade(population, depth, np.array([btc, eth]), rules)
    rounds = found.rounds
    assert rounds.settled
    scale = np.abs(population.quantity * depth.price[population.asset]).sum()
    taken = found.shock_by_asset.sum() + found.impact_by_asset.sum()
    assert found.loss.sum() == pytest.approx(taken + found.penalty - found.deficit, abs=1e-9 * scale)
    units = np.bincount(population.asset, rounds.quantity, 2) + rounds.dealt.sum(axis=0)
    np.testing.assert_allclose(units, population.held(), rtol=1e-9, atol=1e-9)
    paid_by_buyers = (rounds.dealt * rounds.price[1:]).sum()
    fees = found.penalty - found.deficit
    assert rounds.cash.sum() == pytest.approx(population.cash.sum() + paid_by_buyers - fees, abs=1e-9 * scale)
    # What the holdings of the start lost in price is lost by somebody: those accounts, or those who bought from them.
    all_lost = (population.held() * (depth.price - rounds.price[-1])).sum()
    assert found.loss.sum() - found.buyers_gain - fees == pytest.approx(all_lost, abs=1e-9 * scale)
    assert found.fund_paid + found.socialised == pytest.approx(found.deficit)
    assert found.charged.sum() + found.unpaid == pytest.approx(found.socialised, abs=1e-9 * scale)
    assert found.fund_left >= 0.0


@given(seeds, falls, falls)
def test_a_larger_shock_never_leaves_a_higher_price(seed, one, other):
    """Accounts on one side that are closed out whole; who sells parts early may need to sell less in the end."""
    population, depth = crowd(seed, long_only=True)
    deep, shallow = sorted((one, other))
    lower, upper = (cascade(population, depth, np.array([x, x]), WHOLE).rounds for x in (deep, shallow))
    assert (lower.price[-1] <= upper.price[-1]).all()
    assert ((lower.first >= 0) >= (upper.first >= 0)).all()


@given(seeds, falls)
def test_without_impact_each_account_stands_alone(seed, fall):
    population, depth = crowd(seed)
    quiet = msgspec.structs.replace(WHOLE, impact=0.0)
    found = cascade(population, depth, np.array([fall, fall]), quiet)
    shocked = depth.price * (1.0 + fall)
    need = np.bincount(
        population.owner, population.rate * np.abs(population.quantity) * shocked[population.asset], len(population)
    )
    worth = population.worth(shocked)
    clear = np.abs(worth - need) > 1e-9 * need
    assert ((found.rounds.first >= 0) == (worth < need))[clear].all()
    np.testing.assert_array_equal(found.rounds.price[1:], np.broadcast_to(shocked, found.rounds.price[1:].shape))


@given(seeds, falls)
def test_a_halted_chain_lets_nobody_deal(seed, fall):
    population, depth = crowd(seed)
    halted = {"eip155:8453": ChainClock(halted_s=1_800.0)}
    found = cascade(population, depth, np.array([fall, fall]), RULES, clocks=halted).rounds
    there = population.chain == 2
    assert (found.first[there & (found.first >= 0)] >= 31).all()
    assert len(found.price) > 31


def test_who_waits_gaps():
    """The same accounts: those on the chain that stands still leave the larger deficit."""
    population, depth = crowd(7, long_only=True, accounts=400)
    shock = np.array([-0.12, -0.2])
    free = cascade(population, depth, shock, RULES)
    held = cascade(population, depth, shock, RULES, clocks={"eip155:8453": ChainClock(halted_s=7_200.0)})
    there = population.chain == 2
    assert held.rounds.deficit[there].sum() > free.rounds.deficit[there].sum()


def test_a_price_that_may_not_reach_its_end_is_said():
    population, depth = crowd(3, long_only=True)
    found = cascade(population, depth, np.array([-0.5, -0.5]), msgspec.structs.replace(RULES, rounds=2))
    assert not found.rounds.settled


def test_a_step_bounds_every_round():
    population, depth = crowd(5, long_only=True)
    price = cascade(population, depth, np.array([-0.3, -0.3]), RULES).rounds.price
    assert (price[2:] >= price[1:-1] * (1.0 - RULES.step) * (1.0 - 1e-12)).all()


def test_a_thin_market_falls_further():
    population, depth = crowd(11, long_only=True)
    calm = msgspec.structs.replace(RULES, regime=Regime(onset=1.0, full=4.0, liquidity=LiquidityRule(volume=1.0)))
    shock = np.array([-0.15, -0.15])
    thin, thick = (cascade(population, depth, shock, rules).rounds.price[-1] for rules in (RULES, calm))
    assert (thin < thick).all()


@pytest.mark.parametrize(
    ("shock", "clocks", "error", "said"),
    [
        ([-1.0, 0.0], {}, InvalidInput, "shock of BTC"),
        ([np.nan, 0.0], {}, InvalidInput, "shock of BTC"),
        ([-0.1, 0.0], {"eip155:10": ChainClock()}, UnknownName, "eip155:10"),
        ([-0.1, 0.0], {"eip155:1": ChainClock(halted_s=1e9)}, InvalidInput, "halt"),
    ],
)
def test_what_cannot_be_is_refused(shock, clocks, error, said):
    population, depth = crowd(1)
    with pytest.raises(error, match=said):
        cascade(population, depth, np.array(shock), RULES, clocks=clocks)


def test_rules_out_of_range_are_refused():
    with pytest.raises(InvalidInput, match="health"):
        msgspec.structs.replace(RULES, health=0.5)
