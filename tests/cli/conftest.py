"""The demonstration desk, a made-up history of its market, and a model fitted to it, made once per test run."""

from __future__ import annotations

import runpy
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.shell import crossmargin


class Fitted(NamedTuple):
    """The files of the demonstration."""

    book: Path
    market: Path
    history: Path
    model: Path

    @property
    def inputs(self) -> tuple[str, ...]:
        """Book and market as arguments."""
        return str(self.book), "--market", str(self.market)


@pytest.fixture(autouse=True)
def pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables as a pipe gets them, whatever terminal the tests were started from."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Fitted:
    """Files in a folder of their own."""
    folder = tmp_path_factory.mktemp("fitted")
    demo = Path(str(resources.files("crossmargin.cli").joinpath("demo")))
    script = runpy.run_path(str(repository / "examples/made_up_history.py"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        script["main"](str(demo / "market.toml"))
    outcome = crossmargin("calibrate", "history.csv", "--out", "model.json", cwd=folder)
    assert outcome.code == 0, outcome.err
    return Fitted(demo / "book.toml", demo / "market.toml", folder / "history.csv", folder / "model.json")
