"""Transactions of development chains, signed here: type 2 (EIP-1559), with the chain in what is signed."""

from __future__ import annotations

import functools
from typing import Any, Final

from crossmargin.adapters.networks.backend import GAS_LIMIT, Send
from crossmargin.core.errors import InvalidInput

FEE_MAX_WEI: Final = 10**12  # Far above the base fee of any development chain; what is not used is not paid.


def missing_package(package: str, extra: str) -> InvalidInput:
    """The error of an adapter that needs an extra which is not installed."""
    return InvalidInput(
        package,
        where="chains",
        value="not installed",
        limit="installed",
        remedy=f'Install the extra: pip install "crossmargin[{extra}]".',
    )


@functools.cache
def coincurve() -> Any:
    """The library of signatures over secp256k1; raises `InvalidInput` without the extra."""
    try:
        import coincurve as library  # noqa: PLC0415 it is an extra
    except ImportError:
        raise missing_package("coincurve", "evm") from None
    return library


@functools.cache
def _account() -> Any:
    try:
        from eth_account import Account  # noqa: PLC0415 it is an extra
    except ImportError:
        raise missing_package("eth-account", "evm") from None
    return Account


@functools.cache
def address_of(key: bytes) -> bytes:
    """The address that a private key of 32 bytes signs for."""
    return bytes.fromhex(_account().from_key(key).address[2:])


def sign(send: Send, *, chain_id: int, nonce: int) -> bytes:
    """The raw bytes of a signed transaction, as `eth_sendRawTransaction` takes them."""
    fields = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "gas": GAS_LIMIT,
        "maxFeePerGas": FEE_MAX_WEI,
        "maxPriorityFeePerGas": 0,
        "value": send.value,
        "data": send.calldata,
        **({"to": send.to} if send.to else {}),
    }
    return bytes(_account().sign_transaction(fields, send.key).raw_transaction)
