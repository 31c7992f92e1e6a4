"""Whatever a stranger writes into a statement or a proof is judged or refused by a typed error, and nothing crashes."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from crossmargin.adapters.documents import decode
from crossmargin.core.errors import CrossmarginError, InvalidInput
from crossmargin.proofs.checking import Check, is_good, verify
from crossmargin.proofs.statement import Statement, statement_of
from crossmargin.proofs.zk.checking import verify_stated
from crossmargin.proofs.zk.statement import MarginProof, public_inputs, zk_digest
from tests.proofs.test_statement import backing, epoch, trusted
from tests.proofs.zk.books import case

LARGE = 9 * 10**4299  # The most digits that Python reads; twice as much it does not print.
INTEGERS = (LARGE, 2**256 - 1, 2**64, 2**63, 10**20, 0, -1)
TEXTS = (
    "\ud800",
    "x",
    "",
    "-1",
    " 1",
    "1_0",
    "\u0663",
    "9" * 78,
    "9" * 5000,
    "0x",
    "0x00",
    "0X" + "00" * 32,
    "\x1b[2J",
)


def places(tree: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Each value of a document that holds no others, and where it stands."""
    if isinstance(tree, dict | list):
        for step, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(item, (*at, step))
    else:
        yield at, tree


def changed(text: bytes, at: tuple[str | int, ...], value: object) -> bytes:
    """The document with another value there."""
    tree = holder = json.loads(text)
    for step in at[:-1]:
        holder = holder[step]
    holder[at[-1]] = value
    return json.dumps(tree).encode()


def lies(text: bytes) -> Iterator[bytes]:
    """The document with one number or text replaced."""
    for at, held in places(json.loads(text)):
        if not isinstance(held, bool):
            values: Sequence[object] = INTEGERS if isinstance(held, int) else TEXTS
            yield from (changed(text, at, value) for value in values if value != held)


def accepted(text: bytes, kind: type[Any], judge: Callable[[Any], Sequence[Check]]) -> list[str]:
    """The lies about a document that no check fails on."""
    found = []
    for lie in lies(text):
        try:
            document = decode(lie, kind, syntax="json", where="file")
        except CrossmarginError:
            continue
        if is_good(judge(document)):
            found.append(lie.decode())
    return found


def test_statements_of_a_stranger():
    honest = statement_of(epoch(), "maker", state=[backing()])
    assert is_good(verify(honest, trusted()))
    assert accepted(msgspec.json.encode(honest), Statement, lambda one: verify(one, trusted())) == []


def test_proofs_of_a_stranger():
    """All but the proof's own bytes, which its verifier judges."""
    honest = msgspec.structs.replace(case("maker")[0], proof="AAAA")

    def judge(proof: MarginProof) -> Sequence[Check]:
        checks = verify_stated(proof, published=zk_digest(honest.head))
        assert not is_good(checks) or public_inputs(proof)
        return checks

    kept = json.loads(msgspec.json.encode(honest))
    stated = {"loss_at_most", "collateral_at_least", "proof"}  # What is proved: the verifier of Kimchi has all of it.
    for text in accepted(msgspec.json.encode(honest), MarginProof, judge):
        lie = json.loads(text)
        assert {name for name in kept if lie[name] != kept[name]} <= stated


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"epoch": "\\ud800"}', "surrogate"),
        ('{"\\udfff": 1}', "surrogate"),
        ('{"epoch": 1%s}' % ("0" * 100), "at most 256 bits"),
        ("-1%s" % ("0" * 100), "at most 256 bits"),
        ('"\\udc00"', "surrogate"),
    ],
)
def test_what_python_cannot_write_is_not_read(text: str, words: str):
    with pytest.raises(InvalidInput, match=words):
        decode(text.encode(), Statement, syntax="json", where="file")


class Named(msgspec.Struct, frozen=True):
    """A document of one text."""

    name: str


def test_whole_characters_are():
    raw = b'{"name": "\\ud83d\\ude00 \\u00e9"}'
    assert decode(raw, Named, syntax="json", where="file") == Named(name="\U0001f600 \u00e9")
