"""The standard manager, one option at a time. Source: rulebook reference 1.6.

A portfolio is a plain dictionary of `cash` and `markets`; a market is a portfolio of `derive_blocks` with `base`.
"""

import math
from typing import Any

from spec.rulebooks import derive_blocks as blocks

LEVELS = ("initial", "maintenance")


def margin(portfolio: dict[str, Any], rules: dict[str, Any]) -> dict[str, float]:
    """Net initial and maintenance margin, and the mark-to-market."""
    total = dict.fromkeys((*LEVELS, "mark_to_market"), portfolio["cash"])
    for market in portfolio["markets"]:
        for name, amount in _market(market, rules["markets"][market["underlying"]], rules).items():
            total[name] += amount
    return total


def _market(market: dict[str, Any], terms: dict[str, Any], rules: dict[str, Any]) -> dict[str, float]:
    feeds, spot = market["feeds"], market["feeds"]["spot"]
    held = blocks.expiries(market)
    paid = market["perp_pnl"] + market["perp_funding"]
    mark = sum(blocks.value(options, feed, 1.0, [o["vol"] for o in options]) for feed, options in held)
    found = {"mark_to_market": paid + mark + market["base"] * spot / feeds["stable_price"]}
    for level in LEVELS:
        perp = -abs(market["perp"]) * (feeds["perp_price"] or 0.0) * (terms[f"perp_{level}"] or 0.0)
        base = market["base"] * spot * terms["base_factor"]
        base *= terms["base_initial_scale"] if level == "initial" else 1.0
        option = sum(_expiry(feed, options, spot, terms["option"], level) for feed, options in held)
        found[level] = paid + perp + base + option
    short = sum(-o["amount"] for _, options in held for o in options if o["amount"] < 0.0)
    depeg = max(0.0, rules["depeg_threshold"] - feeds["stable_price"]) * rules["depeg_factor"]
    found["initial"] -= depeg * spot * (abs(market["perp"]) + short)
    found["initial"] -= _oracle(market, held, terms["oracle"])
    return found


def _expiry(
    feed: dict[str, Any], options: list[dict[str, Any]], spot: float, terms: dict[str, Any], level: str
) -> float:
    """The lesser loss of isolated margins and maximum loss."""
    alone = sum(_isolated(o, feed, spot, terms)[level] for o in options if o["amount"] < 0.0)
    calls = sum(o["amount"] for o in options if o["right"] == "call")
    most = min(0.0, *(_payoff(options, settled) for settled in [0.0, *(o["strike"] for o in options)]))
    if calls < 0.0:
        most += terms[f"unpaired_{level}"] * blocks.forward_of(feed) * calls
    return float(max(alone, most))


def _payoff(options: list[dict[str, Any]], settled: float) -> float:
    return float(
        sum(
            o["amount"] * max(settled - o["strike"] if o["right"] == "call" else o["strike"] - settled, 0.0)
            for o in options
        )
    )


def _isolated(option: dict[str, Any], feed: dict[str, Any], spot: float, terms: dict[str, Any]) -> dict[str, float]:
    """The margin of one short option."""
    size, strike, right = -option["amount"], option["strike"], option["right"]
    unit = blocks.black(blocks.forward_of(feed), strike, option["vol"] * math.sqrt(blocks.tenor(feed)), right)
    mark = -unit * size
    otm = max(strike - spot, 0.0) if right == "call" else max(spot - strike, 0.0)
    initial = mark - max(terms["spot_min"] * spot, terms["spot_max"] * spot - otm) * size
    if right == "call":
        return {"initial": initial, "maintenance": mark - terms["maintenance_call"] * spot * size}
    charge = max(terms["maintenance_put"] * spot * size, terms["maintenance_put_mark"] * abs(mark))
    maintenance = mark - charge
    return {"initial": min(initial, maintenance * terms["put_offset"]), "maintenance": maintenance}


def _oracle(
    market: dict[str, Any], held: list[tuple[dict[str, Any], list[dict[str, Any]]]], terms: dict[str, Any]
) -> float:
    feeds, spot = market["feeds"], market["feeds"]["spot"]
    sure = feeds["spot_confidence"]
    total = blocks.doubt([sure, feeds["perp_confidence"]], terms["perp_threshold"]) * abs(market["perp"])
    total += blocks.doubt([sure], terms["base_threshold"]) * market["base"]
    for feed, options in held:
        short = sum(-o["amount"] for o in options if o["amount"] < 0.0)
        own = [sure, feed["forward_confidence"], feed["vol_confidence"]]
        total += blocks.doubt(own, terms["option_threshold"]) * short
    return float(total * terms["factor"] * spot)
