"""One canonical encoding of values, and its hash.

Two results are the same if and only if their hashes are: floats enter as their IEEE bits (with −0 as 0), arrays as
dtype, shape and bytes, mappings sorted by key, text as UTF-8 with its length. Nothing depends on the platform, on
insertion order or on how a number was printed.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import struct
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np


def digest(value: object) -> str:
    """SHA-256 of the canonical encoding, as 64 hexadecimal digits."""
    hasher = hashlib.sha256()
    _feed(hasher, value)
    return hasher.hexdigest()


def _feed(hasher: Any, value: object) -> None:
    if value is None:
        hasher.update(b"n")
    elif isinstance(value, bool | np.bool_):
        hasher.update(b"t" if value else b"f")
    elif isinstance(value, enum.Enum):
        _feed(hasher, value.value)
    elif isinstance(value, int | np.integer):
        _text(hasher, b"i", str(int(value)))
    elif isinstance(value, float | np.floating):
        hasher.update(b"d" + struct.pack("<d", float(value) + 0.0))
    elif isinstance(value, str):
        _text(hasher, b"s", value)
    elif isinstance(value, bytes):
        hasher.update(b"b" + struct.pack("<q", len(value)) + value)
    elif isinstance(value, np.ndarray):
        _array(hasher, value)
    elif isinstance(value, Mapping):
        named = {str(key): item for key, item in value.items()}
        assert len(named) == len(value), "two keys of one text would hide each other"
        _mapping(hasher, named)
    elif isinstance(value, msgspec.Struct):
        _mapping(hasher, _said(value), type(value).__name__)
    elif dataclasses.is_dataclass(value):
        _mapping(hasher, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, type(value).__name__)
    elif isinstance(value, list | tuple):
        hasher.update(b"l" + struct.pack("<q", len(value)))
        if all(type(item) is str for item in value):  # The same bytes in one piece: sets have 100,000 labels.
            raw = [item.encode() for item in value]
            hasher.update(b"".join([b"s" + struct.pack("<q", len(text)) + text for text in raw]))
            return
        for item in value:
            _feed(hasher, item)
    else:
        raise TypeError(f"no canonical encoding for {type(value).__name__}")


def _said(value: msgspec.Struct) -> dict[str, object]:
    """The fields of a struct, without those of `LATER` that say nothing new.

    A field that a document gained after results had been published enters the hash only where it departs from its
    default: what it did not say before it does not say now.
    """
    fields = msgspec.structs.asdict(value)
    later = getattr(type(value), "LATER", ())
    for field in msgspec.structs.fields(value) if later else ():
        if field.name in later and fields[field.name] == _default(field):
            del fields[field.name]
    return fields


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _text(hasher: Any, mark: bytes, text: str) -> None:
    raw = text.encode()
    hasher.update(mark + struct.pack("<q", len(raw)) + raw)


def _mapping(hasher: Any, items: dict[str, object], name: str = "") -> None:
    _text(hasher, b"m", name)
    hasher.update(struct.pack("<q", len(items)))
    for key in sorted(items):
        _text(hasher, b"k", key)
        _feed(hasher, items[key])


def _array(hasher: Any, array: np.ndarray[Any, np.dtype[Any]]) -> None:
    if array.dtype.kind not in "biufU":
        raise TypeError(f"no canonical encoding for an array of {array.dtype}")
    if array.dtype.kind == "f":
        array = array + 0.0
    _text(hasher, b"a", array.dtype.newbyteorder("<").str)
    hasher.update(struct.pack(f"<{array.ndim + 1}q", array.ndim, *array.shape))
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    hasher.update(np.ascontiguousarray(little).tobytes())
