"""A Deribit option chain as its API would show it, made up from the smiles of a market: two JSON files.

    python made_up_chain.py market.toml BTC

writes instruments.json and summaries.json here. Quotes stand in ticks around the smile. One pair of them is crossed,
and one mark is off its neighbours, as happens on a real venue.
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import crossmargin as xm
from crossmargin.core.instant import format_expiry_code
from crossmargin.market.snapshot import Underlying
from crossmargin.valuation.kernels.black76 import black_values

TICK = 1e-4
HALF_SPREAD_VOL = 0.006
STRIKES = 17
CROSSED, LEFT_BEHIND = 40, 186  # rows of the chain


def main(market_file: str, coin: str) -> None:
    """Write the answers of get_instruments and get_book_summary_by_currency for one coin."""
    market = xm.read_market(market_file)
    u = market.underlyings[coin]
    contracts = list(_contracts(u))
    summaries = [_summary(u, row, *contract) for row, contract in enumerate(contracts)]
    for file, answer in (("instruments", [_instrument(u, *c) for c in contracts]), ("summaries", summaries)):
        Path(f"{file}.json").write_text(json.dumps({"jsonrpc": "2.0", "result": answer}))


def _contracts(u: Underlying) -> Iterator[tuple[int, float, str]]:
    """Expiry, strike and right of every option, for the listed expiries after the first."""
    for expiry_ns in map(int, u.surface.expiry_ns[1:]):
        forward, tenor = float(u.curve(expiry_ns)), _tenor(u, expiry_ns)
        reach = 2.5 * float(u.surface.vol(0.0, expiry_ns)) * math.sqrt(tenor)
        step = 10 ** math.floor(math.log10(forward * reach / 4)) / 2
        strikes = {round(forward * math.exp(k) / step) * step for k in np.linspace(-reach, reach, STRIKES)}
        yield from ((expiry_ns, strike, right) for strike in sorted(strikes) for right in "CP")


def _instrument(u: Underlying, expiry_ns: int, strike: float, right: str) -> dict[str, object]:
    return {
        "instrument_name": _name(u, expiry_ns, strike, right),
        "kind": "option",
        "expiration_timestamp": expiry_ns // 1_000_000,
        "base_currency": u.name,
        "quote_currency": u.name,
        "strike": strike,
        "option_type": "call" if right == "C" else "put",
    }


def _summary(u: Underlying, row: int, expiry_ns: int, strike: float, right: str) -> dict[str, object]:
    vol = float(u.surface.vol(math.log(strike / float(u.curve(expiry_ns))), expiry_ns))
    mark_vol = 1.25 * vol if row == LEFT_BEHIND else vol
    bid, mark, ask = (
        _coins(u, expiry_ns, strike, right, v) for v in (vol - HALF_SPREAD_VOL, mark_vol, vol + HALF_SPREAD_VOL)
    )
    bid, ask = math.floor(bid / TICK) * TICK, math.ceil(ask / TICK) * TICK
    if row == CROSSED:
        bid, ask = ask, bid
    return {
        "instrument_name": _name(u, expiry_ns, strike, right),
        "bid_price": round(bid, 4) or None,
        "ask_price": round(ask, 4),
        "mark_price": round(mark, 6),
        "mark_iv": round(100 * mark_vol, 2),
        "underlying_price": round(float(u.curve(expiry_ns)), 2),
        "estimated_delivery_price": u.spot,
        "creation_timestamp": u.curve.time_ns // 1_000_000,
    }


def _coins(u: Underlying, expiry_ns: int, strike: float, right: str, vol: float) -> float:
    """The price of an option in coins."""
    forward, one = float(u.curve(expiry_ns)), np.ones(1)
    total_vol = max(vol, 0.01) * math.sqrt(_tenor(u, expiry_ns))
    value = black_values(forward * one, strike * one, total_vol * one, one if right == "C" else -one)
    return float(value[0]) / forward


def _tenor(u: Underlying, expiry_ns: int) -> float:
    return (expiry_ns - u.curve.time_ns) / (365 * 86_400e9)


def _name(u: Underlying, expiry_ns: int, strike: float, right: str) -> str:
    return f"{u.name}-{format_expiry_code(expiry_ns)}-{strike:g}-{right}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
