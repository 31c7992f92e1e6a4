"""The examples in docstrings run, and say what the code says."""

import doctest
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import crossmargin

MODULES = sorted(
    m.name for m in pkgutil.walk_packages(crossmargin.__path__, "crossmargin.") if "__main__" not in m.name
)


def failures(module: ModuleType) -> int:
    """How many examples of a module fail."""
    return doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).failed


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str):
    assert failures(importlib.import_module(name)) == 0


def test_planted_example_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    planted = ModuleType("planted", "An example.\n\n>>> 1 + 1\n3\n")
    planted.__file__ = str(tmp_path / "planted.py")
    assert failures(planted) == 1
    assert "Expected:\n    3" in capsys.readouterr().out
