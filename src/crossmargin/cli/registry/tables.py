"""Registries and proposals as tables for a terminal."""

from __future__ import annotations

from rich.console import RenderableType

from crossmargin.adapters.registries.proposals import Proposals
from crossmargin.cli.registry.report import RegistryReport
from crossmargin.cli.table_parts import Row, Sheet, prose, table
from crossmargin.cli.wording import Column, moment, percent, usd


def registry_tables(report: RegistryReport) -> RenderableType:
    """Instances with their keys, bridges and chains, and under them the hashes."""
    found = f"As of {moment(report.as_of_ms)}, after {report.changes} change(s)."
    hashed = f"Records {report.sha256[:16]}…, Merkle root {report.root[:16]}…."
    parts = (_instances(report), _addresses(report), _bridges(report), _chains(report))
    return Sheet(*parts, prose((found, hashed)))


def proposal_tables(proposals: Proposals) -> RenderableType:
    """What is new and what contradicts the registry; what is known or left out is counted."""
    shown = [p for p in proposals.proposals if p.verdict in {"new", "conflict"}]
    rows: list[Row] = [[p.verdict, p.subject, p.reason] for p in sorted(shown, key=lambda p: (p.verdict, p.subject))]
    columns = tuple(Column(name, words=True) for name in ("verdict", "subject", "reason"))
    counted = ", ".join(f"{proposals.count(v)} {v}" for v in ("new", "conflict", "known", "left out"))
    said = f"{counted}, beside registry {proposals.registry_sha256[:16]}…. Nothing was added."
    return Sheet(table(f"Proposals of {proposals.source}", columns, rows), prose((said,)))


def _instances(report: RegistryReport) -> RenderableType:
    words = ("asset", "symbol", "chain", "kind", "bridges")
    columns = (*(Column(name, words=True) for name in words), Column("decimals"), Column("cap now"))
    rows: list[Row] = [
        [i.canonical, i.symbol, i.chain, i.kind, ", ".join(i.bridges), str(i.decimals), usd(i.cap_usd)]
        for i in report.instances
    ]
    return table("Instances", columns, rows)


def _addresses(report: RegistryReport) -> RenderableType:
    columns = tuple(Column(name, words=True) for name in ("symbol", "instance"))
    return table("Keys, addresses as EIP-55 writes them", columns, [[i.symbol, i.display] for i in report.instances])


def _bridges(report: RegistryReport) -> RenderableType:
    words = ("bridge", "issuer's own", "incident")
    numbers = ("verifiers", "exposure cap", "lanes", "instances")
    columns = (*(Column(name, words=True) for name in words), *(Column(name) for name in numbers))
    rows: list[Row] = [
        [b.name, b.issuer, b.incident, str(b.verifiers), percent(b.exposure_cap), str(b.lanes), str(b.instances)]
        for b in report.bridges
    ]
    return table("Bridges", columns, rows)


def _chains(report: RegistryReport) -> RenderableType:
    words, numbers = ("chain", "name", "final by"), ("final after s", "halt s", "instances")
    columns = (*(Column(name, words=True) for name in words), *(Column(name) for name in numbers))
    rows: list[Row] = [
        [c.chain, c.name, c.method, f"{c.final_s:g}", f"{c.halt_s:g}", str(c.instances)] for c in report.chains
    ]
    return table("Chains", columns, rows)
