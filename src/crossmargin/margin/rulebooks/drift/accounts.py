"""Drift v2: margin of an account of deposits, borrows, spot orders and perpetuals.

Whole numbers in the venue's precision: tokens and coins 10⁻⁹, prices and USD 10⁻⁶, weights 10⁻⁴; products are divided
last and truncated toward zero. Source: `drift-labs/protocol-v2` @ 0ae3e3b1, programs/drift/src/{math/margin.rs,state}.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.drift.weights import (
    SIZE,
    WEIGHT,
    Level,
    Weights,
    asset_weight,
    deposit_scaled,
    high_leverage_ratio,
    liability_weight,
)
from crossmargin.margin.rulebooks.holdings import PERPETUALS, Contract, Holdings, by_coin, read_holdings, split_listed
from crossmargin.margin.rulebooks.integers import units_down, units_up, whole
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

USD_UNITS = 1_000_000
ORDER_MARGIN = USD_UNITS // 100  # USD 0.01 for each open order
INITIAL_GAIN_CAP = 100 * USD_UNITS  # an unsettled gain counts up to USD 100 for the initial level
_NOT_LISTED: Weights = Weights(initial=0, maintenance=0)


class SpotMarket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of a token; `scale_start` is the value of all deposits (USD 10⁻⁶) above which its initial asset weight
    falls, `deposits_value` that value now."""

    asset: Weights
    liability: Weights
    imf: int = 0
    scale_start: int = 0
    deposits_value: int = 0

    def __post_init__(self) -> None:
        for name in ("imf", "scale_start", "deposits_value"):
            whole(getattr(self, name), name, 0, where="drift spot market")


class PerpMarket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ratios of a perpetual and weights of its unsettled gain. Zero `gain_max` puts no limit on the market's net
    unsettled gain (USD 10⁻⁶); high-leverage ratios are absent where the market has none. A market in settlement asks
    nothing."""

    ratio: Weights
    imf: int = 0
    gain: Weights = Weights(initial=WEIGHT, maintenance=WEIGHT)
    gain_imf: int = 0
    gain_max: int = 0
    gain_net: int = 0
    high_leverage: Weights | None = None
    in_settlement: bool = False

    def __post_init__(self) -> None:
        for name in ("imf", "gain_imf", "gain_max"):
            whole(getattr(self, name), name, 0, where="drift perpetual market")


class SpotPosition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed tokens, those that orders would buy and sell (not negative), the oracle price and its 5-minute mean."""

    market: SpotMarket
    tokens: int
    price: int
    price_mean: int
    bids: int = 0
    asks: int = 0
    orders: int = 0

    def __post_init__(self) -> None:
        for name in ("price", "price_mean"):
            whole(getattr(self, name), name, 1, where="drift spot position")
        for name in ("bids", "asks", "orders"):
            whole(getattr(self, name), name, 0, where="drift spot position")


class PerpPosition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed coins, those of its bids and asks (not negative), the oracle price, and the quote side with unsettled
    funding: P&L = coins·price + quote."""

    market: PerpMarket
    coins: int
    quote: int
    price: int
    bids: int = 0
    asks: int = 0
    orders: int = 0

    def __post_init__(self) -> None:
        whole(self.price, "price", 1, where="drift perpetual position")
        for name in ("bids", "asks", "orders"):
            whole(getattr(self, name), name, 0, where="drift perpetual position")


class Portfolio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account; `user_ratio` is the margin ratio that its owner set for himself, which acts on initial alone."""

    spot: tuple[SpotPosition, ...] = ()
    perpetuals: tuple[PerpPosition, ...] = ()
    user_ratio: int = 0
    high_leverage: bool = False


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """Weighted collateral (gains and losses in it) and what is required, USD 10⁻⁶."""

    collateral: int
    requirement: int

    @property
    def free(self) -> int:
        """What is left; negative where the account falls short."""
        return self.collateral - self.requirement

    def plus(self, other: Margin) -> Margin:
        """Both together."""
        return Margin(collateral=self.collateral + other.collateral, requirement=self.requirement + other.requirement)


def _truncated(numerator: int, denominator: int) -> int:
    size = abs(numerator) // denominator
    return size if numerator >= 0 else -size


def token_value(position: SpotPosition, tokens: int) -> int:
    """Signed USD 10⁻⁶ at the strict price: assets at the lower of oracle and mean, liabilities at the higher."""
    strict = min if tokens >= 0 else max
    return _truncated(tokens * strict(position.price, position.price_mean), SIZE)


def spot_margin(position: SpotPosition, level: Level) -> Margin:
    """The worse of the two fills of its orders, and USD 0.01 for each.

    A filled order changes tokens and, the other way and at the strict price, the quote token.
    """
    fills = (_filled(position, bought, level) for bought in (position.bids, -position.asks))
    worst = min(fills, key=lambda m: m.free)
    return worst.plus(Margin(collateral=0, requirement=ORDER_MARGIN * position.orders))


def _filled(position: SpotPosition, bought: int, level: Level) -> Margin:
    tokens, market = position.tokens + bought, position.market
    value, paid = token_value(position, tokens), token_value(position, -bought)
    change = Margin(collateral=max(paid, 0), requirement=max(-paid, 0))
    if tokens >= 0:
        scaled = deposit_scaled(market.asset.initial, market.deposits_value, market.scale_start)
        weight = Weights(initial=scaled, maintenance=market.asset.maintenance).at(level)
        weight = asset_weight(weight, tokens, market.imf)
        return change.plus(Margin(collateral=value * weight // WEIGHT, requirement=0))
    weight = liability_weight(market.liability.at(level), -tokens, market.imf)
    return change.plus(Margin(collateral=0, requirement=-value * weight // WEIGHT))


def perpetual_ratio(position: PerpPosition, size: int, level: Level, portfolio: Portfolio) -> int:
    """The margin ratio at a size in 10⁻⁹ coins, 10⁻⁴."""
    market = position.market
    ordinary = market.ratio.at(level)
    if portfolio.high_leverage and market.high_leverage is not None:
        ratio = high_leverage_ratio(market.high_leverage.at(level), ordinary, size, market.imf)
    else:
        ratio = liability_weight(ordinary, size, market.imf)
    return max(ratio, portfolio.user_ratio) if level == "initial" else ratio


def gain_weight(market: PerpMarket, gain: int, level: Level) -> int:
    """The weight of an unsettled gain (USD 10⁻⁶), 10⁻⁴; lower where the market owes more than it may."""
    weight = market.gain.at(level)
    if level == "maintenance":
        return weight
    if 0 < market.gain_max < market.gain_net:
        weight = weight * market.gain_max // market.gain_net
    return asset_weight(weight, gain * (SIZE // USD_UNITS), market.gain_imf)


def perpetual_margin(position: PerpPosition, level: Level, portfolio: Portfolio) -> Margin:
    """Worst of all bids or all asks filled, times the ratio at that size; losses count in full, gains weighted."""
    size = max(abs(position.coins + position.bids), abs(position.coins - position.asks))
    ratio = perpetual_ratio(position, size, level, portfolio)
    required = size * position.price // SIZE * ratio // WEIGHT
    if position.market.in_settlement:
        required = 0
    gain = _truncated(position.coins * position.price, SIZE) + position.quote
    if gain > 0:
        gain = gain * gain_weight(position.market, gain, level) // WEIGHT
        gain = min(gain, INITIAL_GAIN_CAP) if level == "initial" else gain
    return Margin(collateral=gain, requirement=required + ORDER_MARGIN * position.orders)


def margin_of(portfolio: Portfolio, level: Level) -> Margin:
    """Collateral and requirement of an account at one level."""
    total = Margin(collateral=0, requirement=0)
    for spot in portfolio.spot:
        total = total.plus(spot_margin(spot, level))
    for perpetual in portfolio.perpetuals:
        total = total.plus(perpetual_margin(perpetual, level, portfolio))
    return total


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Perpetuals by coin and tokens by asset. `certainty` says whether the tables are the venue's."""

    source: str
    date: str
    perpetuals: Mapping[str, PerpMarket]
    tokens: Mapping[str, SpotMarket]
    certainty: Certainty = "exact"
    note: str = ""


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book as a Drift account.

    Equity is at market value; a requirement includes what the weights take off collateral and unsettled gains, so that
    equity − requirement is the venue's free collateral. The 5-minute mean price is taken equal to the oracle's.
    """
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.perpetuals)
    markets = by_coin(listed)
    perpetuals = {coin: _perpetual(c, parameters.perpetuals[coin]) for coin, c in markets.items()}
    spot, unlisted = _tokens(held, parameters)
    portfolio = Portfolio(spot=tuple(spot.values()), perpetuals=tuple(perpetuals.values()))
    terms = []
    for name, token in spot.items():
        worth = token_value(token, token.tokens)
        terms.append(_term(f"collateral {name}", worth, [spot_margin(token, x) for x in _LEVELS], parameters))
    for name, perpetual in perpetuals.items():
        worth = _truncated(perpetual.coins * perpetual.price, SIZE) + perpetual.quote
        found = [perpetual_margin(perpetual, x, portfolio) for x in _LEVELS]
        terms.append(_term(name, worth, found, parameters))
    equity = sum(token_value(t, t.tokens) for t in spot.values()) / USD_UNITS
    equity += sum(_truncated(p.coins * p.price, SIZE) + p.quote for p in perpetuals.values()) / USD_UNITS
    notes = [*held.notes, "requirements include the haircuts of collateral", parameters.note]
    return summed(RULEBOOK.id, parameters.date, terms, equity, notes=filter(None, notes), refused=(*refused, *unlisted))


_LEVELS: tuple[Level, Level] = ("initial", "maintenance")


def _term(name: str, worth: int, margins: list[Margin], parameters: Parameters) -> RuleTerm:
    initial, maintenance = ((worth - m.free) / USD_UNITS for m in margins)
    return RuleTerm(name=name, initial=initial, maintenance=maintenance, certainty=parameters.certainty)


def _perpetual(contract: Contract, market: PerpMarket) -> PerpPosition:
    coins, price = units_up(contract.coins, -9), units_up(contract.oracle, -6)
    return PerpPosition(
        market=market,
        coins=coins,
        quote=units_down(contract.pnl, -6) - _truncated(coins * price, SIZE),
        price=price,
        bids=units_up(contract.buys, -9),
        asks=units_up(contract.sells, -9),
        orders=contract.orders,
    )


def _tokens(held: Holdings, parameters: Parameters) -> tuple[dict[str, SpotPosition], list[str]]:
    """Listed balances, and debts in others, which count in full with no asset weight."""
    found: dict[str, SpotPosition] = {}
    refused = []
    for name, amount in held.balances.items():
        market = parameters.tokens.get(name)
        if market is None and amount >= 0.0:
            refused += [f"collateral {name}"] if amount else []
            continue
        price = units_up(held.prices[name], -6)
        unlisted = SpotMarket(asset=_NOT_LISTED, liability=Weights(initial=WEIGHT, maintenance=WEIGHT))
        tokens = units_down(amount, -9)
        found[name] = SpotPosition(market=market or unlisted, tokens=tokens, price=price, price_mean=price)
    return found, refused


RULEBOOK = Rulebook(
    id="drift-v2",
    name="Drift v2",
    family="weights",
    products="spot, perpetual",
    method="weights scaled by the root of size, orders at their worse fill; initial, fill and maintenance levels",
    formulas="""\
asset weight min(w, 1.1/(1 + imf·√size)); liability weight and perpetual ratio max(w, 0.8w + imf·√size)
initial asset weight × start/deposits above `scale_start`; fill = (initial + maintenance)/2
perpetual: max(all bids filled, all asks filled)·oracle·ratio + 0.01 USD an order; gains weighted, ≤ 100 USD for initial
free collateral = Σ asset value·weight + P&L − Σ liability value·weight − Σ perpetual requirements""",
    sources=("drift-labs/protocol-v2 @ 0ae3e3b1 (2026-04-01): programs/drift/src/math/margin.rs, state/*",),
    certainty="unknown",
    parameters=Parameters,
    folder="drift",
    evaluate=evaluate,
    open_parts=("weights and ratios by market live on chain: those shipped are a conservative reading",),
    venues=("DRIFT",),
)
