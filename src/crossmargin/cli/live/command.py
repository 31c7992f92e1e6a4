"""What `chains read` does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import moved_market, read_market_registry
from crossmargin.adapters.live.backing import PROOFS_NAME, proofs_of, write_proofs
from crossmargin.adapters.live.joining import (
    book_alone,
    chain_states,
    holdings,
    instances_of,
    joined_book,
    joined_market,
)
from crossmargin.adapters.live.reading import VaultReading, read_vaults
from crossmargin.adapters.live.sources import read_sources
from crossmargin.adapters.registries.files import DEFAULT_REGISTRY, read_registry
from crossmargin.adapters.writing import make_folder, write_document, write_text
from crossmargin.cli.live.report import ChainsFragment, read_report
from crossmargin.cli.live.tables import read_tables
from crossmargin.cli.output import print_report, progress_bar
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS, parse_instant
from crossmargin.engine.plan import Progress
from crossmargin.market.document import MarketDocument
from crossmargin.market.registry.registry import Registry
from crossmargin.market.representations.document import ChainsDocument
from crossmargin.portfolio.document import BookDocument

BOOK_NAME: Final = "book.toml"
MARKET_NAME: Final = "market.toml"
FRAGMENT_NAME: Final = "chains.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked beside the sources."""

    registry: Path | None
    book: Path | None
    market: Path | None
    out: Path | None
    at: str | None


def read(path: Path, asked: Asked, *, as_json: bool, html: Path | None) -> bool:
    """Read, write where wanted, the page too, and report; whether everything was agreed on, proven and explained."""
    if asked.out is None and (asked.book or asked.market):
        raise InvalidInput(
            "--out", where="chains read", value="missing", limit="a folder", remedy="Name where the joined files go."
        )
    now_ns = now_of(asked.at)
    registry = _registry(asked)
    with progress_bar() as progress:
        readings = look(path, registry, now_ns=now_ns, progress=progress)
    base = None if asked.market is None else read_document(asked.market, MarketDocument)
    files = () if asked.out is None else _written(readings, asked, base, asked.out)
    market_ns = None if base is None else parse_instant(base.as_of, where=f"{asked.market}: as_of")
    report = read_report(readings, registry.at(now_ns), now_ns=now_ns, market_ns=market_ns, files=files)
    if html is not None:
        from crossmargin.cli.live.page import read_page

        write_text(html, read_page(report))
    print_report(report, as_json=as_json, tables=read_tables)
    return report.good


def look(path: Path, registry: Registry, *, now_ns: int, progress: Progress) -> tuple[VaultReading, ...]:
    """What the sources in a file say at a time."""
    return read_vaults(read_sources(path, registry, time_ns=now_ns), now_s=now_ns // SECOND_NS, progress=progress)


def now_of(at: str | None) -> int:
    """The time of a reading: the one that is named, or that of the clock."""
    return time.time_ns() if at is None else parse_instant(at, where="--at")


def _registry(asked: Asked) -> Registry:
    if asked.market is not None:
        return read_market_registry(asked.market, registry=asked.registry)
    return read_registry(DEFAULT_REGISTRY if asked.registry is None else asked.registry)


def _written(
    readings: tuple[VaultReading, ...], asked: Asked, base: MarketDocument | None, out: Path
) -> tuple[str, ...]:
    """Write what `margin` and `attest` take; the names of the files. All is made before any is written."""
    held, states = holdings(readings), chain_states(readings)
    book = book_alone(held)
    if asked.book is not None:
        book = joined_book(read_document(asked.book, BookDocument), held, where=str(asked.book))
    market: msgspec.Struct = ChainsFragment(chains=ChainsDocument(chains=states))
    if base is not None:
        moved = _at_home(base, asked, out)
        market = joined_market(moved, states, instances_of(held), where=str(asked.market))
    make_folder(out, where="--out")
    name = FRAGMENT_NAME if base is None else MARKET_NAME
    write_document(out / BOOK_NAME, book)
    write_document(out / name, market)
    write_proofs(out, proofs_of(readings))
    return BOOK_NAME, name, PROOFS_NAME


def _at_home(market: MarketDocument, asked: Asked, out: Path) -> MarketDocument:
    """A market that finds its registry from the folder that it is written to."""
    assert asked.market is not None, "the caller has looked"
    if asked.registry is None or market.chains is None:
        return moved_market(market, asked.market, out / MARKET_NAME)
    named = "" if str(asked.registry) == DEFAULT_REGISTRY else asked.registry.name
    chains = msgspec.structs.replace(market.chains, registry=named)
    return moved_market(msgspec.structs.replace(market, chains=chains), asked.registry, out / MARKET_NAME)
