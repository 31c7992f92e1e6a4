"""The commands `zk attest`, `zk prove` and `zk verify`, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from crossmargin.cli.arguments import JsonOption

zk: Final = typer.Typer(name="zk", help="Prove an account's margin to strangers without showing its positions.")


@zk.command()
def attest(
    folder: Annotated[
        Path, typer.Argument(help="The folder that `attest` wrote.", metavar="FOLDER", show_default=False)
    ],
    secret: Annotated[
        Path, typer.Option("--secret-file", help="64 hexadecimal digits, as for `attest`.", show_default=False)
    ],
    as_json: JsonOption = False,
) -> None:
    """Commit to the statements of an epoch once more, so that accounts can prove without opening.

    Checks every statement in the folder, writes `zk-head.json`, whose digest is what to publish and sign, and beside
    each statement its opening: give each account its own only.

    Example: `crossmargin zk attest statements --secret-file secret.hex`
    """
    from crossmargin.cli.zk import command

    command.attest(folder, secret=secret, as_json=as_json)


@zk.command()
def prove(
    statement: Annotated[Path, typer.Argument(help="Your statement: .json.", metavar="STATEMENT", show_default=False)],
    loss_at_most: Annotated[
        str,
        typer.Option(help="USD that the worst loss does not pass, as a decimal.", metavar="USD", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The proof to write: .json.", show_default=False)],
    collateral_at_least: Annotated[
        str, typer.Option(help="USD that the collateral is not below, as a decimal.", metavar="USD")
    ] = "0",
    opening: Annotated[
        Path | None, typer.Option(help="Its opening; by default the one beside it.", metavar="FILE")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="A folder that keeps the proving key (up to 360 MB) for the next time.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that your worst loss is at most one amount and your collateral at least another, and nothing else.

    Takes minutes and up to 3 GB of memory; statement and opening stay on this machine. What is not true to the last
    quantum of money is refused.

    Example: `crossmargin zk prove statements/desk.json --loss-at-most 5000 --collateral-at-least 5000 --out proof.json`
    """
    from crossmargin.cli.zk import command

    bounds = command.Bounds(loss_at_most=loss_at_most, collateral_at_least=collateral_at_least)
    command.prove(statement, bounds, opening=opening, out=out, cache=cache, as_json=as_json)


@zk.command()
def verify(
    proof: Annotated[Path, typer.Argument(help="The proof: .json.", metavar="PROOF", show_default=False)],
    head: Annotated[
        str | None, typer.Option("--head", help="The published digest of `zk-head.json`: 64 digits.", metavar="HEX")
    ] = None,
    attestor: Annotated[
        str | None, typer.Option(help="The contract that the head was signed for, if any.", metavar="CHAIN:ADDRESS")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a proof, offline: the heads, that the account stands under them, and the proof itself.

    Exit code 0 only where no check fails. Without --head it is not known which epoch it is, and that is said.

    Example: `crossmargin zk verify proof.json --head 8f3c…`
    """
    from crossmargin.cli.zk import command

    if not command.verify(proof, head=head, attestor=attestor, as_json=as_json):
        raise typer.Exit(1)
