"""Tables of bridge lanes with their token buckets (CCIP's lanes.json), beside a registry.

The table names chains in its own words, which the registry holds as aliases of protocol `ccip_lane`, and tokens by
symbol. A symbol is taken only where one instance on the origin chain bears it; else the row is left out.

Source: smartcontractkit/documentation, src/config/data/ccip/v1_2_0/mainnet/lanes.json (August 2026): origin →
destination → supportedTokens → rateLimiterConfig {in, out} {capacity, isEnabled, rate}, in the token's smallest unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import msgspec

from crossmargin.adapters.documents import convert, read_tree
from crossmargin.adapters.registries.proposals import Proposal, Proposals
from crossmargin.core.errors import InvalidInput
from crossmargin.market.registry.document import AssetInstance, LaneLimit
from crossmargin.market.registry.registry import Registry, RegistryView, chain_of, scale_of

CHAIN_NAMES: Final = "ccip_lane"
_PLACES: Final = 10**18  # of a refill rate, which may be a small part of a canonical unit


class _Bucket(msgspec.Struct, frozen=True, rename="camel"):
    capacity: str
    is_enabled: bool
    rate: str


class _Limiter(msgspec.Struct, frozen=True):
    out: _Bucket


class _Token(msgspec.Struct, frozen=True, rename="camel"):
    rate_limiter_config: _Limiter | None = None


class _Lane(msgspec.Struct, frozen=True, rename="camel"):
    supported_tokens: dict[str, _Token] = {}


class _Lanes(msgspec.Struct, frozen=True):
    lanes: dict[str, dict[str, _Lane]]


def read_lanes(path: str | Path, registry: Registry, *, bridge: str, time_ns: int) -> Proposals:
    """What a table of lanes would add to the limits of `bridge`, as the registry stands at a time.

    Raises as `read_document` does; a row that cannot be matched is left out with its reason.
    """
    table = convert({"lanes": read_tree(path)}, _Lanes, where=str(path))
    view = registry.at(time_ns)
    found = tuple(_rows(table, view, bridge))
    return Proposals(source=f"{bridge} lanes", registry_sha256=registry.sha256, proposals=found)


def _rows(table: _Lanes, view: RegistryView, bridge: str) -> Iterator[Proposal]:
    chains = {c.aliases[CHAIN_NAMES]: key for key, c in view.chains.items() if CHAIN_NAMES in c.aliases}
    for origin, destinations in table.lanes.items():
        for destination, lane in destinations.items():
            for symbol, token in lane.supported_tokens.items():
                limiter = token.rate_limiter_config
                if limiter is None or not limiter.out.is_enabled:
                    continue
                subject = f"{symbol} {origin} → {destination}"
                missing = [name for name in (origin, destination) if name not in chains]
                if missing:
                    reason = f"no chain has the {CHAIN_NAMES} alias {', '.join(missing)}"
                    yield Proposal(subject=subject, verdict="left out", reason=reason)
                else:
                    pair = (chains[origin], chains[destination])
                    yield _row(subject, symbol, pair, limiter.out, view, bridge)


def _row(
    subject: str, symbol: str, pair: tuple[str, str], bucket: _Bucket, view: RegistryView, bridge: str
) -> Proposal:
    bearers = [
        instance for key, instance in view.instances.items() if instance.symbol == symbol and chain_of(key) == pair[0]
    ]
    if len(bearers) != 1:
        reason = f"{len(bearers)} instances on {pair[0]} bear this symbol"
        return Proposal(subject=subject, verdict="left out", reason=reason)
    try:
        limit = _limit(bearers[0], pair, bucket, subject)
    except InvalidInput as error:
        return Proposal(subject=subject, verdict="left out", reason=str(error))
    held = view.bridges[bridge].limits if bridge in view.bridges else ()
    same_lane = [lane for lane in held if (lane.asset, lane.origin, lane.destination) == (limit.asset, *pair)]
    if not same_lane:
        return Proposal(
            subject=subject,
            verdict="new",
            reason=f"a limit of {bridge}" if bridge in view.bridges else f"{bridge} is not in the registry yet",
            record=msgspec.to_builtins(limit),
        )
    if same_lane[0] == limit:
        return Proposal(subject=subject, verdict="known", reason=f"capacity {limit.capacity}")
    reason = f"the table says capacity {limit.capacity}, the registry {same_lane[0].capacity}, or their rates differ"
    return Proposal(subject=subject, verdict="conflict", reason=reason, record=msgspec.to_builtins(limit))


def _limit(instance: AssetInstance, pair: tuple[str, str], bucket: _Bucket, where: str) -> LaneLimit:
    scale = scale_of(instance)
    return LaneLimit(
        asset=instance.canonical,
        origin=pair[0],
        destination=pair[1],
        capacity=_decimal(_whole(bucket.capacity, where) * scale),
        refill_per_s=_decimal(_whole(bucket.rate, where) * scale),
    )


def _whole(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 78):
        raise InvalidInput("bucket", where=where, value=text, limit="digits", remedy="Correct the source.")
    return int(text)


def _decimal(value: Fraction) -> str:
    """As decimal text, rounded down: a lane never carries more than it says."""
    whole, part = divmod(int(value * _PLACES), _PLACES)
    return f"{whole}.{part:018d}".rstrip("0").rstrip(".")
