"""EIP-55: addresses of eip155 in mixed case, where the case of each letter is a bit of their hash.

Keys stay in lower case. Where somebody writes mixed case, one wrong digit is seen; all lower or all upper case says
nothing and is taken as it is. Hashing needs the extra `chains`; without it nothing is checked, and nothing shown.

Source: EIP-55, "Mixed-case checksum address encoding" (2016-01-14).
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator

from crossmargin.core.errors import InvalidInput
from crossmargin.market.registry.document import RegistryDocument
from crossmargin.proofs.keccak import keccak

_ADDRESS = re.compile(r"(?<=eip155:)(?P<before>.*?)0[xX](?P<digits>[0-9a-fA-F]{40})(?![0-9a-fA-F])")


def is_checked() -> bool:
    """Whether keccak is there to check with."""
    return importlib.util.find_spec("sha3") is not None


def checksummed(digits: str) -> str:
    """40 hexadecimal digits in the case that EIP-55 gives them: a letter is upper case where its digit of
    keccak(lower-case digits) is 8 or more."""
    lower = digits.lower()
    marks = keccak(lower.encode()).hex()
    return "".join(digit.upper() if mark >= "8" else digit for digit, mark in zip(lower, marks, strict=False))


def check_checksum(text: str, *, where: str) -> str:
    """A CAIP-10 or CAIP-19 id, if its address is in one case or in that of EIP-55; raises `InvalidInput`."""
    match = _ADDRESS.search(text)
    digits = "" if match is None else match["digits"]
    if not digits or digits in {digits.lower(), digits.upper()} or not is_checked():
        return text
    if digits != checksummed(digits):
        raise InvalidInput(
            "checksum of an address",
            where=where,
            value=text,
            limit=f"0x{checksummed(digits)} if its digits are right (EIP-55)",
            remedy="Copy it again; where the digits are sure, write it in lower case.",
        )
    return text


def display(key: str) -> str:
    """A CAIP id with its address as EIP-55 writes it; as it stands where keccak is not there."""
    if not is_checked():
        return key
    return _ADDRESS.sub(lambda found: f"{found['before']}0x{checksummed(found['digits'])}", key)


def check_document(document: RegistryDocument, *, where: str) -> RegistryDocument:
    """A registry, if every address in mixed case has its checksum; raises `InvalidInput` with the place."""
    for text, place in _ids(document):
        check_checksum(text, where=f"{where}: {place}")
    return document


def _ids(document: RegistryDocument) -> Iterator[tuple[str, str]]:
    for i, instance in enumerate(document.instances):
        yield instance.instance, f"instances[{i}]"
        for j, edge in enumerate(instance.backing):
            yield edge.home, f"instances[{i}].backing[{j}].home"
            yield edge.lockbox, f"instances[{i}].backing[{j}].lockbox"
