"""Panoptic v1's collateral leg by leg, from section 19 of the rulebooks."""


def sell_ratio(utilisation: float, *, strangle: bool) -> float:
    """20 % to half use, 100 % from 90 %; a strangle starts at 10 %."""
    base = 0.10 if strangle else 0.20
    if utilisation <= 0.5:
        return base
    if utilisation >= 0.9:
        return 1.0
    return base + (1.0 - base) * (utilisation - 0.5) / 0.4


def buy_ratio(utilisation: float) -> float:
    """10 % to half use, 5 % from 90 %."""
    if utilisation <= 0.5:
        return 0.10
    return 0.05 if utilisation >= 0.9 else 0.10 - 0.05 * (utilisation - 0.5) / 0.4


def short(*, put: bool, strike: float, size: float, price: float, utilisation: float, strangle: bool = False) -> float:
    """In the numeraire, at the price."""
    ratio = sell_ratio(utilisation, strangle=strangle)
    if put:
        return size * strike * (ratio + (1.0 - price / strike if price < strike else 0.0))
    return size * price * (ratio + (1.0 - strike / price if price > strike else 0.0))


def long(*, put: bool, strike: float, size: float, price: float, utilisation: float) -> float:
    """In the numeraire, at the price."""
    return size * (strike if put else price) * buy_ratio(utilisation)


def spread(*, put: bool, short_strike: float, long_strike: float, size: float, price: float, long_use: float) -> float:
    """In the numeraire, at the price."""
    if put:
        loss = size * max(short_strike - long_strike, 0.0)
    else:
        loss = size * price * max((long_strike - short_strike) / long_strike, 0.0)
    return max(loss, long(put=put, strike=long_strike, size=size, price=price, utilisation=long_use))
