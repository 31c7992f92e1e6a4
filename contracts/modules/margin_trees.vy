# pragma version ~=0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Merkle trees and Merkle-sum trees, checked as `crossmargin.proofs.trees` builds them
@custom:contract-name margin_trees
@license Apache-2.0
@notice Leaf keccak(0x00 ‖ content), node keccak(0x01 ‖ left record ‖ right record), root keccak(0x02 ‖ count, 8 bytes ‖
    columns, 1 byte ‖ record at the top). A record is a hash and, in the tree of accounts, two sums of 16 bytes in one word.
    First bytes keep leaves, nodes and root apart; count and index fix the shape of a path, so a path has one form.
@dev At an odd end the record of zeros stands in as the right neighbour, and nothing else may.
"""

DEPTH_MAX: constant(uint256) = 32
COUNT_MAX: constant(uint256) = 2**32
SUM_BITS: constant(uint256) = 128
NAME_MAX: constant(uint256) = 256
POSITION_BYTES: constant(uint256) = 13  # row, 4; lots, 8; whether between lots, 1
POSITIONS_BYTES: constant(uint256) = 64 * POSITION_BYTES


@internal
@pure
def _list_root(leaf: bytes32, index: uint256, count: uint256, path: DynArray[bytes32, DEPTH_MAX]) -> bytes32:
    """
    @notice The root of a plain tree of `count` entries in which `leaf` stands at `index`.
    """
    assert index < count and len(path) == self._depth(count), "wrong count"
    node: bytes32 = leaf
    place: uint256 = index
    last: uint256 = unsafe_sub(count, 1)
    for sibling: bytes32 in path:
        node = self._parent(node, sibling, place, last)
        place >>= 1
        last >>= 1
    return self._seal(node, count)


@internal
@pure
def _parent(node: bytes32, sibling: bytes32, place: uint256, last: uint256) -> bytes32:
    """
    @notice The node above the one at `place` of a level whose last place is `last`, in a plain tree.
    """
    if place & 1 == 1:
        return keccak256(concat(0x01, sibling, node))
    assert place != last or sibling == empty(bytes32), "not canonical"
    return keccak256(concat(0x01, node, sibling))


@internal
@pure
def _seal(top: bytes32, count: uint256) -> bytes32:
    """
    @notice The root over the node at the top of a plain tree.
    """
    return keccak256(concat(0x02, convert(convert(count, uint64), bytes8), 0x00, top))


@internal
@pure
def _sum_root(
    leaf: bytes32, sums: uint256, index: uint256, count: uint256, path: DynArray[bytes32, 2 * DEPTH_MAX]
) -> (bytes32, uint256):
    """
    @notice The root of a tree of `count` accounts with two sums, and its totals, both in one word as `sums` are.
    @dev `path` has two words a level: the neighbour's hash and its sums. A sum beyond 128 bits is refused.
    """
    assert index < count and len(path) == unsafe_mul(2, self._depth(count)), "wrong count"
    node: bytes32 = leaf
    total: uint256 = sums
    place: uint256 = index
    last: uint256 = unsafe_sub(count, 1)
    for level: uint256 in range(DEPTH_MAX):
        at: uint256 = unsafe_mul(2, level)
        if at == len(path):
            break
        sibling: bytes32 = path[at]
        beside: bytes32 = path[unsafe_add(at, 1)]
        if place & 1 == 1:
            node = keccak256(concat(0x01, sibling, beside, node, convert(total, bytes32)))
        else:
            assert place != last or (sibling == empty(bytes32) and beside == empty(bytes32)), "not canonical"
            node = keccak256(concat(0x01, node, convert(total, bytes32), sibling, beside))
        total = self._added(total, convert(beside, uint256))
        place >>= 1
        last >>= 1
    return keccak256(concat(0x02, convert(convert(count, uint64), bytes8), 0x02, node, convert(total, bytes32))), total


@internal
@pure
def _content(positions: Bytes[POSITIONS_BYTES], lines: bytes32) -> bytes32:
    """
    @notice What an account's leaf binds beside its amounts: packed positions, 13 bytes each, and its lines' digest.
    """
    count: uint256 = len(positions) // POSITION_BYTES
    assert unsafe_mul(count, POSITION_BYTES) == len(positions), "malformed"
    held: bytes32 = keccak256(concat(0x12, convert(convert(count, uint32), bytes4), positions))
    return keccak256(concat(0x15, held, lines))


@internal
@pure
def _account_leaf(name: String[NAME_MAX], salt: bytes32, content: bytes32, sums: uint256) -> bytes32:
    """
    @notice The hash of an account's leaf: `crossmargin.proofs.trees.account_record`.
    """
    return keccak256(concat(0x00, content, salt, convert(sums, bytes32), convert(name, Bytes[NAME_MAX])))


@internal
@pure
def _sums(first: uint256, second: uint256) -> uint256:
    """
    @notice Two amounts below 2¹²⁸ in one word.
    """
    assert first >> SUM_BITS == 0 and second >> SUM_BITS == 0, "overflow"
    return (first << SUM_BITS) | second


@internal
@pure
def _parts(sums: uint256) -> (uint256, uint256):
    """
    @notice The two amounts of one word.
    """
    return sums >> SUM_BITS, sums & (2**SUM_BITS - 1)


@internal
@pure
def _added(one: uint256, other: uint256) -> uint256:
    first: uint256 = unsafe_add(one >> SUM_BITS, other >> SUM_BITS)
    second: uint256 = unsafe_add(one & (2**SUM_BITS - 1), other & (2**SUM_BITS - 1))
    return self._sums(first, second)


@internal
@pure
def _depth(count: uint256) -> uint256:
    """
    @notice The levels below the top of a tree of `count` leaves.
    """
    assert count > 0 and count <= COUNT_MAX, "malformed"
    last: uint256 = unsafe_sub(count, 1)
    for depth: uint256 in range(DEPTH_MAX):
        if last >> depth == 0:
            return depth
    return DEPTH_MAX
