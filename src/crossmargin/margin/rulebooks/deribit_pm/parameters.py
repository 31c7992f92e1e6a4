"""Parameters of Deribit's portfolio margin, by the names that the venue gives them, and the readings of open parts.

Source: Deribit API reference, `public/pme/get_params` and `private/pme/simulate` (`model_params`).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.margin.rulebooks.scanning import Part

Impact: TypeAlias = Literal["both", "long", "short", "none"]


class PairRules(Part, frozen=True, kw_only=True):
    """Of a coin against the dollar: ranges of price and volatility, and the delta shock (`m_inc` a coin).

    `uncertain` names the values that are not published for the day, by where they come from.
    """

    price_range: float
    volatility_range_up: float
    volatility_range_down: float
    short_term_vega_power: float
    long_term_vega_power: float
    min_volatility_for_shock_up: float
    extended_table_factor: float
    delta_total_liq_shock_threshold: float
    max_delta_shock: float
    m_inc: float
    uncertain: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold all numbers to ranges in which the rule makes sense."""
        where = "Deribit pair"
        check.within(self.price_range, "price_range", 0.01, 0.9, where=where)
        for name in ("volatility_range_up", "min_volatility_for_shock_up", "extended_table_factor"):
            check.within(getattr(self, name), name, 0.0, 10.0, where=where)
        for name in ("volatility_range_down", "max_delta_shock", "m_inc"):
            check.within(getattr(self, name), name, 0.0, 1.0, where=where)
        for name in ("short_term_vega_power", "long_term_vega_power"):
            check.within(getattr(self, name), name, 0.0, 0.49, where=where)
        check.within(self.delta_total_liq_shock_threshold, "threshold", 0.0, check.QUANTITY_LIMIT, where=where)
        _check_uncertain(self, where)


class CurrencyRules(Part, frozen=True, kw_only=True):
    """Of a currency: roll shock, dampener (USD) of the extended table, what gains offset, and how its equity counts.

    Gains count `pnl_offset` of them, capped by `max_offsetable_pnl` (USD). `equity_side_impact` says which sign of
    equity stands in the matrix of cross collateral, less `haircut` where it is positive. `uncertain` as above.
    """

    annualised_move_risk: float
    min_annualised_move: float
    extended_dampener: float
    pnl_offset: float
    max_offsetable_pnl: float
    haircut: float
    equity_side_impact: Impact
    uncertain: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold all numbers to ranges in which the rule makes sense."""
        where = "Deribit currency"
        check.within(self.annualised_move_risk, "annualised_move_risk", 0.0, 10.0, where=where)
        for name in ("min_annualised_move", "pnl_offset", "haircut"):
            check.within(getattr(self, name), name, 0.0, 1.0, where=where)
        for name in ("extended_dampener", "max_offsetable_pnl"):
            check.within(getattr(self, name), name, 0.0, check.QUANTITY_LIMIT, where=where)
        _check_uncertain(self, where)


class Readings(Part, frozen=True, kw_only=True):
    """How the parts of the rule that are not public are read.

    `vol_floor`: whether min_volatility_for_shock_up holds for the volatility before or after the shock up.
    `roll_form`: the move to expiry is a·T, or e^(a·T) − 1. `extended_coins`: coin P&L of the extended table counts at
    the price at the edge of the range, or at that of the move. `delta_shock`: charged on the delta that long options do
    not cover, or not at all. `linear_row`: whether contracts settled in dollars roll (and are dampened, where they have
    an account of their own) by the parameters of their coin or of the dollar. `offset_cap`: max_offsetable_pnl holds
    for gains before their offset is taken, or after. `open_orders`: charged at the worst fill of each scenario, or not
    at all. `correlation_contingency`: the part of the netting between coins that is charged back; 1 lets every coin
    move by itself, 0 moves all of them together.
    """

    vol_floor: Literal["shocked volatility", "base volatility"] = "shocked volatility"
    roll_form: Literal["linear", "exponential"] = "exponential"
    extended_coins: Literal["at the edge", "at the move"] = "at the edge"
    delta_shock: Literal["uncovered delta", "none"] = "uncovered delta"
    linear_row: Literal["coin", "dollar"] = "dollar"
    offset_cap: Literal["before the offset", "after the offset"] = "before the offset"
    open_orders: Literal["worst fill", "none"] = "worst fill"
    correlation_contingency: float = 1.0

    def __post_init__(self) -> None:
        """Check that a part is a part."""
        check.within(self.correlation_contingency, "correlation_contingency", 0.0, 1.0, where="Deribit readings")


class Parameters(Part, frozen=True, kw_only=True):
    """A dated set. `pairs` by coin; `currencies` by coin and "USD"; `dollars` are balances that count as USD."""

    source: str
    date: str
    mm_factor: float
    buckets_count: int
    extended_moves: tuple[float, ...]
    dollars: tuple[str, ...]
    pairs: dict[str, PairRules]
    currencies: dict[str, CurrencyRules]
    readings: Readings

    def __post_init__(self) -> None:
        """Check the grid, and that every pair has the parameters of both its currencies."""
        check.within(self.mm_factor, "mm_factor", 0.0, 1.0, where="Deribit parameters")
        check.within(self.buckets_count, "buckets_count", 1, 50, where="Deribit parameters")
        for move in self.extended_moves:
            check.within(abs(move), "extended move", 1e-6, 100.0, where="Deribit parameters")
            check.positive(1.0 + move, "price factor of an extended move", where="Deribit parameters")
        for name in (*self.pairs, "USD"):
            check.known(name, self.currencies, "currency", where="Deribit parameters")


def _check_uncertain(rules: PairRules | CurrencyRules, where: str) -> None:
    for names in rules.uncertain.values():
        for name in names:
            check.known(name, rules.__struct_fields__, "uncertain value", where=where)
