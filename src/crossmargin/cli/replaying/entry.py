"""The command `replay` and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from crossmargin.cli.arguments import (
    DEFAULT_MODEL,
    AccountOption,
    AnyModelOption,
    BookArgument,
    HtmlOption,
    InstrumentsOption,
    JsonOption,
    MarketOption,
    RegistryOption,
)

_HistoryOption: TypeAlias = Annotated[
    list[Path],
    typer.Option(help="Levels of factors by time: .parquet or .csv; several are joined.", show_default=False),
]
_EventOption: TypeAlias = Annotated[
    list[str],
    typer.Option(help="When it began: a day (00:00 UTC) or an instant; may stand many times.", metavar="DATE"),
]
_RecipeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Instead of a model: fit this anew at each bar, to what was known.", metavar="NAME|FILE"),
]
_ProxyOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="What fills a factor listed too late: FACTOR=PROXY, or one for all.", metavar="FACTOR=PROXY"),
]
_StillOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="A factor to hold where it is, such as one without a history; 'peg:*' is all of a kind."),
]
_ScaleOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="For a price that may be negative: what a move of 100 % stands for.", metavar="FACTOR=PRICE"),
]


def replay(
    book: BookArgument,
    market: MarketOption,
    history: _HistoryOption,
    event: _EventOption,
    days: Annotated[float, typer.Option(help="How long it lasts.", min=0.01)] = 4.0,
    every: Annotated[float, typer.Option(help="Hours between bars; 0 takes every bar.", min=0.0)] = 0.0,
    model: AnyModelOption = DEFAULT_MODEL,
    recipe: _RecipeOption = None,
    bar: Annotated[float, typer.Option(help="Days of a bar that --recipe is fitted to.", min=0.01)] = 1.0,
    proxy: _ProxyOption = None,
    still: _StillOption = None,
    trigger: Annotated[float, typer.Option(help="Call when initial margin exceeds this × equity.", min=1.0)] = 1.1,
    stamp: Annotated[Literal["close", "open"], typer.Option(help="What the time of a bar is.")] = "close",
    scale: _ScaleOption = None,
    account: AccountOption = None,
    instruments: InstrumentsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Replay a crisis on a book: requirement, equity and calls, bar by bar.

    Today's market moves as every factor had moved since the event began, and the book is margined there at each bar: by
    a model, a rulebook, or with `--recipe` by one fitted to nothing later than the bar. Calls are paid by the next bar;
    the report says too when an account that pays nothing would be liquidated. Options keep their time to expiry.

    Example: `crossmargin replay book.toml -m market.toml --history hourly.parquet --event 2020-03-12`
    """
    from crossmargin.cli.commands import Inputs
    from crossmargin.cli.replaying import command

    inputs = Inputs(book=book, market=market, model=model, instruments=instruments, registry=registry)
    asked = command.Asked(
        history=tuple(history),
        events=tuple(event),
        days=days,
        every_hours=every,
        recipe=recipe,
        bar_days=bar,
        proxies=tuple(proxy or ()),
        still=tuple(still or ()),
        trigger=trigger,
        stamp=stamp,
        scales=tuple(scale or ()),
    )
    command.replay(inputs, asked, account=account, as_json=as_json, html=html)
