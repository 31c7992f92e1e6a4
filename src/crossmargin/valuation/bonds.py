"""Government-bond futures, revalued through the yield of the cheapest-to-deliver bond.

The bond's clean forward price is futures price × conversion factor. Its street-convention yield at delivery is found
once, moved by the scenario's rate move at the bond's maturity, and the bond is priced again; a move of the price
factor itself (`bond:NAME`) and of its carry (`fwd:NAME`) then moves the result as it does any future.
"""

from __future__ import annotations

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import parse_instant, years_between
from crossmargin.instruments.terms import BondFuture
from crossmargin.market.snapshot import normal_scale
from crossmargin.valuation.world import World


def bond_future_pnl(terms: BondFuture, price: float, world: World) -> FloatArray:
    """P&L of one contract in its settlement asset [scenario].

    `price` per 100 of face. Raises `InvalidInput` where no yield gives that price.
    """
    delivery = parse_instant(terms.expiry, where=terms.id)
    maturity = parse_instant(terms.maturity, where=terms.id)
    years = years_between(delivery, maturity)
    u = world.snapshot.underlyings[terms.underlying]
    tenor = np.asarray([years_between(world.snapshot.time_ns, maturity)])
    shift = world.scenarios.shock_at("rate", u.quote, tenor)[0]
    start = implied_yield(terms, price * terms.conversion_factor, years)
    moved = clean_price(terms, start + shift, years) / clean_price(terms, np.asarray([start]), years)
    move = world.log_move(u, np.asarray([delivery]))[0]
    after = price * moved * np.exp(move) if u.curve.lognormal else price * moved + move * normal_scale(u)
    return np.asarray(terms.multiplier * (after - price))


def clean_price(terms: BondFuture, annual_yield: FloatArray, years: float) -> FloatArray:
    """Clean price per 100 of face [yield], compounding `coupons_per_year` times, street convention.

    Coupons fall every 1/n year back from maturity; accrued interest is linear in the current period.
    """
    n = terms.coupons_per_year
    periods = int(np.ceil(years * n - 1e-12))
    times = years - np.arange(periods)[::-1] / n
    flows = np.full(periods, 100.0 * terms.coupon / n)
    flows[-1] += 100.0
    growth = 1.0 + np.asarray(annual_yield)[..., None] / n
    dirty = (flows * growth ** (-times * n)).sum(axis=-1)
    accrued = 100.0 * terms.coupon / n * (1.0 - times[0] * n)
    return np.asarray(dirty - accrued)


def implied_yield(terms: BondFuture, price: float, years: float) -> float:
    """The yield at which `clean_price` equals `price`; decimal a year."""

    from scipy.optimize import brentq  # noqa: PLC0415 a quarter of a second that books without bonds need not wait

    def error(y: float) -> float:
        return float(clean_price(terms, np.asarray([y]), years)[0]) - price

    low, high = -0.5, 10.0
    if not error(low) > 0.0 > error(high):
        raise InvalidInput(
            "price × conversion factor",
            where=terms.id,
            value=price,
            limit=f"between {error(high) + price:.4g} and {error(low) + price:.4g} for this bond",
            remedy="Check price, conversion factor and coupon.",
        )
    return float(brentq(error, low, high, xtol=1e-14, rtol=1e-14))
