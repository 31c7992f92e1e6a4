"""Contracts on a chain: spoken to by the names of their functions, and the whole system deployed in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossmargin.adapters.contracts.abi import decode, deployment, encode_call
from crossmargin.adapters.contracts.compiling import Artifact, compiled_contract
from crossmargin.adapters.networks.backend import ChainBackend, Receipt
from crossmargin.core.errors import Reverted
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.typed_hash import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A contract on a chain of one's own; `gas` is what its deployment took."""

    chain: ChainBackend
    artifact: Artifact
    address: bytes
    gas: int

    @property
    def code_hash(self) -> bytes:
        """keccak of the code that runs there, immutables included: what a proof pins."""
        return keccak(self.chain.code(self.address))

    def ask(self, function: str, *arguments: Any) -> Any:
        """What a function answers after the last block; raises `Reverted`."""
        calldata = encode_call(self.artifact, function, *arguments)
        return decode(self.artifact, function, self.chain.call(self.address, calldata))

    def send(self, key: bytes, function: str, *arguments: Any, value: int = 0) -> Receipt:
        """A transaction in a block of its own, whatever becomes of it."""
        return self.chain.send(key, self.address, encode_call(self.artifact, function, *arguments), value)

    def do(self, key: bytes, function: str, *arguments: Any, value: int = 0) -> Receipt:
        """A transaction that must succeed; raises `Reverted`."""
        receipt = self.send(key, function, *arguments, value=value)
        if not receipt.status:
            raise Reverted(where=f"{self.artifact.name}.{function}", output=receipt.revert)
        return receipt


def deploy(chain: ChainBackend, key: bytes, name: str, *arguments: Any, folder: Path | None = None) -> Deployed:
    """The contract `name`.vy of a folder, of the shipped one if none is given; raises as `compiled_contract` does."""
    artifact = compiled_contract(name, folder=folder)
    receipt = chain.deploy(key, deployment(artifact, *arguments))
    return Deployed(chain=chain, artifact=artifact, address=receipt.contract, gas=receipt.gas_used)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a system is deployed with: the arguments of the constructors, by the names that the contracts give them.

    `signers` are addresses in rising order. Times in seconds, `coverage` and `reward` in 1/10,000, `bond` and `stake`
    in wei. `home` is the chain id in the names of accounts, the same for all chains of one system.
    """

    signers: Sequence[bytes]
    threshold: int
    window_s: int
    age_s: int
    timelock_s: int
    delay_s: int
    proof_s: int
    pause_s: int
    coverage: int
    home: int
    bond: int
    stake: int
    reward: int
    sponsor: bytes
    beneficiary: bytes
    guardian: bytes = bytes(20)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The contracts of one chain."""

    attestor: Deployed
    verifier: Deployed
    states: Deployed
    challenge: Deployed
    vault: Deployed

    @property
    def domain(self) -> Domain:
        """Whom reports of this chain are signed for."""
        return Domain(chain_id=self.attestor.chain.chain_id, contract=self.attestor.address)

    @property
    def contracts(self) -> tuple[Deployed, ...]:
        """All of them, in the order of their deployment."""
        return (self.attestor, self.verifier, self.states, self.challenge, self.vault)


def deploy_system(chain: ChainBackend, key: bytes, token: bytes, terms: Terms) -> System:
    """Attestor, verifier, state proofs, challenge and a vault for one token; nothing is at stake yet."""
    times = (terms.window_s, terms.age_s, terms.timelock_s)
    attestor = deploy(chain, key, "MarginAttestor", list(terms.signers), terms.threshold, *times)
    verifier = deploy(chain, key, "MarginVerifier")
    states = deploy(chain, key, "StateProof", attestor.address)
    named = (attestor.address, verifier.address, states.address, terms.sponsor, terms.beneficiary)
    challenge = deploy(chain, key, "Challenge", *named, terms.bond, terms.stake, terms.proof_s, terms.reward)
    asked = (token, attestor.address, challenge.address, terms.delay_s, terms.coverage, terms.home)
    vault = deploy(chain, key, "CollateralVault", *asked, terms.guardian, terms.pause_s)
    return System(attestor=attestor, verifier=verifier, states=states, challenge=challenge, vault=vault)
