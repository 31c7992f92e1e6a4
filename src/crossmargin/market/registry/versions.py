"""Records over time: versions in order, facts that never change, and registries that only grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from crossmargin.core.errors import DuplicateName, InvalidInput
from crossmargin.core.instant import format_instant, parse_instant
from crossmargin.market.registry.document import AssetInstance, CanonicalAsset, Chain, RegistryDocument
from crossmargin.market.registry.registry import Record, Registry, effective_ns, key_of, ramp_usd

SECTIONS: Final = ("chains", "assets", "bridges", "instances")


def records_of(document: RegistryDocument, section: str) -> tuple[Record, ...]:
    """The records of one section, in the order of the file."""
    records: dict[str, tuple[Record, ...]] = {
        "chains": document.chains,
        "assets": document.assets,
        "bridges": document.bridges,
        "instances": document.instances,
    }
    return records[section]


def check_versions(document: RegistryDocument, *, where: str) -> None:
    """Raise for a version that does not come after the one before it, or that changes what cannot change."""
    for section in SECTIONS:
        latest: dict[str, Record] = {}
        for i, record in enumerate(records_of(document, section)):
            place, before = f"{where}: {section}[{i}]", latest.get(key_of(record))
            if before is not None:
                _check_order(before, record, place)
                _check_identity(before, record, place)
            if isinstance(record, AssetInstance):
                _check_growth(before if isinstance(before, AssetInstance) else None, record, place)
            latest[key_of(record)] = record


def check_appended(before: Registry, after: Registry, *, where: str) -> None:
    """Raise `InvalidInput` unless `after` is `before` with records added, none of which takes effect in its past.

    The past of a registry ends with the last time at which one of its records takes effect: what was in force until
    then has been used, and stays as it was.
    """
    horizon_ns = before.times_ns[-1] if before.times_ns else None
    for section in SECTIONS:
        kept = {_spelled(record): record for record in records_of(after.document, section)}
        held = {_spelled(record): record for record in records_of(before.document, section)}
        for record in (held[spelling] for spelling in sorted(held.keys() - kept.keys())):
            raise _rewritten(record, f"{where}: {section}", "kept as it was", "Add a version instead.")
        for record in (kept[spelling] for spelling in sorted(kept.keys() - held.keys())):
            if horizon_ns is not None and effective_ns(record) <= horizon_ns:
                limit = f"in force after {format_instant(horizon_ns)}, the last change before"
                raise _rewritten(record, f"{where}: {section}", limit, "Give it a later valid_from.")
    if before.document.limits != after.document.limits:
        raise InvalidInput(
            "limits", where=where, value=after.document.limits, limit=str(before.document.limits), remedy="Keep them."
        )


def _spelled(record: Record) -> bytes:
    return msgspec.json.encode(record, order="sorted")


def _rewritten(record: Record, where: str, limit: str, remedy: str) -> InvalidInput:
    return InvalidInput(f"record of {key_of(record)}", where=where, value=record.valid_from, limit=limit, remedy=remedy)


def _check_order(before: Record, record: Record, where: str) -> None:
    if effective_ns(record) == effective_ns(before):
        raise DuplicateName("record", where=where, value=key_of(record), first=str(before.valid_from))
    if effective_ns(record) < effective_ns(before):
        raise InvalidInput(
            f"valid_from of {key_of(record)}",
            where=where,
            value=record.valid_from,
            limit=f"after {before.valid_from}, the version before it",
            remedy="Records are only added: give the change the time at which it was made.",
        )


def _identity(record: Record) -> dict[str, object]:
    match record:
        case Chain():
            return {"family": record.family}
        case CanonicalAsset():
            return {"decimals": record.decimals, "peg": record.peg}
        case AssetInstance():
            return {"canonical": record.canonical, "decimals": record.decimals, "kind": record.kind}
        case _:
            return {}


def _check_identity(before: Record, record: Record, where: str) -> None:
    for name, value in _identity(record).items():
        stood = _identity(before)[name]
        if value != stood:
            raise InvalidInput(
                f"{name} of {key_of(record)}",
                where=where,
                value=value,
                limit=f"{stood!r}, as in the version before it",
                remedy="A thing that is another now needs a key of its own.",
            )


def _check_growth(before: AssetInstance | None, instance: AssetInstance, where: str) -> None:
    """New collateral enters at nothing, and no change lets more of it count at once than counted the moment before."""
    ramp, old = instance.ramp, before.ramp if before else None
    if ramp is None or ramp == old:
        return
    allowed = ramp_usd(old, effective_ns(instance)) if old else 0.0
    starts_ns = parse_instant(ramp.start, where=where)
    if ramp.from_usd > allowed or starts_ns < effective_ns(instance):
        raise InvalidInput(
            f"ramp of {instance.instance}",
            where=where,
            value=f"{ramp.from_usd:g} USD from {ramp.start}",
            limit=f"at most {allowed:g} USD, which counted before, from {instance.valid_from} on",
            remedy="Collateral enters at 0 and is let in slowly.",
        )


def times(records: Sequence[Record]) -> tuple[int, ...]:
    """All times at which one of the records takes effect, ascending."""
    return tuple(sorted({effective_ns(record) for record in records}))
