# pragma version ~=0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title A plain token for chains of one's own
@custom:contract-name Token
@license Apache-2.0
@notice ERC-20 whose issuer mints. `balanceOf` is slot 0 and `totalSupply` slot 1, so that state proofs show both.
@custom:security For demonstrations and tests: its issuer can mint anything.
"""

from ethereum.ercs import IERC20

implements: IERC20

balanceOf: public(HashMap[address, uint256])  # Slot 0.
totalSupply: public(uint256)  # Slot 1.
allowance: public(HashMap[address, HashMap[address, uint256]])

decimals: public(immutable(uint8))
issuer: public(immutable(address))


@deploy
def __init__(places: uint8):
    decimals = places
    issuer = msg.sender


@external
def mint(owner: address, amount: uint256):
    """
    @notice Make tokens for an owner; by the issuer.
    """
    assert msg.sender == issuer, "not the issuer"
    self.totalSupply += amount
    self.balanceOf[owner] += amount
    log IERC20.Transfer(sender=empty(address), receiver=owner, value=amount)


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let a spender take up to an amount from the sender.
    """
    self.allowance[msg.sender][spender] = amount
    log IERC20.Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Send tokens.
    """
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(owner: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Send tokens of an owner who has approved it.
    """
    self.allowance[owner][msg.sender] -= amount
    self._move(owner, receiver, amount)
    return True


@internal
def _move(owner: address, receiver: address, amount: uint256):
    self.balanceOf[owner] -= amount
    self.balanceOf[receiver] += amount
    log IERC20.Transfer(sender=owner, receiver=receiver, value=amount)
