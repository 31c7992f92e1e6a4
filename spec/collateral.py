"""What collateral counts for, in plain Python: haircuts by size, then caps by asset, chain and issuer.

Everything is said of one pool. Each step can only lower what counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Holding:
    """`amount` of `asset` on `chain` at the mid `price` (USD); `width` is the half width of that price, a decimal."""

    asset: str
    amount: float
    price: float
    chain: str = ""
    issuer: str = ""
    width: float = 0.0

    @property
    def gross(self) -> float:
        """At the mid price."""
        return self.amount * self.price

    @property
    def held(self) -> float:
        """What is owned, at the low price."""
        return max(self.gross, 0.0) * (1.0 - self.width)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """One holding: recognised = gross − haircut − capped."""

    gross: float
    haircut: float
    capped: float
    recognised: float


def marginal_haircut(value: float, tiers: Sequence[Mapping[str, float]]) -> float:
    """USD taken off a stock of `value`: each tier's rate on the part above the cap of the tier before.

    The last tier has no end, whatever cap it states.
    """
    taken, floor = 0.0, 0.0
    for i, tier in enumerate(tiers):
        top = value if i == len(tiers) - 1 else min(value, tier["value_cap"])
        taken += max(top - floor, 0.0) * tier["haircut"]
        floor = max(floor, top)
    return taken


def recognise(holdings: Sequence[Holding], rules: Mapping[str, Any], *, by_rule: bool = True) -> list[Counted]:
    """The holdings of one pool.

    The size that sets a haircut is that of the asset over all chains; each holding bears its part. A debt counts at
    the high price and with its markup. Without `by_rule` there are no haircuts: the scenarios hold the price risk.
    """
    stock: dict[str, float] = {}
    for h in holdings:
        stock[h.asset] = stock.get(h.asset, 0.0) + h.held
    share = {
        asset: 1.0 - marginal_haircut(value, rules["haircuts"][asset]) / value if by_rule and value > 0.0 else 1.0
        for asset, value in stock.items()
    }
    after = [h.held * share[h.asset] for h in holdings]
    counted = after
    for kind, name in _LEVELS:
        counted = _capped(holdings, counted, name, rules["caps"][kind])
    debts = [min(h.gross, 0.0) * (1.0 + h.width) * (1.0 + rules["debt_markup"]) for h in holdings]
    return [
        Counted(gross=h.gross, haircut=h.gross - a - debt, capped=a - c, recognised=c + debt)
        for h, a, c, debt in zip(holdings, after, counted, debts, strict=True)
    ]


_LEVELS: tuple[tuple[str, Callable[[Holding], str]], ...] = (
    ("asset", lambda h: h.asset),
    ("chain", lambda h: h.chain),
    ("issuer", lambda h: h.issuer),
)


def _capped(
    holdings: Sequence[Holding], counted: Sequence[float], name: Callable[[Holding], str], caps: Mapping[str, float]
) -> list[float]:
    """Everything under one name is cut in proportion to what its cap leaves."""
    total: dict[str, float] = {}
    for h, value in zip(holdings, counted, strict=True):
        total[name(h)] = total.get(name(h), 0.0) + value
    over = {key: caps[key] / value for key, value in total.items() if key in caps and value > caps[key]}
    return [value * over.get(name(h), 1.0) for h, value in zip(holdings, counted, strict=True)]
