"""From quotes to points of a smile: at each strike the interval of vols that is quoted, the mark's, and the target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray
from crossmargin.market.implied import implied_total_vol
from crossmargin.market.joint import Targets
from crossmargin.market.quotes import ChainQuotes

_HALF_MAX: Final = 0.05  # Vols quoted further apart say nothing that the mark does not; so do vols quoted one-sided.
_TIME_VALUE_MIN: Final = 0.01  # Of a price that alone tells the vol: less than that is the noise of a close.
_VEGA_AT_TENTH: Final = math.exp(-0.5 * 1.2815515655446004**2)  # Of the highest, at a delta of 0.1: N⁻¹(0.1)² / 2.
_VEGA_MIN: Final = 1e-6  # Far wings keep a trace of weight, so that a smile with wings alone is still determined.


class FitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a chain is fitted; vols are decimals. The defaults serve every chain that was tried, none is tuned to one.

    The target at a strike is the mark's vol, moved by at most `move_vol_max` into the quoted interval, and there off
    its edges by `inset` of its half width, at most `inset_vol_max`: prices then stay inside bid and ask where marks
    lag behind. Its scale is √(vol_noise² + `width_weight` · half width²) over its vega relative to the highest, and
    beyond deltas of 0.1 and 0.9 over `wing_weight` as well; residuals beyond `huber` scales count linearly.
    `anchor_vol` is how loosely the wings that nobody quotes hang on the SSVI surface.

    Quotes are left out when crossed, older than `age_s_max`, or off their neighbours by more than `stray_vol` and
    `stray_width` times their width; more than `crossed_share_max` crossed quotes refuse the chain. Put-call pairs are
    reported when the forward is off their interval by more than `parity_limit_bps`.
    """

    move_vol_max: float = 0.0045
    inset: float = 0.6
    inset_vol_max: float = 0.002
    vol_noise: float = 0.002
    width_weight: float = 0.015
    wing_weight: float = 0.45
    huber: float = 3.0
    anchor_vol: float = 0.2
    age_s_max: float = 600.0
    crossed_share_max: float = 0.1
    parity_limit_bps: float = 5.0
    stray_vol: float = 0.02
    stray_width: float = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Legs:
    """Every quote of a chain seen from its forward. Arrays are [quote].

    `expiry` is the index of the expiry, `k` the log-moneyness; `bid`, `ask` and `mark` prices over the discounted
    forward; `vol_bid`, `vol_ask` the vols they imply (0 and infinite where nobody quotes), `vol_mark` that of the mark
    (NaN where there is none); `root_tenor` √τ. `usable` rows take part in the fit.
    """

    expiry: IntArray
    k: FloatArray
    is_call: BoolArray
    bid: FloatArray
    ask: FloatArray
    vol_bid: FloatArray
    vol_ask: FloatArray
    vol_mark: FloatArray
    root_tenor: FloatArray
    usable: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """The smile's points [point], by expiry and then strike; those of expiry e from `start[e]` to `start[e + 1]`.

    `low` and `high` bound the quoted vols (0 and infinite where nobody quotes), `mark` is the mark's vol or, without
    one, the middle of the quotes.
    """

    start: IntArray
    k: FloatArray
    low: FloatArray
    high: FloatArray
    mark: FloatArray


def read_legs(
    quotes: ChainQuotes,
    usable: BoolArray,
    expiry: IntArray,
    *,
    tenor_years: FloatArray,
    forward: FloatArray,
    discount: FloatArray,
) -> Legs:
    """The quotes of a chain in units of their forwards; `expiry` [quote] indexes the arrays [expiry]."""
    k = np.log(quotes.strike / forward[expiry])
    unit = 1.0 if quotes.in_coin else 1.0 / (discount * forward)[expiry]
    root = np.sqrt(tenor_years)[expiry]
    bid, ask, mark = quotes.bid * unit, quotes.ask * unit, quotes.mark * unit
    intrinsic = np.maximum(np.where(quotes.is_call, 1.0 - np.exp(k), np.exp(k) - 1.0), 0.0)
    implied = _implied(k, mark, quotes.is_call, mark - intrinsic > _TIME_VALUE_MIN * mark, root)
    implied = np.where((implied > 0.0) & np.isfinite(implied), implied, np.nan)
    # The venue's own vol where it gives one: a mark in ticks says little about the vol of a far option.
    vol_mark = np.where(quotes.mark_vol > 0.0, quotes.mark_vol, implied)
    if quotes.american:
        usable = usable & _read_as_european(expiry, (k >= 0.0) == quotes.is_call, usable & np.isfinite(vol_mark))
    return Legs(
        expiry=expiry,
        k=k,
        is_call=quotes.is_call,
        bid=bid,
        ask=ask,
        vol_bid=_implied(k, bid, quotes.is_call, bid > 0.0, root),
        vol_ask=np.where(ask > 0.0, _implied(k, ask, quotes.is_call, ask > 0.0, root), np.inf),
        vol_mark=vol_mark,
        root_tenor=root,
        usable=usable,
    )


def _read_as_european(expiry: IntArray, outside: BoolArray, known: BoolArray) -> BoolArray:
    """Which rows [quote] of an American chain say what a European one would.

    In the money the right to exercise early is in the price, and Black does not know it: such rows serve only where
    an expiry has none out of the money."""
    without = np.bincount(expiry, weights=known & outside) == 0.0
    return np.asarray(outside | without[expiry])


def _implied(k: FloatArray, price: FloatArray, is_call: BoolArray, given: BoolArray, root: FloatArray) -> FloatArray:
    vol = np.zeros(k.shape)
    vol[given] = implied_total_vol(k[given], price[given], is_call[given]) / root[given]
    return vol


def gather_points(legs: Legs, expiries: int) -> Points:
    """One point for each expiry and strike that a usable quote or mark speaks of.

    Its interval is that of its call and put together; where the two contradict each other, that of the one out of the
    money. Its mark is the mean of theirs, or that of the one out of the money where only prices give it."""
    rows = np.flatnonzero(legs.usable & (np.isfinite(legs.vol_mark) | (legs.vol_bid > 0.0)))
    rows = rows[np.lexsort((legs.k[rows], legs.expiry[rows]))]
    e, k = legs.expiry[rows], legs.k[rows]
    first = np.concatenate([[True], (np.diff(e) > 0) | (np.diff(k) > 0.0)]) if rows.size else np.zeros(0, bool)
    at = np.cumsum(first) - 1
    size = int(first.sum())
    low, high, out = np.zeros(size), np.full(size, np.inf), np.zeros(size, np.int64)
    np.maximum.at(low, at, legs.vol_bid[rows])
    np.minimum.at(high, at, legs.vol_ask[rows])
    out[at] = rows  # Any leg, then the one out of the money where it stands.
    outside = (k >= 0.0) == legs.is_call[rows]
    out[at[outside]] = rows[outside]
    torn = low > high
    low[torn], high[torn] = legs.vol_bid[out[torn]], legs.vol_ask[out[torn]]
    with np.errstate(invalid="ignore"):
        middle = np.where((low > 0.0) & np.isfinite(high), 0.5 * (low + high), np.nan)
    mark = np.where(np.isfinite(legs.vol_mark[out]), legs.vol_mark[out], middle)
    known = np.isfinite(mark)
    start = np.searchsorted(e[first][known], np.arange(expiries + 1))
    return Points(start=start, k=k[first][known], low=low[known], high=high[known], mark=mark[known])


def aim(points: Points, tenor_years: FloatArray, settings: FitSettings) -> Targets:
    """The vol that each point is fitted to, and its scale, as `FitSettings` says."""
    half = np.minimum(0.5 * (points.high - points.low), _HALF_MAX)
    inset = np.minimum(settings.inset * half, settings.inset_vol_max)
    inside = np.clip(points.mark, points.low + inset, np.maximum(points.high - inset, points.low + inset))
    vol = np.clip(inside, points.mark - settings.move_vol_max, points.mark + settings.move_vol_max)
    total = vol * np.sqrt(np.repeat(tenor_years, np.diff(points.start)))
    vega = np.exp(-0.5 * (0.5 * total - points.k / total) ** 2)
    noise = np.sqrt(settings.vol_noise**2 + settings.width_weight * half**2)
    weight = vega * np.where(vega < _VEGA_AT_TENTH, settings.wing_weight, 1.0)
    return Targets(
        tenor_years=tenor_years,
        start=points.start,
        k=points.k,
        vol=vol,
        scale=noise / np.maximum(weight, _VEGA_MIN),
        huber=settings.huber,
    )
