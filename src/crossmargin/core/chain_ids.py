"""CAIP-2 chain ids, CAIP-10 account ids and CAIP-19 asset types: one pattern and one frozen value each.

The standards demand no canonical form, so it is made here, where ids enter: addresses of `eip155` in lower case, all
else verbatim, so that one thing has one key. `str` of a value gives that form, and parsing it gives the value back.

Source: ChainAgnostic CAIP-2 (namespace `[-a-z0-9]{3,8}`, reference `[-_a-zA-Z0-9]{1,32}`), CAIP-10 (address
`[-.%a-zA-Z0-9]{1,128}`) and CAIP-19 (the asset reference may have 64 characters by its text, 128 in wallets).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from crossmargin.core.errors import InvalidInput

_CHAIN = re.compile(r"([-a-z0-9]{3,8}):([-_a-zA-Z0-9]{1,32})")
_ACCOUNT = re.compile(r"([-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}):([-.%a-zA-Z0-9]{1,128})")
_ASSET = re.compile(r"([-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32})/([-a-z0-9]{3,8}):([-.%a-zA-Z0-9]{1,128})")
_EVM_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_EVM: Final = "eip155"


@dataclass(frozen=True, slots=True, order=True)
class ChainId:
    """A chain: `eip155` and `1` for Ethereum."""

    namespace: str
    reference: str

    def __str__(self) -> str:
        return f"{self.namespace}:{self.reference}"


@dataclass(frozen=True, slots=True, order=True)
class AccountId:
    """An account or contract on a chain."""

    chain: ChainId
    address: str

    def __str__(self) -> str:
        return f"{self.chain}:{self.address}"


@dataclass(frozen=True, slots=True, order=True)
class AssetType:
    """A fungible asset on a chain: `namespace` is `erc20`, `token`, …, or `slip44` for the chain's own coin."""

    chain: ChainId
    namespace: str
    reference: str

    def __str__(self) -> str:
        return f"{self.chain}/{self.namespace}:{self.reference}"


def check_chain(chain: str, *, where: str) -> str:
    """`chain`, if it is a CAIP-2 id such as `eip155:1`; raises `InvalidInput` otherwise."""
    if not _CHAIN.fullmatch(chain):
        raise InvalidInput(
            "chain", where=where, value=chain, limit="a CAIP-2 id", remedy='Write it like "eip155:1" for Ethereum.'
        )
    return chain


def parse_chain(text: str, *, where: str) -> ChainId:
    """The chain that a CAIP-2 id names; raises `InvalidInput`.

    >>> parse_chain("eip155:42161", where="here").reference
    '42161'
    """
    namespace, reference = check_chain(text, where=where).split(":")
    return ChainId(namespace, reference)


def parse_account(text: str, *, where: str) -> AccountId:
    """The account that a CAIP-10 id names, its address in canonical form; raises `InvalidInput`."""
    match = _ACCOUNT.fullmatch(text)
    if match is None:
        raise InvalidInput(
            "account",
            where=where,
            value=text,
            limit="a CAIP-10 id",
            remedy='Write it like "eip155:1:0xab…" (40 digits).',
        )
    chain = parse_chain(match[1], where=where)
    return AccountId(chain, _address(chain, match[2], text, where))


def parse_asset(text: str, *, where: str) -> AssetType:
    """The asset that a CAIP-19 asset type names, its address in canonical form; raises `InvalidInput`.

    >>> str(parse_asset("eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", where="here"))
    'eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48'
    """
    match = _ASSET.fullmatch(text)
    if match is None:
        raise InvalidInput(
            "asset",
            where=where,
            value=text,
            limit="a CAIP-19 asset type",
            remedy='Write it like "eip155:1/erc20:0xab…" (40 digits), or "eip155:1/slip44:60" for the coin of a chain.',
        )
    chain, namespace, reference = parse_chain(match[1], where=where), match[2], match[3]
    if namespace == "slip44":
        _digits(reference, text, where)
    else:
        reference = _address(chain, reference, text, where)
    return AssetType(chain, namespace, reference)


def _address(chain: ChainId, address: str, text: str, where: str) -> str:
    if chain.namespace != _EVM:
        return address
    if not _EVM_ADDRESS.fullmatch(address.lower()):
        raise InvalidInput(
            "address", where=where, value=text, limit="0x and 40 hexadecimal digits on eip155", remedy="Correct it."
        )
    return address.lower()


def _digits(reference: str, text: str, where: str) -> None:
    if not (reference.isascii() and reference.isdigit()):
        raise InvalidInput(
            "coin", where=where, value=text, limit="a SLIP-44 number", remedy='Write it like "slip44:60" for ether.'
        )
