"""The chains of the demonstration: started, with tokens, contracts, a bridge, endpoints and followers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from crossmargin.adapters.attesting import by_address
from crossmargin.adapters.contracts.compiling import sources
from crossmargin.adapters.contracts.deployed import Deployed, System, Terms, deploy, deploy_system
from crossmargin.adapters.contracts.vault import balance_slot, vault_key, vault_movements
from crossmargin.adapters.journals.store import JournalStore
from crossmargin.adapters.networks.anvil import AnvilBackend, find_anvil
from crossmargin.adapters.networks.backend import ChainBackend, ChainReader
from crossmargin.adapters.networks.endpoints import Endpoint, anchored, read_slots
from crossmargin.adapters.networks.following import Follower, Source, first_journal
from crossmargin.adapters.networks.pyevm import PyEvmBackend
from crossmargin.adapters.networks.signing import address_of
from crossmargin.cli.chains.desk import DECIMALS, PROFILE, registry_of, started_s
from crossmargin.cli.chains.report import Gas
from crossmargin.cli.chains.stage import (
    BOND,
    CUSTODIAN,
    DEPOSITOR,
    FINAL_BLOCKS,
    ISSUER,
    SIGNERS,
    SPONSOR,
    STAKE,
    UNIT,
    WINDOW_S,
    Kind,
    Side,
    Stage,
    place_of,
)
from crossmargin.market.chains.agreement import Frozen

OPERATORS: Final = ("north", "east", "south", "west")
BRIDGED: Final = 500_000
MINTED: Final = 1_000_000
_AGE_S, _TIMELOCK_S, _PROOF_S, _PAUSE_S = 3_600, 7_200, 900, 3_600
_HOME, _ABROAD = 31_337, 31_338
_BENEFICIARY: Final = bytes([7]) * 20


def chosen(backend: str) -> Kind:
    """The kind of chains to start: `auto` takes anvil where it is installed."""
    if backend == "auto":
        return "anvil" if find_anvil() is not None else "in-process"
    return "anvil" if backend == "anvil" else "in-process"


def open_stage(kind: Kind, folder: Path, files: ExitStack) -> Stage:
    """Both chains with all contracts; they stop when `files` is closed. `folder` keeps the journals."""
    chains = [files.enter_context(start(kind, chain_id)) for chain_id in (_HOME, _ABROAD)]
    tokens, systems = [], []
    for chain in chains:
        chain.set_time(started_s())
        token = deploy(chain, chain.keys[ISSUER], "Token", DECIMALS, folder=sources() / "demo")
        system = deploy_system(chain, chain.keys[ISSUER], token.address, terms(chain.keys))
        system.challenge.do(chain.keys[SPONSOR], "addStake", value=STAKE)
        endow(token, system)
        tokens.append(token)
        systems.append(system)
    _issue(tokens, chains[0].keys)
    places = [place_of(name, chain, token) for name, chain, token in zip("AB", chains, tokens, strict=True)]
    lockbox = f"{places[0].chain}:0x{address_of(chains[0].keys[CUSTODIAN]).hex()}"
    for chain in chains:
        chain.mine(FINAL_BLOCKS)
    made = [
        Side(name=name, chain=c, token=t, system=s, follower=follow(name, c, t, s, folder, files))
        for name, c, t, s in zip("AB", chains, tokens, systems, strict=True)
    ]
    registry = registry_of(places[0], places[1], lockbox)
    stage = Stage(a=made[0], b=made[1], folder=folder, registry=registry, files=files)
    for side in stage.sides:
        deployed = (side.token, *side.system.contracts)
        stage.gas += [Gas(chain=side.name, what=f"deploy {one.artifact.name}", gas=one.gas) for one in deployed]
    return stage


def start(kind: Kind, chain_id: int) -> ChainBackend:
    """A fresh chain; raises `InvalidInput` where its kind is not installed."""
    return AnvilBackend(chain_id) if kind == "anvil" else PyEvmBackend(chain_id)


def terms(keys: Sequence[bytes]) -> Terms:
    """Three of five sign; a report can be refuted for half an hour, and a withdrawal waits as long."""
    return Terms(
        signers=[address_of(key) for key in by_address(keys[:SIGNERS])],
        threshold=3,
        window_s=WINDOW_S,
        age_s=_AGE_S,
        timelock_s=_TIMELOCK_S,
        delay_s=WINDOW_S,
        proof_s=_PROOF_S,
        pause_s=_PAUSE_S,
        coverage=10_000,
        home=_HOME,
        bond=BOND,
        stake=STAKE,
        reward=5_000,
        sponsor=address_of(keys[SPONSOR]),
        beneficiary=_BENEFICIARY,
    )


def endow(token: Deployed, system: System) -> None:
    """Let the vault take what the depositor has."""
    token.do(token.chain.keys[DEPOSITOR], "approve", system.vault.address, MINTED * UNIT)


def _issue(tokens: Sequence[Deployed], keys: Sequence[bytes]) -> None:
    """Tokens of the depositor on A; what the bridge holds there, it has minted on B, some of it for the depositor."""
    home, abroad = tokens
    owner, bridge, others = address_of(keys[DEPOSITOR]), address_of(keys[CUSTODIAN]), bytes([8]) * 20
    home.do(keys[ISSUER], "mint", owner, MINTED * UNIT)
    home.do(keys[ISSUER], "mint", bridge, BRIDGED * UNIT)
    abroad.do(keys[ISSUER], "mint", owner, BRIDGED // 2 * UNIT)
    abroad.do(keys[ISSUER], "mint", others, BRIDGED // 2 * UNIT)


def follow(
    name: str, chain: ChainBackend, token: Deployed, system: System, folder: Path, files: ExitStack, number: int = 1
) -> Follower:
    """A follower of the vault from the last final block, with the balance that is proven there; a new one each
    `number`."""
    owner, vault = address_of(chain.keys[DEPOSITOR]), system.vault
    place = place_of(name, chain, token)
    readers = endpoints(name, chain)
    anchor = anchored(readers, PROFILE)
    assert not isinstance(anchor, Frozen), "the endpoints are honest"
    slot, key = balance_slot(owner), vault_key(owner, home=_HOME, asset=place.instance)
    proven = read_slots(readers, anchor, vault.address, [slot], code_hash=vault.code_hash)
    first = first_journal(place.chain, anchor, {key: proven.values[slot]})
    store = files.enter_context(JournalStore(folder / f"{name}{number}.journal", first))
    movements = vault_movements(home=_HOME, asset=place.instance)
    source = Source(endpoints=readers, profile=PROFILE, contract=vault.address, movements=movements)
    return Follower(source, store)


def endpoints(name: str, chain: ChainBackend) -> tuple[Endpoint[ChainReader], ...]:
    """Four ways to the same node, each of an operator of its own: enough to show what a quorum does."""
    return tuple(Endpoint(name=f"{operator}-{name.lower()}", operator=operator, reader=chain) for operator in OPERATORS)
