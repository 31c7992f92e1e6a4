"""Measure the cases of every module in this folder and print one table; figures go to `.benchmarks/` as JSON."""

import argparse
import importlib
import json
import os
import platform
import time
from pathlib import Path

import numba
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.case import ROUNDS, Case, Outcome, measure

FOLDER = Path(__file__).parent
RESULTS = FOLDER.parent / ".benchmarks"
NOT_CASES = {"__init__", "__main__", "case", "run"}


def discover() -> list[Case]:
    """The cases of every module here, by the order of their names."""
    modules = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NOT_CASES)
    return [case for module in modules for case in importlib.import_module(f"benchmarks.{module}").cases()]


def main() -> None:
    """Entry point of `python -m benchmarks`; fails if a bar is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", help="words that the name of a case must hold; all without any")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each contender, if quick")
    asked = parser.parse_args()
    console, outcomes = Console(width=None if os.isatty(1) else 150), []
    for case in discover():
        if not asked.cases or any(word in case.name for word in asked.cases):
            with console.status(case.name):
                outcomes.append(measure(case, rounds=asked.rounds))
    console.print(table(outcomes))
    RESULTS.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    (RESULTS / f"{stamp}.json").write_text(json.dumps(record(outcomes, stamp), indent=1))
    missed = [outcome.case.name for outcome in outcomes if not all(ok for *_, ok in verdicts(outcome))]
    if missed:
        console.print(f"[red]missed: {', '.join(missed)}")
        raise SystemExit(1)


def verdicts(outcome: Outcome) -> list[tuple[str, str, bool]]:
    """Each bar of a case: what was asked, what was found, and whether it holds; a bar without contender holds."""
    found = []
    for bar in outcome.case.bars:
        if bar.against in outcome.absent:
            found.append((f"≥ {bar.ratio_min:g}× {bar.against}", "absent", True))
            continue
        ratio = outcome.ratio(bar.against)
        found.append((f"≥ {bar.ratio_min:g}× {bar.against}", f"{ratio:.3g}×", ratio >= bar.ratio_min))
    if outcome.error is not None:
        holds = outcome.error <= outcome.case.error_max
        found.append((f"error ≤ {outcome.case.error_max:.0e}", f"{outcome.error:.1e}", holds))
    for limit, value in zip(outcome.case.limits, outcome.limits, strict=True):
        asked = f"{limit.name} ≤ {limit.at_most:g} {limit.unit}"
        found.append((asked, f"{value:.3g} {limit.unit}", value <= limit.at_most))
    return found


def table(outcomes: list[Outcome]) -> Table:
    """One row a case: time at the largest size, contenders as ratios, bars, memory and growth."""
    view = Table(title="Benchmarks", caption=machine(), show_lines=True)
    for heading in ("work", "size", "ours", "a cell", "instead", "takes", "bar", "found", "peak MB", "grows as"):
        view.add_column(heading, overflow="fold")
    for outcome in outcomes:
        case = outcome.case
        size = case.sizes[-1]
        times = outcome.nanoseconds[size]
        ours, *others = times
        bars = verdicts(outcome)
        absent = [(name, f"[dim]{why}[/]") for name, why in outcome.absent.items()]
        rivals = [(name, f"{outcome.ratio(name):.3g}×") for name in others] + absent
        view.add_row(
            case.name + (f"\n[dim]{case.notes}[/]" if case.notes else ""),
            f"{size:,} {case.unit}",
            f"{outcome.seconds[size][ours] * 1e3:.3g} ms",
            f"{times[ours]:.3g} ns",
            "\n".join(name for name, _ in rivals),
            "\n".join(what for _, what in rivals),
            "\n".join(what for what, _, _ in bars),
            "\n".join(f"[{'green' if ok else 'red'}]{what}[/]" for _, what, ok in bars),
            f"{outcome.peak_bytes / 1e6:.0f}",
            f"n^{outcome.growth:.2f}",
        )
    return view


def machine() -> str:
    """What the figures were measured on."""
    model = next((line for line in _cpu_lines() if line.startswith("model name")), platform.processor())
    return (
        f"{model.split(':')[-1].strip()}, {os.cpu_count()} CPUs; Python {platform.python_version()}, "
        f"numpy {np.__version__}, numba {numba.__version__}"
    )


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def record(outcomes: list[Outcome], stamp: str) -> dict[str, object]:
    """What is kept of a run."""
    return {
        "at": stamp,
        "machine": machine(),
        "cases": [
            {
                "name": outcome.case.name,
                "unit": outcome.case.unit,
                "seconds": outcome.seconds,
                "nanoseconds_a_cell": outcome.nanoseconds,
                "absent": outcome.absent,
                "peak_bytes": outcome.peak_bytes,
                "growth": outcome.growth,
                "error": outcome.error,
                "bars": [{"asked": asked, "found": found, "holds": ok} for asked, found, ok in verdicts(outcome)],
            }
            for outcome in outcomes
        ],
    }
