"""Contracts from their Vyper sources: compiled when first asked for, once in a process.

Sources lie in the folder `contracts` of the repository, and in the wheel beside this module. A contract with immutables
has them appended to its code when it is deployed, so that each deployment has a code hash of its own: what a proof pins
is `keccak(backend.code(address))` read back after deployment, never `Artifact.runtime_hash` without asking
`Artifact.immutable_bytes`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from crossmargin.adapters.networks.signing import missing_package
from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.keccak import keccak

SHIPPED: Final = Path(__file__).resolve().parent / "sources"
_REPOSITORY: Final = Path(__file__).resolve().parents[4] / "contracts"
_FORMATS: Final = ("abi", "bytecode", "bytecode_runtime", "layout")


class AbiItem(msgspec.Struct, frozen=True):
    """A parameter of a function or an event."""

    type: str
    name: str = ""
    indexed: bool = False
    components: tuple[AbiItem, ...] = ()

    @property
    def canonical(self) -> str:
        """The type as selectors have it: tuples by what they are made of."""
        if not self.type.startswith("tuple"):
            return self.type
        return f"({','.join(item.canonical for item in self.components)}){self.type[len('tuple') :]}"


class AbiEntry(msgspec.Struct, frozen=True):
    """A function, the constructor or an event."""

    type: str
    name: str = ""
    inputs: tuple[AbiItem, ...] = ()
    outputs: tuple[AbiItem, ...] = ()

    @property
    def signature(self) -> str:
        """Name and types of the inputs, what a selector is the hash of."""
        return f"{self.name}({','.join(item.canonical for item in self.inputs)})"

    @property
    def topic(self) -> bytes:
        """keccak of the signature: the first topic of an event; its first four bytes select a function."""
        return keccak(self.signature.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A compiled contract.

    `init_code` lacks the constructor's arguments (`abi.deployment` appends them). `slots` are the numbers of storage
    slots by name of the variable, in modules by its path with dots. `runtime_hash` is keccak of the code without
    immutables, of which a deployment has `immutable_bytes` more.
    """

    name: str
    abi: tuple[AbiEntry, ...]
    init_code: bytes
    runtime: bytes
    runtime_hash: bytes
    immutable_bytes: int
    slots: dict[str, int]


def sources() -> Path:
    """The folder of the contracts' sources: that of the repository, or the one that the wheel brought along."""
    return _REPOSITORY if _REPOSITORY.is_dir() else SHIPPED


def compiled_contract(name: str, *, folder: Path | None = None) -> Artifact:
    """The contract `name`.vy of a folder, of the shipped one if none is given.

    Raises `UnknownName` where there is no such source, and `InvalidInput` for one that does not compile.
    """
    return _compiled(name, folder or sources())


@functools.cache
def _compiled(name: str, folder: Path) -> Artifact:
    check.known(name, sorted(path.stem for path in folder.glob("*.vy")), "contract", where=str(folder))
    compile_source, bundle, failures = _compiler()
    search = bundle([folder])
    try:
        with search.search_path(folder):
            made = compile_source(search.load_file(f"{name}.vy"), input_bundle=search, output_formats=_FORMATS)
    except failures as failure:
        raise InvalidInput(
            "contract", where=f"{name}.vy", value=str(failure)[:2000], limit="Vyper 0.4.3", remedy="Correct it."
        ) from None
    runtime = bytes.fromhex(made["bytecode_runtime"][2:])
    layout = made["layout"]
    return Artifact(
        name=name,
        abi=msgspec.convert([_plain_entry(entry) for entry in made["abi"]], tuple[AbiEntry, ...]),
        init_code=bytes.fromhex(made["bytecode"][2:]),
        runtime=runtime,
        runtime_hash=keccak(runtime),
        immutable_bytes=sum(entry["length"] for entry in _leaves(layout.get("code_layout", {})).values()),
        slots={path: entry["slot"] for path, entry in _leaves(layout.get("storage_layout", {})).items()},
    )


@functools.cache
def _compiler() -> tuple[Callable[..., Any], Callable[..., Any], tuple[type[Exception], ...]]:
    try:
        from vyper.compiler import compile_from_file_input  # noqa: PLC0415 it is an extra, and takes a second
        from vyper.compiler.input_bundle import FilesystemInputBundle  # noqa: PLC0415 likewise
        from vyper.exceptions import VyperException  # noqa: PLC0415 likewise
    except ImportError:
        raise missing_package("vyper", "contracts") from None
    return compile_from_file_input, FilesystemInputBundle, (VyperException, FileNotFoundError)


def _plain_entry(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key in {"type", "name", "inputs", "outputs"}}


def _leaves(layout: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """The entries of a layout by their dotted path; those of modules stand nested."""
    found: dict[str, dict[str, Any]] = {}
    for name, entry in layout.items():
        if "type" in entry and isinstance(entry["type"], str):
            found[path + name] = entry
        else:
            found |= _leaves(entry, f"{path}{name}.")
    return found
