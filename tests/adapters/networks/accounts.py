"""A contract that keeps a balance for each caller and logs every change, written by hand; and how to follow it."""

from __future__ import annotations

from pathlib import Path

from crossmargin.adapters.journals.store import JournalStore
from crossmargin.adapters.networks.backend import ChainBackend, ChainReader, Log
from crossmargin.adapters.networks.endpoints import Anchor, Endpoint, anchored
from crossmargin.adapters.networks.following import Follower, Source, first_journal
from crossmargin.adapters.networks.signing import address_of
from crossmargin.market.chains.blocks import Key, Movement
from crossmargin.market.chains.journal import Journal
from crossmargin.market.registry.document import Finality
from crossmargin.proofs.keccak import keccak

PROFILE = Finality(method="tag", final_s=96, halt_s=3600)
ASSET = "eip155:31337/erc20:0x" + "aa" * 20
# LOG1 with the caller as topic and the calldata as data; then slot[caller] += calldata.
CODE = bytes.fromhex("36600060003733366000a1335460003501335500")
INIT = bytes.fromhex("6014600c60003960146000f3") + CODE
CODE_HASH = keccak(CODE)


def word(amount: int) -> bytes:
    return amount.to_bytes(32, "big", signed=True)


def movements(log: Log) -> list[Movement]:
    amount = int.from_bytes(log.data, "big", signed=True)
    account = f"0x{log.topics[0][12:].hex()}"
    moved = Movement(transaction=log.transaction_hash, log_index=log.index, account=account, asset=ASSET, amount=amount)
    return [moved] if amount else []


def key_of(private: bytes) -> Key:
    return Key(f"0x{address_of(private).hex()}", ASSET)


def source_of(contract: bytes, *readers: ChainReader) -> Source:
    endpoints = [Endpoint(name=f"rpc {n}", operator="ABCD"[n], reader=reader) for n, reader in enumerate(readers)]
    return Source(
        endpoints=endpoints,
        profile=PROFILE,
        contract=contract,
        movements=movements,
        quorum=min(3, len(endpoints)),
    )


def first(source: Source) -> Journal:
    """A journal that starts at the final block now, in which nobody has anything."""
    anchor = anchored(source.endpoints, source.profile, quorum=source.quorum)
    assert isinstance(anchor, Anchor)
    return first_journal("eip155:31337", anchor, {})


def deployed(backend: ChainBackend) -> bytes:
    """The contract, with nine blocks upon it so that it is final."""
    contract = backend.deploy(backend.keys[9], INIT).contract
    backend.mine(9)
    return contract


def follow(backend: ChainBackend, path: Path, contract: bytes, *readers: ChainReader) -> Follower:
    source = source_of(contract, *(readers or (backend,)))
    return Follower(source, JournalStore(path, first(source)))
