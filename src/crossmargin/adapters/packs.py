"""Conformance packs: folders of cases with inputs, expected numbers and tolerances, run through the public rules.

A pack is recognised by the files it holds: a `pack.toml`, or the files of a set of reference vectors. Reading one runs
nothing; each case is run by its `check`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from crossmargin.adapters.conformance import Case, Check, Pack, Statement
from crossmargin.adapters.own_packs.reading import FILE, read_pack
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


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What a case got instead of what it expected; errors where both are numbers."""

    case: str
    field: str
    expected: float | str
    got: float | str
    error: float | None = None
    relative_error: float | None = None


class PackResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a pack went: cases and numbers that passed or failed, the worst relative error, and what failed.

    `own` counts the cases that expect Crossmargin's own answer: they show that nothing changed, and no agreement.
    """

    pack: str
    source: str
    cases: int
    passed: int
    failed: int
    own: int
    numbers: int
    worst_relative_error: float
    worst_field: str
    failures: tuple[Failure, ...] = ()


def read_packs(path: Path) -> Iterator[Pack]:
    """The packs at or below a folder, by name, each with its cases.

    Raises `UnreadableFile` where there is none, and what `read_pack` raises for one in Crossmargin's own format.
    """
    if not path.is_dir():
        raise UnreadableFile(str(path), reason="it is no folder", remedy="Name the folder of a conformance pack")
    found = False
    for folder in sorted([path, *(p for p in path.rglob("*") if p.is_dir())]):
        name = str(folder.relative_to(path.parent))
        if (folder / FILE).exists():
            found = True
            yield read_pack(folder, name=name)
        readers = dict.fromkeys(reader for mark, reader in _READERS.items() if (folder / mark).exists())
        for reader in readers:
            found = True
            yield Pack(name=name, cases=_reader(reader)(folder))
    if not found:
        known = ", ".join((FILE, *_READERS))
        raise UnreadableFile(str(path), reason=f"it holds no pack (one of: {known})", remedy="Name another folder")


def _reader(name: str) -> Callable[[Path], Iterator[Case]]:
    module, function = name.split(":")
    read: Callable[[Path], Iterator[Case]] = getattr(
        importlib.import_module(f"crossmargin.adapters.{module}"), function
    )
    return read


def run_pack(pack: Pack) -> PackResult:
    """Run every case of a pack. A case passes if all it states is met."""
    count = own = numbers = 0
    worst, field = 0.0, ""
    failed: set[int] = set()
    failures: list[Failure] = []
    for count, case in enumerate(pack.cases, start=1):
        own += case.own
        for stated in case.check():
            if isinstance(stated, Check):
                numbers += 1
                error = _relative_error(stated)
                if not error <= worst:
                    worst, field = error, f"{case.name}: {stated.field}"
            if not stated.passed:
                failed.add(count)
                failures.append(_failure(case.name, stated))
    return PackResult(
        pack=pack.name,
        source=pack.source,
        cases=count,
        passed=count - len(failed),
        failed=len(failed),
        own=own,
        numbers=numbers,
        worst_relative_error=worst,
        worst_field=field,
        failures=tuple(failures),
    )


def _relative_error(check: Check) -> float:
    return abs(check.got - check.expected) / max(abs(check.expected), check.tolerance_absolute, 1e-300)


def _failure(case: str, stated: Check | Statement) -> Failure:
    found = Failure(case=case, field=stated.field, expected=stated.expected, got=stated.got)
    if isinstance(stated, Statement):
        return found
    return msgspec.structs.replace(
        found, error=abs(stated.got - stated.expected), relative_error=_relative_error(stated)
    )
