"""A market as it crosses a border (TOML, JSON, API): frozen, typed, unknown fields refused."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from crossmargin.instruments.terms import Instant
from crossmargin.market.representations.document import ChainsDocument

Kind: TypeAlias = Literal["spot", "index", "fx", "bond"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts of a market."""


class ForwardPoint(_Part, frozen=True, kw_only=True):
    """The forward of an underlying for one expiry, in its quote currency."""

    expiry: Instant
    forward: float


class Slice(_Part, frozen=True, kw_only=True):
    """One expiry of a surface: raw SVI total variance w(k) = a + b(ρ(k − m) + √((k − m)² + σ²)).

    Source: Gatheral and Jacquier (2014), Quantitative Finance 14(1), 59–71, section 3.1.
    """

    expiry: Instant
    a: float
    b: float
    rho: float
    m: float
    sigma: float


class Surface(_Part, frozen=True, kw_only=True):
    """Smiles by expiry. `lognormal`: k = ln(K/F). `normal`: k = (K − F)/scale, w in units of scale².

    `scale` is a price that a move of 100 % stands for, where prices may be negative: a normal surface must state it.
    """

    kind: Literal["lognormal", "normal"] = "lognormal"
    scale: float | None = None
    slices: tuple[Slice, ...]


class Liquidity(_Part, frozen=True, kw_only=True):
    """How an underlying trades: average daily volume and half spreads.

    `adv_usd` is a day's volume in USD over its futures, perpetuals and spot; `half_spread_bps` of the mid price;
    `half_spread_vol_points` of options; `daily_vol` the standard deviation of a day's log return.
    """

    adv_usd: float
    half_spread_bps: float
    daily_vol: float
    half_spread_vol_points: float = 0.0


class Underlying(_Part, frozen=True, kw_only=True):
    """A price with its curve, its surface and its trust.

    `kind` names the factor (`spot:BTC`, `index:SPX`, `fx:EUR`, `bond:TY`); `risk_class` the row of the model that
    says how far it moves; `quote` the asset its price is counted in; `funding_daily` what a long perpetual pays a day
    (decimal); `basis` the log of the perpetual over `spot`, for perpetuals without a mark of their own;
    `confidence_bps` and `dispersion_bps` the oracle's half width and the disagreement of its sources.
    """

    name: str
    kind: Kind
    risk_class: str
    spot: float
    quote: str = "USD"
    funding_daily: float = 0.0
    basis: float = 0.0
    confidence_bps: float = 0.0
    dispersion_bps: float = 0.0
    forwards: tuple[ForwardPoint, ...] = ()
    surface: Surface | None = None
    liquidity: Liquidity | None = None


class Asset(_Part, frozen=True, kw_only=True):
    """What is held or settled in: `ratio` units of `reference`, which is "USD" or an underlying.

    `market_ratio` is the price of the asset in its own market over that of its reference; it shows a peg that is
    off. The value used is the lower of the two. `issuer` and `backing` (a bridge or custodian) name whose promise
    the asset is; each is a factor of its own.
    """

    name: str
    reference: str
    ratio: float = 1.0
    market_ratio: float | None = None
    issuer: str = ""
    backing: str = ""
    confidence_bps: float = 0.0


class RatePoint(_Part, frozen=True, kw_only=True):
    """A continuously compounded zero rate (decimal a year)."""

    tenor_years: float
    rate: float


class RateCurve(_Part, frozen=True, kw_only=True):
    """Zero rates of one currency."""

    currency: str
    points: tuple[RatePoint, ...]


class Mark(_Part, frozen=True, kw_only=True):
    """The mark of a future, perpetual or bond future, in its quote currency; options are marked by the surface."""

    instrument: str
    underlying: str
    price: float


class Correlations(_Part, frozen=True, kw_only=True):
    """Correlations of the returns of underlyings: symmetric, ones on the diagonal, positive semi-definite."""

    names: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]


class MarketDocument(_Part, frozen=True, kw_only=True):
    """The world at one instant; `source` says where the figures come from and how they were made.

    `chains` are for collateral that names its instance; what it names is in a registry.
    """

    as_of: Instant
    underlyings: tuple[Underlying, ...]
    assets: tuple[Asset, ...] = ()
    rates: tuple[RateCurve, ...] = ()
    marks: tuple[Mark, ...] = ()
    correlations: Correlations | None = None
    chains: ChainsDocument | None = None
    source: str = ""
