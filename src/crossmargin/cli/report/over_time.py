"""Commands over time: fit a model to a history, and see what margins did and would do."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from crossmargin.cli.arguments import (
    DEFAULT_MODEL,
    AccountOption,
    BookArgument,
    HtmlOption,
    InstrumentsOption,
    JsonOption,
    MarketOption,
    ModelOption,
    RegistryOption,
)
from crossmargin.cli.backtesting.entry import backtest
from crossmargin.cli.cards.entry import model_card
from crossmargin.cli.replaying.entry import replay

over_time: Final = typer.Typer()
DEFAULT_RECIPE: Final = "crossmargin-dynamic"


class Stamp(StrEnum):
    """What the time of a bar is."""

    CLOSE = "close"
    OPEN = "open"


HistoryArgument: TypeAlias = Annotated[
    list[Path],
    typer.Argument(
        help="Levels of factors by time: .parquet or .csv; several are joined.", show_default=False, metavar="HISTORY…"
    ),
]
StampOption: TypeAlias = Annotated[Stamp, typer.Option(help="What the time of a bar is.")]
ScaleOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--scale", help="For a price that may be negative: what a move of 100 % stands for.", metavar="FACTOR=PRICE"
    ),
]


@over_time.command()
def calibrate(
    history: HistoryArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The model to write: .json.", metavar="MODEL")],
    recipe: Annotated[
        str, typer.Option(help="What to fit: a shipped recipe, or a .toml or .json file.", metavar="NAME|FILE")
    ] = DEFAULT_RECIPE,
    until: Annotated[
        str | None, typer.Option(help="Use bars closed by this day or instant only.", metavar="DATE")
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="What fills a factor listed too late: FACTOR=PROXY, or one PROXY for all.", metavar="FACTOR=PROXY"
        ),
    ] = None,
    stamp: StampOption = Stamp.CLOSE,
    scale: ScaleOption = None,
    html: HtmlOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the diagnostics as JSON.")] = False,
) -> None:
    """Fit a statistical model to a history, and write it for `margin --model`.

    Prints how each factor was fitted: its volatilities, how well the filter takes them out, its tails, how stable it
    is, and what a proxy had to fill. Nothing after `--until` enters.

    Example: `crossmargin calibrate levels.parquet --proxy spot:BTC --out model.json --html fit.html`
    """
    from crossmargin.cli.fitting import command

    asked = command.Asked(
        recipe=recipe, until=until, proxies=tuple(proxy or ()), stamp=stamp.value, scales=tuple(scale or ())
    )
    command.calibrate(history, asked, out=out, html=html, as_json=as_json)


@over_time.command()
def forecast(
    book: BookArgument,
    market: MarketOption,
    model: Annotated[
        str, typer.Option("--model", help="A model that `calibrate` wrote.", show_default=False, metavar="MODEL")
    ],
    account: AccountOption = None,
    outcomes: Annotated[int, typer.Option(min=20, help="Scenarios to let happen, evenly from bad to good.")] = 100,
    predictor: Annotated[
        Path | None, typer.Option(help="A predictive margin that `backtest --predictor` kept.", metavar="FILE")
    ] = None,
    history: Annotated[
        list[Path] | None,
        typer.Option("--history", help="With a predictor: the past up to now; repeat it.", metavar="HISTORY"),
    ] = None,
    features: Annotated[
        list[Path] | None,
        typer.Option("--features", help="What else the predictor was given; repeat it.", metavar="FILE"),
    ] = None,
    horizon: Annotated[
        str | None, typer.Option(help="Refuse a model of another horizon, like 1d or 12h.", metavar="TIME")
    ] = None,
    stamp: StampOption = Stamp.CLOSE,
    instruments: InstrumentsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Forecast the requirement of one account, and how likely a call is.

    Scenarios of the model are let happen one by one: prices move, the volatility forecast takes the move in, and the
    account is margined again. Prints quantiles of requirement and excess, the chances of a call and of liquidation with
    their errors, and what posted now would make a call unlikely. With `--predictor` the predictive margin stands beside
    them, and is the answer only where it beat the best filter out of sample for such a book.

    Example: `crossmargin forecast book.toml --market market.toml --model model.json --account desk`
    """
    from crossmargin.cli.outlook import command

    inputs = command.Inputs(
        book=book, market=market, model=model, account=account, instruments=instruments, registry=registry
    )
    learnt = command.Learnt(
        predictor=predictor, history=tuple(history or ()), features=tuple(features or ()), stamp=stamp.value
    )
    command.forecast(inputs, learnt, outcomes=outcomes, horizon=horizon, as_json=as_json, html=html)


@over_time.command("reverse-stress")
def reverse_stress(
    book: BookArgument,
    market: MarketOption,
    model: ModelOption = DEFAULT_MODEL,
    calibration: Annotated[
        str | None,
        typer.Option(help="A model that `calibrate` wrote: how factors move together.", metavar="MODEL"),
    ] = None,
    account: AccountOption = None,
    instruments: InstrumentsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Find the most plausible joint move that exhausts one account.

    For its maintenance margin, its initial margin and all that it has: the nearest move, in standard deviations of the
    factors together, that costs as much, factor by factor, and who loses. Without `--calibration` factors move as the
    market's volatilities and correlations say; with it, also how often the past moved as far.

    Example: `crossmargin reverse-stress book.toml --market market.toml --calibration model.json --account desk`
    """
    from crossmargin.cli.outlook import command

    inputs = command.Inputs(
        book=book, market=market, model=model, account=account, instruments=instruments, registry=registry
    )
    command.reverse_stress(inputs, calibration=calibration, as_json=as_json, html=html)


over_time.command()(backtest)
over_time.command()(replay)
over_time.command("model-card")(model_card)
