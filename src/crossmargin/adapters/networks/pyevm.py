"""A chain in this process, on py-evm: no server, no other program, the same values in every run.

A block is a header with its state root, and state is stored by content, so a reorg is a shorter list of blocks and
other ones after it: nothing is copied. The state after each block stays readable, and its tries give the proofs.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any, Final, Self

from crossmargin.adapters.networks.backend import (
    BLOCK_GAS_LIMIT,
    BLOCK_INTERVAL_S,
    EPOCH_BLOCKS,
    FUNDS_WEI,
    GAS_LIMIT,
    GENESIS_S,
    AccountProof,
    BlockAnswer,
    BlockId,
    Log,
    Receipt,
    Send,
    SlotProof,
    development_keys,
    unknown_block,
)
from crossmargin.adapters.networks.signing import address_of, missing_package, sign
from crossmargin.core.errors import InvalidInput, Reverted
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.receipts import AnyReceipt, decode_receipt
from crossmargin.proofs.rlp_codec import decode, encode, strings
from crossmargin.proofs.trie import EMPTY_ROOT, HASH_BYTES

_BASE_FEE_WEI: Final = 10**9
_WORD_BYTES: Final = 32


@functools.cache
def _library() -> ModuleType:
    """py-evm and trie, gathered in one module that is imported with the first chain."""
    try:
        from crossmargin.adapters.networks import pyevm_parts  # noqa: PLC0415 what it imports is an extra
    except ImportError:
        raise missing_package("py-evm", "evm-local") from None
    return pyevm_parts


@dataclass(frozen=True, slots=True)
class _Mined:
    """A block: py-evm's header, what became of its transactions, and the entries of its receipts trie."""

    header: Any
    answer: BlockAnswer
    receipts: tuple[Receipt, ...]
    entries: tuple[bytes, ...]


class PyEvmBackend:
    """A chain of Prague's rules; see `ChainBackend`. Not for more than one thread."""

    def __init__(self, chain_id: int = 31_337) -> None:
        self._chain_id = chain_id
        self.keys = development_keys()
        self._parts = _library()
        self._database = self._parts.open_database()
        self._context = self._parts.chain_context(chain_id)
        self._next_s: int | None = None
        self._salt = 0  # Written into the headers that a reorg makes, so that they differ from those left out.
        root = self._parts.genesis_state(self._database, {address_of(key): FUNDS_WEI for key in self.keys})
        header = self._parts.VM.create_genesis_header(
            gas_limit=BLOCK_GAS_LIMIT, timestamp=GENESIS_S, base_fee_per_gas=_BASE_FEE_WEI, state_root=root
        )
        self._blocks = [self._keep(header, (), ())]

    @property
    def chain_id(self) -> int:
        """The number of the chain in CAIP-2's namespace eip155."""
        return self._chain_id

    def block(self, at: BlockId) -> BlockAnswer:
        """The block of a number, a hash or a tag; raises `UnknownName` where there is none."""
        return self._at(at).answer

    def call(self, to: bytes, calldata: bytes, at: BlockId = "latest") -> bytes:
        """What a call would return in the state after a block; raises `Reverted`."""
        mined = self._at(at)
        next_s = mined.header.timestamp + BLOCK_INTERVAL_S
        vm = self._vm(self._parts.VM.create_header_from_parent(mined.header, timestamp=next_s))
        computation = vm.execute_bytecode(
            origin=b"\x00" * 20,
            gas_price=0,
            gas=GAS_LIMIT,
            to=to,
            sender=b"\x00" * 20,
            value=0,
            data=calldata,
            code=vm.state.get_code(to),
            code_address=to,
        )
        if computation.is_error:
            raise Reverted(where=f"call of 0x{to.hex()}", output=bytes(computation.output))
        return bytes(computation.output)

    def balance(self, address: bytes, at: BlockId = "latest") -> int:
        """The coins of an account, in wei."""
        return int(self._vm(self._at(at).header).state.get_balance(address))

    def code(self, address: bytes, at: BlockId = "latest") -> bytes:
        """The code that an account runs."""
        return bytes(self._vm(self._at(at).header).state.get_code(address))

    def proof(self, address: bytes, slots: Sequence[int], at: BlockId) -> AccountProof:
        """The account and its slots with their paths from the state root of a block."""
        header = self._at(at).header
        stored, nodes = self._path(bytes(header.state_root), address)
        fields = decode(stored, where="state") if stored else []
        root = strings(fields, where="state")[2] if isinstance(fields, list) and fields else EMPTY_ROOT
        return AccountProof(address=address, nodes=nodes, slots=tuple(self._slot(root, slot) for slot in slots))

    def logs(self, *, first: int, last: int, address: bytes = b"") -> tuple[Log, ...]:
        """The events of blocks `first` to `last`, both counted in, of one contract or of all."""
        return tuple(log for mined in self._blocks[max(first, 0) : last + 1] for log in _logs(mined, address))

    def block_logs(self, block_hash: bytes, address: bytes = b"") -> tuple[Log, ...]:
        """The events of one block by its hash; raises `UnknownName` where it is not known."""
        return _logs(self._at(block_hash), address)

    def receipts(self, block_hash: bytes) -> tuple[AnyReceipt, ...]:
        """All receipts of one block by its hash, in their order; raises `UnknownName` where it is not known."""
        return tuple(decode_receipt(entry, where="receipts") for entry in self._at(block_hash).entries)

    def send(self, key: bytes, to: bytes, calldata: bytes = b"", value: int = 0) -> Receipt:
        """Sign a transaction, mine a block with it, and say what became of it; a revert is an answer, no error."""
        return self._mine((Send(key=key, to=to, calldata=calldata, value=value),)).receipts[0]

    def deploy(self, key: bytes, init_code: bytes, value: int = 0) -> Receipt:
        """Deploy a contract; its address is `Receipt.contract`. Raises `Reverted`."""
        receipt = self.send(key, b"", init_code, value)
        if not receipt.status:
            raise Reverted(where="deployment", output=receipt.revert)
        return receipt

    def mine(self, count: int = 1) -> BlockAnswer:
        """Mine empty blocks; the last of them."""
        for _ in range(count):
            self._mine(())
        return self._blocks[-1].answer

    def set_time(self, timestamp_s: int) -> None:
        """Let the next block have this timestamp, in Unix seconds, after that of the last."""
        last_s = self._blocks[-1].answer.timestamp_s
        if timestamp_s <= last_s:
            raise InvalidInput(
                "timestamp", where="set_time", value=timestamp_s, limit=f"after {last_s}", remedy="Time only advances."
            )
        self._next_s = timestamp_s

    def reorg(self, depth: int, sends: Sequence[Send] = ()) -> BlockAnswer:
        """Replace the last `depth` blocks by as many others, the first of them with `sends`; the new head."""
        height = len(self._blocks) - 1
        if not 0 < depth <= height:
            raise InvalidInput(
                "depth", where="reorg", value=depth, limit=f"1 to {height}", remedy="Keep the first block."
            )
        del self._blocks[-depth:]
        self._salt += 1
        self._mine(sends)
        return self.mine(depth - 1) if depth > 1 else self._blocks[-1].answer

    def close(self) -> None:
        """Nothing to stop."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _at(self, at: BlockId) -> _Mined:
        head = len(self._blocks) - 1
        if isinstance(at, bytes):
            found = [mined for mined in reversed(self._blocks) if mined.answer.hash == at]
            if not found:
                raise unknown_block(self._chain_id, at)
            return found[0]
        behind = {"latest": 0, "safe": EPOCH_BLOCKS, "finalized": 2 * EPOCH_BLOCKS}
        number = max(head - behind[at], 0) if isinstance(at, str) else at
        if not 0 <= number <= head:
            raise unknown_block(self._chain_id, at)
        return self._blocks[number]

    def _vm(self, header: Any) -> Any:
        return self._parts.open_vm(header, self._database, self._context)

    def _mine(self, sends: Sequence[Send]) -> _Mined:
        parent = self._blocks[-1].header
        time_s = self._next_s or parent.timestamp + BLOCK_INTERVAL_S
        self._next_s = None
        salt = self._salt.to_bytes(8, "big") if self._salt else b""
        header = self._parts.VM.create_header_from_parent(
            parent, gas_limit=BLOCK_GAS_LIMIT, timestamp=time_s, extra_data=salt
        )
        vm = self._vm(header)
        raws: list[bytes] = []
        made: dict[bytes, int] = {}
        for send in sends:
            sender = address_of(send.key)
            nonce = made.get(sender, vm.state.get_nonce(sender))
            made[sender] = nonce + 1
            raws.append(sign(send, chain_id=self._chain_id, nonce=nonce))
        mined = self._keep(*self._parts.mine_block(vm, raws))
        self._blocks.append(mined)
        return mined

    def _keep(self, header: Any, results: Sequence[Any], entries: tuple[bytes, ...]) -> _Mined:
        raw = self._parts.header_bytes(header)
        answer = BlockAnswer(
            number=int(header.block_number),
            hash=keccak(raw),
            parent_hash=bytes(header.parent_hash),
            timestamp_s=int(header.timestamp),
            header=raw,
        )
        self._parts.store_header(self._database, header)
        receipts, logs_before = [], 0
        for place, result in enumerate(results):
            receipts.append(_receipt(result, answer, place, logs_before))
            logs_before += len(receipts[-1].logs)
        return _Mined(header, answer, tuple(receipts), entries)

    def _path(self, root: bytes, key: bytes) -> tuple[bytes, tuple[bytes, ...]]:
        if root == EMPTY_ROOT:
            return b"", ()
        value, path = self._parts.trie_path(self._database, root, keccak(key))
        written = [encode(node) for node in path]
        return value, tuple(raw for place, raw in enumerate(written) if place == 0 or len(raw) >= HASH_BYTES)

    def _slot(self, root: bytes, slot: int) -> SlotProof:
        stored, nodes = self._path(root, slot.to_bytes(_WORD_BYTES, "big"))
        item = decode(stored, where="state") if stored else b""
        value = int.from_bytes(item, "big") if isinstance(item, bytes) else 0
        return SlotProof(slot=slot, value=value, nodes=nodes)


def _logs(mined: _Mined, address: bytes) -> tuple[Log, ...]:
    found = (log for receipt in mined.receipts for log in receipt.logs)
    return tuple(log for log in found if log.address == (address or log.address))


def _receipt(result: Any, block: BlockAnswer, place: int, logs_before: int) -> Receipt:
    """`result` is (transaction, receipt's logs, gas used, computation) as `pyevm_parts.mine_block` gives them."""
    transaction, logs, gas_used, computation = result
    made = computation.msg.is_create and not computation.is_error
    return Receipt(
        transaction_hash=bytes(transaction.hash),
        status=not computation.is_error,
        gas_used=gas_used,
        block_hash=block.hash,
        block_number=block.number,
        contract=bytes(computation.msg.storage_address) if made else b"",
        logs=tuple(
            Log(
                address=bytes(log.address),
                topics=tuple(topic.to_bytes(_WORD_BYTES, "big") for topic in log.topics),
                data=bytes(log.data),
                block_hash=block.hash,
                block_number=block.number,
                transaction_hash=bytes(transaction.hash),
                transaction_index=place,
                index=logs_before + n,
            )
            for n, log in enumerate(logs)
        ),
        revert=bytes(computation.output) if computation.is_error else b"",
    )
