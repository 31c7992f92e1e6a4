"""Made-up option chains whose forwards and smiles are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray, frozen
from crossmargin.core.instant import DAY_NS
from crossmargin.market.curve import RateCurve
from crossmargin.market.implied import unit_price
from crossmargin.market.quotes import NO_RATES, ChainQuotes
from crossmargin.market.ssvi import Ssvi
from crossmargin.market.svi import total_variance

NOW_NS = 1_800_000_000 * 1_000_000_000
SHAPE = Ssvi(rho=-0.3, eta=1.1, gamma=0.45)
DAYS = (2, 9, 30, 91, 273)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChain:
    """Quotes with the truth behind them."""

    quotes: ChainQuotes
    expiry_ns: IntArray
    tenor_years: FloatArray
    forward: FloatArray
    smiles: FloatArray


def known_chain(
    *,
    shape: Ssvi = SHAPE,
    smiles: FloatArray | None = None,
    days: tuple[int, ...] = DAYS,
    level: float = 0.6,
    spot: float = 60_000.0,
    carry: float = 0.05,
    half_width_vol: float = 0.004,
    deviations: FloatArray | None = None,
    in_coin: bool = True,
    rates: RateCurve = NO_RATES,
) -> KnownChain:
    """Calls and puts on an SSVI surface (or on `smiles`), quoted `half_width_vol` around it, marks on it."""
    steps = np.linspace(-2.5, 2.5, 17) if deviations is None else deviations
    tenor = np.array(days) / 365.0
    forward = spot * np.exp(carry * tenor)
    params = shape.smiles(level**2 * tenor) if smiles is None else smiles
    k = (np.sqrt(total_variance(np.zeros(1), params))[:, None] * steps).ravel()
    expiry = np.repeat(np.arange(tenor.size), steps.size)
    k, expiry = np.repeat(k, 2), np.repeat(expiry, 2)
    is_call = np.arange(k.size) % 2 == 0
    vol = np.sqrt(total_variance(k, params[expiry]) / tenor[expiry])
    unit = np.ones(k.size) if in_coin else (forward * rates.discount(tenor))[expiry]
    bid, mark, ask = (_price(k, vol + shift, tenor[expiry], is_call) * unit for shift in _shifts(half_width_vol))
    expiry_ns = NOW_NS + np.array(days) * DAY_NS
    quotes = ChainQuotes(
        underlying="BTC",
        spot=spot,
        instrument=tuple(f"BTC-{days[e]}D-{i // 2}-{'CP'[i % 2]}" for i, e in enumerate(expiry)),
        expiry_ns=frozen(expiry_ns[expiry], np.int64),
        strike=frozen(forward[expiry] * np.exp(k)),
        is_call=frozen(is_call, np.bool_),
        bid=frozen(bid),
        ask=frozen(ask),
        mark=frozen(mark),
        mark_vol=frozen(vol),
        underlying_price=frozen(forward[expiry]),
        seen_ns=frozen(np.full(k.size, NOW_NS), np.int64),
        in_coin=in_coin,
        rates=rates,
    )
    return KnownChain(quotes=quotes, expiry_ns=expiry_ns, tenor_years=tenor, forward=forward, smiles=params)


def _shifts(half_width_vol: float) -> tuple[float, float, float]:
    return -half_width_vol, 0.0, half_width_vol


def _price(k: FloatArray, vol: FloatArray, tenor: FloatArray, is_call: FloatArray) -> FloatArray:
    return unit_price(k, vol * np.sqrt(tenor), is_call)


def with_rows(quotes: ChainQuotes, rows: IntArray) -> ChainQuotes:
    """The chain with these rows alone, in this order."""
    columns = ("expiry_ns", "strike", "is_call", "bid", "ask", "mark", "mark_vol", "underlying_price", "seen_ns")
    chosen = {name: getattr(quotes, name)[rows] for name in columns}
    return replace(quotes, instrument=tuple(quotes.instrument[i] for i in rows), **chosen)


def with_value(quotes: ChainQuotes, column: str, rows: object, value: object) -> ChainQuotes:
    """The chain with `value` in some rows of a column."""
    values = getattr(quotes, column).copy()
    values[rows] = value
    return replace(quotes, **{column: values})
