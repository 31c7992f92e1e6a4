"""Answers of Deribit for a made-up chain of coin-settled options, as its API gives them."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path

SEEN = dt.datetime(2026, 3, 31, 15, 30, tzinfo=dt.UTC)
EXPIRIES = (
    dt.datetime(2026, 4, 24, 8, tzinfo=dt.UTC),
    dt.datetime(2026, 6, 26, 8, tzinfo=dt.UTC),
    dt.datetime(2026, 9, 25, 8, tzinfo=dt.UTC),
)
STRIKES = tuple(float(k) for k in range(50_000, 120_001, 5_000))
SPOT, VOL, CARRY = 80_000.0, 0.5, 0.05
TICK = 1e-4


def milliseconds(moment: dt.datetime) -> int:
    """As Deribit writes time."""
    return round(moment.timestamp() * 1000)


def coin_price(strike: float, tenor_years: float, *, is_call: bool) -> float:
    """Black-76 undiscounted over the forward, at one volatility for all."""
    forward = SPOT * math.exp(CARRY * tenor_years)
    v = VOL * math.sqrt(tenor_years)
    d1 = math.log(forward / strike) / v + v / 2.0
    sign = 1.0 if is_call else -1.0
    value = sign * (forward * _cdf(sign * d1) - strike * _cdf(sign * (d1 - v)))
    return value / forward


def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def answers(
    expiries: tuple[dt.datetime, ...] = EXPIRIES, strikes: tuple[float, ...] = STRIKES
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Instruments and book summaries."""
    instruments: list[dict[str, object]] = []
    summaries: list[dict[str, object]] = []
    for expiry in expiries:
        tenor = (expiry - SEEN).total_seconds() / (365 * 86_400)
        for strike in strikes:
            for right in ("call", "put"):
                code = f"{expiry.day}{expiry:%b%y}".upper()
                name = f"BTC-{code}-{strike:.0f}-{right[0].upper()}"
                mark = coin_price(strike, tenor, is_call=right == "call")
                instruments.append(
                    {
                        "instrument_name": name,
                        "kind": "option",
                        "expiration_timestamp": milliseconds(expiry),
                        "base_currency": "BTC",
                        "quote_currency": "BTC",
                        "strike": strike,
                        "option_type": right,
                    }
                )
                summaries.append(
                    {
                        "instrument_name": name,
                        "bid_price": max(math.floor(mark / TICK) * TICK - TICK, TICK),
                        "ask_price": math.ceil(mark / TICK) * TICK + TICK,
                        "mark_price": mark,
                        "mark_iv": 100.0 * VOL,
                        "underlying_price": SPOT * math.exp(CARRY * tenor),
                        "estimated_delivery_price": SPOT,
                        "creation_timestamp": milliseconds(SEEN),
                    }
                )
    return instruments, summaries


def write_answers(
    folder: Path, instruments: list[dict[str, object]], summaries: list[dict[str, object]]
) -> tuple[Path, Path]:
    """Two files, in the envelope of the API."""
    paths = folder / "instruments.json", folder / "summaries.json"
    for path, result in zip(paths, (instruments, summaries), strict=True):
        path.write_text(json.dumps({"jsonrpc": "2.0", "result": result}))
    return paths
