"""Typed hashes: what is signed is a structure with names, not a blob.

    digest  keccak(0x19 0x01 ‖ hash of the domain ‖ hash of the structure)
    hash    keccak(keccak(type) ‖ each field as 32 bytes)

Only what statements need: unsigned integers, `bytes32`, `address` and `string`, without structures inside.
Source: EIP-712 (2017), "Typed structured data hashing and signing".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.keccak import keccak

Field = tuple[str, str, int | bytes | str]  # type, name, value


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Who a signature is for: it holds for this name and version and, where given, on one chain for one contract."""

    name: str = "Crossmargin"
    version: str = "1"
    chain_id: int | None = None
    contract: bytes | None = None

    @property
    def separator(self) -> bytes:
        """The hash of the domain; a field that is not given is no part of its type."""
        fields: list[Field] = [("string", "name", self.name), ("string", "version", self.version)]
        if self.chain_id is not None:
            fields.append(("uint256", "chainId", self.chain_id))
        if self.contract is not None:
            fields.append(("address", "verifyingContract", self.contract))
        return struct_hash("EIP712Domain", fields)


def struct_hash(name: str, fields: Sequence[Field]) -> bytes:
    """The hash of one structure; raises `InvalidInput` for a value outside its type."""
    signature = f"{name}({','.join(f'{kind} {field}' for kind, field, _ in fields)})"
    return keccak(keccak(signature.encode()) + b"".join(_word(*field) for field in fields))


def typed_digest(domain: Domain, structure: bytes) -> bytes:
    """What is signed."""
    return keccak(b"\x19\x01" + domain.separator + structure)


def _word(kind: str, name: str, value: int | bytes | str) -> bytes:
    if kind == "string" and isinstance(value, str):
        return keccak(value.encode())
    if isinstance(value, bytes) and len(value) == {"bytes32": 32, "address": 20}.get(kind):
        return value.rjust(32, b"\x00")
    bits = re.fullmatch(r"uint(8|64|128|256)", kind)
    if bits and isinstance(value, int) and 0 <= value < 1 << int(bits[1]):
        return value.to_bytes(32, "big")
    raise InvalidInput(name, where="typed hash", value=value, limit=f"a value of type {kind}", remedy="Correct it.")
