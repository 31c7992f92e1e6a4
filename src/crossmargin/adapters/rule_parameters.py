"""Parameters of a rulebook in a file of the user's: for rules that ship none, or instead of a dated set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from crossmargin.adapters.documents import convert, read_tree
from crossmargin.adapters.sensitivity_parameters import read_sensitivity_parameters
from crossmargin.adapters.span_files import read_span_rule
from crossmargin.margin.rulebooks.rulebook import Rulebook
from crossmargin.margin.rulebooks.sensitivities.rule import SensitivityRule


def read_rule_parameters(rulebook: Rulebook, path: str | Path) -> msgspec.Struct:
    """The parameters that `rulebook` takes, from a .toml or .json file in the shape of its schema.

    Infinity is allowed, as in the shipped sets: the last tier of a table has no end. The sensitivity-based rule also
    takes one calibration alone, as `read_sensitivity_parameters` reads it, and the rule of sixteen scenarios a document
    that names an exchange's file, as `read_span_rule` does. Raises `UnreadableFile`, `UnknownName` or `InvalidInput`
    with the place inside the file.
    """
    read = _READERS.get(rulebook.id)
    return read(Path(path)) if read else convert(read_tree(path, infinite=True), rulebook.parameters, where=str(path))


def _sensitivity_rule(path: Path) -> SensitivityRule:
    tree = read_tree(path)
    if isinstance(tree, dict) and "calibrations" in tree:
        return convert(tree, SensitivityRule, where=str(path))
    return SensitivityRule(calibrations=(read_sensitivity_parameters(path),))


_READERS: Final[dict[str, Callable[[Path], msgspec.Struct]]] = {
    "sensitivity-im": _sensitivity_rule,
    "span": read_span_rule,
}
