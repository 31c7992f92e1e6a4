"""Liquidation cascades of large populations: rounds of forced sales until nothing moves."""

import numpy as np

from benchmarks.case import Bar, Case, Contender, Limit
from crossmargin.accounts.kernels.cascade import Rounds, cascade_rounds

ASSETS, CHAINS, ROUNDS = 6, 3, 2_000
SIZES = (10_000, 30_000, 100_000)
RULE = {"health": 1.25, "penalty": 0.01, "rounds": ROUNDS}


def draw(accounts: int):
    """About two lines an account, four fifths of them long, two to thirty times leverage; a fall of 15 %."""
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 4, accounts)
    ptr = np.concatenate([[0], np.cumsum(counts)])
    asset = rng.integers(0, ASSETS, ptr[-1])
    start = np.exp(rng.uniform(0.0, 10.0, ASSETS))
    value = rng.lognormal(8.0, 1.5, ptr[-1]) * rng.choice([1.0, 1.0, 1.0, 1.0, -1.0], ptr[-1])
    owner = np.repeat(np.arange(accounts), counts)
    cash = np.bincount(owner, np.abs(value)) / rng.uniform(2.0, 30.0, accounts) - np.bincount(owner, value)
    quantity, volume = value / start[asset], np.bincount(asset, np.abs(value)) / start
    law = np.stack([np.full(ASSETS, 0.04), volume, np.full(ASSETS, 0.05), np.full(ASSETS, 0.01)])
    clock = np.array([[1, 1, 60], [0, 1, 2]])
    rate, chain = np.full(ptr[-1], 0.02), rng.integers(0, CHAINS, accounts)
    return ptr, asset, quantity, rate, cash, chain, start, start * 0.85, law, clock


def numpy_rounds(ptr, asset, quantity, rate, cash, chain, start, shocked, law, clock) -> np.ndarray:
    """The same in whole arrays, a round at a time; the price path."""
    owner = np.repeat(np.arange(cash.size), np.diff(ptr))
    size, is_open, sold, path = cash.size, np.ones(cash.size, bool), np.zeros(ASSETS), [start, shocked]
    wake, patience, quiet = clock[0].max(), clock[1].max() + 1, 0
    cash, quantity = cash.copy(), quantity.copy()
    while len(path) <= ROUNDS:
        now = len(path) - 1
        seen = np.stack([path[max(now - d, 0)] for d in clock[1]])
        value = quantity * seen[chain[owner], asset]
        worth = cash + np.bincount(owner, value, size)
        need, gross = np.bincount(owner, rate * np.abs(value), size), np.bincount(owner, np.abs(value), size)
        must = is_open & (now >= clock[0][chain]) & ((worth < need * (1.0 - 1e-12)) | (worth < 0.0))
        room, short = RULE["health"] * need - RULE["penalty"] * gross, RULE["health"] * need - worth
        whole = (worth <= 0.0) | (short >= room)
        part = np.where(must, np.where(whole, 1.0, short / np.where(whole, 1.0, room)), 0.0)
        sold = sold + np.bincount(asset, part[owner] * quantity, ASSETS)
        aim = shocked * np.exp(-np.sign(sold) * law[0] * np.sqrt(np.abs(sold) / law[1]))
        aim = np.clip(aim, path[-1] * (1.0 - law[2]), path[-1] * (1.0 + law[2]))
        after = np.maximum(aim, np.minimum(law[3] * start, shocked))
        value = quantity * after[asset]
        dealt = part * np.bincount(owner, np.abs(value), size)
        paid = np.minimum(RULE["penalty"] * dealt, np.maximum(cash + np.bincount(owner, value, size), 0.0))
        cash += part * np.bincount(owner, value, size) - np.where(must, paid, 0.0)
        cash = np.where(part == 1.0, np.maximum(cash, 0.0), cash)
        quantity *= 1.0 - part[owner]
        is_open &= part < 1.0
        quiet = 0 if must.any() or (after != path[-1]).any() else quiet + 1
        path.append(after)
        if quiet >= patience and now >= wake:
            break
    return np.array(path)


def contest(accounts: int) -> list[Contender]:
    drawn = draw(accounts)
    return [
        Contender(name="crossmargin", run=lambda: cascade_rounds(*drawn, **RULE), cells=accounts),
        Contender(name="numpy, whole arrays a round", run=lambda: numpy_rounds(*drawn), cells=accounts),
    ]


def found(accounts: int) -> Rounds:
    return cascade_rounds(*draw(accounts), **RULE)


def error() -> float:
    """The largest relative distance of a price from that of the NumPy loop."""
    ours, theirs = found(SIZES[0]).price, numpy_rounds(*draw(SIZES[0]))
    return float(np.abs(ours / theirs - 1.0).max()) if ours.shape == theirs.shape else np.inf


def seconds() -> float:
    """Of 100,000 accounts."""
    import time

    begun = time.perf_counter()
    found(SIZES[-1])
    return time.perf_counter() - begun


def cases() -> list[Case]:
    return [
        Case(
            name="cascade",
            unit="accounts of two lines",
            sizes=SIZES,
            contest=contest,
            bars=(Bar(against="numpy, whole arrays a round", ratio_min=3.0),),
            limits=(Limit(name="100,000 accounts", unit="s", at_most=2.0, measure=seconds),),
            error=error,
            error_max=1e-9,
        )
    ]
