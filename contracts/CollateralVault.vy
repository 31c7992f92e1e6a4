# pragma version ~=0.4.3
# pragma optimize gas
# pragma nonreentrancy on
# SPDX-License-Identifier: Apache-2.0
"""
@title Collateral that a stranger can prove, and that leaves only with its margin covered
@custom:contract-name CollateralVault
@license Apache-2.0
@notice Holds one ERC-20. `balances` is the first variable, so that a state proof of `keccak(0 || owner)` shows what an owner has
    here. An owner is the account `eip155:<home>:0x<address>` (CAIP-10) of the reports, on every chain of the same home.

    What is requested leaves `balances` at once, so every report from then on counts the account without it. It is paid out
    once a report made after the request has outlived its challenge window, lately, and that report and the latest one both show
    the account covered without it: collateral * 10,000 >= worst loss * coverage. So no price is needed here.

    Credited is what arrived, whatever was sent. A token that destroys balances is a loss shared by all: while the vault
    holds less than it owes, each payment is cut by the same ratio and deposits wait. What a token adds of itself stays as
    a reserve against that.
@custom:security Every function that writes is locked against re-entry, and so are the readers. A pause is bounded and delays only.
    Tokens that can freeze or seize this contract's balance, or lie about it, cannot be held against here.
"""

from ethereum.ercs import IERC20

from .interfaces import Challenge
from .interfaces import MarginAttestor

interface Judge:
    def attestor() -> address: view

event Deposited:
    owner: indexed(address)
    sender: indexed(address)
    amount: uint256

event Requested:
    id: indexed(uint256)
    owner: indexed(address)
    recipient: address
    amount: uint256

event Cancelled:
    id: indexed(uint256)
    owner: indexed(address)
    amount: uint256

event Executed:
    id: indexed(uint256)
    recipient: indexed(address)
    amount: uint256
    paid: uint256

event Paused:
    until: uint256

struct Request:
    owner: address
    recipient: address
    amount: uint256
    requestedAt: uint256

AMOUNT_MAX: constant(uint256) = 2**128 - 1  # Products of two amounts stay below 2^256.
COVERAGE_UNIT: constant(uint256) = 10_000
ROUNDING: constant(uint256) = 2  # Tokens that count in shares may take a unit or two more than is sent.

balances: public(HashMap[address, uint256])  # Slot 0.
nonce: public(uint256)  # Requests so far; the next one's id.
owed: public(uint256)  # All balances and all that is requested.
requests: public(HashMap[uint256, Request])
pausedUntil: public(uint256)

token: public(immutable(address))
attestor: public(immutable(MarginAttestor))
challenge: public(immutable(Challenge))
delay: public(immutable(uint256))
coverage: public(immutable(uint256))
home: public(immutable(uint256))
guardian: public(immutable(address))
pauseMax: public(immutable(uint256))


@deploy
def __init__(
    held: address,
    reports: address,
    challenges: address,
    delay_s: uint256,
    coverage_bps: uint256,
    home_chain: uint256,
    guarding: address,
    pause_s: uint256,
):
    """
    @param delay_s Seconds from request to payment, at least; not less than the challenge window.
    @param coverage_bps Collateral that must remain, in 1/10,000 of the worst loss.
    @param home_chain The chain id in the accounts' names, the same for all vaults of one system.
    @param guarding Who may pause; nobody if empty.
    """
    assert held.is_contract and reports.is_contract and challenges.is_contract, "no contract"
    assert staticcall Judge(challenges).attestor() == reports, "challenges of another attestor"
    assert delay_s >= staticcall MarginAttestor(reports).challengeWindow(), "delay within the challenge window"
    assert coverage_bps >= COVERAGE_UNIT, "coverage"
    assert home_chain > 0, "no home"
    token = held
    attestor = MarginAttestor(reports)
    challenge = Challenge(challenges)
    delay = delay_s
    coverage = coverage_bps
    home = home_chain
    guardian = guarding
    pauseMax = pause_s


@external
def deposit(amount: uint256, owner: address = msg.sender) -> uint256:
    """
    @notice Pull tokens from the sender and credit the owner with what arrived; returns that.
    """
    assert owner != empty(address), "no owner"
    assert block.timestamp >= self.pausedUntil, "paused"
    before: uint256 = self._held()
    assert before >= self.owed, "short of tokens"
    self._call_token(abi_encode(msg.sender, self, amount, method_id=method_id("transferFrom(address,address,uint256)")))
    after: uint256 = self._held()
    assert after > before, "nothing arrived"
    arrived: uint256 = after - before
    assert arrived <= amount, "more arrived than was sent"
    self.owed += arrived
    assert self.owed <= AMOUNT_MAX, "too much"
    self.balances[owner] += arrived
    log Deposited(owner=owner, sender=msg.sender, amount=arrived)
    return arrived


@external
def request(amount: uint256, recipient: address = msg.sender) -> uint256:
    """
    @notice Ask for tokens back: they stop counting as collateral now. Returns the request's id.
    """
    assert amount > 0, "nothing requested"
    assert recipient != empty(address) and recipient != self, "no recipient"
    assert self.balances[msg.sender] >= amount, "more than the balance"
    self.balances[msg.sender] -= amount
    id: uint256 = self.nonce
    self.nonce = id + 1
    self.requests[id] = Request(owner=msg.sender, recipient=recipient, amount=amount, requestedAt=block.timestamp)
    log Requested(id=id, owner=msg.sender, recipient=recipient, amount=amount)
    return id


@external
def cancel(id: uint256):
    """
    @notice Take a request back: its tokens count as collateral again.
    """
    asked: Request = self.requests[id]
    assert asked.owner == msg.sender, "not the owner's request"
    self.requests[id] = empty(Request)
    self.balances[msg.sender] += asked.amount
    log Cancelled(id=id, owner=asked.owner, amount=asked.amount)


@external
def execute(
    id: uint256,
    head: MarginAttestor.Head,
    leaf: MarginAttestor.Leaf,
    latest: MarginAttestor.Head,
    latestLeaf: MarginAttestor.Leaf,
    least: uint256,
) -> uint256:
    """
    @notice Pay a request. `head` is a report made after it whose challenge window passed not long ago, `latest` the last
        report; they may be the same. Returns what was paid; reverts below `least`.
    """
    asked: Request = self.requests[id]
    assert asked.owner == msg.sender, "not the owner's request"
    assert block.timestamp >= self.pausedUntil, "paused"
    assert block.timestamp >= asked.requestedAt + delay, "delay"
    assert not staticcall challenge.frozen(), "frozen"
    accepted: uint256 = self._covered_since(asked, head, leaf)
    assert accepted >= staticcall challenge.stakedSince(), "report without stake"
    refutable: uint256 = accepted + staticcall attestor.challengeWindow()
    assert block.timestamp > refutable, "report can still be refuted"
    assert convert(latest.epoch, uint256) == staticcall attestor.epoch(), "not the latest report"
    age_max: uint256 = staticcall attestor.ageMax()
    assert block.timestamp <= refutable + age_max, "report too old"
    assert block.timestamp * 1000 <= convert(latest.asOfMs, uint256) + age_max * 1000, "stale"
    assert self._covered_since(asked, latest, latestLeaf) > 0
    self.requests[id] = empty(Request)
    return self._pay(id, asked, least)


@internal
@view
def _covered_since(asked: Request, head: MarginAttestor.Head, leaf: MarginAttestor.Leaf) -> uint256:
    """
    @notice When the report was accepted; reverts unless it was made after the request, stands, and covers the owner's account.
    """
    assert convert(head.asOfMs, uint256) > asked.requestedAt * 1000 + 999, "report from before the request"
    assert not staticcall challenge.refuted(convert(head.epoch, uint256)), "refuted"
    assert keccak256(leaf.account) == keccak256(self._account(asked.owner)), "another account"
    held: uint256 = convert(leaf.collateral, uint256) * COVERAGE_UNIT
    assert held >= convert(leaf.worstLoss, uint256) * coverage, "margin"
    return staticcall attestor.opened(head, leaf)


@internal
def _pay(id: uint256, asked: Request, least: uint256) -> uint256:
    """
    @notice Pay what was asked for, or its share where the vault holds less than it owes, rounded down.
    """
    before: uint256 = self._held()
    paid: uint256 = asked.amount
    if before < self.owed:
        paid = paid * before // self.owed
    assert paid >= least, "short of tokens"
    self.owed -= asked.amount
    if paid > 0:
        self._call_token(abi_encode(asked.recipient, paid, method_id=method_id("transfer(address,uint256)")))
        assert self._held() + paid + ROUNDING >= before, "more left than was sent"
    log Executed(id=id, recipient=asked.recipient, amount=asked.amount, paid=paid)
    return paid


@external
def pause():
    """
    @notice Let deposits and payments wait for `pauseMax` seconds. The next pause may begin only as long after this one's end.
    """
    assert msg.sender == guardian, "not the guardian"
    assert block.timestamp >= self.pausedUntil + pauseMax or self.pausedUntil == 0, "paused before"
    self.pausedUntil = block.timestamp + pauseMax
    log Paused(until=self.pausedUntil)


@external
@view
def accountOf(owner: address) -> String[133]:
    """
    @notice The name of an owner's account in reports.
    """
    return self._account(owner)


@external
@view
def worthOf(amount: uint256) -> uint256:
    """
    @notice What would be paid now for an amount: less than it while the vault holds less than it owes.
    """
    held: uint256 = self._held()
    return amount if held >= self.owed else amount * held // self.owed


@internal
@view
def _account(owner: address) -> String[133]:
    """
    @notice CAIP-10 in lower case.
    """
    word: uint256 = convert(owner, uint256)
    high: uint256 = 0
    low: uint256 = 0
    for i: uint256 in range(20):
        high |= self._digit(word >> unsafe_sub(156, unsafe_mul(4, i))) << unsafe_sub(152, unsafe_mul(8, i))
        low |= self._digit(word >> unsafe_sub(76, unsafe_mul(4, i))) << unsafe_sub(152, unsafe_mul(8, i))
    first: bytes20 = convert(convert(high, uint160), bytes20)
    second: bytes20 = convert(convert(low, uint160), bytes20)
    return concat("eip155:", uint2str(home), ":0x", convert(concat(first, second), String[40]))


@internal
@pure
def _digit(word: uint256) -> uint256:
    """
    @notice The character of the lowest nibble, in lower case: 0 to 9 from 48, a to f from 97.
    """
    nibble: uint256 = word & 15
    return unsafe_add(nibble, 48) if nibble < 10 else unsafe_add(nibble, 87)


@internal
@view
def _held() -> uint256:
    return staticcall IERC20(token).balanceOf(self)


@internal
def _call_token(calldata: Bytes[132]):
    """
    @notice Call the token; one that returns nothing is believed, one that returns anything but true is not.
    """
    answer: Bytes[32] = raw_call(token, calldata, max_outsize=32)
    assert len(answer) == 0 or (len(answer) == 32 and convert(answer, uint256) == 1), "token refused"
