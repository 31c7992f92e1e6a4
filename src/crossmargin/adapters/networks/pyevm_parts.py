"""The parts of py-evm and trie that `PyEvmBackend` is made of; importing this module imports both libraries."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import rlp
from eth.consensus.noproof import NoProofConsensus
from eth.db.atomic import AtomicDB
from eth.db.chain import ChainDB
from eth.vm.chain_context import ChainContext
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.constants import HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CONTRACT_CODE
from eth_typing import Address, Hash32
from trie.hexary import HexaryTrie

VM: Any = PragueVM.configure(consensus_class=NoProofConsensus)


def open_database() -> Any:
    """An empty database in memory."""
    return AtomicDB()


def chain_context(chain_id: int) -> Any:
    """What the VM is told of its chain."""
    return ChainContext(chain_id)


def open_vm(header: Any, database: Any, context: Any) -> Any:
    """The VM that stands in the state that `header` names."""
    return VM(header, ChainDB(database), context, NoProofConsensus(database))


def genesis_state(database: Any, balances: Mapping[bytes, int]) -> bytes:
    """The state root of the first block: accounts with coins, and the contract of EIP-2935 (block hashes)."""
    state = open_vm(VM.create_genesis_header(gas_limit=1_000_000), database, ChainContext(1)).state
    for address, balance in balances.items():
        state.set_balance(Address(address), balance)
    state.set_nonce(HISTORY_STORAGE_ADDRESS, 1)
    state.set_code(HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CONTRACT_CODE)
    state.persist()
    return bytes(state.state_root)


def mine_block(vm: Any, raws: Sequence[bytes]) -> tuple[Any, list[tuple[Any, Any, int, Any]], tuple[bytes, ...]]:
    """The header of the block that `vm` was opened for, with these transactions, what happened to each, and receipts.

    The order is py-evm's `import_block`, less the checks of what another made: preprocessing, transactions, roots of
    tries, requests, state root."""
    base = vm.get_header()
    vm.block_preprocessing(vm.get_block())
    builder = vm.get_transaction_builder()
    transactions = [builder.decode(raw) for raw in raws]
    header, receipts, computations = vm.apply_all_transactions(transactions, base)
    filled = vm.set_block_transactions_and_withdrawals(vm.get_block(), header, transactions, receipts)
    block = vm.finalize_block(vm.block_postprocessing(filled)).block
    gas = [0, *(receipt.gas_used for receipt in receipts)]
    used = [after - before for before, after in itertools.pairwise(gas)]
    results = list(zip(transactions, (receipt.logs for receipt in receipts), used, computations, strict=True))
    return block.header, results, tuple(receipt.encode() for receipt in receipts)


def store_header(database: Any, header: Any) -> None:
    """Keep a header where the opcode BLOCKHASH looks for it."""
    database[Hash32(header.hash)] = header_bytes(header)


def header_bytes(header: Any) -> bytes:
    """A header in RLP: a value of the library's own, which says how each of its fields is written."""
    return bytes(rlp.encode(header))


def trie_path(database: Any, root: bytes, key: bytes) -> tuple[bytes, Sequence[Any]]:
    """What stands at a key of the trie with `root`, or nothing, and the nodes on the way there, decoded."""
    trie: Any = HexaryTrie(database, Hash32(root))
    return bytes(trie.get(key)), trie.get_proof(key)
