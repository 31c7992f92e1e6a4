"""PMRM_2, one scenario and one option at a time. Source: rulebook reference 1.4."""

import math
from typing import Any

from spec.rulebooks import derive_blocks as blocks


def margin(portfolio: dict[str, Any], rules: dict[str, Any]) -> dict[str, Any]:
    """Net initial and maintenance margin with what makes them."""
    feeds, terms = portfolio["feeds"], rules["contingencies"]
    held = [(feed, options, _mark(feed, options)) for feed, options in blocks.expiries(portfolio)]
    coins = [(c, c["amount"] * c["price"] / feeds["stable_price"]) for c in portfolio["collaterals"]]
    pnl = [_pnl(portfolio, held, coins, scenario, rules) for scenario in rules["scenarios"]]
    basis = sum(_basis(feed, options, mark, rules) for feed, options, mark in held)
    span = min([basis, *pnl])
    equity = portfolio["perp_pnl"] + portfolio["perp_funding"] + portfolio["cash"]
    equity += sum(mark for _, _, mark in held) + sum(amount for _, amount in coins)
    factor = rules["initial_factor"] + max(0.0, terms["peg_threshold"] - feeds["stable_price"]) * terms["peg_factor"]
    maintenance, extra = _contingencies(portfolio, held, coins, rules)
    oracle = _oracle(portfolio, held, coins, terms)
    return {
        "initial": factor * span - maintenance - extra - oracle + equity,
        "maintenance": rules["maintenance_factor"] * span - maintenance + equity,
        "mark_to_market": equity,
        "pnl": pnl,
        "basis": basis,
        "oracle": oracle,
    }


def _discount(feed: dict[str, Any]) -> float:
    return math.exp(-max(feed["rate"], 0.0) * blocks.tenor(feed))


def _mark(feed: dict[str, Any], options: list[dict[str, Any]]) -> float:
    return _discount(feed) * blocks.value(options, feed, 1.0, [o["vol"] for o in options])


def static(value: float, feed: dict[str, Any], rules: dict[str, Any]) -> float:
    """The static discount, by the sign of the value it is applied to."""
    terms, years, rate = rules["discounting"], blocks.tenor(feed), max(feed["rate"], 0.0)
    if value >= 0.0:
        return float(value * terms["long_base"] * math.exp(-years * (rate * terms["long_mult"] + terms["long_add"])))
    grown = terms["short_base"] * math.exp(years * (rate * terms["short_mult"] + terms["short_add"]))
    return float(value * min(1.0 / _discount(feed), grown))


def skewed_vol(option: dict[str, Any], kind: str, feed: dict[str, Any], skew: dict[str, Any]) -> float:
    """The volatility after the smile has turned."""
    root = math.sqrt(blocks.tenor(feed))
    cap = skew[f"{kind}_root_cap"] * root + skew[f"{kind}_base_cap"]
    width = root * skew["width_scale"] * (skew["vol_static"] + root * skew["vol_scale"])
    forward = blocks.forward_of(feed)
    if option["strike"] == 0.0 or forward == 0.0:
        return float(option["vol"])
    k = math.log(option["strike"] / forward)
    k = abs(k) if kind == "abs" else k
    turn = k * cap / max(skew["k_star_min"], width)
    return float(option["vol"] * max(0.0, 1.0 + (min(cap, turn) if k >= 0.0 else max(-cap, turn))))


def _pnl(
    portfolio: dict[str, Any],
    held: list[tuple[dict[str, Any], list[dict[str, Any]], float]],
    coins: list[tuple[dict[str, Any], float]],
    scenario: dict[str, Any],
    rules: dict[str, Any],
) -> float:
    """What the account gains in one scenario, damped."""
    move, kind = scenario["spot"] - 1.0, scenario["vol"]
    total = portfolio["perp"] * (portfolio["feeds"]["perp_price"] or 0.0) * move
    for collateral, amount in coins:
        if rules["collaterals"][collateral["asset"]]["cancels"] == portfolio["underlying"]:
            total += amount * move
    for feed, options, mark in held:
        if kind in ("linear", "abs"):
            vols = [skewed_vol(o, kind, feed, rules["skew"]) for o in options]
        else:
            seconds = feed["seconds_to_expiry"]
            vols = [blocks.shocked_vol(o["vol"], kind, seconds, rules["vol_shock"]) for o in options]
        shocked = _discount(feed) * blocks.value(options, feed, scenario["spot"], vols)
        gain = static(shocked, feed, rules) - mark
        total += -abs(gain) if kind in ("linear", "abs") else gain
    return float(total * scenario["damping"])


def _basis(feed: dict[str, Any], options: list[dict[str, Any]], mark: float, rules: dict[str, Any]) -> float:
    basis, vols = rules["basis"], [o["vol"] for o in options]
    up, down = (_discount(feed) * blocks.value(options, feed, basis[side], vols) for side in ("up", "down"))
    return blocks.basis_loss(mark, up, down, blocks.tenor(feed), basis)


def _contingencies(
    portfolio: dict[str, Any],
    held: list[tuple[dict[str, Any], list[dict[str, Any]], float]],
    coins: list[tuple[dict[str, Any], float]],
    rules: dict[str, Any],
) -> tuple[float, float]:
    """What is subtracted from both margins, and from the initial one on top."""
    terms, spot = rules["contingencies"], portfolio["feeds"]["spot"]
    perp = abs(portfolio["perp"]) * spot
    short = sum(blocks.naked(options) for _, options, _ in held) * spot
    maintenance = perp * terms["perp_maintenance"] + short * terms["option_maintenance"]
    extra = perp * terms["perp_initial_extra"] + short * terms["option_initial_extra"]
    for collateral, amount in coins:
        haircut = rules["collaterals"][collateral["asset"]]
        maintenance += amount * haircut["maintenance"]
        extra += amount * haircut["initial_extra"]
    return maintenance, extra


def _oracle(
    portfolio: dict[str, Any],
    held: list[tuple[dict[str, Any], list[dict[str, Any]], float]],
    coins: list[tuple[dict[str, Any], float]],
    terms: dict[str, Any],
) -> float:
    """What feeds that are not sure cost."""
    spot, threshold, sure = portfolio["feeds"]["spot"], terms["confidence_threshold"], blocks.sure(portfolio)
    total = blocks.doubt(sure, threshold) * abs(portfolio["perp"]) * spot
    for feed, options, _ in held:
        own = [feed[f"{name}_confidence"] for name in ("forward", "rate", "vol")]
        total += blocks.doubt([*sure, *own], threshold) * blocks.gross(options) * spot
    for collateral, amount in coins:
        pair = [portfolio["feeds"]["spot_confidence"], collateral["confidence"]]
        total += blocks.doubt(pair, threshold) * amount
    return float(total * terms["confidence_margin"])
