"""The registry at a time: one version of each record, keyed, and the hashes of all that was ever said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeVar

from crossmargin.core import check
from crossmargin.core.instant import DAY_NS, parse_instant
from crossmargin.market.registry.amounts import check_amount, parse_scale, to_canonical, whole_tokens
from crossmargin.market.registry.document import (
    AssetInstance,
    Bridge,
    CanonicalAsset,
    Chain,
    Ramp,
    RegistryDocument,
)

Record = Chain | CanonicalAsset | Bridge | AssetInstance
R = TypeVar("R", Chain, CanonicalAsset, Bridge, AssetInstance)
CUT_OFF: Final = ("paused", "exploited")  # nothing comes home over such a bridge


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryView:
    """The records in force at `time_ns`, by key: CAIP-2, asset name, bridge name, CAIP-19 in canonical form."""

    time_ns: int
    chains: Mapping[str, Chain]
    assets: Mapping[str, CanonicalAsset]
    bridges: Mapping[str, Bridge]
    instances: Mapping[str, AssetInstance]

    def canonical_amount(self, instance: str, amount: int) -> Fraction:
        """Whole canonical tokens that `amount` smallest units of an instance stand for, exactly.

        Raises `UnknownName` for an instance that is not in force and `InvalidInput` for what no contract can hold.
        """
        found = self.instance(instance)
        units = to_canonical(check_amount(amount, where=instance), scale_of(found))
        return whole_tokens(units, self.assets[found.canonical].decimals)

    def instance(self, key: str) -> AssetInstance:
        """The instance with that CAIP-19 key; raises `UnknownName`."""
        check.known(key, self.instances, "asset instance", where="registry", remedy="Add it to the registry first.")
        return self.instances[key]

    def bridges_behind(self, instance: str) -> tuple[str, ...]:
        """All bridges that an instance depends on, through all it is backed by, sorted."""
        found: set[str] = set()
        seen, ahead = {instance}, [self.instance(instance)]
        while ahead:
            for edge in ahead.pop().backing:
                found.add(edge.bridge)
                if edge.home not in seen:
                    seen.add(edge.home)
                    ahead.append(self.instances[edge.home])
        return tuple(sorted(found))

    def _is_cut_off(self, instance: str) -> bool:
        return any(self.bridges[name].incident in CUT_OFF for name in self.bridges_behind(instance))

    def cap_usd(self, instance: str, *, proven_liquidity_usd: float) -> float:
        """The most that the instance may count for, USD: its ramp at this time, within its share of the liquidity.

        0 without a ramp, before it starts, for what may only be reduced, and behind a bridge that is paused or
        exploited."""
        found = self.instance(instance)
        liquidity = check.within(proven_liquidity_usd, "proven liquidity", 0.0, 1e15, where=instance)
        if found.ramp is None or found.status != "active" or self._is_cut_off(instance):
            return 0.0
        return min(ramp_usd(found.ramp, self.time_ns), found.ramp.liquidity_share * liquidity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A checked registry: its document, and the hash and Merkle root of its records.

    `times_ns` are the times at which something takes effect, ascending.
    """

    document: RegistryDocument
    sha256: str
    root: str
    times_ns: tuple[int, ...]

    def at(self, time_ns: int) -> RegistryView:
        """What is in force at a time: of each key, the last version whose time has come."""
        return view(self.document, time_ns)


def effective_ns(record: Record) -> int:
    """When a record takes effect."""
    return _instant_ns(record.valid_from)


@lru_cache(maxsize=65_536)
def _instant_ns(valid_from: str | int) -> int:
    """Records share few times, and a view asks for that of each."""
    return parse_instant(valid_from, where="valid_from")


def key_of(record: Record) -> str:
    """What a record is about: two with one key are versions of one thing."""
    match record:
        case Chain():
            return record.chain
        case CanonicalAsset():
            return record.asset
        case Bridge():
            return record.bridge
        case AssetInstance():
            return record.instance


def view(document: RegistryDocument, time_ns: int) -> RegistryView:
    """The records of a document that are in force at a time."""
    return RegistryView(
        time_ns=time_ns,
        chains=_in_force(document.chains, time_ns),
        assets=_in_force(document.assets, time_ns),
        bridges=_in_force(document.bridges, time_ns),
        instances=_in_force(document.instances, time_ns),
    )


def _in_force(records: Iterable[R], time_ns: int) -> Mapping[str, R]:
    return MappingProxyType({key_of(r): r for r in records if effective_ns(r) <= time_ns})


def chain_of(key: str) -> str:
    """The CAIP-2 chain of a CAIP-19 key that has been checked."""
    return key.partition("/")[0]


def scale_of(instance: AssetInstance) -> Fraction:
    """Smallest canonical units in one smallest unit of an instance."""
    return parse_scale(instance.scale, where=f"{instance.instance}: scale") if instance.scale else Fraction(1)


def ramp_usd(ramp: Ramp, time_ns: int) -> float:
    """USD of a ramp at a time, as if liquidity were without end."""
    start_ns = parse_instant(ramp.start, where="ramp.start")
    done = min(max((time_ns - start_ns) / (ramp.days * DAY_NS), 0.0), 1.0)
    return ramp.from_usd + (ramp.cap_usd - ramp.from_usd) * done
