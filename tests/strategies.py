"""Random markets, instruments, scenarios, books and models for property tests.

Markets are documents, as users write them; names are fixed and numbers random. Surfaces are SSVI with the power law
of Gatheral and Jacquier (2014, remark 4.4), so they hold no static arbitrage.
"""

from __future__ import annotations

import math

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from crossmargin.instruments.terms import (
    AnyTerms,
    BondFuture,
    Delta,
    Forward,
    Future,
    Gamma,
    Option,
    Perpetual,
    Sensitivities,
    Spot,
)
from crossmargin.market import document as doc
from crossmargin.scenarios.document import Grid, Joint, Moves, Tail
from crossmargin.scenarios.scenario_set import TAIL, Scenario, SurfaceRule
from spec import valuation as spec_valuation
from spec import world as spec_world

AS_OF_MS = 1_774_969_200_000  # 2026-03-31T15:00:00Z
HOUR_MS, DAY_MS, YEAR_MS = 3_600_000, 86_400_000, 365 * 86_400_000
CHAINS = ("eip155:1", "eip155:42161", "bip122:000000000019d6689c085ae165831e93")
COIN_OF = {"BTC": "BTC", "ETH": "ETH", "EUR": "EUR"}  # the asset that is one unit of the underlying
ASSETS = ("USDC", "USDT", "DAI", "EUR", "BTC", "ETH", "WBTC", "wstETH")
NAMES = ("BTC", "ETH", "EUR", "SOL", "SPX", "SX5E", "CL", "TY")
TENOR_FACTORS = ("fwd", "vol", "rate")
NODES = ("7d", "30d", "6m", "1y", "10y")
# name: kind, risk class, quotes it may have, lowest and highest price, whether its price may be negative
_KINDS = {
    "BTC": ("spot", "crypto_major", ("USD", "USDT"), 1e3, 2e5, False),
    "ETH": ("spot", "crypto_major", ("USD",), 50.0, 1e4, False),
    "EUR": ("fx", "fx_major", ("USD",), 0.8, 1.6, False),
    "SOL": ("spot", "crypto_alt", ("USD", "USDC", "BTC"), 1e-4, 500.0, False),
    "SPX": ("index", "equity_index", ("USD",), 500.0, 1e4, False),
    "SX5E": ("index", "equity_index", ("EUR",), 500.0, 1e4, False),
    "CL": ("index", "commodity", ("USD",), -40.0, 150.0, True),
    "TY": ("bond", "government_bond", ("USD",), 80.0, 140.0, False),
}


# Enough for a property over whole worlds, which cost some 50 ms each to draw and build.
few = settings(max_examples=25)


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    """Finite floats in [low, high], without subnormals."""
    return st.floats(low, high, allow_subnormal=False)


def tenors_ms(count: int, low: int = HOUR_MS, high: int = 3 * YEAR_MS) -> st.SearchStrategy[list[int]]:
    """Up to `count` distinct tenors in milliseconds, ascending; an hour to three years, short ones as likely."""
    short, middle = st.integers(low, 7 * DAY_MS), st.integers(7 * DAY_MS, YEAR_MS)
    one = short | middle | st.integers(YEAR_MS, high)
    return st.lists(one, max_size=count, unique=True).map(sorted)


@st.composite
def surfaces(draw: st.DrawFn, *, as_of_ms: int, normal: bool) -> doc.Surface:
    """One to three smiles of an SSVI surface: w = θ/2 (1 + ρφk + √((φk + ρ)² + 1 − ρ²)), φ = η/√(θ(1 + θ))."""
    tenors = draw(tenors_ms(3).filter(len))
    vol, rho = draw(numbers(0.05, 1.5)), draw(numbers(-0.9, 0.9))
    eta = draw(numbers(0.05, 1.0)) * 1.99 / (1.0 + abs(rho))
    theta, slices, before = 0.0, [], 0
    for tenor in tenors:
        theta += vol**2 * draw(numbers(0.3, 2.0)) * (tenor - before) / YEAR_MS
        phi, before, left = eta / math.sqrt(theta * (1.0 + theta)), tenor, math.sqrt(1.0 - rho**2)
        a, b = theta / 2.0 * (1.0 - rho**2), theta * phi / 2.0
        slices.append(doc.Slice(expiry=as_of_ms + tenor, a=a, b=b, rho=rho, m=-rho / phi, sigma=left / phi))
    kind, scale = ("normal", draw(numbers(1.0, 30.0))) if normal else ("lognormal", 1.0)
    return doc.Surface(kind=kind, scale=scale, slices=tuple(slices))


@st.composite
def underlyings(draw: st.DrawFn, name: str, *, as_of_ms: int) -> doc.Underlying:
    """An underlying of the given name, with zero to three forwards."""
    kind, risk_class, quotes, low, high, normal = _KINDS[name]
    spot = draw(numbers(low, high))
    tenors = draw(tenors_ms(3))
    points = []
    for tenor in tenors:
        carry = draw(numbers(-0.2, 0.3)) * tenor / YEAR_MS
        forward = spot + 20.0 * carry if normal else spot * math.exp(carry)
        points.append(doc.ForwardPoint(expiry=as_of_ms + tenor, forward=forward))
    return doc.Underlying(
        name=name,
        kind=kind,
        risk_class=risk_class,
        spot=spot,
        quote=draw(st.sampled_from(quotes)),
        funding_daily=draw(numbers(-0.01, 0.01)),
        basis=draw(st.just(0.0) | numbers(-0.05, 0.05)),
        confidence_bps=draw(numbers(0.0, 50.0)),
        dispersion_bps=draw(numbers(0.0, 50.0)),
        forwards=tuple(points),
        surface=None if name == "TY" else draw(surfaces(as_of_ms=as_of_ms, normal=normal)),
        liquidity=doc.Liquidity(
            adv_usd=draw(numbers(1e6, 1e11)),
            half_spread_bps=draw(numbers(0.1, 100.0)),
            daily_vol=draw(numbers(1e-3, 0.2)),
            half_spread_vol_points=draw(numbers(0.0, 5.0)),
        ),
    )


@st.composite
def assets(draw: st.DrawFn) -> tuple[doc.Asset, ...]:
    """All of `ASSETS`: stable, wrapped, staked, and the coins and currency themselves."""
    off = numbers(0.9, 1.1)
    own = [doc.Asset(name=coin, reference=name) for name, coin in COIN_OF.items()]
    stable = [
        doc.Asset(name="USDC", reference="USD", market_ratio=draw(off), issuer="Circle"),
        doc.Asset(name="USDT", reference="USD", market_ratio=draw(off), issuer="Tether"),
        doc.Asset(name="DAI", reference="USD", ratio=draw(off), backing="maker"),
    ]
    wrapped = [
        doc.Asset(name="WBTC", reference="BTC", market_ratio=draw(off), issuer="BitGo", backing="bitgo"),
        doc.Asset(name="wstETH", reference="ETH", ratio=draw(numbers(1.0, 1.4)), backing="lido"),
    ]
    return (*stable, *own, *wrapped)


@st.composite
def rate_curves(draw: st.DrawFn, currency: str) -> doc.RateCurve:
    """One to three zero rates."""
    tenors = sorted(draw(st.sets(st.sampled_from((0.0, 0.25, 1.0, 2.0, 10.0, 30.0)), min_size=1, max_size=3)))
    return doc.RateCurve(
        currency=currency,
        points=tuple(doc.RatePoint(tenor_years=t, rate=draw(numbers(-0.02, 0.15))) for t in tenors),
    )


@st.composite
def correlations(draw: st.DrawFn, names: tuple[str, ...]) -> doc.Correlations:
    """One common factor with loadings in [0.1, 0.95]: positive definite, with one largest eigenvalue."""
    loading = [draw(numbers(0.1, 0.95)) for _ in names]
    rows = tuple(
        tuple(1.0 if i == j else loading[i] * loading[j] for j in range(len(names))) for i in range(len(names))
    )
    return doc.Correlations(names=names, matrix=rows)


@st.composite
def markets(draw: st.DrawFn, names: tuple[str, ...] = NAMES) -> doc.MarketDocument:
    """A market over BTC, ETH and EUR (which assets refer to) and some of the other `names`."""
    extra = [name for name in names if name not in COIN_OF]
    chosen = (*COIN_OF, *sorted(draw(st.sets(st.sampled_from(extra), max_size=3))))
    as_of = AS_OF_MS + draw(st.integers(-YEAR_MS, YEAR_MS))
    return doc.MarketDocument(
        as_of=as_of,
        underlyings=tuple(draw(underlyings(name, as_of_ms=as_of)) for name in chosen),
        assets=draw(assets()),
        rates=(draw(rate_curves("USD")), draw(rate_curves("EUR"))),
        correlations=draw(correlations(chosen)),
    )


def _expiries(u: doc.Underlying, as_of_ms: int) -> st.SearchStrategy[int]:
    """Expiries on, before, between and after those that the market lists."""
    listed = [int(p.expiry) for p in (*u.forwards, *(u.surface.slices if u.surface else ()))]
    free = st.integers(60_000, 2 * DAY_MS) | st.integers(HOUR_MS, 4 * YEAR_MS)
    return (
        (free.map(lambda tenor: as_of_ms + tenor) | st.sampled_from(listed)) if listed else free.map(as_of_ms.__add__)
    )


def _settlements(u: doc.Underlying, payout: str) -> st.SearchStrategy[str]:
    if payout == "inverse":
        return st.just(COIN_OF[u.name])
    return st.sampled_from(("USD", "USDC", "USDT", "EUR") if payout == "linear" else ("BTC", "ETH", "EUR", "USDC"))


def _payouts(u: doc.Underlying) -> st.SearchStrategy[str]:
    return st.sampled_from(("linear", "inverse", "quanto") if u.name in COIN_OF else ("linear", "quanto"))


def _is_normal(u: doc.Underlying) -> bool:
    return u.surface is not None and u.surface.kind == "normal"


def _strike(draw: st.DrawFn, u: doc.Underlying) -> float:
    k = draw(numbers(-1.5, 1.5))
    if _is_normal(u):
        assert u.surface is not None
        return max(u.spot + 2.0 * k * u.surface.scale, 0.5)
    return u.spot * math.exp(k)


def _sized(u: doc.Underlying, payout: str) -> float:
    """A multiplier that makes one contract worth about one or a hundred units of quote currency."""
    return 100.0 if payout == "inverse" else max(100.0 / max(abs(u.spot), 1.0), 1e-3)


@st.composite
def linear_terms(draw: st.DrawFn, market: doc.MarketDocument, id: str) -> AnyTerms:  # noqa: A002 the field's name
    """A perpetual or a dated future, of any payout."""
    u = draw(st.sampled_from(market.underlyings))
    payout = draw(_payouts(u))
    common = {"id": id, "underlying": u.name, "payout": payout, "settle": draw(_settlements(u, payout))}
    common["multiplier"] = _sized(u, payout) * draw(st.sampled_from((1.0, 0.1, 5.0)))
    if draw(st.booleans()):
        return Perpetual(**common)
    return Future(**common, expiry=draw(_expiries(u, int(market.as_of))))


@st.composite
def option_terms(draw: st.DrawFn, market: doc.MarketDocument, id: str) -> Option:  # noqa: A002 the field's name
    """A European option, of any payout, on any underlying with a surface."""
    u = draw(st.sampled_from([u for u in market.underlyings if u.surface is not None]))
    payout = draw(_payouts(u))
    rated = {r.currency for r in market.rates}
    return Option(
        id=id,
        underlying=u.name,
        payout=payout,
        settle=draw(_settlements(u, payout)),
        expiry=draw(_expiries(u, int(market.as_of))),
        strike=_strike(draw, u),
        right=draw(st.sampled_from(("call", "put"))),
        multiplier=draw(st.sampled_from((1.0, 0.1, 100.0))),
        premium=draw(st.sampled_from(("upfront", "futures"))),
        discounted=u.quote in rated and draw(st.booleans()),
    )


@st.composite
def american_terms(draw: st.DrawFn, market: doc.MarketDocument, id: str) -> Option:  # noqa: A002 the field's name
    """An American option on spot or on a future, cash-settled, within three years."""
    rated = {r.currency for r in market.rates}
    u = draw(st.sampled_from([u for u in market.underlyings if u.surface and u.quote in rated and not _is_normal(u)]))
    return Option(
        id=id,
        underlying=u.name,
        payout="linear",
        settle=draw(st.sampled_from((u.quote, "USDC"))),
        expiry=int(market.as_of) + draw(st.integers(DAY_MS, 3 * YEAR_MS)),
        strike=u.spot * math.exp(draw(numbers(-0.5, 0.5))),
        right=draw(st.sampled_from(("call", "put"))),
        exercise="american",
        deliverable=draw(st.sampled_from(("spot", "future"))),
    )


@st.composite
def forward_terms(draw: st.DrawFn, market: doc.MarketDocument, id: str) -> Forward:  # noqa: A002 the field's name
    """An outright forward."""
    rated = {r.currency for r in market.rates}
    u = draw(st.sampled_from([u for u in market.underlyings if u.quote in rated]))
    return Forward(
        id=id,
        underlying=u.name,
        settle=draw(st.sampled_from((u.quote, "USDC"))),
        expiry=draw(_expiries(u, int(market.as_of))),
        strike=u.spot * draw(numbers(0.5, 1.5)),
        multiplier=_sized(u, "linear"),
        discounted=draw(st.booleans()),
    )


@st.composite
def bond_terms(draw: st.DrawFn, market: doc.MarketDocument, id: str) -> AnyTerms:  # noqa: A002 the field's name
    """A government-bond future, or a linear contract where the market holds no bond."""
    if all(u.kind != "bond" for u in market.underlyings):
        return draw(linear_terms(market, id))
    expiry = int(market.as_of) + draw(st.integers(DAY_MS, YEAR_MS))
    return BondFuture(
        id=id,
        underlying="TY",
        settle=draw(st.sampled_from(("USD", "USDC"))),
        expiry=expiry,
        coupon=draw(st.sampled_from((0.0, 0.02, 0.045, 0.09))),
        maturity=expiry + draw(st.integers(2 * YEAR_MS, 30 * YEAR_MS)),
        conversion_factor=draw(numbers(0.7, 1.3)),
        multiplier=1_000.0,
        coupons_per_year=draw(st.sampled_from((1, 2, 4))),
    )


@st.composite
def ladder_terms(draw: st.DrawFn, market: doc.MarketDocument, id: str) -> Sensitivities:  # noqa: A002 the field's name
    """An OTC trade of up to three first and two second derivatives."""

    def one() -> str:
        factor = draw(st.sampled_from(sorted(factor_names(market))))
        return factor + draw(st.sampled_from(("", *(f":{node}" for node in NODES)))) if has_nodes(factor) else factor

    def unit(*factors: str) -> str:
        points = all(f.startswith("vol:") for f in factors)
        return draw(st.sampled_from(("unit", "percent", "basis_point", *(["vol_point"] if points else []))))

    singles = sorted({one() for _ in range(draw(st.integers(0, 3)))})
    pairs = sorted({tuple(sorted((one(), one()))) for _ in range(draw(st.integers(0, 2)))})
    deltas = [Delta(factor=f, amount=draw(numbers(-1e3, 1e3)), per=unit(f)) for f in singles]
    gammas = [Gamma(factor=f, other=g, amount=draw(numbers(-1e3, 1e3)), per=unit(f, g)) for f, g in pairs]
    settle = draw(st.sampled_from(("USD", "EUR", "USDC")))
    return Sensitivities(id=id, settle=settle, deltas=tuple(deltas), gammas=tuple(gammas))


@st.composite
def spot_terms(draw: st.DrawFn, market: doc.MarketDocument, id: str) -> Spot:  # noqa: A002 the field's name
    """A holding of an asset, on a chain or on none."""
    return Spot(id=id, asset=draw(st.sampled_from(("USD", *ASSETS))), chain=draw(st.sampled_from(("", *CHAINS))))


FAMILIES = {
    "linear": linear_terms,
    "option": option_terms,
    "forward": forward_terms,
    "bond": bond_terms,
    "ladder": ladder_terms,
    "spot": spot_terms,
}


@st.composite
def contracts(
    draw: st.DrawFn, market: doc.MarketDocument, families: tuple[str, ...] = tuple(FAMILIES), most: int = 6
) -> tuple[AnyTerms, ...]:
    """One to `most` instruments of the given families."""
    kinds = draw(st.lists(st.sampled_from(families), min_size=1, max_size=most))
    return tuple(draw(FAMILIES[kind](market, f"{kind.upper()}-{i}.VENUE{i % 2}")) for i, kind in enumerate(kinds))


def has_nodes(factor: str) -> bool:
    """Whether a factor is a curve over tenors."""
    return factor.split(":", maxsplit=1)[0] in TENOR_FACTORS


def factor_names(market: doc.MarketDocument) -> set[str]:
    """Every factor of a market, without nodes."""
    names = {f"{u.kind}:{u.name}" for u in market.underlyings}
    names |= {f"{kind}:{u.name}" for u in market.underlyings for kind in ("fwd", "basis", "funding")}
    with_surface = [u.name for u in market.underlyings if u.surface is not None]
    names |= {f"{kind}:{name}" for name in with_surface for kind in ("vol", "skew", "smile")}
    names |= {f"peg:{a.name}" for a in market.assets if a.reference != a.name}
    names |= {f"backing:{a.backing}" for a in market.assets if a.backing}
    return names | {f"rate:{r.currency}" for r in market.rates}


def moves_of(factor: str) -> st.SearchStrategy[float]:
    """Moves of a factor, by its kind, with zero among them."""
    kind = factor.split(":", maxsplit=1)[0]
    low, high = {
        "vol": (-0.9, 2.0),
        "fwd": (-0.3, 0.3),
        "basis": (-0.1, 0.1),
        "funding": (-0.05, 0.05),
        "rate": (-0.03, 0.05),
        "skew": (-0.4, 0.4),
        "smile": (-0.4, 0.4),
        "peg": (-0.3, 0.1),
        "backing": (-1.0, 0.1),
        "chain": (-1.0, 0.0),
    }.get(kind, (-0.9, 3.0))
    return st.just(0.0) | numbers(low, high)


def relevant_factors(market: doc.MarketDocument, terms: tuple[AnyTerms, ...]) -> list[str]:
    """Factors that move at least one of the instruments; every factor where there are none."""
    quotes = {u.name: u.quote for u in market.underlyings}
    references = {a.name: a.reference for a in market.assets}
    names = {getattr(t, "underlying", "") for t in terms}
    held = {getattr(t, "settle", "") or getattr(t, "asset", "") for t in terms}
    while True:
        more = {references[a] for a in held - {"USD"}} - {"USD"}
        grown = held | {quotes[n] for n in more | (names - {""})}
        names |= more
        if grown == held:
            break
        held = grown
    backings = {f"backing:{a.backing}" for a in market.assets if a.backing and a.name in held}
    ladders = {f.factor for t in terms if isinstance(t, Sensitivities) for f in (*t.deltas, *t.gammas)}
    ladders |= {g.other for t in terms if isinstance(t, Sensitivities) for g in t.gammas}
    chains = {f"chain:{t.chain}" for t in terms if isinstance(t, Spot) and t.chain}
    ladders = {":".join(f.split(":")[:2]) for f in ladders}
    found = {f for f in factor_names(market) if f.split(":")[1] in names | held or f.startswith("rate:")}
    return sorted(found | backings | chains | ladders) or sorted(factor_names(market))


@st.composite
def scenarios(draw: st.DrawFn, factors: list[str], *, label: str = "", days: bool = True) -> Scenario:
    """One column: up to six of the factors, curves often by node, and perhaps days and damping."""
    shocks = {}
    for factor in draw(st.lists(st.sampled_from(factors), max_size=6, unique=True)):
        nodes = draw(st.sets(st.sampled_from(NODES), max_size=2)) if has_nodes(factor) else set()
        for name in [f"{factor}:{node}" for node in sorted(nodes)] or [factor]:
            shocks[name] = draw(moves_of(factor))
    tail = draw(st.booleans())
    return Scenario(
        label=label,
        family=TAIL if tail else "price",
        shocks=shocks,
        horizon_days=draw(st.sampled_from((0.0, 1.0, 10.0, 400.0))) if days else 0.0,
        damping=draw(numbers(0.0, 1.0)) if tail else 1.0,
    )


@st.composite
def surface_rules(draw: st.DrawFn) -> SurfaceRule:
    """How shocks spread over a surface."""
    return SurfaceRule(
        short_power=draw(numbers(0.0, 0.5)),
        long_power=draw(numbers(0.0, 0.5)),
        floor_days=draw(numbers(0.1, 10.0)),
        min_vol_up=draw(st.just(0.0) | numbers(0.0, 1.0)),
        width=draw(numbers(0.1, 3.0)),
    )


@st.composite
def scenario_columns(
    draw: st.DrawFn,
    market: doc.MarketDocument,
    terms: tuple[AnyTerms, ...] = (),
    *,
    most: int = 6,
    days: bool = True,
) -> tuple[list[Scenario], dict[str, SurfaceRule]]:
    """Columns in the order of their set (far moves last), labelled by number, and the rules of some surfaces."""
    count = draw(st.integers(1, most))
    factors = relevant_factors(market, terms)
    columns = [draw(scenarios(factors, label=f"column {i}", days=days)) for i in range(count)]
    names = draw(st.sets(st.sampled_from([u.name for u in market.underlyings if u.surface is not None])))
    rules = {name: draw(surface_rules()) for name in sorted(names)}
    return sorted(columns, key=lambda s: s.family == TAIL), rules


def plain_market(document: doc.MarketDocument) -> spec_world.Market:
    """The twin of a market."""
    return spec_world.read_market(msgspec.to_builtins(document))


def plain_contract(terms: AnyTerms) -> spec_valuation.Contract:
    """The twin of an instrument."""
    known = spec_valuation.Contract.__dataclass_fields__
    return spec_valuation.Contract(**{k: v for k, v in msgspec.to_builtins(terms).items() if k in known})


@st.composite
def class_moves(draw: st.DrawFn) -> Moves:
    """How far one risk class moves; any part may be zero, and then is left out."""
    some = st.just(0.0) | numbers(0.01, 0.5)
    count = draw(st.integers(0, 2))
    tails = [Tail(move=draw(numbers(-0.9, 4.0)), damping=draw(numbers(0.0, 1.0))) for _ in range(count)]
    return Moves(
        price_range=draw(numbers(0.01, 0.9)),
        vol_up=draw(some),
        vol_down=draw(some),
        skew=draw(some),
        smile=draw(some),
        carry=draw(some),
        min_vol_up=draw(some),
        tails=tuple(tails),
    )


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """A grid over the risk classes of `markets`."""
    some = st.just(0.0) | numbers(0.001, 0.1)
    return Grid(
        classes={name: draw(class_moves()) for name in sorted({kind[1] for kind in _KINDS.values()})},
        steps=draw(st.integers(1, 3)),
        horizon_days=draw(st.sampled_from((0.0, 1.0))),
        rate_shift=draw(some),
        stable_peg=draw(some),
        wrapped_peg=draw(some),
        joint=Joint(
            together=draw(st.booleans()), pairs=draw(st.booleans()), correlation_stress=draw(numbers(0.0, 1.0))
        ),
    )
