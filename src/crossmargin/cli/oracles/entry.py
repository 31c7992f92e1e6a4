"""The commands `oracles marks` and `oracles replay`, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from crossmargin.cli.arguments import DEFAULT_MODEL, HtmlOption, JsonOption, ModelOption

oracles: Final = typer.Typer(name="oracles", help="Make marks of quotes gate by gate, or replay days of wrong prices.")


@oracles.command("replay")
def replay(
    event: Annotated[
        str | None,
        typer.Argument(help="D01, D02, D03, D05, or a .toml or .json file; without it, list them.", metavar="EVENT"),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Replay a day of prices through gates, pegs and both clocks, and through a margin account.

    D03 is one venue's prices on 10 October 2025, D05 a rate cap on 10 March 2026: they liquidate nobody. D02 is USDC in
    March 2023, D01 UST in May 2022: credit is cut before the price passes the haircut. Exit code 1 where what the day
    expects does not come true.

    Example: `crossmargin oracles replay D03 --html D03.html`
    """
    from crossmargin.cli.oracles import command

    if event is None:
        command.list_replays(as_json=as_json)
    elif not command.replay(event, model=model, as_json=as_json, html=html):
        raise typer.Exit(1)


@oracles.command("marks")
def marks(
    quotes: Annotated[Path, typer.Argument(help="What oracles said: .toml or .json.", metavar="QUOTES")],
    at: Annotated[str, typer.Option("--at", help="The time of the marks (ISO 8601).", metavar="TIME")],
    registry: Annotated[
        Path, typer.Option("--registry", help="What the assets are, and their feeds.", metavar="FILE")
    ] = Path("default"),
    market: Annotated[
        Path | None, typer.Option("--market", "-m", help="A market to put the marks into.", metavar="FILE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write that market: .toml or .json.", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Make marks of quotes, gate by gate: what counts, what is blocked, what may be liquidated, and how pegs stand.

    All that was seen until --at runs through gates, aggregation, peg states and both clocks. With --market and --out
    the prices of both clocks and the pegs of tokens go into a market that `crossmargin margin` reads.

    Example: `crossmargin oracles marks quotes.toml --at 2026-11-22T12:00:00Z -m market.toml --out marked.toml`
    """
    from crossmargin.cli.oracles import command

    asked = command.Asked(registry=registry, at=at, market=market, out=out)
    command.marks(quotes, asked, as_json=as_json, html=html)
