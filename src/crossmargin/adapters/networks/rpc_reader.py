"""A chain read over JSON-RPC: any node, one's own or another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from crossmargin.adapters.networks.backend import AccountProof, BlockAnswer, BlockId, Log, SlotProof, unknown_block
from crossmargin.adapters.networks.jsonrpc import TIMEOUT_S, JsonRpc, hexed, number, quantity, unhex
from crossmargin.core.errors import NotProved
from crossmargin.proofs.receipts import (
    ARBITRUM_LEGACY,
    TRAILING,
    AnyReceipt,
    BlockReceipt,
    OpaqueReceipt,
    ReceiptLog,
    encode_receipt,
)
from crossmargin.proofs.rlp_codec import minimal
from crossmargin.proofs.state import header_rlp

T = TypeVar("T")


class RpcReader:
    """What an endpoint says of its chain; see `ChainReader`. Answers of the wrong form raise `UnreachableChain`."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, rpc: JsonRpc | None = None) -> None:
        self.rpc = rpc or JsonRpc(url, timeout_s=timeout_s)
        self._chain_id = self._read("eth_chainId", number)

    @property
    def chain_id(self) -> int:
        """The number of the chain in CAIP-2's namespace eip155."""
        return self._chain_id

    def block(self, at: BlockId) -> BlockAnswer:
        """The block of a number, a hash or a tag; raises `UnknownName` where there is none."""
        by_hash = isinstance(at, bytes)
        method = "eth_getBlockByHash" if by_hash else "eth_getBlockByNumber"
        found = self._read(method, _block, hexed(at) if isinstance(at, bytes) else _place(at), False)
        if found is None:
            raise unknown_block(self._chain_id, at)
        return found

    def call(self, to: bytes, calldata: bytes, at: BlockId = "latest") -> bytes:
        """What a call would return in the state after a block; raises `Reverted`."""
        return self._read("eth_call", unhex, {"to": hexed(to), "data": hexed(calldata)}, _place(at))

    def balance(self, address: bytes, at: BlockId = "latest") -> int:
        """The coins of an account, in wei."""
        return self._read("eth_getBalance", number, hexed(address), _place(at))

    def code(self, address: bytes, at: BlockId = "latest") -> bytes:
        """The code that an account runs."""
        return self._read("eth_getCode", unhex, hexed(address), _place(at))

    def proof(self, address: bytes, slots: Sequence[int], at: BlockId) -> AccountProof:
        """The account and its slots with their paths from the state root of a block."""
        keys = [hexed(slot.to_bytes(32, "big")) for slot in slots]
        return self._read("eth_getProof", lambda found: _proof(address, slots, found), hexed(address), keys, _place(at))

    def logs(self, *, first: int, last: int, address: bytes = b"") -> tuple[Log, ...]:
        """The events of blocks `first` to `last`, both counted in, of one contract or of all."""
        return self._logs({"fromBlock": quantity(first), "toBlock": quantity(last)}, address)

    def block_logs(self, block_hash: bytes, address: bytes = b"") -> tuple[Log, ...]:
        """The events of one block by its hash; raises `UnreachableChain` where it is not known."""
        return self._logs({"blockHash": hexed(block_hash)}, address)

    def receipts(self, block_hash: bytes) -> tuple[AnyReceipt, ...]:
        """All receipts of one block by its hash, in their order; raises `UnreachableChain` where it is not known."""
        return self._read("eth_getBlockReceipts", _receipt_list, hexed(block_hash))

    def _logs(self, wanted: dict[str, str], address: bytes) -> tuple[Log, ...]:
        named = wanted | ({"address": hexed(address)} if address else {})
        return self._read("eth_getLogs", _log_list, named)

    def _read(self, method: str, form: Callable[[Any], T], *parameters: Any) -> T:
        found = self.rpc.ask(method, *parameters)
        try:
            return form(found)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, NotProved) as failure:
            raise self.rpc.unreachable(f"{method} was answered in no known form ({failure})") from None


def _place(at: BlockId) -> Any:
    if isinstance(at, bytes):
        return {"blockHash": hexed(at)}
    return at if isinstance(at, str) else quantity(at)


def _block(found: Mapping[str, Any] | None) -> BlockAnswer | None:
    if found is None:
        return None
    return BlockAnswer(
        number=number(found["number"]),
        hash=unhex(found["hash"]),
        parent_hash=unhex(found["parentHash"]),
        timestamp_s=number(found["timestamp"]),
        header=header_rlp(found),
    )


def _proof(address: bytes, slots: Sequence[int], found: Mapping[str, Any]) -> AccountProof:
    paths = [(number(path["value"]), tuple(unhex(node) for node in path["proof"])) for path in found["storageProof"]]
    return AccountProof(
        address=address,
        nodes=tuple(unhex(node) for node in found["accountProof"]),
        slots=tuple(
            SlotProof(slot=slot, value=value, nodes=nodes) for slot, (value, nodes) in zip(slots, paths, strict=True)
        ),
    )


def _log_list(found: Any) -> tuple[Log, ...]:
    if not isinstance(found, list):  # An empty object is no list of no events.
        raise TypeError("no list")
    return tuple(log_of(log) for log in found)


def _receipt_list(found: Any) -> tuple[AnyReceipt, ...]:
    if not isinstance(found, list):
        raise TypeError("no list")
    return tuple(_receipt(receipt) for receipt in found)


def _receipt(found: Mapping[str, Any]) -> AnyReceipt:
    """An entry of the receipts trie as JSON-RPC answers it; one of an unknown type in the form that all others have."""
    kind = number(found.get("type", "0x0"))
    versioned = found.get("depositReceiptVersion") is not None  # Before Canyon the nonce was told, and not hashed.
    trailing = (number(found["depositNonce"]), number(found["depositReceiptVersion"])) if versioned else ()
    unknown = kind not in TRAILING and kind != ARBITRUM_LEGACY
    receipt = BlockReceipt(
        kind=0 if unknown or kind == ARBITRUM_LEGACY else kind,
        outcome=unhex(found["root"]) if found.get("status") is None else minimal(number(found["status"])),
        gas=number(found["cumulativeGasUsed"]),
        bloom=unhex(found["logsBloom"]),
        logs=tuple(
            ReceiptLog(
                address=unhex(log["address"]),
                topics=tuple(unhex(topic) for topic in log["topics"]),
                data=unhex(log["data"]),
            )
            for log in found["logs"]
        ),
        trailing=trailing,
    )
    return OpaqueReceipt(kind=kind, raw=bytes([kind]) + encode_receipt(receipt)) if unknown else receipt


def log_of(found: Mapping[str, Any]) -> Log:
    """An event as JSON-RPC answers it."""
    return Log(
        address=unhex(found["address"]),
        topics=tuple(unhex(topic) for topic in found["topics"]),
        data=unhex(found["data"]),
        block_hash=unhex(found["blockHash"]),
        block_number=number(found["blockNumber"]),
        transaction_hash=unhex(found["transactionHash"]),
        transaction_index=number(found["transactionIndex"]),
        index=number(found["logIndex"]),
    )
