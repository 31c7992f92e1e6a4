"""The collateral vault as a follower reads it: events as movements, and the slots that prove balances."""

from __future__ import annotations

from collections.abc import Callable

from crossmargin.adapters.contracts.abi import decode_log
from crossmargin.adapters.contracts.compiling import Artifact, compiled_contract
from crossmargin.adapters.networks.backend import Log
from crossmargin.market.chains.blocks import Key, Movement
from crossmargin.proofs.state import mapping_slot

# What an event does to its owner's balance: a request takes it out at once, whenever it is paid.
_SIGNS = {"Deposited": 1, "Requested": -1, "Cancelled": 1}


def vault_artifact() -> Artifact:
    """The compiled vault."""
    return compiled_contract("CollateralVault")


def vault_key(owner: bytes, *, home: int, asset: str) -> Key:
    """An owner's account as reports name it, and the asset (CAIP-19) of the vault."""
    return Key(f"eip155:{home}:0x{owner.hex()}", asset)


def balance_slot(owner: bytes) -> int:
    """The slot of an owner's balance."""
    return mapping_slot(vault_artifact().slots["balances"], [owner], layout="vyper")


def vault_movements(*, home: int, asset: str) -> Callable[[Log], tuple[Movement, ...]]:
    """Reads the vault's logs: deposits and cancelled requests as credits, requests as debits, others as nothing.

    `home` is the chain id in the names of accounts, `asset` the CAIP-19 of the token that the vault holds."""
    artifact = vault_artifact()

    def movements(log: Log) -> tuple[Movement, ...]:
        event = decode_log(artifact, log)
        sign = _SIGNS.get(event.name, 0) if event else 0
        if event is None or not sign or not event.values["amount"]:
            return ()
        key = vault_key(event.values["owner"], home=home, asset=asset)
        return (
            Movement(
                transaction=log.transaction_hash,
                log_index=log.index,
                account=key.account,
                asset=key.asset,
                amount=sign * event.values["amount"],
            ),
        )

    return movements
