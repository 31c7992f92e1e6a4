"""What the records in force at one time must be together: known, unambiguous, backed without cycles, guarded."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter

from crossmargin.core import check
from crossmargin.core.errors import DuplicateName, InvalidInput
from crossmargin.market.registry.document import AssetInstance, BackingEdge, Bridge, Limits
from crossmargin.market.registry.registry import RegistryView, chain_of, scale_of
from crossmargin.market.registry.verifiers import effective_verifiers


def check_view(view: RegistryView, limits: Limits, *, where: str) -> None:
    """Raise `UnknownName`, `DuplicateName` or `InvalidInput` for records that contradict each other."""
    _check_aliases(view, where)
    for key, bridge in view.bridges.items():
        _check_guard(bridge, limits, f"{where}: bridge {key}")
        for lane in bridge.limits:
            check.known(lane.asset, view.assets, "asset of a lane", where=f"{where}: bridge {key}")
            for chain in (lane.origin, lane.destination):
                _check_chain(chain, view, f"{where}: bridge {key}")
    _check_addresses(view, where)
    for key, instance in view.instances.items():
        _check_instance(instance, view, f"{where}: instance {key}")
    cycle = backing_cycle(view.instances)
    if cycle:
        raise InvalidInput(
            "backing",
            where=where,
            value=" → ".join(cycle),
            limit="without a cycle",
            remedy="What backs itself is backed by nothing: name what is locked at home.",
        )


def backing_cycle(instances: Mapping[str, AssetInstance]) -> tuple[str, ...]:
    """Instances that back each other in a ring, the first of them again at the end; empty where there is none."""
    graph = {key: [edge.home for edge in instance.backing] for key, instance in instances.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return tuple(error.args[1])
    return ()


def _check_chain(chain: str, view: RegistryView, where: str) -> None:
    check.known(chain, view.chains, "chain", where=where, remedy="Add the chain with its finality first.")


def _check_aliases(view: RegistryView, where: str) -> None:
    seen: dict[tuple[str, str], str] = {}
    for key, chain in view.chains.items():
        for alias in chain.aliases.items():
            if alias in seen:
                protocol, name = alias
                raise DuplicateName(
                    f"{protocol} alias of {key}", where=where, value=name, first=f"the alias of {seen[alias]}"
                )
            seen[alias] = key


def _check_guard(bridge: Bridge, limits: Limits, where: str) -> None:
    """The rule of 18 April 2026: what one party can forge backs (next to) nothing, its issuer's own word apart."""
    alone = effective_verifiers(bridge.verifiers) == 1 and not bridge.issuer
    if alone and bridge.exposure_cap > limits.single_verifier_cap:
        raise InvalidInput(
            "exposure_cap",
            where=where,
            value=bridge.exposure_cap,
            limit=f"at most {limits.single_verifier_cap:g} while one verifier can forge its messages",
            remedy="Name independent verifiers, or lower the cap.",
        )


def _check_addresses(view: RegistryView, where: str) -> None:
    seen: dict[tuple[str, str], str] = {}
    for key in view.instances:
        namespace, _, reference = key.partition("/")[2].partition(":")
        if namespace == "slip44":
            continue
        address = (chain_of(key), reference)
        if address in seen:
            raise DuplicateName("address of an instance", where=where, value=key, first=seen[address])
        seen[address] = key


def _check_instance(instance: AssetInstance, view: RegistryView, where: str) -> None:
    _check_chain(chain_of(instance.instance), view, where)
    check.known(instance.canonical, view.assets, "canonical asset", where=where)
    _check_scale(instance, view.assets[instance.canonical].decimals, where)
    for feed in instance.feeds:
        if feed.chain:
            _check_chain(feed.chain, view, where)
    for edge in instance.backing:
        _check_edge(instance, edge, view, where)


def _check_scale(instance: AssetInstance, canonical_decimals: int, where: str) -> None:
    if instance.decimals == canonical_decimals and not instance.scale:
        return
    implied = Fraction(10) ** (canonical_decimals - instance.decimals)
    if scale_of(instance) != implied:
        said = f"scale {instance.scale}" if instance.scale else "no scale"
        raise InvalidInput(
            "decimals",
            where=where,
            value=f"{instance.decimals} with {said}",
            limit=f"{canonical_decimals} as {instance.canonical} has, or with scale {implied}",
            remedy="Read its contract, and say the scale where the decimals differ.",
        )


def _check_edge(instance: AssetInstance, edge: BackingEdge, view: RegistryView, where: str) -> None:
    check.known(edge.bridge, view.bridges, "bridge", where=where)
    check.known(edge.home, view.instances, "home instance", where=where)
    home, issuer = view.instances[edge.home], view.bridges[edge.bridge].issuer
    if instance.kind in {"lock_mint", "burn_mint"} and home.canonical != instance.canonical:
        raise InvalidInput(
            "home",
            where=where,
            value=home.canonical,
            limit=f"an instance of {instance.canonical}",
            remedy="Correct it.",
        )
    if issuer and issuer != view.assets[instance.canonical].issuer:
        raise InvalidInput(
            "bridge",
            where=where,
            value=edge.bridge,
            limit=f"one that may carry {instance.canonical}; {edge.bridge} is for the assets of {issuer} alone",
            remedy="Drop the bridge's issuer, which exempts it from the rule on single verifiers.",
        )
    home_chain = chain_of(edge.home)
    if edge.lockbox and edge.lockbox.rpartition(":")[0] != home_chain:
        raise InvalidInput(
            "lockbox",
            where=where,
            value=edge.lockbox,
            limit=f"on {home_chain}, where the home is",
            remedy="Correct it.",
        )
