"""Asking for help stays quick: what is slow to import waits until a command needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

SLOW = ("matplotlib", "numba", "numpy", "polars", "scipy")
HELP = """
import sys
sys.argv = ["crossmargin", "--help"]
{plant}
from {module} import main
try:
    main()
finally:
    print("imported:", *sorted({slow} & set(sys.modules)), file=sys.stderr)
"""


def slow_imports(module: str, folder: Path, plant: str = "") -> list[str]:
    """The slow modules that `main` of `module` has imported by the time its help is printed."""
    script = HELP.format(module=module, plant=plant, slow=set(SLOW))
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr.split("imported:")[1].split()


def test_help_imports_nothing_slow(repository: Path):
    assert slow_imports("crossmargin.cli.main", repository) == []


@pytest.mark.parametrize("module", ["numba", "polars"])
def test_planted_import_is_named(module: str, tmp_path: Path):
    (tmp_path / "slow_cli.py").write_text(f"import {module}\ndef main(): print('help')\n")
    assert module in slow_imports("slow_cli", tmp_path)
