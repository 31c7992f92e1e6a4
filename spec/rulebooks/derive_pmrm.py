"""PMRM, one scenario and one option at a time. Source: rulebook reference 1.5."""

import math
from typing import Any

from spec.rulebooks import derive_blocks as blocks


def margin(portfolio: dict[str, Any], rules: dict[str, Any]) -> dict[str, Any]:
    """Net initial and maintenance margin with what makes them."""
    feeds, terms, spot = portfolio["feeds"], rules["statics"], portfolio["feeds"]["spot"]
    base = sum(c["amount"] for c in portfolio["collaterals"])
    held = [
        (feed, options, blocks.value(options, feed, 1.0, [o["vol"] for o in options]))
        for feed, options in blocks.expiries(portfolio)
    ]
    pnl = [_pnl(portfolio, held, base, scenario, rules) for scenario in rules["scenarios"]]
    basis = 0.0
    for feed, options, mark in held:
        up, down = (
            blocks.value(options, feed, rules["basis"][side], [o["vol"] for o in options]) for side in ("up", "down")
        )
        basis += blocks.basis_loss(mark, up, down, blocks.tenor(feed), rules["basis"])
    span = min([basis, *pnl])
    short = sum(blocks.naked(options) for _, options, _ in held)
    static = (abs(portfolio["perp"]) * terms["perp"] + base * terms["base"] + short * terms["option"]) * spot
    equity = portfolio["perp_pnl"] + portfolio["perp_funding"] + portfolio["cash"]
    equity += sum(mark for _, _, mark in held) + base * spot / feeds["stable_price"]
    factor = rules["initial_factor"] + max(0.0, terms["peg_threshold"] - feeds["stable_price"]) * terms["peg_factor"]
    sure, threshold = blocks.sure(portfolio), terms["confidence_threshold"]
    oracle = blocks.doubt(sure, threshold) * (abs(portfolio["perp"]) + base) * spot
    for feed, options, _ in held:
        own = [feed[f"{name}_confidence"] for name in ("forward", "rate", "vol")]
        oracle += blocks.doubt([*sure, *own], threshold) * blocks.gross(options) * spot
    return {
        "initial": (span - static) * factor - oracle * terms["confidence_margin"] + equity,
        "maintenance": span - static + equity,
        "mark_to_market": equity,
        "pnl": pnl,
        "basis": basis,
        "oracle": oracle * terms["confidence_margin"],
    }


def _pnl(
    portfolio: dict[str, Any],
    held: list[tuple[dict[str, Any], list[dict[str, Any]], float]],
    base: float,
    scenario: dict[str, Any],
    rules: dict[str, Any],
) -> float:
    """What the account gains in one scenario; only long values are discounted."""
    feeds, terms, move = portfolio["feeds"], rules["discount"], scenario["spot"] - 1.0
    total = portfolio["perp"] * (feeds["perp_price"] or 0.0) * move
    total += base * feeds["spot"] / feeds["stable_price"] * move
    for feed, options, mark in held:
        seconds = feed["seconds_to_expiry"]
        vols = [blocks.shocked_vol(o["vol"], scenario["vol"], seconds, rules["vol_shock"]) for o in options]
        shocked = blocks.value(options, feed, scenario["spot"], vols)
        if shocked > 0.0:
            rate = max(feed["rate"], 0.0) * terms["mult"] + terms["add"]
            shocked *= terms["base"] * math.exp(-blocks.tenor(feed) * rate)
        total += shocked - mark
    return float(total)
