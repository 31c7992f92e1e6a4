"""The command `failures` and its options."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from crossmargin.cli.arguments import (
    DEFAULT_MODEL,
    AccountOption,
    AnyModelOption,
    HtmlOption,
    InstrumentsOption,
    JsonOption,
    RegistryOption,
)
from crossmargin.core.errors import InvalidInput

_BookArgument: TypeAlias = Annotated[
    Path | None,
    typer.Argument(help="The book: .toml, .json, .csv or .parquet; without one the library is listed.", metavar="BOOK"),
]
_MarketOption: TypeAlias = Annotated[
    Path | None, typer.Option("--market", "-m", help="The market: .toml or .json.", metavar="FILE")
]
_EventOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--event", help="Only this event, such as X1; may stand many times.", metavar="ID")
]
_ShareOption: TypeAlias = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, help="Also with this share of the collateral behind the largest bridge: 0.6."),
]


class End(StrEnum):
    """Which end of a range."""

    LOW = "low"
    MID = "mid"
    HIGH = "high"


def failures(
    book: _BookArgument = None,
    market: _MarketOption = None,
    event: _EventOption = None,
    bridge_share: _ShareOption = 0.0,
    severity: Annotated[
        End, typer.Option(help="Which end of what was reported: of amounts, falls and how long it took.")
    ] = End.HIGH,
    crowd: Annotated[
        int, typer.Option(min=0, help="Made-up accounts around the book where sales are forced; 0 for none.")
    ] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="What the made-up accounts are drawn with.")] = 0,
    library: Annotated[Path | None, typer.Option(help="Events of your own: .toml or .json.", metavar="FILE")] = None,
    registry: RegistryOption = None,
    model: AnyModelOption = DEFAULT_MODEL,
    account: AccountOption = None,
    instruments: InstrumentsOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Break bridges, chains, pegs and oracles under a book, as they broke before.

    Each event with its loss, what stands still, what is asked for on top, whether calls or liquidations follow, and
    what notices it after how long; sales that it forces are followed as in `cascade`. Composites X1 to X8 combine
    several. Without a book the library is listed.

    Example: `crossmargin failures book.toml --market market.toml --bridge-share 0.6 --html failures.html`
    """
    from crossmargin.cli.commands import Inputs
    from crossmargin.cli.failures import command
    from crossmargin.engine.failures.sales import CrowdAsked

    if book is None:
        command.list_failures(library, as_json=as_json)
        return
    if market is None:
        raise InvalidInput("--market", where="failures", value=None, limit="given with a book", remedy="Name its file.")
    inputs = Inputs(book=book, market=market, model=model, instruments=instruments, registry=registry)
    asked = command.Asked(
        events=tuple(event or ()),
        library=library,
        bridge_share=bridge_share,
        severity=severity.value,
        crowd=CrowdAsked(accounts=crowd, seed=seed),
    )
    command.failures(inputs, asked, account=account, as_json=as_json, html=html)
