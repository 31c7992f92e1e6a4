# pragma version ~=0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Paths through a Merkle-Patricia trie whose keys are hashes
@custom:contract-name trie
@license Apache-2.0
@notice What stands at a key, or that nothing does, with the nodes from the root down as `eth_getProof` lists them. A
    path has one form: each node hashes to what the node above it names, all of them are used, and each is a node as the
    trie writes it. Source: Ethereum yellow paper, appendices C and D; EIP-1186.
@dev A child shorter than 32 bytes stands inside the node above it and is not listed. In 31 bytes there is room for
    three shapes only: a leaf, a branch of leaves, and an extension with such a branch. So an inline node is one word,
    its bytes on the left, and reading it takes no recursion.
"""

from . import rlp

EMPTY_ROOT: constant(bytes32) = 0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421  # keccak(0x80)
NODE_MAX: constant(uint256) = 1024
BRANCH_BYTES: constant(uint256) = 532  # With sixteen hashes: the longest node there is.
NODES_MAX: constant(uint256) = 20  # Who wants 20 hashes to share their way there has to try 2⁷⁶ keys.
NIBBLES: constant(uint256) = 64
EMPTY: constant(uint256) = 128  # 0x80
HASH: constant(uint256) = 160  # 0xa0, the prefix of 32 bytes
LIST: constant(uint256) = 192  # 0xc0
LIST_INSIDE_MAX: constant(uint256) = 222  # 0xde, a list of 30 bytes: with its prefix one byte shorter than a hash
LEAF: constant(uint256) = 32  # 0x20
ODD: constant(uint256) = 16  # 0x10


struct Step:
    # Where a node leads on the way to a key.
    ends: bool  # at the key's value, or beside the key
    extension: bool  # which leads to a branch
    start: uint256  # of the value or the child, in the node
    size: uint256  # of the value, none where the key is absent; or of the child: 32 is a hash, less is the node itself
    depth: uint256  # nibbles of the key that lie behind


@internal
@pure
def _look_up(root: bytes32, hashed: bytes32, nodes: DynArray[Bytes[NODE_MAX], NODES_MAX]) -> Bytes[NODE_MAX]:
    """
    @notice What the trie with `root` holds at a `hashed` key; no bytes where it is proven to hold nothing.
    """
    if root == EMPTY_ROOT:
        # Clients differ: geth lists nothing, reth and anvil the empty node.
        assert len(nodes) == 0 or (len(nodes) == 1 and keccak256(nodes[0]) == EMPTY_ROOT), "wrong count"
        return b""
    key: uint256 = convert(hashed, uint256)
    named: bytes32 = root
    step: Step = empty(Step)
    for used: uint256 in range(NODES_MAX):
        assert used < len(nodes), "wrong count"
        node: Bytes[NODE_MAX] = nodes[used]
        assert keccak256(node) == named, "wrong node"
        assert len(node) <= BRANCH_BYTES and (used == 0 or len(node) >= 32), "not canonical"
        step = self._step(node, key, step)
        value: Bytes[NODE_MAX] = b""
        if not step.ends and step.size < 32:
            value = self._value_inside(extract32(concat(node, empty(bytes32)), step.start), key, step)
            step.ends = True
        elif step.ends and step.size > 0:
            value = slice(node, step.start, step.size)
        if step.ends:
            assert unsafe_add(used, 1) == len(nodes), "wrong count"
            return value
        named = extract32(node, step.start)
    raise "wrong count"


@internal
@pure
def _step(node: Bytes[NODE_MAX], key: uint256, before: Step) -> Step:
    """
    @notice Where a listed node leads, once all of it is known to be as the trie writes it.
    """
    end: uint256 = len(node)
    padded: Bytes[NODE_MAX + 32] = concat(node, empty(bytes32))
    is_list: bool = False
    prefix: uint256 = 0
    size: uint256 = 0
    is_list, prefix, size = rlp._head(extract32(padded, 0, output_type=uint256))
    assert is_list and unsafe_add(prefix, size) == end, "malformed"

    # The two items of a leaf or an extension, or the first two of a branch.
    start: uint256 = prefix
    is_list, prefix, size = rlp._head(extract32(padded, start, output_type=uint256))
    path_start: uint256 = unsafe_add(start, prefix)
    path_size: uint256 = size
    path_is_list: bool = is_list
    at: uint256 = unsafe_add(path_start, path_size)
    assert at < end, "malformed"
    is_list, prefix, size = rlp._head(extract32(padded, at, output_type=uint256))
    if unsafe_add(at, unsafe_add(prefix, size)) != end:
        return self._step_branch(padded, start, key, before.depth)

    assert not before.extension and not path_is_list and path_size > 0, "malformed"
    flag: uint256 = self._flag(extract32(padded, path_start, output_type=uint256))
    matches: bool = False
    depth: uint256 = 0
    tail: uint256 = extract32(padded, unsafe_add(path_start, 1), output_type=uint256)
    matches, depth = self._follow(flag, tail, path_size, key, before.depth)
    if flag & LEAF != 0:
        assert not is_list and size > 0, "malformed"
        return Step(
            ends=True, extension=False, start=unsafe_add(at, prefix), size=size if matches else 0, depth=depth
        )
    if is_list:
        assert prefix == 1 and size < 31, "not canonical"
        self._check_branch_inside(extract32(padded, at, output_type=uint256))
        return Step(ends=not matches, extension=True, start=at, size=unsafe_add(size, 1) if matches else 0, depth=depth)
    assert size == 32, "malformed"
    return Step(ends=not matches, extension=True, start=unsafe_add(at, prefix), size=32 if matches else 0, depth=depth)


@internal
@pure
def _step_branch(padded: Bytes[NODE_MAX + 32], first: uint256, key: uint256, depth: uint256) -> Step:
    """
    @notice Where a branch leads whose items begin at `first`: sixteen children and no value, all keys are equally long.
    """
    assert depth < NIBBLES, "malformed"
    nibble: uint256 = (key >> unsafe_sub(252, unsafe_mul(4, depth))) & 15
    at: uint256 = first
    children: uint256 = 0
    found: Step = Step(ends=True, extension=False, start=0, size=0, depth=unsafe_add(depth, 1))
    for i: uint256 in range(16):
        word: uint256 = extract32(padded, at, output_type=uint256)
        kind: uint256 = word >> 248
        if kind == EMPTY:
            at = unsafe_add(at, 1)
            continue
        start: uint256 = at
        size: uint256 = 32
        if kind == HASH:
            start = unsafe_add(at, 1)
        else:
            assert kind >= LIST and kind <= LIST_INSIDE_MAX, "malformed"
            size = unsafe_sub(kind, LIST - 1)
            self._check_inside(word)
        if i == nibble:
            found.ends = False
            found.start = start
            found.size = size
        at = unsafe_add(start, size)
        children = unsafe_add(children, 1)
    assert children > 1, "not canonical"
    assert unsafe_add(at, 33) == len(padded) and extract32(padded, at, output_type=uint256) >> 248 == EMPTY, "malformed"
    return found


@internal
@pure
def _flag(word: uint256) -> uint256:
    """
    @notice The first byte of a path: leaf or extension, odd or even, and no stray nibble.
    """
    flag: uint256 = word >> 248
    assert flag < 64 and (flag & ODD != 0 or flag & 15 == 0), "not canonical"
    return flag


@internal
@pure
def _follow(flag: uint256, tail: uint256, size: uint256, key: uint256, depth: uint256) -> (bool, uint256):
    """
    @notice Whether the key goes on as a path of `size` bytes does, `tail` after its flag; and the depth behind it.
    @dev A leaf's path has all the nibbles that are left, an extension's at least one and not all.
    """
    count: uint256 = unsafe_mul(2, unsafe_sub(size, 1))
    bits: uint256 = tail
    if flag & ODD != 0:
        count = unsafe_add(count, 1)
        bits = (flag << 252) | (tail >> 4)
    left: uint256 = unsafe_sub(NIBBLES, depth)
    if flag & LEAF != 0:
        assert count == left, "malformed"
    else:
        assert 0 < count and count < left, "malformed"
    differs: uint256 = ((key << unsafe_mul(4, depth)) ^ bits) >> unsafe_sub(256, unsafe_mul(4, count))
    return differs == 0, unsafe_add(depth, count)


@internal
@pure
def _check_inside(word: uint256):
    """
    @notice A child that stands in its parent is a leaf, a branch of leaves, or an extension and such a branch.
    @dev The caller has seen that it begins as a list of at most 30 bytes.
    """
    end: uint256 = unsafe_sub(word >> 248, LIST - 1)
    is_list: bool = False
    prefix: uint256 = 0
    size: uint256 = 0
    is_list, prefix, size = rlp._head(word << 8)
    path_is_list: bool = is_list
    at: uint256 = unsafe_add(1, unsafe_add(prefix, size))
    path_size: uint256 = size
    assert at < end, "malformed"
    is_list, prefix, size = rlp._head(word << unsafe_mul(8, at))
    if unsafe_add(at, unsafe_add(prefix, size)) != end:
        self._check_branch_inside(word)
        return
    assert not path_is_list and path_size > 0, "malformed"
    flag: uint256 = self._flag(word << unsafe_mul(8, unsafe_sub(at, path_size)))
    if flag & LEAF != 0:
        assert not is_list and size > 0, "malformed"
    else:
        assert is_list and (flag & ODD != 0 or path_size > 1), "malformed"
        self._check_branch_inside(word << unsafe_mul(8, at))


@internal
@pure
def _check_branch_inside(word: uint256):
    """
    @notice A branch of at most 31 bytes: two leaves or more, nothing else, and no value.
    """
    assert word >> 248 <= LIST_INSIDE_MAX, "malformed"
    at: uint256 = 1
    children: uint256 = 0
    for _: uint256 in range(16):
        child: uint256 = word << unsafe_mul(8, at)
        kind: uint256 = child >> 248
        at = unsafe_add(at, 1)
        if kind != EMPTY:
            assert kind >= LIST and kind <= LIST_INSIDE_MAX, "malformed"
            self._check_leaf_inside(child)
            at = unsafe_add(at, unsafe_sub(kind, LIST))
            children = unsafe_add(children, 1)
    assert children > 1, "not canonical"
    ends: bool = at == unsafe_sub(word >> 248, LIST)
    assert ends and (word << unsafe_mul(8, at)) >> 248 == EMPTY, "malformed"


@internal
@pure
def _check_leaf_inside(word: uint256):
    """
    @notice A leaf of at most 31 bytes.
    """
    end: uint256 = unsafe_sub(word >> 248, LIST - 1)
    is_list: bool = False
    prefix: uint256 = 0
    size: uint256 = 0
    is_list, prefix, size = rlp._head(word << 8)
    assert not is_list and size > 0, "malformed"
    at: uint256 = unsafe_add(1, unsafe_add(prefix, size))
    assert at < end, "malformed"
    assert self._flag(word << unsafe_mul(8, unsafe_sub(at, size))) & LEAF != 0, "malformed"
    is_list, prefix, size = rlp._head(word << unsafe_mul(8, at))
    assert not is_list and size > 0 and unsafe_add(at, unsafe_add(prefix, size)) == end, "malformed"


@internal
@pure
def _value_inside(child: bytes32, key: uint256, before: Step) -> Bytes[32]:
    """
    @notice What stands at the key in a node inside another, which has been checked; no bytes where nothing does.
    """
    word: uint256 = convert(child, uint256)
    depth: uint256 = before.depth
    branch: bool = before.extension
    for _: uint256 in range(3):
        is_list: bool = False
        prefix: uint256 = 0
        size: uint256 = 0
        is_list, prefix, size = rlp._head(word << 8)
        at: uint256 = unsafe_add(1, unsafe_add(prefix, size))
        path: uint256 = word << unsafe_mul(8, unsafe_sub(at, size))
        path_size: uint256 = size
        is_list, prefix, size = rlp._head(word << unsafe_mul(8, at))
        if branch or unsafe_add(at, unsafe_add(prefix, size)) != unsafe_sub(word >> 248, LIST - 1):
            assert depth < NIBBLES, "malformed"
            word = self._child_inside(word, (key >> unsafe_sub(252, unsafe_mul(4, depth))) & 15)
            depth = unsafe_add(depth, 1)
            if word == 0:
                return b""
            branch = False
            continue
        matches: bool = False
        matches, depth = self._follow(path >> 248, path << 8, path_size, key, depth)
        if not matches:
            return b""
        if (path >> 248) & LEAF != 0:
            return slice(convert(word, bytes32), unsafe_add(at, prefix), size)
        word <<= unsafe_mul(8, at)
        branch = True
    raise "malformed"


@internal
@pure
def _child_inside(word: uint256, nibble: uint256) -> uint256:
    """
    @notice A child of a branch inside another node, or zero.
    """
    at: uint256 = 1
    for i: uint256 in range(16):
        child: uint256 = word << unsafe_mul(8, at)
        kind: uint256 = child >> 248
        if i == nibble:
            return child if kind != EMPTY else 0
        at = unsafe_add(at, unsafe_sub(kind, LIST - 1) if kind != EMPTY else 1)
    raise "malformed"
