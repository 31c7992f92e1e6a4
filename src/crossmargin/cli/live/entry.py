"""The command `chains read`, and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossmargin.cli.arguments import HtmlOption, JsonOption, ReadAtOption, RegistryOption


def read(
    sources: Annotated[
        Path, typer.Argument(help="Endpoints, vaults, owners: .toml or .json.", metavar="SOURCES", show_default=False)
    ],
    registry: RegistryOption = None,
    book: Annotated[
        Path | None, typer.Option("--book", help="A book to put what was read into, with --out.", metavar="FILE")
    ] = None,
    market: Annotated[
        Path | None, typer.Option("--market", "-m", help="A market to put the chains into, with --out.", metavar="FILE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write book, market and proofs to this folder.", metavar="DIR")
    ] = None,
    at: ReadAtOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Read vaults on live chains: what each account has there, how final it is, and by what it is known.

    Follows each chain from its journal to the last final block that enough operators agree on, and proves the balances
    there. What is not agreed on is not believed, and what is not proven is worth less; exit code 1 where either is so,
    or a balance is not what moved it.
    `--out` writes book.toml, market.toml (chains.toml without --market) and proofs.json, for `margin` and `attest`.

    Example: `crossmargin chains read sources.toml --registry registry.toml --book book.toml -m market.toml --out live`
    """
    from crossmargin.cli.live import command

    asked = command.Asked(registry=registry, book=book, market=market, out=out, at=at)
    if not command.read(sources, asked, as_json=as_json, html=html):
        raise typer.Exit(1)
