"""The commands `chains read`, `chains check` and `chains demo`, and the options of the last."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from crossmargin.cli.arguments import HtmlOption, JsonOption
from crossmargin.cli.live.entry import check, read

_HELP: Final = "Read vaults on live chains, check what was kept of them, or run local chains with everything on them."
chains: Final = typer.Typer(name="chains", help=_HELP)
chains.command()(read)
chains.command()(check)


class Backend(StrEnum):
    """What runs the chains."""

    AUTO = "auto"
    ANVIL = "anvil"
    IN_PROCESS = "in-process"


@chains.callback()
def _chains() -> None:
    """Read vaults on live chains, check what was kept of them, or run local chains with everything on them."""


@chains.command()
def demo(
    backend: Annotated[
        Backend, typer.Option(help="What runs the chains; `auto` takes anvil where it is installed.")
    ] = Backend.AUTO,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Keep the margin statement in this folder.", metavar="DIR")
    ] = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Margin a desk over two local chains, prove it, and break things.

    Starts two chains, deploys vaults, attestor, challenge and proofs, deposits on both, reads them as a stranger would,
    proves one chain's vault on the other, margins both together, reports and withdraws. Then reorgs, a halt, a drained
    bridge, a lost peg, lying endpoints and a wrong report, each with the margin before and after. Needs no network, and
    what `make chains` installs; nothing is left running.

    Example: `crossmargin chains demo`
    """
    from crossmargin.cli.chains import command

    command.demo(backend=backend.value, out=out, as_json=as_json, html=html)
