"""What the pages leave to be forgotten: the picture of the README, and names that nobody documented."""

import re
import runpy
from pathlib import Path

import pytest

import crossmargin as xm

TEXTS = re.compile(r"<text[^>]*>([^<]*)</text>")


def test_the_picture_shows_the_figures_of_now(repository: Path):
    drawn = runpy.run_path(str(repository / "docs/picture.py"))["picture"]()
    kept = (repository / "docs/demo.svg").read_text(encoding="utf-8")
    assert TEXTS.findall(kept) == TEXTS.findall(drawn), "draw it again: python docs/picture.py"
    assert len(TEXTS.findall(drawn)) > 100


def test_every_public_name_is_on_the_page_of_the_library(repository: Path):
    page = (repository / "docs/api.md").read_text(encoding="utf-8")
    covered = {"engine.reports", "core.errors"}  # these are documented as whole modules
    for name, module in xm._MODULE_OF.items():
        home = module.removeprefix("crossmargin.")
        assert home in covered or f"crossmargin.{home}.{name}" in page, f"crossmargin.{home}.{name}"
    for module in covered:
        assert f".. automodule:: crossmargin.{module}" in page


@pytest.mark.parametrize("file", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "AGENTS.md"])
def test_files_that_are_named_exist(repository: Path, file: str):
    text = (repository / file).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (repository / target).exists(), target
