"""Forced sales and the prices that they move, round by round, over all accounts until nothing moves any more.

An account holds `quantity` of each of its assets (longs, shorts and collateral alike, signed) and cash. At prices P it
is worth W = cash + Σ q·P, and needs M = Σ rate·|q|·P. Where what its chain sees says W < M, a share of all it holds is
dealt in the market. What was dealt since the start moves the price of an asset by the square-root law.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from crossmargin.core.compile import compiled

# Rows of the law of prices and of the clocks of chains.
IMPACT, DEPTH, STEP, FLOOR = range(4)
RESUMES, DELAY = range(2)
ROUNDING = 1e-12  # relative: what two ways to add the same amounts may differ by


class Rounds(NamedTuple):
    """What happened. Prices [round + 1, asset] begin with those before the shock; `dealt` [round, asset] is what was
    sold net (bought: negative) and `counted` [round, 3] how many accounts dealt, the penalties and the deficits, USD;
    the first entry of both is the round of the shock, in which nobody deals.

    By account: what is left of `quantity` [line] and `cash`, `first` and `failed` (the rounds of its first sale and of
    its deficit, −1 for none), `penalty` and `deficit` in USD. `settled` says whether nothing moves any more."""

    price: Float[ndarray, "round_and_one asset"]
    dealt: Float[ndarray, "round asset"]
    counted: Float[ndarray, "round 3"]
    quantity: Float[ndarray, "line"]
    cash: Float[ndarray, "account"]
    first: Int[ndarray, "account"]
    failed: Int[ndarray, "account"]
    penalty: Float[ndarray, "account"]
    deficit: Float[ndarray, "account"]
    settled: bool


def cascade_rounds(
    ptr: Int[ndarray, "accounts_and_one"],
    asset: Int[ndarray, "line"],
    quantity: Float[ndarray, "line"],
    rate: Float[ndarray, "line"],
    cash: Float[ndarray, "account"],
    chain: Int[ndarray, "account"],
    start: Float[ndarray, "asset"],
    shocked: Float[ndarray, "asset"],
    law: Float[ndarray, "4 asset"],
    clock: Int[ndarray, "2 chain"],
    *,
    health: float,
    penalty: float,
    rounds: int,
) -> Rounds:
    """Prices go from `start` to `shocked`; then accounts deal until a fixed point, or for `rounds`.

    In round r an account on chain c looks at the prices of round r − delay[c], and deals once r ≥ resumes[c]. With G
    = Σ |q|·P it deals the share (health·M − W)/(health·M − penalty·G) that leaves W' = health·M', all of it where that
    is 1 or more, where W ≤ 0, or where no share helps. With C units of an asset sold since the shock, its price tends
    to shocked · exp(∓impact · √(|C|/depth)) (impact = Y·σ a day, depth = units a day), at most `step` of itself a round
    and never below floor · start. What is dealt, is dealt at the price after the round: those who sell pay their
    impact. The penalty is a share of what was dealt, as far as the account has it; an account that has dealt
    everything and is below zero leaves a deficit.

    Source of the law: Tóth et al. (2011), Physical Review X 1, 021006; the same as the liquidity add-on."""
    assert health >= 1.0, "a sale leaves an account no worse than its requirement"
    assert rounds > 0, "the shock is a round"
    state = (
        np.array(quantity, dtype=np.float64),
        np.array(cash, dtype=np.float64),
        np.full(cash.size, -1, np.int64),
        np.full(cash.size, -1, np.int64),
        np.zeros(cash.size),
        np.zeros(cash.size),
    )
    path = np.empty((rounds + 1, start.size))
    dealt, counted = np.zeros((rounds, start.size)), np.zeros((rounds, 3))
    path[0], path[1] = start, shocked
    lines = (ptr.astype(np.int64), asset.astype(np.int64), rate, chain.astype(np.int64))
    last, settled = _rounds_loop(*lines, law, clock.astype(np.int64), health, penalty, *state, path, dealt, counted)
    return Rounds(path[: last + 1], dealt[:last], counted[:last], *state, settled=bool(settled))


@compiled(inline=True)
def _share(worth: float, need: float, gross: float, health: float, penalty: float) -> float:
    """The share of its holdings that an account must deal; 0 for one that covers its requirement."""
    if worth >= need - ROUNDING * need and worth >= 0.0:
        return 0.0
    room = health * need - penalty * gross
    short = health * need - worth
    return 1.0 if worth <= 0.0 or short >= room else short / room


@compiled()
def _decide(
    ptr: Int[ndarray, "n"],
    asset: Int[ndarray, "n"],
    rate: Float[ndarray, "n"],
    chain: Int[ndarray, "n"],
    clock: Int[ndarray, "2 n"],
    health: float,
    penalty: float,
    quantity: Float[ndarray, "n"],
    cash: Float[ndarray, "n"],
    is_open: Bool[ndarray, "n"],
    path: Float[ndarray, "n n"],
    now: int,
    flow: Float[ndarray, "n"],
    who: Int[ndarray, "n"],
    share: Float[ndarray, "n"],
) -> int:
    """Which accounts deal in a round, and what share each; their flow by asset. Returns how many."""
    count = 0
    for a in range(cash.size):
        c = chain[a]
        if not is_open[a] or now < clock[RESUMES, c]:
            continue
        seen = path[max(now - clock[DELAY, c], 0)]
        worth, need, gross = cash[a], 0.0, 0.0
        for k in range(ptr[a], ptr[a + 1]):
            value = quantity[k] * seen[asset[k]]
            worth += value
            gross += abs(value)
            need += rate[k] * abs(value)
        part = _share(worth, need, gross, health, penalty)
        if part > 0.0:
            who[count], share[count] = a, part
            count += 1
            for k in range(ptr[a], ptr[a + 1]):
                flow[asset[k]] += part * quantity[k]
    return count


@compiled()
def _settle(
    ptr: Int[ndarray, "n"],
    asset: Int[ndarray, "n"],
    penalty: float,
    a: int,
    part: float,
    price: Float[ndarray, "n"],
    quantity: Float[ndarray, "n"],
    cash: Float[ndarray, "n"],
) -> tuple[float, float]:
    """Deal a share of one account at `price`; returns the penalty it pays and the deficit it leaves."""
    worth, dealt, gained = cash[a], 0.0, 0.0
    for k in range(ptr[a], ptr[a + 1]):
        value = quantity[k] * price[asset[k]]
        worth += value
        dealt += part * abs(value)
        gained += part * value
        quantity[k] *= 1.0 - part
    paid = min(penalty * dealt, max(worth, 0.0))
    cash[a] += gained - paid
    if part < 1.0 or cash[a] >= 0.0:
        return paid, 0.0
    missing = -cash[a]
    cash[a] = 0.0
    return paid, missing


@compiled()
def _move(
    law: Float[ndarray, "4 n"],
    sold: Float[ndarray, "n"],
    start: Float[ndarray, "n"],
    shocked: Float[ndarray, "n"],
    price: Float[ndarray, "n"],
    after: Float[ndarray, "n"],
) -> bool:
    """Prices after a round; whether any of them moved."""
    moved = False
    for j in range(price.size):
        push = law[IMPACT, j] * np.sqrt(abs(sold[j]) / law[DEPTH, j])
        aim = shocked[j] * np.exp(-push if sold[j] > 0.0 else push)
        aim = min(max(aim, price[j] * (1.0 - law[STEP, j])), price[j] * (1.0 + law[STEP, j]))
        lowest = min(law[FLOOR, j] * start[j], shocked[j])
        after[j] = max(aim, lowest)
        moved = moved or after[j] != price[j]
    return moved


@compiled()
def _rounds_loop(
    ptr: Int[ndarray, "n"],
    asset: Int[ndarray, "n"],
    rate: Float[ndarray, "n"],
    chain: Int[ndarray, "n"],
    law: Float[ndarray, "4 n"],
    clock: Int[ndarray, "2 n"],
    health: float,
    penalty: float,
    quantity: Float[ndarray, "n"],
    cash: Float[ndarray, "n"],
    first: Int[ndarray, "n"],
    failed: Int[ndarray, "n"],
    paid: Float[ndarray, "n"],
    deficit: Float[ndarray, "n"],
    path: Float[ndarray, "n n"],
    dealt: Float[ndarray, "n n"],
    counted: Float[ndarray, "n 3"],
) -> tuple[int, bool]:
    accounts = cash.size
    sold, is_open = np.zeros(path.shape[1]), np.ones(accounts, np.bool_)
    who, share = np.empty(accounts, np.int64), np.empty(accounts)
    patience, wake = clock[DELAY].max() + 1, clock[RESUMES].max()
    quiet = 0
    for now in range(1, dealt.shape[0]):
        flow = dealt[now]
        count = _decide(
            ptr, asset, rate, chain, clock, health, penalty, quantity, cash, is_open, path, now, flow, who, share
        )
        sold += flow
        moved = _move(law, sold, path[0], path[1], path[now], path[now + 1])
        counted[now, 0] = count
        for i in range(count):
            a = who[i]
            fee, missing = _settle(ptr, asset, penalty, a, share[i], path[now + 1], quantity, cash)
            paid[a] += fee
            counted[now, 1] += fee
            counted[now, 2] += missing
            deficit[a] += missing
            first[a] = now if first[a] < 0 else first[a]
            failed[a] = now if missing > 0.0 else failed[a]
            is_open[a] = share[i] < 1.0
        quiet = 0 if moved or count > 0 else quiet + 1
        if quiet >= patience and now >= wake:
            return now + 1, True
    return dealt.shape[0], False
