"""Models that are walked forward: plain history, filters at any decay, and every recipe."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.core.errors import InvalidInput
from crossmargin.measures.reduce import Measure
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.calibrating.walk import Walk, walk
from crossmargin.scenarios.history import FactorHistory
from crossmargin.validation.backtest import Progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walked:
    """A calibration after every move of a history: the columns of its walk."""

    name: str
    measure: Measure
    walk: Walk

    def columns(self, t: int) -> FloatArray:
        """Shocks [factor, scenario] over the horizon that begins after move t."""
        return self.walk.columns(t)

    def weights(self, t: int) -> FloatArray | None:
        """What each column weighs [scenario]; None where nothing is blended."""
        return blended_weights(self.walk, t)


def blended_weights(found: Walk, t: int) -> FloatArray | None:
    """What the columns of a walk weigh after move t [scenario]; None where its specification blends no families."""
    spec = found.spec
    return found.weights(t) if spec.stressed_share > 0.0 or spec.correlation_stress is not None else None


def silent(_: str, __: int, ___: int) -> None:
    """The progress that nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What challengers share: the history, and the look-back, horizon, proxies and measure of the model they meet.

    Margins are set after moves `first` … `last`; draws take `seed`. `base` is the walk of `textbook` at a decay of
    0.97, from whose residuals and volatilities tails and copulas are fitted. Fits that take time tell `progress`.
    """

    history: FactorHistory
    spec: CalibrationSpec
    measure: Measure
    base: Walk
    first: int
    last: int
    seed: int = 0
    progress: Progress = field(default=silent)

    def walked(self, name: str, *, decay: float = 0.97, **changes: object) -> Walked:
        """The challenger whose specification differs from the textbook one by `decay` a day and by `changes`."""
        spec = msgspec.structs.replace(textbook(self.spec, self.history, decay=decay), **changes)
        return Walked(name=name, measure=self.measure, walk=walk(self.history, spec))


def textbook(spec: CalibrationSpec, history: FactorHistory, *, decay: float = 0.97) -> CalibrationSpec:
    """Plainly filtered history by EWMA at a `decay` a day, or for a bar if that is more.

    Look-back, horizon, least moves, proxies and seed are those of `spec`; nothing else of it is."""
    return CalibrationSpec(
        lookback=spec.lookback,
        horizon_bars=spec.horizon_bars,
        horizon_rule=spec.horizon_rule,
        draws=spec.draws if spec.horizon_rule == "bootstrap" else 0,
        decay=decay ** min(history.bar_days, 1.0),
        least_bars=spec.least_bars,
        proxies=spec.proxies,
        default_proxy=spec.default_proxy,
        seed=spec.seed,
    )


def judgeable(walks: tuple[Walk, ...], *, every: int = 1) -> BoolArray:
    """After which moves [move] every walk has its look-back, and a full proxy for each factor that was listed too late.

    Where laws are fitted after `every` so many moves, dates begin at the first such move. Raises `InvalidInput` for
    walks over different bars."""
    bars = {len(found.close_ns) for found in walks}
    if len(bars) > 1:
        raise InvalidInput(
            "bars", where="backtest", value=sorted(bars), limit="the same for all models", remedy="Use one history."
        )
    ready = np.logical_and.reduce([found.ready() & _filled(found) for found in walks])
    first = int(np.argmax(ready))
    return np.asarray(ready & (np.arange(len(ready)) >= -(-first // every) * every))


def _filled(found: Walk) -> BoolArray:
    """After which moves each factor has no gap in the look-back, or a proxy that has none [move]."""
    gaps = np.cumsum(np.vstack([np.zeros((1, found.residual.shape[1])), np.isnan(found.residual)]), axis=0)
    first = np.maximum(np.arange(1, len(gaps)) - found.spec.lookback, 0)
    whole = gaps[1:] == gaps[first]
    names = found.history.factors
    proxies = [found.spec.proxies.get(name, found.spec.default_proxy) for name in names]
    standing = [whole[:, names.index(proxy)] if proxy in names else whole[:, i] for i, proxy in enumerate(proxies)]
    return np.asarray((whole | np.stack(standing, axis=1)).all(axis=1))
