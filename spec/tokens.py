"""Collateral on chains in plain Python: what each token of one pool counts for, and what chains add to requirements.

Written from section 14 of the design's reference on chains: one pool, one holding after the other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

PENDING = ("seen", "included", "safe")


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """`backing` is locked over issued; `verifiers` must be corrupted for a lie; `share` of equity may stand behind."""

    backing: float
    verifiers: int
    share: float
    state: str = "open"
    issuer: bool = False


@dataclass(frozen=True, kw_only=True)
class Token:
    """`amount` of a token at the `price` of its asset; `market` is its own price over that, `haircut` its asset's.

    `settled` is the own price over that of the asset for risk that was taken before, where it is said.
    `behind` are the names of the bridges behind it, `health` is its chain's.
    """

    name: str
    chain: str
    amount: float
    price: float = 1.0
    market: float = math.inf
    settled: float | None = None
    haircut: float = 0.0
    behind: tuple[str, ...] = ()
    peg: str = "normal"
    health: str = "healthy"
    level: str = "final"
    trust: str = "L2"
    cap_usd: float = math.inf
    halt_loss: float = 0.0


def own_ratio(token: Token, bridges: Mapping[str, Bridge], *, held: bool = False) -> float:
    """The lower of all that backs it and its own market; `held` where it stands behind risk that was taken before."""
    backing = 1.0
    for name in token.behind:
        backing *= min(bridges[name].backing, 1.0)
    return min(backing, token.settled if held and token.settled is not None else token.market)


def bridge_keeps(
    token: Token, bridges: Mapping[str, Bridge], rules: Mapping[str, float], *, held: bool = False
) -> float:
    """What the haircuts of the bridges leave of 1; nothing over one verifier or a closed bridge. One that is paused is
    closed to new risk alone."""
    kept = 1.0
    for name in token.behind:
        bridge = bridges[name]
        if bridge.state == "exploited" or (bridge.state == "paused" and not held) or bridge.verifiers < 2:
            return 0.0
        kept *= 1.0 - rules["three_verifiers" if bridge.verifiers >= 3 else "two_verifiers"]
    return kept


def before_caps(
    token: Token, bridges: Mapping[str, Bridge], rules: Mapping[str, float], *, held: bool = False
) -> float:
    """One holding by itself: price, peg, backing, proof and health of its chain.

    A chain of two histories or changed by force, and a peg in stress, take from new risk alone; a broken peg leaves
    behind old risk what its settled price says.
    """
    if token.amount <= 0.0 or token.trust == "L0":
        return 0.0
    if token.peg == "broken" and (not held or token.settled is None):
        return 0.0
    if token.health in {"forked", "governed"} and not held:
        return 0.0
    kept = (1.0 - token.haircut) * bridge_keeps(token, bridges, rules, held=held)
    if token.peg == "stress" and not held:
        kept = max(1.0 - rules["stress_factor"] * (1.0 - kept), 0.0) if kept else 0.0
    value = token.amount * token.price * own_ratio(token, bridges, held=held) * kept
    return value * (1.0 - min(token.halt_loss, 1.0)) if token.health == "halted" else value


def held_tokens(
    tokens: Sequence[Token], bridges: Mapping[str, Bridge], rules: Mapping[str, float], other: float = 0.0
) -> tuple[list[float], bool]:
    """What each token of a pool counts for behind risk that was taken before: all together never less than for new.

    And whether that is by its own rules: false where what counts for new risk is more.
    """
    standing = recognise_tokens(tokens, bridges, rules, other, held=True)
    opening = recognise_tokens(tokens, bridges, rules, other)
    return (standing, True) if sum(standing) >= sum(opening) else (opening, False)


def recognise_tokens(
    tokens: Sequence[Token],
    bridges: Mapping[str, Bridge],
    rules: Mapping[str, float],
    other: float = 0.0,
    *,
    held: bool = False,
) -> list[float]:
    """What each token of a pool counts for; a debt counts in full. `other` is the rest of the pool's equity."""
    value = [before_caps(t, bridges, rules, held=held) for t in tokens]
    for chain in {t.chain for t in tokens}:
        for trust, cap in (("L1", "unproved_cap_usd"), ("L2", "unanchored_cap_usd")):
            value = _within(value, [(t.trust, t.chain) == (trust, chain) for t in tokens], rules[cap])
    for name in {t.name for t in tokens}:
        here = [t.name == name for t in tokens]
        value = _within(value, here, next(t.cap_usd for t in tokens if t.name == name))
    value = _credited(tokens, value, rules)
    debts = [min(t.amount, 0.0) * t.price for t in tokens]
    free = sum(v for t, v in zip(tokens, value, strict=True) if not t.behind) + sum(debts) + other
    for name in sorted(bridges):
        share = bridges[name].share
        most = max(free, 0.0) * share / (1.0 - share)
        value = _within(value, [name in t.behind for t in tokens], most)
    return [v + d for v, d in zip(value, debts, strict=True)]


def _within(value: Sequence[float], chosen: Sequence[bool], most: float) -> list[float]:
    """The chosen ones cut in proportion to what `most` leaves of their sum."""
    total = sum(v for v, c in zip(value, chosen, strict=True) if c)
    share = most / total if total > most else 1.0
    return [v * share if c else v for v, c in zip(value, chosen, strict=True)]


def _credited(tokens: Sequence[Token], value: Sequence[float], rules: Mapping[str, float]) -> list[float]:
    """Σ final + min(Σ pending · (1 − lost), fast share · Σ final) on each chain."""
    counted = list(value)
    for chain in {t.chain for t in tokens}:
        here = [i for i, t in enumerate(tokens) if t.chain == chain]
        waiting = [i for i in here if tokens[i].level in PENDING]
        allowed = rules["fast_share"] * sum(value[i] for i in here if i not in waiting)
        hoped = {i: _hoped(tokens[i], value[i], rules) for i in waiting}
        whole = sum(hoped.values())
        for i in waiting:
            counted[i] = hoped[i] * (allowed / whole if whole > allowed else 1.0)
    return counted


def _hoped(token: Token, value: float, rules: Mapping[str, float]) -> float:
    fast = token.health == "healthy" and token.peg in {"normal", "watch"}
    return value * (1.0 - rules[f"lost_{token.level}"]) if fast else 0.0


def cover_two(
    tokens: Sequence[Token], counted: Sequence[float], bridges: Mapping[str, Bridge], loss: float, *, held: bool = False
) -> float:
    """What equity loses when the two bridges fail that cost most together: beyond what haircuts took off already."""
    used = sorted({name for t in tokens for name in t.behind})
    worst = 0.0
    for pair in combinations(used, min(len(used), 2)) if used else ():
        lost = 0.0
        for t, counts in zip(tokens, counted, strict=True):
            hit = sum(name in pair for name in t.behind)
            value = max(t.amount, 0.0) * t.price * own_ratio(t, bridges, held=held)
            if hit:
                lost += max(value * (1.0 - (1.0 - loss) ** hit) - (value - max(counts, 0.0)), 0.0)
        worst = max(worst, lost)
    return worst


def halt_loss(fall: float, halt_s: float, horizon_s: float) -> float:
    """The share of its value that a token loses over a halt, from what it loses within the horizon."""
    return fall * math.sqrt(max(halt_s, horizon_s) / horizon_s)


def availability(
    tokens: Sequence[Token],
    counted: Sequence[float],
    bridges: Mapping[str, Bridge],
    fall: float,
    halt_s: Mapping[str, float],
    chance: float,
    horizon_s: float,
    *,
    held: bool = False,
) -> float:
    """P(halt) times what is lost over the halt, on each chain that still works, beyond what haircuts took off there.

    All tokens fall together by the share `fall` within the horizon. What does not count cannot be lost."""
    asked = 0.0
    for chain in {t.chain for t in tokens if t.health != "halted"}:
        here = [(t, c) for t, c in zip(tokens, counted, strict=True) if t.chain == chain and c > 0.0]
        worth = [t.amount * t.price * own_ratio(t, bridges, held=held) for t, _ in here]
        lost = sum(worth) * halt_loss(fall, halt_s[chain], horizon_s)
        asked += chance * max(lost - (sum(worth) - sum(c for _, c in here)), 0.0)
    return asked


def late_and_moved(
    holdings: Sequence[tuple[float, float, float, float]], needed: float, horizon_s: float
) -> tuple[float, float]:
    """The loss of time and the cost of transfer when `needed` is met by what arrives first.

    A holding is what it counts for, seconds to arrive, cost as a share, and cost of one transfer.
    """
    time_cost = moved = 0.0
    left = needed
    for counts, arrival_s, share, fixed in sorted(holdings, key=lambda h: h[1]):
        used = min(max(left, 0.0), counts)
        left -= counts
        time_cost += used * (math.sqrt(max(arrival_s, horizon_s) / horizon_s) - 1.0)
        moved += used * share + (fixed if used > 0.0 else 0.0)
    return time_cost, moved
