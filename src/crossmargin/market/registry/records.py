"""Checks of one record by itself, and its ids in canonical form."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Final, TypeVar

import msgspec

from crossmargin.core import check
from crossmargin.core.chain_ids import parse_account, parse_asset, parse_chain
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import format_instant, parse_instant
from crossmargin.market.oracles.document import Feed
from crossmargin.market.registry.amounts import check_amount, check_decimals, parse_scale
from crossmargin.market.registry.document import (
    AssetInstance,
    BackingEdge,
    Bridge,
    CanonicalAsset,
    Chain,
    LaneLimit,
    Limits,
    Ramp,
)
from crossmargin.market.registry.verifiers import check_verifiers

R = TypeVar("R", Chain, CanonicalAsset, Bridge, AssetInstance)
_MADE_WITHOUT_BACKING: Final = ("native", "issuer_native")
_BRIDGED: Final = ("lock_mint", "burn_mint")


def check_limits(limits: Limits, *, where: str) -> Limits:
    """`limits`, if they are possible."""
    check.within(limits.single_verifier_cap, "single_verifier_cap", 0.0, 1.0, where=where)
    check.positive(limits.ramp_days_min, "ramp_days_min", where=where)
    return limits


def checked_chain(chain: Chain, *, where: str) -> Chain:
    """A chain whose id and times are possible."""
    parse_chain(chain.chain, where=where)
    finality = chain.finality
    check.positive(finality.final_s, "final_s", where=where)
    check.within(finality.halt_s, "halt_s", 0.0, 1e9, where=where)
    for name, value in (("soft_s", finality.soft_s), ("exit_s", finality.exit_s)):
        if value is not None:
            check.positive(value, name, where=where)
    if (finality.method == "depth") != (finality.blocks > 0):
        raise InvalidInput(
            "blocks",
            where=where,
            value=finality.blocks,
            limit="above zero for method `depth`, and only there",
            remedy="Say how many blocks must follow.",
        )
    return _dated(chain, where)


def checked_asset(asset: CanonicalAsset, *, where: str) -> CanonicalAsset:
    """A canonical asset with a name and possible decimals."""
    _named(asset.asset, "asset", where)
    check_decimals(asset.decimals, where=where)
    return _dated(asset, where)


def checked_bridge(bridge: Bridge, *, where: str) -> Bridge:
    """A bridge with a possible set of verifiers, cap and limits."""
    _named(bridge.bridge, "bridge", where)
    check_verifiers(bridge.verifiers, where=f"{where}.verifiers")
    check.within(bridge.exposure_cap, "exposure_cap", 0.0, 1.0, where=where)
    lanes = [f"{lane.asset} {lane.origin} {lane.destination}" for lane in bridge.limits]
    check.unique(lanes, "lane", where=f"{where}.limits")
    for i, lane in enumerate(bridge.limits):
        _check_lane(lane, f"{where}.limits[{i}]")
    return _dated(bridge, where)


def checked_instance(instance: AssetInstance, limits: Limits, *, where: str) -> AssetInstance:
    """An instance with its ids in canonical form, possible decimals, and the backing that its kind needs."""
    key = parse_asset(instance.instance, where=where)
    check_decimals(instance.decimals, where=where)
    if instance.scale:
        parse_scale(instance.scale, where=where)
    if instance.kind == "native" and key.namespace != "slip44":
        raise InvalidInput(
            "kind", where=where, value=instance.kind, limit="`native` for slip44 alone", remedy="Correct it."
        )
    _check_backing(instance, where)
    check.unique((feed.source for feed in instance.feeds), "feed", where=f"{where}.feeds")
    for feed in instance.feeds:
        check_feed(feed, where=f"{where}.feeds")
    if instance.ramp is not None:
        _check_ramp(instance.ramp, limits, f"{where}.ramp")
    edges = tuple(_edge(edge, f"{where}.backing[{i}]") for i, edge in enumerate(instance.backing))
    return _dated(msgspec.structs.replace(instance, instance=str(key), backing=edges), where)


def check_feed(feed: Feed, *, where: str) -> Feed:
    """`feed`, if it has names, a heartbeat where its kind needs one, and possible decimals and depth."""
    _named(feed.source, "source", where)
    _named(feed.family, "family", where)
    if feed.chain:
        parse_chain(feed.chain, where=where)
    if feed.decimals is not None:
        check_decimals(feed.decimals, where=where)
    check.within(feed.liquidity_usd, "liquidity_usd", 0.0, 1e15, where=where)
    if feed.kind in {"push", "redemption"}:
        check.positive(feed.heartbeat_s, "heartbeat_s", where=where)
    return feed


def _dated(record: R, where: str) -> R:
    """The record with its time as text in UTC, so that one instant has one spelling and one hash."""
    _named(record.source, "source", where)
    try:
        dt.date.fromisoformat(record.date)
    except ValueError:
        raise InvalidInput(
            "date",
            where=where,
            value=record.date,
            limit="a day like 2026-08-21",
            remedy="Say when its source stood so.",
        ) from None
    effective_ns = parse_instant(record.valid_from, where=f"{where}.valid_from")
    return msgspec.structs.replace(record, valid_from=format_instant(effective_ns))


def _named(name: str, what: str, where: str) -> None:
    if not name.strip() or name != name.strip():
        raise InvalidInput(what, where=where, value=name, limit="a name without blanks around it", remedy="Name it.")


def _check_lane(lane: LaneLimit, where: str) -> None:
    for name, text in (("capacity", lane.capacity), ("refill_per_s", lane.refill_per_s)):
        whole, _, part = text.partition(".")
        if not (whole + part).isascii() or not (whole + part).isdigit() or len(text) > 96:
            raise InvalidInput(
                name, where=where, value=text, limit="decimal text", remedy="Count smallest canonical units."
            )
    check_amount(int(Fraction(lane.capacity)), where=where)


def _check_backing(instance: AssetInstance, where: str) -> None:
    has, kind = bool(instance.backing), instance.kind
    if (kind in _MADE_WITHOUT_BACKING and has) or (kind in _BRIDGED and not has):
        raise InvalidInput(
            "backing",
            where=where,
            value=[edge.bridge for edge in instance.backing],
            limit=f"{'at least one edge' if kind in _BRIDGED else 'none'} for kind {kind!r}",
            remedy="Say over which bridge it came, or correct its kind.",
        )
    check.unique((f"{e.bridge} {e.home}" for e in instance.backing), "edge", where=f"{where}.backing")


def _edge(edge: BackingEdge, where: str) -> BackingEdge:
    home = str(parse_asset(edge.home, where=where))
    lockbox = str(parse_account(edge.lockbox, where=where)) if edge.lockbox else ""
    if edge.proof is not None and edge.proof.slot < 0:
        raise InvalidInput("slot", where=where, value=edge.proof.slot, limit="0 or more", remedy="Read its layout.")
    return msgspec.structs.replace(edge, home=home, lockbox=lockbox)


def _check_ramp(ramp: Ramp, limits: Limits, where: str) -> None:
    parse_instant(ramp.start, where=f"{where}.start")
    check.within(ramp.cap_usd, "cap_usd", 0.0, 1e15, where=where)
    check.within(ramp.from_usd, "from_usd", 0.0, 1e15, where=where)
    check.within(ramp.liquidity_share, "liquidity_share", 0.0, 1.0, where=where)
    check.within(ramp.days, "days", limits.ramp_days_min, 36_500.0, where=where)
