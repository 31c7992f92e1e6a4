"""Strategy portfolios over the factors of a history: what a margin model must cover, beyond outrights.

A margin that is right for every single contract may be wrong for what traders hold: spreads, straddles, hedges. Source
of the list: JSCC's change of model in 2025–26, made because spreads and option combinations were under-covered. Each
portfolio stands in one normalised market, one million USD a leg, and is held long and short.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from crossmargin.core.instant import DAY_NS, YEAR_DAYS, format_instant
from crossmargin.market.build import build_snapshot
from crossmargin.market.document import MarketDocument
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import BookDocument
from crossmargin.scenarios.factors import PRICE_KINDS, parse_factor
from crossmargin.scenarios.history import FactorHistory
from crossmargin.scenarios.statistics.copulas import rank_correlation

LEG_USD: Final = 1e6
TENOR_DAYS: Final = 30.0
UNCLASSED: Final = "strategies"  # no model holds it: a grid that meets it says so
RANKED_MIN: Final = 60  # moves, of three months: with fewer a correlation says next to nothing
# What a model takes to say what its terms are; no cost of trading is tested here.
LIQUID: Final = {"adv_usd": 1e12, "half_spread_bps": 0.0, "daily_vol": 0.01, "half_spread_vol_points": 0.0}
Legs = Mapping[str, float]  # instrument → contracts


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategies:
    """Accounts `NAME long` and `NAME short` over one market, and the family of each account [account]."""

    book: Book
    snapshot: Snapshot
    families: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Price:
    """A price factor: its underlying, its level, the scale where it may be negative, its volatility if it has one.

    `has_basis` says that the history knows its perpetual. That stands at the price here and pays no funding: the market
    is of one instant, and a level of that day would be added to every gain and to every margin alike.
    """

    name: str
    kind: str
    level: float
    scale: float | None
    vol: float | None
    has_basis: bool

    @property
    def unit(self) -> str:
        """The instrument that moves with the price and nothing else: the asset where its perpetual has a basis."""
        return _spot(self.name) if self.has_basis else _perp(self.name)

    @property
    def contracts(self) -> float:
        """Units that are worth a leg."""
        return LEG_USD / (self.scale or self.level)


def strategies(
    history: FactorHistory, *, random: int = 8, seed: int = 0, classes: Mapping[str, str] | None = None
) -> Strategies:
    """Portfolios over all factors of a history: outrights, basis, hedges, baskets, option strategies and random books.

    Options stand on what has a factor `vol:NAME`, calendars on what has `fwd:NAME`, and spot against its perpetual on
    what has `basis:NAME`; elsewhere a perpetual without basis stands for the price. `random` books draw every price
    with the seed. Levels are the last of the history, correlations (of ranks) those of all its moves: give it up to
    the first margin. `classes` are the risk classes of underlyings, which only a fixed grid asks for. Raises what
    `build_snapshot` and `rank_correlation` raise.
    """
    prices = _prices(history)
    now_ns = int(history.close_ns[-1])
    legs = {name: (family, book) for family, name, book in _portfolios(history, prices, random, seed)}
    accounts, families = [], []
    for name, (family, held) in legs.items():
        for side, sign in (("long", 1.0), ("short", -1.0)):
            positions = [{"instrument": i, "quantity": sign * q} for i, q in held.items()]
            accounts.append(
                {"id": f"{name} {side}", "groups": [{"id": "all", "mode": "portfolio", "positions": positions}]}
            )
            families.append(family)
    market = {
        "as_of": format_instant(now_ns),
        "underlyings": [_underlying(p, now_ns, (classes or {}).get(p.name, UNCLASSED)) for p in prices],
        "assets": [{"name": p.name, "reference": p.name} for p in prices if p.has_basis],
        "correlations": _correlations(history, prices),
    }
    rates = sorted({parse_factor(f, where="history").name for f in history.factors if f.startswith("rate:")})
    market["rates"] = [{"currency": c, "points": [{"tenor_years": 1.0, "rate": 0.0}]} for c in rates]
    snapshot = build_snapshot(msgspec.convert(market, MarketDocument), where="strategies")
    document = {"instruments": list(_instruments(history, prices, now_ns)), "accounts": accounts}
    book = build_book(msgspec.convert(document, BookDocument), now_ns=now_ns, where="strategies")
    return Strategies(book=book, snapshot=snapshot, families=tuple(families))


def _prices(history: FactorHistory) -> list[_Price]:
    latest = {}
    for i, factor in enumerate(history.factors):
        known = history.level[~np.isnan(history.level[:, i]), i]
        latest[factor] = float(known[-1])
    found = []
    for factor, level in latest.items():
        kind, name, _ = parse_factor(factor, where="history")
        if kind in PRICE_KINDS:
            found.append(
                _Price(
                    name=name,
                    kind=kind,
                    level=level,
                    scale=history.scale.get(factor),
                    vol=latest.get(f"vol:{name}"),
                    has_basis=f"basis:{name}" in latest,
                )
            )
    return found


def _correlations(history: FactorHistory, prices: Sequence[_Price]) -> dict[str, Any]:
    """Correlations of the moves of prices, from their ranks; the identity where there are too few to correlate."""
    moves = history.select([f"{p.kind}:{p.name}" for p in prices]).moves()
    matrix = rank_correlation(moves).matrix if len(moves) > RANKED_MIN else np.eye(len(prices))
    return {"names": [p.name for p in prices], "matrix": matrix.tolist()}


def _underlying(p: _Price, now_ns: int, risk_class: str) -> dict[str, Any]:
    """A flat curve and, where there is a volatility, a flat smile at the horizon of the options."""
    document: dict[str, Any] = {"name": p.name, "kind": p.kind, "risk_class": risk_class, "spot": p.level}
    document["liquidity"] = LIQUID
    expiry, years = format_instant(now_ns + round(TENOR_DAYS * DAY_NS)), TENOR_DAYS / YEAR_DAYS
    vol = p.vol or 1.0
    if p.vol is not None or p.scale is not None:
        flat = {"expiry": expiry, "a": vol * vol * years, "b": 0.0, "rho": 0.0, "m": 0.0, "sigma": 1.0}
        document["surface"] = {"kind": "normal" if p.scale else "lognormal", "scale": p.scale, "slices": [flat]}
        document["forwards"] = [{"expiry": expiry, "forward": p.level}]
    return document


def _instruments(history: FactorHistory, prices: Iterable[_Price], now_ns: int) -> Iterator[dict[str, Any]]:
    for p in prices:
        yield {"family": "perpetual", "id": _perp(p.name), "underlying": p.name, "payout": "linear", "settle": "USD"}
        if p.has_basis:
            yield {"family": "spot", "id": _spot(p.name), "asset": p.name}
        for label, strike, right in _strikes(p):
            yield {
                "family": "option",
                "id": _option(p.name, label),
                "underlying": p.name,
                "payout": "linear",
                "settle": "USD",
                "expiry": format_instant(now_ns + round(TENOR_DAYS * DAY_NS)),
                "strike": strike,
                "right": right,
                "discounted": False,
            }
        if f"fwd:{p.name}" in history.factors:
            for days in (TENOR_DAYS, 6.0 * TENOR_DAYS):
                expiry = format_instant(now_ns + round(days * DAY_NS))
                yield {
                    "family": "forward",
                    "id": _forward(p.name, days),
                    "underlying": p.name,
                    "settle": "USD",
                    "expiry": expiry,
                    "strike": p.level,
                    "discounted": False,
                }
    for factor in history.factors:
        if factor.startswith("rate:"):
            deltas = [{"factor": factor, "amount": 1.0, "per": "basis_point"}]
            yield {"family": "sensitivities", "id": _rate(factor), "settle": "USD", "deltas": deltas}


def _perp(name: str) -> str:
    return f"{name}-PERPETUAL.STRATEGY"


def _spot(name: str) -> str:
    return f"{name}-SPOT.STRATEGY"


def _option(name: str, label: str) -> str:
    return f"{name}-{label}.STRATEGY"


def _forward(name: str, days: float) -> str:
    return f"{name}-{days:g}D.STRATEGY"


def _rate(factor: str) -> str:
    return f"{factor.replace(':', '-')}.STRATEGY"


def _strikes(p: _Price) -> list[tuple[str, float, str]]:
    """Options at the money and one standard deviation to either side; none where prices may be negative."""
    if p.vol is None or p.scale is not None:
        return []
    wing = math.exp(p.vol * math.sqrt(TENOR_DAYS / YEAR_DAYS))
    strikes = (("LOW", p.level / wing), ("MID", p.level), ("HIGH", p.level * wing))
    return [(f"{label}-{right[0].upper()}", k, right) for label, k in strikes for right in ("call", "put")]


def _portfolios(
    history: FactorHistory, prices: Sequence[_Price], random: int, seed: int
) -> Iterator[tuple[str, str, Legs]]:
    """Family, name and legs of every portfolio."""
    for p in prices:
        yield "outright", p.name, {p.unit: p.contracts}
        if p.has_basis:
            yield "outright", f"{p.name} perpetual", {_perp(p.name): p.contracts}
            yield "basis", f"{p.name} against its perpetual", {_spot(p.name): p.contracts, _perp(p.name): -p.contracts}
        if f"fwd:{p.name}" in history.factors:
            near, far = _forward(p.name, TENOR_DAYS), _forward(p.name, 6.0 * TENOR_DAYS)
            yield "calendar", f"{p.name} calendar", {near: p.contracts, far: -p.contracts}
        yield from _option_strategies(p)
    for factor in history.factors:
        if factor.startswith("rate:"):
            yield "outright", factor.removeprefix("rate:"), {_rate(factor): LEG_USD / 1e4}
    for first, second in zip(prices[::2], prices[1::2], strict=False):
        legs = {first.unit: first.contracts, second.unit: -second.contracts}
        yield "hedge", f"{first.name} against {second.name}", legs
    yield from _baskets(prices, random, seed)


def _option_strategies(p: _Price) -> Iterator[tuple[str, str, Legs]]:
    if not _strikes(p):
        return
    q = p.contracts
    low_put, mid_put = _option(p.name, "LOW-P"), _option(p.name, "MID-P")
    mid_call, high_call, low_call = (_option(p.name, x) for x in ("MID-C", "HIGH-C", "LOW-C"))
    yield "straddle", f"{p.name} straddle", {mid_put: q, mid_call: q}
    yield "strangle", f"{p.name} strangle", {low_put: q, high_call: q}
    yield "butterfly", f"{p.name} butterfly", {low_call: q, mid_call: -2.0 * q, high_call: q}
    yield "risk reversal", f"{p.name} risk reversal", {low_put: -q, high_call: q}
    yield "delta-hedged", f"{p.name} delta-hedged call", {mid_call: q, p.unit: -0.5 * q}


def _baskets(own: Sequence[_Price], random: int, seed: int) -> Iterator[tuple[str, str, Legs]]:
    if len(own) < 4:
        return
    half = len(own) // 2
    signs = [1.0] * half + [-1.0] * half
    yield (
        "basket",
        "first half against second",
        {p.unit: sign * p.contracts / half for p, sign in zip(own, signs, strict=False)},
    )
    yield "basket", "all together", {p.unit: p.contracts / len(own) for p in own}
    draws = np.random.default_rng(seed).normal(size=(random, len(own)))
    for i, weights in enumerate(draws):
        yield (
            "random",
            f"random {i + 1}",
            {p.unit: float(w) * p.contracts for p, w in zip(own, weights, strict=True)},
        )
