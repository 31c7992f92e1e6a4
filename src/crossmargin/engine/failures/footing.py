"""What a book stands on: which bridge, chain and peg is behind each line of its collateral.

A line that names its token says its bridges itself. Of an asset on a chain the registry knows it, if it holds just one
token of that asset there. What stands behind a bridge that the market's asset does not know of, becomes an asset of its
own, `wstETH over arbitrum-canonical`, priced and cut as the asset, so that `backing:` moves its row of R alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import msgspec
import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, frozen
from crossmargin.engine.model import AnyModel, RulebookModel
from crossmargin.instruments.table import build_table
from crossmargin.instruments.terms import Spot, Token
from crossmargin.market.registry.registry import Registry, RegistryView, chain_of
from crossmargin.market.snapshot import USD, Snapshot
from crossmargin.portfolio.book import Book, make_lines, retable

HYPOTHETICAL: Final = "a bridge"  # where a book has none and a share of it is to stand behind one


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of a line of collateral, and the bridge that it is moved behind ("" for none)."""

    line: int
    part: float
    bridge: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Footing:
    """A book, market and model in which every bridge is a factor; `over` says of which asset and bridge an asset is.

    `unbridged` is the book with the same lines by the names that `market`, the market as it was given, has for their
    assets: what a rulebook can read."""

    book: Book
    unbridged: Book
    snapshot: Snapshot
    market: Snapshot
    model: AnyModel
    registry: RegistryView
    over: dict[str, tuple[str, str]]

    @cached_property
    def assets(self) -> tuple[str, ...]:
        """The asset of each line of collateral, as the market first named it [holding]."""
        return tuple(self.over.get(name, (name, ""))[0] for name in _assets(self.book))

    @cached_property
    def chains(self) -> tuple[str, ...]:
        """The chain of each line of collateral, "" for none [holding]."""
        return _chains(self.book)

    @cached_property
    def bridges(self) -> tuple[tuple[str, ...], ...]:
        """The bridges and custodians behind each line of collateral [holding]."""
        return tuple(_bridges(self.book, self.snapshot, self.registry))

    @cached_property
    def worth(self) -> FloatArray:
        """USD of each line of collateral, debts negative [holding]."""
        return _worth(self.book, self.snapshot)

    @cached_property
    def gross(self) -> FloatArray:
        """USD of each line of collateral, debts as zero [holding]."""
        return np.maximum(self.worth, 0.0)

    def on_chain(self, chain: str) -> BoolArray:
        """Lines on a chain [holding]."""
        return np.asarray([name == chain for name in self.chains], bool)

    def of_asset(self, asset: str) -> BoolArray:
        """Lines of an asset, over bridges too [holding]."""
        return np.asarray([name == asset for name in self.assets], bool)

    def behind(self, bridge: str) -> BoolArray:
        """Lines behind a bridge [holding]."""
        return np.asarray([bridge in names for names in self.bridges], bool)

    def named(self, asset: str) -> tuple[str, ...]:
        """The asset, and what stands for it over a bridge."""
        return (asset, *(name for name, (base, _) in self.over.items() if base == asset))

    def largest_bridge(self) -> str:
        """The bridge behind most of the collateral, "" for none."""
        return _largest((name, x) for names, x in zip(self.bridges, self.gross, strict=True) for name in names)

    def largest_chain(self, *, l2: bool) -> str:
        """The chain with most of the collateral; with `l2`, of those with a sequencer."""
        known = self.registry.chains
        return _largest(
            (name, x)
            for name, x in zip(self.chains, self.gross, strict=True)
            if name and (not l2 or (name in known and known[name].sequencer))
        )

    def largest_asset(self, kind: str) -> str:
        """The asset with most value that is bridged, stable, or worth a growing number of its reference."""
        rows = zip(self.assets, self.bridges, self.gross, strict=True)
        return _largest((name, x) for name, behind, x in rows if self._is(kind, name, behind))

    def _is(self, kind: str, asset: str, behind: tuple[str, ...]) -> bool:
        if kind == "largest_bridged":
            return bool(behind)
        if asset == USD:
            return False
        known = self.snapshot.assets[asset]
        if kind == "largest_stable":
            return known.reference == USD
        return known.reference not in (USD, asset) and known.ratio > 1.0


def footing(book: Book, snapshot: Snapshot, model: AnyModel, registry: RegistryView, *, share: float = 0.0) -> Footing:
    """The book with its bridges as factors; with `share`, at least so much of each pool's collateral behind one.

    That one is the bridge behind most of it now. Haircut tiers and caps of an asset count anew for what stands over a
    bridge: both are of large stocks, and make little of a difference below them."""
    pieces = list(_pieces(book, snapshot, registry))
    plain = _moved(book, snapshot, model, registry, pieces)
    if share <= 0.0:
        return plain
    bridge = plain.largest_bridge() or HYPOTHETICAL
    return _moved(book, snapshot, model, registry, list(_shared(plain, book, pieces, bridge, share)))


def view_of(snapshot: Snapshot, registry: Registry) -> tuple[RegistryView, str]:
    """The registry that a market was built with and its hash, else `registry` as it stands after its last change."""
    if snapshot.chains is not None:
        return snapshot.chains.registry, snapshot.chains.registry_sha256
    return registry.at(registry.times_ns[-1]), registry.sha256


def _largest(found: Iterator[tuple[str, float]]) -> str:
    total: dict[str, float] = {}
    for name, value in found:
        total[name] = total.get(name, 0.0) + value
    return max(sorted(total), key=lambda name: total[name], default="") if any(total.values()) else ""


def _assets(book: Book) -> tuple[str, ...]:
    return tuple(book.table.assets[code] for code in book.table.settle[book.holdings.instrument])


def _chains(book: Book) -> tuple[str, ...]:
    codes = book.table.chain[book.holdings.instrument]
    return tuple(book.table.chains[code] if code >= 0 else "" for code in codes)


def _worth(book: Book, snapshot: Snapshot) -> FloatArray:
    price = np.empty(len(book.holdings))
    for i, (row, asset) in enumerate(zip(book.holdings.instrument, _assets(book), strict=True)):
        terms = book.table.terms[row]
        is_token = isinstance(terms, Token)
        price[i] = snapshot.token_price(asset, terms.instance, held=True) if is_token else snapshot.asset_price(asset)
    return np.asarray(book.holdings.quantity * price)


def _bridges(book: Book, snapshot: Snapshot, registry: RegistryView) -> Iterator[tuple[str, ...]]:
    for row, asset in zip(book.holdings.instrument, _assets(book), strict=True):
        terms = book.table.terms[row]
        own = "" if asset == USD else snapshot.assets[asset].backing
        behind = registry.bridges_behind(terms.instance) if isinstance(terms, Token) else ()
        yield tuple(dict.fromkeys((*((own,) if own else ()), *behind)))


def _pieces(book: Book, snapshot: Snapshot, registry: RegistryView) -> Iterator[_Piece]:
    """Each line as a whole, behind the bridge that only the registry knows of."""
    for i, (row, asset, chain) in enumerate(zip(book.holdings.instrument, _assets(book), _chains(book), strict=True)):
        known = [key for key, x in registry.instances.items() if x.canonical == asset and chain_of(key) == chain]
        single = len(known) == 1 and not isinstance(book.table.terms[row], Token)
        behind = registry.bridges_behind(known[0]) if single else ()
        own = "" if asset == USD else snapshot.assets[asset].backing
        yield _Piece(line=i, part=1.0, bridge=behind[0] if behind and behind[0] != own else "")


def _shared(plain: Footing, book: Book, pieces: list[_Piece], bridge: str, share: float) -> Iterator[_Piece]:
    """The pieces with a part of each moved behind `bridge`, so that every pool has its share there."""
    there, value, owner = np.zeros(len(pieces)), np.zeros(len(pieces)), book.holdings.owner
    gross = np.maximum(_worth(book, plain.snapshot), 0.0)
    held = list(_bridges(book, plain.snapshot, plain.registry))
    for piece in pieces:
        value[piece.line] = gross[piece.line]
        there[piece.line] = piece.bridge == bridge or bridge in held[piece.line]
    pools = len(book.pools)
    now = np.bincount(owner, there * value, pools)
    whole = np.bincount(owner, value, pools)
    part = np.clip((share * whole - now) / np.where(whole > now, whole - now, 1.0), 0.0, 1.0)
    for piece in pieces:
        more = float(part[owner[piece.line]])
        if there[piece.line] or not value[piece.line] or not more:
            yield piece
            continue
        yield _Piece(line=piece.line, part=more, bridge=bridge)
        if more < 1.0:
            yield replace(piece, part=1.0 - more)


def _moved(book: Book, snapshot: Snapshot, model: AnyModel, registry: RegistryView, pieces: list[_Piece]) -> Footing:
    """The book whose collateral is `pieces`, each behind its bridge."""
    lines, assets, chains = book.holdings, _assets(book), _chains(book)
    over: dict[str, tuple[str, str]] = {}
    spots: dict[str, Spot] = {}
    ids = []
    for piece in pieces:
        row, asset, chain = lines.instrument[piece.line], assets[piece.line], chains[piece.line]
        if not piece.bridge:
            ids.append(book.table.ids[row])
            continue
        name = f"{asset} over {piece.bridge}"
        over[name] = (asset, piece.bridge)
        spot = Spot(id=f"{name}.{chain}" if chain else name, asset=name, chain=chain)
        ids.append(spots.setdefault(spot.id, spot).id)
    table = build_table((*book.table.terms, *spots.values()), now_ns=book.as_of_ns)
    index = [piece.line for piece in pieces]
    held = make_lines(
        lines.owner[index],
        np.asarray([table.row[name] for name in ids], np.int32),
        lines.quantity[index] * np.asarray([piece.part for piece in pieces]),
        lines.price[index],
        owners=len(book.pools),
        table=table,
    )
    first = {table.row[name]: lines.instrument[piece.line] for name, piece in zip(ids, pieces, strict=True)}
    named = frozen([first[row] for row in held.instrument.tolist()], np.int32)
    known = {name: snapshot.assets[base] for name, (base, _) in over.items() if base != USD}
    made = {name: replace(asset, name=name, backing=over[name][1]) for name, asset in known.items()}
    return Footing(
        book=replace(retable(book, table), holdings=held),
        unbridged=replace(book, holdings=replace(held, instrument=named)),
        snapshot=replace(snapshot, assets={**snapshot.assets, **made}),
        market=snapshot,
        model=_cut(model, over),
        registry=registry,
        over=over,
    )


def _cut(model: AnyModel, over: dict[str, tuple[str, str]]) -> AnyModel:
    """The model with the haircuts of an asset for what stands for it over a bridge; a rulebook has its own."""
    if isinstance(model, RulebookModel):
        return model
    rules = model.collateral
    haircuts = {name: rules.haircuts[base] for name, (base, _) in over.items() if base in rules.haircuts}
    cut = msgspec.structs.replace(rules, haircuts=rules.haircuts | haircuts)
    return msgspec.structs.replace(model, collateral=cut)
