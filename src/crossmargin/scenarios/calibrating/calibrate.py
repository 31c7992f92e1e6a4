"""From what factors did to a model of what they may do: devolatilise, fill what was not listed, remember the scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray, frozen
from crossmargin.core.canon import digest
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import format_instant, to_milliseconds
from crossmargin.scenarios.calibrating.calibration import (
    Calibration,
    CopulaRule,
    CorrelationStress,
    FactorModel,
    Filter,
    FilterFit,
    HorizonRule,
    KindRule,
    Marginals,
    Matrix,
    Method,
    Scale,
    Stretch,
    TailRule,
    base_share,
    check_columns,
)
from crossmargin.scenarios.calibrating.law import fit_law
from crossmargin.scenarios.calibrating.stressed import worst_window
from crossmargin.scenarios.factors import KINDS, PRICE_KINDS
from crossmargin.scenarios.history import FactorHistory
from crossmargin.scenarios.liquidity import LiquidityRule, market_stress
from crossmargin.scenarios.statistics.fitting import OBSERVATIONS_MIN, Law, VolatilityFit, fit_volatility
from crossmargin.scenarios.statistics.volatility import (
    WARM_UP,
    RegimeFloor,
    VarianceModel,
    VarianceState,
    build_model,
    filter_history,
    regime_floor,
)

LEAST_VOL: Final = 1e-12  # a factor that never moved is scaled by this, and its residuals are zero
STRETCH_MIN: Final = 20  # columns: with fewer a stressed stretch is an anecdote


class CalibrationSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to fit.

    `lookback` bars of residuals become scenarios, or are what `draws` are drawn from; `stress_bars` is the length of
    the worst stretch that `stressed` is measured over; a factor with fewer than `least_bars` moves of its own is
    refused, one with fewer than `lookback` is filled from its proxy: `proxies` by factor, or `default_proxy`.

    `law` is that of the innovations of GARCH. Spliced marginals have tails by the rule `tails`, draws a copula by the
    rule `dependence`. `stressed_share` is what the worst stretch of all factors together weighs as columns of its own,
    `correlation_stress` adds families of stressed correlations, `implied_weight` is the share of the volatility that
    options imply, and `liquidity` what stress does to spreads and volumes. `kinds` are rules for kinds of factors that
    are not treated as the rest: `kinds = { basis = { filter = "none" } }`.
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
    law: Law = "t"
    marginals: Marginals = "empirical"
    tails: TailRule = TailRule()
    dependence: CopulaRule = CopulaRule()
    stressed_share: float = 0.0
    correlation_stress: CorrelationStress | None = None
    implied_weight: float = 0.0
    liquidity: LiquidityRule | None = None
    kinds: dict[str, KindRule] = {}

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.within(self.lookback, "lookback (bars)", 20, 100_000, where="calibration")
        check.within(self.horizon_bars, "horizon (bars)", 1, self.lookback // 2, where="calibration")
        check.within(self.decay, "decay", 0.5, 0.9999, where="calibration")
        check.within(self.stress_bars, "stressed stretch (bars)", 5, 10_000, where="calibration")
        check.within(self.least_bars, "least moves", WARM_UP + 1, 100_000, where="calibration")
        check.within(self.draws, "draws", 0, 1_000_000, where="calibration")
        check_columns(self.method, self.horizon_bars, self.horizon_rule, self.draws)
        check.within(self.implied_weight, "weight of implied volatility", 0.0, 1.0, where="calibration")
        check.within(self.stressed_share, "weight of the stressed stretch", 0.0, 1.0, where="calibration")
        base_share(self.stressed_share, self.correlation_stress)
        for kind in self.kinds:
            check.known(kind, KINDS, "kind of factor with a rule", where="calibration")
        if self.liquidity is not None and any(self.filter_of(f"{kind}:") == "none" for kind in PRICE_KINDS):
            remedy = 'Set filter = "ewma": the state of a market is read off its forecast volatility.'
            raise InvalidInput("filter", where="calibration", value="none", limit="one that forecasts", remedy=remedy)
        if self.stressed_share > 0.0:
            least = STRETCH_MIN + self.horizon_bars
            check.within(self.stress_bars, "stressed stretch (bars) of columns", least, 10_000, where="calibration")

    def filter_of(self, factor: str) -> Filter:
        """The filter of a factor: that of its kind, or of all."""
        rule = self.kinds.get(factor.partition(":")[0])
        return self.filter if rule is None else rule.filter

    def own_scale(self, factor: str) -> Scale | None:
        """The scale of a factor's kind; None where it is that of all."""
        rule = self.kinds.get(factor.partition(":")[0])
        return None if rule is None else rule.scale

    @property
    def tail_rule(self) -> TailRule | None:
        """How tails are fitted; None for empirical marginals."""
        return self.tails if self.marginals == "spliced" else None

    @property
    def copula_rule(self) -> CopulaRule | None:
        """How a copula is fitted; None where nothing is drawn."""
        return self.dependence if self.method == "monte_carlo" else None


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

    `fits` are GARCH parameters by factor, from `fit_filters`. Raises `InvalidInput` for a history too short, for a
    factor too short without a proxy, for GARCH without fits, and what `fit_law` raises.
    """
    whole = common_bars(history)
    moves = whole.moves()
    _check_length(whole, moves, spec)
    filters = filter_fits(whole.factors, spec, fits or {})
    vol = _volatilities(moves, filters, spec)
    residuals = standardised(moves, vol.path)
    rows = residuals[-spec.lookback :]
    filled, beta = fill_gaps(rows, whole.factors, spec)
    law = fit_law(filled, whole.factors, spec.tail_rule, spec.copula_rule)
    close_ms = tuple(to_milliseconds(int(t)) for t in whole.close_ns[1:])
    own = (~np.isnan(moves)).sum(axis=0)
    gaps, is_log = np.isnan(rows).sum(axis=0), whole.is_log
    return Calibration(
        method=spec.method,
        source=history.source,
        history_hash=history.hash(),
        bar_days=whole.bar_days,
        horizon_bars=spec.horizon_bars,
        horizon_rule=spec.horizon_rule,
        close_ms=close_ms[-len(rows) :],
        factors=tuple(
            FactorModel(
                factor=name,
                is_log=bool(is_log[i]),
                observations=int(own[i]),
                now=float(vol.now[i]),
                long_run=float(vol.long_run[i]),
                stressed=float(vol.stressed[i]),
                regime=float(vol.regime[i]),
                filter=filters[i],
                proxy=_proxy(name, spec) if gaps[i] else "",
                proxy_beta=float(beta[i]),
                proxied=int(gaps[i]),
                lower=law.lower[i],
                upper=law.upper[i],
                stress=float(vol.stress[i]),
                scale=spec.own_scale(name),
            )
            for i, name in enumerate(whole.factors)
        ),
        residuals=Matrix.of(filled),
        scale=spec.scale,
        marginals=spec.marginals,
        dependence=law.dependence,
        draws=spec.draws,
        seed=spec.seed,
        stretch=stressed_stretch(moves, close_ms, vol.long_run, whole.factors, spec),
        correlation_stress=spec.correlation_stress,
        implied_weight=spec.implied_weight,
        liquidity=spec.liquidity,
        spec_hash=digest(spec),
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
    plain: dict[Filter, FilterFit] = {"none": FilterFit(kind="none"), "ewma": FilterFit(kind="ewma", decay=spec.decay)}
    kinds = [spec.filter_of(name) for name in factors]
    for name, kind in zip(factors, kinds, strict=True):
        if kind not in plain:
            check.known(name, fits, f"{kind} fit", where="calibration", remedy="Fit it first (`fit_filters`).")
    return tuple(plain.get(kind) or fits[name] for name, kind in zip(factors, kinds, strict=True))


def fit_filters(history: FactorHistory, spec: CalibrationSpec) -> dict[str, FilterFit]:
    """The filters of the factors of a history by maximum likelihood, where `spec` asks for GARCH or GJR; else none.

    What `fitting` says of fits that are refused holds: the persistence is held, or EWMA takes the place, with the
    reason. EWMA also stands where a factor has fewer than 500 moves of its own, or does not move. Needs the extra
    `calibrate`.
    """
    if spec.filter not in ("garch", "gjr"):
        return {}
    whole = common_bars(history)
    moves = whole.moves()
    own = {name: i for i, name in enumerate(whole.factors) if spec.filter_of(name) == spec.filter}
    return {name: _filter_fit(moves[:, i], name, spec) for name, i in own.items()}


def _filter_fit(moves: FloatArray, name: str, spec: CalibrationSpec) -> FilterFit:
    own = moves[~np.isnan(moves)]
    if len(own) < OBSERVATIONS_MIN or np.ptp(own) == 0.0:
        said = f"{len(own)} moves, fewer than {OBSERVATIONS_MIN}" if np.ptp(own) > 0.0 else "it does not move"
        return FilterFit(kind="ewma", decay=spec.decay, reason=said)
    kind: Literal["garch", "gjr"] = "gjr" if spec.filter == "gjr" else "garch"
    return as_filter(fit_volatility(own, kind, spec.law, where=name))


def as_filter(fit: VolatilityFit) -> FilterFit:
    """A fitted volatility model as it is stored; standard errors are those robust to a wrong law, where they exist."""
    errors = {n: e for n, e in zip(fit.names, fit.qmle, strict=False) if np.isfinite(e)}
    garch = {name: fit.value(name) for name in ("omega", "alpha", "gamma", "beta")} if fit.kind != "ewma" else {}
    return FilterFit(
        kind=fit.kind,
        decay=fit.value("beta") if fit.kind == "ewma" else 0.0,
        mean=fit.value("mean"),
        degrees=fit.value("nu"),
        skew=fit.value("skew"),
        standard_errors=errors,
        log_likelihood=fit.log_likelihood,
        reason=fit.reason,
        **garch,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Vols:
    """Volatilities of a bar: `path` [bar, factor] known before each move; the others [factor], after the last.

    `stress` is the state of each factor's market, where a liquidity rule asks for it."""

    path: FloatArray
    now: FloatArray
    long_run: FloatArray
    stressed: FloatArray
    regime: FloatArray
    stress: FloatArray


def _volatilities(moves: FloatArray, filters: tuple[FilterFit, ...], spec: CalibrationSpec) -> _Vols:
    long_run = np.sqrt(np.nanmean(moves**2, axis=0))
    stressed = worst_stretch(moves, spec.stress_bars)
    zero, plain = np.zeros_like(long_run), unfiltered(filters)
    recent = np.sqrt(np.nanmean(moves[-spec.lookback :] ** 2, axis=0))
    found = filter_history(variance_model(filters), moves)
    regime = np.sqrt(regime_floor(found.variance, RegimeFloor())[-1]) if spec.regime else zero
    return _Vols(
        path=np.where(plain, recent, np.sqrt(found.variance)),
        now=np.where(plain, recent, np.sqrt(found.state.variance)),
        long_run=long_run,
        stressed=stressed,
        regime=np.nan_to_num(regime),
        stress=zero if spec.liquidity is None else market_stress(found.variance, RegimeFloor()),
    )


def unfiltered(filters: tuple[FilterFit, ...]) -> BoolArray:
    """Which factors [factor] have one volatility for the whole look-back; the recursion leaves theirs at zero."""
    return np.asarray([fit.kind == "none" for fit in filters], bool)


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
        mean=column("mean"),
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


def stressed_stretch(
    moves: FloatArray, close_ms: tuple[int, ...], long_run: FloatArray, factors: tuple[str, ...], spec: CalibrationSpec
) -> Stretch | None:
    """The moves of the worst time of all factors together, which weigh `stressed_share`; None for a share of zero.

    It is the stretch of `stress_bars` with the greatest mean square of moves over their long-run volatilities, among
    the bars at which every factor, or its proxy, moves; all bars of the look-back are such.
    """
    if spec.stressed_share == 0.0:
        return None
    there = ~np.isnan(moves)
    known = there.copy()
    for i, name in enumerate(factors):
        if (proxy := _proxy(name, spec)) in factors:
            known[:, i] |= there[:, factors.index(proxy)]
    usable = np.flatnonzero(known.all(axis=1))
    filled = fill_gaps(standardised(moves[usable], long_run), factors, spec)[0]
    window = worst_window(filled, spec.stress_bars)
    return Stretch(
        close_ms=tuple(close_ms[i] for i in usable[window]),
        moves=Matrix.of(filled[window] * long_run),
        weight=spec.stressed_share,
    )


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
