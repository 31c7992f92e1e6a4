"""XML as a stream of small trees: the wanted elements, whole, one after the other, and nothing from outside."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from crossmargin.adapters.span_choice import refusal
from crossmargin.core import check
from crossmargin.core.errors import UnreadableFile

DEPTH_MOST: Final = 64


@dataclass(slots=True)
class Node:
    """An element: its name and that of the element around it, its text, children, and the line where it stands."""

    name: str
    parent: str
    file: str
    line: int
    text: str = ""
    children: list[Node] = field(default_factory=list)

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.file}: line {self.line}"

    def all(self, name: str) -> list[Node]:
        """The children of a name."""
        return [child for child in self.children if child.name == name]

    def word(self, name: str, default: str = "") -> str:
        """The text of the one child of a name; raises `InvalidInput` where there are several."""
        found = self.all(name)
        if len(found) > 1:
            raise refusal(name, len(found), "stated once", where=self.where, remedy="Correct the file.")
        return found[0].text.strip() if found else default

    def number(self, name: str, default: float | None = None) -> float:
        """The number of the one child of a name; raises `InvalidInput` where it is missing or none."""
        text = self.word(name)
        if not text and default is not None:
            return default
        return number_of(text, name, self.where)


def number_of(text: str, what: str, where: str) -> float:
    """The finite number that a text states; raises `InvalidInput` for anything else."""
    try:
        return check.finite(float(text.replace("_", "x")), what, where=where)  # Python alone allows 1_000
    except ValueError:
        raise refusal(what, text, "a number", where=where, remedy="Correct the file.") from None


class Stream:
    """Hands the outermost elements of the wanted names over to `use`, whole, one after the other.

    A document type is refused, and so is every entity, for they are declared in one.
    """

    def __init__(self, wanted: Collection[str], use: Callable[[Node], None], where: str) -> None:
        self.wanted, self.use, self.where = wanted, use, where
        self.open: list[Node] = []
        self.path = [""]
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._add
        self.parser.StartDoctypeDeclHandler = self._doctype

    def read(self, raw: bytes) -> None:
        """Go through a whole document; raises `UnreadableFile` for what is no XML, or nested too deeply."""
        try:
            self.parser.Parse(raw, True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise UnreadableFile(self.where, reason=f"XML does not allow this: {error}", remedy="Correct it.") from None

    def _doctype(self, *_: object) -> None:
        raise UnreadableFile(self.where, reason="it has a document type", remedy="Remove it: none is needed.")

    def _start(self, name: str, _: dict[str, str]) -> None:
        if len(self.path) > DEPTH_MOST:
            raise UnreadableFile(self.where, reason=f"it is nested over {DEPTH_MOST} deep", remedy="Correct it.")
        if self.open or name in self.wanted:
            self.open.append(Node(name, self.path[-1], self.where, self.parser.CurrentLineNumber))
        self.path.append(name)

    def _end(self, _: str) -> None:
        self.path.pop()
        if self.open:
            node = self.open.pop()
            if self.open:
                self.open[-1].children.append(node)
            else:
                self.use(node)

    def _add(self, text: str) -> None:
        if self.open:
            self.open[-1].text += text
