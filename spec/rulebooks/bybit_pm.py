"""Bybit portfolio margin of a base coin, one leg and one scenario at a time; section 4 of the rulebook reference."""

from collections.abc import Mapping
from typing import Any

from spec.rulebooks.okx_pm import loss
from spec.rulebooks.spreads import (
    by_tenor,
    cash_deltas,
    delta_usd,
    fills,
    is_option,
    is_spot,
    legs,
    matched_days,
    matched_pairs,
)


def max_loss(unit: Mapping[str, Any], rates: Mapping[str, Any], orders: bool) -> float:
    """The worst of 11 prices × 3 volatilities; at least 0."""
    found, worst = legs(unit), 0.0
    for k in range(-5, 6):
        for side in (-1.0, 0.0, 1.0):
            cell = (k * rates["step"], side, 0.0)
            worst = max(worst, loss(found, unit["index"], cell, dict(rates["volatility"]), orders))
    return worst


def contingencies(
    unit: Mapping[str, Any], quotes: Mapping[str, str], rates: Mapping[str, Any], fill: int
) -> dict[str, float]:
    """The five contingencies; `fill` 0 of positions, 1 with all buys, 2 with all sells filled."""
    found, index = legs(unit), float(unit["index"])
    short: dict[tuple[float, str], float] = {}
    coins: dict[float, float] = {}
    contracts = 0.0
    for leg in found:
        held = fills(leg)[fill]
        if is_option(leg):
            key = (leg["days"], leg["right"])
            short[key] = short.get(key, 0.0) - held
            coins[leg["days"]] = coins.get(leg["days"], 0.0) + held
        elif not is_spot(leg):
            contracts += abs(held)
    delta = 0.0
    for days, group in by_tenor(found).items():
        net = sum(fills(leg)[fill] * delta_usd(leg, index) for leg in group if not is_spot(leg))
        delta += rates["basis_annual"] * days / 365.0 * abs(net)
    cash = cash_deltas(found, quotes, lambda leg: fills(leg)[fill], index)
    return {
        "net short options": rates["short_option"] * index * sum(max(x, 0.0) for x in short.values()),
        "vega": rates["vega_day"] * index * matched_days(coins),
        "delta": delta,
        "perpetuals and futures": rates["contract"] * index * contracts,
        "USDT-USDC": rates["stable_spread"] * matched_pairs(cash)["USDT", "USDC"],
    }


def margin(unit: Mapping[str, Any], quotes: Mapping[str, str], rates: Mapping[str, Any]) -> tuple[float, float]:
    """Initial and maintenance margin of a base coin."""
    now, bought, sold = (contingencies(unit, quotes, rates, fill) for fill in (0, 1, 2))
    maintenance = max_loss(unit, rates, False) + sum(now.values())
    worst = sum(max(now[name], bought[name], sold[name]) for name in now)
    return rates["initial_factor"] * (max_loss(unit, rates, True) + worst), maintenance
