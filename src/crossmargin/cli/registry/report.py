"""A registry at a time as figures for people and machines."""

from __future__ import annotations

import msgspec

from crossmargin.adapters.registries.checksums import display
from crossmargin.core.instant import to_milliseconds
from crossmargin.market.registry.document import AssetInstance
from crossmargin.market.registry.registry import Registry, RegistryView, chain_of, ramp_usd
from crossmargin.market.registry.verifiers import effective_verifiers


class InstanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One instance; `cap_usd` is what its ramp allows at this time, with liquidity without end.

    `instance` is its key, `display` the same with the address as EIP-55 writes it, where keccak is installed.
    """

    canonical: str
    symbol: str
    chain: str
    instance: str
    display: str
    decimals: int
    kind: str
    status: str
    bridges: tuple[str, ...]
    cap_usd: float


class BridgeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One bridge; `verifiers` is how many independent parties must be corrupted."""

    bridge: str
    name: str
    verifiers: int
    issuer: str
    exposure_cap: float
    incident: str
    lanes: int
    instances: int


class ChainRow(msgspec.Struct, frozen=True, kw_only=True):
    """One chain."""

    chain: str
    name: str
    method: str
    final_s: float
    halt_s: float
    instances: int


class RegistryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force at `as_of_ms`, and the hash and Merkle root of every record."""

    as_of_ms: int
    sha256: str
    root: str
    changes: int
    instances: tuple[InstanceRow, ...]
    bridges: tuple[BridgeRow, ...]
    chains: tuple[ChainRow, ...]


def registry_report(registry: Registry, *, time_ns: int) -> RegistryReport:
    """The report of a registry as it stands at a time."""
    view = registry.at(time_ns)
    ordered = sorted(view.instances.values(), key=lambda i: (i.canonical, i.instance))
    return RegistryReport(
        as_of_ms=to_milliseconds(time_ns),
        sha256=registry.sha256,
        root=registry.root,
        changes=len(registry.times_ns),
        instances=tuple(_instance(i, view) for i in ordered),
        bridges=tuple(_bridge(name, view) for name in sorted(view.bridges)),
        chains=tuple(_chain(name, view) for name in sorted(view.chains)),
    )


def _instance(instance: AssetInstance, view: RegistryView) -> InstanceRow:
    return InstanceRow(
        canonical=instance.canonical,
        symbol=instance.symbol,
        chain=view.chains[chain_of(instance.instance)].name,
        instance=instance.instance,
        display=display(instance.instance),
        decimals=instance.decimals,
        kind=instance.kind,
        status=instance.status,
        bridges=tuple(edge.bridge for edge in instance.backing),
        cap_usd=ramp_usd(instance.ramp, view.time_ns) if instance.ramp and instance.status == "active" else 0.0,
    )


def _bridge(name: str, view: RegistryView) -> BridgeRow:
    bridge = view.bridges[name]
    return BridgeRow(
        bridge=name,
        name=bridge.name,
        verifiers=effective_verifiers(bridge.verifiers),
        issuer=bridge.issuer,
        exposure_cap=bridge.exposure_cap,
        incident=bridge.incident,
        lanes=len(bridge.limits),
        instances=sum(any(edge.bridge == name for edge in i.backing) for i in view.instances.values()),
    )


def _chain(name: str, view: RegistryView) -> ChainRow:
    chain = view.chains[name]
    return ChainRow(
        chain=name,
        name=chain.name,
        method=chain.finality.method,
        final_s=chain.finality.final_s,
        halt_s=chain.finality.halt_s,
        instances=sum(chain_of(i.instance) == name for i in view.instances.values()),
    )
