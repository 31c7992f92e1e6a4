"""Mango's health in exact fractions; section 13 of the rulebook reference."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

Plain = Mapping[str, Any]


def weight(weights: Plain, level: str, liability: bool) -> Fraction:
    """A table's weight; the end of a liquidation uses the initial ones."""
    side = "liability" if liability else "asset"
    return Fraction(weights[f"{'maint' if level == 'maint' else 'init'}_{side}"])


def price(prices: Plain, level: str, liability: bool) -> Fraction:
    """The worse of both prices for initial health, else the oracle's."""
    both = (Fraction(prices["oracle"]), Fraction(prices["stable"]))
    if level != "init":
        return both[0]
    return max(both) if liability else min(both)


def scaled(token: Plain, level: str, liability: bool) -> Fraction:
    """A token's weight, scaled by how much of it the bank has taken or lent."""
    base = weight(token["weights"], level, liability)
    start = token["borrow_scale_start" if liability else "deposit_scale_start"]
    if level != "init" or start is None:
        return base
    dear = price(token["price"], level, liability=True)
    amount = token["borrows"] if liability else token["deposits"] + token["order_tokens"]
    worth = Fraction(amount) * dear
    if worth <= Fraction(start):
        return base
    share: Fraction = worth / Fraction(start) if liability else Fraction(start) / worth
    return base * share


def perpetual(p: Plain, level: str) -> Fraction:
    """Quote and base with the worse side of the book filled."""
    outcomes: list[Fraction] = []
    for lots, liability in ((p["bids_lots"], True), (-p["asks_lots"], False)):
        base = (p["base_lots"] + lots) * Fraction(p["lot_size"])
        value = base * weight(p["weights"], level, base < 0) * price(p["price"], level, base < 0)
        outcomes.append(value - lots * Fraction(p["lot_size"]) * price(p["price"], level, liability))
    total = Fraction(p["quote"]) + min(outcomes)
    overall = Fraction(p["maint_overall" if level == "maint" else "init_overall"])
    return total * overall if total > 0 else total


def reserve(o: Plain, tokens: Mapping[str, Plain], level: str) -> tuple[Fraction, Fraction]:
    """A market's reserve all in base and all in quote."""
    base, quote = tokens[o["base"]]["price"], tokens[o["quote"]]["price"]
    own_base, own_quote = Fraction(o["reserved_base"]), Fraction(o["reserved_quote"])
    bought = own_quote * price(quote, level, False) / price(base, level, True)
    sold = own_base * price(base, level, False) / price(quote, level, True)
    if o["highest_bid"]:
        bought = min(bought, own_quote / Fraction(o["highest_bid"]))
    if o["lowest_ask"]:
        sold = min(sold, own_base * Fraction(o["lowest_ask"]))
    return own_base + bought, own_quote + sold


def health(account: Plain, level: str) -> Fraction:
    """The sum over tokens and spot markets."""
    tokens = {t["name"]: t for t in account["tokens"]}
    balance = {name: Fraction(t["balance"]) for name, t in tokens.items()}
    for p in account["perpetuals"]:
        balance[p["settle"]] += perpetual(p, level)
    reserves = [reserve(o, tokens, level) for o in account["orders"]]
    most = dict(balance)
    for o, both in zip(account["orders"], reserves, strict=True):
        for side, amount in zip(("base", "quote"), both, strict=True):
            most[o[side]] += amount

    def worth(name: str, amount: Fraction, liability: bool) -> Fraction:
        return amount * scaled(tokens[name], level, liability) * price(tokens[name]["price"], level, liability)

    total = sum((worth(name, x, x < 0) for name, x in balance.items()), Fraction(0))
    for o, both in zip(account["orders"], reserves, strict=True):
        effects = []
        for side, amount in zip(("base", "quote"), both, strict=True):
            before = most[o[side]] - amount
            repaid = min(max(-before, Fraction(0)), amount)
            effects.append(worth(o[side], repaid, True) + worth(o[side], amount - repaid, False))
        total += min(effects)
    return total
