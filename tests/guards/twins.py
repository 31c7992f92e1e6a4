"""Kernels and their scalar twins: who has one, who compares and measures them, and that neither knows the other.

A kernel is a public function in the folder `kernels` of `scenarios`, `valuation`, `measures` or `accounts` that is not
itself compiled. Its twin in `spec/` bears the same name.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.guards.tree import Source, Violation, imported, public_functions, sources

KERNELS = re.compile(r"src/crossmargin/(scenarios|valuation|measures|accounts)/kernels")
SPEC_IMPORTS = {"bisect", "collections", "dataclasses", "decimal", "enum", "fractions", "functools", "itertools"}
SPEC_IMPORTS |= {"__future__", "json", "math", "spec", "statistics", "typing"}


def kernels(root: Path) -> dict[str, str]:
    """The file of each kernel by its name."""
    found = (source for source in sources(root, "src") if KERNELS.match(source.path))
    return {name: source.path for source in found for name in public_functions(source)}


def _mentions(name: str, files: list[Source]) -> bool:
    return any(re.search(rf"\b{name}\b", source.text) for source in files)


def twins(root: Path) -> Iterator[Violation]:
    """Kernels without a twin in `spec/`, or that no differential test mentions."""
    spec = {name for source in sources(root, "spec") for name in public_functions(source)}
    differential = list(sources(root, "tests/differential"))
    for name, where in kernels(root).items():
        if name not in spec:
            yield Violation("twin", where, f"{name} has no function of its name in spec/")
        if not _mentions(name, differential):
            yield Violation("twin", where, f"{name} is compared by no test in tests/differential/")


def measured(root: Path) -> Iterator[Violation]:
    """Kernels without a benchmark; `unmeasured.toml` names those that need none, each with its reason."""
    reasons = root / "tests/guards/unmeasured.toml"
    excused = tomllib.loads(reasons.read_text()) if reasons.exists() else {}
    benchmarks = list(sources(root, "benchmarks"))
    found = kernels(root)
    for name, where in found.items():
        if not _mentions(name, benchmarks) and not excused.get(name, "").strip():
            yield Violation("benchmark", where, f"{name} is in no benchmark, and unmeasured.toml gives no reason")
    for name in excused:
        if name not in found or _mentions(name, benchmarks):
            yield Violation("benchmark", "tests/guards/unmeasured.toml", f"{name} is gone or measured: drop its entry")


def strangers(root: Path) -> Iterator[Violation]:
    """`spec/` is plain Python over a few modules of the standard library, and the package never imports it."""
    for source in sources(root, "spec"):
        for module, node in imported(source.tree):
            if module.split(".")[0] not in SPEC_IMPORTS:
                yield Violation("strangers", source.at(node), f"spec/ imports {module}")
    for source in sources(root, "src"):
        for module, node in imported(source.tree):
            if module.split(".")[0] in {"spec", "tests", "benchmarks"}:
                yield Violation("strangers", source.at(node), f"the package imports {module}")


RULES = (twins, measured, strangers)
