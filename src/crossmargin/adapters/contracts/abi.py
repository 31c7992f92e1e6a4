"""The ABI of contracts: calls, results, events and reverts, between values of Python and bytes.

Integers are `int`, addresses and fixed bytes `bytes`, structs tuples, arrays tuples. Source: Solidity documentation,
"Contract ABI specification", which Vyper follows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crossmargin.adapters.contracts.compiling import AbiEntry, AbiItem, Artifact
from crossmargin.adapters.networks.backend import Log
from crossmargin.adapters.networks.signing import missing_package
from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.keccak import keccak

SELECTOR_BYTES: Final = 4
_ERROR: Final = bytes.fromhex("08c379a0")  # Error(string)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A log of a known event: its values by name."""

    name: str
    values: dict[str, Any]


def deployment(artifact: Artifact, *arguments: Any) -> bytes:
    """The calldata that deploys a contract: init code and the constructor's arguments."""
    constructors = [entry for entry in artifact.abi if entry.type == "constructor"]
    inputs = constructors[0].inputs if constructors else ()
    return artifact.init_code + _encode(inputs, arguments, where=f"{artifact.name}.__init__")


def encode_call(artifact: Artifact, function: str, *arguments: Any) -> bytes:
    """The calldata of a call; raises `UnknownName` and `InvalidInput` for a function or arguments that it lacks."""
    entry = _function(artifact, function, len(arguments))
    return entry.topic[:SELECTOR_BYTES] + _encode(entry.inputs, arguments, where=f"{artifact.name}.{function}")


def decode(artifact: Artifact, function: str, output: bytes) -> Any:
    """What a function returned: nothing, its value, or a tuple where it returns several."""
    entry = _function(artifact, function, None)
    values = _decode(entry.outputs, output, where=f"{artifact.name}.{function}")
    return values if len(values) > 1 else values[0] if values else None


def decode_log(artifact: Artifact, log: Log) -> Event | None:
    """The event of a log, or None where the contract knows none with that topic."""
    known = {entry.topic: entry for entry in artifact.abi if entry.type == "event"}
    entry = known.get(log.topics[0]) if log.topics else None
    if entry is None:
        return None
    where = f"{artifact.name}.{entry.name}"
    indexed = [item for item in entry.inputs if item.indexed]
    rest = [item for item in entry.inputs if not item.indexed]
    values = dict(zip((item.name for item in rest), _decode(rest, log.data, where=where), strict=True))
    for item, topic in zip(indexed, log.topics[1:], strict=True):
        values[item.name] = _decode((item,), topic, where=where)[0] if _is_word(item.type) else topic
    return Event(name=entry.name, values={item.name: values[item.name] for item in entry.inputs})


def revert_reason(output: bytes) -> str:
    """The text of a revert with one, as `assert …, "text"` makes it; the bytes in hexadecimal otherwise."""
    if output[:SELECTOR_BYTES] == _ERROR:
        return str(_decode((AbiItem(type="string"),), output[SELECTOR_BYTES:], where="revert")[0])
    return f"0x{output.hex()}"


def selector(signature: str) -> bytes:
    """The first four bytes of keccak of a signature like `balanceOf(address)`."""
    return keccak(signature.encode())[:SELECTOR_BYTES]


@functools.cache
def _codec() -> tuple[Callable[..., bytes], Callable[..., tuple[Any, ...]], tuple[type[Exception], ...]]:
    try:
        from eth_abi.abi import decode as read  # noqa: PLC0415 it is an extra
        from eth_abi.abi import encode as write  # noqa: PLC0415 likewise
        from eth_abi.exceptions import DecodingError, EncodingError, ParseError  # noqa: PLC0415 likewise
    except ImportError:
        raise missing_package("eth-abi", "evm") from None
    return write, read, (EncodingError, DecodingError, ParseError, TypeError, OverflowError)


def _function(artifact: Artifact, name: str, count: int | None) -> AbiEntry:
    """The function of that name; with default arguments there are several, told apart by how many they take."""
    functions = [entry for entry in artifact.abi if entry.type == "function"]
    check.known(name, {entry.name for entry in functions}, "function", where=artifact.name)
    named = [entry for entry in functions if entry.name == name]
    fitting = [entry for entry in named if count is None or len(entry.inputs) == count]
    if not fitting:
        takes = sorted({len(entry.inputs) for entry in named})
        raise InvalidInput(
            "arguments", where=f"{artifact.name}.{name}", value=count, limit=f"{takes} in number", remedy="Pass them."
        )
    return fitting[0]


def _encode(items: Sequence[AbiItem], values: Sequence[Any], *, where: str) -> bytes:
    write, _, failures = _codec()
    if len(items) != len(values):
        raise InvalidInput("arguments", where=where, value=len(values), limit=f"{len(items)}", remedy="Pass them all.")
    try:
        return write([item.canonical for item in items], list(values))
    except failures as failure:
        types = ", ".join(item.canonical for item in items)
        raise InvalidInput(
            "arguments", where=where, value=str(failure)[:300], limit=f"values of {types}", remedy="Correct them."
        ) from None


def _decode(items: Sequence[AbiItem], output: bytes, *, where: str) -> tuple[Any, ...]:
    _, read, failures = _codec()
    types = [item.canonical for item in items]
    try:
        values = read(types, output)
    except failures as failure:
        raise InvalidInput(
            "result", where=where, value=str(failure)[:300], limit=f"{types}", remedy="Is this the contract?"
        ) from None
    return tuple(_plain(item.canonical, item, value) for item, value in zip(items, values, strict=True))


def _plain(kind: str, item: AbiItem, value: Any) -> Any:
    if kind.endswith("]"):
        return tuple(_plain(kind[: kind.rindex("[")], item, element) for element in value)
    if item.type.startswith("tuple"):
        return tuple(_plain(part.canonical, part, field) for part, field in zip(item.components, value, strict=True))
    return bytes.fromhex(value[2:]) if kind == "address" else value


def _is_word(kind: str) -> bool:
    """Whether a topic holds the value itself; of strings, arrays and structs it holds the hash."""
    return not (kind.endswith("]") or kind.startswith("tuple") or kind in {"string", "bytes"})
