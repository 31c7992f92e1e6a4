"""The command `cascade` and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossmargin.cli.arguments import (
    DEFAULT_MODEL,
    BookArgument,
    HtmlOption,
    InstrumentsOption,
    JsonOption,
    MarketOption,
    ModelOption,
    RegistryOption,
)


def cascade(
    book: BookArgument,
    market: MarketOption,
    shock: Annotated[
        list[str] | None,
        typer.Option(help="A coin's first move, '*' for all others; may stand many times.", metavar="COIN=MOVE"),
    ] = None,
    event: Annotated[
        str | None, typer.Option(help="Moves and halts of an event of the library, such as X1.", metavar="ID")
    ] = None,
    halt: Annotated[
        list[str] | None,
        typer.Option(help="Nobody on a chain can sell for so many seconds.", metavar="CHAIN=SECONDS"),
    ] = None,
    oracle_delay: Annotated[
        list[str] | None, typer.Option(help="A chain sees prices so many seconds late.", metavar="CHAIN=SECONDS")
    ] = None,
    crowd: Annotated[int, typer.Option(min=0, help="Made-up accounts around the book; 0 for none.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="What the made-up accounts are drawn with.")] = 0,
    rules: Annotated[Path | None, typer.Option(help="Rules of your own: .toml or .json.", metavar="FILE")] = None,
    model: ModelOption = DEFAULT_MODEL,
    instruments: InstrumentsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Let a fall force sales, and sales prices, over all accounts and chains until nothing moves.

    The accounts of the book stand in a crowd. Prices by round, who fails and on which chain, what the fund and those
    who are left pay, and the book's margin at the last prices. Accounts on a halted chain wait, and gap.

    Example: `crossmargin cascade book.toml --market market.toml --shock BTC=-0.2 --halt eip155:42161=7200`
    """
    from crossmargin.cli.cascading import command
    from crossmargin.cli.commands import Inputs

    inputs = Inputs(book=book, market=market, model=model, instruments=instruments, registry=registry)
    asked = command.Asked(
        shock=tuple(shock or ()),
        event=event,
        halt=tuple(halt or ()),
        delay=tuple(oracle_delay or ()),
        crowd=crowd,
        seed=seed,
        rules=rules,
    )
    command.cascade(inputs, asked, as_json=as_json, html=html)
