"""OKX portfolio margin of a risk unit, one leg and one scenario at a time; section 3 of the rulebook reference."""

from collections.abc import Mapping, Sequence
from typing import Any

from spec.rulebooks import scanning
from spec.rulebooks.spreads import (
    Leg,
    by_tenor,
    cash_deltas,
    delta_usd,
    fills,
    is_option,
    is_spot,
    legs,
    matched_pairs,
    option_value,
    reach,
    tiered,
)


def leg_pnl(leg: Leg, index: float, move: float, side: float, rule: dict[str, Any], days: float = 0.0) -> float:
    """P&L of one coin; coins count at the moved price."""
    coin = index * (1.0 + move)
    if is_option(leg):
        vol = scanning.shocked_vol(leg["volatility"], leg["days"], side, rule)
        return float(scanning.option_pnl(dict(leg), move, vol, coin, days))
    return float(scanning.linear_pnl(leg["price"], leg["inverse"], move, coin))


def loss(
    found: Sequence[Leg], index: float, cell: tuple[float, float, float], rule: dict[str, Any], orders: bool
) -> float:
    """Loss of legs in a scenario (move, direction, days passed)."""
    total = 0.0
    for leg in found:
        pnl = leg_pnl(leg, index, cell[0], cell[1], rule, cell[2])
        total -= leg["quantity"] * pnl
        if orders:
            total += scanning.order_loss(leg["buys"], leg["sells"], pnl)
    return total


def terms(
    unit: Mapping[str, Any], quotes: Mapping[str, str], table: Mapping[str, Any], orders: bool
) -> dict[str, float]:
    """MR1 … MR7 and MR9. `table` has the numbers of the coin's classes, and prices of stablecoins."""
    found, index, rule = legs(unit), float(unit["index"]), dict(table["volatility"])
    options = [leg for leg in found if is_option(leg)]
    prices = [0.0, *table["steps"], *(-x for x in table["steps"])]
    regular = [loss(found, index, (x, d, 0.0), rule, orders) for x in prices for d in (-1.0, 0.0, 1.0)]
    far = [loss(found, index, (x, 0.0, 0.0), rule, orders) for x in (-table["extreme"], table["extreme"])]
    apart, together = 0.0, 0.0
    for group in by_tenor(options).values():
        apart += max(0.0, *(loss(group, index, (0.0, d, 0.0), rule, orders) for d in (-1.0, 1.0)))
    together = max(0.0, *(loss(options, index, (0.0, d, 0.0), rule, orders) for d in (-1.0, 1.0)))
    basis = rates = 0.0
    for days, group in by_tenor(found).items():
        contracts = [leg for leg in group if not is_spot(leg)]
        rate = max(table["basis_annual"] * days / 365.0, table["basis_floor"])
        basis += rate * reach(contracts, lambda leg: delta_usd(leg, index), orders)
        priced = [leg for leg in group if is_option(leg)]
        rates += days / 365.0 * reach(priced, lambda leg: option_value(leg, index), orders)
    raw = 0.0
    for leg in found:
        held, bought, sold = fills(leg)
        size = max(abs(bought), abs(sold)) if orders else abs(held)
        raw += 0.0 if is_spot(leg) else table["reduction"] * size * abs(delta_usd(leg, index))
    return {
        "MR1": max(0.0, *regular),
        "MR2": max(0.0, loss(found, index, (0.0, 0.0, table["decay_days"]), rule, orders)),
        "MR3": table["vega_share"] * max(apart - together, 0.0),
        "MR4": basis,
        "MR5": table["rate_shock"] * rates,
        "MR6": table["extreme_factor"] * max(0.0, *far),
        "MR7": tiered(raw, table["tiers"]),
        "MR9": max(_pegs_after(found, quotes, index, table, at) for at in ((0, 1, 2) if orders else (0,))),
    }


def _pegs_after(
    found: Sequence[Leg], quotes: Mapping[str, str], index: float, table: Mapping[str, Any], at: int
) -> float:
    return pegs(cash_deltas(found, quotes, lambda leg: fills(leg)[at], index), table)


def pegs(cash: Mapping[str, float], table: Mapping[str, Any]) -> float:
    """MR9: the row of a pair is the first whose peg it keeps."""
    total = 0.0
    for (a, b), size in matched_pairs(cash).items():
        ratio = table["stablecoins"][a] / table["stablecoins"][b]
        peg = min(ratio, 1.0 / ratio)
        for least, tiers in table["pegs"]:
            if peg >= least:
                total += tiered(size, tiers)
                break
    return total


def requirement(found: Mapping[str, float]) -> float:
    """max( max(MR1, MR2, MR6) + MR3 + MR4 + MR5 + MR9 , MR7 )."""
    largest = max(found["MR1"], found["MR2"], found["MR6"])
    return max(largest + found["MR3"] + found["MR4"] + found["MR5"] + found["MR9"], found["MR7"])
