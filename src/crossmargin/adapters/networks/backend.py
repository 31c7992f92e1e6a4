"""What an EVM chain answers, whoever runs it: one protocol, and the frozen values that cross it.

Two kinds implement it: `PyEvmBackend` runs a chain in this process, `AnvilBackend` one in a child of it. Both mine a
block for each transaction, at a fixed interval of time from a fixed start, so that a run repeats itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Protocol, Self, TypeAlias

from crossmargin.core.errors import UnknownName
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.receipts import AnyReceipt

Tag: TypeAlias = Literal["latest", "safe", "finalized"]
BlockId: TypeAlias = int | bytes | Tag
GENESIS_S: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
BLOCK_INTERVAL_S: Final = 12
EPOCH_BLOCKS: Final = 4
GAS_LIMIT: Final = 16_000_000  # Below the cap of a transaction that EIP-7825 sets, 2²⁴.
BLOCK_GAS_LIMIT: Final = 30_000_000
FUNDS_WEI: Final = 10**22


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockAnswer:
    """A block as a chain states it; `header` is its header in RLP, whose keccak is `hash` if the chain is honest."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp_s: int
    header: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """An event of a contract, and its place in the chain."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block_hash: bytes
    block_number: int
    transaction_hash: bytes
    transaction_index: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a transaction: `gas_used` is that of all of it, intrinsic cost and calldata included.

    `contract` is the address that it made, or empty; `revert` what a failed one returned (an ABI-encoded error)."""

    transaction_hash: bytes
    status: bool
    gas_used: int
    block_hash: bytes
    block_number: int
    contract: bytes
    logs: tuple[Log, ...]
    revert: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotProof:
    """A storage slot: its path in the trie, and the value that the chain states."""

    slot: int
    value: int
    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProof:
    """What `eth_getProof` answers (EIP-1186): paths from the state root; only the paths are evidence."""

    address: bytes
    nodes: tuple[bytes, ...]
    slots: tuple[SlotProof, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A transaction to be made: to nobody (empty) it deploys its calldata as init code."""

    key: bytes
    to: bytes = b""
    calldata: bytes = b""
    value: int = 0


class ChainReader(Protocol):
    """What margin reads of a chain. An answer is a claim: `proofs` says what of it is proven."""

    @property
    def chain_id(self) -> int:
        """The number of the chain in CAIP-2's namespace eip155."""

    def block(self, at: BlockId) -> BlockAnswer:
        """The block of a number, a hash or a tag; raises `UnknownName` where there is none."""

    def call(self, to: bytes, calldata: bytes, at: BlockId = "latest") -> bytes:
        """What a call would return in the state after a block; raises `Reverted`."""

    def balance(self, address: bytes, at: BlockId = "latest") -> int:
        """The coins of an account, in wei."""

    def code(self, address: bytes, at: BlockId = "latest") -> bytes:
        """The code that an account runs."""

    def proof(self, address: bytes, slots: Sequence[int], at: BlockId) -> AccountProof:
        """The account and its slots with their paths from the state root of a block."""

    def logs(self, *, first: int, last: int, address: bytes = b"") -> tuple[Log, ...]:
        """The events of blocks `first` to `last`, both counted in, of one contract or of all."""

    def block_logs(self, block_hash: bytes, address: bytes = b"") -> tuple[Log, ...]:
        """The events of one block by its hash, so that no reorg comes between; raises where it is not known."""

    def receipts(self, block_hash: bytes) -> tuple[AnyReceipt, ...]:
        """All receipts of one block by its hash, in their order; raises where it is not known."""


class ChainBackend(ChainReader, Protocol):
    """A chain of one's own, to develop and to test with."""

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Keys of accounts with coins. They are public: never send anything of worth there."""

    def send(self, key: bytes, to: bytes, calldata: bytes = b"", value: int = 0) -> Receipt:
        """Sign a transaction, mine a block with it, and say what became of it; a revert is an answer, no error."""

    def deploy(self, key: bytes, init_code: bytes, value: int = 0) -> Receipt:
        """Deploy a contract; its address is `Receipt.contract`. Raises `Reverted`."""

    def mine(self, count: int = 1) -> BlockAnswer:
        """Mine empty blocks; the last of them."""

    def set_time(self, timestamp_s: int) -> None:
        """Let the next block have this timestamp, in Unix seconds, after that of the last."""

    def reorg(self, depth: int, sends: Sequence[Send] = ()) -> BlockAnswer:
        """Replace the last `depth` blocks by as many others, the first of them with `sends`; the new head.

        Transactions of the blocks left out are lost. Finality does not protect: a depth beyond it is done."""

    def close(self) -> None:
        """Stop the chain."""

    def __enter__(self) -> Self:
        """The backend itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""


def development_keys(count: int = 10) -> tuple[bytes, ...]:
    """Keys that anyone can make: keccak of a sentence and a number."""
    return tuple(keccak(f"crossmargin development key {place}".encode()) for place in range(count))


def unknown_block(chain_id: int, at: BlockId) -> UnknownName:
    """The error where a chain has no such block."""
    name = f"0x{at.hex()}" if isinstance(at, bytes) else str(at)
    return UnknownName(
        "block", where=f"eip155:{chain_id}", value=name, remedy="Ask for a block of the best branch, or follow again."
    )
