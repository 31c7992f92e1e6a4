"""Synthetix v3 perpetuals: a margin ratio that rises with the position's share of the market's skew scale.

Whole numbers of 10⁻¹⁸, each product and quotient cut toward zero, as the contracts compute. Source:
`Synthetixio/synthetix-v3` @ 23585f73, markets/perps-market/contracts/storage (MIT).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import PERPETUALS, Contract, by_coin, read_holdings, split_listed
from crossmargin.margin.rulebooks.integers import ceil_div, units_up, whole
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

UNIT = 10**18


def times(*factors: int) -> int:
    """The product of decimals of 10⁻¹⁸, cut after each factor; none is negative."""
    total = factors[0]
    for factor in factors[1:]:
        total = total * factor // UNIT
    return total


def over(numerator: int, denominator: int) -> int:
    """The quotient of two decimals of 10⁻¹⁸, cut; none is negative, the denominator not zero."""
    return numerator * UNIT // denominator


class Market(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A market's parameters, all in 10⁻¹⁸ but `window_seconds`: the coins of its skew scale, its ratios, fees, and the
    share of notional paid for flagging a position."""

    skew_scale: int
    initial_ratio: int
    initial_ratio_min: int
    maintenance_scalar: int
    position_margin_min: int = 0
    flag_ratio: int = 0
    maker_fee: int = 0
    taker_fee: int = 0
    limit_multiplier: int = UNIT
    window_seconds: int = 30

    def __post_init__(self) -> None:
        whole(self.skew_scale, "skew_scale", 1, where="synthetix market")
        whole(self.maintenance_scalar, "maintenance_scalar", 0, UNIT, where="synthetix market")
        whole(self.limit_multiplier, "limit_multiplier", 0, where="synthetix market")
        whole(self.window_seconds, "window_seconds", 1, where="synthetix market")
        for name in ("initial_ratio", "initial_ratio_min", "position_margin_min", "flag_ratio"):
            whole(getattr(self, name), name, 0, where="synthetix market")
        for name in ("maker_fee", "taker_fee"):
            whole(getattr(self, name), name, 0, where="synthetix market")


class Rewards(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What liquidators are paid, 10⁻¹⁸: least and most (USD), shares of cost, collateral and margin, cost of a call."""

    reward_min: int = 0
    reward_max: int = 0
    profit_ratio_min: int = 0
    margin_ratio_max: int = UNIT
    collateral_ratio: int = 0
    cost: int = 0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            whole(getattr(self, name), name, 0, where="synthetix rewards")


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed coins and the price, 10⁻¹⁸."""

    market: Market
    size: int
    price: int

    def __post_init__(self) -> None:
        whole(self.price, "price", 1, where="synthetix position")


class Collateral(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token, 10⁻¹⁸: its price, the skew scale of its spot market (0: no discount), the scalar and the limits."""

    amount: int
    price: int
    skew_scale: int = 0
    scalar: int = 0
    discount_min: int = 0
    discount_max: int = UNIT

    def __post_init__(self) -> None:
        whole(self.amount, "amount", 0, where="synthetix collateral")
        whole(self.price, "price", 1, where="synthetix collateral")
        whole(self.skew_scale, "skew_scale", 0, where="synthetix collateral")
        whole(self.scalar, "scalar", 0, where="synthetix collateral")
        whole(self.discount_max, "discount_max", 0, UNIT, where="synthetix collateral")
        whole(self.discount_min, "discount_min", 0, self.discount_max, where="synthetix collateral")


class Portfolio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account: positions, collateral, and P&L with funding (USD 10⁻¹⁸, signed)."""

    positions: tuple[Position, ...] = ()
    collateral: tuple[Collateral, ...] = ()
    pnl: int = 0
    rewards: Rewards = Rewards()


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """Initial, maintenance and possible liquidation reward (in both of them), and available margin, 10⁻¹⁸ USD."""

    initial: int
    maintenance: int
    reward: int
    available: int


def discount(held: Collateral) -> int:
    """min(max(amount/skewScale·scalar, lower limit), upper limit), 10⁻¹⁸; zero without a skew scale."""
    if held.skew_scale == 0:
        return 0
    return min(max(times(over(held.amount, held.skew_scale), held.scalar), held.discount_min), held.discount_max)


def collateral_value(held: Collateral) -> int:
    """amount·price·(1 − discount), USD 10⁻¹⁸."""
    return times(held.amount, held.price, UNIT - discount(held))


def position_margin(position: Position) -> tuple[int, int]:
    """Initial and maintenance margin, USD 10⁻¹⁸; nothing for a size of zero.

    ratio = |size|/skewScale·imRatio + minImRatio, that of maintenance times the scalar; N·ratio + least margin.
    """
    market, size = position.market, abs(position.size)
    if size == 0:
        return 0, 0
    ratio = times(over(size, market.skew_scale), market.initial_ratio) + market.initial_ratio_min
    notional = times(size, position.price)
    least = market.position_margin_min
    return times(notional, ratio) + least, times(notional, times(ratio, market.maintenance_scalar)) + least


def windows(position: Position) -> int:
    """In how many windows a position can be liquidated: ⌈size/((maker + taker)·skewScale·multiplier·seconds)⌉.

    A market without fees or multiplier sets no limit: one window.
    """
    market = position.market
    capacity = times(market.maker_fee + market.taker_fee, market.skew_scale, market.limit_multiplier)
    capacity *= market.window_seconds
    return ceil_div(abs(position.size), capacity) if capacity and position.size else int(position.size != 0)


def liquidation_reward(portfolio: Portfolio, margin: int) -> int:
    """clamp(max(Σ flagRatio·N, collateralRatio·collateral) + cost) + (windows − 1)·clamp(cost), USD 10⁻¹⁸.

    Between max(cost + least, cost·(1 + profit)) and min(margin·share, most); zero without positions.
    """
    open_positions = [p for p in portfolio.positions if p.size]
    if not open_positions:
        return 0
    r = portfolio.rewards
    low = max(r.cost + r.reward_min, times(r.cost, UNIT + r.profit_ratio_min))
    high = min(times(max(margin, 0), r.margin_ratio_max), r.reward_max)

    def clamped(x: int) -> int:
        return min(max(x, low), high)

    flagged = sum(times(times(abs(p.size), p.price), p.market.flag_ratio) for p in open_positions)
    secured = times(sum(collateral_value(c) for c in portfolio.collateral), r.collateral_ratio)
    steps = max(windows(p) for p in open_positions)
    return clamped(max(flagged, secured) + r.cost) + (steps - 1) * clamped(r.cost)


def margin_of(portfolio: Portfolio) -> Requirement:
    """The sum over positions plus the possible liquidation reward."""
    margins = [position_margin(p) for p in portfolio.positions]
    available = sum(collateral_value(c) for c in portfolio.collateral) + portfolio.pnl
    reward = liquidation_reward(portfolio, available)
    return Requirement(
        initial=sum(x for x, _ in margins) + reward,
        maintenance=sum(x for _, x in margins) + reward,
        reward=reward,
        available=available,
    )


class Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A market in decimals, as a parameter file states it."""

    skew_scale: float
    initial_ratio: float
    initial_ratio_min: float
    maintenance_scalar: float
    position_margin_min: float = 0.0
    flag_ratio: float = 0.0
    maker_fee: float = 0.0
    taker_fee: float = 0.0

    def market(self) -> Market:
        """The market in whole numbers."""
        return Market(**{name: _decimal(getattr(self, name)) for name in self.__struct_fields__})


class Discount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a token's discount grows with its amount, in decimals."""

    skew_scale: float = 0.0
    scalar: float = 0.0
    discount_min: float = 0.0
    discount_max: float = 1.0


class Reward(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terms of `Rewards` in decimals."""

    reward_min: float = 0.0
    reward_max: float = 0.0
    profit_ratio_min: float = 0.0
    margin_ratio_max: float = 1.0
    collateral_ratio: float = 0.0
    cost: float = 0.0


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Markets by coin, discounts by asset, rewards; `certainty` says whether they are the venue's."""

    source: str
    date: str
    markets: Mapping[str, Listing]
    collateral: Mapping[str, Discount]
    rewards: Reward = Reward()
    certainty: Certainty = "exact"
    note: str = ""


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book; equity is collateral after discounts and unsettled P&L."""
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.markets)
    markets = by_coin(listed)
    positions = {coin: _position(c, parameters.markets[coin]) for coin, c in markets.items()}
    owned = {n: x for n, x in held.balances.items() if n in parameters.collateral and x > 0.0}
    debt = math.fsum(x * held.prices[n] for n, x in held.balances.items() if x < 0.0)
    pnl = math.fsum(c.pnl for c in markets.values()) + debt
    portfolio = Portfolio(
        positions=tuple(positions.values()),
        collateral=tuple(_collateral(x, held.prices[n], parameters.collateral[n]) for n, x in owned.items()),
        pnl=_decimal(pnl),
        rewards=Rewards(**{n: _decimal(getattr(parameters.rewards, n)) for n in Rewards.__struct_fields__}),
    )
    whole_account = margin_of(portfolio)
    terms = [_term(coin, *position_margin(p), parameters.certainty) for coin, p in positions.items()]
    terms.append(_term("liquidation reward", whole_account.reward, whole_account.reward, parameters.certainty))
    unlisted = (f"collateral {n}" for n, x in held.balances.items() if n not in owned and x > 0.0)
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        whole_account.available / UNIT,
        notes=filter(None, (*held.notes, "open orders hold no margin before they fill", parameters.note)),
        refused=(*refused, *unlisted),
    )


def _decimal(value: float) -> int:
    return int(Decimal(repr(value)).scaleb(18))


def _position(contract: Contract, listing: Listing) -> Position:
    return Position(market=listing.market(), size=units_up(contract.coins, -18), price=units_up(contract.oracle, -18))


def _collateral(amount: float, price: float, terms: Discount) -> Collateral:
    fields = {name: _decimal(getattr(terms, name)) for name in terms.__struct_fields__}
    return Collateral(amount=_decimal(amount), price=_decimal(price), **fields)


def _term(name: str, initial: int, maintenance: int, certainty: Certainty) -> RuleTerm:
    return RuleTerm(name=name, initial=initial / UNIT, maintenance=maintenance / UNIT, certainty=certainty)


RULEBOOK = Rulebook(
    id="synthetix-v3",
    name="Synthetix v3 perpetuals",
    family="weights",
    products="perpetual",
    method="ratio rising with size over the market's skew scale; discounts of collateral by amount",
    formulas="""\
ratio_IM = |size|/skewScale·imRatio + minImRatio;  ratio_MM = ratio_IM·scalar
IM, MM = N·ratio + least margin per position; account: sum + possible liquidation reward
collateral = amount·price·(1 − clamp(amount/skewScale·scalar, lower, upper))
reward = clamp(max(Σ flagRatio·N, collateralRatio·collateral) + cost) + (windows − 1)·clamp(cost)""",
    sources=("Synthetixio/synthetix-v3 @ 23585f73: markets/perps-market/contracts/storage",),
    certainty="unknown",
    parameters=Parameters,
    folder="synthetix",
    evaluate=evaluate,
    open_parts=("market parameters are set on chain: those shipped are a conservative reading",),
    venues=("SYNTHETIX",),
)
