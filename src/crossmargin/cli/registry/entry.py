"""The commands `registry check` and `registry propose`, and their options."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from crossmargin.cli.arguments import JsonOption

registry: Final = typer.Typer(name="registry", help="Check a registry of assets, or see what a public list would add.")
AtOption = Annotated[
    str | None, typer.Option("--at", help="As it stands at this time (ISO 8601); by default after its last change.")
]


class ListKind(StrEnum):
    """What a list is."""

    TOKENS = "tokens"
    LANES = "lanes"
    IBC = "ibc"


@registry.command("check")
def check(
    path: Annotated[
        Path, typer.Argument(help="The registry: .toml or .json, or `default`.", metavar="FILE", show_default=False)
    ],
    at: AtOption = None,
    before: Annotated[
        Path | None, typer.Option("--before", help="Refuse it unless it only adds to this one.", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a registry, and print what is in force: instances, bridges, chains, and its hash.

    Refused are: two instances with one address, decimals without their scale, unknown chains, shared aliases, backing
    in a ring, one verifier behind much, collateral that would count at once, and records that rewrite the past.

    Example: `crossmargin registry check default`
    """
    from crossmargin.cli.registry import command

    command.check(path, at=at, before=before, as_json=as_json)


@registry.command("propose")
def propose(
    path: Annotated[
        Path, typer.Argument(help="A token list, a table of lanes or denom traces: .json.", metavar="LIST")
    ],
    kind: Annotated[ListKind, typer.Option("--kind", help="What it is.")] = ListKind.TOKENS,
    against: Annotated[Path, typer.Option("--registry", help="The registry to compare with.", metavar="FILE")] = Path(
        "default"
    ),
    bridge: Annotated[str, typer.Option(help="The bridge of a table of lanes.")] = "ccip",
    chain: Annotated[
        str,
        typer.Option(help="The chain of denom traces, such as cosmos:osmosis-1.", metavar="CAIP-2", show_default=False),
    ] = "",
    at: AtOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a public list would add to a registry, and where it contradicts it. Nothing is written.

    Reads token lists of the Uniswap schema with its `bridgeInfo` and the extensions of OP's and Arbitrum's, tables of
    bridge lanes as CCIP publishes them, and IBC's denom traces, whose hashes are recomputed.

    Example: `crossmargin registry propose tokens.json --registry default`
    """
    from crossmargin.cli.registry import command

    command.propose(
        path, command.Asked(kind=kind.value, registry=against, bridge=bridge, at=at, chain=chain), as_json=as_json
    )
