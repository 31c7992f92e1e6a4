"""The requirement of many groups in one pass: initial and maintenance margin, each term by name.

MM = Σ maintenance-factor × term and IM = Σ initial-factor × term; both are sums of the same terms, so IM ≥ MM wherever
the model's initial factors are not below its maintenance factors (which `check_model` demands).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, frozen, tally
from crossmargin.instruments.table import Family, InstrumentTable
from crossmargin.margin.addons import Stock, addons
from crossmargin.margin.document import MarginModel
from crossmargin.margin.exposure import Exposure
from crossmargin.margin.rule import RuleTable, rule_margin
from crossmargin.margin.scan import Scan, ScanMatrix, gain_since, scan
from crossmargin.portfolio.book import Lines, Mode

ROUNDING: Final = 1e-12  # relative: what two ways to add the same losses may differ by
TERMS: Final = (
    "scan",
    "offset_cap",
    "jump",
    "liquidity",
    "concentration",
    "basis",
    "short_option_minimum",
    "oracle",
    "rule",
    "option_value",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requirements:
    """Requirements of groups, USD. `initial` and `maintenance` [group, term] in the order of `TERMS`.

    `scan_loss` [group] is the measure over regular scenarios before factors, `worst` [group] the column that set it
    (or the worst one, for other measures), −1 where nothing is lost; `worst_tail` the worst far move. `covered`
    [group] is the loss of the positions that is not the collateral's: the scan, with the offset cap where it applies.
    """

    initial: FloatArray
    maintenance: FloatArray
    scan_loss: FloatArray
    worst: IndexArray
    worst_tail: IndexArray
    covered: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """What every requirement is computed from, made once per book, market and model."""

    table: InstrumentTable
    matrix: ScanMatrix
    exposure: Exposure
    rules: RuleTable
    model: MarginModel


def requirements(positions: Lines, orders: Lines, mode: IndexArray, terms: Terms, *, threads: int = 1) -> Requirements:
    """Requirements of the groups that own `positions` and `orders`; `mode` [group] as `portfolio.book.Mode`."""
    choice = terms.model.measure
    found = scan(positions, orders, terms.matrix, terms.exposure, terms.table, choice, threads=threads)
    return requirements_of(found, stock(positions), working_orders(orders), mode, terms)


def requirements_of(found: Scan, held: Stock, working: Stock, mode: IndexArray, terms: Terms) -> Requirements:
    """Requirements from a scan that is known: every other term, and the factors."""
    groups, model = len(mode), terms.model
    extra = addons(held, working, found.cells, terms.exposure, model)
    sum_alone = found.cells.sum(axis=1)
    offsets = np.maximum(sum_alone - found.regular, 0.0)
    offset_cap = (1.0 - model.offset_cap) * offsets
    jump = found.tail - found.regular
    jump = np.where(jump > ROUNDING * found.regular, jump, 0.0)
    floor = np.maximum(extra.short_option_minimum - found.regular - offset_cap - jump, 0.0)
    portfolio = {
        "scan": (found.regular, model.scan),
        "offset_cap": (offset_cap, model.scan),
        "jump": (jump, model.jump),
        "liquidity": (extra.liquidity, model.liquidity.spread),
        "concentration": (extra.concentration, model.liquidity.concentration),
        "basis": (extra.basis, model.basis.factor),
        "short_option_minimum": (floor, model.short_option.factor),
        "oracle": (extra.oracle, model.oracle.factor),
    }
    is_portfolio = np.asarray(mode) == Mode.PORTFOLIO
    initial, maintenance = np.zeros((groups, len(TERMS))), np.zeros((groups, len(TERMS)))
    for name, (amount, factor) in portfolio.items():
        column = TERMS.index(name)
        initial[:, column] = np.where(is_portfolio, factor.initial * amount, 0.0)
        maintenance[:, column] = np.where(is_portfolio, factor.maintenance * amount, 0.0)
    by_rule = (np.zeros(groups), np.zeros(groups))
    cost = np.zeros(groups)
    if not is_portfolio.all():
        by_rule = rule_margin(held, working, terms.rules, terms.exposure, groups)
        cost = _fill_costs(working, terms, groups)
    for target, amount in zip((initial, maintenance), by_rule, strict=True):
        target[:, TERMS.index("rule")] = np.where(is_portfolio, 0.0, amount + cost)
    _cap_at_value(initial, maintenance, held, working, is_portfolio, terms)
    if model.option_value == "requirement":
        _subtract_option_value(initial, maintenance, held, is_portfolio, terms)
    return Requirements(
        initial=frozen(initial),
        maintenance=frozen(maintenance),
        scan_loss=frozen(found.regular),
        worst=frozen(found.worst, np.int32),
        worst_tail=frozen(found.worst_tail, np.int32),
        covered=frozen(found.regular + np.where(is_portfolio, offset_cap, 0.0)),
    )


def stock(lines: Lines) -> Stock:
    """Lines with their group beside them; contracts of one group dealt at several prices become one line."""
    group = lines.owner
    same = (np.diff(lines.instrument, prepend=-1) == 0) & (np.diff(group, prepend=-1) == 0)
    if not same.any():
        return Stock(group=group, instrument=lines.instrument, quantity=lines.quantity)
    first = np.flatnonzero(~same)
    return Stock(
        group=group[first], instrument=lines.instrument[first], quantity=np.add.reduceat(lines.quantity, first)
    )


def working_orders(lines: Lines) -> Stock:
    """Orders with their group beside them, each on its own: a buy and a sell of one contract may not both fill."""
    return Stock(group=lines.owner, instrument=lines.instrument, quantity=lines.quantity, price=lines.price)


def _fill_costs(working: Stock, terms: Terms, groups: int) -> FloatArray:
    """What filling the orders of groups by rule takes from their equity at once [group], USD.

    The loss of a limit through the mark, and the premium of an option bought, which such a group counts in part only.
    """
    if working.price is None or not len(working.quantity):
        return np.zeros(groups)
    table, exposed = terms.table, terms.exposure
    gain = gain_since(table, exposed, working.instrument, working.quantity, working.price)
    paid_up_front = (exposed.is_option & table.upfront)[working.instrument]
    value = np.maximum(working.quantity * exposed.value[working.instrument], 0.0)
    lost = np.where(paid_up_front, (1.0 - terms.model.long_option_credit) * value, 0.0)
    return tally(working.group, np.maximum(lost - gain, 0.0), groups)


def _cap_at_value(
    initial: FloatArray,
    maintenance: FloatArray,
    held: Stock,
    working: Stock,
    is_portfolio: BoolArray,
    terms: Terms,
) -> None:
    """Options bought and paid for, and nothing else, never need more than they are worth: all they can lose."""
    table, groups = terms.table, len(initial)
    bought = (terms.exposure.is_option & table.upfront)[held.instrument] & (held.quantity > 0.0)
    others = tally(held.group, (~bought & (held.quantity != 0.0)).astype(np.float64), groups)
    others += tally(working.group, np.ones(len(working.group)), groups)
    value = tally(held.group, np.where(bought, held.quantity * terms.exposure.value[held.instrument], 0.0), groups)
    capped = is_portfolio & (others == 0.0)
    total = initial.sum(axis=1)
    over = capped & (total > value)
    initial[over] *= (value / np.where(over, total, 1.0))[over, None]
    also = capped & (maintenance.sum(axis=1) > value)  # then initial margin is too, and both are the value
    maintenance[also] = initial[also]


def counted_value(
    held: Stock, is_portfolio: BoolArray, table: InstrumentTable, exposure: Exposure, model: MarginModel
) -> FloatArray:
    """What each position is worth as an asset of its group [line], USD.

    Nothing for futures-style options; in groups by rule, a long option only the model's credit.
    """
    value = held.quantity * np.where(table.upfront, exposure.value, 0.0)[held.instrument]
    long_by_rule = ~is_portfolio[held.group] & (value > 0.0) & exposure.is_option[held.instrument]
    return np.asarray(np.where(long_by_rule, model.long_option_credit * value, value))


def _subtract_option_value(
    initial: FloatArray, maintenance: FloatArray, held: Stock, is_portfolio: BoolArray, terms: Terms
) -> None:
    """Net option value against the requirement, which it takes to zero at most (the convention of SPAN)."""
    value = counted_value(held, is_portfolio, terms.table, terms.exposure, terms.model)
    option = terms.table.family[held.instrument] == Family.OPTION
    net = tally(held.group, np.where(option, value, 0.0), len(initial))
    for target in (initial, maintenance):
        target[:, TERMS.index("option_value")] = np.maximum(-net, -target.sum(axis=1))
