"""From what factors did to a model of what they may do: devolatilise, fill what was not listed, remember the scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray, frozen
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import format_instant, to_milliseconds
from crossmargin.scenarios.calibration import (
    Calibration,
    FactorModel,
    Filter,
    FilterFit,
    HorizonRule,
    Matrix,
    Method,
    Scale,
)
from crossmargin.scenarios.history import FactorHistory
from crossmargin.scenarios.volatility import (
    WARM_UP,
    RegimeFloor,
    VarianceModel,
    VarianceState,
    build_model,
    filter_history,
    regime_floor,
)

LEAST_VOL: Final = 1e-12  # a factor that never moved is scaled by this, and its residuals are zero


class CalibrationSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to fit.

    `lookback` bars of residuals become scenarios; `stress_bars` is the length of the worst stretch that `stressed` is
    measured over; a factor with fewer than `least_bars` moves of its own is refused, one with fewer than `lookback`
    is filled from its proxy: `proxies` by factor, or `default_proxy`.
    """

    method: Method = "filtered"
    lookback: int = 1000
    horizon_bars: int = 1
    horizon_rule: HorizonRule = "overlapping"
    filter: Filter = "ewma"
    decay: float = 0.97
    scale: Scale = Scale()
    regime: bool = False
    stress_bars: int = 250
    least_bars: int = 60
    proxies: dict[str, str] = {}
    default_proxy: str = ""
    draws: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.within(self.lookback, "lookback (bars)", 20, 100_000, where="calibration")
        check.within(self.horizon_bars, "horizon (bars)", 1, self.lookback // 2, where="calibration")
        check.within(self.decay, "decay", 0.5, 0.9999, where="calibration")
        check.within(self.stress_bars, "stressed stretch (bars)", 5, 10_000, where="calibration")
        check.within(self.least_bars, "least moves", WARM_UP + 1, 100_000, where="calibration")
        check.within(self.draws, "draws", 0, 1_000_000, where="calibration")
        if self.horizon_rule == "bootstrap":
            check.within(self.draws, "draws of the bootstrap", 100, 1_000_000, where="calibration")


def common_bars(history: FactorHistory) -> FactorHistory:
    """Only the bars at which every factor that has begun has a level: moves over a closed market are whole.

    Raises `InvalidInput` for a factor that has no level at the last bar, because its calibration would end there.
    """
    missing = np.isnan(history.level)
    ended = np.flatnonzero(missing[-1]) if len(history) else np.zeros(0, np.int64)
    if len(ended):
        raise InvalidInput(
            f"level of {history.factors[ended[0]]}",
            where=f"history at its last bar, {format_instant(int(history.close_ns[-1]))}",
            value="missing",
            limit="there",
            remedy="Cut the history where the factor ends, or leave the factor out.",
        )
    begun = np.maximum.accumulate(~missing, axis=0)
    return history.rows(np.flatnonzero(~(begun & missing).any(axis=1)))


def calibrate(
    history: FactorHistory, spec: CalibrationSpec, *, fits: Mapping[str, FilterFit] | None = None
) -> Calibration:
    """Fit what `spec` asks for to a history; nothing later than its last bar enters.

    `fits` are GARCH parameters by factor, from `fitting`. Raises `InvalidInput` for a history too short, for a factor
    too short without a proxy, and for GARCH without fits.
    """
    whole = common_bars(history)
    moves = whole.moves()
    _check_length(whole, moves, spec)
    filters = filter_fits(whole.factors, spec, fits or {})
    vol = _volatilities(moves, filters, spec)
    residuals = standardised(moves, vol.path)
    rows = residuals[-spec.lookback :]
    filled, beta = fill_gaps(rows, whole.factors, spec)
    own = (~np.isnan(moves)).sum(axis=0)
    gaps = np.isnan(rows).sum(axis=0)
    return Calibration(
        method=spec.method,
        source=history.source,
        history_hash=history.hash(),
        bar_days=whole.bar_days,
        horizon_bars=spec.horizon_bars,
        horizon_rule=spec.horizon_rule,
        close_ms=tuple(to_milliseconds(int(t)) for t in whole.close_ns[-len(rows) :]),
        factors=tuple(
            FactorModel(
                factor=name,
                is_log=bool(whole.is_log[i]),
                observations=int(own[i]),
                now=float(vol.now[i]),
                long_run=float(vol.long_run[i]),
                stressed=float(vol.stressed[i]),
                regime=float(vol.regime[i]),
                filter=filters[i],
                proxy=_proxy(name, spec) if gaps[i] else "",
                proxy_beta=float(beta[i]),
                proxied=int(gaps[i]),
            )
            for i, name in enumerate(whole.factors)
        ),
        residuals=Matrix.of(filled),
        scale=spec.scale,
        draws=spec.draws,
        seed=spec.seed,
    )


def _check_length(whole: FactorHistory, moves: FloatArray, spec: CalibrationSpec) -> None:
    if len(moves) < spec.lookback + WARM_UP:
        raise InvalidInput(
            "history",
            where="calibration",
            value=f"{len(moves)} common moves",
            limit=f"at least {spec.lookback} + {WARM_UP} to warm up",
            remedy="Give a longer history, or a shorter lookback; where markets share few days, fewer factors.",
        )
    own = (~np.isnan(moves)).sum(axis=0)
    for i, name in enumerate(whole.factors):
        check.within(int(own[i]), f"moves of {name}", spec.least_bars, 1e9, where="calibration")


def filter_fits(
    factors: tuple[str, ...], spec: CalibrationSpec, fits: Mapping[str, FilterFit]
) -> tuple[FilterFit, ...]:
    """The filter of each factor; raises `UnknownName` for GARCH without a fit."""
    if spec.filter in ("none", "ewma"):
        return (FilterFit(kind=spec.filter, decay=spec.decay if spec.filter == "ewma" else 0.0),) * len(factors)
    for name in factors:
        check.known(name, fits, f"{spec.filter} fit", where="calibration", remedy="Fit it first (`fitting`).")
    return tuple(fits[name] for name in factors)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Vols:
    """Volatilities of a bar: `path` [bar, factor] known before each move; the others [factor], after the last."""

    path: FloatArray
    now: FloatArray
    long_run: FloatArray
    stressed: FloatArray
    regime: FloatArray


def _volatilities(moves: FloatArray, filters: tuple[FilterFit, ...], spec: CalibrationSpec) -> _Vols:
    long_run = np.sqrt(np.nanmean(moves**2, axis=0))
    stressed = worst_stretch(moves, spec.stress_bars)
    zero = np.zeros_like(long_run)
    if spec.filter == "none":
        recent = np.sqrt(np.nanmean(moves[-spec.lookback :] ** 2, axis=0))
        path = np.broadcast_to(recent, moves.shape)
        return _Vols(path=path, now=recent, long_run=long_run, stressed=stressed, regime=zero)
    found = filter_history(variance_model(filters), moves)
    regime = np.sqrt(regime_floor(found.variance, RegimeFloor())[-1]) if spec.regime else zero
    return _Vols(
        path=np.sqrt(found.variance),
        now=np.sqrt(found.state.variance),
        long_run=long_run,
        stressed=stressed,
        regime=np.nan_to_num(regime),
    )


def stepped(calibration: Calibration, shocks: Mapping[str, float]) -> Calibration:
    """The calibration after one more bar, in which factors moved by `shocks`: their forecasts take the moves in.

    A move over a horizon of h bars counts as h equal ones. Residuals, and what a filter of kind none says, stay.
    """
    bars = calibration.horizon_bars
    fits = []
    for fit in calibration.factors:
        if fit.filter.kind == "none" or fit.factor not in shocks:
            fits.append(fit)
            continue
        shock = shocks[fit.factor]
        move = (np.log1p(shock) if fit.is_log else shock) / bars
        model = variance_model((fit.filter,))
        path = filter_history(model, np.full((bars, 1), move), start_at(np.asarray([fit.now**2])))
        fits.append(msgspec.structs.replace(fit, now=float(np.sqrt(path.state.variance[0]))))
    return msgspec.structs.replace(calibration, factors=tuple(fits))


def start_at(variance: FloatArray) -> VarianceState:
    """The state of a filter that forecasts `variance` [factor] for the next bar."""
    seen = frozen(np.full(variance.shape, float(WARM_UP)))
    return VarianceState(variance=frozen(variance), seen=seen, squares=frozen(np.zeros(variance.shape)))


def standardised(moves: FloatArray, vol: FloatArray) -> FloatArray:
    """Moves over the volatility forecast for them [bar, factor]: NaN where either is missing, 0 where nothing moves."""
    return np.where(vol == 0.0, 0.0, moves / np.maximum(vol, LEAST_VOL))


def variance_model(filters: tuple[FilterFit, ...]) -> VarianceModel:
    """The recursion of these fits, one factor each."""
    ewma = np.asarray([fit.kind == "ewma" for fit in filters], bool)

    def column(name: str) -> FloatArray:
        return np.asarray([getattr(fit, name) for fit in filters])

    decay = column("decay")
    return build_model(
        omega=column("omega"),
        alpha=np.where(ewma, 1.0 - decay, column("alpha")),
        gamma=column("gamma"),
        beta=np.where(ewma, decay, column("beta")),
    )


def worst_stretch(moves: FloatArray, bars: int) -> FloatArray:
    """The largest root mean square of `bars` consecutive moves [factor]; of all of them where that is larger."""
    known = ~np.isnan(moves)
    squares = np.cumsum(np.vstack([np.zeros((1, moves.shape[1])), np.where(known, moves, 0.0) ** 2]), axis=0)
    counts = np.cumsum(np.vstack([np.zeros((1, moves.shape[1])), known]), axis=0)
    span = min(bars, len(moves))
    found, total = squares[span:] - squares[:-span], counts[span:] - counts[:-span]
    full = np.where(total == span, found / span, 0.0)
    whole = squares[-1] / np.maximum(counts[-1], 1.0)
    return np.asarray(np.sqrt(np.maximum(full.max(axis=0, initial=0.0), whole)))


def _proxy(name: str, spec: CalibrationSpec) -> str:
    return spec.proxies.get(name, spec.default_proxy)


def fill_gaps(rows: FloatArray, factors: tuple[str, ...], spec: CalibrationSpec) -> tuple[FloatArray, FloatArray]:
    """Residuals without gaps [row, factor], and the beta to its proxy of each factor that had any [factor].

    A missing residual is β·(the proxy's of that date) + an own part, drawn with the seed from what the regression left
    of the dates that are there. A missing residual of the proxy itself is an error.
    """
    gaps = np.isnan(rows)
    beta = np.zeros(rows.shape[1])
    filled = rows.copy()
    for i in np.flatnonzero(gaps.any(axis=0)):
        name = factors[i]
        source = _proxy_column(name, factors, gaps, spec)
        there = ~gaps[:, i]
        check.within(int(there.sum()), f"moves of {name} in the look-back", 1, 1e9, where="calibration")
        x, y = rows[there, source], rows[there, i]
        beta[i] = float(x @ y / max(x @ x, LEAST_VOL))
        own = y - beta[i] * x
        seed = np.random.default_rng([spec.seed, int(i)])
        filled[gaps[:, i], i] = beta[i] * rows[gaps[:, i], source] + seed.choice(own, size=int(gaps[:, i].sum()))
    return filled, beta


def _proxy_column(name: str, factors: tuple[str, ...], gaps: BoolArray, spec: CalibrationSpec) -> int:
    proxy = _proxy(name, spec)
    if not proxy or proxy == name:
        raise InvalidInput(
            f"moves of {name}",
            where="calibration",
            value=f"{int((~gaps[:, factors.index(name)]).sum())} in the look-back",
            limit=f"{spec.lookback}, or a proxy",
            remedy=f'Name a proxy with a full history: proxies = {{ "{name}" = "spot:BTC" }}.',
        )
    check.known(proxy, factors, "proxy", where=f"calibration of {name}")
    column = factors.index(proxy)
    if gaps[:, column].any():
        raise InvalidInput(
            f"proxy of {name}",
            where="calibration",
            value=proxy,
            limit="a factor with moves over the whole look-back",
            remedy="Take one that has been listed for longer.",
        )
    return column
