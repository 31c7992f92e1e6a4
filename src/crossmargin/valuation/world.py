"""What each scenario does to the prices that instruments are made of.

All arrays here are [row, scenario], USD prices of assets, log moves of forwards and discount factors, so that the
valuation of a family is one expression over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.errors import MissingFactors
from crossmargin.core.instant import NEVER_NS, YEAR_DAYS, YEAR_NS
from crossmargin.market.curve import RateCurve
from crossmargin.market.snapshot import Snapshot, Underlying
from crossmargin.market.surface import VolSurface
from crossmargin.scenarios.scenario_set import ScenarioSet, SurfaceRule


@dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """A snapshot under every column of a scenario set."""

    snapshot: Snapshot
    scenarios: ScenarioSet

    @cached_property
    def horizon_years(self) -> FloatArray:
        """Time that passes in each scenario [scenario]."""
        return self.scenarios.horizon_days / YEAR_DAYS

    def asset_price(self, asset: str, chain: str = "") -> FloatArray:
        """USD per unit of an asset (held on `chain`) in each scenario [scenario].

        The product over its factors: reference price, peg, backing, and the availability of the chain.
        """
        factors = self.snapshot.asset_factors(asset) + ((f"chain:{chain}",) if chain else ())
        price = np.full(len(self.scenarios), self.snapshot.asset_price(asset))
        for factor in factors:
            price = price * (1.0 + self.scenarios.row(factor))
        return price

    def token_ratio(self, instance: str) -> FloatArray:
        """The price of a token over that of its asset [scenario]: now, times the backing of each bridge behind it.

        The price behind risk that was taken before, for that is what falls; new risk takes no less than that of it."""
        chains = self.snapshot.chains_of(instance)
        ratio = np.full(len(self.scenarios), chains.ratio(instance, held=True))
        for factor in chains.factors_of(instance):
            ratio = ratio * (1.0 + self.scenarios.row(factor))
        return ratio

    def spot_move(self, u: Underlying) -> FloatArray:
        """Relative move of an underlying's price [scenario] (in units of its scale where prices may be negative)."""
        return self.scenarios.row(u.factor)

    def log_move(self, u: Underlying, expiry_ns: IntArray) -> FloatArray:
        """ln(F'/F) [expiry, scenario]: the price move and the carry move over the time to expiry.

        In the normal model (F' − F)/scale; carry shocks do not apply to it. `NEVER_NS` is a perpetual: it has no carry,
        and moves by its basis instead.
        """
        move = self.spot_move(u)
        if u.curve.lognormal:
            tenor = self.tenor_years(expiry_ns)
            found = np.tile(np.log1p(move), (len(tenor), 1))
            if self.scenarios.moves("fwd", u.name):
                found += self.scenarios.shock_at("fwd", u.name, tenor) * tenor[:, None]
        else:
            found = np.broadcast_to(move, (len(expiry_ns), len(move))).copy()
        basis = self.scenarios.row(f"basis:{u.name}")
        if basis.any():
            found[np.asarray(expiry_ns) == NEVER_NS] += basis
        return np.asarray(found)

    def growth(self, u: Underlying, expiry_ns: IntArray) -> FloatArray:
        """F'/F [expiry, scenario] where prices are positive: the price move where carry and basis stand still."""
        if any(self.scenarios.moves(kind, u.name) for kind in ("fwd", "basis")):
            return np.asarray(np.exp(self.log_move(u, expiry_ns)))
        return np.tile(1.0 + self.spot_move(u), (len(expiry_ns), 1))

    def tenor_years(self, expiry_ns: IntArray) -> FloatArray:
        """Years to expiry at the snapshot [expiry]; zero for `NEVER_NS`."""
        when = np.asarray(expiry_ns, np.int64)
        return np.where(when == NEVER_NS, 0, when - self.snapshot.time_ns) / YEAR_NS

    def tenor_after(self, expiry_ns: IntArray) -> FloatArray:
        """Years to expiry at the horizon [expiry, scenario], not below zero."""
        return np.maximum(self.tenor_years(expiry_ns)[:, None] - self.horizon_years[None, :], 0.0)

    def discount(self, currency: str, expiry_ns: IntArray) -> FloatArray:
        """Discount factors at the horizon [expiry, scenario], with the scenario's rate moves."""
        return np.exp(-self.log_growth(currency, expiry_ns))

    def log_growth(self, currency: str, expiry_ns: IntArray) -> FloatArray:
        """−ln D at the horizon [expiry, scenario]: what cash grows by until expiry, as a log."""
        curve = rate_curve(self.snapshot, currency)
        tenor = self.tenor_years(expiry_ns)
        rate = curve.rate_at(tenor)[:, None] + self.scenarios.shock_at("rate", currency, tenor)
        return np.asarray(rate * self.tenor_after(expiry_ns))

    def vol_multiplier(self, name: str, tenor_years: FloatArray) -> FloatArray:
        """Factor on implied volatility [tenor, scenario]: the 30-day shock spread over tenors, and the nodes' own."""
        parallel = self.scenarios.row(f"vol:{name}")
        shocked = 1.0 + tenor_scale(self.rule(name), tenor_years)[:, None] * parallel[None, :]
        if self.scenarios.nodes("vol", name)[0]:
            shocked += self.scenarios.shock_at("vol", name, tenor_years) - parallel[None, :]
        return np.maximum(shocked, 0.0)

    def rule(self, name: str) -> SurfaceRule:
        """How vol shocks spread over the surface of an underlying."""
        return self.scenarios.rules.get(name, SurfaceRule())


def tenor_scale(rule: SurfaceRule, tenor_years: FloatArray) -> FloatArray:
    """(30 d / max(τ, floor))^p, p by whether τ is within 30 days [tenor].

    The shock grows as the tenor shrinks; without the floor it would pass any move on record under a day.
    """
    days = np.maximum(np.asarray(tenor_years) * YEAR_DAYS, rule.floor_days)
    power = np.where(days <= 30.0, rule.short_power, rule.long_power)
    return np.asarray((30.0 / days) ** power)


def rate_curve(snapshot: Snapshot, currency: str) -> RateCurve:
    """The zero curve of a currency; raises `MissingFactors` where the market has none."""
    if currency not in snapshot.rates:
        raise MissingFactors([f"rate:{currency}"], where="market")
    return snapshot.rates[currency]


def surface_of(u: Underlying) -> VolSurface:
    """The surface of an underlying; raises `MissingFactors` where the market has none."""
    if u.surface is None:
        raise MissingFactors([f"vol:{u.name}"], where="market")
    return u.surface


def relevant_rows(scenarios: ScenarioSet, factors: Sequence[str], names: Mapping[str, Sequence[str]]) -> FloatArray:
    """Shocks [row, scenario] of the factors named, and of every factor `kind:name…` in `names`; with time and damping.

    Two columns that agree in all of these give the same P&L to whatever depends on nothing else.
    """
    wanted = set(factors)
    prefixes = tuple(f"{kind}:{name}" for kind, found in names.items() for name in found)
    rows = [
        i
        for i, factor in enumerate(scenarios.factors)
        if factor in wanted or factor in prefixes or factor.startswith(tuple(p + ":" for p in prefixes))
    ]
    return np.vstack([scenarios.shock[rows], scenarios.horizon_days, scenarios.damping])
