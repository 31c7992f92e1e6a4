"""Deribit's portfolio margin, one bucket and one contract at a time. Source: rulebook reference 2.2.

Coins of a segregated account stay coins here, and turn into USD at the index at the end.
"""

import math
from typing import Any

from spec.rulebooks import scanning


def buckets(pair: dict[str, Any], rules: dict[str, Any]) -> list[tuple[float, float, bool]]:
    """Move, direction of the volatility, and whether the bucket is of the extended table."""
    n = rules["buckets_count"]
    near = [(pair["price_range"] * k / n, d, False) for k in range(-n, n + 1) for d in (-1.0, 0.0, 1.0)]
    return near + [(move, 1.0, True) for move in rules["extended_moves"]]


def _vol(option: dict[str, Any], direction: float, pair: dict[str, Any], readings: dict[str, Any]) -> float:
    vol: float = option["volatility"]
    least: float = pair["min_volatility_for_shock_up"]
    power = pair["short_term_vega_power"] if option["days"] <= 30.0 else pair["long_term_vega_power"]
    grown = (30.0 / option["days"]) ** power if option["days"] > 0.0 else 1.0
    if direction > 0.0:
        base = max(vol, least) if readings["vol_floor"] == "base volatility" else vol
        after: float = base * (1.0 + pair["volatility_range_up"] * grown)
        # Where the range is nothing there is no shock, and no floor after it.
        floored = readings["vol_floor"] == "shocked volatility" and pair["volatility_range_up"] > 0.0
        return max(after, least) if floored else after
    down: float = pair["volatility_range_down"]
    return max(vol * (1.0 + direction * down * grown), 0.0)


def one_coin(
    leg: dict[str, Any],
    bucket: tuple[float, float, bool],
    index: float,
    pair: dict[str, Any],
    rules: dict[str, Any],
    in_coins: bool,
) -> float:
    """P&L of one coin of a contract in a bucket, USD at the moved price, or coins times the index as it is now."""
    move, direction, far = bucket
    moved = index * (1.0 + move)
    if "strike" in leg:
        usd = scanning.option_pnl(leg, move, _vol(leg, direction, pair, rules["readings"]), moved)
    else:
        usd = scanning.linear_pnl(leg["price"], leg["inverse"], move, moved)
    if not far:
        return usd / moved * index if in_coins else usd
    fraction: float = pair["extended_table_factor"] * pair["price_range"] / abs(move)
    usd *= fraction
    return usd / _price(bucket, index, pair, rules) * index if in_coins else usd


def _price(bucket: tuple[float, float, bool], index: float, pair: dict[str, Any], rules: dict[str, Any]) -> float:
    """Where coins of the extended table are counted."""
    move = bucket[0]
    if rules["readings"]["extended_coins"] == "at the edge":
        move = math.copysign(pair["price_range"], move)
    return index * (1.0 + move)


def counted(
    pnl: float,
    bucket: tuple[float, float, bool],
    index: float,
    pair: dict[str, Any],
    row: dict[str, Any],
    rules: dict[str, Any],
    in_coins: bool,
) -> float:
    """What of a coin's P&L counts."""
    if bucket[2]:
        damped = max(abs(bucket[0]) / pair["price_range"] - 1.0, 0.0) * row["extended_dampener"]
        if in_coins:
            damped = damped / _price(bucket, index, pair, rules) * index
        pnl = math.copysign(max(abs(pnl) - damped, 0.0), pnl)
    offset, cap = row["pnl_offset"], row["max_offsetable_pnl"]
    before = rules["readings"]["offset_cap"] == "before the offset"
    gain: float = offset * min(pnl, cap) if before else min(offset * pnl, cap)
    return gain if pnl > 0.0 else pnl


def delta(leg: dict[str, Any]) -> float:
    """Coins of delta of one coin of a contract; an option without volatility or time has that of its payoff."""
    if "strike" not in leg:
        return 1.0
    if leg["volatility"] > 0.0 and leg["days"] > 0.0:
        return scanning.option_delta(leg)
    side = 1.0 if leg["right"] == "call" else -1.0
    inside: float = side * (leg["forward"] - leg["strike"])
    plain = side * (0.5 if inside == 0.0 else 1.0 if inside > 0.0 else 0.0)
    forward: float = leg["forward"]
    discount: float = leg["discount"]
    return plain - max(inside, 0.0) / forward if leg["inverse"] else discount * plain


def roll(legs: list[dict[str, Any]], index: float, row: dict[str, Any], form: str, orders: bool = False) -> float:
    """The roll shock of what settles alike, USD."""
    total = 0.0
    for days in {leg.get("days") for leg in legs}:
        of = [leg for leg in legs if leg.get("days") == days and leg.get("kind") != "spot"]
        net = abs(sum(leg["quantity"] * delta(leg) for leg in of))
        net += sum(abs(delta(leg)) * max(leg["buys"], leg["sells"]) for leg in of) if orders else 0.0
        grown = row["annualised_move_risk"] * (days or 0.0) / 365.0
        grown = math.exp(grown) - 1.0 if form == "exponential" else grown
        total += net * max(grown, row["min_annualised_move"]) * index
    return total


def delta_shock(legs: list[dict[str, Any]], index: float, pair: dict[str, Any]) -> float:
    """USD."""
    traded = [leg for leg in legs if leg.get("kind") != "spot"]
    d1 = sum(leg["quantity"] * delta(leg) for leg in traded if "strike" in leg and leg["quantity"] > 0.0)
    d2 = sum(leg["quantity"] * delta(leg) for leg in traded if "strike" not in leg or leg["quantity"] <= 0.0)
    net = min(max(d1 + d2, d2), 0.0) if d2 < 0.0 else max(min(d1 + d2, d2), 0.0)
    over = max(abs(net) - pair["delta_total_liq_shock_threshold"] / index, 0.0)
    rate: float = min(pair["m_inc"] * over, pair["max_delta_shock"])
    return float(abs(net) * index * rate)


def unit(
    index: float, coin: str, legs: list[dict[str, Any]], row: dict[str, Any], rules: dict[str, Any], in_coins: bool
) -> dict[str, Any]:
    """One coin in one account."""
    pair, readings = rules["pairs"][coin], rules["readings"]
    linear = rules["currencies"]["USD" if readings["linear_row"] == "dollar" else coin]
    sides = [(True, rules["currencies"][coin]), (False, linear)]
    counts, filled, plain = [], [], []
    for bucket in buckets(pair, rules):
        each = [one_coin(leg, bucket, index, pair, rules, in_coins) for leg in legs]
        pnl = sum(leg["quantity"] * x for leg, x in zip(legs, each, strict=True))
        lost = sum(scanning.order_loss(leg["buys"], leg["sells"], x) for leg, x in zip(legs, each, strict=True))
        plain.append(pnl)
        counts.append(counted(pnl, bucket, index, pair, row, rules, in_coins))
        filled.append(counted(pnl - lost, bucket, index, pair, row, rules, in_coins))
    rolls = [
        sum(
            roll([leg for leg in legs if leg["inverse"] == inverse], index, of, readings["roll_form"], orders)
            for inverse, of in sides
        )
        for orders in (False, True)
    ]
    worst = max(0.0, -min(counts))
    orders = max(0.0, -min(filled)) - worst + rolls[1] - rolls[0]
    return {
        "pnl": plain,
        "counted": counts,
        "worst": worst,
        "roll": rolls[0],
        "delta": delta_shock(legs, index, pair) if readings["delta_shock"] != "none" else 0.0,
        "orders": orders if readings["open_orders"] == "worst fill" else 0.0,
    }


def account(units: list[dict[str, Any]], rules: dict[str, Any]) -> tuple[float, float]:
    """Initial and maintenance margin of one account."""
    together = max([0.0, *(-sum(column) for column in zip(*(u["counted"] for u in units), strict=True))])
    apart = sum(u["worst"] for u in units)
    matrix = together + rules["readings"]["correlation_contingency"] * (apart - together)
    matrix += sum(u["roll"] + u["delta"] for u in units)
    return matrix + sum(u["orders"] for u in units), rules["mm_factor"] * matrix


def _legs(held: dict[str, Any]) -> list[dict[str, Any]]:
    return [*held["linear"], *held["options"]]


def segregated(portfolio: list[dict[str, Any]], rules: dict[str, Any]) -> tuple[float, float]:
    """Initial and maintenance margin of all accounts, USD."""
    margins, dollars = [], []
    for held in portfolio:
        coin, rows = held["coin"], rules["currencies"]
        own = [leg for leg in _legs(held) if leg["inverse"]]
        if own:
            margins.append(account([unit(held["index"], coin, own, rows[coin], rules, True)], rules))
        rest = [leg for leg in _legs(held) if not leg["inverse"]]
        if rest:
            row = rows["USD" if rules["readings"]["linear_row"] == "dollar" else coin]
            dollars.append(unit(held["index"], coin, rest, row, rules, False))
    if dollars:
        margins.append(account(dollars, rules))
    return sum(m[0] for m in margins), sum(m[1] for m in margins)


def cross(portfolio: list[dict[str, Any]], equity: dict[str, float], rules: dict[str, Any]) -> tuple[float, float]:
    """Initial and maintenance margin of the one account, USD."""
    units = []
    for held in portfolio:
        coin, amount = held["coin"], equity.get(held["coin"], 0.0)
        row, legs = rules["currencies"][coin], _legs(held)
        if row["equity_side_impact"] in ("both", "long" if amount > 0.0 else "short"):
            coins = amount * (1.0 - row["haircut"]) if amount > 0.0 else amount
            spot = {"kind": "spot", "price": held["index"], "inverse": False, "buys": 0.0, "sells": 0.0}
            legs = [*legs, spot | {"quantity": coins}]
        if legs:
            units.append(unit(held["index"], coin, legs, row, rules, False))
    return account(units, rules) if units else (0.0, 0.0)
