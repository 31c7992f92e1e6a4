"""Denom traces of IBC beside a registry: each denom recomputed from its path, so that none can claim another's origin.

A token that came over IBC is named `ibc/` and the upper-case SHA-256 of port/channel/…/base. The path is its
provenance: the same coin over two channels is two assets. As CAIP-19 it is `<chain>/ibc:<hash>`, this project's way to
write it.

Source: ICS-20, "Fungible token transfer", and ADR 001 of ibc-go, "Coin source tracing"; the answer of
`/ibc/apps/transfer/v1/denom_traces`, with a field `denom` where a list states what it takes the hash to be.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec

from crossmargin.adapters.documents import convert, read_tree
from crossmargin.adapters.registries.proposals import Proposal, Proposals
from crossmargin.core.chain_ids import check_chain, parse_asset
from crossmargin.market.registry.registry import Registry, RegistryView

# A port and a channel for each hop (ICS-24: port names, `channel-` and a number).
_PATH: Final = re.compile(r"[A-Za-z0-9._+\-#\[\]<>]{2,128}/channel-\d+(?:/[A-Za-z0-9._+\-#\[\]<>]{2,128}/channel-\d+)*")


class _Trace(msgspec.Struct, frozen=True):
    path: str
    base_denom: str
    denom: str = ""


class _Traces(msgspec.Struct, frozen=True):
    denom_traces: tuple[_Trace, ...]


def ibc_denom(path: str, base_denom: str) -> str:
    """The name of a coin on the chain that a path ends at.

    >>> ibc_denom("transfer/channel-141", "uosmo")
    'ibc/14F9BC3E44B8A9C1BE1FB08980FAB87034C9905EF17CF2F5008FC085218811CC'
    """
    return f"ibc/{hashlib.sha256(f'{path}/{base_denom}'.encode()).hexdigest().upper()}"


def read_denom_traces(path: str | Path, registry: Registry, *, chain: str, time_ns: int) -> Proposals:
    """What the traces in a .json file would add to `registry` for `chain` (CAIP-2), as it stands at a time.

    Raises as `read_document` does; a trace whose hash is another than it says is a conflict."""
    check_chain(chain, where="--chain")
    listed = convert(read_tree(path), _Traces, where=str(path))
    view = registry.at(time_ns)
    return Proposals(
        source=f"denom traces of {chain}",
        registry_sha256=registry.sha256,
        proposals=tuple(_judged(trace, chain, view) for trace in listed.denom_traces),
    )


def _judged(trace: _Trace, chain: str, view: RegistryView) -> Proposal:
    whole = f"{trace.path}/{trace.base_denom}"
    if not _PATH.fullmatch(trace.path) or not trace.base_denom:
        return Proposal(subject=whole, verdict="left out", reason="its path is not port/channel, hop by hop")
    denom = ibc_denom(trace.path, trace.base_denom)
    if trace.denom and trace.denom != denom:
        return Proposal(subject=trace.denom, verdict="conflict", reason=f"{whole} has the hash {denom}")
    key = str(parse_asset(f"{chain}/ibc:{denom.removeprefix('ibc/')}", where="denom trace"))
    if key in view.instances:
        return Proposal(subject=key, verdict="known", reason=f"{view.instances[key].symbol} over {trace.path}")
    if chain not in view.chains:
        return Proposal(subject=key, verdict="left out", reason="its chain is not in the registry")
    hops = trace.path.count("/channel-")
    reason = (
        f"{trace.base_denom} over {hops} channel{'s' if hops > 1 else ''}, {trace.path}; over another it is another "
        "asset. Say its decimals, its canonical asset, and what backs it; without a ramp it counts for nothing"
    )
    return Proposal(subject=key, verdict="new", reason=reason, record={"instance": key, "symbol": trace.base_denom})
