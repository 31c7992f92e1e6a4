"""The Python files of a repository, parsed, and the form in which guards report."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef

PURE = (
    "core",
    "instruments",
    "portfolio",
    "market",
    "scenarios",
    "valuation",
    "measures",
    "margin",
    "collateral",
    "accounts",
    "optimize",
    "proofs",
    "engine",
    "validation",
)


class Violation(NamedTuple):
    """One rule broken at one place."""

    rule: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}: {self.what}"


class Source(NamedTuple):
    """One file: its path from the root of the repository, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


def sources(root: Path, *folders: str) -> Iterator[Source]:
    """All Python files under `folders`, in the order of their paths."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            if "_build" not in path.parts:
                text = path.read_text(encoding="utf-8")
                yield Source(path.relative_to(root).as_posix(), text, ast.parse(text, str(path)))


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Every function with its dotted name, methods and nested functions included."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield prefix + child.name, child
            inner = f"{prefix}{child.name}." if isinstance(child, Function | ast.ClassDef) else prefix
            yield from walk(child, inner)

    return walk(tree, "")


def public_functions(source: Source) -> list[str]:
    """The functions at the top of a file that a caller sees: no underscore in front, and not compiled themselves.

    A function under `@compiled` is a piece of a loop; it is checked and compared through the kernels that use it.
    """
    tops = (node for node in source.tree.body if isinstance(node, Function))
    return [top.name for top in tops if not top.name.startswith("_") and not is_compiled(top)]


def is_compiled(node: Function) -> bool:
    """Whether a function is compiled by `core.compile`."""
    calls = (mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list)
    return any(dotted(call).split(".")[-1] == "compiled" for call in calls)


def imported(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Each module that a file imports, wherever in the file it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node


def words(name: str) -> list[str]:
    """The words of a snake_case or CamelCase name, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]


def dotted(node: ast.AST) -> str:
    """The written name of what is called: `np.random.rand`; empty for anything but names and attributes."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else node.attr
    return ""


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write `files` under `root`: a small repository that breaks a rule."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return root


def report(violations: list[Violation]) -> str:
    """What an assertion shows."""
    return "\n".join(["", *map(str, violations)])
