# pragma version ~=0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title RLP, read in the one way that it is written
@custom:contract-name rlp
@license Apache-2.0
@notice Where an item's payload begins and how long it is. A prefix that is longer than needed is refused, so a value
    has one form. Source: Ethereum yellow paper, appendix B.
@dev Readers pass the 32 bytes at an item's first byte: a prefix has at most three here, since nothing that is read
    has 65,536 bytes. The caller compares the end of the item with the end of what holds it.
"""

STRING: constant(uint256) = 128  # 0x80: a string of up to 55 bytes; what is less stands for itself
LONG_STRING: constant(uint256) = 183  # 0xb7, and the bytes of the length
LIST: constant(uint256) = 192  # 0xc0: a list of up to 55 bytes
LONG_LIST: constant(uint256) = 247  # 0xf7, and the bytes of the length


@internal
@pure
def _head(word: uint256) -> (bool, uint256, uint256):
    """
    @notice The item that begins with the first byte of `word`.
    @return Whether it is a list; the bytes of its prefix; the bytes of its payload.
    """
    first: uint256 = word >> 248
    if first < STRING:
        return False, 0, 1
    if first <= LONG_STRING:
        size: uint256 = unsafe_sub(first, STRING)
        assert size != 1 or (word >> 240) & 255 >= STRING, "not canonical"
        return False, 1, size
    if first < LIST:
        width: uint256 = unsafe_sub(first, LONG_STRING)
        return False, unsafe_add(1, width), self._long(word, width)
    if first <= LONG_LIST:
        return True, 1, unsafe_sub(first, LIST)
    many: uint256 = unsafe_sub(first, LONG_LIST)
    return True, unsafe_add(1, many), self._long(word, many)


@internal
@pure
def _long(word: uint256, width: uint256) -> uint256:
    """
    @notice The length that stands in `width` bytes after the first one: at least 56, without leading zeros.
    """
    size: uint256 = (word >> 240) & 255
    assert width <= 2 and size > 0, "not canonical"
    if width == 2:
        return (size << 8) | ((word >> 232) & 255)
    assert size > 55, "not canonical"
    return size


@internal
@pure
def _integer(word: uint256, size: uint256, limit: uint256) -> uint256:
    """
    @notice The unsigned integer in the first `size` bytes of `word`, at most `limit` of 32, without leading zeros.
    """
    assert size <= limit, "overflow"
    if size == 0:
        return 0
    assert word >> 248 != 0, "not canonical"
    return word >> unsafe_sub(256, unsafe_mul(8, size))
