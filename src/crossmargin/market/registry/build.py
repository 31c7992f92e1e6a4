"""A document to a registry: every record and every moment of change checked, and all of it hashed."""

from __future__ import annotations

import hashlib

import msgspec

from crossmargin.core.instant import format_instant
from crossmargin.core.merkle import merkle_root
from crossmargin.market.registry.consistency import check_view
from crossmargin.market.registry.document import RegistryDocument
from crossmargin.market.registry.records import (
    check_limits,
    checked_asset,
    checked_bridge,
    checked_chain,
    checked_instance,
)
from crossmargin.market.registry.registry import Record, Registry, effective_ns, key_of, view
from crossmargin.market.registry.versions import SECTIONS, check_versions, records_of, times


def build_registry(document: RegistryDocument, *, where: str = "registry") -> Registry:
    """Check a document and hash it.

    Refuses, with the place: ids that are none, two records with one key and time, versions out of order or with changed
    decimals, two instances with one address, decimals without their scale, unknown chains, bridges and homes, an alias
    that two chains share, backing in a ring, a bridge with one verifier above the cap for such, and collateral that
    would count at once. The hash is that of the records, sorted: their order in the file does not change it.
    """
    checked = _checked(document, where)
    check_versions(checked, where=where)
    moments = times([record for section in SECTIONS for record in records_of(checked, section)])
    for time_ns in moments:
        check_view(view(checked, time_ns), checked.limits, where=f"{where} at {format_instant(time_ns)}")
    return Registry(
        document=checked,
        sha256=hashlib.sha256(canonical_json(checked)).hexdigest(),
        root=merkle_root(leaves(checked)).hex(),
        times_ns=moments,
    )


def canonical_json(document: RegistryDocument) -> bytes:
    """The document as JSON whose keys and records are sorted: equal registries, equal bytes."""
    records = {section: _sorted(document, section) for section in SECTIONS}
    return msgspec.json.encode({"limits": document.limits, **records}, order="sorted")


def leaves(document: RegistryDocument) -> list[bytes]:
    """What the Merkle root is over: the limits, then `[section, record]` as JSON in the order of sections and keys."""
    records = [[section, record] for section in SECTIONS for record in _sorted(document, section)]
    return [msgspec.json.encode(leaf, order="sorted") for leaf in (["limits", document.limits], *records)]


def _sorted(document: RegistryDocument, section: str) -> list[Record]:
    return sorted(records_of(document, section), key=lambda record: (key_of(record), effective_ns(record)))


def _checked(document: RegistryDocument, where: str) -> RegistryDocument:
    limits = check_limits(document.limits, where=f"{where}: limits")
    return RegistryDocument(
        limits=limits,
        chains=tuple(checked_chain(c, where=f"{where}: chains[{i}]") for i, c in enumerate(document.chains)),
        assets=tuple(checked_asset(a, where=f"{where}: assets[{i}]") for i, a in enumerate(document.assets)),
        bridges=tuple(checked_bridge(b, where=f"{where}: bridges[{i}]") for i, b in enumerate(document.bridges)),
        instances=tuple(
            checked_instance(x, limits, where=f"{where}: instances[{i}]") for i, x in enumerate(document.instances)
        ),
    )
