"""Conformance packs: folders of cases with inputs, expected numbers and tolerances, run through the public rules.

A pack is recognised by the files it holds. Reading one runs nothing; each case is run by its `check`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from crossmargin.adapters.conformance import Case
from crossmargin.core.errors import UnreadableFile

# The file or folder that marks a pack, and the function that reads it.
_READERS: Final = {
    "pmrm2": "vectors_derive:read_derive",
    "srm_cases.json": "vectors_derive:read_derive",
    "pmrm_cases.json": "vectors_derive:read_derive",
    "perp_margin_requirements.json": "vectors_dydx:read_dydx",
    "spot_weights.json": "vectors_drift:read_drift",
    "health_init_cases.json": "vectors_mango:read_mango",
    "lognormal_es_risk_factors.json": "vectors_vega:read_vega",
    "cboe_strategy_margin_cases.json": "vectors_cboe:read_cboe",
    "crif_items.csv": "vectors_simm:read_simm",
}


class PackResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a pack went: cases and numbers that passed or failed, the worst relative error, and what failed."""

    pack: str
    cases: int
    passed: int
    failed: int
    numbers: int
    worst_relative_error: float
    worst_field: str
    failures: tuple[str, ...] = ()


def read_packs(path: Path) -> Iterator[tuple[str, Iterator[Case]]]:
    """The packs at or below a folder, by name, each with its cases. Raises `UnreadableFile` where there is none."""
    if not path.is_dir():
        raise UnreadableFile(str(path), reason="it is no folder", remedy="Name the folder of a conformance pack")
    found = False
    for folder in sorted([path, *(p for p in path.rglob("*") if p.is_dir())]):
        marks = [name for name in _READERS if (folder / name).exists()]
        readers = dict.fromkeys(_READERS[name] for name in marks)
        for reader in readers:
            found = True
            yield str(folder.relative_to(path.parent)), _reader(reader)(folder)
    if not found:
        known = ", ".join(_READERS)
        raise UnreadableFile(str(path), reason=f"it holds no pack (one of: {known})", remedy="Name another folder")


def _reader(name: str) -> Callable[[Path], Iterator[Case]]:
    module, function = name.split(":")
    read: Callable[[Path], Iterator[Case]] = getattr(
        importlib.import_module(f"crossmargin.adapters.{module}"), function
    )
    return read


def run_pack(name: str, cases: Iterator[Case]) -> PackResult:
    """Run every case of a pack. A case passes if all its numbers do."""
    count = failed = numbers = 0
    worst, field, failures = 0.0, "", []
    for case in cases:
        checks = case.check()
        count += 1
        numbers += len(checks)
        wrong = [c for c in checks if not c.passed]
        failed += bool(wrong)
        failures += [f"{case.name}: {c.field} is {c.got!r}, expected {c.expected!r}" for c in wrong[:1]]
        for c in checks:
            error = abs(c.got - c.expected) / max(abs(c.expected), c.tolerance_absolute, 1e-300)
            if not error <= worst:
                worst, field = error, f"{case.name}: {c.field}"
    return PackResult(
        pack=name,
        cases=count,
        passed=count - failed,
        failed=failed,
        numbers=numbers,
        worst_relative_error=worst,
        worst_field=field,
        failures=tuple(failures),
    )
