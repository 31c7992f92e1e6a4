"""From the option chains of venues to a market document: choose a time, fit, and put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from crossmargin.core.errors import InvalidInput, MixedValuationTime
from crossmargin.core.instant import DAY_NS, SECOND_NS, format_instant, parse_instant, to_milliseconds
from crossmargin.market import document as doc
from crossmargin.market.fit import FittedChain
from crossmargin.market.quotes import ChainQuotes
from crossmargin.market.smiles import FitSettings

# Coins that trade on every large venue, in whose size the model's ranges for majors are set; all others are "alt".
MAJORS: Final = frozenset({"BTC", "ETH"})
USD: Final = "USD"


def parse_time(text: str, *, where: str) -> int:
    """The instant of ISO 8601 text; a date alone means its last nanosecond, UTC. Raises `InvalidInput`."""
    if len(text) == len("2026-03-31"):
        return parse_instant(f"{text}T00:00:00Z", where=where) + DAY_NS - 1
    return parse_instant(text, where=where)


def chains_at(chains: Iterable[ChainQuotes], at_ns: int | None, *, where: str) -> tuple[ChainQuotes, ...]:
    """The chains of the last time up to `at_ns` (of all, where it is None), by name of their underlying.

    Chains that are older than the last by more than the age at which quotes count as old belong to another time, and
    are left out. Raises `InvalidInput` where no chain was seen by then.
    """
    seen = sorted(chains, key=lambda c: c.latest_ns)
    found = {c.underlying: c for c in seen if at_ns is None or c.latest_ns <= at_ns}
    if not found:
        raise InvalidInput(
            "time",
            where=where,
            value="no chain" if at_ns is None else format_instant(at_ns),
            limit=f"at or after the first chain, of {format_instant(seen[0].latest_ns)}" if seen else "in the files",
            remedy="Give files that hold option chains, or choose a later time.",
        )
    oldest = max(c.latest_ns for c in found.values()) - int(FitSettings().age_s_max * SECOND_NS)
    return tuple(found[name] for name in sorted(found) if found[name].latest_ns >= oldest)


def market_document(
    fitted: Sequence[tuple[ChainQuotes, FittedChain]], *, base: doc.MarketDocument | None = None, source: str
) -> doc.MarketDocument:
    """The market of fitted chains of one time.

    `base` says what chains do not: kinds and risk classes of underlyings that are no coins, liquidity, other
    underlyings, assets, rates, marks, correlations. What the chains say replaces what it says of the same names.
    Raises `MixedValuationTime` where `base` holds prices of another time, and `InvalidInput` for an underlying that is
    no coin and not in `base`.
    """
    now_ns = fitted[0][1].time_ns
    assert all(chain.time_ns == now_ns for _, chain in fitted)
    base = base or doc.MarketDocument(as_of=to_milliseconds(now_ns), underlyings=())
    known = {u.name: u for u in base.underlyings}
    underlyings = dict(known)
    marks: dict[str, doc.Mark] = {}
    for quotes, chain in fitted:
        name = underlying_name(quotes)
        underlyings[name] = _underlying(quotes, chain, known.get(name))
        marks |= _marks(quotes, name, now_ns)
    _require_one_time(base, {*marks, *(underlying_name(quotes) for quotes, _ in fitted)}, now_ns)
    return msgspec.structs.replace(
        base,
        as_of=format_instant(now_ns),
        underlyings=tuple(underlyings.values()),
        assets=_assets(base.assets, underlyings.values()),
        marks=tuple(({m.instrument: m for m in base.marks} | marks).values()),
        source="; ".join(text for text in (source, base.source) if text),
    )


def underlying_name(quotes: ChainQuotes) -> str:
    """The underlying of a chain; one that settles in another coin (`BTC_USDC`) speaks of the same (`BTC`)."""
    return quotes.underlying.partition("_")[0]


def _require_one_time(base: doc.MarketDocument, fresh: set[str], now_ns: int) -> None:
    """Raise `MixedValuationTime` where `base` keeps a price of another time beside those that are `fresh`."""
    stated = parse_instant(base.as_of, where="base: as_of")
    kept = [
        name for name in (*(u.name for u in base.underlyings), *(m.instrument for m in base.marks)) if name not in fresh
    ]
    if kept and stated != now_ns:
        raise MixedValuationTime(
            where=f"base (prices of {', '.join(kept)})",
            value=format_instant(stated),
            first=f"the chains' {format_instant(now_ns)}",
        )


def _underlying(quotes: ChainQuotes, chain: FittedChain, known: doc.Underlying | None) -> doc.Underlying:
    points = zip(map(int, chain.expiry_ns), chain.forward, strict=True)
    forwards = tuple(doc.ForwardPoint(expiry=format_instant(e), forward=float(f)) for e, f in points)
    surface = doc.Surface(slices=tuple(_slices(chain)))
    if known is not None:
        return msgspec.structs.replace(known, spot=chain.spot, forwards=forwards, surface=surface)
    name, _, quote = quotes.underlying.partition("_")
    if not (quotes.in_coin or quote):
        raise InvalidInput(
            f"risk class of {name}",
            where="market build",
            value="missing",
            limit="given for an underlying that is no coin",
            remedy=f"Describe {name} (kind, risk_class, liquidity) in a market document, and name it with --base.",
        )
    risk_class = "crypto_major" if name in MAJORS else "crypto_alt"
    return doc.Underlying(
        name=name,
        kind="spot",
        risk_class=risk_class,
        quote=quote or USD,
        spot=chain.spot,
        forwards=forwards,
        surface=surface,
    )


def _slices(chain: FittedChain) -> Iterator[doc.Slice]:
    for expiry, params in zip(map(int, chain.expiry_ns), chain.svi.tolist(), strict=True):
        a, b, rho, m, sigma = params
        yield doc.Slice(expiry=format_instant(expiry), a=a, b=b, rho=rho, m=m, sigma=sigma)


def _marks(quotes: ChainQuotes, name: str, now_ns: int) -> dict[str, doc.Mark]:
    """The marks of dated futures that are alive, by canonical id."""
    futures = quotes.futures
    rows = zip(futures.instrument, futures.expiry_ns, futures.mark, strict=True)
    ids = {f"{symbol}.DERIBIT": float(mark) for symbol, expiry, mark in rows if expiry > now_ns and mark > 0.0}
    return {i: doc.Mark(instrument=i, underlying=name, price=mark) for i, mark in ids.items()}


def _assets(stated: tuple[doc.Asset, ...], underlyings: Iterable[doc.Underlying]) -> tuple[doc.Asset, ...]:
    """Assets as stated, and the coins and quote currencies of the chains that nobody stated."""
    assets = {a.name: a for a in stated}
    for u in underlyings:
        if u.kind == "spot":
            assets.setdefault(u.name, doc.Asset(name=u.name, reference=u.name))
        if u.quote != USD:
            assets.setdefault(u.quote, doc.Asset(name=u.quote, reference=USD))
    return tuple(assets.values())
