# pragma version ~=0.4.3
# pragma optimize gas
# pragma nonreentrancy on
# SPDX-License-Identifier: Apache-2.0
"""
@title Whoever shows that a report is wrong stops withdrawals and takes the signers' bond
@custom:contract-name Challenge
@license Apache-2.0
@notice A challenge of a report is opened with a bond while the report can be refuted, and withdrawals wait. Within `proofTime` its
    challenger refutes the report by one of these, each judged here without asking anybody:
        loss         an account's worst loss, recomputed from the committed positions and rows, is not the one in its leaf
        claim        a slot that collateral was counted from holds another value in the block that the report names
        twice        an account has two leaves, or a slot is claimed twice
        two reports  a quorum signed another report of the same epoch
    Then the report is refuted, withdrawals wait for a later one, and the signers' bond is slashed: `reward` of it, in
    1/10,000, to the first challenger to prove it, the rest to `beneficiary`. A challenge without proof loses its bond to the
    sponsor of the signers. Each one that fails doubles the next bond, four times at most, until one succeeds or a
    window has passed.
@custom:security Bonds are coins of the chain and are collected, not sent, so no receiver can stand in the way. A proof is taken only
    in a later block than its challenge: who copies it from the public pool has no challenge open, unless he copied that too.
    Withdrawals also wait while less than `stakeMin` is at stake, since then lying would be free. What is announced to leave
    is not at stake: a notice that has long passed could be used the moment a lie is seen. `stakedSince` lets a vault pass
    over reports that were accepted before enough was at stake.
"""

from .interfaces import Challenge
from .interfaces import MarginAttestor
from .interfaces import MarginVerifier
from .interfaces import StateProof
from .modules import margin_trees

implements: Challenge

event Opened:
    id: indexed(uint256)
    epoch: indexed(uint256)
    challenger: indexed(address)
    bond: uint256

event Refuted:
    id: indexed(uint256)
    epoch: indexed(uint256)
    why: String[16]
    slashed: uint256

event Failed:
    id: indexed(uint256)
    epoch: indexed(uint256)

event StakeChanged:
    stake: uint256

struct Case:
    challenger: address
    epoch: uint256
    bond: uint256
    openedIn: uint256  # Block.
    provableUntil: uint256  # Seconds.

# `slot` of `contract` holds `stated` in block `anchor`: an entry of the tree of claims, `crossmargin.proofs.claims`.
struct Claim:
    account: bytes32  # keccak of its name
    chainId: uint64
    anchor: bytes32
    contract: address
    codeHash: bytes32
    slot: bytes32
    stated: uint256
    index: uint256
    path: DynArray[bytes32, 32]

UNIT: constant(uint256) = 10_000
DOUBLINGS_MAX: constant(uint256) = 4  # Or a sponsor who lies could first make challenges too dear: failed bonds are his.

attestor: public(immutable(MarginAttestor))
verifier: public(immutable(MarginVerifier))
prover: public(immutable(StateProof))
sponsor: public(immutable(address))
beneficiary: public(immutable(address))
bondMin: public(immutable(uint256))
stakeMin: public(immutable(uint256))
proofTime: public(immutable(uint256))
reward: public(immutable(uint256))

refuted: public(HashMap[uint256, bool])  # epoch
lastRefuted: public(uint256)
cases: public(HashMap[uint256, Case])
count: public(uint256)
standing: public(uint256)
failures: public(uint256)  # In a row.
lastFailure: public(uint256)
stake: public(uint256)
stakedSince: public(uint256)  # Since when enough is at stake, Unix seconds; that it still is, `frozen` tells.
leaving: public(uint256)
leavesAt: public(uint256)
collectable: public(HashMap[address, uint256])


@deploy
def __init__(
    reports: address,
    losses: address,
    states: address,
    sponsoring: address,
    benefiting: address,
    bond_min: uint256,
    stake_min: uint256,
    proof_time_s: uint256,
    reward_bps: uint256,
):
    """
    @param sponsoring Who may take back what is at stake for the signers, and has the bonds of challenges that fail.
    @param benefiting Who has what is slashed beyond the reward, such as an insurance fund.
    """
    assert reports.is_contract and losses.is_contract and states.is_contract, "no contract"
    assert sponsoring != empty(address) and benefiting != empty(address), "no recipient"
    assert sponsoring != benefiting, "the sponsor would slash himself for free"
    assert bond_min > 0 and stake_min > 0 and proof_time_s > 0, "free"
    assert 0 < reward_bps and reward_bps < UNIT, "reward"
    attestor = MarginAttestor(reports)
    verifier = MarginVerifier(losses)
    prover = StateProof(states)
    sponsor = sponsoring
    beneficiary = benefiting
    bondMin = bond_min
    stakeMin = stake_min
    proofTime = proof_time_s
    reward = reward_bps


@external
@view
def frozen() -> bool:
    """
    @notice Whether withdrawals wait: a challenge stands, the last report is refuted, or too little is at stake.
    """
    last: uint256 = self.lastRefuted
    short: bool = self.stake - self.leaving < stakeMin
    return self.standing > 0 or short or (last > 0 and staticcall attestor.epoch() <= last)


@external
@view
def bond() -> uint256:
    """
    @notice What the next challenge must bring, wei.
    """
    return self._bond()


@external
@payable
def open(head: MarginAttestor.Head) -> uint256:
    """
    @notice Challenge a report; the bond comes with the call, and what is above it can be collected. Returns the challenge's id.
    """
    epoch: uint256 = convert(head.epoch, uint256)
    accepted: uint256 = staticcall attestor.acceptedAt(head)
    assert block.timestamp <= accepted + staticcall attestor.challengeWindow(), "too late"
    assert not self.refuted[epoch], "refuted before"
    needed: uint256 = self._bond()
    assert msg.value >= needed, "bond"
    self.collectable[msg.sender] += msg.value - needed
    id: uint256 = self.count
    self.count = id + 1
    self.standing += 1
    self.cases[id] = Case(
        challenger=msg.sender,
        epoch=epoch,
        bond=needed,
        openedIn=block.number,
        provableUntil=block.timestamp + proofTime,
    )
    log Opened(id=id, epoch=epoch, challenger=msg.sender, bond=needed)
    return id


@external
def refuteLoss(
    id: uint256,
    head: MarginAttestor.Head,
    leaf: MarginAttestor.Leaf,
    positions: Bytes[832],
    lines: bytes32,
    opened: Bytes[32768],
):
    """
    @notice The account's worst loss is not the one in its leaf. `positions` and `opened` are packed as `MarginVerifier` reads them;
        with `lines`, the digest of what collateral is the sum of, the positions are the leaf's content.
    """
    self._check_case(id, head)
    assert staticcall attestor.opened(head, leaf) > 0
    assert margin_trees._content(positions, lines) == leaf.content, "wrong content"
    loss: uint256 = 0
    scenario: int256 = 0
    loss, scenario = staticcall verifier.worstLoss(
        head.rowsRoot, convert(head.rows, uint256), convert(head.scenarios, uint256), positions, opened
    )
    assert loss != convert(leaf.worstLoss, uint256), "the report is right"
    self._refute(id, "loss")


@external
def refuteClaim(
    id: uint256,
    head: MarginAttestor.Head,
    claim: Claim,
    header: Bytes[1024],
    accountNodes: DynArray[Bytes[1024], 20],
    slotNodes: DynArray[Bytes[1024], 20],
):
    """
    @notice What a claim says is not so in the block that it names: the block is older than the report's instant, the contract is
        not there or runs other code, or the slot holds another value.
    """
    self._check_case(id, head)
    self._check_claim(head, claim)
    number: uint256 = 0
    timestamp: uint256 = 0
    state_root: bytes32 = empty(bytes32)
    number, timestamp, state_root = staticcall prover.blockOf(claim.anchor, header)
    wrong: bool = timestamp * 1000 < convert(head.asOfMs, uint256)
    if not wrong:
        wrong = not self._holds(claim, state_root, accountNodes, slotNodes)
    assert wrong, "the report is right"
    self._refute(id, "claim")


@external
def refuteLeaves(id: uint256, head: MarginAttestor.Head, one: MarginAttestor.Leaf, other: MarginAttestor.Leaf):
    """
    @notice One account has two leaves, and could show whichever it likes.
    """
    self._check_case(id, head)
    assert staticcall attestor.opened(head, one) > 0
    assert staticcall attestor.opened(head, other) > 0
    assert one.index != other.index, "one leaf"
    assert keccak256(one.account) == keccak256(other.account), "two accounts"
    self._refute(id, "twice")


@external
def refuteClaims(id: uint256, head: MarginAttestor.Head, one: Claim, other: Claim):
    """
    @notice One slot is counted twice; a block is of one chain, whatever the claims call it.
    """
    self._check_case(id, head)
    self._check_claim(head, one)
    self._check_claim(head, other)
    assert one.index != other.index, "one claim"
    same: bool = one.chainId == other.chainId or one.anchor == other.anchor
    assert same and one.contract == other.contract and one.slot == other.slot, "two slots"
    self._refute(id, "twice")


@external
def refuteReports(
    id: uint256, head: MarginAttestor.Head, other: MarginAttestor.Head, signatures: Bytes[2080]
):
    """
    @notice A quorum signed another report of the same epoch.
    """
    self._check_case(id, head)
    assert head.epoch == other.epoch, "another epoch"
    found: bytes32 = staticcall attestor.signedDigest(other, signatures)
    assert found != staticcall attestor.digestOf(convert(head.epoch, uint256)), "one report"
    self._refute(id, "two reports")


@external
def settle(id: uint256):
    """
    @notice End a challenge whose time has passed without proof, by anybody: its bond goes to the sponsor, or back where another
        one has refuted the report.
    """
    case: Case = self.cases[id]
    assert case.bond > 0, "no challenge"
    over: bool = block.timestamp > case.provableUntil
    assert over or self.refuted[case.epoch], "can still be proven"
    self._close(id)
    if self.refuted[case.epoch]:
        self.collectable[case.challenger] += case.bond
    else:
        self.collectable[sponsor] += case.bond
        recent: bool = block.timestamp <= self.lastFailure + staticcall attestor.challengeWindow()
        self.failures = self.failures + 1 if recent else 1
        self.lastFailure = block.timestamp
        log Failed(id=id, epoch=case.epoch)


@external
@payable
def addStake():
    """
    @notice Put more at stake for the signers; by anybody.
    """
    self._put(self.stake + msg.value, self.leaving)


@external
def announceLeave(amount: uint256):
    """
    @notice Say that stake is taken back once every report accepted until now can no longer be refuted. From now on it is not
        counted as being at stake, though it is slashed while it is here; an announcement of nothing takes it back.
    """
    assert msg.sender == sponsor, "not the sponsor"
    assert amount <= self.stake, "more than the stake"
    self._put(self.stake, amount)
    self.leavesAt = block.timestamp + staticcall attestor.challengeWindow() + proofTime


@external
def leave():
    """
    @notice Take back stake that was announced, unless a challenge stands.
    """
    assert msg.sender == sponsor, "not the sponsor"
    assert self.leaving > 0 and block.timestamp > self.leavesAt, "notice"
    assert self.standing == 0, "a challenge stands"
    amount: uint256 = self.leaving
    self.collectable[sponsor] += amount
    self._put(self.stake - amount, 0)


@external
def collect(recipient: address = msg.sender):
    """
    @notice Send the sender's coins.
    """
    amount: uint256 = self.collectable[msg.sender]
    assert amount > 0, "nothing"
    self.collectable[msg.sender] = 0
    raw_call(recipient, b"", value=amount)


@internal
@view
def _bond() -> uint256:
    if block.timestamp > self.lastFailure + staticcall attestor.challengeWindow():
        return bondMin
    return bondMin << min(self.failures, DOUBLINGS_MAX)


@internal
@view
def _check_case(id: uint256, head: MarginAttestor.Head):
    """
    @notice The sender's challenge of this report, open since an earlier block and still in time.
    """
    case: Case = self.cases[id]
    assert case.challenger == msg.sender, "not the challenger"
    assert case.epoch == convert(head.epoch, uint256), "another epoch"
    assert block.number > case.openedIn, "in the same block"
    assert block.timestamp <= case.provableUntil, "too late"
    assert staticcall attestor.acceptedAt(head) > 0


@internal
@view
def _check_claim(head: MarginAttestor.Head, claim: Claim):
    """
    @notice The claim stands in the report's tree of claims.
    """
    entry: Bytes[190] = concat(
        b"\x00\x13",
        claim.account,
        convert(claim.chainId, bytes8),
        claim.anchor,
        convert(claim.contract, bytes20),
        claim.codeHash,
        claim.slot,
        convert(claim.stated, bytes32),
    )
    root: bytes32 = margin_trees._list_root(keccak256(entry), claim.index, convert(head.claims, uint256), claim.path)
    assert root == head.claimsRoot, "wrong root"


@internal
@view
def _holds(
    claim: Claim,
    state_root: bytes32,
    account_nodes: DynArray[Bytes[1024], 20],
    slot_nodes: DynArray[Bytes[1024], 20],
) -> bool:
    exists: bool = False
    nonce: uint256 = 0
    balance: uint256 = 0
    storage_root: bytes32 = empty(bytes32)
    code_hash: bytes32 = empty(bytes32)
    exists, nonce, balance, storage_root, code_hash = staticcall prover.accountOf(
        state_root, claim.contract, account_nodes
    )
    if not exists or code_hash != claim.codeHash:
        return False
    return staticcall prover.slotOf(storage_root, claim.slot, slot_nodes) == claim.stated


@internal
def _refute(id: uint256, why: String[16]):
    """
    @notice The report is wrong. The first to prove it is rewarded from the stake; whoever proves it again has the bond back.
    """
    case: Case = self.cases[id]
    slashed: uint256 = 0
    if not self.refuted[case.epoch]:
        slashed = self.stake
        gained: uint256 = slashed * reward // UNIT
        self._put(0, 0)
        self.refuted[case.epoch] = True
        self.lastRefuted = max(self.lastRefuted, case.epoch)
        self.failures = 0
        self.collectable[case.challenger] += gained
        self.collectable[beneficiary] += slashed - gained
    self._close(id)
    self.collectable[case.challenger] += case.bond
    log Refuted(id=id, epoch=case.epoch, why=why, slashed=slashed)


@internal
def _put(stake: uint256, leaving: uint256):
    """
    @notice Keep the stake and how much of it leaves, and the time where enough comes to be at stake.
    """
    if self.stake - self.leaving < stakeMin and stake - leaving >= stakeMin:
        self.stakedSince = block.timestamp
    self.stake = stake
    self.leaving = leaving
    log StakeChanged(stake=stake)


@internal
def _close(id: uint256):
    self.cases[id] = empty(Case)
    self.standing -= 1
