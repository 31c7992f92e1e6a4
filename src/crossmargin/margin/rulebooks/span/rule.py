"""SPAN-style scanning as a rulebook: an account of a book, under a file of the user's or a table of scan ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, tally
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.instruments.table import Family
from crossmargin.margin.rulebooks.holdings import LINEAR, Holdings, read_holdings
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleScenario, RuleTerm
from crossmargin.margin.rulebooks.span.arrays import own_table, scanned_contracts, scanned_rules
from crossmargin.margin.rulebooks.span.parameters import CommodityRules, SpanParameters
from crossmargin.margin.rulebooks.span.scan import (
    CommodityMargin,
    Held,
    SpanMargin,
    counted_risk,
    held_in,
    margin_of_held,
)
from crossmargin.market.snapshot import USD, Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.valuation.pnl import values_usd

_NOTES: Final = (
    "option value is credited in the requirement, and is not in the equity",
    "collateral counts at its market value: risk parameters have no haircuts",
)


def evaluate(book: Book, snapshot: Snapshot, parameters: SpanParameters) -> RuleResult:
    """The margin of one account; all its groups are one portfolio.

    An instrument is the contract that the parameters' mapping names, else it is scanned by the range of its
    underlying, else it is refused by name, and so are working orders: the rule knows none. Spot is collateral. Raises
    `InvalidInput` for a book of more or fewer accounts and for spot in the mapping, `MissingFactors` where the market
    lacks a price or a currency.
    """
    account = read_holdings(book, snapshot, families=LINEAR, where=RULEBOOK.id)
    quantity = tally(book.positions.instrument, book.positions.quantity, len(book.table))
    rows = [int(row) for row in np.flatnonzero(quantity) if book.table.family[row] != Family.SPOT]
    _refuse_spot(book, parameters)
    filed = [row for row in rows if book.table.ids[row] in parameters.mapping]
    scanned = [row for row in rows if row not in filed and _underlying(book, row) in parameters.ranges]
    held = (
        *held_in(_file_positions(book, filed, quantity, parameters), parameters.commodities),
        *_scanned(book, snapshot, scanned, quantity, parameters),
    )
    rates = {one.currency: _usd(one.currency, snapshot) for one in held}
    margin = margin_of_held(held, parameters.inter_spreads, parameters.points, rates=rates)
    refused = [book.table.ids[row] for row in rows if row not in filed and row not in scanned]
    rules = {one.code: one.rules for one in held}
    orders = dict.fromkeys(f"order {book.table.ids[row]}" for row in book.orders.instrument)
    return RuleResult(
        rulebook=RULEBOOK.id,
        date=parameters.date,
        initial_usd=margin.initial,
        maintenance_usd=margin.maintenance,
        equity_usd=_equity(account, refused) + _forwards(book, snapshot, [*filed, *scanned], quantity),
        terms=_terms(margin, rules, rates),
        worst_scenario=_worst(margin, rates),
        scenarios=tuple(_scenarios(margin, rates)),
        certainty="approximate",
        notes=tuple(_notes(parameters, account, scanned=bool(scanned))),
        refused=(*refused, *orders),
    )


def _equity(account: Holdings, refused: Iterable[str]) -> float:
    """Balances at their price, and the unsettled P&L of the contracts that are margined, USD."""
    left_out = set(refused)
    gains = (c.pnl for c in account.contracts if c.instrument not in left_out)
    return math.fsum([*(x * account.prices[name] for name, x in account.balances.items()), *gains])


def _forwards(book: Book, snapshot: Snapshot, rows: list[int], quantity: FloatArray) -> float:
    """What forwards are worth, USD: it is neither settled nor option value."""
    mine = [row for row in rows if book.table.family[row] == Family.FORWARD]
    return float(quantity[mine] @ values_usd(book.table, snapshot)[mine]) if mine else 0.0


def _refuse_spot(book: Book, parameters: SpanParameters) -> None:
    for name, family in zip(book.table.ids, book.table.family, strict=True):
        if family == Family.SPOT and name in parameters.mapping:
            raise InvalidInput(
                "instrument",
                where=f"{RULEBOOK.id}: mapping",
                value=name,
                limit="a derivative: spot counts as collateral",
                remedy="Take it out of the mapping.",
            )


def _underlying(book: Book, row: int) -> str:
    """What a contract is on; a ladder of sensitivities has no price that could be scanned."""
    if book.table.family[row] == Family.SENSITIVITIES:
        return ""
    code = book.table.underlying[row]
    return book.table.underlyings[code] if code >= 0 else ""


def _file_positions(
    book: Book, rows: Iterable[int], quantity: FloatArray, parameters: SpanParameters
) -> dict[str, float]:
    """Contracts of the file held, by their ids; two instruments may be the same one."""
    held: dict[str, float] = {}
    for row in rows:
        target = parameters.mapping[book.table.ids[row]]
        held[target.contract] = held.get(target.contract, 0.0) + float(quantity[row]) * target.contracts
    return held


def _scanned(
    book: Book, snapshot: Snapshot, rows: Iterable[int], quantity: FloatArray, parameters: SpanParameters
) -> Iterable[Held]:
    """One commodity for each underlying with a scan range, in USD."""
    by_name: dict[str, list[int]] = {}
    for row in rows:
        by_name.setdefault(_underlying(book, row), []).append(row)
    for name, mine in sorted(by_name.items()):
        if name not in snapshot.underlyings:
            raise MissingFactors([f"underlying {name}"], where="market")
        scan, table = parameters.ranges[name], own_table(book.table, mine, snapshot)
        contracts = scanned_contracts(table, snapshot, name, scan, parameters.points)
        rules = scanned_rules(contracts, table, snapshot, name, scan)
        yield Held(code=name, currency=USD, rules=rules, contracts=contracts, quantity=quantity[mine])


def _usd(currency: str, snapshot: Snapshot) -> float:
    """USD of a unit of a commodity's currency; raises `MissingFactors` where the market has no such asset."""
    if currency != USD and currency not in snapshot.assets:
        raise MissingFactors([f"asset {currency}"], where="market")
    return check.positive(snapshot.asset_price(currency), f"price of {currency}", where="market")


def _terms(margin: SpanMargin, rules: Mapping[str, CommodityRules], rates: Mapping[str, float]) -> tuple[RuleTerm, ...]:
    """What the requirement is the sum of: parts of each commodity's risk, less option value, and nothing below zero."""
    terms: list[RuleTerm] = []
    for one in margin.commodities:
        maintenance, initial = (
            _parts(one, rules[one.code], rates[one.currency], initial=level) for level in (False, True)
        )
        terms += [
            RuleTerm(name=f"{name} {one.code}", initial=initial[name], maintenance=value)
            for name, value in maintenance.items()
        ]
    rest = [
        required - math.fsum(getattr(term, level) for term in terms)
        for required, level in ((margin.initial, "initial"), (margin.maintenance, "maintenance"))
    ]
    terms.append(
        RuleTerm(name="option value of no use", initial=rest[0], maintenance=rest[1], note="no requirement below zero")
    )
    return tuple(term for term in terms if term.initial or term.maintenance)


def _parts(one: CommodityMargin, rules: CommodityRules, unit: float, *, initial: bool) -> dict[str, float]:
    factor = rules.adjustment * (rules.initial_ratio if initial else 1.0)
    found = {
        "scan": one.scan * factor,
        "spreads between months": one.intra_charge * factor,
        "delivery": one.spot_charge * factor,
        "credit between commodities": -one.inter_credit * factor,
    }
    found["short option minimum"] = one.risk * factor - math.fsum(found.values())
    found["options bought ask for their value at most"] = counted_risk(one, rules, initial=initial) - one.risk * factor
    found["net option value"] = -one.option_value
    return {name: value * unit for name, value in found.items()}


def _worst(margin: SpanMargin, rates: Mapping[str, float]) -> str:
    largest = max(margin.commodities, key=lambda c: c.scan * rates[c.currency], default=None)
    return f"{largest.code} {largest.active}" if largest is not None else ""


def _scenarios(margin: SpanMargin, rates: Mapping[str, float]) -> Iterable[RuleScenario]:
    for one in margin.commodities:
        for number, loss in enumerate(one.losses, 1):
            yield RuleScenario(label=f"{one.code} {number}", pnl_usd=-loss * rates[one.currency])


def _notes(parameters: SpanParameters, account: Holdings, *, scanned: bool) -> Iterable[str]:
    yield from _NOTES
    yield f"parameters from {parameters.source}"
    if scanned:
        yield "arrays are made from scan ranges, by revaluing the book's own contracts"
    yield from account.notes


RULEBOOK: Final = Rulebook(
    id="span",
    name="SPAN-style scanning (sixteen scenarios)",
    family="scenario",
    products="futures and options of exchanges, by a risk-parameter file or a table of scan ranges",
    method="worst of sixteen points for each combined commodity, with spreads by delta",
    formulas=(
        "scan = max(0, max_j Σ q·array_j); price risk = max(0, mean(active point, its pair) − mean(points 1, 2))\n"
        "risk = max(scan + spread charges + delivery charges − credits, short option minimum)\n"
        "credit of a leg = rate · price risk/|net delta| · deltas used\n"
        "MM = max(0, Σ risk − net option value); IM = max(0, Σ risk·ratio − net option value)\n"
        "a commodity of options bought alone: risk at most their value"
    ),
    sources=(
        "parameters: the user's file",
        "CME, Components of SPAN, and its public SPAN pages, read November 2026",
        "NSE Clearing, pages on risk management, read November 2026",
    ),
    certainty="approximate",
    parameters=SpanParameters,
    folder="span",
    evaluate=evaluate,
    open_parts=(
        "far moves and their cover fraction differ by exchange: they are parameters, 3 ranges at 33 % if not stated",
        "weights of the composite delta, where arrays are made here",
        "which months a spread between tiers takes first: the earliest are taken",
        "a price risk below zero, which would turn a credit into a charge: it counts as none",
        "rounding of net deltas and requirements: none is done",
        "spreads between tiers of two commodities, scanning spreads and spreads across clearing houses",
    ),
)
