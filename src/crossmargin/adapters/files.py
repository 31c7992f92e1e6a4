"""What users hand over, by path: books, markets, models and stress scenarios."""

from __future__ import annotations

import difflib
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, overload

import msgspec

from crossmargin.adapters.documents import decode, read_document
from crossmargin.adapters.registries.files import DEFAULT_REGISTRY, read_registry
from crossmargin.adapters.registries.transfers import DEFAULT_TRANSFERS, read_routes
from crossmargin.core.check import known
from crossmargin.core.instant import parse_instant
from crossmargin.engine.model import AnyModel, ModelDocument, RulebookModel, dated
from crossmargin.engine.recipe import Recipe, recipe
from crossmargin.instruments.symbols import Product
from crossmargin.instruments.terms import AnyTerms
from crossmargin.market.build import build_snapshot
from crossmargin.market.document import MarketDocument
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import NO_INSTANCES, build_book
from crossmargin.portfolio.document import BookDocument
from crossmargin.scenarios.document import StressDocument

if TYPE_CHECKING:
    from crossmargin.adapters.tables import TableSource
    from crossmargin.margin.rulebooks.rulebook import Rulebook
    from crossmargin.market.registry.registry import Registry
    from crossmargin.market.transfers.document import TransferDocument

StrPath: TypeAlias = str | os.PathLike[str]
DEFAULT_MODEL: Final = "crossmargin-grid"
_NAME_ONE: Final = "Name a built-in model, a rulebook (`crossmargin rulebooks`), or a .toml or .json file."


class Definitions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instruments and products that the catalogue does not know, for a flat book."""

    instruments: tuple[AnyTerms, ...] = ()
    products: tuple[Product, ...] = ()


def read_market(path: StrPath, *, registry: StrPath | None = None) -> Snapshot:
    """The market in a .toml or .json file.

    Where it states chains, `registry` says what they are: a file, or "default" for the one that ships; without it the
    file that the market names, and else the shipped one.

    Raises `UnreadableFile` for a file that cannot be read, and `InvalidInput`, `MissingFactors` or `SurfaceArbitrage`
    for what it states.
    """
    return market_of(read_document(Path(path), MarketDocument), path, registry=registry)


def market_of(document: MarketDocument, path: StrPath, *, registry: StrPath | None = None) -> Snapshot:
    """The market that a document states which is, or will be, the file `path`; raises as `read_market` does."""
    if document.chains is None:
        return build_snapshot(document, where=str(path))
    records = _records(document, path, registry)
    return build_snapshot(document, where=str(path), registry=records, routes=_routes(document, path, records))


def read_market_registry(path: StrPath, *, registry: StrPath | None = None) -> Registry:
    """The registry by which `read_market` reads the chains of a market, the shipped one where it states none.

    Raises what `read_market` does for a file that cannot be read.
    """
    return _records(read_document(Path(path), MarketDocument), path, registry)


def _records(document: MarketDocument, path: StrPath, registry: StrPath | None) -> Registry:
    named = "" if document.chains is None else document.chains.registry
    beside = DEFAULT_REGISTRY if named in {"", DEFAULT_REGISTRY} else Path(path).parent / named
    return read_registry(beside if registry is None else str(registry))


def _routes(document: MarketDocument, path: StrPath, records: Registry) -> TransferDocument | None:
    named = "" if document.chains is None else document.chains.routes
    if not named:
        return None
    view = records.at(parse_instant(document.as_of, where=f"{path}: as_of"))
    return read_routes(named if named == DEFAULT_TRANSFERS else Path(path).parent / named, view)


def moved_market(document: MarketDocument, path: StrPath, out: StrPath) -> MarketDocument:
    """The market of the file `path` as it is written to `out`: registry and routes are found from there too.

    A path that is absolute stays as it is stated, and one that cannot be relative (another drive) becomes absolute.
    """
    chains = document.chains
    if chains is None:
        return document
    moved = {name: _moved_path(getattr(chains, name), path, out) for name in ("registry", "routes")}
    return msgspec.structs.replace(document, chains=msgspec.structs.replace(chains, **moved))


def _moved_path(said: str, path: StrPath, out: StrPath) -> str:
    if not said or said == "default" or Path(said).is_absolute():
        return said
    named = Path(path).parent / said
    file = named.parent.resolve() / named.name  # The folder alone: a link such as `current.toml` stays one.
    try:
        return Path(os.path.relpath(file, Path(out).parent.resolve())).as_posix()
    except ValueError:
        return file.as_posix()


def read_book(source: TableSource, *, market: Snapshot, instruments: StrPath | None = None) -> Book:
    """The book in a .toml, .json, .csv or .parquet file, or in any table that streams Arrow, valued with `market`.

    A flat book (CSV, Parquet, Arrow) has the columns account, instrument, quantity and optionally kind, group, mode,
    price, chain, instance, level, trust and as_of; `instruments` is a .toml or .json file that defines what the
    catalogue does not know. Raises `UnreadableFile`, or `InvalidInput` (or a kind of it) with the path inside the
    document or the line.
    """
    if isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in {".toml", ".json"}:
        return book_of(read_document(Path(source), BookDocument), source, market=market, instruments=instruments)
    from crossmargin.adapters.flat import read_flat_book  # noqa: PLC0415 a TOML book does without polars

    own = _definitions(instruments) if instruments is not None else Definitions()
    return read_flat_book(
        source,
        now_ns=market.time_ns,
        instruments=own.instruments,
        products=own.products,
        instances=NO_INSTANCES if market.chains is None else market.chains.assets,
    )


def book_of(document: BookDocument, path: StrPath, *, market: Snapshot, instruments: StrPath | None = None) -> Book:
    """The book that a document states which is, or will be, the file `path`; raises as `read_book` does."""
    if instruments is not None:
        own = _definitions(instruments)
        document = msgspec.structs.replace(
            document,
            instruments=(*document.instruments, *own.instruments),
            products=(*document.products, *own.products),
        )
    instances = NO_INSTANCES if market.chains is None else market.chains.assets
    return build_book(document, now_ns=market.time_ns, where=str(path), instances=instances)


def _definitions(path: StrPath) -> Definitions:
    return read_document(Path(path), Definitions)


@overload
def read_model(name_or_path: Literal["crossmargin-grid"] = ...) -> ModelDocument: ...
@overload
def read_model(name_or_path: StrPath) -> AnyModel: ...
def read_model(name_or_path: StrPath = DEFAULT_MODEL) -> AnyModel:
    """A built-in model by its name, the model in a .toml or .json file, or a rulebook as a model.

    A rulebook is named by its id (the parameters in force on the day of the market), by id and date
    (`derive-pmrm2@2025-03-20`, or a month or year that names one set), or with a file of parameters of your own
    (`sensitivity-im=own.toml`). Raises `UnknownName`, which lists what there is, `InvalidInput` for a date that names
    no set, and `UnreadableFile` or `InvalidInput` for a file.
    """
    text = str(name_or_path)
    is_file = Path(text).suffix.lower() in {".toml", ".json"}
    if text in builtin_models() or (is_file and "=" not in text):
        return read_model_document(text)
    from crossmargin.margin.rulebooks.registry import rulebooks  # noqa: PLC0415 takes time, and only rulebooks need it

    (name, own, path), (id_, at, date) = text.partition("="), text.partition("@")
    if own and name in rulebooks():
        return _with_own_parameters(rulebooks()[name], path)
    if id_ in rulebooks() and not own:
        one = rulebooks()[id_]
        return dated(one, date, where="--model") if at else RulebookModel(rulebook=one)
    if is_file:
        return read_model_document(text)
    near = difflib.get_close_matches(id_, list(rulebooks()), n=1)  # without one, the list of all would tell little
    names = (*builtin_models(), *(rulebooks() if near else ()))
    return read_model_document(known(text, names, "model", where="--model", remedy=_NAME_ONE))


def _with_own_parameters(one: Rulebook, path: str) -> RulebookModel:
    from crossmargin.adapters.rule_parameters import read_rule_parameters  # noqa: PLC0415 brings every kind of file

    return RulebookModel(rulebook=one, parameters=read_rule_parameters(one, path))


def read_model_document(name_or_path: StrPath = DEFAULT_MODEL) -> ModelDocument:
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


def read_recipe(name_or_path: StrPath) -> Recipe:
    """A shipped recipe by its name, or the recipe in a .toml or .json file; raises as `read_model` does."""
    if Path(name_or_path).suffix.lower() in {".toml", ".json"}:
        return read_document(Path(name_or_path), Recipe)
    return recipe(str(name_or_path), where="--recipe")


def builtin_models() -> tuple[str, ...]:
    """The names of the models that ship with the package."""
    folder = resources.files("crossmargin.engine").joinpath("models")
    names = {f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")}
    return tuple(sorted(names - {"stress"}))  # the shipped shocks stand beside the models


def read_stress(path: StrPath) -> StressDocument:
    """The stress scenarios in a .toml or .json file; raises `UnreadableFile` or `InvalidInput`."""
    return read_document(Path(path), StressDocument)
