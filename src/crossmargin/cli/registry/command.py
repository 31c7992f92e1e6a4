"""What `registry check` and `registry propose` do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossmargin.adapters.registries.files import read_registry
from crossmargin.adapters.registries.ibc import read_denom_traces
from crossmargin.adapters.registries.lanes import read_lanes
from crossmargin.adapters.registries.token_lists import read_token_list
from crossmargin.cli.output import print_report
from crossmargin.cli.registry.report import RegistryReport, registry_report
from crossmargin.cli.registry.tables import proposal_tables, registry_tables
from crossmargin.core.instant import parse_instant
from crossmargin.market.registry.registry import Registry
from crossmargin.market.registry.versions import check_appended


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a list."""

    kind: str
    registry: Path
    bridge: str
    at: str | None
    chain: str = ""


def check(path: Path, *, at: str | None, before: Path | None, as_json: bool) -> None:
    """Print a checked registry as it stands at a time."""
    found = read_registry(path)
    if before is not None:
        check_appended(read_registry(before), found, where=str(path))
    report: RegistryReport = registry_report(found, time_ns=_moment(found, at))
    print_report(report, as_json=as_json, tables=registry_tables)


def propose(path: Path, asked: Asked, *, as_json: bool) -> None:
    """Print what a list would add."""
    registry = read_registry(asked.registry)
    time_ns = _moment(registry, asked.at)
    if asked.kind == "tokens":
        found = read_token_list(path, registry, time_ns=time_ns)
    elif asked.kind == "ibc":
        found = read_denom_traces(path, registry, chain=asked.chain, time_ns=time_ns)
    else:
        found = read_lanes(path, registry, bridge=asked.bridge, time_ns=time_ns)
    print_report(found, as_json=as_json, tables=proposal_tables)


def _moment(registry: Registry, at: str | None) -> int:
    if at is not None:
        return parse_instant(at, where="--at")
    return registry.times_ns[-1] if registry.times_ns else 0
