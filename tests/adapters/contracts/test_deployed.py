"""Deployed contracts do, refuse and answer by the names of their functions."""

import pytest

from crossmargin.adapters.attesting import by_address
from crossmargin.adapters.contracts.abi import revert_reason
from crossmargin.adapters.contracts.compiling import sources
from crossmargin.adapters.contracts.deployed import Terms, deploy, deploy_system
from crossmargin.adapters.networks.backend import ChainBackend
from crossmargin.adapters.networks.signing import address_of
from crossmargin.core.errors import Reverted
from crossmargin.proofs.state import check_account, check_header, check_slots, mapping_slot
from tests.chains_fixtures import backend

__all__ = ["backend"]


@pytest.fixture(scope="module", autouse=True)
def toolchain() -> None:
    """What contracts are compiled with and run on."""
    for package in ("vyper", "eth", "trie", "eth_abi", "eth_account", "coincurve"):
        pytest.importorskip(package, reason="contracts need the extras contracts, evm and evm-local")


def test_a_plain_token_is_what_state_proofs_show(backend: ChainBackend):
    issuer, holder = backend.keys[9], address_of(backend.keys[5])
    token = deploy(backend, issuer, "Token", 6, folder=sources() / "demo")
    assert token.gas > 0
    token.do(issuer, "mint", holder, 1_000)
    token.do(backend.keys[5], "transfer", bytes([1]) * 20, 400)
    assert (token.ask("balanceOf", holder), token.ask("totalSupply")) == (600, 1_000)
    slots = [mapping_slot(token.artifact.slots["balanceOf"], [holder], layout="vyper"), 1]
    last = backend.block("latest")
    shown = backend.proof(token.address, slots, last.number)
    root = check_header(last.header, last.hash).state_root
    account = check_account(root, token.address, shown.nodes, code_hash=token.code_hash)
    assert account is not None
    found = check_slots(account.storage_root, {path.slot: path.nodes for path in shown.slots})
    assert [found[slot] for slot in slots] == [600, 1_000]


def test_what_is_refused_is_an_answer_or_an_error(backend: ChainBackend):
    token = deploy(backend, backend.keys[9], "Token", 6, folder=sources() / "demo")
    refused = token.send(backend.keys[5], "mint", bytes([1]) * 20, 1)
    assert revert_reason(refused.revert) == "not the issuer"
    with pytest.raises(Reverted, match=r"Token\.mint"):
        token.do(backend.keys[5], "mint", bytes([1]) * 20, 1)
    with pytest.raises(Reverted):
        token.do(backend.keys[5], "transfer", bytes([1]) * 20, 1)
    token.do(backend.keys[5], "approve", address_of(backend.keys[6]), 1)
    with pytest.raises(Reverted):
        token.do(backend.keys[6], "transferFrom", address_of(backend.keys[5]), bytes([1]) * 20, 2)


def test_a_system_knows_its_parts(backend: ChainBackend):
    signers = [address_of(key) for key in by_address(backend.keys[:5])]
    token = deploy(backend, backend.keys[9], "Token", 6, folder=sources() / "demo")
    terms = Terms(
        signers=signers,
        threshold=3,
        window_s=1_800,
        age_s=3_600,
        timelock_s=7_200,
        delay_s=1_800,
        proof_s=900,
        pause_s=3_600,
        coverage=10_000,
        home=1,
        bond=10**16,
        stake=10**18,
        reward=5_000,
        sponsor=signers[0],
        beneficiary=signers[1],
    )
    system = deploy_system(backend, backend.keys[9], token.address, terms)
    assert len({one.address for one in system.contracts}) == 5
    assert system.vault.ask("accountOf", signers[0]) == f"eip155:1:0x{signers[0].hex()}"
    assert system.challenge.ask("frozen"), "nothing is at stake yet"
    assert system.domain.contract == system.attestor.address
    assert (system.attestor.ask("threshold"), system.challenge.ask("stakeMin")) == (3, 10**18)
