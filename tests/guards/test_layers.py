"""The import law of pyproject.toml holds, and catches what it is there for."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.guards.tree import PURE, plant

LINT = Path(sys.executable).with_name("lint-imports")
pytestmark = pytest.mark.skipif(not LINT.exists(), reason="import-linter is not installed: `make check` installs it")


def lint(root: Path) -> str:
    """What import-linter says of the package under `root`, by the contracts of its pyproject.toml."""
    script = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as c; c()"
    command = [sys.executable, "-c", script, "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def house(repository: Path, tmp_path: Path) -> Path:
    """A package with all pure folders, each with one empty module, under the real contracts."""
    shutil.copy(repository / "pyproject.toml", tmp_path)
    files = {f"src/crossmargin/{folder}/{name}.py": "" for folder in PURE for name in ("__init__", "part")}
    doors = ["src/crossmargin/core/compile.py", "src/crossmargin/valuation/kernels/vmath.py"]
    inits = ["src/crossmargin/__init__.py", "src/crossmargin/valuation/kernels/__init__.py"]
    return plant(tmp_path, files | dict.fromkeys(doors, "import numba\n") | dict.fromkeys(inits, ""))


def test_repository_keeps_the_law(repository: Path):
    said = lint(repository)
    assert "0 broken" in said, said


def test_sound_house_keeps_the_law(house: Path):
    assert "0 broken" in lint(house)


@pytest.mark.parametrize(
    ("path", "text", "seen"),
    [
        (
            "valuation/part.py",
            "from crossmargin.margin import part\n",
            "crossmargin.valuation.part -> crossmargin.margin",
        ),
        ("margin/part.py", "import crossmargin.collateral.part\n", "crossmargin.margin.part -> crossmargin.collateral"),
        ("market/part.py", "import crossmargin.portfolio.part\n", "crossmargin.market.part -> crossmargin.portfolio"),
        ("measures/part.py", "import time\n", "crossmargin.measures.part -> time"),
        ("engine/part.py", "def f():\n    import random\n", "crossmargin.engine.part -> random"),
        ("market/part.py", "import numba\n", "crossmargin.market.part -> numba"),
        ("attic/__init__.py", "", "attic"),
    ],
)
def test_planted_import_is_named(house: Path, path: str, text: str, seen: str):
    plant(house, {f"src/crossmargin/{path}": text})
    said = lint(house)
    assert seen in said, said


def test_guards_and_law_name_the_same_pure_folders(repository: Path):
    contracts = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    pure = next(contract for contract in contracts if contract["id"] == "pure")
    assert pure["source_modules"] == [f"crossmargin.{folder}.**" for folder in PURE]
