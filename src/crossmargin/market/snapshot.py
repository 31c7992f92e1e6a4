"""The market at one instant, frozen: what every price, requirement and proof is computed from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.core.canon import digest
from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.core.instant import YEAR_NS
from crossmargin.market.curve import ForwardCurve, RateCurve
from crossmargin.market.document import Kind
from crossmargin.market.representations.build import ChainMarket
from crossmargin.market.surface import VolSurface

USD = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity:
    """`adv_usd` a day's volume; half spreads as decimals of price and of volatility; `daily_vol` of log returns."""

    adv_usd: float
    half_spread: float
    half_spread_vol: float
    daily_vol: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Underlying:
    """A price in `quote` with its forward curve, surface, liquidity and oracle width (`uncertainty`, decimal).

    `basis` is the log of a perpetual without a mark over the spot (in units of the surface's scale where prices may be
    negative), `funding_daily` what a long one pays a day.
    """

    name: str
    kind: Kind
    risk_class: str
    quote: str
    curve: ForwardCurve
    surface: VolSurface | None
    liquidity: Liquidity | None
    funding_daily: float
    uncertainty: float
    basis: float = 0.0

    @property
    def spot(self) -> float:
        """The price now, in `quote`."""
        return self.curve.spot

    @property
    def factor(self) -> str:
        """The name of its price factor, such as `spot:BTC`."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """What is held or settled in: `ratio` units of `reference` (USD or an underlying), by the lower of two prices."""

    name: str
    reference: str
    ratio: float
    issuer: str
    backing: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The mark of a linear instrument in quote currency, and the underlying with which it moves.

    `basis_move` is what a perpetual's basis has moved by since it was marked; a dated future feels none of it.
    """

    underlying: str
    price: float
    basis_move: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """Everything the engine may know of the world at `time_ns`.

    `correlation` [name, name] belongs to `correlation_names`. Two snapshots are the same if their `hash` is.
    """

    time_ns: int
    underlyings: Mapping[str, Underlying]
    assets: Mapping[str, Asset]
    rates: Mapping[str, RateCurve]
    marks: Mapping[str, Mark]
    correlation_names: tuple[str, ...]
    correlation: FloatArray
    source: str = ""
    chains: ChainMarket | None = None

    @cached_property
    def hash(self) -> str:
        """Canonical digest of all figures; the source text does not enter, nor chains of which nothing is said."""
        figures = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in {"source", "chains"}}
        return digest(figures if self.chains is None else figures | {"chains": self.chains.hash})

    def asset_price(self, name: str) -> float:
        """USD per unit of an asset."""
        if name == USD:
            return 1.0
        asset = self.assets[name]
        if asset.reference == USD:
            return asset.ratio
        return asset.ratio * self.usd_price(asset.reference)

    def usd_price(self, underlying: str) -> float:
        """USD per unit of an underlying."""
        u = self.underlyings[underlying]
        return u.spot * self.asset_price(u.quote)

    def asset_factors(self, name: str) -> tuple[str, ...]:
        """The factors whose relative moves multiply the USD price of an asset, all of them."""
        if name == USD:
            return ()
        asset = self.assets[name]
        own = [] if asset.reference == name else [f"peg:{name}"]
        own += [f"backing:{asset.backing}"] if asset.backing else []
        if asset.reference == USD:
            return tuple(own)
        u = self.underlyings[asset.reference]
        return (u.factor, *own, *self.asset_factors(u.quote))

    def token_price(self, asset: str, instance: str, *, held: bool = False) -> float:
        """USD per unit of an asset as one of its tokens: the lower of its backing and its own market, for new risk or
        with `held` for risk that was taken before.

        Raises `MissingFactors` where the market says nothing of the token.
        """
        return self.asset_price(asset) * self.chains_of(instance).ratio(instance, held=held)

    def chains_of(self, instance: str) -> ChainMarket:
        """What the market says of chains; raises `MissingFactors` unless it says something of `instance`."""
        if self.chains is None or instance not in self.chains.instances:
            raise MissingFactors([f"instance {instance}"], where="market")
        return self.chains

    def correlation_of(self, first: str, second: str) -> float:
        """Correlation of two underlyings; raises `MissingFactors` where the market does not state it."""
        if first == second:
            return 1.0
        if first not in self.correlation_names or second not in self.correlation_names:
            raise MissingFactors([f"correlation:{first}:{second}"], where="market")
        row, column = self.correlation_names.index(first), self.correlation_names.index(second)
        return float(self.correlation[row, column])


def bump(snapshot: Snapshot, moves: Mapping[str, float]) -> Snapshot:
    """The snapshot after `moves` of its factors, everything else held.

    Price factors move relatively and take their curve and the marks on them along (absolutely, in units of the
    surface's scale, where prices may be negative); `peg:` and `backing:` move the assets; `rate:CCY` shifts a zero
    curve, `fwd:NAME` the carry (of the curve, not of marks), `vol:NAME` scales a surface, `basis:NAME` moves perpetuals
    against their spot and `funding:NAME` what they pay. Raises `MissingFactors`
    for a factor it lacks, `InvalidInput` for a move that is not finite or takes a price below zero, and for `skew:`
    and `smile:`, which leave no SVI smile behind.
    """
    known = set(factors_of(snapshot))
    missing = [name for name in moves if name not in known]
    if missing:
        raise MissingFactors(missing, where="market")
    for name, move in moves.items():
        check.finite(move, name, where="moves")
        if name.startswith(("peg:", "backing:", "chain:")):
            check.within(move, name, -1.0, math.inf, where="moves")
        if name.startswith(("skew:", "smile:")):
            limit, remedy = "a factor that moves figures of the market", "Use a scenario, which bends the smile."
            raise InvalidInput("move", where="moves", value=name, limit=limit, remedy=remedy)
    underlyings = {name: _moved_underlying(u, moves) for name, u in snapshot.underlyings.items()}
    assets = {
        name: replace(a, ratio=a.ratio * (1.0 + moves.get(f"peg:{name}", 0.0)) * _backing(a, moves))
        for name, a in snapshot.assets.items()
    }
    rates = {
        currency: RateCurve(tenor_years=c.tenor_years, rate=frozen(c.rate + moves.get(f"rate:{currency}", 0.0)))
        for currency, c in snapshot.rates.items()
    }
    marks = {
        name: Mark(
            underlying=m.underlying,
            price=float(_moved_price(m.price, snapshot.underlyings[m.underlying], moves)),
            basis_move=m.basis_move + moves.get(f"basis:{m.underlying}", 0.0),
        )
        for name, m in snapshot.marks.items()
    }
    chains = None if snapshot.chains is None else snapshot.chains.moved(moves)
    return replace(snapshot, underlyings=underlyings, assets=assets, rates=rates, marks=marks, chains=chains)


def factors_of(snapshot: Snapshot) -> Iterable[str]:
    """Every factor that `snapshot` holds, without tenor nodes."""
    for name, u in snapshot.underlyings.items():
        yield u.factor
        yield from (f"{kind}:{name}" for kind in ("fwd", "basis", "funding"))
        if u.surface is not None:
            yield from (f"{kind}:{name}" for kind in ("vol", "skew", "smile"))
    for name, asset in snapshot.assets.items():
        if asset.reference != name:
            yield f"peg:{name}"
        if asset.backing:
            yield f"backing:{asset.backing}"
    yield from (f"rate:{currency}" for currency in snapshot.rates)
    if snapshot.chains is not None:
        own = {a.backing for a in snapshot.assets.values()}
        yield from (f"backing:{bridge}" for bridge in snapshot.chains.bridges if bridge not in own)
        yield from (f"chain:{chain}" for chain in snapshot.chains.chains)


def normal_scale(u: Underlying) -> float:
    """The size of a price move of 1 where prices may be negative: the surface's scale."""
    return u.surface.scale if u.surface is not None else 1.0


def _backing(asset: Asset, moves: Mapping[str, float]) -> float:
    return 1.0 + moves.get(f"backing:{asset.backing}", 0.0) if asset.backing else 1.0


def _moved_price(price: FloatArray | float, u: Underlying, moves: Mapping[str, float]) -> FloatArray:
    move = moves.get(u.factor, 0.0)
    if u.curve.lognormal:
        return np.asarray(price * (1.0 + move))
    return np.asarray(price + move * normal_scale(u))


def _moved_underlying(u: Underlying, moves: Mapping[str, float]) -> Underlying:
    curve, surface = u.curve, u.surface
    carry = moves.get(f"fwd:{u.name}", 0.0)
    if carry and not len(curve.expiry_ns):  # a flat curve has no point to move; one a year away makes it all
        ahead = curve.time_ns + YEAR_NS
        curve = replace(curve, expiry_ns=frozen([ahead], np.int64), forward=frozen([curve.spot]))
    tenor = (curve.expiry_ns - curve.time_ns) / YEAR_NS
    forward = _moved_price(curve.forward, u, moves) * (np.exp(carry * tenor) if curve.lognormal else 1.0)
    moved = replace(curve, spot=float(_moved_price(curve.spot, u, moves)), forward=frozen(forward))
    if moved.lognormal:
        check.positive(moved.spot, f"price of {u.name} after the move", where="market")
    vol = 1.0 + moves.get(f"vol:{u.name}", 0.0)
    if surface is not None and vol != 1.0:
        if not vol > 0.0:
            raise InvalidInput(
                f"vol:{u.name}", where="moves", value=vol - 1.0, limit="above −1", remedy="Use a smaller fall."
            )
        params = surface.params * np.asarray([vol * vol, vol * vol, 1.0, 1.0, 1.0])
        surface = replace(surface, params=frozen(params))
    return replace(
        u,
        curve=moved,
        surface=surface,
        basis=u.basis + moves.get(f"basis:{u.name}", 0.0),
        funding_daily=u.funding_daily + moves.get(f"funding:{u.name}", 0.0),
    )
