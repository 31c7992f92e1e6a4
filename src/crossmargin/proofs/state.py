"""What an EVM chain's state holds, proven against a block hash: header, account, code, storage (EIP-1186).

The chain of evidence: the header hashes to the anchored block hash; the header names the state root; the account's path
ends at keccak(address) and names code and storage root; a slot's path ends at keccak(slot). A path that ends beside its
key proves that nothing is there: an account without code and coins, a slot of zero. Every failure is `NotProved`.

Not proven here: that the anchor is of the chain and final. A block hash that nobody vouches for proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.reasons import Reason, refuse, require
from crossmargin.proofs.rlp_codec import decode, encode, fields_of, integer, minimal, strings
from crossmargin.proofs.trie import HASH_BYTES, Reader, look_up

WORD_BYTES: Final = 32
ADDRESS_BYTES: Final = 20
SLOT_LIMIT: Final = 1 << 256

# Fields of a header in the order in which they are hashed, with their bytes; None is an integer. Those after `nonce`
# came with forks: London, Shanghai, Cancun (three) and Prague. Source: the EIPs 1559, 4895, 4844, 4788 and 7685.
HEADER: Final[dict[str, int | None]] = {
    "parentHash": 32,
    "sha3Uncles": 32,
    "miner": 20,
    "stateRoot": 32,
    "transactionsRoot": 32,
    "receiptsRoot": 32,
    "logsBloom": 256,
    "difficulty": None,
    "number": None,
    "gasLimit": None,
    "gasUsed": None,
    "timestamp": None,
    "extraData": -1,  # Any length.
    "mixHash": 32,
    "nonce": 8,
    "baseFeePerGas": None,
    "withdrawalsRoot": 32,
    "blobGasUsed": None,
    "excessBlobGas": None,
    "parentBeaconBlockRoot": 32,
    "requestsHash": 32,
}
_FRONTIER_FIELDS: Final = 15
_FIELDS_MAX: Final = 32  # Forks to come add fields at the end; those before them keep their places.
_NAMES: Final = tuple(HEADER)
_STATE_ROOT, _RECEIPTS_ROOT, _NUMBER, _TIMESTAMP = (
    _NAMES.index(name) for name in ("stateRoot", "receiptsRoot", "number", "timestamp")
)

MapLayout = Literal["solidity", "vyper"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What a proven header says of its block. Of another size than 32 bytes `receipts_root` is the root of nothing."""

    hash: bytes
    number: int
    timestamp_s: int
    state_root: bytes
    receipts_root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A proven account; `balance` is in the smallest unit of the chain's coin."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


def header_rlp(fields: Mapping[str, str]) -> bytes:
    """The bytes that a block hash is the keccak of, from the fields of a block as RPC names them, in hexadecimal.

    Fields that are no part of a header are passed over; those of later forks may be missing, but only from the end.
    The hash decides whether these are the fields of that chain: L2s have fields of their own. Raises `NotProved`."""
    present = [name for name in HEADER if fields.get(name) is not None]
    known = present == list(_NAMES[: len(present)]) and len(present) >= _FRONTIER_FIELDS
    require(known, Reason.WRONG_COUNT, "header", present, "the fields of a fork, without gaps")
    return encode([_field(fields[name], HEADER[name], f"header {name}") for name in present])


def _field(text: str, size: int | None, where: str) -> bytes:
    try:
        require(text.startswith("0x"), Reason.MALFORMED, where, text[:80], "hexadecimal after 0x")
        value = minimal(int(text, 16)) if size is None else bytes.fromhex(text[2:])
    except ValueError:
        raise refuse(Reason.MALFORMED, where, text[:80], "hexadecimal after 0x") from None
    fits = size in {None, -1} or len(value) == size
    require(fits, Reason.MALFORMED, where, f"{len(value)} bytes", f"{size} bytes")
    return value


def check_header(header: bytes, anchor: bytes) -> Block:
    """The block with hash `anchor` (32 bytes), if `header` is its header in RLP; raises `NotProved` otherwise."""
    found = keccak(header)
    require(found == anchor, Reason.WRONG_HEADER, "header", found.hex(), f"the anchored hash {anchor.hex()}")
    items = decode(header, where="header")
    if not isinstance(items, list) or not _FRONTIER_FIELDS <= len(items) <= _FIELDS_MAX:
        raise refuse(Reason.WRONG_COUNT, "header", len(items), "a list of 15 to 32 fields")
    values = strings(items, where="header")
    root = values[_STATE_ROOT]
    require(len(root) == HASH_BYTES, Reason.MALFORMED, "header stateRoot", f"{len(root)} bytes", "32 bytes")
    return Block(
        hash=anchor,
        number=integer(values[_NUMBER], 8, where="header number"),
        timestamp_s=integer(values[_TIMESTAMP], 8, where="header timestamp"),
        state_root=root,
        receipts_root=values[_RECEIPTS_ROOT],
    )


def check_account(
    state_root: bytes, address: bytes, nodes: Sequence[bytes], *, code_hash: bytes = b""
) -> Account | None:
    """The account at `address`, or None where it is proven that there is none; raises `NotProved`.

    With a `code_hash` the account must be there and run that code: a proxy's storage under other code means nothing."""
    where = f"account 0x{address.hex()}"
    require(len(address) == ADDRESS_BYTES, Reason.MALFORMED, where, f"{len(address)} bytes", "an address of 20 bytes")
    value = look_up(state_root, address, nodes, Reader(), where=where)
    if value is None:
        require(not code_hash, Reason.ABSENT, where, "no account", "an account with the pinned code")
        return None
    nonce, balance, storage_root, code = fields_of(value, 4, where=where)
    hashes = len(storage_root) == HASH_BYTES and len(code) == HASH_BYTES
    require(hashes, Reason.MALFORMED, where, "short", "32 bytes each of storage root and code hash")
    pinned = not code_hash or code == code_hash
    require(pinned, Reason.WRONG_CODE, where, code.hex(), f"code with hash {code_hash.hex()}")
    return Account(
        nonce=integer(nonce, 8, where=where),
        balance=integer(balance, WORD_BYTES, where=where),
        storage_root=storage_root,
        code_hash=code,
    )


def check_slots(storage_root: bytes, paths: Mapping[int, Sequence[bytes]]) -> dict[int, int]:
    """The value of each slot by its number, zero where it is proven that none is stored; raises `NotProved`.

    `paths` has the nodes of each slot; nodes that several share are hashed and decoded once."""
    reader = Reader()
    return {slot: _slot(storage_root, slot, nodes, reader) for slot, nodes in paths.items()}


def _slot(storage_root: bytes, slot: int, nodes: Sequence[bytes], reader: Reader) -> int:
    where = f"slot {slot:#x}"
    require(0 <= slot < SLOT_LIMIT, Reason.MALFORMED, where, slot, "a slot in 256 bits")
    value = look_up(storage_root, slot.to_bytes(WORD_BYTES, "big"), nodes, reader, where=where)
    if value is None:
        return 0
    stored = decode(value, where=where)
    if not isinstance(stored, bytes):
        raise refuse(Reason.MALFORMED, where, "a list", "an integer")
    require(bool(stored), Reason.NOT_CANONICAL, where, "a stored zero", "no entry for zero")
    return integer(stored, WORD_BYTES, where=where)


def mapping_slot(slot: int, keys: Sequence[int | bytes], *, layout: MapLayout) -> int:
    """The slot of `map[keys[0]][keys[1]]…` for a mapping at `slot`, whose keys have at most 32 bytes.

    Solidity hashes key then slot, Vyper slot then key; the wrong order reads zero in silence, so it is named here.
    Integers, and addresses as 20 bytes, are padded to the left; 32 bytes stand as they are. Source: Solidity
    documentation, "Layout of state variables in storage"; Vyper's was measured with compiler 0.4.3."""
    for key in keys:
        padded = _word(key)
        word = slot.to_bytes(WORD_BYTES, "big")
        slot = int.from_bytes(keccak(padded + word if layout == "solidity" else word + padded), "big")
    return slot


def _word(key: int | bytes) -> bytes:
    fits = len(key) in {ADDRESS_BYTES, WORD_BYTES} if isinstance(key, bytes) else 0 <= key < SLOT_LIMIT
    if not fits:
        raise InvalidInput(
            "key",
            where="mapping",
            value=key,
            limit="an unsigned integer, an address of 20 bytes or 32 bytes",
            remedy="Pad signed and short keys as the contract's compiler does.",
        )
    return key.rjust(WORD_BYTES, b"\x00") if isinstance(key, bytes) else key.to_bytes(WORD_BYTES, "big")
