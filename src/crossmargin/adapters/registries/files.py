"""Registries by path, and the one that ships."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from crossmargin.adapters.documents import decode, read_document
from crossmargin.adapters.registries.checksums import check_document
from crossmargin.market.registry.build import build_registry
from crossmargin.market.registry.document import RegistryDocument
from crossmargin.market.registry.registry import Registry

DEFAULT_REGISTRY: Final = "default"


def read_registry(path: str | Path) -> Registry:
    """The registry in a .toml or .json file, or with the name `default` the one that ships.

    Raises `UnreadableFile`, `UnknownName`, `DuplicateName` or `InvalidInput` with the place inside the file; where
    keccak is installed also for an address in mixed case whose checksum is wrong.
    """
    if str(path) == DEFAULT_REGISTRY:
        return default_registry()
    document = check_document(read_document(path, RegistryDocument), where=str(path))
    return build_registry(document, where=str(path))


def default_registry() -> Registry:
    """The shipped registry: main chains, and instances of ETH, USDC, USDT, WBTC and wstETH; nothing counts yet."""
    raw = resources.files("crossmargin.market.registry").joinpath("default.toml").read_bytes()
    return build_registry(decode(raw, RegistryDocument, syntax="toml", where="default.toml"), where="default.toml")
