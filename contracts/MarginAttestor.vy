# pragma version ~=0.4.3
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title Reports of margin that a quorum vouches for
@custom:contract-name MarginAttestor
@license Apache-2.0
@notice An epoch after the other, each signed by k of n as `crossmargin.proofs.statement.head_digest` hashes it, each not older than
    `ageMax` and not from the future. Kept of it are its digest, when it was accepted, and who could sign it; whoever shows a
    report again is believed by its digest. Leaves open one account of it without the others.
@custom:security A quorum can sign what is wrong. `Challenge` lets anybody refute it for `challengeWindow` seconds, and signers
    change only by a quorum and after `timelock`, which is longer: who signed a report is known while it can be refuted.
"""

from .interfaces import MarginAttestor
from .modules import margin_trees
from .modules import quorum
from .modules import report

implements: MarginAttestor
initializes: quorum

interface Anchors:
    def anchor(chainId: uint256, blockHash: bytes32): nonpayable

event Accepted:
    epoch: indexed(uint256)
    digest: indexed(bytes32)
    head: MarginAttestor.Head

event ChangeProposed:
    nonce: indexed(uint256)
    signers: DynArray[address, 32]
    threshold: uint256
    enactableAt: uint256

event ChangeWithdrawn:
    nonce: indexed(uint256)

event ChangeEnacted:
    version: indexed(uint256)

struct Change:
    signers: DynArray[address, 32]
    threshold: uint256
    enactableAt: uint256

CHANGE: constant(bytes32) = keccak256("SignerChange(uint256 nonce,bytes32 signers,uint256 threshold,uint256 validUntil)")
WITHDRAWAL: constant(bytes32) = keccak256("SignerChangeWithdrawal(uint256 nonce)")
ANCHOR: constant(bytes32) = keccak256("Anchor(address anchors,uint256 chainId,bytes32 blockHash)")
VERSION_UNIT: constant(uint256) = 2**64

challengeWindow: public(immutable(uint256))
ageMax: public(immutable(uint256))
timelock: public(immutable(uint256))

epoch: public(uint256)
asOfMs: public(uint256)
digestOf: public(HashMap[uint256, bytes32])  # epoch
sealed: HashMap[uint256, uint256]  # epoch: when it was accepted, and 2^64 times the version of the signers
version: public(uint256)
nonce: public(uint256)
proposed: Change


@deploy
def __init__(signers: DynArray[address, 32], needed: uint256, window_s: uint256, age_max_s: uint256, timelock_s: uint256):
    """
    @param signers In rising order of their addresses.
    @param needed How many must sign; more than half.
    """
    assert window_s > 0 and age_max_s > 0, "no time"
    assert timelock_s > window_s, "timelock within the challenge window"
    quorum._install(0, signers, needed)
    challengeWindow = window_s
    ageMax = age_max_s
    timelock = timelock_s


@external
def submit(head: MarginAttestor.Head, signatures: Bytes[2080]):
    """
    @notice Accept the report of the next epoch; by anybody who has it with its signatures.
    """
    number: uint256 = convert(head.epoch, uint256)
    as_of_ms: uint256 = convert(head.asOfMs, uint256)
    now_ms: uint256 = block.timestamp * 1000
    assert number == self.epoch + 1, "not the next epoch"
    assert as_of_ms > self.asOfMs, "not after the last report"
    assert as_of_ms <= now_ms, "from the future"
    assert now_ms - as_of_ms <= ageMax * 1000, "stale"
    assert head.accounts > 0, "no accounts"
    digest: bytes32 = report._head_digest(head)
    quorum._check(self.version, digest, signatures)
    self.epoch = number
    self.asOfMs = as_of_ms
    self.digestOf[number] = digest
    self.sealed[number] = self.version * VERSION_UNIT + block.timestamp
    log Accepted(epoch=number, digest=digest, head=head)


@external
@view
def digest(head: MarginAttestor.Head) -> bytes32:
    """
    @notice What signers sign of a report here.
    """
    return report._head_digest(head)


@external
@view
def acceptedAt(head: MarginAttestor.Head) -> uint256:
    """
    @notice When the report was accepted, Unix seconds; reverts where another one was, or none.
    """
    return self._accepted_at(head)


@external
@view
def opened(head: MarginAttestor.Head, leaf: MarginAttestor.Leaf) -> uint256:
    """
    @notice When the report was accepted; reverts unless it was, the leaf stands in its tree of accounts, and the tree's
        totals are the report's.
    """
    sums: uint256 = margin_trees._sums(convert(leaf.worstLoss, uint256), convert(leaf.collateral, uint256))
    record: bytes32 = margin_trees._account_leaf(leaf.account, leaf.salt, leaf.content, sums)
    root: bytes32 = empty(bytes32)
    totals: uint256 = 0
    root, totals = margin_trees._sum_root(record, sums, leaf.index, convert(head.accounts, uint256), leaf.path)
    assert root == head.accountsRoot, "wrong root"
    stated: uint256 = margin_trees._sums(
        convert(head.worstLossTotal, uint256), convert(head.collateralTotal, uint256)
    )
    assert totals == stated, "wrong totals"
    return self._accepted_at(head)


@external
@view
def signedDigest(head: MarginAttestor.Head, signatures: Bytes[2080]) -> bytes32:
    """
    @notice The digest of a report; reverts unless a quorum of those who could sign the accepted report of its epoch has
        signed it.
    """
    sealed: uint256 = self.sealed[convert(head.epoch, uint256)]
    assert sealed > 0, "not accepted"
    digest: bytes32 = report._head_digest(head)
    quorum._check(sealed // VERSION_UNIT, digest, signatures)
    return digest


@internal
@view
def _accepted_at(head: MarginAttestor.Head) -> uint256:
    number: uint256 = convert(head.epoch, uint256)
    assert self.digestOf[number] == report._head_digest(head), "not accepted"
    return self.sealed[number] % VERSION_UNIT


@external
def anchor(anchors: address, chainId: uint256, blockHash: bytes32, signatures: Bytes[2080]):
    """
    @notice Vouch for the hash of a final block of a chain to a contract that asks this one, such as `StateProof`.
    """
    structure: bytes32 = keccak256(abi_encode(ANCHOR, anchors, chainId, blockHash))
    quorum._check(self.version, report._digest(structure), signatures)
    extcall Anchors(anchors).anchor(chainId, blockHash)


@external
def propose(signers: DynArray[address, 32], needed: uint256, validUntil: uint256, signatures: Bytes[2080]):
    """
    @notice Announce other signers, who take over after the timelock; it replaces a change that was announced before.
    @param validUntil When the signatures lapse, Unix seconds: what was signed once cannot be kept for a bad day.
    """
    assert block.timestamp <= validUntil, "lapsed"
    structure: bytes32 = keccak256(abi_encode(CHANGE, self.nonce, keccak256(abi_encode(signers)), needed, validUntil))
    quorum._check(self.version, report._digest(structure), signatures)
    enactable: uint256 = block.timestamp + timelock
    self.proposed = Change(signers=signers, threshold=needed, enactableAt=enactable)
    log ChangeProposed(nonce=self.nonce, signers=signers, threshold=needed, enactableAt=enactable)
    self.nonce += 1


@external
def withdrawChange(signatures: Bytes[2080]):
    """
    @notice Take back a change that was announced.
    """
    assert self.proposed.enactableAt > 0, "no change"
    quorum._check(self.version, report._digest(keccak256(abi_encode(WITHDRAWAL, self.nonce))), signatures)
    self.proposed = empty(Change)
    log ChangeWithdrawn(nonce=self.nonce)
    self.nonce += 1


@external
def enact():
    """
    @notice Let the announced signers take over; by anybody.
    """
    change: Change = self.proposed
    assert change.enactableAt > 0, "no change"
    assert block.timestamp >= change.enactableAt, "timelock"
    self.proposed = empty(Change)
    self.version += 1
    quorum._install(self.version, change.signers, change.threshold)
    log ChangeEnacted(version=self.version)


@external
@view
def isSigner(signer: address) -> bool:
    """
    @notice Whether an address may sign now.
    """
    return quorum.isSigner[self.version][signer]


@external
@view
def threshold() -> uint256:
    """
    @notice How many must sign now.
    """
    return quorum.threshold[self.version]


@external
@view
def change() -> Change:
    """
    @notice The change that was announced, and when it can be enacted; empty where there is none.
    """
    return self.proposed
