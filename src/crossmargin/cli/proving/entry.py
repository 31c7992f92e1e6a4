"""The commands `attest` and `verify`, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from crossmargin.cli.arguments import (
    DEFAULT_MODEL,
    AnchorOption,
    BookArgument,
    HomeOption,
    HtmlOption,
    InstrumentsOption,
    JsonOption,
    MarketOption,
    ModelOption,
    ReadAtOption,
    RegistryOption,
    VaultOption,
)

proving: Final = typer.Typer()

_StatementArgument: TypeAlias = Annotated[
    Path, typer.Argument(help="The statement: .json.", show_default=False, metavar="STATEMENT")
]
_HeadOption: TypeAlias = Annotated[
    str | None, typer.Option("--head", help="The published digest of the epoch: 64 hexadecimal digits.", metavar="HEX")
]
_AttestorOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="The contract that the epoch was signed for, if it was for one.", metavar="CHAIN:ADDRESS"),
]
_SecretOption: TypeAlias = Annotated[
    Path,
    typer.Option("--secret-file", help="64 hexadecimal digits of your own, which hide amounts.", show_default=False),
]


_ChainsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--chains", help="Sources of live chains (`chains read`), read now: .toml or .json.", metavar="FILE"),
]
_ProofsOption: TypeAlias = Annotated[
    Path | None, typer.Option("--proofs", help="The folder that `chains read --out` wrote.", metavar="DIR")
]


@proving.command()
def attest(
    book: BookArgument,
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write to.", show_default=False)],
    secret: _SecretOption,
    epoch: Annotated[int, typer.Option(min=0, help="The number of the epoch; each is one more than the last.")] = 1,
    model: ModelOption = DEFAULT_MODEL,
    instruments: InstrumentsOption = None,
    registry: RegistryOption = None,
    chains: _ChainsOption = None,
    proofs: _ProofsOption = None,
    at: ReadAtOption = None,
    threads: Annotated[int, typer.Option(min=1, help="Processors to use.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Margin a book, commit to it, and write a statement for each pool that a stranger can check.

    R and positions become integers, and the epoch is refused where they disagree with the engine's floats by more than
    rounding. Writes `head.json`, whose digest is what to publish and sign, and a file for each pool; give each account
    its own file only. The same secret gives the same statements again.

    With `--chains` vaults are read first and joined to book and market; `--proofs` takes what `chains read --out` wrote
    beside them. Statements then show by state proofs what vaults hold, and the epoch claims it for anyone to refute.

    Example: `crossmargin attest book.toml --market market.toml --secret-file secret.hex --out statements`
    """
    from crossmargin.cli.commands import Inputs
    from crossmargin.cli.proving import command

    inputs = Inputs(book=book, market=market, model=model, instruments=instruments, registry=registry)
    shown = command.Shown(chains=chains, proofs=proofs, at=at)
    command.attest(inputs, out=out, secret=secret, epoch=epoch, threads=threads, shown=shown, as_json=as_json)


@proving.command()
def verify(
    statement: _StatementArgument,
    head: _HeadOption = None,
    anchor: AnchorOption = None,
    vault: VaultOption = None,
    home: HomeOption = None,
    attestor: _AttestorOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Check a margin statement, offline: hashes, sums, the account's rows, its worst loss, and proofs of collateral.

    Exit code 0 only where no check fails. What you give is what it is checked against: the published digest of the
    epoch, block hashes that you know to be final, contracts that you know. What is not given is said to be unchecked.

    Example: `crossmargin verify statements/desk.json --head 8f3c… --anchor eip155:1=0x12ab…`
    """
    from crossmargin.cli.proving import command

    asked = command.Asked(
        head=head,
        anchors=tuple(anchor or ()),
        vaults=tuple(vault or ()),
        homes=tuple(home or ()),
        attestor=attestor,
    )
    if not command.verify(statement, asked, as_json=as_json, html=html):
        raise typer.Exit(1)
