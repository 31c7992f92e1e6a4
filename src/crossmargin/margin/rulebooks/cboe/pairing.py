"""The pairing of legs that asks for least, found exactly: an integer program over strategies and spreads.

Strategies of up to three legs are columns that use up contracts. Spreads are not listed: a spread is any set of options
with as many long as short calls, as many long as short puts, and no short that outlives a long; it must hold its
greatest loss over the strikes, and the long side in full. Two spreads whose shorts all expire before a day on which no
long has expired never cost more as one (the greatest of a sum is at most the sum of the greatest), so one spread for
each expiry of the longs is enough, with its size in each leg free. That covers verticals, calendars, butterflies,
condors, boxes and whatever else has limited risk, of any number of legs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.margin.rulebooks.cboe.portfolio import ZERO, OptionLeg, Portfolio
from crossmargin.margin.rulebooks.cboe.spreads import spread_strategy
from crossmargin.margin.rulebooks.cboe.strategies import Purpose, Sheet, Strategy, strategies


@dataclass(frozen=True, slots=True)
class Held:
    """`count` units of a strategy."""

    strategy: Strategy
    count: int


@dataclass(frozen=True)
class _Cut:
    """The legs of one spread: shorts that expire by `day`, longs that do not expire before."""

    day: int
    options: tuple[OptionLeg, ...]

    @cached_property
    def legs(self) -> tuple[int, ...]:
        return tuple(
            i
            for i, leg in enumerate(self.options)
            if (leg.quantity > 0 and leg.days >= self.day) or (leg.quantity < 0 and leg.days <= self.day)
        )


@dataclass(frozen=True)
class _Program:
    """Columns: units of each strategy; then, for each cut, contracts of each of its legs and its greatest loss."""

    sheet: Sheet
    columns: tuple[Strategy, ...]
    cuts: tuple[_Cut, ...]

    @property
    def portfolio(self) -> Portfolio:
        return self.sheet.portfolio

    @cached_property
    def held(self) -> FloatArray:
        """Contracts and shares of each leg, without sign."""
        options, shares = self.portfolio.options, self.portfolio.shares
        return np.abs(np.asarray([*(x.quantity for x in options), *(x.quantity for x in shares)], np.float64))

    @cached_property
    def strikes(self) -> tuple[Decimal, ...]:
        return tuple(sorted({leg.strike for leg in self.portfolio.options}))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first column of each cut, and the number of columns."""
        sizes = [len(self.columns), *(len(cut.legs) + 1 for cut in self.cuts)]
        return tuple(int(n) for n in np.cumsum(sizes))

    def costs(self) -> FloatArray:
        """Cents a unit."""
        size = self.sheet.parameters.multiplier
        costs = [column.gross * 100 for column in self.columns]
        for cut in self.cuts:
            costs += [leg.price * size * 100 if leg.quantity > 0 else ZERO for leg in self._options_of(cut)]
            costs.append(Decimal(size * 100))
        return np.asarray([float(c) for c in costs])

    def uses(self) -> FloatArray:
        """Contracts of each leg used by a unit of each column [leg, column]."""
        used = np.zeros((len(self.held), self.starts[-1]))
        for c, column in enumerate(self.columns):
            for leg, count in column.legs:
                used[leg, c] = count
        for start, cut in zip(self.starts, self.cuts, strict=False):
            used[cut.legs, range(start, start + len(cut.legs))] = 1.0
        return used

    def balances(self) -> FloatArray:
        """Long less short contracts of each type in each cut [cut and type, column]: zero in a spread."""
        rows = np.zeros((2 * len(self.cuts), self.starts[-1]))
        for n, (start, cut) in enumerate(zip(self.starts, self.cuts, strict=False)):
            for c, leg in enumerate(self._options_of(cut), start):
                rows[2 * n + (leg.right == "put"), c] = np.sign(leg.quantity)
        return rows

    def losses(self) -> FloatArray:
        """Payoff plus greatest loss of each cut at each strike [cut and strike, column]: never negative."""
        rows = np.zeros((len(self.cuts) * len(self.strikes), self.starts[-1]))
        for n, (start, cut) in enumerate(zip(self.starts, self.cuts, strict=False)):
            here = slice(n * len(self.strikes), (n + 1) * len(self.strikes))
            for c, leg in enumerate(self._options_of(cut), start):
                rows[here, c] = [float(leg.intrinsic(k)) * np.sign(leg.quantity) for k in self.strikes]
            rows[here, start + len(cut.legs)] = 1.0
        return rows

    def _options_of(self, cut: _Cut) -> list[OptionLeg]:
        return [self.portfolio.options[i] for i in cut.legs]


def best_pairing(sheet: Sheet, purpose: Purpose) -> tuple[Held, ...]:
    """The strategies that together hold every leg and whose gross requirements sum to the least."""
    longs = sorted({leg.days for leg in sheet.portfolio.options if leg.quantity > 0})
    cuts = [_Cut(day, sheet.portfolio.options) for day in longs]
    spread = [c for c in cuts if any(sheet.portfolio.options[i].quantity < 0 for i in c.legs)]
    program = _Program(sheet, tuple(strategies(sheet, purpose)), tuple(spread))
    if not program.held.any():
        return ()
    return _read(program, _solve(program))


def _solve(program: _Program) -> FloatArray:
    """The optimal columns; HiGHS closes the gap to its bound, asserted to a tenth of a cent (or a billionth)."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415 half a second only this rule needs
    from scipy.sparse import csr_array  # noqa: PLC0415 with the above

    costs, integral = program.costs(), np.ones(program.starts[-1])
    integral[[start - 1 for start in program.starts[1:]]] = 0.0
    limits = [LinearConstraint(csr_array(program.uses()), program.held, program.held)]
    if program.cuts:
        limits.append(LinearConstraint(csr_array(program.balances()), 0.0, 0.0))
        limits.append(LinearConstraint(csr_array(program.losses()), 0.0, np.inf))
    found = milp(
        costs, integrality=integral, bounds=Bounds(0.0, np.inf), constraints=limits, options={"mip_rel_gap": 0}
    )
    assert found.success, f"a pairing always exists, each leg alone: {found.message}"
    gap = float(found.fun) - float(found.mip_dual_bound)
    assert gap <= 0.1 + 1e-9 * abs(float(found.fun)), f"not proved optimal: {gap} cents remain"
    counts = np.asarray(np.rint(found.x))
    assert (program.uses() @ counts == program.held).all(), "a contract is used twice, or left out"
    return counts


def _read(program: _Program, counts: FloatArray) -> tuple[Held, ...]:
    held = [Held(column, int(n)) for column, n in zip(program.columns, counts, strict=False) if n]
    for start, cut in zip(program.starts, program.cuts, strict=False):
        used = [(i, int(n)) for i, n in zip(cut.legs, counts[start:], strict=False) if n]
        if used:
            unit, count = spread_strategy(program.sheet, used)
            held.append(Held(unit, count))
    return tuple(_with_wide_spreads(program.sheet, held))


def _with_wide_spreads(sheet: Sheet, held: Sequence[Held]) -> list[Held]:
    """Spreads too wide to hold their loss: a short and a long that cost as much apart are stated as a spread.

    The rule asks the lesser of the greatest loss and the short's own requirement, with the long side paid in full.
    """
    left = {h.strategy.legs[0][0]: h for h in held if len(h.strategy.legs) == 1 and _is_option(sheet, h)}
    rest = [h for h in held if h not in left.values()]
    options = sheet.portfolio.options
    for i in [i for i in left if options[i].quantity < 0]:
        for j in [j for j in left if options[j].quantity > 0]:
            short, long = options[i], options[j]
            paid = left[j].strategy.gross == long.price * sheet.parameters.multiplier
            n = min(left[i].count, left[j].count)
            if short.right == long.right and long.days >= short.days and paid and n:
                rest.append(Held(_wide_spread(sheet, left[i].strategy, left[j].strategy), n))
                left[i], left[j] = Held(left[i].strategy, left[i].count - n), Held(left[j].strategy, left[j].count - n)
    return [*rest, *(h for h in left.values() if h.count)]


def _is_option(sheet: Sheet, held: Held) -> bool:
    return held.strategy.legs[0][0] < sheet.shares_leg


def _wide_spread(sheet: Sheet, short: Strategy, long: Strategy) -> Strategy:
    premium = sheet.portfolio.options[short.legs[0][0]].price * sheet.parameters.multiplier
    right = sheet.portfolio.options[long.legs[0][0]].right
    name = f"{right} spread at the short's requirement"
    return Strategy(name=name, legs=(*long.legs, *short.legs), gross=short.gross + long.gross, proceeds=premium)
