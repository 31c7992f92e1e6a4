"""Claims on storage: one way to write each, bound by the head."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.claims import Claim, claim_entry, commit_claims
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.statement import commit_epoch, head_digest
from crossmargin.proofs.trees import check_inclusion, list_record
from tests.proofs import test_statement as made

CLAIM = Claim(
    account="maker",
    chain_id=10,
    anchor=b"\x0a" * 32,
    contract=b"\x0b" * 20,
    code_hash=b"\x0c" * 32,
    slot=7,
    value=10**30,
)

claims = st.builds(
    Claim,
    account=st.text(min_size=1, max_size=40),
    chain_id=st.integers(1, 2**64 - 1),
    anchor=st.binary(min_size=32, max_size=32),
    contract=st.binary(min_size=20, max_size=20),
    code_hash=st.binary(min_size=32, max_size=32),
    slot=st.integers(0, 2**256 - 1),
    value=st.integers(0, 2**256 - 1),
)


def test_bytes_of_a_claim():
    written = claim_entry(CLAIM)
    assert written[:33] == b"\x13" + keccak(b"maker")
    assert written[33:125] == (10).to_bytes(8, "big") + b"\x0a" * 32 + b"\x0b" * 20 + b"\x0c" * 32
    assert written[125:] == (7).to_bytes(32, "big") + (10**30).to_bytes(32, "big")


@given(claims, claims)
def test_different_claims_are_written_differently(one, other):
    assert (one == other) == (claim_entry(one) == claim_entry(other))


@pytest.mark.parametrize(
    "change",
    [{"chain_id": 0}, {"chain_id": 2**64}, {"slot": -1}, {"value": 2**256}, {"anchor": b""}, {"contract": bytes(32)}],
)
def test_claims_that_no_slot_can_meet_are_refused(change):
    with pytest.raises(InvalidInput, match="claim"):
        claim_entry(dataclasses.replace(CLAIM, **change))


def test_the_head_binds_its_claims():
    epoch = made.epoch()
    named = {"epoch": 7, "as_of_ms": epoch.head.as_of_ms, "inputs": made.INPUTS, "pnl": epoch.pnl, "book": epoch.book}
    named |= {
        "accounts": made.ACCOUNTS,
        "collateral": epoch.collateral,
        "secret": bytes(range(32)),
        "lines": epoch.lines,
    }
    claimed = commit_epoch(**named, claims=[CLAIM, dataclasses.replace(CLAIM, value=0)])
    assert commit_epoch(**named).head == epoch.head
    assert claimed.head.claims == 2
    assert head_digest(claimed.head) != head_digest(epoch.head)
    proof = commit_claims([CLAIM, dataclasses.replace(CLAIM, value=0)]).prove(0)
    root = bytes.fromhex(claimed.head.claims_root[2:])
    assert check_inclusion(list_record(claim_entry(CLAIM)), proof, root, where="claims") == ()
