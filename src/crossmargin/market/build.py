"""From a market document to a `Snapshot`, every figure checked where it enters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IntArray, frozen
from crossmargin.core.errors import ExpiredInstrument, InvalidInput, MissingFactors
from crossmargin.core.instant import format_instant, parse_instant
from crossmargin.market import document as doc
from crossmargin.market.arbitrage import require_free
from crossmargin.market.curve import ForwardCurve, RateCurve
from crossmargin.market.registry.registry import Registry
from crossmargin.market.representations.build import ChainMarket, build_chains, require_registry
from crossmargin.market.snapshot import USD, Asset, Liquidity, Mark, Snapshot, Underlying
from crossmargin.market.surface import VolSurface
from crossmargin.market.transfers.document import TransferDocument


def build_snapshot(
    market: doc.MarketDocument,
    *,
    where: str = "market",
    registry: Registry | None = None,
    routes: TransferDocument | None = None,
) -> Snapshot:
    """The frozen snapshot of a market document; `registry` is what its chains are read by, `routes` what they name.

    Raises `InvalidInput` (or a kind of it) for a number out of range, an expiry that has passed, a name that stands
    twice or prices that refer to each other in a circle, `MissingFactors` for assets and underlyings that are referred
    to but absent, and `SurfaceArbitrage` for a surface with static arbitrage.
    """
    time_ns = parse_instant(market.as_of, where=f"{where}: as_of")
    check.unique((u.name for u in market.underlyings), "underlying", where=f"{where}: underlyings")
    check.unique((a.name for a in market.assets), "asset", where=f"{where}: assets")
    check.unique((r.currency for r in market.rates), "rate curve", where=f"{where}: rates")
    check.unique((m.instrument for m in market.marks), "mark", where=f"{where}: marks")
    _check_names(market, where)
    _check_references(market, where)
    names, matrix = _correlations(market.correlations, where)
    signs = {u.name: check.positive if _is_lognormal(u) else check.finite for u in market.underlyings}
    return Snapshot(
        time_ns=time_ns,
        underlyings={u.name: _underlying(u, time_ns, f"{where}: {u.name}") for u in market.underlyings},
        assets={a.name: _asset(a, f"{where}: {a.name}") for a in market.assets},
        rates={r.currency: _rates(r, f"{where}: rates of {r.currency}") for r in market.rates},
        marks={m.instrument: _mark(m, signs[m.underlying], f"{where}: mark of {m.instrument}") for m in market.marks},
        correlation_names=names,
        correlation=matrix,
        source=market.source,
        chains=_chains(market, registry, routes, time_ns, where),
    )


def _chains(
    market: doc.MarketDocument, registry: Registry | None, routes: TransferDocument | None, time_ns: int, where: str
) -> ChainMarket | None:
    if market.chains is None:
        return None
    place = f"{where}: chains"
    records = require_registry(registry, where=place)
    found = build_chains(market.chains, records, time_ns=time_ns, routes=routes, where=place)
    names = {a.name for a in market.assets} | {USD}
    lacking = {f"asset {asset}": key for key, asset in found.assets.items() if asset not in names}
    if lacking:
        raise MissingFactors(lacking, where=where, needed_by=lacking)
    return found


def _check_references(market: doc.MarketDocument, where: str) -> None:
    underlyings, assets = {u.name for u in market.underlyings}, {a.name for a in market.assets} | {USD}
    missing = {f"asset {u.quote}": u.name for u in market.underlyings if u.quote not in assets}
    referred = {a.reference: a.name for a in market.assets if a.reference != USD}
    missing |= {f"underlying {r}": asset for r, asset in referred.items() if r not in underlyings}
    missing |= {f"underlying {m.underlying}": m.instrument for m in market.marks if m.underlying not in underlyings}
    if missing:
        raise MissingFactors(missing, where=where, needed_by=missing)

    _check_circles(market, where)


def _check_names(market: doc.MarketDocument, where: str) -> None:
    """Names become parts of factors (`spot:BTC:30d`), where a colon parts and an asterisk stands for all."""
    parts = {"underlying": [u.name for u in market.underlyings], "asset": [a.name for a in market.assets]}
    for what, names in (parts | {"currency": [r.currency for r in market.rates]}).items():
        for name in names:
            if not name or set(name) & set(":* "):
                limit, remedy = "a name without colon, asterisk or space", "Rename it."
                raise InvalidInput(what, where=where, value=name, limit=limit, remedy=remedy)
            if name == USD and what != "currency":
                limit, remedy = "anything but USD, which is the unit of all values", "Leave it out, or rename it."
                raise InvalidInput(what, where=where, value=name, limit=limit, remedy=remedy)


def _check_circles(market: doc.MarketDocument, where: str) -> None:
    """Refuse prices that no chain of quotes and references ends in USD, and assets of prices that may be negative."""
    underlyings, assets = {u.name: u for u in market.underlyings}, {a.name: a for a in market.assets}
    for start in market.assets:
        asset, path = start, [start.name]
        while asset.reference != USD:
            u = underlyings[asset.reference]
            if not _is_lognormal(u):
                limit = "USD, or an underlying with a lognormal surface: what is held has a price above zero"
                raise InvalidInput(
                    "reference", where=f"{where}: {asset.name}", value=u.name, limit=limit, remedy="Correct it."
                )
            if u.quote == USD:
                break
            asset = assets[u.quote]
            path.append(asset.name)
            if asset.name in path[:-1]:
                limit, remedy = "priced in USD in the end", "Quote one of them in USD."
                raise InvalidInput("price", where=where, value=" in ".join(path), limit=limit, remedy=remedy)


def _is_lognormal(u: doc.Underlying) -> bool:
    return u.surface is None or u.surface.kind == "lognormal"


def _underlying(u: doc.Underlying, time_ns: int, where: str) -> Underlying:
    lognormal = _is_lognormal(u)
    sign = check.positive if lognormal else check.finite
    expiry = _expiries(u.forwards, time_ns, f"{where}: forwards")
    curve = ForwardCurve(
        time_ns=time_ns,
        spot=sign(u.spot, "price", where=where),
        expiry_ns=expiry,
        forward=frozen([sign(p.forward, f"forward of {p.expiry}", where=where) for p in u.forwards]),
        lognormal=lognormal,
    )
    uncertainty = [check.within(x, "oracle width", 0.0, 1e4, where=where) for x in (u.confidence_bps, u.dispersion_bps)]
    return Underlying(
        name=u.name,
        kind=u.kind,
        risk_class=u.risk_class,
        quote=u.quote,
        curve=curve,
        surface=_surface(u.surface, time_ns, f"{where}: surface") if u.surface else None,
        liquidity=_liquidity(u.liquidity, f"{where}: liquidity") if u.liquidity else None,
        funding_daily=check.within(u.funding_daily, "daily funding", -1.0, 1.0, where=where),
        basis=check.within(u.basis, "basis", -1.0, 1.0, where=where),
        uncertainty=sum(uncertainty) / 1e4,
    )


def _expiries(points: Iterable[doc.ForwardPoint | doc.Slice], time_ns: int, where: str) -> IntArray:
    expiry = [parse_instant(p.expiry, where=where) for p in points]
    for i, e in enumerate(expiry):
        if e <= time_ns:
            raise ExpiredInstrument(f"point {i}", where=where, expiry=format_instant(e), now=format_instant(time_ns))
        if i and e <= expiry[i - 1]:
            raise InvalidInput(
                "expiry",
                where=f"{where}[{i}]",
                value=format_instant(e),
                limit=f"after the one before it ({format_instant(expiry[i - 1])})",
                remedy="Sort the expiries, and give each once.",
            )
    return frozen(expiry, np.int64)


def _surface(s: doc.Surface, time_ns: int, where: str) -> VolSurface:
    if not s.slices:
        raise InvalidInput("slices", where=where, value=0, limit="at least one", remedy="Leave the surface out.")
    for i, p in enumerate(s.slices):
        _check_slice(p, f"{where}.slices[{i}]")
    expiry, params = (
        _expiries(s.slices, time_ns, f"{where}.slices"),
        [(p.a, p.b, p.rho, p.m, p.sigma) for p in s.slices],
    )
    if s.kind == "lognormal":
        require_free(np.asarray(params), where=f"{where}.slices")
    return VolSurface(
        time_ns=time_ns,
        expiry_ns=expiry,
        params=frozen(params),
        lognormal=s.kind == "lognormal",
        scale=_scale(s, where),
    )


def _scale(s: doc.Surface, where: str) -> float:
    """The scale of a normal surface, which must be stated: scenarios move its price by fractions of it."""
    if s.kind == "normal" and s.scale is None:
        raise InvalidInput(
            "scale",
            where=where,
            value=None,
            limit="given for a normal surface",
            remedy="State the price level that a move of 100 % stands for, such as 70 for a barrel of oil.",
        )
    return 1.0 if s.scale is None else check.positive(s.scale, "scale", where=where)


def _check_slice(p: doc.Slice, where: str) -> None:
    check.finite(p.a, "a", where=where)
    check.finite(p.m, "m", where=where)
    check.within(p.b, "b", 0.0, 2.0, where=where)
    check.within(p.rho, "rho", -1.0, 1.0, where=where)
    check.positive(p.sigma, "sigma", where=where)
    lowest = p.a + p.b * p.sigma * float(np.sqrt(1.0 - p.rho * p.rho))
    if lowest < 0.0:
        raise InvalidInput(
            "lowest total variance a + bσ√(1 − ρ²)",
            where=where,
            value=lowest,
            limit="at least zero",
            remedy="Refit the slice; a variance cannot be negative.",
        )


def _liquidity(x: doc.Liquidity, where: str) -> Liquidity:
    return Liquidity(
        adv_usd=check.positive(x.adv_usd, "average daily volume", where=where),
        half_spread=check.within(x.half_spread_bps, "half spread (bps)", 0.0, 1e4, where=where) / 1e4,
        half_spread_vol=check.within(x.half_spread_vol_points, "half spread (vol points)", 0.0, 1e3, where=where) / 100,
        daily_vol=check.within(x.daily_vol, "daily volatility", 0.0, 10.0, where=where),
    )


def _asset(a: doc.Asset, where: str) -> Asset:
    ratio = check.positive(a.ratio, "ratio", where=where)
    market = ratio if a.market_ratio is None else check.positive(a.market_ratio, "market ratio", where=where)
    return Asset(
        name=a.name,
        reference=a.reference,
        ratio=min(ratio, market),
        issuer=a.issuer,
        backing=a.backing,
        confidence=check.within(a.confidence_bps, "confidence (bps)", 0.0, 1e4, where=where) / 1e4,
    )


def _rates(r: doc.RateCurve, where: str) -> RateCurve:
    if not r.points:
        raise InvalidInput("points", where=where, value=0, limit="at least one", remedy="Give a tenor and a rate.")
    tenor = [check.within(p.tenor_years, "tenor (years)", 0.0, 100.0, where=where) for p in r.points]
    if tenor != sorted(set(tenor)):
        raise InvalidInput("tenors", where=where, value=tenor, limit="ascending, each once", remedy="Sort them.")
    rates = [check.within(p.rate, f"rate at {p.tenor_years} y", -1.0, 10.0, where=where) for p in r.points]
    return RateCurve(tenor_years=frozen(tenor), rate=frozen(rates))


def _mark(m: doc.Mark, sign: Callable[..., float], where: str) -> Mark:
    return Mark(underlying=m.underlying, price=sign(m.price, "price", where=where))


def _correlations(c: doc.Correlations | None, where: str) -> tuple[tuple[str, ...], FloatArray]:
    if c is None:
        return (), frozen(np.zeros((0, 0)))
    place = f"{where}: correlations"
    check.unique(c.names, "name", where=place)
    n = len(c.names)
    if len(c.matrix) != n or any(len(row) != n for row in c.matrix):
        raise InvalidInput(
            "shape", where=place, value=[len(r) for r in c.matrix], limit=f"{n} × {n}", remedy="One row for each name."
        )
    matrix = np.asarray([[check.within(x, "correlation", -1.0, 1.0, where=place) for x in row] for row in c.matrix])
    lowest = float(np.linalg.eigvalsh((matrix + matrix.T) / 2.0)[0])
    if not (np.allclose(matrix, matrix.T, atol=1e-9, rtol=0) and np.allclose(np.diag(matrix), 1.0)) or lowest < -1e-8:
        raise InvalidInput(
            "matrix",
            where=place,
            value=f"smallest eigenvalue {lowest:.3g}",
            limit="symmetric, with ones on the diagonal and no negative eigenvalue",
            remedy="Repair it to the nearest correlation matrix.",
        )
    return c.names, frozen(matrix)
