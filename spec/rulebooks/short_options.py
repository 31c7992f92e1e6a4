"""Standard margin of short options at Deribit, Bybit and Aevo, one coin at a time, from the venues' own formulas.

References: rulebooks of Deribit (2.1), Bybit (cross mode) and Aevo (standard). V is the mark a coin.
"""


def deribit_inverse(*, call: bool, strike: float, index: float, mark: float) -> tuple[float, float]:
    """Initial and maintenance margin in coins."""
    out = max(strike - index, 0.0) if call else max(index - strike, 0.0)
    start = max(0.15 - out / index, 0.10) + mark
    if call:
        return start, 0.075 + mark
    keep = max(0.075, 0.075 * mark) + mark
    return max(start, keep), keep


def deribit_linear(*, call: bool, strike: float, index: float, mark: float) -> tuple[float, float]:
    """The same times the index, USD."""
    initial, maintenance = deribit_inverse(call=call, strike=strike, index=index, mark=mark / index)
    return initial * index, maintenance * index


def deribit_future(*, coins: float, slope: float) -> tuple[float, float]:
    """Initial margin in coins, and the higher of the two maintenance margins that are public."""
    size = abs(coins)
    initial = (0.02 + slope * size) * size
    return initial, max(initial * 2.0 / 3.0, (0.01 + slope * size) * size)


def bybit(*, call: bool, strike: float, index: float, mark: float, entry: float) -> tuple[float, float]:
    """USD."""
    out = max(strike - index, 0.0) if call else max(index - strike, 0.0)
    keep = max(0.03 * index, 0.03 * mark) + mark + 0.002 * index
    return max(max(0.15 * index - out, 0.1 * index) + max(entry, mark), keep), keep


def bybit_sell_order(initial: float, *, index: float, price: float) -> float:
    """What a sell order that opens a short sets aside, USD a coin."""
    return max(initial + min(0.0003 * index, 0.125 * price) - price, 0.0)


def aevo(*, call: bool, strike: float, index: float, mark: float) -> tuple[float, float]:
    """USD."""
    out = max(strike - index, 0.0) if call else max(index - strike, 0.0)
    start = max(0.15 - out / index, 0.1) * index + mark
    if call:
        return start, 0.1 * index + mark
    keep = max(0.1 * index, 0.1 * mark) + mark
    return max(start, keep), keep
