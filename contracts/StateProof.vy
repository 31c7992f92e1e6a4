# pragma version ~=0.4.3
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title What another chain's storage holds, proven in this chain's EVM
@custom:contract-name StateProof
@license Apache-2.0
@notice Header, account, code and slot follow from a block hash by hashing alone (EIP-1186): a header in RLP hashes to it
    and names the state root, nodes of the state trie lead to the account, nodes of its storage trie to the slot. A path
    that ends beside its key proves that nothing is there. What is not proven reverts with the word of
    `crossmargin.proofs.reasons`, whose checks these are.
@custom:security Which block hashes are of a chain, and final, no proof can say. `anchorer` vouches for them: the attestor
    that a quorum signs for, or the contract of one. For this chain's own recent blocks the EVM vouches (EIP-2935).
"""

from .interfaces import StateProof
from .modules import rlp
from .modules import trie

implements: StateProof

event Anchored:
    chainId: indexed(uint256)
    blockHash: indexed(bytes32)

HEADER_MAX: constant(uint256) = 1024
FIELDS_MIN: constant(uint256) = 15  # Of Frontier; forks add fields at the end.
FIELDS_MAX: constant(uint256) = 32
STATE_ROOT: constant(uint256) = 3
NUMBER: constant(uint256) = 8
TIMESTAMP: constant(uint256) = 11
NODE_MAX: constant(uint256) = 1024
NODES_MAX: constant(uint256) = 20
HISTORY: constant(address) = 0x0000F90827F1C53a10cb7A02335B175320002935  # EIP-2935: hashes of the last 8,191 blocks

anchorer: public(immutable(address))
isAnchored: public(HashMap[uint256, HashMap[bytes32, bool]])  # chain id, block hash


@deploy
def __init__(anchoring: address):
    """
    @param anchoring Who vouches for block hashes of other chains.
    """
    assert anchoring != empty(address), "no anchorer"
    anchorer = anchoring


@external
def anchor(chainId: uint256, blockHash: bytes32):
    """
    @notice Take a block hash as one of a final block of the chain.
    """
    assert msg.sender == anchorer, "not the anchorer"
    self._anchor(chainId, blockHash)


@external
def anchorRecent(number: uint256):
    """
    @notice Take the hash of one of this chain's last 8,191 blocks, of which the chain itself keeps record; by anybody.
    """
    answer: Bytes[32] = raw_call(HISTORY, abi_encode(number), max_outsize=32, is_static_call=True)
    assert len(answer) == 32, "absent"
    found: bytes32 = convert(answer, bytes32)
    assert found != empty(bytes32), "absent"
    self._anchor(chain.id, found)


@internal
def _anchor(chain_id: uint256, block_hash: bytes32):
    self.isAnchored[chain_id][block_hash] = True
    log Anchored(chainId=chain_id, blockHash=block_hash)


@external
@view
def readAnchored(
    chainId: uint256,
    blockHash: bytes32,
    header: Bytes[HEADER_MAX],
    contract: address,
    codeHash: bytes32,
    accountNodes: DynArray[Bytes[NODE_MAX], NODES_MAX],
    slot: bytes32,
    slotNodes: DynArray[Bytes[NODE_MAX], NODES_MAX],
) -> uint256:
    """
    @notice `read` in a block of the chain that is anchored.
    """
    assert self.isAnchored[chainId][blockHash], "wrong header"
    return staticcall StateProof(self).read(blockHash, header, contract, codeHash, accountNodes, slot, slotNodes)


@external
@view
def blockOf(blockHash: bytes32, header: Bytes[HEADER_MAX]) -> (uint256, uint256, bytes32):
    """
    @notice Number, timestamp in seconds and state root of the block with this hash, if this is its header in RLP.
    """
    return self._block(blockHash, header)


@external
@pure
def accountOf(
    stateRoot: bytes32, owner: address, nodes: DynArray[Bytes[NODE_MAX], NODES_MAX]
) -> (bool, uint256, uint256, bytes32, bytes32):
    """
    @notice Whether there is an account; its nonce, balance, storage root and code hash.
    """
    value: Bytes[NODE_MAX] = trie._look_up(stateRoot, self._key(owner), nodes)
    if len(value) == 0:
        return False, 0, 0, empty(bytes32), empty(bytes32)
    nonce: uint256 = 0
    balance: uint256 = 0
    storage_root: bytes32 = empty(bytes32)
    code_hash: bytes32 = empty(bytes32)
    nonce, balance, storage_root, code_hash = self._account(value)
    return True, nonce, balance, storage_root, code_hash


@external
@pure
def slotOf(storageRoot: bytes32, slot: bytes32, nodes: DynArray[Bytes[NODE_MAX], NODES_MAX]) -> uint256:
    """
    @notice The value of a slot under a proven storage root, 0 where it is proven that none is stored.
    """
    return self._slot(trie._look_up(storageRoot, keccak256(slot), nodes))


@external
@pure
def entryOf(root: bytes32, hashedKey: bytes32, nodes: DynArray[Bytes[NODE_MAX], NODES_MAX]) -> Bytes[NODE_MAX]:
    """
    @notice What any trie over hashed keys holds at one, no bytes where it is proven to hold nothing.
    """
    return trie._look_up(root, hashedKey, nodes)


@external
@view
def read(
    blockHash: bytes32,
    header: Bytes[HEADER_MAX],
    contract: address,
    codeHash: bytes32,
    accountNodes: DynArray[Bytes[NODE_MAX], NODES_MAX],
    slot: bytes32,
    slotNodes: DynArray[Bytes[NODE_MAX], NODES_MAX],
) -> uint256:
    """
    @notice The value of `slot` of `contract`, which must run the pinned code, in the block with hash `blockHash`.
    """
    number: uint256 = 0
    timestamp: uint256 = 0
    state_root: bytes32 = empty(bytes32)
    number, timestamp, state_root = self._block(blockHash, header)
    value: Bytes[NODE_MAX] = trie._look_up(state_root, self._key(contract), accountNodes)
    assert len(value) > 0, "absent"
    nonce: uint256 = 0
    balance: uint256 = 0
    storage_root: bytes32 = empty(bytes32)
    code_hash: bytes32 = empty(bytes32)
    nonce, balance, storage_root, code_hash = self._account(value)
    assert code_hash == codeHash, "wrong code"
    return self._slot(trie._look_up(storage_root, keccak256(slot), slotNodes))


@internal
@pure
def _key(owner: address) -> bytes32:
    return keccak256(slice(convert(owner, bytes32), 12, 20))


@internal
@pure
def _block(block_hash: bytes32, header: Bytes[HEADER_MAX]) -> (uint256, uint256, bytes32):
    assert keccak256(header) == block_hash, "wrong header"
    padded: Bytes[HEADER_MAX + 32] = concat(header, empty(bytes32))
    is_list: bool = False
    prefix: uint256 = 0
    size: uint256 = 0
    is_list, prefix, size = rlp._head(extract32(padded, 0, output_type=uint256))
    at: uint256 = prefix
    assert is_list and unsafe_add(at, size) == len(header), "malformed"
    number: uint256 = 0
    timestamp: uint256 = 0
    state_root: bytes32 = empty(bytes32)
    fields: uint256 = 0
    for field: uint256 in range(FIELDS_MAX):
        if at == len(header):
            break
        is_list, prefix, size = rlp._head(extract32(padded, at, output_type=uint256))
        assert not is_list, "malformed"
        at = unsafe_add(at, prefix)
        if field == STATE_ROOT:
            assert size == 32, "malformed"
            state_root = extract32(padded, at)
        elif field == NUMBER:
            number = rlp._integer(extract32(padded, at, output_type=uint256), size, 8)
        elif field == TIMESTAMP:
            timestamp = rlp._integer(extract32(padded, at, output_type=uint256), size, 8)
        at = unsafe_add(at, size)
        fields = unsafe_add(fields, 1)
    assert at == len(header) and fields >= FIELDS_MIN, "wrong count"
    return number, timestamp, state_root


@internal
@pure
def _account(entry: Bytes[NODE_MAX]) -> (uint256, uint256, bytes32, bytes32):
    """
    @notice Nonce, balance, storage root and code hash: a list of these four and nothing else.
    """
    padded: Bytes[NODE_MAX + 32] = concat(entry, empty(bytes32))
    is_list: bool = False
    prefix: uint256 = 0
    size: uint256 = 0
    is_list, prefix, size = rlp._head(extract32(padded, 0, output_type=uint256))
    assert is_list and unsafe_add(prefix, size) == len(entry), "malformed"
    at: uint256 = prefix
    numbers: uint256[2] = [0, 0]
    for i: uint256 in range(2):
        is_list, prefix, size = rlp._head(extract32(padded, at, output_type=uint256))
        assert not is_list, "malformed"
        at = unsafe_add(at, prefix)
        limit: uint256 = 8 if i == 0 else 32
        numbers[i] = rlp._integer(extract32(padded, at, output_type=uint256), size, limit)
        at = unsafe_add(at, size)
    assert unsafe_add(at, 66) == len(entry), "wrong count"
    first: uint256 = extract32(padded, at, output_type=uint256) >> 248
    second: uint256 = extract32(padded, unsafe_add(at, 33), output_type=uint256) >> 248
    assert first == trie.HASH and second == trie.HASH, "malformed"
    return numbers[0], numbers[1], extract32(padded, unsafe_add(at, 1)), extract32(padded, unsafe_add(at, 34))


@internal
@pure
def _slot(entry: Bytes[NODE_MAX]) -> uint256:
    """
    @notice A slot's value from the entry in the trie, which has none for zero.
    """
    if len(entry) == 0:
        return 0
    padded: Bytes[NODE_MAX + 32] = concat(entry, empty(bytes32))
    is_list: bool = False
    prefix: uint256 = 0
    size: uint256 = 0
    is_list, prefix, size = rlp._head(extract32(padded, 0, output_type=uint256))
    assert not is_list and unsafe_add(prefix, size) == len(entry), "malformed"
    assert size > 0, "not canonical"
    return rlp._integer(extract32(padded, prefix, output_type=uint256), size, 32)
