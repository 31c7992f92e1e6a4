"""The command `backtest` and its options."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from crossmargin.cli.arguments import RegistryOption

UNSEEN_FROM: Final = "2023-07-01"  # as the default recipe says


class Stamp(StrEnum):
    """What the time of a bar is."""

    CLOSE = "close"
    OPEN = "open"


_Names: TypeAlias = list[str] | None
_BookArgument: TypeAlias = Annotated[
    Path | None,
    typer.Argument(help="A book, held as it stands; without one, strategies over all factors.", show_default=False),
]
_HistoryOption: TypeAlias = Annotated[
    list[Path],
    typer.Option("--history", help="Levels of factors by time: .parquet or .csv; repeat it.", metavar="HISTORY"),
]
_ModelOption: TypeAlias = Annotated[
    _Names,
    typer.Option(
        "--model", help="Recipes and challengers; the first recipe is judged. `all`: every one.", metavar="NAME|FILE"
    ),
]
_FromOption: TypeAlias = Annotated[str, typer.Option("--from", help="First day to set margin on.", metavar="DATE")]
_ToOption: TypeAlias = Annotated[str, typer.Option("--to", help="Last day to set margin on.", metavar="DATE")]
_MarketOption: TypeAlias = Annotated[Path | None, typer.Option(help="The market of the book.", metavar="MARKET")]
_InstrumentsOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="What the catalogue does not know.", metavar="FILE")
]
_HorizonOption: TypeAlias = Annotated[
    int | None, typer.Option(help="Bars that a margin covers, if not those of the first recipe.", min=1, metavar="BARS")
]
_ConfidenceOption: TypeAlias = Annotated[float, typer.Option(help="The nominal coverage.", min=0.5, max=0.9999)]
_UnseenOption: TypeAlias = Annotated[
    str, typer.Option(help="From here on no data was used to choose the model.", metavar="DATE")
]
_WindowsOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="Crisis windows of your own: .toml or .json.", metavar="FILE")
]
_ClassOption: TypeAlias = Annotated[
    _Names,
    typer.Option(help="For the fixed grid, the risk class of an underlying; `*` for others.", metavar="NAME=CLASS"),
]
_FrontierOption: TypeAlias = Annotated[
    bool, typer.Option("--frontier", help="Try other tools against procyclicality too.")
]
_ProxyOption: TypeAlias = Annotated[
    _Names,
    typer.Option(
        help="What fills a factor listed too late: FACTOR=PROXY, or one PROXY for all.", metavar="FACTOR=PROXY"
    ),
]
_StampOption: TypeAlias = Annotated[Stamp, typer.Option(help="What the time of a bar is.")]
_ScaleOption: TypeAlias = Annotated[
    _Names,
    typer.Option(help="For a price that may be negative: what a move of 100 % stands for.", metavar="FACTOR=PRICE"),
]
_SeedOption: TypeAlias = Annotated[int, typer.Option(help="Of draws and of random books.", min=0)]
_PageOption: TypeAlias = Annotated[Path | None, typer.Option(help="Write a page.", metavar="PAGE")]
_MessageOption: TypeAlias = Annotated[
    Path | None, typer.Option("--auth066", help="Write the ISO 20022 message auth.066.001.01.", metavar="FILE")
]
_PredictorOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--predictor", help="Keep the predictive margin for `forecast`: a .json file.", metavar="FILE"),
]
_FeaturesOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--features", help="What else was known, by time: .csv, .parquet or .arrow; repeat it.", metavar="FILE"
    ),
]
_LearningOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--learning", help="How the predictive margin learns: .toml or .json.", metavar="FILE"),
]
_JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def backtest(
    history: _HistoryOption,
    start: _FromOption,
    end: _ToOption,
    book: _BookArgument = None,
    model: _ModelOption = None,
    market: _MarketOption = None,
    instruments: _InstrumentsOption = None,
    registry: RegistryOption = None,
    horizon: _HorizonOption = None,
    confidence: _ConfidenceOption = 0.99,
    unseen_from: _UnseenOption = UNSEEN_FROM,
    windows: _WindowsOption = None,
    risk_class: _ClassOption = None,
    frontier: _FrontierOption = False,
    proxy: _ProxyOption = None,
    stamp: _StampOption = Stamp.CLOSE,
    scale: _ScaleOption = None,
    seed: _SeedOption = 0,
    predictor: _PredictorOption = None,
    features: _FeaturesOption = None,
    learning: _LearningOption = None,
    html: _PageOption = None,
    auth066: _MessageOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Judge margin models by what came: margin is set before each move, by models that knew the past alone.

    Prints coverage, tests, procyclicality and cost of each model, by window, family and side, before and after the
    choice of the model was fixed. `--predictor` keeps the predictive margin that was learnt, with its verdict.

    Example: `crossmargin backtest --history levels.parquet --model all --from 2021-01-01 --to 2024-06-30`
    """
    from crossmargin.cli.backtesting import command

    asked = command.Asked(
        models=tuple(model or ()),
        start=start,
        end=end,
        unseen_from=unseen_from,
        horizon_bars=horizon,
        confidence=confidence,
        proxies=tuple(proxy or ()),
        stamp=stamp.value,
        scales=tuple(scale or ()),
        classes=tuple(risk_class or ()),
        with_frontier=frontier,
        seed=seed,
        learning=learning,
    )
    sources = command.Sources(
        history=tuple(history),
        book=book,
        market=market,
        instruments=instruments,
        registry=registry,
        windows=windows,
        features=tuple(features or ()),
    )
    command.backtest(sources, asked, command.Outputs(html=html, auth066=auth066, as_json=as_json, predictor=predictor))
