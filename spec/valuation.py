"""What one contract is worth, and what it gains in a scenario: design section 5, in plain Python.

Every P&L is damping · (value after − value before), in USD at the prices of the scenario. What is settled to its mark
has the value of its gain since that mark.
"""

import math
from dataclasses import dataclass
from typing import Any

from spec.kernels.american import american_values
from spec.world import (
    NOW,
    YEAR_MS,
    Market,
    Scenario,
    asset_usd,
    curve_move,
    discount,
    forward_now,
    moved_price,
    shocked_vol,
    tenor_years,
    total_variance,
    vol_multiplier,
    years,
    years_left,
    zero_rate,
)

UNITS_PER_ONE = {"unit": 1.0, "percent": 100.0, "basis_point": 10_000.0}


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The terms of any contract; times in milliseconds."""

    id: str
    family: str
    underlying: str = ""
    asset: str = ""
    chain: str = ""
    payout: str = "linear"
    settle: str = ""
    multiplier: float = 1.0
    expiry: int | None = None
    strike: float = 0.0
    right: str = ""
    exercise: str = "european"
    deliverable: str = "spot"
    premium: str = "upfront"
    discounted: bool = False
    coupon: float = 0.0
    maturity: int = 0
    conversion_factor: float = 1.0
    coupons_per_year: int = 2
    deltas: tuple[dict[str, Any], ...] = ()
    gammas: tuple[dict[str, Any], ...] = ()


def black(forward: float, strike: float, v: float, sign: float) -> float:
    """Undiscounted Black (1976); v = σ√τ, sign +1 for a call. The out-of-the-money side, and parity for the other."""
    intrinsic = max(sign * (forward - strike), 0.0)
    if v <= 0.0:
        return intrinsic
    d1 = math.log(forward / strike) / v + 0.5 * v
    out = -1.0 if forward > strike else 1.0
    return intrinsic + out * (forward * _cdf(out * d1) - strike * _cdf(out * (d1 - v)))


def bachelier(forward: float, strike: float, v: float, sign: float) -> float:
    """Undiscounted Bachelier (1900); v = σ√τ in price units."""
    intrinsic = max(sign * (forward - strike), 0.0)
    if v <= 0.0:
        return intrinsic
    d = abs(forward - strike) / v
    return intrinsic + v * math.exp(-0.5 * d * d) / math.sqrt(2.0 * math.pi) - abs(forward - strike) * _cdf(-d)


def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def mark(c: Contract, market: Market) -> float:
    """The price of a contract today in quote currency: its own mark, or the forward for its expiry."""
    if c.id in market.marks:
        return market.marks[c.id]
    u = market.underlyings[c.underlying]
    if c.family == "perpetual":
        return u.spot + u.basis * u.scale if u.normal else u.spot * math.exp(u.basis)
    return forward_now(market, u, c.expiry)


def option_value(c: Contract, market: Market, scenario: Scenario, sticky: float) -> float:
    """In the settlement asset: m·price/F' coins where inverse, else m·D'·price."""
    u = market.underlyings[c.underlying]
    assert c.expiry is not None
    forward = moved_price(market, u, forward_now(market, u, c.expiry), c.expiry, scenario)
    vol = shocked_vol(market, u, c.strike, c.expiry, scenario, sticky)
    v = vol * math.sqrt(years_left(market, c.expiry, scenario))
    sign = 1.0 if c.right == "call" else -1.0
    if c.exercise == "american":
        return c.multiplier * american_value(c, market, scenario, forward, vol)
    price = bachelier(forward, c.strike, v * u.scale, sign) if u.normal else black(forward, c.strike, v, sign)
    if c.payout == "inverse":
        return c.multiplier * price / forward
    return c.multiplier * price * (discount(market, u.quote, c.expiry, scenario) if c.discounted else 1.0)


def american_value(c: Contract, market: Market, scenario: Scenario, forward: float, vol: float) -> float:
    """An American option on a binomial tree: the spot is the forward less the carry of the time that is left."""
    u, sign = market.underlyings[c.underlying], 1.0 if c.right == "call" else -1.0
    assert c.expiry is not None
    left, tenor = years_left(market, c.expiry, scenario), years(market, c.expiry)
    if left == 0.0:
        return max(sign * (forward - c.strike), 0.0)
    carry = 0.0
    if c.deliverable == "spot":
        carry = math.log(forward_now(market, u, c.expiry) / u.spot) / tenor
        carry += curve_move(scenario, f"fwd:{u.name}", tenor)
    rate = zero_rate(market, u.quote, c.expiry, scenario)
    spot = forward * math.exp(-carry * left)
    return american_values(spot, c.strike, vol, left, rate, rate - carry, sign, steps=151)


def forward_value(c: Contract, market: Market, scenario: Scenario) -> float:
    """m·D'·(F' − K) in the settlement asset."""
    u = market.underlyings[c.underlying]
    assert c.expiry is not None
    forward = moved_price(market, u, forward_now(market, u, c.expiry), c.expiry, scenario)
    unit = discount(market, u.quote, c.expiry, scenario) if c.discounted else 1.0
    return c.multiplier * unit * (forward - c.strike)


def value_usd(c: Contract, market: Market, scenario: Scenario = NOW, sticky: float = 1.0) -> float:
    """What one contract is worth: spot, options and forwards; zero for what is settled to its mark, and for ladders."""
    if c.family == "spot":
        return asset_usd(market, c.asset, scenario, c.chain)
    if c.family == "forward":
        return forward_value(c, market, scenario) * asset_usd(market, c.settle, scenario)
    if c.family == "option":
        return option_value(c, market, scenario, sticky) * asset_usd(market, c.settle, scenario)
    return 0.0


def gain(c: Contract, market: Market, scenario: Scenario) -> float:
    """What one contract that is settled to its mark gains in the scenario, in the settlement asset."""
    if c.family == "sensitivities":
        return ladder_gain(c, market, scenario)
    if c.family == "bond_future":
        return bond_future_gain(c, market, scenario)
    u, before = market.underlyings[c.underlying], mark(c, market)
    after = moved_price(market, u, before, c.expiry, scenario)
    shifted = u.funding_daily + scenario.moves.get(f"funding:{u.name}", 0.0)
    daily = shifted if c.family == "perpetual" else 0.0
    if c.payout == "inverse":
        return c.multiplier * (1.0 / before - 1.0 / after - daily * scenario.days / before)
    return c.multiplier * (after - before - daily * scenario.days * before)


def pnl(c: Contract, market: Market, scenario: Scenario, sticky: float = 1.0) -> float:
    """USD P&L of one contract held long, damped."""
    if c.family in {"spot", "forward", "option"}:
        return scenario.damping * (value_usd(c, market, scenario, sticky) - value_usd(c, market))
    return scenario.damping * gain(c, market, scenario) * asset_usd(market, c.settle, scenario)


def clean_price(coupon: float, years: float, per_year: int, annual_yield: float) -> float:
    """Clean price per 100 of face, street convention: coupons every 1/n year back from maturity."""
    count = math.ceil(years * per_year - 1e-12)
    total, first = 0.0, years * per_year - (count - 1)
    for i in range(count):
        flow = 100.0 * coupon / per_year + (100.0 if i == count - 1 else 0.0)
        total += flow / (1.0 + annual_yield / per_year) ** (first + i)
    return total - 100.0 * coupon / per_year * (1.0 - first)


def bond_yield(price: float, coupon: float, years: float, per_year: int) -> float:
    """The yield that gives a clean price, by bisection."""
    low, high = -0.5, 10.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if clean_price(coupon, years, per_year, middle) > price:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def bond_future_gain(c: Contract, market: Market, scenario: Scenario) -> float:
    """The cheapest bond repriced at its yield plus the rate move at its maturity; then the price move and the carry."""
    assert c.expiry is not None
    u, price, years = market.underlyings[c.underlying], mark(c, market), (c.maturity - c.expiry) / YEAR_MS
    start = bond_yield(price * c.conversion_factor, c.coupon, years, c.coupons_per_year)
    shift = curve_move(scenario, f"rate:{u.quote}", (c.maturity - market.time) / YEAR_MS)
    ratio = clean_price(c.coupon, years, c.coupons_per_year, start + shift) / clean_price(
        c.coupon, years, c.coupons_per_year, start
    )
    return c.multiplier * (moved_price(market, u, price * ratio, c.expiry, scenario) - price)


def ladder_gain(c: Contract, market: Market, scenario: Scenario) -> float:
    """δ·x + ½ x'Γx; a mixed second derivative stands once and counts for both halves of Γ."""
    total = 0.0
    for d in c.deltas:
        total += d["amount"] * factor_move(d["factor"], d["per"], market, scenario)
    for g in c.gammas:
        first = factor_move(g["factor"], g["per"], market, scenario)
        other = g["other"] or g["factor"]
        half = 0.5 if other == g["factor"] else 1.0
        total += half * g["amount"] * first * factor_move(other, g["per"], market, scenario)
    return total


def factor_move(factor: str, per: str, market: Market, scenario: Scenario) -> float:
    """The move of a factor at its node, in units; a vol point is a hundredth of volatility at the money."""
    if factor.startswith(("chain:", "backing:")):
        return scenario.moves.get(factor, 0.0) * UNITS_PER_ONE[per]
    kind, name, *node = factor.split(":")
    tenor = tenor_years(node[0]) if node else 0.0
    if kind != "vol":
        return curve_move(scenario, f"{kind}:{name}", tenor or 1.0) * UNITS_PER_ONE[per]
    tenor = tenor or 30.0 / 365.0
    move = vol_multiplier(scenario, name, tenor) - 1.0
    if per != "vol_point":
        return move * UNITS_PER_ONE[per]
    u, expiry = market.underlyings[name], market.time + round(tenor * YEAR_MS)
    unit = u.scale if u.normal else 1.0
    return move * 100.0 * unit * math.sqrt(total_variance(market, u, 0.0, expiry) / ((expiry - market.time) / YEAR_MS))
