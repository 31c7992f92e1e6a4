"""The hook that checks the shapes and dtypes of kernels while tests run; nothing of it is paid at run time.

jaxtyping's own hook wraps every function, the private loops too, which numba then cannot compile. This one wraps the
public functions that are not compiled and leaves the rest as written.
"""

import ast
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from tests.guards.tree import is_compiled

CHECK = "__import__('jaxtyping').jaxtyped(typechecker=__import__('beartype').beartype)"


class CheckedLoader(SourceFileLoader):
    """Loads a module with the check put on each public function, and never reads or writes its bytecode cache."""

    def get_code(self, fullname: str) -> CodeType:
        tree = ast.parse(self.get_data(self.path))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not is_compiled(node):
                check = ast.parse(CHECK, mode="eval").body
                node.decorator_list.append(ast.copy_location(check, node))
        ast.fix_missing_locations(tree)
        return compile(tree, self.path, "exec", dont_inherit=True)


class CheckedFinder(MetaPathFinder):
    """Finds the modules whose names start with one of `prefixes`."""

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        self.prefixes = prefixes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(self.prefixes):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = CheckedLoader(spec.loader.name, spec.loader.path)
        return spec


def check_shapes(*prefixes: str) -> None:
    """Check the annotated shapes of all modules imported from now on whose names start with one of `prefixes`."""
    sys.meta_path.insert(0, CheckedFinder(prefixes))
