"""Denom traces: the hash of a path names a coin, and nobody gives it another."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.registries.ibc import ibc_denom, read_denom_traces
from crossmargin.adapters.registries.proposals import Proposals
from crossmargin.core.errors import InvalidInput
from crossmargin.market.registry.build import build_registry
from crossmargin.market.registry.document import Chain, Finality, RegistryDocument
from crossmargin.market.registry.registry import Registry

OSMOSIS = "cosmos:osmosis-1"
# ATOM on Osmosis, as the chain registry of Cosmos has it (osmosis/assetlist.json).
ATOM = "ibc/27394FB092D2ECCD56123C74F36E4C1F926001CEADA9CA97EA622B25F41E5EB2"


def registry() -> Registry:
    chain = Chain(
        chain=OSMOSIS,
        name="Osmosis",
        family="cosmos",
        finality=Finality(method="instant", final_s=10.0, halt_s=3_600.0),
        valid_from="2026-01-01T00:00:00Z",
        source="made up",
        date="2026-01-01",
    )
    return build_registry(RegistryDocument(chains=(chain,)))


def traced(folder: Path, *traces: dict[str, Any], chain: str = OSMOSIS) -> Proposals:
    file = folder / "traces.json"
    file.write_text(json.dumps({"denom_traces": traces, "pagination": {"next_key": None}}))
    known = registry()
    return read_denom_traces(file, known, chain=chain, time_ns=known.times_ns[-1])


def trace(path: str = "transfer/channel-0", base: str = "uatom", **more: str) -> dict[str, Any]:
    return {"path": path, "base_denom": base} | more


def test_a_published_denom():
    assert ibc_denom("transfer/channel-0", "uatom") == ATOM


def test_verdicts(tmp_path: Path):
    found = traced(
        tmp_path,
        trace(denom=ATOM),
        trace(path="transfer/channel-1", denom=ATOM),
        trace(path="channel-0"),
        trace(path="transfer/channel-0/transfer"),
        trace(base=""),
    )
    assert [one.verdict for one in found.proposals] == ["new", "conflict", "left out", "left out", "left out"]
    assert found.proposals[0].record["instance"] == f"{OSMOSIS}/ibc:{ATOM[4:]}"


def test_two_channels_are_two_assets(tmp_path: Path):
    found = traced(
        tmp_path, trace(), trace(path="transfer/channel-1"), trace(path="transfer/channel-1/transfer/channel-0")
    )
    assert len({one.subject for one in found.proposals}) == 3


def test_an_unknown_chain_is_left_out(tmp_path: Path):
    assert [one.verdict for one in traced(tmp_path, trace(), chain="cosmos:other-1").proposals] == ["left out"]
    with pytest.raises(InvalidInput, match="CAIP-2"):
        traced(tmp_path, trace(), chain="osmosis")


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_a_denom_is_as_long_as_its_hash(path: str, base: str):
    try:
        name = ibc_denom(path, base)
    except UnicodeEncodeError:
        return
    assert len(name) == 68
    assert name[4:] == name[4:].upper()
