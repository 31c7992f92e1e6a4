"""Our values to files: whole or not at all, as TOML, JSON or bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from crossmargin.adapters.documents import key_text, scalar_text
from crossmargin.core.errors import InvalidInput


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when the block ends, and is gone if it raises.

    Raises `InvalidInput` where the folder does not exist or the system refuses to write.
    """
    file = Path(path)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(file)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        part.unlink(missing_ok=True)


def make_folder(path: Path, *, where: str) -> None:
    """Make a folder to write to, unless it is there; raises `InvalidInput`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            "folder", where=where, value=str(path), limit="a folder to write to", remedy=f"{error.strerror}."
        ) from None


def write_text(path: str | Path, text: str, *, private: bool = False) -> None:
    """Write a whole file of UTF-8 text, or leave what stood there; a `private` one only its user can ever read."""
    with replacing(path) as part:
        if private:
            part.touch(mode=0o600)
        part.write_text(text, encoding="utf-8")


def write_document(path: str | Path, document: msgspec.Struct, *, heading: str = "") -> None:
    """Write a document as TOML (with `heading` as its first comment) or JSON, as the name of the file says."""
    write_text(path, document_text(document, syntax=document_syntax(path), heading=heading))


def document_syntax(path: str | Path) -> str:
    """ "toml" or "json", by the name of the file; raises `InvalidInput` for any other."""
    suffix = Path(path).suffix.lower()
    if suffix not in {".toml", ".json"}:
        raise InvalidInput(
            "output file", where=str(path), value=suffix, limit=".toml or .json", remedy="Choose one of the two."
        )
    return suffix.removeprefix(".")


def document_text(document: msgspec.Struct, *, syntax: str, heading: str = "") -> str:
    """A document as text; absent values are left out."""
    tree = _stated(msgspec.to_builtins(document))
    if syntax == "json":
        return json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    comment = "".join(f"# {line}\n" for line in heading.splitlines())
    return comment + "".join(_toml_table(tree, ()))


def _unwritable(path: str | Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        "output file",
        where=str(path),
        value=(error.strerror or str(error)).lower(),
        limit="a file that can be written",
        remedy="Make its folder, or choose another place.",
    )


def _stated(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _stated(item) for key, item in value.items() if item is not None}
    return [_stated(item) for item in value] if isinstance(value, list | tuple) else value


def _toml_table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """The lines of a table: plain values first, then tables and lists of tables under their headings."""
    nested = {key: value for key, value in table.items() if _is_nested(value, depth=len(path))}
    for key, value in table.items():
        if key not in nested:
            yield f"{key_text(key)} = {_toml_value(value)}\n"
    for key, value in nested.items():
        here = (*path, key_text(key))
        if isinstance(value, list):
            for item in value:
                yield f"\n[[{'.'.join(here)}]]\n"
                yield from _toml_table(item, here)
        else:
            yield f"\n[{'.'.join(here)}]\n"
            yield from _toml_table(value, here)


def _is_nested(value: Any, *, depth: int) -> bool:
    if isinstance(value, Mapping):
        return True
    return depth == 0 and isinstance(value, list) and bool(value) and all(isinstance(x, Mapping) for x in value)


def _toml_value(value: Any) -> str:
    if isinstance(value, list):
        return _toml_list(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key_text(k)} = {_toml_value(v)}" for k, v in value.items()) + " }"
    return scalar_text(value)


def _toml_list(items: list[Any]) -> str:
    if items and isinstance(items[0], Mapping | list):
        return "[\n" + "".join(f"  {_toml_value(item)},\n" for item in items) + "]"
    return "[" + ", ".join(_toml_value(item) for item in items) + "]"
