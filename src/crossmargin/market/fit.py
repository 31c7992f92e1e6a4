"""From one underlying's quotes to its forwards and a surface of smiles without static arbitrage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.errors import UnfitMarket
from crossmargin.core.instant import YEAR_NS
from crossmargin.market import integrity, ssvi, svi
from crossmargin.market.arbitrage import ArbitrageFindings, examine, require_free
from crossmargin.market.forwards import Forwards, fit_forwards
from crossmargin.market.integrity import ExpiryReport, IntegrityReport, Quarantined
from crossmargin.market.joint import JointFit, Targets, constraint_grid, fit_jointly
from crossmargin.market.quotes import ChainQuotes, require_sound
from crossmargin.market.smiles import FitSettings, Legs, Points, aim, gather_points, read_legs

# Where the wings hang on SSVI, in standard deviations.
_ANCHOR_DEVIATIONS: Final = np.array([-5.0, -3.0, 3.0, 5.0])
_GRID_POINTS: Final = (161, 321, 641)  # Finer only where a dense check finds arbitrage between the nodes.
_GRID_REACH: Final = 100.0
AMERICAN_NOTE: Final = (
    "American chain: smiles rest on out-of-the-money options read as European ones; "
    "forwards by put-call parity carry the early exercise premium of the pairs at the money"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedChain:
    """Forwards and smiles of one underlying at `time_ns`; arrays are [expiry], ascending.

    `forward` in quote currency, `discount` from the rates given, `svi` [expiry, 5] raw SVI total variance in the order
    a, b, rho, m, sigma at k = ln(K/F), years of 365 days. `ssvi` is the shape the wings hang on, `theta` its
    at-the-money total variances, `calibrated` [expiry, 5] the smiles as fitted one by one, before arbitrage was
    removed. `points` are what was fitted.
    """

    underlying: str
    time_ns: int
    spot: float
    expiry_ns: IntArray
    tenor_years: FloatArray
    forward: FloatArray
    discount: FloatArray
    svi: FloatArray
    ssvi: ssvi.Ssvi
    theta: FloatArray
    calibrated: FloatArray
    points: Points
    report: IntegrityReport


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Surface:
    """One pass of the fit over the expiries `kept`, which index those of the quotes."""

    kept: IntArray
    tenor_years: FloatArray
    points: Points
    theta: FloatArray
    shape: ssvi.Ssvi
    calibrated: FloatArray
    joint: JointFit
    before: ArbitrageFindings
    after: ArbitrageFindings


def build_chain(quotes: ChainQuotes, *, now_ns: int, settings: FitSettings | None = None) -> FittedChain:
    """The fitted chain of `quotes` as of `now_ns`.

    Quotes that are crossed or old take no part; nor do those that a first fit shows to be stale or off the smile, after
    which the fit is made again without them. Each is in the report with its reason.

    Raises what `require_sound` raises, `UnfitMarket` where too many quotes are crossed or fewer than two expiries have
    any usable quote, and `SurfaceArbitrage` should arbitrage remain."""
    settings = settings or FitSettings()
    require_sound(quotes, now_ns=now_ns)
    usable, left_out = integrity.screen(quotes, settings, now_ns=now_ns)
    _refuse_crossed(quotes, left_out, settings)
    expiry_ns, expiry = np.unique(quotes.expiry_ns, return_inverse=True)
    tenor = (expiry_ns - now_ns) / YEAR_NS
    forwards = fit_forwards(
        quotes, usable, expiry_ns, now_ns=now_ns, parity_limit_bps=settings.parity_limit_bps
    )
    discount = quotes.rates.discount(tenor)
    legs = read_legs(quotes, usable, expiry, tenor_years=tenor, forward=forwards.forward, discount=discount)
    cheap = legs.usable & integrity.below_intrinsic(legs)
    left_out += integrity.quarantine(quotes, cheap, "below intrinsic value", "ask over the forward", legs.ask, 0.0)
    legs = replace(legs, usable=legs.usable & ~cheap)
    surface = _fit(quotes, legs, tenor, settings)
    found = integrity.strays(quotes, legs, _fitted_vol(legs, surface), settings)
    if found:
        names = {q.instrument for q in found}
        kept = np.array([name not in names for name in quotes.instrument])
        legs = replace(legs, usable=legs.usable & kept)
        surface = _fit(quotes, legs, tenor, settings)
    report = _report(quotes, legs, surface, expiry_ns, forwards, tuple(left_out + found))
    return FittedChain(
        underlying=quotes.underlying,
        time_ns=now_ns,
        spot=quotes.spot,
        expiry_ns=frozen(expiry_ns[surface.kept], np.int64),
        tenor_years=frozen(surface.tenor_years),
        forward=frozen(forwards.forward[surface.kept]),
        discount=frozen(discount[surface.kept]),
        svi=frozen(surface.joint.params),
        ssvi=surface.shape,
        theta=frozen(surface.theta),
        calibrated=frozen(surface.calibrated),
        points=surface.points,
        report=report,
    )


def _refuse_crossed(quotes: ChainQuotes, left_out: list[Quarantined], settings: FitSettings) -> None:
    crossed = sum(q.reason == "crossed" for q in left_out)
    share = crossed / max(int(((quotes.bid > 0.0) & (quotes.ask > 0.0)).sum()), 1)
    if share > settings.crossed_share_max:
        raise UnfitMarket(
            "share of crossed quotes",
            where=f"{quotes.underlying} chain (first: {left_out[0].instrument})",
            value=round(share, 4),
            limit=f"at most {settings.crossed_share_max:g}",
            remedy="Take a fresh snapshot: bids above asks on this scale mean rows of different times.",
        )


def _fit(quotes: ChainQuotes, legs: Legs, tenor_years: FloatArray, settings: FitSettings) -> _Surface:
    """Smiles of all expiries that a usable quote speaks of."""
    points = gather_points(legs, len(tenor_years))
    kept = np.flatnonzero(np.diff(points.start))
    if kept.size < 2:
        raise UnfitMarket(
            "number of expiries with a usable quote",
            where=f"{quotes.underlying} chain",
            value=int(kept.size),
            limit="at least 2",
            remedy="See the quarantined quotes, and take a fresh snapshot.",
        )
    points = replace(points, start=np.append(points.start[kept], points.start[-1]))
    tenor = tenor_years[kept]
    targets = aim(points, tenor, settings)
    theta = ssvi.growing(_at_the_money(targets))
    shape = ssvi.calibrate(theta, tenor, targets.start, targets.k, targets.vol, targets.scale)
    anchor = shape.smiles(theta)
    calibrated = _calibrate_alone(targets, anchor)
    joint, after = _without_arbitrage(calibrated, anchor, _anchored(targets, anchor, theta, settings), theta)
    return _Surface(
        kept=kept,
        tenor_years=tenor,
        points=points,
        theta=theta,
        shape=shape,
        calibrated=calibrated,
        joint=joint,
        before=examine(calibrated),
        after=after,
    )


def _at_the_money(targets: Targets) -> FloatArray:
    """Total variance [expiry] at k = 0, between the nearest points; that of the nearest one outside them."""
    return np.array([
        np.interp(0.0, targets.k[a:b], targets.vol[a:b] ** 2) * tau
        for a, b, tau in zip(targets.start[:-1], targets.start[1:], targets.tenor_years, strict=True)
    ])


def _calibrate_alone(targets: Targets, anchor: FloatArray) -> FloatArray:
    """Each smile [expiry, 5] by itself; that of the anchor where there are fewer points than parameters."""
    params = anchor.copy()
    for e, tau in enumerate(targets.tenor_years):
        rows = slice(targets.start[e], targets.start[e + 1])
        if rows.stop - rows.start >= svi.POINTS_MIN:
            vol = targets.vol[rows]
            weight = (2.0 * vol * tau * targets.scale[rows]) ** -2
            params[e] = svi.calibrate(targets.k[rows], vol**2 * tau, weight)
    return params


def _anchored(targets: Targets, anchor: FloatArray, theta: FloatArray, settings: FitSettings) -> Targets:
    """The targets, with loosely held points on the anchor's wings."""
    k = np.sqrt(theta)[:, None] * _ANCHOR_DEVIATIONS
    vol = np.sqrt(svi.total_variance(k, anchor[:, None, :]) / targets.tenor_years[:, None])
    at = np.repeat(targets.start[1:], k.shape[1])
    return replace(
        targets,
        start=targets.start + k.shape[1] * np.arange(targets.start.size),
        k=np.insert(targets.k, at, k.ravel()),
        vol=np.insert(targets.vol, at, vol.ravel()),
        scale=np.insert(targets.scale, at, settings.anchor_vol),
    )


def _without_arbitrage(
    calibrated: FloatArray, anchor: FloatArray, targets: Targets, theta: FloatArray
) -> tuple[JointFit, ArbitrageFindings]:
    """The joint fit on the first grid on which a check that knows nothing of it finds no arbitrage."""
    for points in _GRID_POINTS:
        joint = fit_jointly(calibrated, anchor, targets, constraint_grid(theta, points=points, reach=_GRID_REACH))
        found = examine(joint.params)
        if found.is_free:
            break
    return joint, found if found.is_free else require_free(joint.params, where="fitted smiles")


def _fitted_vol(legs: Legs, surface: _Surface) -> FloatArray:
    """The fitted vol [quote] of every leg; NaN for expiries that were dropped."""
    place = np.searchsorted(surface.kept, legs.expiry).clip(0, surface.kept.size - 1)
    w = svi.total_variance(legs.k, surface.joint.params[place])
    return np.where(surface.kept[place] == legs.expiry, np.sqrt(w) / legs.root_tenor, np.nan)


def _report(
    quotes: ChainQuotes,
    legs: Legs,
    surface: _Surface,
    expiry_ns: IntArray,
    forwards: Forwards,
    left_out: tuple[Quarantined, ...],
) -> IntegrityReport:
    vol = _fitted_vol(legs, surface)
    judged = integrity.judged(legs) & np.isfinite(vol)
    late = judged & (legs.root_tenor**2 > integrity.TENOR_YEARS_MIN)
    dropped = np.setdiff1d(np.arange(len(expiry_ns)), surface.kept)
    return IntegrityReport(
        underlying=quotes.underlying,
        quotes=len(quotes.instrument),
        total=integrity.measure_error(legs, vol, late),
        expiries=tuple(
            _expiry_report(legs, surface, i, int(expiry_ns[e]), forwards, vol, judged) for i, e in enumerate(surface.kept)
        ),
        violations=forwards.violations,
        quarantined=left_out,
        dropped=tuple(integrity.expiry_name(int(expiry_ns[e])) for e in dropped),
        butterfly_before=int(surface.before.butterfly.sum()),
        calendar_before=int(surface.before.calendar.sum()),
        density_min=float(surface.after.density_min.min()),
        growth_min=float(surface.after.growth_min.min()),
        notes=(AMERICAN_NOTE,) if quotes.american else (),
    )


def _expiry_report(
    legs: Legs, surface: _Surface, i: int, expiry_ns: int, forwards: Forwards, vol: FloatArray, judged: BoolArray
) -> ExpiryReport:
    e = surface.kept[i]
    rows = judged & (legs.expiry == e)
    count = int(surface.points.start[i + 1] - surface.points.start[i])
    alone = np.sqrt(svi.total_variance(legs.k[rows], surface.calibrated[i])) / legs.root_tenor[rows]
    return ExpiryReport(
        expiry=integrity.expiry_name(expiry_ns),
        tenor_years=float(surface.tenor_years[i]),
        forward=float(forwards.forward[e]),
        forward_source=forwards.source[e],
        pairs=int(forwards.pairs[e]),
        points=count,
        method="svi" if count >= svi.POINTS_MIN else "ssvi",
        error=integrity.measure_error(legs, vol, rows),
        blend=float(surface.joint.blend[i]),
        repair_points=float(np.abs(alone - vol[rows]).max(initial=0.0)) * 100.0,
    )
