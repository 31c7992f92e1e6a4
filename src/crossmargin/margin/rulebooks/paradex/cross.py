"""Paradex cross margin: a fraction of open size for perpetuals, formulas for options; nothing netted.

Sources: Paradex documentation, "Cross Margin Requirement" and "Perpetual Options: Margin Requirements" (2026); market
specifications of 2026-04-22 and what counts orders and fees: the venue's own margin library (paradex-py, 2026).
Perpetual options are no family of instruments here, so only the native entry takes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from crossmargin.core import check
from crossmargin.instruments.table import Family
from crossmargin.instruments.terms import Right
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import cash_usd
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.margin.rulebooks.scanning import LinearLeg, RiskUnit, option_values
from crossmargin.margin.rulebooks.units import ScanReading, read_units
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

_WHERE = "paradex cross margin"
_FAMILIES = (Family.PERPETUAL, Family.OPTION)


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
    """Options: `premium` of the mark; `long_itm`, `short_itm`, `short_otm` of spot; `put_cap` of strike."""

    premium: float
    long_itm: float
    short_itm: float
    short_otm: float
    put_cap: float

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name in self.__struct_fields__:
            check.within(getattr(self, name), name, 0.0, 10.0, where=_WHERE)


class OptionLevels(_Part, frozen=True, kw_only=True):
    """The rates of a kind of option at initial and at maintenance level."""

    initial: OptionRates
    maintenance: OptionRates


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


class Option(_Part, frozen=True, kw_only=True):
    """`quantity` coins of an option, long > 0, and the coins on order; a `perpetual` one has no expiry."""

    coin: str
    right: Right
    strike: float
    spot: float
    mark: float
    quantity: float
    perpetual: bool = False
    buys: float = 0.0
    sells: float = 0.0

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name in ("strike", "spot"):
            check.positive(getattr(self, name), name, where=self.coin)
        check.within(self.mark, "mark", 0.0, math.inf, where=self.coin)
        check.quantity(self.quantity, "quantity", where=self.coin)
        for name in ("buys", "sells"):
            check.within(getattr(self, name), name, 0.0, check.QUANTITY_LIMIT, where=self.coin)


class Portfolio(_Part, frozen=True, kw_only=True):
    """An account."""

    perpetuals: tuple[Perpetual, ...] = ()
    options: tuple[Option, ...] = ()


class Parameters(_Part, frozen=True, kw_only=True):
    """A dated set: perpetuals by coin, options with and without expiry, the coins that options are listed on.

    `fee` is provided for on open size at initial level and on positions at maintenance level; an option's is at most
    `option_fee_cap` of its mark.
    """

    source: str
    date: str
    perpetuals: Mapping[str, PerpetualRates]
    dated_options: OptionLevels
    perpetual_options: OptionLevels
    option_coins: tuple[str, ...]
    fee: float
    option_fee_cap: float = 0.125
    collateral: tuple[str, ...] = ("USDC",)

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name in ("fee", "option_fee_cap"):
            check.within(getattr(self, name), name, 0.0, 1.0, where=_WHERE)
        for coin in self.option_coins:
            check.known(coin, self.perpetuals, "coin of options without a perpetual", where=_WHERE)


def margin_of(portfolio: Portfolio, parameters: Parameters) -> tuple[float, float]:
    """Initial and maintenance margin of an account, USD, with fees. Raises `UnknownName` for a perpetual without rates.

    Initial counts orders: the larger of what all buys, and what all sells, would leave. Maintenance counts positions.
    """
    parts = [perpetual_margin(p, parameters) for p in portfolio.perpetuals]
    parts += [option_margins(o, parameters) for o in portfolio.options]
    parts += [perpetual_fees(p, parameters) for p in portfolio.perpetuals]
    parts += [option_fees(o, parameters) for o in portfolio.options]
    return math.fsum(i for i, _ in parts), math.fsum(m for _, m in parts)


def _open_size(held: Perpetual | Option) -> float:
    return max(abs(held.quantity + held.buys), abs(held.quantity - held.sells))


def perpetual_margin(held: Perpetual, parameters: Parameters) -> tuple[float, float]:
    """Fraction·mark·open size, the larger of |q + buys| and |q − sells|; maintenance its part of |q| alone."""
    check.known(held.coin, parameters.perpetuals, "perpetual", where=_WHERE)
    rates = parameters.perpetuals[held.coin]
    each = rates.initial * held.mark
    return each * _open_size(held), each * abs(held.quantity) * rates.maintenance_factor


def perpetual_fees(held: Perpetual, parameters: Parameters) -> tuple[float, float]:
    """The fee on open size, and on the position."""
    each = parameters.fee * held.mark
    return each * _open_size(held), each * abs(held.quantity)


def option_margins(held: Option, parameters: Parameters) -> tuple[float, float]:
    """Initial margin of the worst fill, maintenance margin of the position."""
    levels = parameters.perpetual_options if held.perpetual else parameters.dated_options
    fills = (held.quantity, held.quantity + held.buys, held.quantity - held.sells)
    initial = max(option_margin(msgspec.structs.replace(held, quantity=q), levels.initial) for q in fills)
    return initial, option_margin(held, levels.maintenance)


def option_fees(held: Option, parameters: Parameters) -> tuple[float, float]:
    """min(fee·S, cap·mark) on open size, and on the position."""
    each = min(parameters.fee * held.spot, parameters.option_fee_cap * held.mark)
    return each * _open_size(held), each * abs(held.quantity)


def option_margin(held: Option, rates: OptionRates) -> float:
    """Long: min(premium·mark, long_itm·S); short: max(short_itm·S − OTM, short_otm·S), a put's at most put_cap·K."""
    if held.quantity >= 0.0:
        return held.quantity * min(rates.premium * held.mark, rates.long_itm * held.spot)
    out = max(held.strike - held.spot, 0.0) if held.right == "call" else max(held.spot - held.strike, 0.0)
    short = max(rates.short_itm * held.spot - out, rates.short_otm * held.spot)
    capped = short if held.right == "call" else min(short, rates.put_cap * held.strike)
    return -held.quantity * capped


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book.

    Equity: the collateral taken, debts and unsettled P&L in full, and the value of options.
    """
    reading = read_units(
        book, snapshot, coins=parameters.perpetuals, families=_FAMILIES, where=RULEBOOK.id, inverse=False
    )
    options = [o for unit in reading.units.values() for o in _options(unit)]
    listed = [(name, own) for name, own in options if own.coin in parameters.option_coins]
    cash, unlisted = cash_usd(reading.held, parameters.collateral)
    terms = [_perpetual_term(leg, c, parameters) for c, u in reading.units.items() for leg in u.linear]
    terms += [_option_term(name, own, parameters) for name, own in listed]
    return summed(
        RULEBOOK.id,
        parameters.date,
        [*terms, *_fee_term(reading, [own for _, own in listed], parameters)],
        cash + reading.pnl + math.fsum(own.quantity * own.mark for _, own in listed),
        notes=reading.notes,
        refused=(*reading.refused, *(name for name, own in options if (name, own) not in listed), *unlisted),
    )


def _perpetual(leg: LinearLeg, coin: str) -> Perpetual:
    return Perpetual(coin=coin, mark=leg.price, quantity=leg.quantity, buys=leg.buys, sells=leg.sells)


def _options(unit: RiskUnit) -> Iterator[tuple[str, Option]]:
    for leg, mark in zip(unit.options, option_values(unit), strict=True):
        own = Option(
            coin=unit.coin,
            right=leg.right,
            strike=leg.strike,
            spot=unit.index,
            mark=max(float(mark), 0.0),
            quantity=leg.quantity,
            buys=leg.buys,
            sells=leg.sells,
        )
        yield leg.instrument, own


def _perpetual_term(leg: LinearLeg, coin: str, parameters: Parameters) -> RuleTerm:
    initial, maintenance = perpetual_margin(_perpetual(leg, coin), parameters)
    certainty = parameters.perpetuals[coin].certainty
    note = "" if certainty == "exact" else "the margin fraction is a conservative reading"
    return RuleTerm(name=leg.instrument, initial=initial, maintenance=maintenance, certainty=certainty, note=note)


def _option_term(name: str, own: Option, parameters: Parameters) -> RuleTerm:
    initial, maintenance = option_margins(own, parameters)
    ordered = bool(own.buys or own.sells)
    return RuleTerm(
        name=name,
        initial=initial,
        maintenance=maintenance,
        certainty="approximate" if ordered else "exact",
        note="orders at their worst fill: a reading" if ordered else "",
    )


def _fee_term(reading: ScanReading, options: Iterable[Option], parameters: Parameters) -> Iterator[RuleTerm]:
    linear = ((c, leg) for c, unit in reading.units.items() for leg in unit.linear)
    fees = [perpetual_fees(_perpetual(leg, c), parameters) for c, leg in linear]
    fees += [option_fees(own, parameters) for own in options]
    initial, maintenance = (math.fsum(part[level] for part in fees) for level in (0, 1))
    if initial or maintenance:
        yield RuleTerm(
            name="fee provision",
            initial=initial,
            maintenance=maintenance,
            certainty="approximate",
            note="the taker's fee is a reading",
        )


RULEBOOK = Rulebook(
    id="paradex-cross",
    name="Paradex cross margin",
    family="weights",
    products="perpetual, dated option (native entry: perpetual option)",
    method="a fraction of open size for each contract; nothing netted",
    formulas="""\
perpetual: IMR = fraction·mark·max(|q + buys|, |q − sells|);  MMR = 50 %·fraction·mark·|q|
option: long min(premium·mark, long_itm·S);  short max(short_itm·S − OTM, short_otm·S), put at most cap·K""",
    sources=(
        "Paradex documentation: risk, Cross Margin Requirement (2026)",
        "Paradex documentation: Perpetual Options, Margin Requirements (2026)",
        "Paradex's own margin library in paradex-py (2026): formulas, market specifications of 2026-04-22",
    ),
    certainty="approximate",
    parameters=Parameters,
    folder="paradex",
    evaluate=evaluate,
    venues=("PARADEX",),
    open_parts=(
        "perpetual options are not a family of instruments here: books that hold them cannot be written",
        "margin fractions of other coins than BTC, and the fee rate (`fee`)",
        "the cap of short puts is of strike, as documented; the venue's library takes it of spot",
        "loss of a limit through the mark, which the venue adds to initial margin",
    ),
)
