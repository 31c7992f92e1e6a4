"""From one underlying's quotes to its forwards and a surface of smiles without static arbitrage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.errors import UnfitMarket
from crossmargin.core.instant import YEAR_NS, format_instant
from crossmargin.market import integrity, ssvi, svi
from crossmargin.market.arbitrage import ArbitrageFindings, examine, require_free
from crossmargin.market.forwards import Forwards, fit_forwards
from crossmargin.market.integrity import ExpiryReport, IntegrityReport, Quarantined
from crossmargin.market.joint import JointFit, Targets, constraint_grid, fit_jointly
from crossmargin.market.quotes import ChainQuotes, require_sound
from crossmargin.market.smiles import FitSettings, Legs, Points, aim, gather_points, read_legs

# Where the wings hang on SSVI, in standard deviations.
_ANCHOR_DEVIATIONS: Final = np.array([-5.0, -3.0, 3.0, 5.0])
_WELL_QUOTED: Final = 20  # Points that settle a smile by themselves.
# A point so many Huber widths off its smile is weighed down before it may bend it.
_FAR_OFF: Final = 4.0
_ROBUST_PASSES: Final = 4
_ROUNDS: Final = 10
_AMERICAN_NOTE: Final = (
    "American chain read as European: by its options out of the money where an expiry has any; forwards by put-call "
    "parity carry the early exercise premium of the pairs near the money"
)
_BASIS_NOTED: Final = 0.01


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
class _Alone:
    """Smiles fitted one by one over the expiries `kept`, which index those of the quotes."""

    kept: IntArray
    points: Points
    targets: Targets
    theta: FloatArray
    shape: ssvi.Ssvi
    anchor: FloatArray
    params: FloatArray


def build_chain(quotes: ChainQuotes, *, now_ns: int, settings: FitSettings | None = None) -> FittedChain:
    """The fitted chain of `quotes` as of `now_ns`.

    Quotes that are crossed, old or impossible take no part; nor do those that the strikes beside them show to be stale
    or off the smile. Each is in the report with its reason.

    Raises what `require_sound` raises, `UnfitMarket` where too many quotes are crossed or fewer than two expiries have
    any usable quote, and `SurfaceArbitrage` should arbitrage remain."""
    settings = settings or FitSettings()
    require_sound(quotes, now_ns=now_ns)
    usable, left_out = integrity.screen(quotes, settings, now_ns=now_ns)
    _refuse_crossed(quotes, left_out, settings)
    expiry_ns, expiry = np.unique(quotes.expiry_ns, return_inverse=True)
    tenor = (expiry_ns - now_ns) / YEAR_NS
    forwards = fit_forwards(quotes, usable, expiry_ns, now_ns=now_ns, parity_limit_bps=settings.parity_limit_bps)
    discount = quotes.rates.discount(tenor)
    legs = read_legs(quotes, usable, expiry, tenor_years=tenor, forward=forwards.forward, discount=discount)
    found = integrity.impossible(quotes, legs)
    left_out += found
    legs = _without(quotes, legs, found)
    alone = _fit_alone(quotes, legs, tenor, settings)
    found = _strays(quotes, legs, alone, settings)
    if found:
        legs = _without(quotes, legs, found)
        alone = _fit_alone(quotes, legs, tenor, settings)
    joint, findings = _without_arbitrage(alone, settings)
    report = _report(quotes, legs, alone, joint, findings, expiry_ns, forwards, tuple(left_out + found), settings)
    return FittedChain(
        underlying=quotes.underlying,
        time_ns=now_ns,
        spot=quotes.spot,
        expiry_ns=frozen(expiry_ns[alone.kept], np.int64),
        tenor_years=frozen(alone.targets.tenor_years),
        forward=frozen(forwards.forward[alone.kept]),
        discount=frozen(discount[alone.kept]),
        svi=frozen(joint.params),
        ssvi=alone.shape,
        theta=frozen(alone.theta),
        calibrated=frozen(alone.params),
        points=alone.points,
        report=report,
    )


def _without(quotes: ChainQuotes, legs: Legs, left_out: list[Quarantined]) -> Legs:
    names = {q.instrument for q in left_out}
    return replace(legs, usable=legs.usable & np.array([name not in names for name in quotes.instrument]))


def _strays(quotes: ChainQuotes, legs: Legs, alone: _Alone, settings: FitSettings) -> list[Quarantined]:
    """The rows that their neighbours contradict, seen from the smiles fitted one by one."""
    counts = np.diff(alone.points.start)
    fitted = svi.total_variance(alone.points.k, np.repeat(alone.params, counts, axis=0))
    residual = alone.points.mark - np.sqrt(fitted / np.repeat(alone.targets.tenor_years, counts))
    vol = _vol(legs, alone.kept, alone.params)
    local = integrity.vol_of_neighbours(legs, alone.points, alone.kept, residual, vol)
    return integrity.strays(quotes, legs, local, settings)


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


def _fit_alone(quotes: ChainQuotes, legs: Legs, tenor_years: FloatArray, settings: FitSettings) -> _Alone:
    """The smile of each expiry that a usable quote speaks of, by itself, and the SSVI surface through all."""
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
    targets = aim(points, tenor_years[kept], settings)
    theta = ssvi.growing(_at_the_money(targets))
    shape = ssvi.calibrate(theta, targets.tenor_years, targets.start, targets.k, targets.vol, targets.scale)
    anchor = shape.smiles(theta)
    params = _calibrate_alone(targets, anchor)
    return _Alone(kept=kept, points=points, targets=targets, theta=theta, shape=shape, anchor=anchor, params=params)


def _at_the_money(targets: Targets) -> FloatArray:
    """Total variance [expiry] at k = 0, between the nearest points; that of the nearest one outside them."""
    return np.array(
        [
            np.interp(0.0, targets.k[a:b], targets.vol[a:b] ** 2) * tau
            for a, b, tau in zip(targets.start[:-1], targets.start[1:], targets.tenor_years, strict=True)
        ]
    )


def _calibrate_alone(targets: Targets, anchor: FloatArray) -> FloatArray:
    """Each smile [expiry, 5] by itself; that of the anchor where there are fewer points than parameters."""
    params = anchor.copy()
    for e, tau in enumerate(targets.tenor_years):
        rows = slice(targets.start[e], targets.start[e + 1])
        if rows.stop - rows.start >= svi.POINTS_MIN:
            k, vol, scale = targets.k[rows], targets.vol[rows], targets.scale[rows]
            params[e] = _calibrate_robustly(k, vol, scale, tau, targets.huber)
    return params


def _calibrate_robustly(k: FloatArray, vol: FloatArray, scale: FloatArray, tau: float, huber: float) -> FloatArray:
    """One smile [5]; a point far off it is weighed down, and the smile fitted again, until it no longer bends to it."""
    weight = (2.0 * vol * tau * scale) ** -2
    pull = np.ones(k.size)
    for _ in range(_ROBUST_PASSES):
        params = svi.calibrate(k, vol**2 * tau, weight * pull)
        residual = np.abs(np.sqrt(svi.total_variance(k, params) / tau) - vol) / scale
        if residual.max() <= _FAR_OFF * huber:
            break
        pull = np.minimum(1.0, huber / np.maximum(residual, 1e-12))
    return params


def _anchored(alone: _Alone, settings: FitSettings) -> Targets:
    """The targets, with points on the wings of the SSVI surface: loosely held, but the fewer the quotes the more."""
    targets = alone.targets
    loose = settings.anchor_vol * np.minimum(1.0, np.diff(targets.start) / _WELL_QUOTED)
    k = np.sqrt(alone.theta)[:, None] * _ANCHOR_DEVIATIONS
    vol = np.sqrt(svi.total_variance(k, alone.anchor[:, None, :]) / targets.tenor_years[:, None])
    at = np.repeat(targets.start[1:], k.shape[1])
    return replace(
        targets,
        start=targets.start + k.shape[1] * np.arange(targets.start.size),
        k=np.insert(targets.k, at, k.ravel()),
        vol=np.insert(targets.vol, at, vol.ravel()),
        scale=np.insert(targets.scale, at, np.repeat(loose, k.shape[1])),
    )


def _without_arbitrage(alone: _Alone, settings: FitSettings) -> tuple[JointFit, ArbitrageFindings]:
    """The joint fit, after a check that knows nothing of its grid; where that finds arbitrage, the grid takes in the
    place, and the fit is made again."""
    targets, grid = _anchored(alone, settings), constraint_grid(alone.theta)
    for _ in range(_ROUNDS):
        joint = fit_jointly(alone.params, alone.anchor, targets, grid)
        found = examine(joint.params)
        if found.is_free:
            return joint, found
        grid = np.unique(np.concatenate([grid, found.density_k[found.butterfly], found.growth_k[found.calendar]]))
    return joint, require_free(joint.params, where="fitted smiles")


def _vol(legs: Legs, kept: IntArray, params: FloatArray) -> FloatArray:
    """The vol [quote] of every leg on its smile; NaN for expiries that were dropped."""
    place = np.searchsorted(kept, legs.expiry).clip(0, kept.size - 1)
    w = svi.total_variance(legs.k, params[place])
    return np.where(kept[place] == legs.expiry, np.sqrt(w) / legs.root_tenor, np.nan)


def _report(
    quotes: ChainQuotes,
    legs: Legs,
    alone: _Alone,
    joint: JointFit,
    findings: ArbitrageFindings,
    expiry_ns: IntArray,
    forwards: Forwards,
    left_out: tuple[Quarantined, ...],
    settings: FitSettings,
) -> IntegrityReport:
    vol = _vol(legs, alone.kept, joint.params)
    judged = integrity.judged(legs) & np.isfinite(vol)
    dropped = np.setdiff1d(np.arange(len(expiry_ns)), alone.kept)
    before = examine(alone.params)
    return IntegrityReport(
        underlying=quotes.underlying,
        quotes=len(quotes.instrument),
        total=integrity.measure_error(legs, vol, judged & (legs.root_tenor**2 > integrity.TENOR_YEARS_MIN)),
        expiries=tuple(
            _expiry_report(legs, alone, joint, i, int(expiry_ns[e]), forwards, vol, judged & (legs.expiry == e))
            for i, e in enumerate(alone.kept)
        ),
        violations=forwards.violations,
        quarantined=left_out,
        marks_outside_quotes=integrity.marks_outside_quotes(legs),
        off_marks=integrity.off_marks(quotes, legs, vol, settings),
        dropped=tuple(format_instant(int(expiry_ns[e])) for e in dropped),
        butterfly_before=int(before.butterfly.sum()),
        calendar_before=int(before.calendar.sum()),
        density_min=float(findings.density_min.min()),
        growth_min=float(findings.growth_min.min()),
        notes=_notes(quotes, forwards),
    )


def _notes(quotes: ChainQuotes, forwards: Forwards) -> tuple[str, ...]:
    notes = [_AMERICAN_NOTE] if quotes.american else []
    basis = float(forwards.forward[0]) / quotes.spot - 1.0
    if abs(basis) > _BASIS_NOTED:
        notes.append(f"the first forward is {basis:+.2%} off the index price: one of the two is of another time")
    return tuple(notes)


def _expiry_report(
    legs: Legs,
    alone: _Alone,
    joint: JointFit,
    i: int,
    expiry_ns: int,
    forwards: Forwards,
    vol: FloatArray,
    rows: BoolArray,
) -> ExpiryReport:
    e = alone.kept[i]
    count = int(alone.points.start[i + 1] - alone.points.start[i])
    before = np.sqrt(svi.total_variance(legs.k[rows], alone.params[i])) / legs.root_tenor[rows]
    return ExpiryReport(
        expiry=format_instant(expiry_ns),
        tenor_years=float(alone.targets.tenor_years[i]),
        forward=float(forwards.forward[e]),
        forward_source=forwards.source[e],
        pairs=int(forwards.pairs[e]),
        points=count,
        method="svi" if count >= svi.POINTS_MIN else "ssvi",
        error=integrity.measure_error(legs, vol, rows),
        blend=float(joint.blend[i]),
        repair_points=float(np.abs(before - vol[rows]).max(initial=0.0)) * 100.0,
    )
