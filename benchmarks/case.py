"""What a benchmark says about itself, and how it is measured."""

import gc
import math
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field

ROUNDS = 15
SECONDS_MAX = 12.0  # For one size of one case; slow contenders then run fewer times.


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to do the work. `cells` is how much of it one run does: a slow loop may do a sample. `absent` says why it
    cannot run here."""

    name: str
    run: Callable[[], object] | None
    cells: float
    absent: str = ""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """`ratio_min`: how many times longer `against` takes for the same work; below 1 ours may take longer."""

    against: str
    ratio_min: float


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A figure that must not pass a number of its own, whatever others take: `measure()` in `unit`."""

    name: str
    unit: str
    at_most: float
    measure: Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A kind of work at three sizes. `contest(size)` gives the contenders, ours first; `error(size)`, where given, how
    far ours is from a reference, and `error_max` how far it may be. `bars` apply to the largest size."""

    name: str
    unit: str
    sizes: tuple[int, int, int]
    contest: Callable[[int], list[Contender]]
    bars: tuple[Bar, ...] = ()
    limits: tuple[Limit, ...] = ()
    error: Callable[[], float] | None = None
    error_max: float = math.inf
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Best seconds and nanoseconds a cell of each contender at each size; peak bytes of ours at the largest."""

    case: Case
    seconds: dict[int, dict[str, float]]
    nanoseconds: dict[int, dict[str, float]]
    absent: dict[str, str]
    peak_bytes: int
    error: float | None
    limits: tuple[float, ...]
    growth: float = field(default=math.nan)

    def ratio(self, name: str) -> float:
        """How many times longer a cell takes `name` than ours, at the largest size."""
        times = self.nanoseconds[self.case.sizes[-1]]
        return times[name] / next(iter(times.values()))


def measure(case: Case, *, rounds: int = ROUNDS) -> Outcome:
    """Run every size; within one, the contenders take turns, so that a busy machine is busy for all of them."""
    seconds, nanoseconds, absent, peak = {}, {}, {}, 0
    for size in case.sizes:
        contest = case.contest(size)
        absent |= {c.name: c.absent for c in contest if c.run is None}
        able = [c for c in contest if c.run is not None]
        best = _take_turns(able, rounds)
        seconds[size] = best
        nanoseconds[size] = {c.name: best[c.name] / c.cells * 1e9 for c in able}
        if size == case.sizes[-1]:
            peak = _peak(able[0])
    ours = [next(iter(seconds[size].values())) for size in case.sizes]
    return Outcome(
        case=case,
        seconds=seconds,
        nanoseconds=nanoseconds,
        absent=absent,
        peak_bytes=peak,
        error=case.error() if case.error else None,
        limits=tuple(limit.measure() for limit in case.limits),
        growth=math.log(ours[-1] / ours[0]) / math.log(case.sizes[-1] / case.sizes[0]),
    )


def _take_turns(contenders: list[Contender], rounds: int) -> dict[str, float]:
    best = dict.fromkeys((c.name for c in contenders), math.inf)
    for contender in contenders:
        _once(contender)  # compiles, and warms caches
    start = time.perf_counter()
    for turn in range(rounds):
        for contender in contenders:
            best[contender.name] = min(best[contender.name], _once(contender))
        if turn > 1 and time.perf_counter() - start > SECONDS_MAX:
            break
    return best


def _once(contender: Contender) -> float:
    assert contender.run is not None
    gc.collect()
    start = time.perf_counter()
    contender.run()
    return time.perf_counter() - start


def _peak(contender: Contender) -> int:
    assert contender.run is not None
    tracemalloc.start()
    contender.run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def optional(module: str) -> str:
    """Why a contender that needs `module` cannot run, or nothing."""
    try:
        __import__(module)
    except ImportError:
        return f"{module} is not installed"
    return ""
