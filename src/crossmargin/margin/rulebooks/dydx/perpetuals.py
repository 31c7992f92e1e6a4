"""dYdX v4: margin of perpetuals in integers, the initial fraction rising with the market's open interest.

Amounts are quote quantums (10⁻⁶ USD); fractions are parts per million (ppm). Requirements round up, the fraction after
scaling down. Sources: `dydxprotocol/v4-chain` @ 84d4664b, protocol/lib/margin, protocol/x/perpetuals (rules only).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import PERPETUALS, Contract, by_coin, cash_usd, read_holdings, split_listed
from crossmargin.margin.rulebooks.integers import PPM, ceil_div, times_power_of_ten, units_down, units_up, whole
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

QUOTE_EXPONENT = -6  # a quote quantum is 10⁻⁶ USD


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A liquidity tier: the base initial fraction, the maintenance fraction of it (ppm), and the open interest, in
    quote quantums, between which the initial fraction rises to one (upper cap 0: never)."""

    initial_ppm: int
    maintenance_fraction_ppm: int
    open_interest_lower_cap: int = 0
    open_interest_upper_cap: int = 0

    def __post_init__(self) -> None:
        whole(self.initial_ppm, "initial_ppm", 0, PPM, where="dydx tier")
        whole(self.maintenance_fraction_ppm, "maintenance_fraction_ppm", 0, PPM, where="dydx tier")
        if not 0 <= self.open_interest_lower_cap <= self.open_interest_upper_cap:
            raise InvalidInput(
                "open interest caps",
                where="dydx tier",
                value=(self.open_interest_lower_cap, self.open_interest_upper_cap),
                limit="0 <= lower <= upper",
                remedy="Set both to zero where open interest does not scale the margin.",
            )


class Market(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A listed perpetual: its tier, and the powers of ten of a base quantum and of a price unit."""

    tier: str
    base_exponent: int
    price_exponent: int
    open_interest: int = 0
    isolated: bool = False


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tiers by name and markets by coin; `collateral` is the asset that is money there."""

    source: str
    date: str
    tiers: Mapping[str, Tier]
    markets: Mapping[str, Market]
    collateral: str = "USDC"

    def __post_init__(self) -> None:
        for coin, market in self.markets.items():
            check.known(market.tier, self.tiers, f"tier of {coin}", where="dydx parameters")


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A perpetual: signed base quantums, the oracle price as an integer with its exponent, the market's open interest
    in base quantums, and the fraction a user set for himself (ppm)."""

    base_quantums: int
    price: int
    price_exponent: int
    base_exponent: int
    tier: Tier
    open_interest: int = 0
    custom_initial_ppm: int = 0

    def __post_init__(self) -> None:
        whole(self.price, "price", 1, where="dydx position")  # Zero is a feed that is missing.
        whole(self.open_interest, "open_interest", 0, where="dydx position")
        whole(self.custom_initial_ppm, "custom_initial_ppm", 0, PPM, where="dydx position")
        for name in ("price_exponent", "base_exponent"):
            whole(getattr(self, name), name, -64, 64, where="dydx position")


class Portfolio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subaccount: its quote balance in quantums (debts negative) and its positions."""

    quote_balance: int = 0
    positions: tuple[Position, ...] = ()


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """Net collateral, initial and maintenance requirement, in quote quantums."""

    net_collateral: int
    initial: int
    maintenance: int

    @property
    def is_liquidatable(self) -> bool:
        """Whether something is required and is not there."""
        return self.maintenance > 0 and self.maintenance > self.net_collateral


def notional_of(base_quantums: int, position: Position) -> int:
    """Quote quantums of a signed number of base quantums, truncated toward zero: q·price·10^(e_p + e_b + 6)."""
    exponent = position.price_exponent + position.base_exponent - QUOTE_EXPONENT
    return times_power_of_ten(base_quantums * position.price, exponent)


def initial_ppm(tier: Tier, open_notional: int) -> int:
    """The initial fraction at an open interest in quote quantums.

    base + (1 − base)·(OI − lower)/(upper − lower), division truncated; base below the lower cap, one above the upper.
    """
    lower, upper = tier.open_interest_lower_cap, tier.open_interest_upper_cap
    if upper == 0 or open_notional <= lower:
        return tier.initial_ppm
    if open_notional >= upper:
        return PPM
    return tier.initial_ppm + (PPM - tier.initial_ppm) * (open_notional - lower) // (upper - lower)


def position_margin(position: Position) -> tuple[int, int]:
    """Initial and maintenance margin of one position, quote quantums.

    ⌈N·max(IMF, custom)⌉ and ⌈⌈N·base⌉·fraction⌉: neither open interest nor the user's own fraction raises maintenance.
    """
    notional = abs(notional_of(position.base_quantums, position))
    scaled = initial_ppm(position.tier, notional_of(position.open_interest, position))
    initial = ceil_div(notional * max(scaled, position.custom_initial_ppm), PPM)
    base = ceil_div(notional * position.tier.initial_ppm, PPM)
    return initial, ceil_div(base * position.tier.maintenance_fraction_ppm, PPM)


def margin_of(portfolio: Portfolio) -> Risk:
    """The risk of a subaccount: each position on its own, summed; net collateral is the balance plus all notionals."""
    margins = [position_margin(p) for p in portfolio.positions]
    return Risk(
        net_collateral=portfolio.quote_balance + sum(notional_of(p.base_quantums, p) for p in portfolio.positions),
        initial=sum(initial for initial, _ in margins),
        maintenance=sum(maintenance for _, maintenance in margins),
    )


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book as a dYdX subaccount, valued at the oracle (spot) price."""
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.markets)
    cash, unlisted = cash_usd(held, (parameters.collateral,))
    markets = by_coin(listed)
    positions = {coin: _position(c, parameters) for coin, c in markets.items()}
    terms = [_term(coin, p) for coin, p in positions.items()]
    balance = units_down(cash + sum(c.pnl for c in markets.values()), QUOTE_EXPONENT)
    notes = [*held.notes, "open orders hold no margin before they fill", *_alone(positions, parameters)]
    equity = balance / 10**-QUOTE_EXPONENT
    return summed(RULEBOOK.id, parameters.date, terms, equity, notes=notes, refused=(*refused, *unlisted))


def _position(contract: Contract, parameters: Parameters) -> Position:
    market = parameters.markets[contract.coin]
    return Position(
        base_quantums=units_up(contract.coins, market.base_exponent),
        price=units_up(contract.oracle, market.price_exponent),
        price_exponent=market.price_exponent,
        base_exponent=market.base_exponent,
        tier=parameters.tiers[market.tier],
        open_interest=market.open_interest,
    )


def _term(coin: str, position: Position) -> RuleTerm:
    initial, maintenance = (x / 10**-QUOTE_EXPONENT for x in position_margin(position))
    known = position.open_interest > 0 or position.tier.open_interest_upper_cap == 0
    note = "" if known else "open interest is not in the parameters: taken as zero"
    return RuleTerm(
        name=coin,
        initial=initial,
        maintenance=maintenance,
        certainty="exact" if known else "approximate",
        note=note,
    )


def _alone(positions: Mapping[str, Position], parameters: Parameters) -> list[str]:
    alone = [coin for coin in positions if parameters.markets[coin].isolated]
    return [f"{', '.join(alone)}: isolated markets need a subaccount each"] if alone and len(positions) > 1 else []


RULEBOOK = Rulebook(
    id="dydx-v4",
    name="dYdX v4",
    family="weights",
    products="perpetual",
    method="fractions of notional by liquidity tier, the initial one scaled by open interest; no netting across coins",
    formulas="""\
N = |q|·price (quote quantums, truncated); IMF = base + (1 − base)·clamp((OI − lower)/(upper − lower)) in ppm
IM = ⌈N·max(IMF, custom)⌉;  MM = ⌈⌈N·base⌉·fraction⌉;  net collateral = balance + Σ signed N
liquidated if MM > 0 and MM > net collateral; new risk needs net collateral ≥ IM""",
    sources=("dydxprotocol/v4-chain @ 84d4664b: protocol/lib/margin, x/perpetuals, x/subaccounts",),
    certainty="exact",
    parameters=Parameters,
    folder="dydx",
    evaluate=evaluate,
    open_parts=("open interest of a market is a live figure: give it in the parameters",),
    venues=("DYDX", "cosmos:dydx-mainnet-1"),
)
