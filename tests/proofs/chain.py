"""A chain's state made in the process: accounts and storage in tries of the library `trie`."""

import functools
import random
from dataclasses import dataclass

import rlp
from trie import HexaryTrie

from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.rlp_codec import minimal
from crossmargin.proofs.state import HEADER, header_rlp

CODE = keccak(b"code")


def trie_of(entries: dict[bytes, bytes]) -> HexaryTrie:
    """A trie over keccak(key), as the state is kept."""
    made = HexaryTrie({})
    for key, value in entries.items():
        made.set(keccak(key), value)
    return made


def path_to(made: HexaryTrie, key: bytes) -> list[bytes]:
    """What `eth_getProof` lists: the nodes from the root, less those that stand inside another."""
    written = [rlp.encode(node) for node in made.get_proof(keccak(key))]
    return [raw for place, raw in enumerate(written) if place == 0 or len(raw) >= 32]


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


@dataclass(frozen=True)
class Chain:
    """A block with one contract that is known, among others."""

    address: bytes
    values: dict[int, int]
    storage: HexaryTrie
    state: HexaryTrie
    header: bytes

    @property
    def anchor(self) -> bytes:
        return keccak(self.header)

    def account_path(self, address: bytes = b"") -> list[bytes]:
        return path_to(self.state, address or self.address)

    def slot_path(self, slot: int) -> list[bytes]:
        return path_to(self.storage, word(slot))


def block_fields(state_root: bytes, fields: int = len(HEADER)) -> dict[str, str]:
    """A block as RPC answers it, with the first `fields` of a header."""
    named = {}
    for name, size in list(HEADER.items())[:fields]:
        named[name] = "0x0a" if size is None else "0x" + (bytes([7]) * max(size, 0)).hex()
    return named | {"stateRoot": "0x" + state_root.hex(), "number": "0x1b4", "hash": "0x00"}


@functools.cache
def chain(seed: int = 0, slots: int = 200, accounts: int = 200, more: tuple[tuple[int, int], ...] = ()) -> Chain:
    """A chain with random accounts; the contract's storage has `slots` values from one byte to 32, and `more`."""
    rng = random.Random(seed)
    values = {
        rng.getrandbits(rng.choice([3, 256])): rng.getrandbits(rng.choice([4, 64, 256])) + 1 for _ in range(slots)
    }
    values = {slot: value % 2**256 or 1 for slot, value in values.items()} | dict(more)
    storage = trie_of({word(slot): rlp.encode(minimal(value)) for slot, value in values.items()})
    address = rng.randbytes(20)
    entries = {
        rng.randbytes(20): rlp.encode([minimal(i), minimal(10**18), rng.randbytes(32), CODE]) for i in range(accounts)
    }
    entries[address] = rlp.encode([minimal(1), minimal(5 * 10**17), storage.root_hash, CODE])
    state = trie_of(entries)
    return Chain(address, values, storage, state, header_rlp(block_fields(state.root_hash)))
