"""Risk-parameter files of exchanges that margin by sixteen scenarios, to the parameters of the `span` rulebook.

`read_span` takes the bytes of an XML file (`.spn`, see `span_xml`) or of an expanded positional one (`.pa2`, see
`span_positional`). Such files belong to the exchange that publishes them; none is shipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from crossmargin.adapters.documents import convert, read_bytes, read_tree
from crossmargin.adapters.span_choice import SIZE_MOST, SpanChoice
from crossmargin.adapters.span_positional import read_span_positional
from crossmargin.adapters.span_xml import read_span_xml
from crossmargin.core.errors import UnreadableFile
from crossmargin.margin.rulebooks.span.parameters import FileContract, ScanRange, SpanParameters

_ZIP: Final = b"PK\x03\x04"


class SpanDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters in a `file` of an exchange (a path from the document), and how a book reads under it."""

    file: str
    choice: SpanChoice = SpanChoice()
    mapping: dict[str, FileContract] = {}
    ranges: dict[str, ScanRange] = {}


def read_span(raw: bytes, *, where: str = "SPAN file", choice: SpanChoice | None = None) -> SpanParameters:
    """The parameters in a file; how instruments of a book read as its contracts is for the caller to add.

    Contracts are called as `span_choice.contract_id` says. Raises `UnreadableFile` for what is no such file,
    `InvalidInput` (or a kind of it) with its place for content that cannot be read without guessing.
    """
    if len(raw) > SIZE_MOST:
        raise UnreadableFile(where, reason=f"it holds {len(raw)} bytes, limit {SIZE_MOST}", remedy="Split the file.")
    if raw.startswith(_ZIP):
        raise UnreadableFile(where, reason="it is an archive", remedy="Unpack it.")
    read = read_span_xml if raw.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<") else read_span_positional
    return read(raw, where=where, choice=choice or SpanChoice())


def read_span_rule(path: str | Path) -> SpanParameters:
    """The parameters that a .toml or .json file states: those of a file it names (see `SpanDocument`), or its own.

    Raises as `read_span` and `read_document` do.
    """
    tree = read_tree(path)
    if not isinstance(tree, dict) or "file" not in tree:
        return convert(tree, SpanParameters, where=str(path))
    document = convert(tree, SpanDocument, where=str(path))
    file = Path(path).parent / document.file
    found = read_span(read_bytes(file), where=str(file), choice=document.choice)
    return msgspec.structs.replace(found, mapping=document.mapping, ranges=document.ranges)
