"""One desk that reads served chains: its files, and the commands that it runs there."""

import json
import shutil
import tomllib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from crossmargin.adapters.live.document import SourcesDocument
from crossmargin.adapters.writing import write_document
from crossmargin.cli.chains.stage import UNIT, Stage
from tests.adapters.networks.liars import Liar
from tests.cli.shell import Outcome, crossmargin

Found = dict[str, Any]


def finals(found: Found) -> dict[str, str]:
    return {row["chain"]: row["final"] for row in found["balances"]}


class Desk:
    """One desk: its folder, and the commands that it runs there."""

    def __init__(self, served: Any, example: ModuleType, folder: Path, servers: ExitStack) -> None:
        self.served, self.example, self.folder, self.servers = served, example, folder, servers
        for name in ("registry.toml", "sources.toml", "book.toml", "market.toml"):
            shutil.copy(served.folder / name, folder)

    @property
    def stage(self) -> Stage:
        stage: Stage = self.served.stage
        return stage

    def read(self, *options: object) -> Outcome:
        return self.run(
            "chains", "read", "sources.toml", "--registry", "registry.toml", "--at", self.served.at, *options
        )

    def found(self, *options: object, code: int = 0) -> Found:
        outcome = self.read("--json", *options)
        assert outcome.code == code, outcome.err
        report: Found = json.loads(outcome.out)
        return report

    def attest(self, book: str, *options: object) -> Outcome:
        (self.folder / "secret.hex").write_text("ab" * 32)
        return self.run("attest", book, "--secret-file", "secret.hex", *options)

    def attest_live(self, *options: object) -> Outcome:
        own = ("--chains", "sources.toml", "--at", self.served.at)
        return self.attest("book.toml", "-m", "market.toml", *own, *options)

    def run(self, *arguments: object) -> Outcome:
        return crossmargin(*arguments, cwd=self.folder)

    def change(self, change: Callable[[Any], None]) -> None:
        """Edit the sources."""
        tree = tomllib.loads((self.folder / "sources.toml").read_text(encoding="utf-8"))
        change(tree)
        write_document(self.folder / "sources.toml", msgspec.convert(tree, SourcesDocument))

    def behind(self, *urls: str) -> None:
        """Put these in the place of the first endpoints of A."""

        def change(tree: Any) -> None:
            for endpoint, url in zip(tree["chains"][0]["endpoints"], urls, strict=False):
                endpoint["url"] = url

        self.change(change)

    def serve(self, reader: Any) -> str:
        """The URL of an endpoint over a reader."""
        return f"{self.servers.enter_context(self.example.served(reader))}/v2/${self.example.VARIABLE}"

    def liar(self, **lies: Callable[..., Any]) -> str:
        return self.serve(Liar(self.stage.a.chain, **lies))

    @property
    def balances(self) -> dict[str, str]:
        """What the vaults say, for tests to compare with."""
        return {
            side.place.chain: f"{side.system.vault.ask('balances', self.stage.owner) / UNIT:.6f}"
            for side in self.stage.sides
        }
