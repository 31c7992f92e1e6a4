"""What one contract of each instrument exposes its holder to: the inputs of every term that is no scenario.

Sensitivities are taken from R itself, by small symmetric moves of one underlying at a time, so that they are those of
the full revaluation (coin of inverse contracts included) and never a second model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, frozen
from crossmargin.core.errors import MissingFactors
from crossmargin.core.instant import NEVER_NS, YEAR_NS
from crossmargin.instruments.table import Family, InstrumentTable, PayoutCode
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import bucket_names, bucket_of
from crossmargin.scenarios.calibrating.calibration import Calibration
from crossmargin.scenarios.factors import PRICE_KINDS, parse_factor
from crossmargin.scenarios.scenario_set import Scenario, collect
from crossmargin.valuation.marks import marks
from crossmargin.valuation.pnl import pnl, values_usd
from crossmargin.valuation.world import surface_of

SPOT_STEP = 1e-4  # relative; the error of the central difference is of the order of its square
VOL_STEP = 1e-3  # relative


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exposure:
    """Per contract held long, USD, row by row of the table.

    `delta` per 100 % move of its underlying, `gamma` change of delta per 100 % move, `vega` per 1.00 of volatility;
    `spread` cost of crossing half the spread; `tenor_years` zero without expiry; `place` a code of venue and
    settlement asset; `option_notional` underlying notional of an option, else zero; `notional` of anything;
    `value` as an asset. Per bucket: `adv`, `daily_vol`, `uncertainty`.
    """

    bucket: IndexArray
    names: tuple[str, ...]
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    spread: FloatArray
    tenor_years: FloatArray
    place: IndexArray
    option_notional: FloatArray
    notional: FloatArray
    value: FloatArray
    price: FloatArray
    settle_usd: FloatArray
    adv: FloatArray
    daily_vol: FloatArray
    uncertainty: FloatArray
    is_option: BoolArray

    @property
    def places(self) -> int:
        """The number of codes in `place`."""
        return int(self.place.max(initial=-1)) + 1


def exposure(table: InstrumentTable, snapshot: Snapshot) -> Exposure:
    """The exposures of a table at a snapshot. Raises `MissingFactors` where an underlying states no liquidity."""
    delta, gamma, vega = sensitivities(table, snapshot)
    price = marks(table, snapshot)
    option = table.family == Family.OPTION
    option_notional = np.where(option, table.multiplier * _spot_usd(table, snapshot, price.settle_usd), 0.0)
    _, place = np.unique(np.stack([table.venue, table.settle], axis=1), axis=0, return_inverse=True)
    per_bucket = _by_bucket(table, snapshot)
    bucket = bucket_of(table)
    of_vol, of_price = np.abs(vega) * per_bucket["spread_vol"][bucket], np.abs(delta) * per_bucket["spread"][bucket]
    spread = np.where(option, of_vol, of_price)
    never = table.expiry_ns == NEVER_NS
    return Exposure(
        bucket=bucket,
        names=bucket_names(table),
        delta=frozen(delta),
        gamma=frozen(gamma),
        vega=frozen(vega),
        spread=frozen(spread),
        tenor_years=frozen(np.where(never, 0, table.expiry_ns - snapshot.time_ns) / YEAR_NS),
        place=frozen(place.reshape(-1), np.int32),
        option_notional=frozen(option_notional),
        notional=frozen(np.where(option, option_notional, price.notional_usd)),
        value=values_usd(table, snapshot),
        price=price.price,
        settle_usd=price.settle_usd,
        adv=frozen(per_bucket["adv"]),
        daily_vol=frozen(per_bucket["daily_vol"]),
        uncertainty=frozen(per_bucket["uncertainty"]),
        is_option=frozen(option, np.bool_),
    )


def in_state(exposed: Exposure, calibration: Calibration | None) -> Exposure:
    """Exposures in the state of the market that a calibration with a liquidity rule says: spreads, volumes, and the
    daily volatility of impact, which is the forecast where that is above the market's figure.

    Underlyings that it does not move, and all without such a rule, stay as the market states them.
    """
    if calibration is None or calibration.liquidity is None:
        return exposed
    spread, volume = np.ones(len(exposed.names)), np.ones(len(exposed.names))
    daily_vol = exposed.daily_vol.copy()
    for fit in calibration.factors:
        kind, name, _ = parse_factor(fit.factor, where="calibration")
        if kind in PRICE_KINDS and name in exposed.names:
            bucket = exposed.names.index(name)
            spread[bucket], volume[bucket] = calibration.liquidity.of(fit.factor, fit.stress)
            forecast = fit.now / calibration.bar_days**0.5 if fit.is_log else 0.0
            daily_vol[bucket] = max(daily_vol[bucket], forecast)
    return replace(
        exposed,
        spread=frozen(exposed.spread * spread[exposed.bucket]),
        adv=frozen(exposed.adv * volume),
        daily_vol=frozen(daily_vol),
    )


def _spot_usd(table: InstrumentTable, snapshot: Snapshot, settle_usd: FloatArray) -> FloatArray:
    """The price of each row's underlying in USD, without sign; a quanto counts it in its settlement asset."""
    held = [snapshot.underlyings.get(name) for name in table.underlyings]
    spot = np.asarray([*(u.spot if u else 0.0 for u in held), 0.0])[table.underlying]
    quote = np.asarray([*(snapshot.asset_price(u.quote) if u else 0.0 for u in held), 0.0])[table.underlying]
    return np.asarray(np.abs(spot) * np.where(table.payout == PayoutCode.QUANTO, settle_usd, quote))


def sensitivities(table: InstrumentTable, snapshot: Snapshot) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Delta, gamma and vega of each row to its own bucket's underlying [instrument], in the units of `Exposure`."""
    names = [name for name in bucket_names(table) if name in snapshot.underlyings]
    columns = []
    for name in names:
        u = snapshot.underlyings[name]
        columns += [{u.factor: SPOT_STEP}, {u.factor: -SPOT_STEP}]
        vol = {f"vol:{name}": VOL_STEP} if u.surface is not None else {}
        columns += [vol, {key: -x for key, x in vol.items()}]
    scenarios = collect(Scenario(label=str(i), family="bump", shocks=s) for i, s in enumerate(columns))
    bumped = pnl(table, snapshot, scenarios).values
    up, down, vol_up, vol_down = (bumped[:, i::4] for i in range(4))
    column = {name: i for i, name in enumerate(names)}
    own = np.asarray([column.get(name, -1) for name in bucket_names(table)], np.int64)[bucket_of(table)]
    rows = np.arange(len(table))

    def pick(block: FloatArray) -> FloatArray:
        padded = np.concatenate([block, np.zeros((len(table), 1))], axis=1)
        return np.asarray(padded[rows, own])

    delta = pick(up - down) / (2.0 * SPOT_STEP)
    gamma = pick(up + down) / SPOT_STEP**2
    vega = pick(vol_up - vol_down) / (2.0 * VOL_STEP) / _implied_vol(table, snapshot)
    return delta, gamma, vega


def _implied_vol(table: InstrumentTable, snapshot: Snapshot) -> FloatArray:
    """The volatility each option is marked at (relative to scale in the normal model); one elsewhere."""
    vol, options = np.ones(len(table)), table.rows_of(Family.OPTION)
    for code in np.unique(table.underlying[options]):
        rows = options[table.underlying[options] == code]
        u = snapshot.underlyings[table.underlyings[code]]
        surface = surface_of(u)
        forward, strike = u.curve(table.expiry_ns[rows]), table.strike[rows]
        k = np.log(strike / forward) if surface.lognormal else (strike - forward) / surface.scale
        vol[rows] = surface.vol(k, table.expiry_ns[rows]) / surface.scale
    return vol


def _by_bucket(table: InstrumentTable, snapshot: Snapshot) -> dict[str, FloatArray]:
    """Liquidity and oracle figures [bucket]; infinitely liquid where the bucket is no underlying (cash)."""
    names = bucket_names(table)
    figures = {"adv": np.inf, "daily_vol": 0.0, "spread": 0.0, "spread_vol": 0.0, "uncertainty": 0.0}
    columns = {key: np.full(len(names), neutral) for key, neutral in figures.items()}
    for i, name in enumerate(names):
        if name in snapshot.underlyings:
            u = snapshot.underlyings[name]
            liquidity = u.liquidity
            if liquidity is None:
                raise MissingFactors([f"liquidity:{name}"], where="market")
            columns["adv"][i], columns["daily_vol"][i] = liquidity.adv_usd, liquidity.daily_vol
            columns["spread"][i], columns["spread_vol"][i] = liquidity.half_spread, liquidity.half_spread_vol
            columns["uncertainty"][i] = u.uncertainty
    return columns
