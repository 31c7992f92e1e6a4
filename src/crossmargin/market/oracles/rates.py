"""Redemption rates under a cap that grows slowly, whose ratio and time are one record.

On 10 March 2026 a limit on updates kept a cap's ratio at 1.1919 while its time stamp advanced: the cap fell to 1.1939
under a market of 1.228, and 34 accounts were liquidated for nothing. Here the two never part, and a cap that would
stand below the rate of the day is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS, YEAR_NS, format_instant
from crossmargin.market.oracles.document import RateCapRules


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCap:
    """A cap on a redemption rate: `ratio` at `time_ns`, from then on growing by `growth_per_year` of itself."""

    ratio: float
    time_ns: int
    growth_per_year: float

    def __post_init__(self) -> None:
        check.positive(self.ratio, "ratio", where="rate cap")
        check.within(self.growth_per_year, "growth_per_year", 0.0, 10.0, where="rate cap")

    def at(self, now_ns: int) -> float:
        """The cap at a time: ratio · (1 + growth · years since); before its time, its ratio."""
        return self.ratio * (1.0 + self.growth_per_year * max(now_ns - self.time_ns, 0) / YEAR_NS)


def capped_rate(reported: float, cap: RateCap, *, now_ns: int) -> float:
    """min(reported, cap at `now_ns`); raises `InvalidInput` for a rate that is not a positive number."""
    return min(check.positive(reported, "redemption rate", where="rate cap"), cap.at(now_ns))


def replaced_cap(current: RateCap, proposed: RateCap, rules: RateCapRules, *, rate: float, now_ns: int) -> RateCap:
    """`proposed`, if it may stand in place of `current` while the redemption rate is `rate`.

    Refuses, with `InvalidInput` and the old cap still in force: a time before the old one's or in the future; a growth
    above the rules'; a step of more than `step` over `step_window_s` beyond the old ratio (in proportion for shorter
    times); and a cap that would stand below rate · (1 + margin) now, which would undervalue sound collateral.
    """
    check.positive(rate, "redemption rate", where="rate cap")
    if not current.time_ns <= proposed.time_ns <= now_ns:
        raise InvalidInput(
            "time of a rate cap",
            where="rate cap",
            value=format_instant(proposed.time_ns),
            limit=f"from {format_instant(current.time_ns)} to {format_instant(now_ns)}",
            remedy="Update ratio and time together, from one record.",
        )
    check.within(proposed.growth_per_year, "growth_per_year", 0.0, rules.growth_per_year, where="rate cap")
    window = min((proposed.time_ns - current.time_ns) / SECOND_NS / rules.step_window_s, 1.0)
    most = max(current.at(proposed.time_ns), current.ratio * (1.0 + rules.step * window))
    if proposed.ratio > most * (1.0 + 4 * math.ulp(1.0)):
        raise _refused(proposed.ratio, f"at most {most:g}", "Raise it in steps, each with its own time.")
    least = rate * (1.0 + rules.margin)
    if proposed.at(now_ns) < least:
        raise _refused(proposed.at(now_ns), f"at least {least:g}, the rate of {rate:g} and its margin", "Keep the old.")
    return proposed


def _refused(value: float, limit: str, remedy: str) -> InvalidInput:
    return InvalidInput("cap of a redemption rate", where="rate cap", value=value, limit=limit, remedy=remedy)
