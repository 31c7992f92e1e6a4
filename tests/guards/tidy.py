"""Rules on size, names and marks that a linter does not know."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.guards.tree import PURE, Source, Violation, dotted, functions, imported, sources, words

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 500
CODE = ("src", "spec", "benchmarks", "examples", "tests")
NAMES_BANNED = {"data", "helper", "helpers", "info", "manager", "misc", "util", "utils"}
CALLS_BANNED = {"eval", "exec", "globals", "setattr", "delattr"}
CALLS_IMPURE = {"date.today", "datetime.now", "datetime.today", "datetime.utcnow", "input", "open", "os.getenv"}
METHODS_IMPURE = {"read_bytes", "read_text", "write_bytes", "write_text"}
KERNELS = re.compile(r"src/crossmargin/(scenarios|valuation|measures|accounts)/kernels")


def sizes(root: Path) -> Iterator[Violation]:
    """Functions and modules over their limit. `ratchet.toml` holds the exceptions, and each may only fall."""
    ratchet = root / "tests/guards/ratchet.toml"
    allowed = tomllib.loads(ratchet.read_text()) if ratchet.exists() else {}
    measured = {}
    for source in sources(root, *CODE):
        measured[source.path] = (len(source.lines), MODULE_LINES_MAX)
        for name, node in functions(source.tree):
            measured[f"{source.path}::{name}"] = ((node.end_lineno or 0) - node.lineno + 1, FUNCTION_LINES_MAX)
    for where, (lines, limit) in measured.items():
        ceiling = allowed.get(where, limit)
        if lines > ceiling:
            yield Violation("size", where, f"{lines} lines, limit {ceiling}: split it by what it does")
        elif where in allowed and lines < ceiling:
            entry = f"lower its entry to {lines}" if lines > limit else "drop its entry"
            yield Violation("ratchet", where, f"{lines} lines, ratchet.toml allows {ceiling}: {entry}")
    for where in allowed.keys() - measured.keys():
        yield Violation("ratchet", where, "is gone: drop its entry from ratchet.toml")


def _public_names(source: Source) -> Iterator[tuple[str, ast.AST]]:
    yield Path(source.path).stem, source.tree
    yield from ((part, source.tree) for part in Path(source.path).parent.parts)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
    for node in source.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from ((target.id, node) for target in targets if isinstance(target, ast.Name))


def names(root: Path) -> Iterator[Violation]:
    """Modules and public names that say nothing."""
    for source in sources(root, "src", "spec"):
        for name, node in _public_names(source):
            if not name.startswith("_") and NAMES_BANNED & set(words(name)):
                yield Violation("name", source.at(node), f"{name!r}: say what it holds or does")


def calls(root: Path) -> Iterator[Violation]:
    """Calls that no file of the package makes, and those that no pure stage makes."""
    for source in sources(root, "src", "spec"):
        stage = source.path.removeprefix("src/crossmargin/").split("/")[0]
        pure = stage in PURE or source.path.startswith("spec/")
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Call):
                continue
            called = dotted(node.func)
            if called in CALLS_BANNED:
                yield Violation("call", source.at(node), f"{called}() hides what the code does")
            if pure and _is_impure(node, called):
                yield Violation("pure", source.at(node), f"{called}() in {stage}/: pass its result as an argument")


def _is_impure(node: ast.Call, called: str) -> bool:
    tail = ".".join(called.split(".")[-2:])
    method = called.rsplit(".", maxsplit=1)[-1]
    chance = ".random." in f".{called}" and method[0].islower() and method != "default_rng"
    unseeded = method == "default_rng" and not node.args and not node.keywords
    # What ships inside the package is as fixed as its code.
    disk = method in METHODS_IMPURE and not re.match(r"(resources\.)?files\(", ast.unparse(node.func))
    return called in CALLS_IMPURE or tail in CALLS_IMPURE or disk or chance or unseeded


def inits(root: Path) -> Iterator[Violation]:
    """The `__init__` of a pure folder imports nothing from outside; import-linter sees only the modules in it."""
    for source in sources(root, *(f"src/crossmargin/{folder}" for folder in PURE)):
        if source.path.endswith("__init__.py"):
            for module, node in imported(source.tree):
                if not module.startswith("crossmargin"):
                    yield Violation("pure", source.at(node), f"__init__ imports {module}: import it in a module")


def marks(root: Path) -> Iterator[Violation]:
    """Exceptions from the checkers without code or reason, work left undone, and string annotations in kernels."""
    for source in sources(root, *CODE):
        for number, line in enumerate(source.lines, 1):
            where = f"{source.path}:{number}"
            if re.search(r"#\s*type:\s*ignore(?!\[)", line):
                yield Violation("type-ignore", where, "name the code: `type: ignore[...]`")
            if re.search(r"#\s*noqa(?!: [A-Z]+\d+(, [A-Z]+\d+)* \S)", line):
                yield Violation("noqa", where, "name the rule, then the reason: `noqa: E501 the table is wide`")
            if "import annotations" in line and "__future__" in line and KERNELS.match(source.path):
                yield Violation("kernel-annotations", where, "jaxtyping cannot check annotations that are strings")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Raise) and node.exc and "NotImplementedError" in ast.unparse(node.exc):
                yield Violation("stub", source.at(node), "raises NotImplementedError")


# What is held and required are risk numbers, which are float64; every other module here counts money that is owed.
RISK_NUMBERS = {f"src/crossmargin/accounts/{file}.py" for file in ("equity", "health", "cascade", "kernels/cascade")}


def ledger(root: Path) -> Iterator[Violation]:
    """Floats in the ledger, where money is an integer of its smallest unit."""
    for source in sources(root, "src/crossmargin/accounts"):
        if source.path in RISK_NUMBERS:
            continue
        for node in ast.walk(source.tree):
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            name = isinstance(node, ast.Name) and node.id == "float"
            quotient = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
            if literal or name or quotient:
                yield Violation("ledger-float", source.at(node), f"{ast.unparse(node)!r}: multiply across, divide last")


RULES = (sizes, names, calls, inits, marks, ledger)
