"""Liquidation cascades: falling prices force sales, sales move prices, until nothing moves any more.

All accounts of all chains are one population. A chain that is halted lets nobody deal until it resumes, so that its
accounts wait and gap; one whose oracle is late sees old prices. What accounts lack when they are closed out is paid by
an insurance fund, and what that lacks by the accounts that are left, in proportion to what they are worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from crossmargin.accounts.kernels.cascade import Rounds, cascade_rounds
from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IndexArray, IntArray, frozen, require_finite, tally
from crossmargin.scenarios.liquidity import LiquidityRule

PRICE_MIN: Final = -0.99  # of a shock: what is left has a price


class Regime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How deep a market is after a shock: from `onset` daily deviations on it thins out, at `full` it is as thin as
    `liquidity` says; linear between."""

    onset: float
    full: float
    liquidity: LiquidityRule

    def __post_init__(self) -> None:
        check.within(self.onset, "onset (daily deviations)", 0.0, 1e3, where="cascade rules")
        check.within(self.full - self.onset, "full − onset (daily deviations)", 1e-6, 1e3, where="cascade rules")

    def depth(self, asset: str, deviations: float) -> float:
        """The share of a calm market's volume that is left."""
        state = min(max((deviations - self.onset) / (self.full - self.onset), 0.0), 1.0)
        return self.liquidity.of(asset, state)[1]


class CascadeRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How forced sales go: parameters only.

    `impact` is Y of Y·σ·√(q/volume). An account below its requirement deals until it holds `health` times as much;
    `penalty` is taken of what it deals, `fund_share` of that for the insurance fund, which begins with `fund_share_oi`
    of all that is held. A price moves at most `step` of itself in a round of `round_s`, and stays above `floor` of
    where it stood. After `rounds` it is said that no fixed point was found."""

    impact: float
    health: float
    penalty: float
    fund_share: float
    fund_share_oi: float
    step: float
    floor: float
    round_s: float
    rounds: int
    regime: Regime
    source: str = ""
    date: str = ""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("impact", 0.0, 100.0),
            ("health", 1.0, 1e6),
            ("penalty", 0.0, 1.0),
            ("fund_share", 0.0, 1.0),
            ("fund_share_oi", 0.0, 1.0),
            ("step", 1e-6, 1.0),
            ("floor", 0.0, 1.0),
            ("round_s", 1e-3, 1e6),
            ("rounds", 2, 1e6),
        ):
            check.within(getattr(self, name), name, low, high, where="cascade rules")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Population:
    """Accounts as lines of linear exposure (CSR): `quantity` [line] of `asset` [line], signed, long > 0.

    `rate` [line] is the requirement on its value; `cash` [account] in USD is everything else, debts negative. `chain`
    [account] points into `chains`, where "" is no chain."""

    ptr: IntArray
    asset: IndexArray
    quantity: FloatArray
    rate: FloatArray
    cash: FloatArray
    chain: IndexArray
    assets: tuple[str, ...]
    chains: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("quantity", "rate", "cash"):
            require_finite(getattr(self, name), name, where="population")
        check.within(float(self.rate.min(initial=0.0)), "rate", 0.0, 1e6, where="population")
        assert len(self.ptr) == len(self.cash) + 1 == len(self.chain) + 1, "a row for each account"

    def __len__(self) -> int:
        return len(self.cash)

    @property
    def owner(self) -> IndexArray:
        """The account of each line."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.ptr))

    def worth(self, price: FloatArray) -> FloatArray:
        """Cash and holdings [account] at prices [asset], USD."""
        return self.cash + tally(self.owner, self.quantity * price[self.asset], len(self))

    def held(self) -> FloatArray:
        """Net units of each asset over all accounts [asset]."""
        return tally(self.asset, self.quantity, len(self.assets))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Depth:
    """Where the prices of a population's assets stand, and what moves them: `price` USD, `daily_vol`, `volume` a day in
    units [asset]."""

    price: FloatArray
    daily_vol: FloatArray
    volume: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainClock:
    """What a chain does to the accounts on it: nobody deals for `halted_s`; prices arrive `delay_s` late."""

    halted_s: float = 0.0
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cascade:
    """What came of a shock, USD. `loss` [account] = Σ over its assets of what prices took, + penalties − deficits.

    Σ loss = shock + impact + penalty − deficit: prices before anybody dealt, prices moved by sales, what was paid to
    liquidators and the fund, and what was not paid. deficit = fund_paid + socialised. `charged` [account] is
    `socialised` spread over those that are left, in proportion to their worth; `unpaid` what they do not have."""

    rounds: Rounds
    loss: FloatArray
    shock_by_asset: FloatArray
    impact_by_asset: FloatArray
    penalty: float
    deficit: float
    fund_paid: float
    fund_left: float
    charged: FloatArray
    unpaid: float
    buyers_gain: float

    @property
    def socialised(self) -> float:
        """What the fund could not pay."""
        return self.deficit - self.fund_paid


def cascade(
    population: Population,
    depth: Depth,
    shock: FloatArray,
    rules: CascadeRules,
    *,
    clocks: Mapping[str, ChainClock] | None = None,
) -> Cascade:
    """What a `shock` [asset], relative, sets off.

    A chain without a clock is never halted and sees prices at once. With accounts that are closed out whole (`health`
    large) and all on one side, a larger shock never leaves a higher price. Where parts are sold or some are long and
    some short, it may: who sells early and little need not sell late and much. Raises `InvalidInput` for shocks below
    `PRICE_MIN`, and `UnknownName` for a clock of a chain on which nobody is."""
    for name, move in zip(population.assets, shock, strict=True):
        check.within(float(move), f"shock of {name}", PRICE_MIN, 1e3, where="cascade")
    times = clocks or {}
    for name in times:
        check.known(name, population.chains, "chain", where="cascade", remedy="Name a chain that accounts are on.")
    shocked = depth.price * (1.0 + shock)
    found = cascade_rounds(
        population.ptr,
        population.asset,
        population.quantity,
        population.rate,
        population.cash,
        population.chain,
        depth.price,
        shocked,
        _law(population, depth, shock, rules),
        _clock(population, times, rules),
        health=rules.health,
        penalty=rules.penalty,
        rounds=rules.rounds,
    )
    return _accounted(population, depth.price, found, rules)


def _law(population: Population, depth: Depth, shock: FloatArray, rules: CascadeRules) -> FloatArray:
    """Impact, depth, step and floor of each asset [4, asset]; the depth is that of the state after the shock."""
    deviations = np.abs(shock) / depth.daily_vol
    left = [rules.regime.depth(name, float(x)) for name, x in zip(population.assets, deviations, strict=True)]
    same = np.ones(len(shock))
    return np.stack([rules.impact * depth.daily_vol, depth.volume * left, rules.step * same, rules.floor * same])


def _clock(population: Population, times: Mapping[str, ChainClock], rules: CascadeRules) -> IntArray:
    """The round from which each chain deals, and how many rounds its prices are late [2, chain]."""
    found = [times.get(name, ChainClock()) for name in population.chains]
    for name, one in zip(population.chains, found, strict=True):
        longest = rules.round_s * rules.rounds
        check.within(one.halted_s, "halt (s)", 0.0, longest, where=f"clock of {name}")
        check.within(one.delay_s, "oracle delay (s)", 0.0, longest, where=f"clock of {name}")
    seconds = np.asarray([[c.halted_s for c in found], [c.delay_s for c in found]])
    first = np.asarray([[1], [0]])  # whoever does not wait deals in the round after the shock
    return np.asarray(np.ceil(seconds / rules.round_s) + first, np.int64)


def _accounted(population: Population, start: FloatArray, found: Rounds, rules: CascadeRules) -> Cascade:
    held = population.held() - np.cumsum(found.dealt, axis=0)  # the first round is the shock, before any sale
    before = np.vstack([population.held(), held[:-1]])  # who deals in a round holds until the price after it
    taken = before * (found.price[:-1] - found.price[1:])
    last = found.price[-1]
    worth = found.cash + tally(population.owner, found.quantity * last[population.asset], len(population))
    gross = float(np.abs(population.quantity * start[population.asset]).sum())
    paid, left = _fund(rules.fund_share_oi * gross, rules.fund_share * found.counted[:, 1], found.counted[:, 2])
    deficit = float(found.counted[:, 2].sum())
    able = np.maximum(worth, 0.0)
    charge = min(max(deficit - paid, 0.0), float(able.sum()))
    return Cascade(
        rounds=found,
        loss=frozen(population.worth(start) - worth),
        shock_by_asset=frozen(taken[0]),
        impact_by_asset=frozen(taken[1:].sum(axis=0)),
        penalty=float(found.penalty.sum()),
        deficit=deficit,
        fund_paid=paid,
        fund_left=left,
        charged=frozen(able * (charge / able.sum()) if charge > 0.0 else np.zeros(len(population))),
        unpaid=max(deficit - paid - charge, 0.0),
        buyers_gain=float((found.dealt * (last - found.price[1:])).sum()),
    )


def _fund(begins: float, income: FloatArray, claims: FloatArray) -> tuple[float, float]:
    """What an insurance fund pays in all, and what is left, when it is never below zero [round].

    With S the running sum of what came in less what was asked for, it holds S − min(0, min S so far) (Lindley 1952)."""
    level = begins + np.cumsum(income - claims)
    missed = -min(float(level.min(initial=0.0)), 0.0)
    return float(claims.sum()) - missed, float(level[-1]) + missed
