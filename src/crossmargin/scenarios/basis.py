"""The basis of perpetuals in a history: the log of a perpetual over the price that it follows.

In a history `spot:BTC-PERP` is the perpetual on `spot:BTC`. Prices that are filtered apart drift apart: what is held in
one and sold in the other would be margined on the difference of two large figures. The price and the basis are two
factors instead, the second with a volatility and jumps of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.scenarios.factors import PRICE_KINDS, parse_factor
from crossmargin.scenarios.history import FactorHistory, build_history

PERPETUAL: Final = "-PERP"  # a price of this name is that of the perpetual on the one without it


def with_basis(history: FactorHistory) -> FactorHistory:
    """The history with `basis:NAME`, ln(perpetual / price), in place of each perpetual whose price it holds too.

    A level is missing where one of the two is. A perpetual without its price stays a price (`alone`), and so do those
    that may be negative, which have no logarithm. Raises `InvalidInput` for a basis that the history has already.
    """
    log = dict(zip(history.factors, history.is_log, strict=True))
    names, columns = [], list[FloatArray]()
    for i, factor in enumerate(history.factors):
        price = followed(factor)
        pair = price in log and log[price] and log[factor]
        own = history.level[:, i]
        names.append(f"basis:{parse_factor(price, where='history').name}" if pair else factor)
        columns.append(_log_over(own, history.level[:, history.factors.index(price)]) if pair else own)
    if tuple(names) == history.factors:
        return history
    level = np.column_stack(columns)
    return build_history(history.close_ns, names, level, scale=history.scale, source=history.source)


def followed(factor: str) -> str:
    """The price that a perpetual's price follows; "" for every other factor."""
    kind = factor.partition(":")[0]
    return factor.removesuffix(PERPETUAL) if kind in PRICE_KINDS and factor.endswith(PERPETUAL) else ""


def alone(factors: Iterable[str]) -> tuple[str, ...]:
    """The prices of perpetuals that a history holds without what they follow, or that have no logarithm: no basis."""
    return tuple(factor for factor in factors if followed(factor))


def _log_over(perpetual: FloatArray, price: FloatArray) -> FloatArray:
    return np.asarray(np.log(perpetual / price))
