"""The front door: every public name is there when it is used, and nothing is imported before."""

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import crossmargin as xm
from crossmargin.engine.margin import margin


def declared(repository: Path) -> dict[str, str]:
    """The module of each name, as type checkers are told."""
    tree = ast.parse((repository / "src/crossmargin/__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: node.module or "" for node in imports for alias in node.names}


def test_type_checkers_and_users_see_the_same_names(repository: Path):
    names = declared(repository)
    assert set(names) <= set(dir(xm))
    assert names == xm._MODULE_OF
    for name, module in names.items():
        assert getattr(xm, name) is getattr(importlib.import_module(module), name)


def test_unknown_names_are_no_attributes():
    with pytest.raises(AttributeError, match="no attribute 'margins'"):
        xm.margins  # noqa: B018 the look-up is the test


def test_margin_is_the_function_after_its_namesake_is_imported():
    importlib.import_module("crossmargin.margin.scan")
    assert xm.margin is margin
    assert sys.modules["crossmargin.margin"].__name__ == "crossmargin.margin"


def test_import_waits_for_use():
    script = (
        "import sys, crossmargin; print(sorted({'numpy', 'numba', 'polars', 'scipy', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_is_that_of_the_project(repository: Path):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert xm.__version__ == project["version"]


def test_the_way_of_the_readme(repository: Path):
    market = xm.read_market(repository / "examples/small-market.toml")
    book = xm.read_book(repository / "examples/small-book.toml", market=market)
    result = xm.margin(book, market, xm.read_model())
    report = xm.margin_report(result)
    assert [account.id for account in report.accounts] == ["desk", "trader"]
    table = xm.results_table(result)
    assert table["account"].to_list() == ["desk", "trader"]
