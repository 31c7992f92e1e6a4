"""Small markets whose numbers can be checked by hand, and the P&L of one contract in one scenario."""

from __future__ import annotations

from crossmargin.instruments.table import build_table
from crossmargin.instruments.terms import AnyTerms
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.scenarios.scenario_set import Scenario, SurfaceRule, collect
from crossmargin.valuation.pnl import pnl
from tests.strategies import AS_OF_MS, YEAR_MS

LIQUID = doc.Liquidity(adv_usd=1e9, half_spread_bps=1.0, daily_vol=0.02, half_spread_vol_points=0.5)


def flat_surface(vol: float, *, tenor_ms: int = YEAR_MS, scale: float | None = None) -> doc.Surface:
    """One volatility for all strikes and expiries; in units of `scale` where prices may be negative."""
    variance = vol**2 * tenor_ms / YEAR_MS
    flat = doc.Slice(expiry=AS_OF_MS + tenor_ms, a=variance, b=0.0, rho=0.0, m=0.0, sigma=1.0)
    if scale is None:
        return doc.Surface(slices=(flat,))
    return doc.Surface(kind="normal", scale=scale, slices=(flat,))


def underlying(name: str, spot: float, **more: object) -> doc.Underlying:
    """An underlying with the given numbers, liquid and quoted in USD."""
    kinds = {"EUR": ("fx", "fx_major"), "TY": ("bond", "government_bond"), "SPX": ("index", "equity_index")}
    kind, risk_class = kinds.get(name, ("spot", "crypto_major"))
    return doc.Underlying(
        **{"name": name, "kind": kind, "risk_class": risk_class, "spot": spot, "liquidity": LIQUID} | more
    )


def market(*underlyings: doc.Underlying, **more: object) -> doc.MarketDocument:
    """A market of these underlyings, each also an asset, with USDC and a flat rate of 5 %."""
    flat = doc.RateCurve(currency="USD", points=(doc.RatePoint(tenor_years=1.0, rate=0.05),))
    coined = [u for u in underlyings if u.kind in ("spot", "fx") and (not u.surface or u.surface.kind == "lognormal")]
    coins = tuple(doc.Asset(name=u.name, reference=u.name) for u in coined)
    assets = (doc.Asset(name="USDC", reference="USD"), *coins)
    return doc.MarketDocument(
        **{"as_of": AS_OF_MS, "underlyings": underlyings, "assets": assets, "rates": (flat,)} | more
    )


def bond_market(price: float = 110.0) -> doc.MarketDocument:
    """A bond future at the given price."""
    return market(underlying("TY", price))


def unit_pnl(
    document: doc.MarketDocument,
    terms: AnyTerms,
    shocks: dict[str, float],
    *,
    days: float = 0.0,
    rules: dict[str, SurfaceRule] | None = None,
    sticky: float = 1.0,
) -> float:
    """USD P&L of one contract in one scenario."""
    snapshot = build_snapshot(document)
    columns = collect([Scenario(label="one", family="price", shocks=shocks, horizon_days=days)], rules=rules)
    table = build_table([terms], now_ns=snapshot.time_ns)
    return float(pnl(table, snapshot, columns, sticky=sticky).values[0, 0])
