"""Vault, attestor, challenge and what they ask, deployed on a chain of one's own, and epochs to report there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossmargin.adapters.attesting import by_address, head_argument, leaf_argument, sign_head
from crossmargin.adapters.contracts.abi import decode, deployment, encode_call, revert_reason
from crossmargin.adapters.contracts.compiling import Artifact, compiled_contract
from crossmargin.adapters.networks.backend import ChainBackend, Receipt
from crossmargin.adapters.networks.signing import address_of
from crossmargin.core.errors import Reverted
from crossmargin.proofs.claims import Claim
from crossmargin.proofs.quantise import quantise_pnl, quantise_positions
from crossmargin.proofs.statement import Epoch, Inputs, commit_epoch, statement_of
from crossmargin.proofs.typed_hash import Domain

HOSTILE = Path(__file__).resolve().parent / "hostile"
INPUTS = Inputs(snapshot="01" * 32, scenario_set="02" * 32, model="03" * 32, book="04" * 32, registry="05" * 32)
WINDOW_S, AGE_S, TIMELOCK_S, DELAY_S, PROOF_S, PAUSE_S = 1_800, 3_600, 7_200, 1_800, 900, 3_600
BOND, STAKE = 10**16, 10**18
MONEY_DECIMALS = 6
FINE, FEE, SILENT, UNTRUE, REVERTING, REENTRANT, GREEDY, NUMBER, GENEROUS = 0, 1, 2, 4, 8, 16, 32, 64, 128


@dataclass(frozen=True)
class Contract:
    """A deployed contract and the chain that it is on."""

    chain: ChainBackend
    artifact: Artifact
    address: bytes

    def ask(self, function: str, *arguments: Any) -> Any:
        """What a function answers in the last block."""
        return decode(
            self.artifact, function, self.chain.call(self.address, encode_call(self.artifact, function, *arguments))
        )

    def send(self, key: bytes, function: str, *arguments: Any, value: int = 0) -> Receipt:
        """A transaction, whatever becomes of it."""
        return self.chain.send(key, self.address, encode_call(self.artifact, function, *arguments), value)

    def do(self, key: bytes, function: str, *arguments: Any, value: int = 0) -> Receipt:
        """A transaction that must succeed."""
        receipt = self.send(key, function, *arguments, value=value)
        assert receipt.status, (function, revert_reason(receipt.revert))
        return receipt

    def refuses(self, key: bytes, function: str, *arguments: Any, value: int = 0) -> str:
        """Why a transaction is refused, which it must be."""
        receipt = self.send(key, function, *arguments, value=value)
        assert not receipt.status, f"{function} was not refused"
        return revert_reason(receipt.revert)

    def refuses_to_say(self, function: str, *arguments: Any) -> str:
        """Why a question is refused, which it must be."""
        try:
            self.ask(function, *arguments)
        except Reverted as refused:
            return revert_reason(refused.output)
        raise AssertionError(f"{function} answered")


def deploy(chain: ChainBackend, name: str, *arguments: Any, folder: Path | None = None) -> Contract:
    """A contract from the folder of sources, or of hostile ones."""
    artifact = compiled_contract(name, folder=folder)
    receipt = chain.deploy(chain.keys[9], deployment(artifact, *arguments))
    return Contract(chain, artifact, receipt.contract)


def deploy_token(chain: ChainBackend, conduct: int = FINE, decimals: int = 6) -> Contract:
    """A token of tests."""
    return deploy(chain, "Token", decimals, conduct, folder=HOSTILE)


@dataclass(frozen=True)
class System:
    """All contracts of one chain. Signers hold the first five keys."""

    chain: ChainBackend
    token: Contract
    attestor: Contract
    verifier: Contract
    states: Contract
    challenge: Contract
    vault: Contract

    @property
    def signers(self) -> tuple[bytes, ...]:
        return by_address(self.chain.keys[:5])

    @property
    def depositor(self) -> bytes:
        return self.chain.keys[5]

    @property
    def challenger(self) -> bytes:
        return self.chain.keys[6]

    @property
    def guardian(self) -> bytes:
        return self.chain.keys[7]

    @property
    def sponsor(self) -> bytes:
        return self.chain.keys[8]

    @property
    def domain(self) -> Domain:
        return Domain(chain_id=self.chain.chain_id, contract=self.attestor.address)

    def account(self, key: bytes | None = None) -> str:
        """The name in reports of whoever holds a key."""
        return f"eip155:{self.chain.chain_id}:0x{address_of(key or self.depositor).hex()}"

    def now_s(self) -> int:
        return self.chain.block("latest").timestamp_s

    def wait(self, seconds: int) -> None:
        """Let time pass, with a block at its end."""
        self.chain.set_time(self.now_s() + seconds)
        self.chain.mine()

    def epoch(self, amounts: Mapping[str, tuple[int, int]], **others: Any) -> Epoch:
        """The next epoch, as of after the last block: worst loss and collateral by account."""
        named = {"number": self.attestor.ask("epoch") + 1, "as_of_ms": (self.now_s() + 1) * 1000} | others
        return epoch_of(amounts, **named)

    def report(self, amounts: Mapping[str, tuple[int, int]], **others: Any) -> Epoch:
        """The next epoch, submitted."""
        made = self.epoch(amounts, **others)
        self.submit(made)
        return made

    def submit(self, made: Epoch, keys: Sequence[bytes] = ()) -> Receipt:
        """Submit an epoch, signed by three of five."""
        signatures = sign_head(made.head, keys or self.signers[:3], self.domain)
        return self.attestor.do(self.challenger, "submit", head_argument(made.head), signatures)

    def fund(self, amount: int, key: bytes | None = None) -> Receipt:
        """Mint, approve and deposit."""
        owner = key or self.depositor
        self.token.do(owner, "mint", address_of(owner), amount)
        self.token.do(owner, "approve", self.vault.address, amount)
        return self.vault.do(owner, "deposit", amount)

    def request(self, amount: int, key: bytes | None = None) -> int:
        """Request a withdrawal; its id."""
        number: int = self.vault.ask("nonce")
        self.vault.do(key or self.depositor, "request", amount)
        return number

    def execution(self, number: int, one: Epoch, last: Epoch, account: str = "", least: int = 0) -> tuple[Any, ...]:
        """The arguments of `execute`."""
        name = account or self.account()
        leaves = [leaf_argument(statement_of(made, name)) for made in (one, last)]
        return number, head_argument(one.head), leaves[0], head_argument(last.head), leaves[1], least


def build(chain: ChainBackend, *, conduct: int = FINE, decimals: int = 6, coverage: int = 10_000) -> System:
    """A system on a chain, with stake."""
    signers = [address_of(key) for key in by_address(chain.keys[:5])]
    attestor = deploy(chain, "MarginAttestor", signers, 3, WINDOW_S, AGE_S, TIMELOCK_S)
    verifier = deploy(chain, "MarginVerifier")
    states = deploy(chain, "StateProof", attestor.address)
    sponsor, beneficiary = address_of(chain.keys[8]), bytes([7]) * 20
    named = (attestor.address, verifier.address, states.address, sponsor, beneficiary)
    challenge = deploy(chain, "Challenge", *named, BOND, STAKE, PROOF_S, 5_000)
    challenge.do(chain.keys[8], "addStake", value=STAKE)
    token = deploy_token(chain, conduct, decimals)
    vault = deploy_vault(chain, token, attestor, challenge, coverage=coverage)
    return System(chain, token, attestor, verifier, states, challenge, vault)


def deploy_vault(
    chain: ChainBackend,
    token: Contract,
    attestor: Contract,
    challenge: Contract,
    *,
    coverage: int = 10_000,
    delay: int = DELAY_S,
) -> Contract:
    """A vault whose accounts are named by this chain."""
    guardian = address_of(chain.keys[7])
    named = (token.address, attestor.address, challenge.address)
    return deploy(chain, "CollateralVault", *named, delay, coverage, chain.chain_id, guardian, PAUSE_S)


def epoch_of(
    amounts: Mapping[str, tuple[int, int]], *, number: int, as_of_ms: int, claims: Sequence[Claim] = ()
) -> Epoch:
    """An epoch in which each account holds one instrument that loses one quantum of money a lot."""
    rows = quantise_pnl(
        np.array([[-1.0, 0.5, 0.0], [2.0, -3.0, 1.0]]),
        instruments=["PERP-0", "PERP-1"],
        scenarios=["fall", "rise", "stay"],
        decimals=np.array([0, 0]),
        money_decimals=MONEY_DECIMALS,
    )
    losses = [loss for loss, _ in amounts.values()]
    held = np.array(losses) / 10.0**MONEY_DECIMALS
    book = quantise_positions(np.arange(len(held) + 1), np.zeros(len(held), dtype=np.int64), held, rows)
    return commit_epoch(
        epoch=number,
        as_of_ms=as_of_ms,
        inputs=INPUTS,
        pnl=rows,
        book=book,
        accounts=list(amounts),
        collateral=[collateral for _, collateral in amounts.values()],
        secret=bytes(range(32)),
        claims=claims,
    )


def undeployable(chain: ChainBackend, name: str, *arguments: Any) -> str:
    """Why a deployment is refused, which it must be."""
    try:
        deploy(chain, name, *arguments)
    except Reverted as refused:
        return revert_reason(refused.output)
    raise AssertionError(f"{name} was deployed")


def undeployable_vault(system: System, *, token: Contract | None = None, **others: int) -> str:
    """Why a vault is refused, which it must be."""
    try:
        deploy_vault(system.chain, token or system.token, system.attestor, system.challenge, **others)
    except Reverted as refused:
        return revert_reason(refused.output)
    raise AssertionError("the vault was deployed")


def reason(receipt: Receipt) -> str:
    """Why a transaction was refused; nothing where it was not."""
    return "" if receipt.status else revert_reason(receipt.revert)
