# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title An aggregator that says whatever it was told, for tests
"""

decimals: public(uint8)
round_id: uint80
answer: int256
started_at: uint256
updated_at: uint256


@deploy
def __init__(places: uint8):
    self.decimals = places


@external
def tell(answer: int256, started_at: uint256, updated_at: uint256):
    self.round_id += 1
    self.answer = answer
    self.started_at = started_at
    self.updated_at = updated_at


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    assert self.round_id > 0, "no round"
    return (self.round_id, self.answer, self.started_at, self.updated_at, self.round_id)
