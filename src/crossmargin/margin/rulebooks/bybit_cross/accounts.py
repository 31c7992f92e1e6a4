"""Bybit unified account in cross mode: brackets for futures, a formula for each short option, no netting of spreads.

Sources: Bybit help, options margin article and "Margin Calculations under Portfolio Margin (UTA)" (2024-09); the fee is
second-hand (2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from crossmargin.core import check
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.brackets import (
    BracketTable,
    bracket_initial,
    bracket_maintenance,
    bracket_term,
    within_cap,
)
from crossmargin.margin.rulebooks.holdings import LINEAR, Holdings, read_holdings, split_listed
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult
from crossmargin.margin.rulebooks.short_options import (
    ListedOption,
    ShortOptionRates,
    option_margins,
    option_term,
    read_options,
)
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


class Future(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A perpetual or future: notional (USD), its risk limits, and the leverage that was chosen."""

    notional: float
    table: BracketTable
    leverage: float

    def __post_init__(self) -> None:
        check.within(self.notional, "notional", 0.0, math.inf, where="bybit future")
        check.positive(self.leverage, "leverage", where="bybit future")


class Portfolio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account: futures, and options with their orders by coin."""

    futures: tuple[Future, ...] = ()
    options: Mapping[str, tuple[ListedOption, ...]] = {}


def margin_of(portfolio: Portfolio, rates: Mapping[str, ShortOptionRates]) -> tuple[float, float]:
    """Initial and maintenance margin of an account, USD: contract by contract, nothing netted.

    Futures by their risk limits. A short option asks MM = max(3 % of index, 3 % of mark) + mark + 0.2 % of index and
    IM = max(max(15 % of index − OTM, 10 % of index) + max(entry, mark), MM), all of them in `rates`.
    Raises `UnknownName` for a coin without rates.
    """
    parts = [
        (bracket_initial(f.table, f.notional, f.leverage), bracket_maintenance(f.table, f.notional))
        for f in portfolio.futures
    ]
    for coin, options in portfolio.options.items():
        check.known(coin, rates, "coin of options", where=RULEBOOK.id)
        parts += [(m.initial + m.orders, m.maintenance) for m in option_margins(options, rates[coin])]
    return math.fsum(i for i, _ in parts), math.fsum(m for _, m in parts)


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Risk limits by coin, the rates of short options by coin, and value ratios of collateral."""

    source: str
    date: str
    risk_limits: Mapping[str, BracketTable]
    options: Mapping[str, ShortOptionRates]
    value_ratios: Mapping[str, float]
    value_ratio_certainty: Certainty = "exact"
    leverage: float = 10.0


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book in cross mode; equity is collateral at its value ratio and unsettled P&L.

    The value of options is not in equity: a short one's mark is in its margin.
    """
    held = read_holdings(book, snapshot, families=LINEAR, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.risk_limits)
    listed, oversized = within_cap(listed, parameters.risk_limits)
    options = read_options(book, snapshot, coins=parameters.options, inverse=False)
    terms = [bracket_term(c, parameters.risk_limits[c.coin], parameters.leverage) for c in listed]
    for coin, rows in options.options.items():
        margins = option_margins(rows, parameters.options[coin])
        terms.append(option_term(margins, options.settle_usd, f"options {coin}"))
    equity, unlisted = valued_collateral(held, parameters.value_ratios)
    refused = (
        *(n for n in refused if n.removeprefix("order ") not in options.names),
        *(n.split(":", maxsplit=1)[0] for n in oversized),
        *unlisted,
    )
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        equity + math.fsum(c.pnl for c in listed),
        certainty=parameters.value_ratio_certainty,
        notes=(*held.notes, f"leverage chosen: {parameters.leverage:g}", *oversized),
        refused=refused,
    )


def valued_collateral(held: Holdings, ratios: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
    """USD of balances at their value ratio, debts in full, and the names of what does not count."""
    total, refused = [], []
    for name, units in held.balances.items():
        if name not in ratios and units > 0.0:
            refused.append(f"collateral {name}")
        else:
            total.append(units * held.prices[name] * (ratios[name] if units > 0.0 else 1.0))
    return math.fsum(total), tuple(refused)


RULEBOOK = Rulebook(
    id="bybit-cross",
    name="Bybit unified account, cross mode",
    family="weights",
    products="perpetual, future, option",
    method="risk limits by notional; a formula for each short option; no netting",
    formulas="""\
futures: IM = N/leverage, MM = N·rate − deduction
short option: MM = max(3 %·S, 3 %·mark) + mark + 0.2 %·S;  IM = max(max(15 %·S − OTM, 10 %·S) + max(entry, mark), MM)
fee = min(0.03 %·S, 12.5 %·price) a coin; buyers pay premium + fee""",
    sources=(
        "Bybit help: options margin",
        "Bybit help: Margin Calculations under Portfolio Margin (UTA), 2024-09",
    ),
    certainty="unknown",
    parameters=Parameters,
    folder="bybit_cross",
    evaluate=evaluate,
    open_parts=(
        "risk limits and value ratios change often: those shipped are a conservative reading",
        "the option fee is second-hand, of 2021",
    ),
    venues=("BYBIT",),
)
