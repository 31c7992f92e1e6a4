"""Venues' scenarios on one holding at a time, from their own formulas: moved volatilities, P&L of contracts, orders.

References: what rulebooks of portfolio margin share (sections 2, 3, 4, 7 and 8 of the rulebook reference).
"""

import math
from typing import Any

from spec.kernels.black76 import black_greeks, black_values

YEAR_DAYS = 365.0


def shocked_vol(vol: float, days: float, direction: float, rule: dict[str, float]) -> float:
    """The volatility of one option after a shock; `direction` +1 is all the way up, −1 all the way down."""
    power = rule["short_power"] if days <= 30.0 else rule["long_power"]
    tenor = max(days, rule["floor_days"])
    grown = (30.0 / tenor) ** power if tenor > 0.0 else 1.0
    move = (rule["up"] if direction > 0.0 else rule["down"]) * direction
    after = vol * (1.0 + move * grown) if rule["relative"] else vol + move * grown
    return max(after, rule["min_up"] if move > 0.0 else 0.0, 0.0)


def value(call: bool, forward: float, strike: float, vol: float, days: float) -> float:
    """Undiscounted value of one option."""
    total = vol * math.sqrt(days / YEAR_DAYS)
    side = 1.0 if call else -1.0
    return black_values(forward, strike, total, side) if total > 1e-14 else max(side * (forward - strike), 0.0)


def linear_pnl(price: float, inverse: bool, move: float, coin: float) -> float:
    """P&L of one coin of a future; an inverse one holds money, the worth of one coin, and gains N/P − N/P' coins."""
    after, money = price * (1.0 + move), price
    return (money / price - money / after) * coin if inverse else after - price


def option_pnl(option: dict[str, Any], move: float, vol: float, coin: float, days_passed: float = 0.0) -> float:
    """P&L of one coin of an option."""
    call: bool = option["right"] == "call"
    forward: float = option["forward"]
    discount: float = option["discount"]
    moved = forward * (1.0 + move)
    before = value(call, forward, option["strike"], option["volatility"], option["days"])
    after = value(call, moved, option["strike"], vol, max(option["days"] - days_passed, 0.0))
    return (after / moved - before / forward) * coin if option["inverse"] else discount * (after - before)


def option_delta(option: dict[str, Any]) -> float:
    """Coins that hedge one coin of an option with a volatility and time above zero."""
    side = 1.0 if option["right"] == "call" else -1.0
    forward: float = option["forward"]
    discount: float = option["discount"]
    greeks = black_greeks(forward, option["strike"], option["volatility"], option["days"] / YEAR_DAYS, 0.0, side)
    return greeks.delta - greeks.value / forward if option["inverse"] else discount * greeks.delta


def order_loss(buys: float, sells: float, pnl: float) -> float:
    """What orders on one contract add to the loss of a scenario in which one coin held long gains `pnl`."""
    return buys * max(0.0, -pnl) + sells * max(0.0, pnl)
