"""The Dutch auction in exact fractions. Source: rulebook reference 1.8."""

from fractions import Fraction
from typing import Any


def buffer_margin(account: dict[str, Any], rules: dict[str, Any]) -> Fraction:
    """BM."""
    margin, mark = Fraction(account["maintenance"]), Fraction(account["mark_to_market"])
    return margin + Fraction(rules["buffer"]) * (margin - mark)


def discount(elapsed: int, rules: dict[str, Any]) -> Fraction:
    """d(t)."""
    first, last = Fraction(rules["discount_start"]), Fraction(rules["discount_cutoff"])
    fast, slow = rules["fast_seconds"], rules["slow_seconds"]
    if elapsed < fast:
        return first - (first - last) * Fraction(elapsed, fast)
    if elapsed < fast + slow:
        return last * (1 - Fraction(elapsed - fast, slow))
    return Fraction(0)


def fraction_max(account: dict[str, Any], share: Fraction, rules: dict[str, Any]) -> Fraction:
    """f_max."""
    mark, reserved = Fraction(account["mark_to_market"]), Fraction(account["reserved"])
    if mark < Fraction(rules["mtm_cutoff"]):
        return Fraction(1)
    below = min(buffer_margin(account, rules), Fraction(0))
    if below == 0:
        return Fraction(0)
    return below / (below - share * mark - reserved * (1 - share))


def solvent_bid(
    account: dict[str, Any], wanted: float, elapsed: int, rules: dict[str, Any]
) -> tuple[Fraction, Fraction, dict[str, Fraction]]:
    """The fraction taken, what is paid, and the account afterwards, balance by balance.

    Everything but cash is sold in proportion; of the cash only what bidders did not pay; the payment joins the cash.
    """
    share = discount(elapsed, rules)
    taken = min(Fraction(wanted), fraction_max(account, share, rules))
    mark, cash, reserved = (Fraction(account[name]) for name in ("mark_to_market", "cash", "reserved"))
    payment = share * (mark - reserved) * taken
    money = cash - taken * (cash - reserved) + payment
    rest = {name: (Fraction(account[name]) - cash) * (1 - taken) + money for name in ("maintenance", "mark_to_market")}
    return taken, payment, {**rest, "cash": money, "reserved": reserved + payment}


def insolvent_payout(account: dict[str, Any], elapsed: int, rules: dict[str, Any]) -> Fraction:
    """What taking all of an insolvent account pays."""
    least = min(Fraction(account["mark_to_market"]), Fraction(0))
    done = min(Fraction(elapsed, rules["insolvent_seconds"]), Fraction(1))
    return -(least + (Fraction(account["maintenance"]) - least) * done)
