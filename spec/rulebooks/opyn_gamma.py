"""Gamma's vaults in exact fractions, cut to 27 decimals where the protocol cuts.

References: rulebooks, section on Opyn Gamma; prices and sizes are fractions of their unit.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache

SCALE = 10**27


def cut(x: Fraction) -> Fraction:
    """Toward zero, to 27 decimals."""
    whole = abs(x) * SCALE // 1
    return Fraction(whole if x >= 0 else -whole, SCALE)


def bound(seconds: int, tenors: Sequence[tuple[int, Fraction]]) -> Fraction:
    """That of the shortest tenor, in days, that is not below the time to expiry."""
    return min((days, a) for days, a in tenors if days * 86_400 >= seconds)[1]


def naked(*, put: bool, size: Fraction, strike: Fraction, spot: Fraction, shock: Fraction, a: Fraction) -> Fraction:
    """What a naked vault holds, in the strike asset (put) or the underlying (call)."""
    if put:
        edge, top = cut(shock * spot), strike
    else:
        edge, top = cut(cut(strike * shock) / spot), Fraction(1)
    return cut((cut(a * min(top, edge)) + max(top - edge, Fraction(0))) * size)


def full(*, put: bool, short: Fraction, strike: Fraction, long: Fraction, other: Fraction) -> Fraction:
    """What a full vault holds; `other` is the strike of the long, zero without one."""
    if put:
        return max(cut(short * strike) - cut(other * min(short, long)), Fraction(0))
    if other == 0:
        return max(short - long, Fraction(0))
    return max(cut(cut((other - strike) * short) / other), short - long, Fraction(0))


def auction_price(
    *,
    put: bool,
    strike: Fraction,
    spot: Fraction,
    collateral: Fraction,
    debt: Fraction,
    deviation: Fraction,
    elapsed: Fraction,
) -> Fraction:
    """Collateral paid for one token; `elapsed` is the part of the auction that is over."""
    end = cut(collateral / debt)
    if elapsed >= 1:
        return end
    inside = max(strike - spot if put else spot - strike, Fraction(0))
    start = max(inside - cut(deviation * spot), Fraction(0))
    start = start if put else cut(start / spot)
    return min(start + cut((end - start) * elapsed), end)


def least_matching(amounts: tuple[int, ...], alone: Sequence[float], pairs: Mapping[tuple[int, int], float]) -> float:
    """The least cost of pairing single units with each other or leaving them alone, by trying everything."""

    @cache
    def least(left: tuple[int, ...]) -> float:
        first = next((i for i, n in enumerate(left) if n), None)
        if first is None:
            return 0.0
        rest = _without(left, first)
        costs = [alone[first] + least(rest)]
        for (i, j), cost in pairs.items():
            other = j if i == first else i if j == first else None
            if other is not None and rest[other]:
                costs.append(cost + least(_without(rest, other)))
        return min(costs)

    return least(amounts)


def _without(left: tuple[int, ...], place: int) -> tuple[int, ...]:
    return tuple(n - (i == place) for i, n in enumerate(left))
