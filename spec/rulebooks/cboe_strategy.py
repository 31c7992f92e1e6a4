"""Strategy margin by trying everything: every partition of single contracts into recognised groups.

Written from Cboe's page on strategy-based margin (Rule 10.3), FINRA 4210(f)(2) and the margin manual of 2000. A unit is
one option contract or one lot of shares; amounts are decimals, USD.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache


@dataclass(frozen=True)
class Unit:
    """`kind` call, put or shares; `sign` 1 long, −1 short; `lot` shares in it."""

    kind: str
    sign: int
    price: Decimal
    lot: int
    strike: Decimal = Decimal(0)
    days: int = 0


@dataclass(frozen=True)
class Terms:
    """The underlying, its rate for short options, and the numbers of the rule."""

    spot: Decimal
    rate: Decimal
    leverage: Decimal
    numbers: Mapping[str, Decimal]


def least(units: Sequence[Unit], terms: Terms, purpose: str) -> Decimal:
    """The least gross requirement over all partitions of the units."""

    @cache
    def of(mask: int) -> Decimal:
        if not mask:
            return Decimal(0)
        first, best = mask & -mask, None
        rest = mask ^ first
        part = rest
        while True:
            group = [u for i, u in enumerate(units) if (part | first) >> i & 1]
            cost = group_cost(group, terms, purpose)
            if cost is not None:
                total = cost + of(rest ^ part)
                best = total if best is None else min(best, total)
            if not part:
                break
            part = (part - 1) & rest
        assert best is not None
        return best

    return of((1 << len(units)) - 1)


def group_cost(group: Sequence[Unit], t: Terms, purpose: str) -> Decimal | None:
    """What a group asks for as the cheapest strategy it is, or None if it is none."""
    found = [
        cost
        for cost in (
            single(group, t, purpose),
            straddle(group, t, purpose),
            spread(group),
            early(group, purpose),
            covered(group, t, purpose),
            protected(group, t, purpose),
            three(group, t, purpose),
        )
        if cost is not None
    ]
    return min(found) if found else None


def cents(x: Decimal) -> Decimal:
    """To the cent, half to even."""
    return x.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def payoff(u: Unit, at: Decimal) -> Decimal:
    """At expiry, of one long."""
    return max(at - u.strike if u.kind == "call" else u.strike - at, Decimal(0))


def naked(u: Unit, t: Terms) -> Decimal:
    """A short option by itself, a share."""
    away = max(u.strike - t.spot if u.kind == "call" else t.spot - u.strike, Decimal(0))
    base = t.spot if u.kind == "call" else u.strike
    low = min(t.numbers["minimum"] * t.leverage, Decimal(1)) * base
    return u.price + max(min(t.rate * t.leverage, Decimal(1)) * t.spot - away, low)


def stock(u: Unit, t: Terms, purpose: str) -> Decimal:
    """One share by itself."""
    long_later = min(t.numbers["maintenance_long"] * t.leverage, Decimal(1))
    if u.sign > 0:
        if purpose == "maintenance":
            return long_later * t.spot
        return u.price * (1 if purpose == "cash" else max(t.numbers["initial"], long_later))
    if purpose == "maintenance":
        return t.spot + short_margin(t)
    return u.price * (1 + t.numbers["initial"])


def short_margin(t: Terms) -> Decimal:
    """Maintenance of a short share above its price."""
    n = t.numbers
    if t.spot < n["short_low_price"]:
        return max(t.spot, n["short_minimum_low"])
    return max(min(n["maintenance_short"] * t.leverage, Decimal(1)) * t.spot, n["short_minimum"])


def single(group: Sequence[Unit], t: Terms, purpose: str) -> Decimal | None:
    """One leg alone."""
    if len(group) != 1:
        return None
    u = group[0]
    if u.kind == "shares":
        return stock(u, t, purpose) * u.lot
    if u.sign > 0:
        lent = purpose != "cash" and u.days > t.numbers["long_term_days"]
        return cents(u.price * (t.numbers["long_term_rate"] if lent else 1)) * u.lot
    if purpose == "cash":
        return (u.strike if u.kind == "put" else t.spot) * u.lot
    return cents(naked(u, t)) * u.lot


def straddle(group: Sequence[Unit], t: Terms, purpose: str) -> Decimal | None:
    """A short put and a short call."""
    if purpose == "cash" or len(group) != 2 or any(u.sign > 0 for u in group):
        return None
    a, b = group
    if {a.kind, b.kind} != {"put", "call"}:
        return None
    if naked(a, t) == naked(b, t):
        return cents(naked(a, t) + max(a.price, b.price)) * a.lot
    more, less = (a, b) if naked(a, t) > naked(b, t) else (b, a)
    return cents(naked(more, t) + less.price) * a.lot


def spread(group: Sequence[Unit]) -> Decimal | None:
    """Options with as many longs as shorts of each type, no short outliving a long."""
    if any(u.kind == "shares" for u in group) or any(
        sum(u.sign for u in group if u.kind == kind) != 0 for kind in ("call", "put")
    ):
        return None
    if max(u.days for u in group if u.sign < 0) > min(u.days for u in group if u.sign > 0):
        return None
    worst = max(-sum((u.sign * payoff(u, at.strike) for u in group), Decimal(0)) for at in group)
    return (max(worst, Decimal(0)) + sum(u.price for u in group if u.sign > 0)) * group[0].lot


def early(group: Sequence[Unit], purpose: str) -> Decimal | None:
    """In a cash account: a short call, and a long one that expires first."""
    if purpose != "cash" or [u.kind for u in group] != ["call", "call"] or sum(u.sign for u in group) != 0:
        return None
    long, short = sorted(group, key=lambda u: -u.sign)
    return (short.strike + long.price) * short.lot if long.days < short.days else None


def covered(group: Sequence[Unit], t: Terms, purpose: str) -> Decimal | None:
    """Long shares with a short call, or short shares with a short put."""
    parts = {(u.kind, u.sign): u for u in group}
    if len(group) != 2 or len(parts) != 2:
        return None
    for option, side in (("call", 1), ("put", -1)):
        s, o = parts.get(("shares", side)), parts.get((option, -1))
        if s is None or o is None or s.lot != o.lot:
            continue
        if purpose != "maintenance":
            return stock(s, t, purpose) * s.lot
        inside = payoff(o, t.spot)
        if side < 0:
            return (stock(s, t, purpose) + inside) * s.lot
        rate = min(t.numbers["maintenance_long"] * t.leverage, Decimal(1))
        return (rate * min(t.spot, o.strike) + inside) * s.lot
    return None


def protected(group: Sequence[Unit], t: Terms, purpose: str) -> Decimal | None:
    """Long shares with a long put, or short shares with a long call."""
    parts = {(u.kind, u.sign): u for u in group}
    if purpose != "maintenance" or len(group) != 2 or len(parts) != 2:
        return None
    for option, side in (("put", 1), ("call", -1)):
        s, o = parts.get(("shares", side)), parts.get((option, 1))
        if s is None or o is None or s.lot != o.lot:
            continue
        out = max((t.spot - o.strike) * side, Decimal(0))
        held = t.numbers["strike_rate"] * o.strike + out
        if side > 0:
            return (min(held, stock(s, t, purpose)) + o.price) * s.lot
        return (t.spot + min(held, short_margin(t)) + o.price) * s.lot
    return None


def three(group: Sequence[Unit], t: Terms, purpose: str) -> Decimal | None:
    """Collar, conversion, reverse conversion."""
    parts = {(u.kind, u.sign): u for u in group}
    if purpose != "maintenance" or len(group) != 3 or len(parts) != 3:
        return None
    for side in (1, -1):
        s, put, call = (parts.get(k) for k in (("shares", side), ("put", side), ("call", -side)))
        if s is None or put is None or call is None or s.lot != put.lot or put.days != call.days:
            continue
        held = t.numbers["strike_rate"] * put.strike
        if put.strike == call.strike:
            if side > 0:
                return (held + payoff(call, t.spot) + put.price) * s.lot
            return (t.spot + held + payoff(put, t.spot) + call.price) * s.lot
        if side > 0 and put.strike < call.strike:
            held = min(held + max(t.spot - put.strike, Decimal(0)), t.numbers["collar_call_rate"] * call.strike)
            return (held + payoff(call, t.spot) + put.price) * s.lot
    return None
