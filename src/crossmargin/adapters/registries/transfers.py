"""Tables of routes by path, and the one that ships."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from crossmargin.adapters.documents import decode, read_document
from crossmargin.market.registry.registry import RegistryView
from crossmargin.market.transfers.build import TransferTable, build_transfers
from crossmargin.market.transfers.document import TransferDocument

DEFAULT_TRANSFERS: Final = "default"


def read_transfers(path: str | Path, registry: RegistryView) -> TransferTable:
    """The routes in a .toml or .json file, or with the name `default` those that ship, beside a registry.

    Raises `UnreadableFile`, `UnknownName`, `DuplicateName` or `InvalidInput` with the place inside the file.
    """
    if str(path) != DEFAULT_TRANSFERS:
        return build_transfers(read_document(path, TransferDocument), registry, where=str(path))
    raw = resources.files("crossmargin.market.transfers").joinpath("default.toml").read_bytes()
    document = decode(raw, TransferDocument, syntax="toml", where="default.toml")
    return build_transfers(document, registry, where="default.toml")
