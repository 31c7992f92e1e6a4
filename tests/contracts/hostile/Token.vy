# pragma version ~=0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title A token of tests, as bad as it is told to be
@notice ERC-20 whose conduct is chosen when it is deployed; anybody may mint.
"""

interface Vault:
    def deposit(amount: uint256, owner: address) -> uint256: nonpayable
    def request(amount: uint256, recipient: address) -> uint256: nonpayable
    def balances(owner: address) -> uint256: view

flag Conduct:
    FEE  # 1 % of what is sent does not arrive
    SILENT  # returns nothing
    UNTRUE  # moves nothing and returns false
    REVERTING  # refuses once it is told to
    REENTRANT  # calls back into who calls it
    GREEDY  # takes 1 % more than is sent from the sender
    NUMBER  # returns 2 for true
    GENEROUS  # more arrives than is sent

decimals: public(immutable(uint8))
conduct: public(immutable(Conduct))
shares: HashMap[address, uint256]
allowance: public(HashMap[address, HashMap[address, uint256]])
numerator: uint256  # What a share is worth, in 1/10^18.
stopped: public(bool)
callback: public(uint256)  # 1 deposit, 2 request, 3 read
reentered: public(bool)


@deploy
def __init__(places: uint8, how: Conduct):
    decimals = places
    conduct = how
    self.numerator = 10**18


@external
def mint(owner: address, amount: uint256):
    self.shares[owner] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def rebase(per_1e18: uint256):
    self.numerator = per_1e18


@external
def stop(stopping: bool):
    self.stopped = stopping


@external
def arm(callback: uint256):
    self.callback = callback


@external
@view
def balanceOf(owner: address) -> uint256:
    return self._worth(owner)


@external
@raw_return
def transfer(recipient: address, amount: uint256) -> Bytes[32]:
    return self._answer(self._move(msg.sender, recipient, amount))


@external
@raw_return
def transferFrom(owner: address, recipient: address, amount: uint256) -> Bytes[32]:
    self.allowance[owner][msg.sender] -= amount
    return self._answer(self._move(owner, recipient, amount))


@internal
@view
def _worth(owner: address) -> uint256:
    if self.numerator == 10**18:
        return self.shares[owner]
    return self.shares[owner] * self.numerator // 10**18


@internal
def _move(owner: address, recipient: address, amount: uint256) -> bool:
    if conduct in Conduct.UNTRUE:
        return False
    assert not self.stopped, "stopped"
    moved: uint256 = amount if self.numerator == 10**18 else amount * 10**18 // self.numerator
    taken: uint256 = moved
    arriving: uint256 = moved
    if conduct in Conduct.FEE:
        arriving = moved - moved // 100
    if conduct in Conduct.GREEDY:
        taken = moved + moved // 100
    if conduct in Conduct.GENEROUS:
        arriving = moved + moved // 100
    self.shares[owner] -= taken
    self.shares[recipient] += arriving
    if conduct in Conduct.REENTRANT:
        self._call_back()
    return True


@internal
def _call_back():
    """
    @notice Whether the vault lets itself be entered again is seen in `reentered`, so that the outer call goes on.
    """
    if self.callback == 0:
        return
    calldata: Bytes[68] = abi_encode(self, method_id=method_id("balances(address)"))
    if self.callback == 1:
        calldata = abi_encode(convert(1, uint256), self, method_id=method_id("deposit(uint256,address)"))
    elif self.callback == 2:
        calldata = abi_encode(convert(1, uint256), self, method_id=method_id("request(uint256,address)"))
    success: bool = raw_call(msg.sender, calldata, revert_on_failure=False)
    self.reentered = success


@internal
@view
def _answer(moved: bool) -> Bytes[32]:
    if conduct in Conduct.SILENT:
        return b""
    if conduct in Conduct.NUMBER:
        return abi_encode(convert(2, uint256))
    return abi_encode(moved)
