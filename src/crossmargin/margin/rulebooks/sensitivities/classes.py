"""The margin of each risk class: delta, vega, curvature and base correlation of every cell at once.

Each function takes the rows of its class and gives [cell, margin] in the order of `MARGINS`, USD.
"""

from __future__ import annotations

import math

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray, tally
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.sensitivities.aggregation import (
    Netted,
    across,
    bounded,
    by_segment,
    concentration,
    correlated_factors,
    curvature_margin,
    netted,
    pair_sums,
    root,
)
from crossmargin.margin.rulebooks.sensitivities.rows import (
    MARGINS,
    RiskType,
    Rows,
    currencies_of,
    labels_of,
    names_of,
    pairs_of,
)
from crossmargin.margin.rulebooks.sensitivities.tables import BucketTables, FxTables, RatesTables

_TENOR = "Write one of the tenors of the parameters."
_BUCKET = "State its bucket; nothing goes to Residual unless the row says so."


def rates_margins(rows: Rows, cells: int, t: RatesTables) -> FloatArray:
    """Interest rates [cell, margin]: tenors and sub-curves, inflation and cross-currency basis of each currency."""
    result = np.zeros((cells, len(MARGINS)))
    delta = rows.of(RiskType.IR_CURVE, RiskType.INFLATION, RiskType.XCCY_BASIS)
    if len(delta):
        result[:, 0] = _rates_delta(delta, cells, t)
    vega = rows.of(RiskType.IR_VOL, RiskType.INFLATION_VOL)
    if len(vega):
        result[:, 1], result[:, 2] = _rates_vega(vega, cells, t)
    return result


def _currencies(rows: Rows, t: RatesTables) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Place [row] of each row's currency in its cell; cell and the two groups of each place."""
    found = currencies_of(rows, t.stated.volatility, t.stated.concentration)
    size = len(found.names)
    keys, place = np.unique(rows.cell * size + found.number, return_inverse=True)
    currency = keys % size
    return place, keys // size, found.volatility[currency], found.concentration[currency]


def _grid(rows: Rows, keep: IntArray, place: IntArray, *axes: tuple[IntArray, int], places: int) -> FloatArray:
    """Sums of the kept rows [place, *axes]."""
    flat, shape = place[keep], [places]
    for index, size in axes:
        flat, shape = flat * size + index, [*shape, size]
    return tally(flat, rows.amount[keep], math.prod(shape)).reshape(shape)


def _rates_delta(rows: Rows, cells: int, t: RatesTables) -> FloatArray:
    """√(ΣK² + Σγ g S S) with WS = RW·s·CR; the basis takes no part in CR and is not scaled by it."""
    place, cell, volatility, group = _currencies(rows, t)
    places = len(cell)
    here = {kind: np.flatnonzero(rows.kind == kind) for kind in (RiskType.IR_CURVE, RiskType.INFLATION)}
    curve = rows.of(RiskType.IR_CURVE)
    tenor = curve.numbered("label1", t.tenors, "Label1", _TENOR)
    sub = curve.numbered("label2", t.sub_curves, "Label2", "Write one of the sub-curves of the parameters.")
    axes = ((tenor, len(t.tenors)), (sub, len(t.sub_curves)))
    s = _grid(rows, here[RiskType.IR_CURVE], place, *axes, places=places)
    inflation = _grid(rows, here[RiskType.INFLATION], place, places=places)
    basis = _grid(rows, np.flatnonzero(rows.kind == RiskType.XCCY_BASIS), place, places=places)
    ratio = concentration(s.sum(axis=(1, 2)) + inflation, t.delta_threshold[group])
    ws = s * t.weight[volatility][:, :, None] * ratio[:, None, None]
    inflation, basis = inflation * t.inflation_weight * ratio, basis * t.basis_weight
    by_tenor = ws.sum(axis=2)
    phi, rho_i, rho_x = (
        t.stated.sub_curve_correlation,
        t.stated.inflation_correlation,
        t.stated.basis_correlation,
    )
    alone = np.einsum("ptc,tu,puc->p", ws, t.correlation, ws, optimize=True)
    together = np.einsum("pt,tu,pu->p", by_tenor, t.correlation, by_tenor, optimize=True)
    rates = by_tenor.sum(axis=1)
    square = (1.0 - phi) * alone + phi * together + inflation**2 + basis**2
    square += 2.0 * rho_i * inflation * rates + 2.0 * rho_x * basis * (rates + inflation)
    k = root(square)
    return _across_currencies(k, bounded(rates + inflation + basis, k), ratio, cell, cells, t)


def _across_currencies(
    k: FloatArray, s: FloatArray, ratio: FloatArray, cell: IntArray, cells: int, t: RatesTables
) -> FloatArray:
    cross = pair_sums(s, ratio, cell, cells) - by_segment(s**2, cell, cells)
    return root(by_segment(k**2, cell, cells) + t.stated.currency_correlation * cross)


def _rates_vega(rows: Rows, cells: int, t: RatesTables) -> tuple[FloatArray, FloatArray]:
    """Vega and curvature. Inflation vegas of all tenors are one factor; curvature scales each by its own tenor first,
    and takes squared correlations and no concentration."""
    place, cell, _, group = _currencies(rows, t)
    places, tenors = len(cell), len(t.tenors)
    tenor = rows.numbered("label1", t.tenors, "Label1", _TENOR)
    vol, inflation = (np.flatnonzero(rows.kind == kind) for kind in (RiskType.IR_VOL, RiskType.INFLATION_VOL))
    v = _grid(rows, vol, place, (tenor[vol], tenors), places=places)
    v_i = _grid(rows, inflation, place, (tenor[inflation], tenors), places=places)
    ratio = concentration(v.sum(axis=1) + v_i.sum(axis=1), t.vega_threshold[group])
    weight = (t.vega_weight * ratio)[:, None]
    k, total = _rates_bucket(v * weight, (v_i * weight).sum(axis=1), t, power=1)
    vega = _across_currencies(k, bounded(total, k), ratio, cell, cells, t)
    bent, bent_i = v * t.scaling, (v_i * t.scaling).sum(axis=1)
    k, total = _rates_bucket(bent, bent_i, t, power=2)
    s = bounded(total, k)
    gamma = t.stated.currency_correlation**2
    cross = by_segment(s, cell, cells) ** 2 - by_segment(s**2, cell, cells)
    spread = root(by_segment(k**2, cell, cells) + gamma * cross)
    absolute = by_segment(np.abs(bent).sum(axis=1) + np.abs(bent_i), cell, cells)
    curvature = curvature_margin(by_segment(total, cell, cells), absolute, spread)
    return vega, t.curvature_factor * curvature


def _rates_bucket(v: FloatArray, inflation: FloatArray, t: RatesTables, *, power: int) -> tuple[FloatArray, FloatArray]:
    """K and the sum [place] of factors by tenor [place, tenor] and inflation [place]; correlations to a `power`."""
    rho, rho_i = t.correlation**power, t.stated.inflation_correlation**power
    square = np.einsum("pt,tu,pu->p", v, rho, v, optimize=True)
    total = v.sum(axis=1)
    return root(square + inflation**2 + 2.0 * rho_i * inflation * total), total + inflation


def bucket_margins(
    rows: Rows, cells: int, t: BucketTables, *, delta: RiskType, vega: RiskType, credit: str = ""
) -> FloatArray:
    """A class in buckets [cell, margin]. `credit` is "label2" where factors are names by tenor and currency that
    correlate by name, "group" where they correlate by the group in Label2, "" for equity and commodity."""
    result = np.zeros((cells, len(MARGINS)))
    flat = rows.of(delta)
    if len(flat):
        factors = _bucket_factors(flat, t, credit, with_tenor=bool(credit), weights=flat.amount)
        result[:, 0] = _bucket_sum(factors, cells, t, t.delta_weight, t.delta_threshold)
    bent = rows.of(vega)
    if len(bent):
        bucket = bent.numbered("bucket", t.buckets, "Bucket", _BUCKET)
        tenor = bent.numbered("label1", t.tenors, "Label1", _TENOR)
        amount = bent.amount * t.sigma[bucket]
        factors = _bucket_factors(bent, t, credit, with_tenor=bool(credit), weights=t.vega_ratio * amount)
        result[:, 1] = _bucket_sum(factors, cells, t, t.vega_weight, t.vega_threshold)
        scaled = amount * t.scaling[tenor] * t.curved[bucket]
        factors = _bucket_factors(bent, t, credit, with_tenor=bool(credit), weights=scaled)
        result[:, 2] = _bucket_curvature(factors, cells, t)
    base = rows.of(RiskType.BASE_CORR)
    if len(base):
        result[:, 3] = _base_correlation(base, cells, t)
    return result


def _bucket_factors(rows: Rows, t: BucketTables, credit: str, *, with_tenor: bool, weights: FloatArray) -> Netted:
    """Sums by cell, bucket, name and group of correlation (then by tenor and label, where the class has them)."""
    bucket = rows.numbered("bucket", t.buckets, "Bucket", _BUCKET)
    name = names_of(rows, "qualifier", "Qualifier")
    if not with_tenor:
        return netted(weights, rows.cell, bucket, name, name)
    tenor = rows.numbered("label1", t.tenors, "Label1", _TENOR)
    label = labels_of(rows, "label2")
    group = label if credit == "group" else name
    return netted(weights, rows.cell, bucket, name, group, tenor, label)


def _segments(factors: Netted, t: BucketTables) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Segment [factor] = (cell, bucket), group [factor] of same correlation, and cell and bucket of each segment."""
    cell, bucket, _, group = factors.keys[:4]
    size = len(t.buckets)
    keys, segment = np.unique(cell * size + bucket, return_inverse=True)
    groups = int(group.max()) + 1
    _, together = np.unique(segment * groups + group, return_inverse=True)
    return segment, together, keys // size, keys % size


def _dense(values: FloatArray, cell: IntArray, bucket: IntArray, cells: int, t: BucketTables) -> FloatArray:
    grid = np.zeros((cells, len(t.buckets)))
    grid[cell, bucket] = values
    return grid


def _bucket_sum(factors: Netted, cells: int, t: BucketTables, weight: FloatArray, threshold: FloatArray) -> FloatArray:
    """√(ΣK² + Σγ S S) + K_residual; CR by name, over all its tenors and labels."""
    bucket, name = factors.keys[1], factors.keys[2]
    segment, group, cell_of, bucket_of = _segments(factors, t)
    names = int(name.max()) + 1
    _, first, issuer = np.unique(segment * names + name, return_index=True, return_inverse=True)
    total = by_segment(factors.amount, issuer, len(first))
    ratio = concentration(total, threshold[bucket[first]])[issuer]
    ws = weight[bucket] * factors.amount * ratio
    k = root(correlated_factors(ws, ratio, segment, group, t.same[bucket_of], t.different[bucket_of]))
    s = bounded(by_segment(ws, segment, len(k)), k)
    k_grid, s_grid = (_dense(x, cell_of, bucket_of, cells, t) for x in (k, s))
    residual = k_grid[:, -1].copy() if t.has_residual else np.zeros(cells)
    if t.has_residual:
        k_grid[:, -1] = 0.0
    return across(k_grid, s_grid, t.between) + residual


def _bucket_curvature(factors: Netted, cells: int, t: BucketTables) -> FloatArray:
    """Curvature of the ordinary buckets together, and of Residual by itself."""
    segment, group, cell_of, bucket_of = _segments(factors, t)
    flat = np.ones(len(factors.amount))
    square = correlated_factors(
        factors.amount, flat, segment, group, t.same[bucket_of] ** 2, t.different[bucket_of] ** 2
    )
    k, total = root(square), by_segment(factors.amount, segment, len(square))
    absolute = by_segment(np.abs(factors.amount), segment, len(square))
    k_grid, s_grid, sums, sizes = (
        _dense(x, cell_of, bucket_of, cells, t) for x in (k, bounded(total, k), total, absolute)
    )
    ordinary = slice(0, -1) if t.has_residual else slice(None)
    spread = across(k_grid[:, ordinary], s_grid[:, ordinary], t.between[ordinary, ordinary] ** 2)
    margin = curvature_margin(sums[:, ordinary].sum(axis=1), sizes[:, ordinary].sum(axis=1), spread)
    if t.has_residual:
        margin = margin + curvature_margin(sums[:, -1], sizes[:, -1], k_grid[:, -1])
    return margin


def _base_correlation(rows: Rows, cells: int, t: BucketTables) -> FloatArray:
    """√(Σ_kl ρ WS_k WS_l) over indices, without concentration."""
    if t.base_weight is None or t.base_correlation is None:
        raise InvalidInput(
            "RiskType",
            where=rows.crif.place(int(rows.row[0])),
            value="Risk_BaseCorr",
            limit="a risk type the parameters have weights for",
            remedy="State base_correlation in the parameters.",
        )
    factors = netted(rows.amount, rows.cell, names_of(rows, "qualifier", "Qualifier"))
    ws, cell = t.base_weight * factors.amount, factors.keys[0]
    total, own = by_segment(ws, cell, cells), by_segment(ws**2, cell, cells)
    return root((1.0 - t.base_correlation) * own + t.base_correlation * total**2)


def fx_margins(rows: Rows, cells: int, t: FxTables) -> FloatArray:
    """Foreign exchange [cell, margin]: one bucket; a delta to the calculation currency itself is no risk."""
    result = np.zeros((cells, len(MARGINS)))
    delta = rows.of(RiskType.FX)
    if len(delta):
        result[:, 0] = _fx_delta(delta, cells, t)
    vega = rows.of(RiskType.FX_VOL)
    if len(vega):
        result[:, 1], result[:, 2] = _fx_vega(vega, cells, t)
    return result


def _fx_delta(rows: Rows, cells: int, t: FxTables) -> FloatArray:
    found = currencies_of(rows, t.stated.volatility, t.stated.concentration)
    foreign = np.asarray([name != t.currency for name in found.names])[found.number]
    factors = netted(rows.amount * foreign, rows.cell, found.number)
    cell, currency = factors.keys
    group = found.volatility[currency]
    ratio = concentration(factors.amount, t.delta_threshold[found.concentration[currency]])
    ws = t.weight[t.currency_group, group] * factors.amount * ratio
    rho = t.correlation
    square = by_segment((1.0 - rho[group, group]) * ws**2, cell, cells)
    alone = [pair_sums(np.where(group == g, ws, 0.0), ratio, cell, cells) for g in range(len(rho))]
    for g in range(len(rho)):
        square += rho[g, g] * alone[g]
        for h in range(g):
            both = pair_sums(np.where((group == g) | (group == h), ws, 0.0), ratio, cell, cells)
            square += rho[g, h] * (both - alone[g] - alone[h])
    return root(square)


def _fx_vega(rows: Rows, cells: int, t: FxTables) -> tuple[FloatArray, FloatArray]:
    """Vega and curvature of pairs, which correlate alike; σ from the weight of the pair's two groups."""
    found = pairs_of(rows, t.stated.volatility, t.stated.concentration)
    tenor = rows.numbered("label1", t.tenors, "Label1", _TENOR)
    sigma = t.sigma[found.volatility[:, 0], found.volatility[:, 1]]
    amount = rows.amount * sigma[found.number]
    factors = netted(t.vega_ratio * amount, rows.cell, found.number)
    cell, pair = factors.keys
    limit = t.vega_threshold[found.concentration[pair, 0], found.concentration[pair, 1]]
    ratio = concentration(factors.amount, limit)
    vr = t.vega_weight * factors.amount * ratio
    vega = root(_alike(vr, ratio, cell, cells, t.vega_correlation))
    bent = netted(amount * t.scaling[tenor], rows.cell, found.number)
    cell = bent.keys[0]
    spread = root(_alike(bent.amount, np.ones(len(cell)), cell, cells, t.vega_correlation**2))
    total = by_segment(bent.amount, cell, cells)
    return vega, curvature_margin(total, by_segment(np.abs(bent.amount), cell, cells), spread)


def _alike(values: FloatArray, ratio: FloatArray, cell: IntArray, cells: int, rho: float) -> FloatArray:
    """Σ_kl ρ f x x with one correlation between any two."""
    own = by_segment(values**2, cell, cells)
    return (1.0 - rho) * own + rho * pair_sums(values, ratio, cell, cells)
