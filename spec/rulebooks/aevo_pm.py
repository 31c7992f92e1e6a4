"""Aevo's portfolio margin, one scenario and one contract at a time. Source: rulebook reference 8."""

from typing import Any

from spec.rulebooks import scanning


def scenarios(held: dict[str, Any], rates: dict[str, float]) -> list[tuple[float, float]]:
    """P&L of the positions of a coin, and the loss of its working orders, in each scenario."""
    found = []
    for part in (-1.0, -0.5, 0.0, 0.5, 1.0):
        move = part * (rates["spot_up"] if part > 0.0 else rates["spot_down"])
        for shift in (-rates["vol_down"], 0.0, rates["vol_up"]):
            pnl = orders = 0.0
            for leg in [*held["linear"], *held["options"]]:
                if "strike" in leg:
                    one = scanning.option_pnl(leg, move, max(leg["volatility"] + shift, 0.0), held["index"])
                else:
                    one = scanning.linear_pnl(leg["price"], leg["inverse"], move, held["index"])
                pnl += leg["quantity"] * one
                orders += scanning.order_loss(leg["buys"], leg["sells"], one)
            found.append((pnl, orders))
    return found


def margin(held: dict[str, Any], rules: dict[str, Any]) -> tuple[float, float]:
    """Initial and maintenance margin of one coin."""
    rates = rules["coins"][held["coin"]]
    table = scenarios(held, rates)
    worst = max(0.0, -min(pnl for pnl, _ in table))
    filled = max(0.0, -min(pnl - orders for pnl, orders in table))
    sold = sum(max(0.0, -leg["quantity"]) for leg in held["options"])
    floor: float = rates["floor_short_option"] * held["index"] * sold
    floor += rates["floor_perpetual"] * sum(abs(leg["quantity"]) * leg["price"] for leg in held["linear"])
    kept = worst + floor if rules["floor"] == "added" else max(worst, floor)
    factor: float = rules["maintenance_factor"]
    return kept + filled - worst, factor * kept
