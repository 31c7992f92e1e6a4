# pragma version ~=0.4.3
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title The worst loss of one account, recomputed from what an epoch has committed
@custom:contract-name MarginVerifier
@license Apache-2.0
@notice Integers alone: R is ⌊R/u⌋ = F in quanta, a position is between n and n + b lots, and its P&L in a scenario is
        T = (n + b·[F < 0]) · (F + [n < 0])
    quanta of money, the least in that box (`crossmargin.proofs.quantise`). Rows are opened in the tree of rows, positions
    in the account's leaf; the loss is the greatest −ΣT over scenarios. The sums are those of Python, to the last digit.
@dev n and F are int64, so |n + b| and |F + 1| are at most 2⁶³, |T| at most 2¹²⁶, and 64 positions sum to at most 2¹³²: no
    int256 can overflow, which is why sums and products are unchecked. A loss of 2¹²⁸ or more is told too: no leaf has room
    for it, so whatever the leaf says is refuted. Offsets stay below 2⁴⁰, and `extract32` and `slice` revert outside of
    what they read.
"""

from .interfaces import MarginVerifier
from .modules import margin_trees

implements: MarginVerifier

# Who the account is, and where its leaf stands among the accounts. `path` has two words a level: hash and sums.
struct Account:
    name: String[256]
    salt: bytes32
    index: uint256
    worstLoss: uint256
    collateral: uint256
    lines: bytes32  # digest of the lines that the collateral is the sum of
    path: DynArray[bytes32, 64]

# What an account's leaf says, what its positions lose in fact, and the totals over all accounts.
struct Margin:
    statedLoss: uint256
    worstLoss: uint256
    scenario: int256
    collateral: uint256
    worstLossTotal: uint256
    collateralTotal: uint256

POSITIONS_MAX: constant(uint256) = 64
POSITION_BYTES: constant(uint256) = 13
POSITIONS_BYTES: constant(uint256) = POSITIONS_MAX * POSITION_BYTES
SCENARIOS_MAX: constant(uint256) = 512
OPENED_BYTES: constant(uint256) = 32768
ENTRY_BYTES: constant(uint256) = 35  # of a row before its quanta: two tags, the hash of its name, decimals
ENTRY_TAGS: constant(uint256) = 16  # 0x00 of a leaf, 0x10 of a row
DECIMALS_MAX: constant(uint256) = 18
DEPTH_MAX: constant(uint256) = 32


@external
@view
def worstLoss(
    rowsRoot: bytes32, rows: uint256, scenarios: uint256, positions: Bytes[POSITIONS_BYTES], opened: Bytes[OPENED_BYTES]
) -> (uint256, int256):
    """
    @notice The greatest loss over scenarios in quanta of money, 0 where each scenario gains, and the first scenario that
        has it, −1 without positions.
    @param positions As they are packed in the account's leaf.
    @param opened Each row of R that they stand in once, by rising index: leaf, path and index.
    """
    return self._worst(rowsRoot, rows, scenarios, positions, opened)


@external
@view
def marginOf(
    accountsRoot: bytes32,
    accounts: uint256,
    account: Account,
    rowsRoot: bytes32,
    rows: uint256,
    scenarios: uint256,
    positions: Bytes[POSITIONS_BYTES],
    opened: Bytes[OPENED_BYTES],
) -> Margin:
    """
    @notice What the committed leaf of an account says, what its positions lose in fact, and the totals of the epoch.
    @dev The stated loss may differ from the recomputed one: the caller compares. A leaf that is not in the tree reverts.
    """
    sums: uint256 = margin_trees._sums(account.worstLoss, account.collateral)
    content: bytes32 = margin_trees._content(positions, account.lines)
    leaf: bytes32 = margin_trees._account_leaf(account.name, account.salt, content, sums)
    root: bytes32 = empty(bytes32)
    totals: uint256 = 0
    root, totals = margin_trees._sum_root(leaf, sums, account.index, accounts, account.path)
    assert root == accountsRoot, "wrong root"
    loss: uint256 = 0
    scenario: int256 = 0
    loss, scenario = self._worst(rowsRoot, rows, scenarios, positions, opened)
    loss_total: uint256 = 0
    collateral_total: uint256 = 0
    loss_total, collateral_total = margin_trees._parts(totals)
    return Margin(
        statedLoss=account.worstLoss,
        worstLoss=loss,
        scenario=scenario,
        collateral=account.collateral,
        worstLossTotal=loss_total,
        collateralTotal=collateral_total,
    )


@internal
@pure
def _worst(
    root: bytes32, rows: uint256, scenarios: uint256, positions: Bytes[POSITIONS_BYTES], opened: Bytes[OPENED_BYTES]
) -> (uint256, int256):
    count: uint256 = len(positions) // POSITION_BYTES
    assert unsafe_mul(count, POSITION_BYTES) == len(positions), "malformed"
    if count == 0:
        assert len(opened) == 0, "wrong count"
        return 0, -1
    assert scenarios > 0 and scenarios <= SCENARIOS_MAX, "malformed"
    packed: Bytes[POSITIONS_BYTES + 32] = concat(positions, empty(bytes32))
    totals: int256[4][SCENARIOS_MAX // 4] = empty(int256[4][SCENARIOS_MAX // 4])
    words: uint256 = unsafe_add(scenarios, 3) >> 2
    depth: uint256 = margin_trees._depth(rows)
    row: uint256 = 0  # where it begins
    following: uint256 = 0
    matched: uint256 = 0
    for opening: uint256 in range(POSITIONS_MAX):
        if row == len(opened):
            break
        quanta: uint256 = unsafe_add(row, ENTRY_BYTES)
        path: uint256 = unsafe_add(quanta, unsafe_mul(8, scenarios))
        beyond: uint256 = unsafe_add(path, unsafe_mul(32, depth))
        index: uint256 = extract32(opened, beyond, output_type=uint256)
        assert index >= following and index < rows, "wrong count"
        following = unsafe_add(index, 1)
        assert extract32(opened, row, output_type=uint256) >> 240 == ENTRY_TAGS, "malformed"
        assert extract32(opened, unsafe_add(row, 3), output_type=uint256) & 255 <= DECIMALS_MAX, "malformed"
        node: bytes32 = keccak256(slice(opened, row, unsafe_sub(path, row)))
        for level: uint256 in range(depth, bound=DEPTH_MAX):
            beside: bytes32 = extract32(opened, unsafe_add(path, unsafe_mul(32, level)))
            node = margin_trees._parent(node, beside, index >> level, unsafe_sub(rows, 1) >> level)
        assert margin_trees._seal(node, rows) == root, "wrong root"
        before: uint256 = matched
        for place: uint256 in range(count, bound=POSITIONS_MAX):
            at: uint256 = unsafe_mul(POSITION_BYTES, place)
            position: uint256 = extract32(packed, at, output_type=uint256)
            if position >> 224 != index:
                continue
            matched = unsafe_add(matched, 1)
            between: int256 = convert((position >> 152) & 255, int256)
            assert between <= 1, "malformed"
            lots: int256 = extract32(packed, unsafe_add(at, 4), output_type=int256) >> 192
            more: int256 = unsafe_add(lots, between)
            short: int256 = convert(lots < 0, int256)
            for word: uint256 in range(words, bound=SCENARIOS_MAX // 4):
                # Four quanta stand in a word; scenarios that round its number up to four are never looked at.
                moves: int256 = extract32(opened, unsafe_add(quanta, unsafe_mul(32, word)), output_type=int256)
                four: int256[4] = totals[word]
                move: int256 = moves >> 192
                four[0] = unsafe_add(four[0], unsafe_mul(more if move < 0 else lots, unsafe_add(move, short)))
                move = (moves << 64) >> 192
                four[1] = unsafe_add(four[1], unsafe_mul(more if move < 0 else lots, unsafe_add(move, short)))
                move = (moves << 128) >> 192
                four[2] = unsafe_add(four[2], unsafe_mul(more if move < 0 else lots, unsafe_add(move, short)))
                move = (moves << 192) >> 192
                four[3] = unsafe_add(four[3], unsafe_mul(more if move < 0 else lots, unsafe_add(move, short)))
                totals[word] = four
        assert matched > before, "wrong count"
        row = unsafe_add(beyond, 32)
    assert row == len(opened), "wrong count"
    assert matched == count, "absent"
    return self._least(totals, scenarios)


@internal
@pure
def _least(totals: int256[4][SCENARIOS_MAX // 4], scenarios: uint256) -> (uint256, int256):
    least: int256 = totals[0][0]
    first: uint256 = 0
    for scenario: uint256 in range(1, scenarios, bound=SCENARIOS_MAX):
        total: int256 = totals[scenario >> 2][scenario & 3]
        if total < least:
            least = total
            first = scenario
    loss: int256 = max(unsafe_sub(0, least), 0)
    return convert(loss, uint256), convert(first, int256)
