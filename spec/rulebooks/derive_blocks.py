"""What Derive's managers share, one option at a time. Source: rulebook reference 1.3 to 1.5.

A portfolio is a plain dictionary: `underlying`, `feeds` (spot, perp_price, stable_price, their confidences, and
`expiries`), cash, perp, perp_pnl, perp_funding, `options` (seconds_to_expiry, strike, right, amount, vol) and
`collaterals` (asset, amount, price, confidence).
"""

import math
from fractions import Fraction
from typing import Any

YEAR_S = 365 * 86_400
MONTH_S = 30 * 86_400


def normal_cdf(x: float) -> float:
    """N(x)."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def black(forward: float, strike: float, total_vol: float, right: str) -> float:
    """1.3 Black-76, undiscounted: the call between 0 and F, the put by parity between 0 and K."""
    if strike == 0.0 or forward == 0.0:
        return forward if right == "call" else strike
    if total_vol == 0.0:
        call = max(forward - strike, 0.0)
    elif total_vol >= 24.0:
        call = forward
    else:
        d1 = -math.log(strike / forward) / total_vol + total_vol / 2.0
        call = forward * normal_cdf(d1) - strike * normal_cdf(d1 - total_vol)
    if right == "call":
        return min(max(call, 0.0), forward)
    return min(max(call - forward + strike, 0.0), strike)


def svi_vol(strike: float, feed: dict[str, Any]) -> float:
    """1.3 SVI vol feed: log-moneyness of the feed's own forward, clamped; variance at most 144."""
    if strike == 0.0:
        return 0.0
    bound = 4.0 * math.sqrt(feed["a"] + feed["b"] * feed["sigma"])
    k = min(max(math.log(strike / feed["forward"]), -bound), bound)
    x = k - feed["m"]
    variance = feed["a"] + feed["b"] * (feed["rho"] * x + math.hypot(x, feed["sigma"]))
    return math.sqrt(min(variance, 144.0) / feed["tenor_years"])


def expiries(portfolio: dict[str, Any]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each expiry held with its feed and its options, those that stand twice netted."""
    found = []
    for feed in portfolio["feeds"]["expiries"]:
        own = [o for o in portfolio["options"] if o["seconds_to_expiry"] == feed["seconds_to_expiry"]]
        netted: dict[tuple[float, str], dict[str, Any]] = {}
        for option in own:
            key = (option["strike"], option["right"])
            vol = option["vol"] if option["vol"] is not None else svi_vol(option["strike"], feed["svi"])
            held = netted.setdefault(key, {"strike": key[0], "right": key[1], "vol": vol, "amount": 0.0})
            held["amount"] += option["amount"]
        if own:
            found.append((feed, list(netted.values())))
    return found


def forward_of(feed: dict[str, Any], factor: float = 1.0) -> float:
    """1.3 Forward: a shock moves what is not settled."""
    return float(feed["forward_variable"] * factor + feed["forward_fixed"])


def tenor(feed: dict[str, Any]) -> float:
    """Years to expiry."""
    return float(feed["seconds_to_expiry"] / YEAR_S)


def value(options: list[dict[str, Any]], feed: dict[str, Any], factor: float, vols: list[float]) -> float:
    """Undiscounted value of the options of one expiry at a factor on the spot and given volatilities."""
    root, forward = math.sqrt(tenor(feed)), forward_of(feed, factor)
    units = [black(forward, o["strike"], vol * root, o["right"]) for o, vol in zip(options, vols, strict=True)]
    return float(sum(o["amount"] * unit for o, unit in zip(options, units, strict=True)))


def shocked_vol(vol: float, kind: str, seconds: int, shock: dict[str, Any]) -> float:
    """1.4 Vol shock: up (not below the floor), down, or none."""
    if kind == "none":
        return vol
    power = shock["short_power"] if seconds <= MONTH_S else shock["long_power"]
    g = (MONTH_S / max(seconds, shock["days_floor"] * 86_400)) ** power
    if kind == "up":
        return float(max(vol * (1.0 + shock["range_up"] * g), shock["vol_floor"]))
    return float(vol * max(0.0, 1.0 - shock["range_down"] * g))


def basis_loss(now: float, up: float, down: float, years: float, basis: dict[str, Any]) -> float:
    """1.4 Basis contingency of one expiry."""
    return float(min(0.0, up - now, down - now) * (basis["add"] + basis["mult"] * years))


def naked(options: list[dict[str, Any]]) -> float:
    """1.4 Options short after netting call and put of a strike: both short add, opposite ones net, both long are 0."""
    total = 0.0
    for strike in {o["strike"] for o in options}:
        call, put = (
            sum(o["amount"] for o in options if o["strike"] == strike and o["right"] == right)
            for right in ("call", "put")
        )
        if call < 0.0 and put < 0.0:
            total += -call - put
        elif call < 0.0 or put < 0.0:
            total += max(0.0, -min(call, put) - max(call, put))
    return total


def gross(options: list[dict[str, Any]]) -> float:
    """Longs and shorts together."""
    return float(sum(abs(o["amount"]) for o in options))


def doubt(confidences: list[Any], threshold: Any) -> float:
    """1 − the lowest confidence where it is below the threshold, else 0; compared as written."""
    lowest = min(Fraction(str(c)) for c in confidences)
    return float(1 - lowest) if lowest < Fraction(str(threshold)) else 0.0


def sure(portfolio: dict[str, Any]) -> list[Any]:
    """Confidence of the spot, and of the perpetual where one is held."""
    feeds = portfolio["feeds"]
    return [feeds["spot_confidence"]] + ([feeds["perp_confidence"]] if portfolio["perp"] else [])
