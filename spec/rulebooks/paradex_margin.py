"""Paradex, portfolio and cross margin, one leg and one scenario at a time; section 7 of the rulebook reference."""

from collections.abc import Mapping
from typing import Any

from spec.rulebooks import scanning
from spec.rulebooks.okx_pm import leg_pnl
from spec.rulebooks.spreads import delta_usd, is_option, legs, option_value


def scan(unit: Mapping[str, Any], rates: Mapping[str, Any], orders: bool) -> float:
    """The worst weighted loss; at least 0."""
    worst = 0.0
    for scenario in rates["scenarios"]:
        total = 0.0
        for leg in legs(unit):
            live = 1.0
            if is_option(leg):
                live = min(leg["days"] * 1440.0 / rates["settlement_minutes"], 1.0)
            pnl = leg_pnl(leg, unit["index"], scenario["spot"], scenario["vol"], dict(rates["tenor"]))
            pnl *= live * scenario["weight"]
            total -= leg["quantity"] * pnl
            if orders:
                total += scanning.order_loss(leg["buys"], leg["sells"], pnl)
        worst = max(worst, total)
    return worst


def min_delta(unit: Mapping[str, Any], rates: Mapping[str, Any], orders: bool) -> float:
    """2 % of the delta that fills can leave unhedged, 1 % of what is hedged."""
    long = short = longer = shorter = 0.0
    for leg in legs(unit):
        coins = delta_usd(leg, unit["index"]) / unit["index"] if is_option(leg) else 1.0
        at = leg["quantity"] * coins
        long, short = long + max(at, 0.0), short + max(-at, 0.0)
        if orders:
            for size in (leg["buys"] * coins, -leg["sells"] * coins):
                longer, shorter = longer + max(size, 0.0), shorter + max(-size, 0.0)
    unhedged = max(0.0, long + longer - short, short + shorter - long)
    hedged = max(0.0, max(long + longer, short + shorter) - unhedged)
    return float((rates["unhedged"] * unhedged + rates["hedged"] * hedged) * unit["index"])


def provisions(unit: Mapping[str, Any], funding: float, rates: Mapping[str, Any], orders: bool) -> float:
    """Funding that perpetuals are expected to pay, and the fees of closing."""
    held = bought = sold = fees = 0.0
    for leg in legs(unit):
        size = abs(leg["quantity"]) + (leg["buys"] + leg["sells"] if orders else 0.0)
        if is_option(leg):
            mark = option_value(leg, unit["index"])
            fees += size * min(rates["fee"] * unit["index"], rates["option_fee_cap"] * mark)
        else:
            fees += size * rates["fee"] * leg["price"]
            held += leg["quantity"]
            bought += leg["buys"] if orders else 0.0
            sold += leg["sells"] if orders else 0.0
    paid = max(0.0, funding * (held + bought), funding * (held - sold))
    return float(paid * unit["index"] + fees)


def margin(unit: Mapping[str, Any], funding: float, rates: Mapping[str, Any]) -> tuple[float, float]:
    """Initial and maintenance margin of a base asset."""
    larger = max(scan(unit, rates, True), min_delta(unit, rates, True))
    least = max(scan(unit, rates, False), min_delta(unit, rates, False))
    initial = larger + provisions(unit, funding, rates, True)
    return initial, rates["maintenance_factor"] * least + provisions(unit, funding, rates, False)


def option(held: Mapping[str, Any], rates: Mapping[str, float]) -> float:
    """Cross margin of an option at one level of rates."""
    size, spot, strike = abs(held["quantity"]), held["spot"], held["strike"]
    if held["quantity"] >= 0.0:
        return float(size * min(rates["premium"] * held["mark"], rates["long_itm"] * spot))
    if held["right"] == "call":
        out = max(0.0, strike - spot)
        return float(size * max(rates["short_itm"] * spot - out, rates["short_otm"] * spot))
    out = max(0.0, spot - strike)
    short = max(rates["short_itm"] * spot - out, rates["short_otm"] * spot)
    return float(size * min(short, rates["put_cap"] * strike))
