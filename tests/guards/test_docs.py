"""A block that fails in the documents fails their build."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.guards.tree import plant

BLOCK = (
    "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n# Page\n\n```{{code-cell}} ipython3\n{code}\n```\n"
)

pytestmark = pytest.mark.skipif(
    find_spec("myst_nb") is None, reason="Sphinx is not installed: `make docs` installs what it needs"
)


def build(root: Path, repository: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Build one page with one block, as `make docs` builds the documents."""
    plant(root, {"pyproject.toml": '[project]\nversion = "0"\n', "docs/index.md": BLOCK.format(code=code)})
    shutil.copy(repository / "docs/conf.py", root / "docs")
    command = [sys.executable, "-m", "sphinx", "--builder", "html", "--fail-on-warning", "--quiet", "docs", "out"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_planted_failure_is_named(tmp_path: Path, repository: Path):
    built = build(tmp_path, repository, "excess = 1\nassert excess < 0, 'a call is due'")
    assert built.returncode != 0
    assert "a call is due" in built.stderr


def test_sound_page_is_built(tmp_path: Path, repository: Path):
    built = build(tmp_path, repository, "print(6 * 7)")
    assert built.returncode == 0, built.stderr
    assert ">42" in (tmp_path / "out/index.html").read_text()
