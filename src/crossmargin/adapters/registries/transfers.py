"""Tables of routes by path, and the one that ships."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from crossmargin.adapters.documents import decode, read_document
from crossmargin.market.registry.registry import RegistryView
from crossmargin.market.transfers.build import TransferTable, build_transfers, known_part
from crossmargin.market.transfers.document import TransferDocument

DEFAULT_TRANSFERS: Final = "default"


def read_transfers(path: str | Path, registry: RegistryView) -> TransferTable:
    """The routes in a .toml or .json file, or with the name `default` those that ship, beside a registry.

    Raises `UnreadableFile`, `UnknownName`, `DuplicateName` or `InvalidInput` with the place inside the file.
    """
    where = "default.toml" if str(path) == DEFAULT_TRANSFERS else str(path)
    return build_transfers(read_routes(path, registry), registry, where=where)


def read_routes(path: str | Path, registry: RegistryView) -> TransferDocument:
    """The document of a table of routes; of the one that ships what the registry knows.

    Raises `UnreadableFile` or `InvalidInput` for a file that cannot be read.
    """
    if str(path) != DEFAULT_TRANSFERS:
        return read_document(path, TransferDocument)
    raw = resources.files("crossmargin.market.transfers").joinpath("default.toml").read_bytes()
    return known_part(decode(raw, TransferDocument, syntax="toml", where="default.toml"), registry)
