"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

DEFAULT_MODEL: Final = "crossmargin-grid"

BookArgument: TypeAlias = Annotated[
    Path, typer.Argument(help="The book: .toml, .json, .csv or .parquet.", show_default=False, metavar="BOOK")
]
MarketOption: TypeAlias = Annotated[
    Path, typer.Option("--market", "-m", help="The market: .toml or .json.", show_default=False, metavar="FILE")
]
ModelOption: TypeAlias = Annotated[
    str, typer.Option("--model", help="A built-in margin model, or a .toml or .json file.", metavar="NAME|FILE")
]
AnyModelOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--model",
        help="A built-in margin model, a .toml or .json file, or a rulebook: its ID (parameters of the market's day), "
        "ID@DATE, or ID=FILE with parameters of your own.",
        metavar="NAME|FILE|ID@DATE",
    ),
]
InstrumentsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Instruments and products that a flat book names but the catalogue lacks.", metavar="FILE"),
]
RegistryOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--registry",
        help="What the market's chains are: a .toml or .json file, or `default`; else the file that the market names.",
        metavar="FILE",
    ),
]
ReadAtOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--at", help="The time at which chains are read (ISO 8601); by default now.", metavar="TIME"),
]
AccountOption: TypeAlias = Annotated[
    str | None, typer.Option("--account", "-a", help="One account of the book.", metavar="ID")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
HtmlOption: TypeAlias = Annotated[
    Path | None, typer.Option("--html", help="Also write the report as one self-contained page.", metavar="FILE")
]
AnchorOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="A block hash that you know to be final; may stand many times.", metavar="CHAIN=HASH"),
]
VaultOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="A contract that you know to hold an asset, and the slot of its mapping by owner; may stand many times.",
        metavar="CHAIN:ADDRESS=INSTANCE@SLOT",
    ),
]
HomeOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="A contract that names its owners by another chain than its own; may stand many times.",
        metavar="CHAIN:ADDRESS=CHAIN",
    ),
]
