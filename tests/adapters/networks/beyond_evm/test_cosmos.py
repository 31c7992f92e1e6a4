"""A light client follows two thirds of validators, and nobody else."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.adapters.networks.beyond_evm.cosmos import Trusted, is_proven, verify
from crossmargin.adapters.networks.beyond_evm.cosmos_chain import TRUSTING_PERIOD_S, CosmosChain
from crossmargin.core.errors import NotProved
from crossmargin.core.finality import Trust

GENESIS_S = 1_767_225_600
NOW_S = GENESIS_S + 600


def chain_of(*powers: int) -> CosmosChain:
    return CosmosChain("testhub-1", powers, genesis_s=GENESIS_S)


def next_of(chain: CosmosChain, trusted: Trusted, height: int, now_s: int = NOW_S) -> Trusted:
    return verify(trusted, *chain.at(height), now_s=now_s)


def test_a_commit_is_final_at_once_and_proves_a_balance() -> None:
    chain = chain_of(10, 10, 10)
    chain.commit({b"balances/maker": b"1000", b"balances/taker": b"5"})
    trusted = next_of(chain, chain.trusted(), 2)
    assert (trusted.header.height, trusted.trust) == (2, Trust.L3)
    value, proof = chain.prove(b"balances/maker", 2)
    assert value == b"1000"
    assert is_proven(trusted, b"balances/maker", value, proof)
    assert not is_proven(trusted, b"balances/maker", b"1001", proof)
    assert not is_proven(trusted, b"balances/other", value, proof)
    assert not is_proven(chain.trusted(), b"balances/maker", value, proof)
    assert not is_proven(trusted, b"balances/maker", value, replace(proof, path=proof.path[:-1]))


@settings(max_examples=40)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(0, 6))
def test_more_than_two_thirds_of_power_must_have_signed(powers: list[int], silent: int) -> None:
    chain = chain_of(*powers)
    chain.commit({}, silent=silent)
    enough = 3 * sum(powers[silent:]) > 2 * sum(powers)
    if enough:
        assert next_of(chain, chain.trusted(), 2).header.height == 2
    else:
        with pytest.raises(NotProved, match="more than 2/3"):
            next_of(chain, chain.trusted(), 2)


def test_headers_are_skipped_while_a_third_of_the_trusted_validators_signs() -> None:
    chain = chain_of(10, 10, 10)
    for _ in range(5):
        chain.commit({})
    assert next_of(chain, chain.trusted(), 6).header.height == 6
    chain.commit({}, rotate_to=(10, 10, 10))
    chain.commit({})
    # Height 8 is signed by validators of whom the first header knows nothing: only the header between names them.
    with pytest.raises(NotProved, match="more than 1/3"):
        next_of(chain, chain.trusted(), 8)
    assert next_of(chain, next_of(chain, chain.trusted(), 7), 8).header.height == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chain_id": "otherhub-1"}, "testhub-1"),
        ({"height": 1}, "after the trusted"),
        ({"time_s": GENESIS_S}, "after the trusted"),
        ({"time_s": NOW_S + 100}, "future"),
        ({"validators_hash": bytes(32)}, "root"),
        ({"next_validators_hash": bytes(32)}, "root"),
        ({"app_hash": bytes(32)}, "more than 2/3"),
    ],
)
def test_a_header_that_was_changed_is_refused(change, message) -> None:
    chain = chain_of(10, 10, 10)
    chain.commit({b"k": b"v"})
    signed, following = chain.at(2)
    forged = replace(signed, header=replace(signed.header, **change))
    with pytest.raises(NotProved, match=message):
        verify(chain.trusted(), forged, following, now_s=NOW_S)


def test_trust_expires_and_strangers_do_not_count() -> None:
    chain, other = chain_of(10, 10, 10), chain_of(7)
    chain.commit({})
    other.commit({})
    with pytest.raises(NotProved, match="expired"):
        next_of(chain, chain.trusted(), 2, now_s=GENESIS_S + TRUSTING_PERIOD_S)
    with pytest.raises(NotProved, match="were named"):
        next_of(other, chain.trusted(), 2)
    signed, following = chain.at(2)
    garbage = replace(signed, signatures=dict.fromkeys(signed.signatures, b"\x01" * 70))
    with pytest.raises(NotProved, match="0 of 30"):
        verify(chain.trusted(), garbage, following, now_s=NOW_S)
