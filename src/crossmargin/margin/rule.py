"""Margin by rule, position by position: what isolated and cross groups require.

Linear contracts take marginal rates by notional (brackets); short options a part of the underlying's price, less the
out-of-the-money amount; long options nothing, because their premium is paid. The value of an option is in equity (or
in the option-value term), so the rule never adds it again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray, frozen, tally
from crossmargin.core.check import known
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.table import Family, InstrumentTable
from crossmargin.margin.addons import Stock
from crossmargin.margin.document import MarginModel, PositionRule
from crossmargin.margin.exposure import Exposure
from crossmargin.market.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RuleTable:
    """The rule of each instrument: brackets [instrument, tier] and rates of one short option [instrument], USD."""

    cap: FloatArray
    initial: FloatArray
    maintenance: FloatArray
    short_initial: FloatArray
    short_maintenance: FloatArray


def rule_table(
    table: InstrumentTable, snapshot: Snapshot, exposure: Exposure, model: MarginModel, *, used: IndexArray
) -> RuleTable:
    """The rules of the instruments `used` in groups margined by rule; the other rows are zero.

    Raises `UnknownName` for a risk class without a rule, `InvalidInput` for an instrument that no rule covers.
    """
    rules: list[PositionRule | None] = [None] * len(table)
    for row in np.unique(used):
        rules[row] = _rule_of(table, snapshot, model, int(row))
    tiers = max((len(r.tiers) for r in rules if r), default=1)
    cap = np.full((len(table), tiers), np.inf)
    initial, maintenance = np.zeros((len(table), tiers)), np.zeros((len(table), tiers))
    short = np.zeros((2, len(table)))
    for row, rule in enumerate(rules):
        if rule is None:
            continue
        for j in range(tiers):
            tier = rule.tiers[min(j, len(rule.tiers) - 1)]
            cap[row, j] = tier.notional_cap if j < len(rule.tiers) - 1 else np.inf
            initial[row, j], maintenance[row, j] = tier.initial, tier.maintenance
        if table.family[row] == Family.OPTION:
            short[:, row] = _short_option(rule, _out_of_the_money(table, snapshot, row))
    notional = exposure.option_notional
    return RuleTable(
        cap=frozen(cap),
        initial=frozen(initial),
        maintenance=frozen(maintenance),
        short_initial=frozen(short[0] * notional),
        short_maintenance=frozen(short[1] * notional),
    )


def _rule_of(table: InstrumentTable, snapshot: Snapshot, model: MarginModel, row: int) -> PositionRule:
    if table.family[row] in (Family.SPOT, Family.SENSITIVITIES):
        raise InvalidInput(
            "instrument",
            where=f"group margined by rule: {table.ids[row]}",
            value=Family(table.family[row]).name.lower(),
            limit="a future, perpetual, forward or option",
            remedy="Put it into a portfolio group, or hold spot as collateral.",
        )
    u = snapshot.underlyings[table.underlyings[table.underlying[row]]]
    known(
        u.risk_class,
        model.rules,
        f"risk class of {u.name}",
        where="model rules",
        remedy="Add rules for the class to the model, or margin the position in a portfolio group.",
    )
    return model.rules[u.risk_class]


def _out_of_the_money(table: InstrumentTable, snapshot: Snapshot, row: int) -> float:
    """How far an option is out of the money, as a fraction of the underlying's price now; infinite where that is 0."""
    spot = snapshot.underlyings[table.underlyings[table.underlying[row]]].spot
    out = max(float(table.right[row]) * (float(table.strike[row]) - spot), 0.0)
    return out / abs(spot) if spot else math.inf


def _short_option(rule: PositionRule, out: float) -> tuple[float, float]:
    option = rule.option
    initial = max(option.initial_far - out, option.initial_near, option.maintenance)
    return initial, option.maintenance


def rule_margin(
    positions: Stock, orders: Stock, rules: RuleTable, exposure: Exposure, groups: int
) -> tuple[FloatArray, FloatArray]:
    """Initial and maintenance margin by rule [group], USD.

    Each instrument of a group counts at the larger of what it would be with all buys or all sells filled.
    """
    lines, most_long, most_short = _worst_quantities(positions, orders)
    size = np.maximum(np.abs(most_long), np.abs(most_short))
    option = exposure.is_option[lines.instrument]
    sold = np.where(option, np.maximum(-most_short, 0.0), 0.0)
    notional = np.where(option, 0.0, size * exposure.notional[lines.instrument])
    margins = []
    for rates, short in ((rules.initial, rules.short_initial), (rules.maintenance, rules.short_maintenance)):
        amount = _bracketed(notional, rules.cap[lines.instrument], rates[lines.instrument])
        amount += sold * short[lines.instrument]
        margins.append(tally(lines.group, amount, groups))
    return margins[0], margins[1]


def _bracketed(notional: FloatArray, cap: FloatArray, rate: FloatArray) -> FloatArray:
    """Σ over tiers of rate × the part of `notional` in the tier [line]."""
    floor = np.concatenate([np.zeros((len(cap), 1)), cap[:, :-1]], axis=1)
    part = np.maximum(np.minimum(notional[:, None], cap) - np.minimum(notional[:, None], floor), 0.0)
    return np.asarray((part * rate).sum(axis=1))


def _worst_quantities(positions: Stock, orders: Stock) -> tuple[Stock, FloatArray, FloatArray]:
    """One line per group and instrument, with its quantity if all buys, and if all sells, were filled."""
    if not len(orders.quantity):
        return positions, positions.quantity, positions.quantity
    group = np.concatenate([positions.group, orders.group])
    instrument = np.concatenate([positions.instrument, orders.instrument])
    held = np.concatenate([positions.quantity, np.zeros(len(orders.quantity))])
    ordered = np.concatenate([np.zeros(len(positions.quantity)), orders.quantity])
    key = group.astype(np.int64) << 32 | instrument
    found, index = np.unique(key, return_inverse=True)
    index = index.reshape(-1)
    net = tally(index, held, len(found))
    lines = Stock(group=(found >> 32).astype(np.int32), instrument=(found & 0xFFFFFFFF).astype(np.int32), quantity=net)
    buys = tally(index, np.maximum(ordered, 0.0), len(found))
    sells = tally(index, np.minimum(ordered, 0.0), len(found))
    return lines, net + buys, net + sells
