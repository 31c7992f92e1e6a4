"""A file of what oracles said, to quotes; bytes in it are read as they would be off a chain or a socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crossmargin.adapters.documents import read_bytes, read_document
from crossmargin.adapters.oracles.document import QuotesDocument, SaidHermes, SaidPackages, SaidRate, SaidRouters
from crossmargin.adapters.oracles.pyth import Routers, read_hermes
from crossmargin.adapters.oracles.reading import Read, Refused, malformed
from crossmargin.adapters.oracles.redstone import Wanted, read_packages
from crossmargin.core import check
from crossmargin.core.chain_ids import check_chain, parse_asset
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import parse_instant
from crossmargin.market.oracles.document import Feed
from crossmargin.market.oracles.quotes import Sequencer
from crossmargin.market.oracles.rates import RateCap
from crossmargin.market.oracles.sources.chainlink import Round, round_quote
from crossmargin.market.oracles.sources.direct import RedemptionRate, Ticker, redemption_quote, ticker_quote
from crossmargin.market.registry.records import check_feed
from crossmargin.market.registry.registry import RegistryView


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A file that was read: its document with canonical keys, the feeds of each instance, and what it came to."""

    document: QuotesDocument
    feeds: Mapping[str, tuple[Feed, ...]]
    read: Read
    sequencers: Mapping[str, Sequencer | None]


def read_quotes(path: str | Path, view: RegistryView) -> Said:
    """What oracles said, by the file `path`, of instances that are in the registry.

    Raises as `read_document` does, and `UnknownName`, `DuplicateName` or `InvalidInput` for instances and feeds that
    are none; a payload that is none gives a reason in `Said.read` and no price."""
    document, where = read_document(path, QuotesDocument), str(path)
    keys = [str(parse_asset(asset.instance, where=where)) for asset in document.assets]
    check.unique(keys, "instance", where=where)
    feeds = {
        key: tuple(check_feed(f, where=where) for f in (*view.instance(key).feeds, *asset.feeds))
        for key, asset in zip(keys, document.assets, strict=True)
    }
    every = [feed for found in feeds.values() for feed in found]
    check.unique([feed.source for feed in every], "source of a feed", where=where)
    found = Read()
    for one in _readings(document, {feed.source: feed for feed in every}, Path(path).parent, where):
        found += one
    for state in document.sequencers:
        check_chain(state.chain, where=where)
    sequencers = {
        s.chain: None if s.up is None else Sequencer(up=s.up, since_ns=parse_instant(s.since, where=where))
        for s in document.sequencers
    }
    return Said(document=document, feeds=feeds, read=found, sequencers=sequencers)


def _readings(document: QuotesDocument, feeds: Mapping[str, Feed], folder: Path, where: str) -> Iterator[Read]:
    for ticker in document.tickers:
        at_ns = parse_instant(ticker.time, where=where)
        said = Ticker(bid=ticker.bid, ask=ticker.ask, time_ns=at_ns)
        feed = feeds.get(ticker.source)
        yield _stranger(ticker.source) if feed is None else Read(quotes=(ticker_quote(feed, said, seen_ns=at_ns),))
    for one in document.rounds:
        seen_ns, feed = parse_instant(one.seen, where=where), feeds.get(one.source)
        answered = Round(round_id=0, answer=one.answer, started_at=0, updated_at=one.updated_at, decimals=one.decimals)
        yield _stranger(one.source) if feed is None else Read(quotes=(round_quote(feed, answered, seen_ns=seen_ns),))
    for packed in document.packages:
        feed = feeds.get(packed.source)
        yield _stranger(packed.source) if feed is None else _packages(packed, feed, where)
    for answer in document.hermes:
        yield _hermes(answer, feeds, folder, where)
    for rate in document.rates:
        feed = feeds.get(rate.source)
        yield _stranger(rate.source) if feed is None else _rate(rate, feed, where)


def _stranger(source: str) -> Read:
    return Read(refused=(Refused(source=source, reason="feed", words="no feed of an asset in this file"),))


def _packages(packed: SaidPackages, feed: Feed, where: str) -> Read:
    seen_ns = parse_instant(packed.seen, where=where)
    signers = frozenset(_hexed(one, where) for one in packed.signers)
    wanted = Wanted(feed=feed, feed_id=packed.feed_id, signers=signers, threshold=packed.threshold)
    try:
        calldata = _hexed(packed.calldata, feed.source)
    except InvalidInput as failure:
        return Read(refused=(Refused(source=feed.source, reason="malformed", words=str(failure)),))
    return read_packages(calldata, wanted, now_ns=seen_ns, seen_ns=seen_ns)


def _hermes(answer: SaidHermes, feeds: Mapping[str, Feed], folder: Path, where: str) -> Read:
    strangers = Read()
    for source in answer.feeds.values():
        strangers += Read() if source in feeds else _stranger(source)
    known = {key: feeds[source] for key, source in answer.feeds.items() if source in feeds}
    routers = None if answer.routers is None else _routers(answer.routers, where)
    raw, seen_ns = read_bytes(folder / answer.file), parse_instant(answer.seen, where=where)
    return strangers + read_hermes(raw, known, routers=routers, quorum_ok=answer.quorum_ok, seen_ns=seen_ns)


def _routers(said: SaidRouters, where: str) -> Routers:
    return Routers(
        addresses=tuple(_hexed(one, where) for one in said.addresses),
        quorum=said.quorum,
        emitter_chain=said.emitter_chain,
        emitter=_hexed(said.emitter, where),
    )


def _rate(said: SaidRate, feed: Feed, where: str) -> Read:
    at_ns = parse_instant(said.time, where=where)
    cap = RateCap(
        ratio=said.cap.ratio,
        time_ns=parse_instant(said.cap.time, where=where),
        growth_per_year=said.cap.growth_per_year,
    )
    try:
        ratio = int(said.ratio)
    except ValueError:
        words = f"a ratio of {said.ratio!r} is no integer"
        return Read(refused=(Refused(source=feed.source, reason="malformed", words=words),))
    rate = RedemptionRate(ratio=ratio, decimals=said.decimals, time_ns=at_ns)
    reference = check.positive(said.reference, "reference", where=where)
    return Read(quotes=(redemption_quote(feed, rate, cap, reference=reference, seen_ns=at_ns, now_ns=at_ns),))


def _hexed(text: str, where: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise malformed(where, text[:20], "hexadecimal digits, in pairs") from None
