"""What users hand over, by path: books, markets, models and stress scenarios."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from crossmargin.adapters.documents import decode, read_document
from crossmargin.core.check import known
from crossmargin.engine.model import ModelDocument
from crossmargin.instruments.symbols import Product
from crossmargin.instruments.terms import AnyTerms
from crossmargin.market.build import build_snapshot
from crossmargin.market.document import MarketDocument
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import BookDocument
from crossmargin.scenarios.document import StressDocument

if TYPE_CHECKING:
    from crossmargin.adapters.tables import TableSource

StrPath: TypeAlias = str | os.PathLike[str]
DEFAULT_MODEL: Final = "crossmargin-grid"


class Definitions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instruments and products that the catalogue does not know, for a flat book."""

    instruments: tuple[AnyTerms, ...] = ()
    products: tuple[Product, ...] = ()


def read_market(path: StrPath) -> Snapshot:
    """The market in a .toml or .json file.

    Raises `UnreadableFile` for a file that cannot be read, and `InvalidInput`, `MissingFactors` or `SurfaceArbitrage`
    for what it states.
    """
    return build_snapshot(read_document(Path(path), MarketDocument), where=str(path))


def read_book(source: TableSource, *, market: Snapshot, instruments: StrPath | None = None) -> Book:
    """The book in a .toml, .json, .csv or .parquet file, or in any table that streams Arrow, valued with `market`.

    A flat book (CSV, Parquet, Arrow) has the columns account, instrument, quantity and optionally kind, group, mode,
    price, chain and as_of; `instruments` is a .toml or .json file that defines what the catalogue does not know.
    Raises `UnreadableFile`, or `InvalidInput` (or a kind of it) with the path inside the document or the line.
    """
    if isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in {".toml", ".json"}:
        document = read_document(Path(source), BookDocument)
        if instruments is not None:
            own = _definitions(instruments)
            document = msgspec.structs.replace(
                document,
                instruments=(*document.instruments, *own.instruments),
                products=(*document.products, *own.products),
            )
        return build_book(document, now_ns=market.time_ns, where=str(source))
    from crossmargin.adapters.flat import read_flat_book  # noqa: PLC0415 a TOML book does without polars

    own = _definitions(instruments) if instruments is not None else Definitions()
    return read_flat_book(source, now_ns=market.time_ns, instruments=own.instruments, products=own.products)


def _definitions(path: StrPath) -> Definitions:
    return read_document(Path(path), Definitions)


def read_model(name_or_path: StrPath = DEFAULT_MODEL) -> ModelDocument:
    """A built-in model by its name, or the model in a .toml or .json file.

    Raises `UnknownName`, which lists the built-in ones, and `UnreadableFile` or `InvalidInput` for a file.
    """
    if Path(name_or_path).suffix.lower() in {".toml", ".json"}:
        return read_document(Path(name_or_path), ModelDocument)
    name = known(
        str(name_or_path),
        builtin_models(),
        "model",
        where="--model",
        remedy="Name a built-in model, or a .toml or .json file.",
    )
    raw = resources.files("crossmargin.engine").joinpath("models", f"{name}.toml").read_bytes()
    return decode(raw, ModelDocument, syntax="toml", where=f"model {name}")


def builtin_models() -> tuple[str, ...]:
    """The names of the models that ship with the package."""
    folder = resources.files("crossmargin.engine").joinpath("models")
    names = {f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")}
    return tuple(sorted(names - {"stress"}))  # the shipped shocks stand beside the models


def read_stress(path: StrPath) -> StressDocument:
    """The stress scenarios in a .toml or .json file; raises `UnreadableFile` or `InvalidInput`."""
    return read_document(Path(path), StressDocument)
