"""The commands `chains read` and `chains check`, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossmargin.cli.arguments import (
    AnchorOption,
    HomeOption,
    HtmlOption,
    JsonOption,
    ReadAtOption,
    RegistryOption,
    VaultOption,
)


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


def check(
    proofs: Annotated[
        Path, typer.Argument(help="What `chains read --out` kept: proofs.json.", metavar="PROOFS", show_default=False)
    ],
    anchor: AnchorOption = None,
    vault: VaultOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check kept proofs of vaults, offline: balances in final blocks, and by receipts what moved above them.

    Exit code 0 only where no check fails. What you give is what they are checked against: hashes of blocks of the
    chain, contracts that you know. What is not given is said to be unchecked.

    Example: `crossmargin chains check live/proofs.json --anchor eip155:1=0x12ab…`
    """
    from crossmargin.cli.live import checking
    from crossmargin.cli.proving.command import Asked

    asked = Asked(anchors=tuple(anchor or ()), vaults=tuple(vault or ()), homes=tuple(home or ()))
    if not checking.check(proofs, asked, as_json=as_json):
        raise typer.Exit(1)
