"""Collateral on chains: what each token counts for, step by step, each step taken apart and with its reason.

Every step can only lower what counts. Sizes, allowances and caps are those of one pool; a holding split in two counts
for the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.collateral.document import TokenHaircuts
from crossmargin.collateral.tokens import Reason, Tokens
from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, IntArray, tally
from crossmargin.core.finality import Trust

PARTS: Final = ("peg", "backing", "finality", "liquidity")


@dataclass(slots=True, kw_only=True, eq=False)
class Steps:
    """What still counts of each holding, `value` [holding], and what was taken off so far, by part and by kind.

    `taken` has a column for each of `PARTS`, which add up to all that is taken here; of that `pending` may count later
    and `refused` does not count at all.
    """

    value: FloatArray
    reason: IndexArray
    taken: dict[str, FloatArray]
    pending: FloatArray
    refused: FloatArray

    @staticmethod
    def of(value: FloatArray, reason: IndexArray) -> Steps:
        """Nothing taken off `value` yet."""
        none = np.zeros(len(value))
        parts = dict.fromkeys(PARTS, none)
        return Steps(value=value, reason=reason.copy(), taken=parts, pending=none, refused=none)

    def take(self, left: FloatArray, part: str, *, refused: BoolArray | bool = False, why: int = 0) -> None:
        """Let `left` [holding] count, and book the rest under `part`; `why` holds where anything was taken."""
        gone = self.value - left
        self.taken[part] = self.taken[part] + gone
        self.refused = self.refused + np.where(refused, gone, 0.0)
        if why:
            self.reason |= np.where(gone > 0.0, why, 0).astype(np.int32)
        self.value = left


def own_price(gross: FloatArray, known: Tokens, row: IndexArray) -> Steps:
    """Owned holdings at the lower of backing and own market: `gross` [holding] at the asset's price, 0 of debts."""
    steps = Steps.of(gross, known.reason[row])
    steps.take(gross * known.backing[row], "backing")
    steps.take(gross * known.ratio[row], "peg")
    return steps


def token_haircuts(
    steps: Steps, kept: FloatArray, by_rule: BoolArray, known: Tokens, row: IndexArray, rules: TokenHaircuts
) -> None:
    """Bridges, a peg in stress or broken, forks, single nodes and halts.

    `kept` [holding] is what the haircut of the asset left of 1: a peg in stress multiplies it and the bridge's. What
    scenarios move is not taken off where collateral is inside them, which `by_rule` [holding] denies.
    """
    through = 1.0 - np.where(by_rule, known.bridge_haircut[row], known.bridge_haircut_inside[row])
    steps.take(steps.value * through, "backing", refused=through == 0.0)
    whole = kept * through
    doubled = np.maximum(1.0 - rules.stress_factor * (1.0 - whole), 0.0)
    share = np.where(known.stressed[row] & (whole > 0.0), doubled / np.where(whole > 0.0, whole, 1.0), 1.0)
    broken = known.broken[row]
    steps.take(np.where(broken, 0.0, steps.value * share), "peg", refused=broken)
    steps.take(np.where(known.quarantined[row], 0.0, steps.value), "finality", refused=True)
    halt = np.where(by_rule, known.halt_haircut[row], known.halt_haircut_inside[row])
    steps.take(steps.value * (1.0 - halt), "finality")


def registry_caps(steps: Steps, pool: IndexArray, known: Tokens, row: IndexArray, rules: TokenHaircuts) -> None:
    """Balances without a proof or an anchor by chain, then each token by its ramp and liquidity."""
    by_chain = _keys(pool, known.chain[row])
    for trust, most, why in (
        (Trust.L1, rules.unproved_cap_usd, Reason.UNPROVED_CAP),
        (Trust.L2, rules.unanchored_cap_usd, Reason.UNANCHORED_CAP),
    ):
        mine = known.trust[row] == trust
        share = _share(np.where(mine, steps.value, 0.0), by_chain, most)
        steps.take(np.where(mine, steps.value * share, steps.value), "finality", refused=True, why=why)
    share = _share(steps.value, _keys(pool, known.instance[row]), known.cap_usd[row])
    steps.take(steps.value * share, "liquidity", refused=True, why=Reason.RAMP)


def pending_credits(steps: Steps, pool: IndexArray, known: Tokens, row: IndexArray, rules: TokenHaircuts) -> None:
    """What is not final counts up to the fast allowance of its chain.

    Σ_final + min(Σ_pending amount · (1 − lost), fast_share · Σ_final) by pool and chain, pro rata; the rest is pending.
    """
    pending = known.pending[row]
    if not pending.any():
        return
    key = _keys(pool, known.chain[row])
    allowed = rules.fast_share * _sums(np.where(pending, 0.0, steps.value), key)
    hoped = np.where(pending & known.fast[row], steps.value * (1.0 - known.lost[row]), 0.0)
    counted = hoped * _share(hoped, key, allowed)
    rest = np.where(pending, steps.value - counted, 0.0)
    steps.pending = steps.pending + rest
    steps.take(np.where(pending, counted, steps.value), "finality")


def bridge_caps(
    steps: Steps, pool: IndexArray, known: Tokens, row: IndexArray, other: FloatArray, caps: dict[str, float]
) -> None:
    """No bridge carries more than its share s of the pool's equity, nor more than its cap in USD.

    With E what counts without any bridge, `other` [pool] (debts, unsettled P&L, positions) included, s · E / (1 − s)
    is the most: for one bridge exactly the share s of equity, for several less.
    """
    behind = known.behind[row]
    alone = tally(pool, np.where(behind.any(axis=1), 0.0, steps.value), len(other))
    free = np.maximum(alone + other, 0.0)
    for i, bridge in enumerate(known.bridges):
        share, mine = float(known.bridge_share[i]), behind[:, i]
        most = free * share / (1.0 - share) if share < 1.0 else np.full(len(other), np.inf)
        limit = np.minimum(most, caps.get(bridge, np.inf))[pool]
        left = steps.value * _share(np.where(mine, steps.value, 0.0), pool.astype(np.int64), limit)
        steps.take(np.where(mine, left, steps.value), "liquidity", refused=True, why=Reason.BRIDGE_CAP)


def _keys(pool: IndexArray, code: IndexArray) -> IntArray:
    """One key for each pool and code, −1 among the codes."""
    return pool.astype(np.int64) * (int(code.max(initial=-1)) + 2) + code + 1


def _sums(amount: FloatArray, key: IntArray) -> FloatArray:
    """The sum over all holdings of the same key [holding]."""
    found, index = np.unique(key, return_inverse=True)
    index = index.reshape(-1)
    return tally(index, amount, len(found))[index]


def _share(amount: FloatArray, key: IntArray, limit: FloatArray | float) -> FloatArray:
    """The share of each holding that keeps the sum of its key within `limit` [holding]."""
    total = _sums(amount, key)
    most = np.broadcast_to(limit, total.shape)
    return np.asarray(np.divide(most, total, where=total > most, out=np.ones(len(total))))
