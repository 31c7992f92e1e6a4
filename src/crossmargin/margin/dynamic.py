"""Margin over time: tools against procyclicality on a series of margins, and when to call for more.

Series are [..., bar], one account or many, in time order, in one currency. A tool sees a bar and those before it.
A calibrated model already holds its scenarios at a stressed weight and a long-run floor factor by factor
(`scenarios.calibration.Scale`, article 28(b) and (c)); what is here acts on the margin of a whole account, for models
that do not, and adds the buffer of article 28(a), which only a series can have.
Source: EMIR RTS 153/2013 (Commission Delegated Regulation (EU) No 153/2013), articles 26 and 28.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.core.errors import InvalidInput

BUFFER: Final = 0.25
STRESSED_WEIGHT: Final = 0.25
CALL_TRIGGER: Final = 1.10
_WHERE: Final = "dynamic margin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """A part `size` of the margin on top of it in calm times, drawn on when margins rise.

    It is released while the margin stands more than `trigger` above that of `rise_bars` before, and replenished
    otherwise, by a `replenish_bars`-th of its full size a bar.
    """

    size: float = BUFFER
    trigger: float = 0.10
    rise_bars: int = 5
    replenish_bars: int = 60

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.within(self.size, "buffer", 0.001, 10.0, where=_WHERE)
        check.within(self.trigger, "rise that releases the buffer", 0.0, 10.0, where=_WHERE)
        check.within(self.rise_bars, "bars of the rise", 1, 10_000, where=_WHERE)
        check.within(self.replenish_bars, "bars to replenish", 1, 100_000, where=_WHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One change of the buffer of `series` (its place in the leading axes) at `bar`: the parts in place and the margin.

    `after` below `before` is a release, above it a replenishment; `margin` is that without the buffer, `held` with it.
    """

    series: tuple[int, ...]
    bar: int
    before: float
    after: float
    margin: float
    held: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Buffered:
    """Margins with their buffer [..., bar], and the part of it in place [..., bar], from 0 (all released) to 1."""

    margin: FloatArray
    held: FloatArray
    share: FloatArray

    def log(self) -> tuple[Release, ...]:
        """Every release and replenishment, bar by bar."""
        changed = np.diff(self.share, axis=-1) != 0.0
        return tuple(
            Release(
                series=tuple(int(i) for i in place[:-1]),
                bar=int(place[-1]) + 1,
                before=float(self.share[tuple(place)]),
                after=float(self.share[(*place[:-1], place[-1] + 1)]),
                margin=float(self.margin[(*place[:-1], place[-1] + 1)]),
                held=float(self.held[(*place[:-1], place[-1] + 1)]),
            )
            for place in np.argwhere(changed)
        )


def buffered(margin: FloatArray, rule: Buffer) -> Buffered:
    """Margins with a buffer that is used up when they rise: M = c·(1 + size·share) (article 28(a)).

    In a release the held margin stays where it was for as long as the buffer lasts, so share = (M before / c − 1)/size
    within [0, the share before]; c alone is always held. The first bar has its buffer in full. Raises `InvalidInput`
    for margins that are negative or not finite.
    """
    series = _series(margin, "margin")
    share = np.ones_like(series)
    held = series * (1.0 + rule.size)
    rising = rises(series, rule)
    for bar in range(1, series.shape[-1]):
        now, before = series[..., bar], share[..., bar - 1]
        kept = held[..., bar - 1] / np.where(now > 0.0, now, 1.0) - 1.0
        left = np.clip(kept / rule.size, 0.0, before)
        share[..., bar] = np.where(rising[..., bar], left, np.minimum(before + 1.0 / rule.replenish_bars, 1.0))
        held[..., bar] = now * (1.0 + rule.size * share[..., bar])
    return Buffered(margin=frozen(series), held=frozen(held), share=frozen(share))


def rises(margin: FloatArray, rule: Buffer) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Where a margin stands more than the trigger above that of `rise_bars` before [..., bar], or of the first bar."""
    first = np.maximum(np.arange(margin.shape[-1]) - rule.rise_bars, 0)
    return np.asarray(margin > (1.0 + rule.trigger) * margin[..., first])


def stressed_weight(margin: FloatArray, stressed: FloatArray, *, weight: float = STRESSED_WEIGHT) -> FloatArray:
    """(1 − w)·margin + w·the margin under stress [..., bar] (article 28(b); w at least 25 %).

    Raises `InvalidInput` for a weight outside [0, 1] and for margins that are negative or not finite.
    """
    w = check.within(weight, "stressed weight", 0.0, 1.0, where=_WHERE)
    return frozen((1.0 - w) * _series(margin, "margin") + w * _series(stressed, "margin under stress"))


def floored(margin: FloatArray, long_run: FloatArray) -> FloatArray:
    """max(margin, the margin at long-run volatility) [..., bar] (article 28(c): ten years, or the longest there is).

    Raises `InvalidInput` for margins that are negative or not finite.
    """
    return frozen(np.maximum(_series(margin, "margin"), _series(long_run, "long-run margin")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Which tools act, in this order: stressed weight, long-run floor, buffer; 0, False and None leave one out."""

    stressed_weight: float = 0.0
    floor: bool = False
    buffer: Buffer | None = None


def dynamic(
    margin: FloatArray, tools: Tools, *, stressed: FloatArray | None = None, long_run: FloatArray | None = None
) -> Buffered:
    """The margins that tools make of a series; without a buffer, `share` is 0 throughout.

    Raises `InvalidInput` for a tool whose series is missing, and what each tool raises.
    """
    series = _series(margin, "margin")
    if tools.stressed_weight:
        series = stressed_weight(series, _given(stressed, "margin under stress"), weight=tools.stressed_weight)
    if tools.floor:
        series = floored(series, _given(long_run, "long-run margin"))
    if tools.buffer is not None:
        return buffered(series, tools.buffer)
    return Buffered(margin=frozen(series), held=frozen(series), share=frozen(np.zeros_like(series)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calls:
    """Margin calls [..., bar]: `called` at each bar, and `posted` for earlier calls by then, both USD."""

    called: FloatArray
    posted: FloatArray


def margin_calls(requirement: FloatArray, collateral: FloatArray, *, trigger: float = CALL_TRIGGER) -> Calls:
    """Calls within the day: where the requirement exceeds `trigger` × what stands against it, the gap is called.

    `collateral` [..., bar] is what would be there without any call, P&L included; what is called counts from the next
    bar on. Source: article 26, a call once the requirement exceeds 110 % of the collateral. Raises `InvalidInput` for a
    trigger below 1, requirements that are negative, and figures that are not finite.
    """
    check.within(trigger, "trigger of a call", 1.0, 10.0, where=_WHERE)
    asked = _series(requirement, "requirement")
    there = _finite(collateral, "collateral")
    called, posted = np.zeros_like(asked), np.zeros_like(asked)
    for bar in range(asked.shape[-1]):
        if bar:
            posted[..., bar] = posted[..., bar - 1] + called[..., bar - 1]
        held = there[..., bar] + posted[..., bar]
        called[..., bar] = np.where(asked[..., bar] > trigger * held, np.maximum(asked[..., bar] - held, 0.0), 0.0)
    return Calls(called=frozen(called), posted=frozen(posted))


def _given(series: FloatArray | None, what: str) -> FloatArray:
    if series is None:
        raise InvalidInput(what, where=_WHERE, value="missing", limit="given", remedy="Give its series, bar by bar.")
    return series


def _finite(values: FloatArray, what: str) -> FloatArray:
    found = np.asarray(values, float)
    if not np.isfinite(found).all():
        bar = int(np.argwhere(~np.isfinite(found))[0][-1])
        raise InvalidInput(what, where=f"{_WHERE}, bar {bar}", value="not finite", limit="finite", remedy="Drop it.")
    return found


def _series(values: FloatArray, what: str) -> FloatArray:
    found = _finite(values, what)
    if (found < 0.0).any():
        place = np.argwhere(found < 0.0)[0]
        raise InvalidInput(
            what,
            where=f"{_WHERE}, bar {int(place[-1])}",
            value=float(found[tuple(place)]),
            limit="not negative",
            remedy="Give requirements, not P&L.",
        )
    return found
