"""The world in plain Python: prices, carries, rates and volatilities, now and in a scenario.

Written from sections 3 and 5 of the design, with markets as documents (times in milliseconds UTC). A scenario that
moves nothing is the present, so that one set of formulas serves both.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

YEAR_DAYS = 365.0
YEAR_MS = 365 * 86_400_000
TENOR_YEARS = {"d": 1.0 / 365.0, "w": 7.0 / 365.0, "m": 1.0 / 12.0, "y": 1.0}
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Smile:
    """Raw SVI total variance for one expiry."""

    expiry: int
    a: float
    b: float
    rho: float
    m: float
    sigma: float

    def variance(self, k: float) -> float:
        """w(k) = a + b(ρ(k − m) + √((k − m)² + σ²))."""
        x = k - self.m
        return self.a + self.b * (self.rho * x + math.sqrt(x * x + self.sigma * self.sigma))


@dataclass(frozen=True, kw_only=True)
class Underlying:
    """A price in `quote`, with forwards by expiry and smiles; `normal` where prices may be negative."""

    name: str
    kind: str
    risk_class: str
    quote: str
    spot: float
    forwards: tuple[tuple[int, float], ...]
    smiles: tuple[Smile, ...]
    normal: bool
    scale: float
    funding_daily: float
    basis: float
    uncertainty: float
    liquidity: Mapping[str, float] | None

    @property
    def factor(self) -> str:
        """The factor of its price."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """`ratio` units of `reference` (USD or an underlying)."""

    name: str
    reference: str
    ratio: float
    issuer: str
    backing: str
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Market:
    """Everything known at `time`."""

    time: int
    underlyings: Mapping[str, Underlying]
    assets: Mapping[str, Asset]
    rates: Mapping[str, Points]
    marks: Mapping[str, float]
    correlations: Mapping[tuple[str, str], float]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How vol, skew and smile shocks spread over a surface."""

    short_power: float = 0.0
    long_power: float = 0.0
    floor_days: float = 1.0
    min_vol_up: float = 0.0
    width: float = 1.5
    min_width: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Moves by factor, the days that pass, the factor on the P&L, and what it counts in an average."""

    moves: Mapping[str, float]
    days: float = 0.0
    damping: float = 1.0
    weight: float = 1.0
    rules: Mapping[str, Rule] = field(default_factory=dict)
    label: str = ""
    family: str = ""


NOW = Scenario(moves={})


def read_market(raw: dict[str, Any]) -> Market:
    """The market of a document; an asset counts at the lower of its two ratios."""
    correlations = raw["correlations"] or {"names": [], "matrix": []}
    rows = zip(correlations["names"], correlations["matrix"], strict=True)
    return Market(
        time=int(raw["as_of"]),
        underlyings={u["name"]: _underlying(u) for u in raw["underlyings"]},
        assets={a["name"]: _asset(a) for a in raw["assets"]},
        rates={r["currency"]: [(p["tenor_years"], p["rate"]) for p in r["points"]] for r in raw["rates"]},
        marks={m["instrument"]: float(m["price"]) for m in raw["marks"]},
        correlations={(a, b): float(x) for a, row in rows for b, x in zip(correlations["names"], row, strict=True)},
    )


def _underlying(u: dict[str, Any]) -> Underlying:
    surface = u["surface"] or {"kind": "lognormal", "scale": 1.0, "slices": []}
    return Underlying(
        name=u["name"],
        kind=u["kind"],
        risk_class=u["risk_class"],
        quote=u["quote"],
        spot=float(u["spot"]),
        forwards=tuple((int(p["expiry"]), float(p["forward"])) for p in u["forwards"]),
        smiles=tuple(Smile(**s) for s in surface["slices"]),
        normal=surface["kind"] == "normal",
        scale=float(surface["scale"] or 1.0),
        funding_daily=float(u["funding_daily"]),
        basis=float(u.get("basis", 0.0)),
        uncertainty=(u["confidence_bps"] + u["dispersion_bps"]) / 1e4,
        liquidity=u["liquidity"],
    )


def _asset(a: dict[str, Any]) -> Asset:
    own = a["market_ratio"] if a["market_ratio"] is not None else a["ratio"]
    return Asset(
        name=a["name"],
        reference=a["reference"],
        ratio=float(min(a["ratio"], own)),
        issuer=a["issuer"],
        backing=a["backing"],
        confidence=a["confidence_bps"] / 1e4,
    )


def years(market: Market, expiry: int | None) -> float:
    """Years of 365 days to an expiry; zero for what never expires."""
    return 0.0 if expiry is None else (expiry - market.time) / YEAR_MS


def years_left(market: Market, expiry: int | None, scenario: Scenario) -> float:
    """Years to an expiry once the days of the scenario have passed, not below zero."""
    return max(years(market, expiry) - scenario.days / YEAR_DAYS, 0.0)


def line(points: Points, x: float) -> float:
    """Linear between points (ascending), flat outside."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def tenor_years(node: str) -> float:
    """Years of `30d`, `2w`, `6m`, `10y`."""
    return float(node[:-1]) * TENOR_YEARS[node[-1]]


def curve_move(scenario: Scenario, factor: str, tenor: float) -> float:
    """The move of a curve at a tenor: the parallel move plus the scenario's nodes, linear between, flat outside."""
    prefix = f"{factor}:"
    nodes = sorted((tenor_years(f[len(prefix) :]), x) for f, x in scenario.moves.items() if f.startswith(prefix))
    return scenario.moves.get(factor, 0.0) + (line(nodes, tenor) if nodes else 0.0)


def asset_usd(market: Market, name: str, scenario: Scenario, chain: str = "") -> float:
    """USD per unit of an asset: spot × backing × peg × availability of the chain where it is held."""
    available = 1.0 + scenario.moves.get(f"chain:{chain}", 0.0)
    if name == "USD":
        return available
    a = market.assets[name]
    price = a.ratio * available
    if a.reference != name:
        price *= 1.0 + scenario.moves.get(f"peg:{name}", 0.0)
    if a.backing:
        price *= 1.0 + scenario.moves.get(f"backing:{a.backing}", 0.0)
    if a.reference == "USD":
        return price
    u = market.underlyings[a.reference]
    return price * u.spot * (1.0 + scenario.moves.get(u.factor, 0.0)) * asset_usd(market, u.quote, scenario)


def forward_now(market: Market, u: Underlying, expiry: int | None) -> float:
    """The forward today: the logarithm (the level, in the normal model) is linear in time, and so is it beyond."""
    if expiry is None or not u.forwards:
        return u.spot
    level: Callable[[float], float] = (lambda f: f - u.spot) if u.normal else (lambda f: math.log(f / u.spot))
    points = [(0.0, 0.0)] + [(years(market, e), level(f)) for e, f in u.forwards]
    tenor, (last, top) = years(market, expiry), points[-1]
    x = line(points, tenor) if tenor <= last else top * tenor / last
    return u.spot + x if u.normal else u.spot * math.exp(x)


def moved_price(market: Market, u: Underlying, price: float, expiry: int | None, scenario: Scenario) -> float:
    """A price for delivery at `expiry` after the scenario: P(1 + x)e^{cT}, or P + x·scale in the normal model.

    A perpetual, which has none, moves by its basis b: P(1 + x)e^b, or P + (x + b)·scale.
    """
    x = scenario.moves.get(u.factor, 0.0)
    basis = scenario.moves.get(f"basis:{u.name}", 0.0) if expiry is None else 0.0
    if u.normal:
        return price + (x + basis) * u.scale
    if expiry is None:
        return price * (1.0 + x) * math.exp(basis)
    tenor = years(market, expiry)
    return price * (1.0 + x) * math.exp(curve_move(scenario, f"fwd:{u.name}", tenor) * tenor)


def zero_rate(market: Market, currency: str, expiry: int, scenario: Scenario) -> float:
    """Continuously compounded, decimal a year."""
    tenor = years(market, expiry)
    return line(market.rates[currency], tenor) + curve_move(scenario, f"rate:{currency}", tenor)


def discount(market: Market, currency: str, expiry: int, scenario: Scenario) -> float:
    """exp(−r τ'), with the time that is left."""
    return math.exp(-zero_rate(market, currency, expiry, scenario) * years_left(market, expiry, scenario))


def total_variance(market: Market, u: Underlying, k: float, expiry: int) -> float:
    """w(k): linear in time between listed expiries, proportional to it before the first and after the last."""
    tau = years(market, expiry)
    known = [(years(market, s.expiry), s.variance(k)) for s in u.smiles]
    (first, w_first), (last, w_last) = known[0], known[-1]
    if tau <= first:
        return w_first * tau / first
    return line(known, tau) if tau <= last else w_last * tau / last


def vol_multiplier(scenario: Scenario, name: str, tenor: float) -> float:
    """The factor on a vol: 1 + x (30 d / max(τ, floor))^p + the moves of the nodes, not below zero."""
    rule = scenario.rules.get(name, Rule())
    days = max(tenor * YEAR_DAYS, rule.floor_days)
    scale = math.pow(30.0 / days, rule.short_power if days <= 30.0 else rule.long_power)
    parallel = scenario.moves.get(f"vol:{name}", 0.0)
    return max(1.0 + scale * parallel + curve_move(scenario, f"vol:{name}", tenor) - parallel, 0.0)


def smile_factor(market: Market, u: Underlying, k: float, expiry: int, scenario: Scenario) -> float:
    """Skew and smile shocks: 1 + clip(z k/k*, ±|z|) + clip(y |k|/k*, ±|y|), k* = max(least, width σ_atm √τ)."""
    rule = scenario.rules.get(u.name, Rule())
    star = max(rule.min_width, rule.width * math.sqrt(total_variance(market, u, 0.0, expiry)))
    skew, smile = (scenario.moves.get(f"{kind}:{u.name}", 0.0) for kind in ("skew", "smile"))
    tilt = max(-abs(skew), min(abs(skew), skew * k / star))
    bend = max(-abs(smile), min(abs(smile), smile * abs(k) / star))
    return max(1.0 + tilt + bend, 0.0)


def shocked_vol(market: Market, u: Underlying, strike: float, expiry: int, scenario: Scenario, sticky: float) -> float:
    """Implied volatility after the scenario, in units of √year (of `scale` too, in the normal model).

    The smile is read at the old moneyness less `sticky` times the move of the forward; a rise leaves no vol under the
    rule's floor.
    """
    forward = forward_now(market, u, expiry)
    after = moved_price(market, u, forward, expiry, scenario)
    if u.normal:
        before, k = (strike - forward) / u.scale, (strike - after) / u.scale
    else:
        before, k = math.log(strike / forward), math.log(strike / after)
    tau = years(market, expiry)
    vol = math.sqrt(max(total_variance(market, u, before + sticky * (k - before), expiry), 0.0) / tau)
    multiplier = vol_multiplier(scenario, u.name, tau)
    floor = scenario.rules.get(u.name, Rule()).min_vol_up if multiplier > 1.0 else 0.0
    return max(vol * multiplier * smile_factor(market, u, k, expiry, scenario), floor)
