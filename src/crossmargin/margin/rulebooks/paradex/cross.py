"""Paradex cross margin: a fraction of open size for perpetuals, formulas for perpetual options; nothing netted.

Sources: Paradex documentation, "Cross Margin Requirement" and "Perpetual Options: Margin Requirements" (2026).
Perpetual options are no family of instruments here, so only the native entry takes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from crossmargin.core import check
from crossmargin.instruments.terms import Right
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import PERPETUALS, Contract, cash_usd, read_holdings, split_listed
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

_WHERE = "paradex cross margin"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class PerpetualRates(_Part, frozen=True, kw_only=True):
    """Initial margin fraction of a perpetual, and maintenance as a part of it."""

    initial: float
    maintenance_factor: float = 0.5
    certainty: Certainty = "exact"

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.within(self.initial, "initial", 0.0, 1.0, where=_WHERE)
        check.within(self.maintenance_factor, "maintenance_factor", 0.0, 1.0, where=_WHERE)


class OptionRates(_Part, frozen=True, kw_only=True):
    """Perpetual options: `premium` of the mark; `long_itm`, `short_itm`, `short_otm` of spot; `put_cap` of strike."""

    premium: float
    long_itm: float
    short_itm: float
    short_otm: float
    put_cap: float

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name in self.__struct_fields__:
            check.within(getattr(self, name), name, 0.0, 10.0, where=_WHERE)


class Perpetual(_Part, frozen=True, kw_only=True):
    """`quantity` coins of a perpetual, long > 0, and the coins that orders would buy and sell, at its mark."""

    coin: str
    mark: float
    quantity: float
    buys: float = 0.0
    sells: float = 0.0

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.positive(self.mark, "mark", where=self.coin)
        check.quantity(self.quantity, "quantity", where=self.coin)
        for name in ("buys", "sells"):
            check.within(getattr(self, name), name, 0.0, check.QUANTITY_LIMIT, where=self.coin)


class PerpetualOption(_Part, frozen=True, kw_only=True):
    """`quantity` coins of an option without expiry, long > 0."""

    coin: str
    right: Right
    strike: float
    spot: float
    mark: float
    quantity: float

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name in ("strike", "spot"):
            check.positive(getattr(self, name), name, where=self.coin)
        check.within(self.mark, "mark", 0.0, math.inf, where=self.coin)
        check.quantity(self.quantity, "quantity", where=self.coin)


class Portfolio(_Part, frozen=True, kw_only=True):
    """An account."""

    perpetuals: tuple[Perpetual, ...] = ()
    options: tuple[PerpetualOption, ...] = ()


class Parameters(_Part, frozen=True, kw_only=True):
    """A dated set: perpetuals by coin, perpetual options at initial and maintenance level, the collateral taken."""

    source: str
    date: str
    perpetuals: Mapping[str, PerpetualRates]
    option_initial: OptionRates
    option_maintenance: OptionRates
    collateral: tuple[str, ...] = ("USDC",)


def margin_of(portfolio: Portfolio, parameters: Parameters) -> tuple[float, float]:
    """Initial and maintenance margin of an account, USD. Raises `UnknownName` for a perpetual without rates."""
    parts = [perpetual_margin(p, parameters) for p in portfolio.perpetuals]
    levels = (parameters.option_initial, parameters.option_maintenance)
    parts += [(option_margin(o, levels[0]), option_margin(o, levels[1])) for o in portfolio.options]
    return math.fsum(i for i, _ in parts), math.fsum(m for _, m in parts)


def perpetual_margin(held: Perpetual, parameters: Parameters) -> tuple[float, float]:
    """Fraction·mark·open size, the larger of |q + buys| and |q − sells|; both levels count orders."""
    check.known(held.coin, parameters.perpetuals, "perpetual", where=_WHERE)
    rates = parameters.perpetuals[held.coin]
    size = max(abs(held.quantity + held.buys), abs(held.quantity - held.sells))
    initial = rates.initial * held.mark * size
    return initial, initial * rates.maintenance_factor


def option_margin(held: PerpetualOption, rates: OptionRates) -> float:
    """Long: min(premium·mark, long_itm·S); short: max(short_itm·S − OTM, short_otm·S), a put's at most put_cap·K."""
    if held.quantity >= 0.0:
        return held.quantity * min(rates.premium * held.mark, rates.long_itm * held.spot)
    out = max(held.strike - held.spot, 0.0) if held.right == "call" else max(held.spot - held.strike, 0.0)
    short = max(rates.short_itm * held.spot - out, rates.short_otm * held.spot)
    capped = short if held.right == "call" else min(short, rates.put_cap * held.strike)
    return -held.quantity * capped


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book of perpetuals; equity is the collateral taken, debts and unsettled P&L."""
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.perpetuals)
    cash, unlisted = cash_usd(held, parameters.collateral)
    inverse = ("an inverse contract is read as the linear one of the same coins",)
    return summed(
        RULEBOOK.id,
        parameters.date,
        [_term(c, parameters) for c in listed],
        cash + math.fsum(c.pnl for c in listed),
        notes=(*held.notes, *(inverse if any(c.inverse for c in listed) else ())),
        refused=(*refused, *unlisted),
    )


def _term(contract: Contract, parameters: Parameters) -> RuleTerm:
    own = Perpetual(
        coin=contract.coin,
        mark=contract.mark,
        quantity=contract.coins,
        buys=contract.buys,
        sells=contract.sells,
    )
    initial, maintenance = perpetual_margin(own, parameters)
    certainty = parameters.perpetuals[contract.coin].certainty
    note = "" if certainty == "exact" else "the margin fraction is a conservative reading"
    return RuleTerm(name=contract.instrument, initial=initial, maintenance=maintenance, certainty=certainty, note=note)


RULEBOOK = Rulebook(
    id="paradex-cross",
    name="Paradex cross margin",
    family="weights",
    products="perpetual (native entry: perpetual option)",
    method="a fraction of open size for each contract; nothing netted",
    formulas="""\
perpetual: fraction·mark·max(|q + buys|, |q − sells|);  MMR = 50 % of IMR
perpetual option: long min(premium·mark, long_itm·S);  short max(short_itm·S − OTM, short_otm·S), put at most cap·K""",
    sources=(
        "Paradex documentation: risk, Cross Margin Requirement (2026)",
        "Paradex documentation: Perpetual Options, Margin Requirements (2026)",
    ),
    certainty="approximate",
    parameters=Parameters,
    folder="paradex",
    evaluate=evaluate,
    open_parts=(
        "perpetual options are not a family of instruments here: books that hold them cannot be written",
        "dated options in cross mode: the rule is not in the reference, they are refused",
        "margin fractions of other coins than BTC",
        "the cap of short puts is of strike here, of spot in the venue's library",
        "a provision for fees that the venue's library adds",
    ),
)
