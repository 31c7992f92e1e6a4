"""TOML and JSON to frozen values: every refusal names the place inside the document, the value and the rule."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
import numpy as np
from msgspec import inspect

from crossmargin.core.errors import InvalidInput, UnknownName, UnreadableFile

T = TypeVar("T", bound=msgspec.Struct)
Steps: TypeAlias = tuple[str | int, ...]

_FIELD_REMEDY: Final = "Correct the name; `crossmargin schema` lists the fields."
ANY_KEY: Final = "..."  # what msgspec writes where a path goes through the values of a mapping
_ERROR = re.compile(r"(?P<text>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
DEPTH_MAX: Final = 200  # Parsers recurse in C; a thread with a small stack would die of what the interpreter allows.
INTEGER_BITS_MAX: Final = 256  # A word of the EVM; nothing that is read counts further.
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN_MAX: Final = 80
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED = re.compile(r"`([^`]*)`")


def decode(raw: bytes, kind: type[T], *, syntax: str, where: str) -> T:
    """The value of type `kind` that a document in `syntax` ("toml" or "json") states.

    Raises `UnreadableFile` for what is not in that syntax, `UnknownName` for a field that `kind` lacks,
    and `InvalidInput` for anything of the wrong type and for NaN and infinity anywhere; `where` and the path inside
    the document stand in the message.
    """
    return convert(_parsed(raw, syntax=syntax, where=where), kind, where=where)


def _parsed(raw: bytes, *, syntax: str, where: str, infinite: bool = False) -> object:
    try:
        return _plain(_PARSERS[syntax](raw.decode()), (), where, infinite=infinite)
    except RecursionError:
        raise _unreadable(where, syntax, "it is nested too deeply") from None
    except ValueError as error:
        raise _unreadable(where, syntax, f"{syntax.upper()} does not allow this: {error}") from None


def convert(tree: object, kind: type[T], *, where: str) -> T:
    """The value of type `kind` that a tree of plain values states; raises as `decode` does."""
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), tree, kind, where) from None


def read_document(path: str | Path, kind: type[T]) -> T:
    """The document in a .toml or .json file; raises as `decode` does, and `UnreadableFile` for any other file."""
    return convert(read_tree(path), kind, where=str(path))


def read_tree(path: str | Path, *, infinite: bool = False) -> object:
    """The plain values in a .toml or .json file, without NaN, and without infinity unless `infinite` allows it.

    Raises as `read_document` does.
    """
    file = Path(path)
    syntax = file.suffix.lower().removeprefix(".")
    if syntax not in _PARSERS:
        raise UnreadableFile(str(path), reason="its name does not end in .toml or .json", remedy="Rename or convert it")
    return _parsed(read_bytes(file), syntax=syntax, where=str(path), infinite=infinite)


def read_bytes(path: Path) -> bytes:
    """All of a file; raises `UnreadableFile` where the system does not let it be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise cannot_open(path, error) from None


def cannot_open(path: Path, error: OSError) -> UnreadableFile:
    """The refusal that tells what the system said."""
    return UnreadableFile(str(path), reason=(error.strerror or str(error)).lower(), remedy="Check the path.")


def place(where: str, steps: Steps) -> str:
    """`book.toml: accounts[0].id` for the steps ("accounts", 0, "id")."""
    path = "".join(f"[{s}]" if isinstance(s, int) else f".{key_text(s)}" for s in steps).removeprefix(".")
    return f"{where}: {path}" if path else where


def key_text(key: str) -> str:
    """A key as TOML writes it: bare where it may be, else quoted."""
    return key if _BARE.fullmatch(key) else scalar_text(key)


def scalar_text(value: str | float | bool) -> str:
    """A text, number or truth value as both JSON and TOML write it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007f")


def _depth(text: str) -> int:
    """How deeply brackets are nested, those in strings counted too."""
    code = np.frombuffer(text.encode(), dtype=np.uint8)
    opened, closed = np.isin(code, (ord("["), ord("{"))), np.isin(code, (ord("]"), ord("}")))
    return int(np.cumsum(opened.astype(np.int32) - closed, dtype=np.int32).max(initial=0))


def parse_json(text: str) -> object:
    """The plain values that a text of JSON states, NaN and infinity among them.

    Raises `ValueError` for what is no JSON or has a key twice, and `RecursionError` for what is nested deeper than
    `DEPTH_MAX`, before a parser could die of it."""
    if _depth(text) > DEPTH_MAX and _depth(_STRING.sub("", text)) > DEPTH_MAX:
        raise RecursionError

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            keys = [key for key, _ in pairs]
            raise ValueError(f"the key {next(k for i, k in enumerate(keys) if k in keys[:i])!r} stands twice")
        return table

    return json.loads(text, object_pairs_hook=once)  # NaN passes here, to be refused with its path


_PARSERS: Final[dict[str, Callable[[str], object]]] = {"toml": tomllib.loads, "json": parse_json}


def _unreadable(where: str, syntax: str, reason: str) -> UnreadableFile:
    return UnreadableFile(where, reason=reason, remedy=f"Correct the {syntax.upper()}.")


def _plain(value: object, steps: Steps, where: str, *, infinite: bool) -> object:
    """`value` with TOML's date-times as text, refusing NaN and, unless allowed, infinity at any depth.

    Refused too is what JSON can write and nothing here can: half of a surrogate pair, which no encoding has, and
    integers beyond 256 bits, which Python may refuse to print."""
    if isinstance(value, dict):
        return {
            _written(key, steps, where): _plain(item, (*steps, key), where, infinite=infinite)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_plain(item, (*steps, i), where, infinite=infinite) for i, item in enumerate(value)]
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, str):
        return _written(value, steps, where)
    if isinstance(value, int) and value.bit_length() > INTEGER_BITS_MAX:
        raise InvalidInput(
            str(steps[-1]) if steps else "document",
            where=place(where, steps),
            value=f"an integer of {value.bit_length()} bits",
            limit=f"at most {INTEGER_BITS_MAX} bits",
            remedy="Correct the source.",
        )
    if isinstance(value, float) and (math.isnan(value) or (math.isinf(value) and not infinite)):
        raise InvalidInput(
            str(steps[-1]),
            where=place(where, steps),
            value=value,
            limit="a finite number",
            remedy="Correct the source; no value is defaulted.",
        )
    return value


def _written(text: str, steps: Steps, where: str) -> str:
    """`text`, if it is of characters."""
    if not text.isascii() and _SURROGATE.search(text):
        raise InvalidInput(
            str(steps[-1]) if steps else "document",
            where=place(where, steps),
            value=ascii(text)[:_SHOWN_MAX],
            limit="whole characters, no half of a surrogate pair",
            remedy="Correct the source.",
        )
    return text


def _refusal(message: str, tree: object, kind: type[T], where: str) -> InvalidInput:
    """The typed error for what msgspec says, with the value that stands there and what may stand there."""
    match = _ERROR.fullmatch(message)
    assert match is not None
    text, steps = match["text"], _steps(match["path"] or "")
    steps = _named_keys(message, steps, tree, kind)
    found, expected = _follow(tree, steps), _expected(inspect.type_info(kind), steps, tree)
    at = place(where, steps)
    quoted = _QUOTED.findall(text)
    if text.startswith("Object contains unknown field"):
        return UnknownName(
            "field", where=at, value=quoted[0], known=_field_names(expected, found), remedy=_FIELD_REMEDY
        )
    if text.startswith("Object missing required field"):
        return InvalidInput(f"field {quoted[0]}", where=at, value="missing", limit="given", remedy="Add it.")
    return InvalidInput(
        str(steps[-1]) if steps else "document",
        where=at,
        value=_shown(found),
        limit=_limit(expected) or text,
        remedy="See `crossmargin schema` for what may stand here.",
    )


def _steps(path: str) -> Steps:
    found = (match.groups() for match in _STEP.finditer(path))
    return tuple(name or (ANY_KEY if index == ANY_KEY else int(index)) for name, index in found)


def _follow(tree: Any, steps: Steps) -> Any:
    for step in steps:
        tree = tree[step]
    return tree


def _named_keys(message: str, steps: Steps, tree: object, kind: type[T]) -> Steps:
    """`steps` with each "..." replaced by the key whose value alone gives the same message."""
    while ANY_KEY in steps:
        at = steps.index(ANY_KEY)
        key = next(k for k in _follow(tree, steps[:at]) if _message(_with_only(tree, steps[:at], k), kind) == message)
        tree, steps = _with_only(tree, steps[:at], key), (*steps[:at], key, *steps[at + 1 :])
    return steps


def _with_only(tree: Any, steps: Steps, key: str) -> Any:
    """A copy of `tree` in which the mapping at `steps` has one key."""
    if not steps:
        return {key: tree[key]}
    copy: Any = tree.copy()
    copy[steps[0]] = _with_only(tree[steps[0]], steps[1:], key)
    return copy


def _message(tree: object, kind: type[T]) -> str:
    try:
        msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _expected(info: inspect.Type, steps: Steps, tree: Any) -> inspect.Type:
    """The type that stands at `steps` of a document of type `info`."""
    for step in steps:
        info = _chosen(info, tree)
        if isinstance(info, inspect.StructType):
            info = next((field.type for field in info.fields if field.encode_name == step), info)
        elif isinstance(info, inspect.DictType):
            info = info.value_type
        elif isinstance(info, inspect.VarTupleType | inspect.ListType):
            info = info.item_type
        elif isinstance(info, inspect.TupleType) and isinstance(step, int):
            info = info.item_types[step]
        tree = tree[step]
    return info


def _chosen(info: inspect.Type, tree: object) -> inspect.Type:
    """The member of a union that `tree` is meant to be: the struct of its tag, or the one that holds others."""
    if not isinstance(info, inspect.UnionType):
        return info
    structs = [t for t in info.types if isinstance(t, inspect.StructType)]
    tagged = [t for t in structs if t.tag_field and isinstance(tree, dict) and tree.get(t.tag_field) == t.tag]
    others = [t for t in info.types if not isinstance(t, inspect.NoneType)]
    only: list[inspect.Type] = [*tagged, *(structs if len(structs) == 1 else []), *(others if len(others) == 1 else [])]
    return only[0] if only else info


def _field_names(info: inspect.Type, tree: object) -> tuple[str, ...]:
    info = _chosen(info, tree)
    if not isinstance(info, inspect.StructType):
        return ()
    return (*([info.tag_field] if info.tag_field else []), *(field.encode_name for field in info.fields))


def _limit(info: inspect.Type) -> str:
    """What may stand where `info` is expected, in words."""
    return " or ".join(dict.fromkeys(_words(info)))


def _words(info: inspect.Type) -> Iterator[str]:
    if isinstance(info, inspect.UnionType):
        for member in info.types:
            yield from _words(member)
    elif isinstance(info, inspect.LiteralType):
        yield "one of: " + ", ".join(str(v) for v in info.values)
    elif isinstance(info, inspect.StructType):
        yield str(info.tag) if info.tag_field else "a table"  # with a tag, it is the tag that is wrong
    else:
        yield from (words for kind, words in _KINDS.items() if isinstance(info, kind))


_KINDS: Final[dict[type[inspect.Type], str]] = {
    inspect.FloatType: "a finite number",
    inspect.IntType: "an integer",
    inspect.StrType: "text",
    inspect.BoolType: "true or false",
    inspect.VarTupleType: "a list",
    inspect.TupleType: "a list",
    inspect.DictType: "a table",
}


def _shown(value: object) -> object:
    if isinstance(value, Mapping):
        return f"a table with {len(value)} fields"
    return f"a list of {len(value)}" if isinstance(value, list) else value
