"""What each recognised strategy costs, one unit at a time: the columns among which the best pairing is sought.

`gross` is what must be held with the proceeds of all short sales left in the account, so that pairings compare: the
proceeds are the same in all of them. The rule states some requirements gross (a short option, a short straddle, shares)
and those of spreads after `proceeds`; `stated` is the number of the rule's own tables. Amounts USD a unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import product
from typing import Literal, TypeAlias

from crossmargin.margin.rulebooks.cboe.portfolio import CENT, ONE, ZERO, OptionLeg, Parameters, Portfolio

Purpose: TypeAlias = Literal["initial", "maintenance", "cash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One unit: `legs` pairs a leg with the contracts or shares used of it, without sign."""

    name: str
    legs: tuple[tuple[int, int], ...]
    gross: Decimal
    proceeds: Decimal = ZERO

    @property
    def stated(self) -> Decimal:
        """The requirement as the rule states it."""
        return self.gross - self.proceeds


@dataclass(frozen=True, slots=True)
class Sheet:
    """A portfolio with the numbers of the rule: every requirement a share, before rounding."""

    portfolio: Portfolio
    parameters: Parameters

    @property
    def shares_leg(self) -> int:
        """The index of the first leg of shares; options come before."""
        return len(self.portfolio.options)

    def short_option(self, option: OptionLeg) -> Decimal:
        """Premium + max(p·U − out of the money, m), rates times the leverage, at most all of the underlying."""
        rates, spot, leverage = self.parameters.short_option, self.portfolio.underlying, self.portfolio.leverage
        beyond = max(option.strike - spot if option.right == "call" else spot - option.strike, ZERO)
        least = min(rates.minimum * leverage, ONE) * (spot if option.right == "call" else option.strike)
        return option.price + max(min(rates.of(self.portfolio.kind) * leverage, ONE) * spot - beyond, least)

    def long_option(self, option: OptionLeg, purpose: Purpose) -> Decimal:
        """The premium in full; a part of it on margin when more than nine months are left."""
        on_margin = purpose != "cash" and option.days > self.parameters.long_term_days
        return option.price * (self.parameters.long_term_rate if on_margin else ONE)

    def straddle(self, put: OptionLeg, call: OptionLeg) -> Decimal:
        """The side with the greater requirement, and the premium of the other."""
        of_put, of_call = self.short_option(put), self.short_option(call)
        sides = [(of_put, of_put + call.price), (of_call, of_call + put.price)]
        return max(sides)[1]

    def long_share(self, price: Decimal, purpose: Purpose) -> Decimal:
        """A part of cost at first, of value later; all of cost in a cash account."""
        rates = self.parameters.shares
        later = min(rates.maintenance_long * self.portfolio.leverage, ONE)
        if purpose == "maintenance":
            return later * self.portfolio.underlying
        return price * (ONE if purpose == "cash" else max(rates.initial, later))

    def short_margin(self) -> Decimal:
        """Maintenance of a short share above its value."""
        rates, spot = self.parameters.shares, self.portfolio.underlying
        if spot < rates.short_low_price:
            return max(spot, rates.short_minimum_low)
        return max(min(rates.maintenance_short * self.portfolio.leverage, ONE) * spot, rates.short_minimum)

    def short_share(self, price: Decimal, purpose: Purpose) -> Decimal:
        """The proceeds (later: the value) and the margin above them."""
        if purpose == "maintenance":
            return self.portfolio.underlying + self.short_margin()
        return price * (ONE + self.parameters.shares.initial)

    def contract(self, per_share: Decimal) -> Decimal:
        """USD a contract, from an amount a share rounded to the cent (half to even)."""
        return per_share.quantize(CENT, ROUND_HALF_EVEN) * self.parameters.multiplier


def strategies(sheet: Sheet, purpose: Purpose) -> Iterator[Strategy]:
    """Every strategy but spreads, which are costed together; single legs are among them, so that nothing is left."""
    yield from _single_options(sheet, purpose)
    yield from _single_shares(sheet, purpose)
    if purpose != "cash":
        yield from _straddles(sheet)
    else:
        yield from _early_longs(sheet)
    yield from _covered(sheet, purpose)
    if purpose == "maintenance":
        yield from _protected(sheet)
        yield from _three_legged(sheet)


def _options(sheet: Sheet, sign: int, right: str = "") -> Iterator[tuple[int, OptionLeg]]:
    for i, option in enumerate(sheet.portfolio.options):
        if option.quantity * sign > 0 and right in ("", option.right):
            yield i, option


def _shares(sheet: Sheet, sign: int) -> Iterator[tuple[int, Decimal]]:
    for i, leg in enumerate(sheet.portfolio.shares):
        if leg.quantity * sign > 0:
            yield sheet.shares_leg + i, leg.price


def _single_options(sheet: Sheet, purpose: Purpose) -> Iterator[Strategy]:
    size = sheet.parameters.multiplier
    for i, option in _options(sheet, 1):
        cost = sheet.contract(sheet.long_option(option, purpose))
        yield Strategy(name=f"long {option.right}", legs=((i, 1),), gross=cost)
    for i, option in _options(sheet, -1):
        if purpose == "cash":
            # The strike in cash behind a put; behind a call, the shares to deliver at their price now.
            cover = (option.strike if option.right == "put" else sheet.portfolio.underlying) * size
            covered = Strategy(name=f"short {option.right}", legs=((i, 1),), gross=cover, proceeds=option.price * size)
            yield covered
        else:
            cost = sheet.contract(sheet.short_option(option))
            yield Strategy(name=f"short {option.right}", legs=((i, 1),), gross=cost)


def _single_shares(sheet: Sheet, purpose: Purpose) -> Iterator[Strategy]:
    for i, price in _shares(sheet, 1):
        yield Strategy(name="long shares", legs=((i, 1),), gross=sheet.long_share(price, purpose))
    for i, price in _shares(sheet, -1):
        yield Strategy(name="short shares", legs=((i, 1),), gross=sheet.short_share(price, purpose))


def _straddles(sheet: Sheet) -> Iterator[Strategy]:
    for (i, put), (j, call) in product(_options(sheet, -1, "put"), _options(sheet, -1, "call")):
        name = "short straddle" if put.strike == call.strike else "short strangle"
        yield Strategy(name=name, legs=((i, 1), (j, 1)), gross=sheet.contract(sheet.straddle(put, call)))


def _early_longs(sheet: Sheet) -> Iterator[Strategy]:
    """A short call beside a long one that expires first: the aggregate exercise price in cash."""
    size = sheet.parameters.multiplier
    for (i, short), (j, long) in product(_options(sheet, -1, "call"), _options(sheet, 1, "call")):
        if long.days < short.days:
            cost = (short.strike + long.price) * size
            name = "short call, long call expires first"
            yield Strategy(name=name, legs=((i, 1), (j, 1)), gross=cost, proceeds=short.price * size)


def _covered(sheet: Sheet, purpose: Purpose) -> Iterator[Strategy]:
    """Short calls on long shares, short puts on short ones: what is in the money is not lent on later."""
    size, spot = sheet.parameters.multiplier, sheet.portfolio.underlying
    for (i, price), (j, call) in product(_shares(sheet, 1), _options(sheet, -1, "call")):
        cost = sheet.long_share(price, purpose)
        if purpose == "maintenance":
            rate = min(sheet.parameters.shares.maintenance_long * sheet.portfolio.leverage, ONE)
            cost = rate * min(spot, call.strike) + call.intrinsic(spot)
        yield Strategy(name="covered call", legs=((i, size), (j, 1)), gross=cost * size)
    for (i, price), (j, put) in product(_shares(sheet, -1), _options(sheet, -1, "put")):
        inside = put.intrinsic(spot) if purpose == "maintenance" else ZERO
        cost = sheet.short_share(price, purpose) + inside
        yield Strategy(name="covered put", legs=((i, size), (j, 1)), gross=cost * size)


def _protected(sheet: Sheet) -> Iterator[Strategy]:
    """Long puts under long shares, long calls over short ones: a part of the strike, and what stands before it."""
    size, spot, rate = (
        sheet.parameters.multiplier,
        sheet.portfolio.underlying,
        sheet.parameters.hedged_shares.strike_rate,
    )
    for (i, price), (j, put) in product(_shares(sheet, 1), _options(sheet, 1, "put")):
        floor = rate * put.strike + max(spot - put.strike, ZERO)
        cost = min(floor, sheet.long_share(price, "maintenance")) + put.price
        yield Strategy(name="protective put", legs=((i, size), (j, 1)), gross=cost * size)
    for (i, _), (j, call) in product(_shares(sheet, -1), _options(sheet, 1, "call")):
        floor = rate * call.strike + max(call.strike - spot, ZERO)
        cost = spot + min(floor, sheet.short_margin()) + call.price
        yield Strategy(name="protective call", legs=((i, size), (j, 1)), gross=cost * size)


def _three_legged(sheet: Sheet) -> Iterator[Strategy]:
    """Collars, conversions and reverse conversions; both options expire together."""
    size, spot, rates = sheet.parameters.multiplier, sheet.portfolio.underlying, sheet.parameters.hedged_shares
    shares = _shares(sheet, 1)
    for (i, _), (j, put), (k, call) in product(shares, _options(sheet, 1, "put"), _options(sheet, -1, "call")):
        if put.days != call.days or put.strike > call.strike:
            continue
        held = rates.strike_rate * put.strike
        if put.strike < call.strike:
            held = min(held + max(spot - put.strike, ZERO), rates.collar_call_rate * call.strike)
        cost = held + call.intrinsic(spot) + put.price
        name = "conversion" if put.strike == call.strike else "collar"
        yield Strategy(name=name, legs=((i, size), (j, 1), (k, 1)), gross=cost * size)
    sold = _shares(sheet, -1)
    for (i, _), (j, put), (k, call) in product(sold, _options(sheet, -1, "put"), _options(sheet, 1, "call")):
        if put.days == call.days and put.strike == call.strike:
            cost = spot + rates.strike_rate * put.strike + put.intrinsic(spot) + call.price
            yield Strategy(name="reverse conversion", legs=((i, size), (j, 1), (k, 1)), gross=cost * size)
