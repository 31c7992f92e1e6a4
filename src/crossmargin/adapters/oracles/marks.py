"""Quotes of a file to marks at a time, asset by asset, and into the chains of a market that margin reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from crossmargin.adapters.oracles.files import Said
from crossmargin.core.chain_ids import parse_asset
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.oracles.replay import PEGS
from crossmargin.market.document import MarketDocument
from crossmargin.market.oracles.document import Feed
from crossmargin.market.oracles.gates import refusal
from crossmargin.market.oracles.quotes import Quote
from crossmargin.market.oracles.watching import Moment, Sight, Track, Watched, watch
from crossmargin.market.registry.registry import RegistryView
from crossmargin.market.representations.document import InstanceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """An instance at a time: the sight of it, and for each source its newest quote with why it does not count."""

    instance: str
    sight: Sight
    heard: tuple[tuple[Feed, Quote | None, str], ...]


def marks(said: Said, view: RegistryView, *, now_ns: int) -> tuple[Marked, ...]:
    """Every asset of a file at `now_ns`, its clocks and its peg run through all that was seen until then.

    Raises as `watch` does for settings out of range."""
    found = []
    for asset in said.document.assets:
        key = str(parse_asset(asset.instance, where="quotes"))
        sources = {feed.source for feed in said.feeds[key]}
        quotes = [q for q in said.read.quotes if q.feed.source in sources and q.seen_ns <= now_ns]
        canonical = view.assets[view.instance(key).canonical]
        fund = asset.fund if asset.fund is not None else (1.0 if canonical.peg == "USD" else None)
        watched = Watched(
            asset=key,
            families=len({feed.family for feed in said.feeds[key]}),
            daily_vol=asset.daily_vol,
            rules=said.document.rules,
            peg=said.document.peg,
        )
        track = Track()
        for time_ns, newest in _moments(quotes, now_ns):
            moment = Moment(
                time_ns=time_ns,
                quotes=newest,
                fund=fund,
                backing=asset.backing,
                redemption_open=asset.redemption_open,
                proofs_fresh=asset.proofs_fresh,
                sequencers=said.sequencers,
            )
            track, sight = watch(track, moment, watched)
        found.append(Marked(instance=key, sight=sight, heard=_heard(said, key, newest, now_ns)))
    return tuple(found)


def _moments(quotes: Sequence[Quote], now_ns: int) -> Iterator[tuple[int, tuple[Quote, ...]]]:
    """Each time at which something was seen, and `now_ns`, with what every source had said last by then: twice, where
    it said two things at one time."""
    by_time: dict[int, list[Quote]] = {now_ns: []}
    for quote in quotes:
        by_time.setdefault(quote.seen_ns, []).append(quote)
    last: dict[str, list[Quote]] = {}
    for time_ns in sorted(by_time):
        for quote in by_time[time_ns]:
            held = last.setdefault(quote.feed.source, [])
            if not held or quote.publish_ns > held[0].publish_ns:
                last[quote.feed.source] = [quote]
            elif quote.publish_ns == held[0].publish_ns:
                held.append(quote)
        yield time_ns, tuple(quote for held in last.values() for quote in held)


def _heard(said: Said, key: str, newest: Sequence[Quote], now_ns: int) -> tuple[tuple[Feed, Quote | None, str], ...]:
    quotes = {quote.feed.source: quote for quote in newest}
    before = {one.source: f"{one.reason}: {one.words}" for one in said.read.refused}
    rows: list[tuple[Feed, Quote | None, str]] = []
    for feed in said.feeds[key]:
        quote = quotes.get(feed.source)
        if quote is None:
            rows.append((feed, None, before.get(feed.source, "said nothing")))
        else:
            why = refusal(quote, said.document.rules, now_ns=now_ns, sequencers=said.sequencers)
            rows.append((feed, quote, why.removeprefix(f"{feed.source}: ")))
    return tuple(rows)


def with_marks(
    market: MarketDocument, found: Sequence[Marked], view: RegistryView
) -> tuple[MarketDocument, tuple[str, ...]]:
    """A market whose tokens have the prices and pegs of marks, and in words what was not taken over.

    Over the price of its asset (`ratio` × reference, as the market has it) that of new risk becomes a token's
    `market_ratio`, with its peg state, and the settled one its `held_ratio`. Without a price new risk takes a token for
    broken, and what stands behind risk taken before stays as it was. Spots of underlyings are never touched: forwards
    and surfaces hang on them. Raises `InvalidInput` for a market without chains."""
    if market.chains is None:
        raise InvalidInput(
            "chains", where="--market", value=None, limit="stated", remedy="Add the section `chains` to the market."
        )
    prices = _asset_prices(market)
    states = {str(parse_asset(x.instance, where="--market")): x for x in market.chains.instances}
    words = []
    for one in found:
        asset = view.instance(one.instance).canonical
        state, price = states.get(one.instance), prices.get(asset)
        if state is None or price is None:
            words.append(f"{one.instance} is not among the {'instances' if state is None else 'assets'} of the market")
        else:
            states[one.instance] = _state(state, one.sight, price)
    chains = replace(market.chains, instances=tuple(states.values()))
    return replace(market, chains=chains), tuple(words)


def _state(state: InstanceState, sight: Sight, price: float) -> InstanceState:
    opening, settled = sight.new_risk, sight.settled
    before = next((x for x in (state.held_ratio, state.market_ratio) if x is not None), 1.0)
    held = before if settled is None else settled.collateral / price
    if opening is None:
        return replace(state, peg="broken", market_ratio=held, held_ratio=held)
    ratio = opening.collateral / price
    return replace(state, peg=PEGS[sight.peg.state], market_ratio=ratio, held_ratio=max(held, ratio))


def _asset_prices(market: MarketDocument) -> dict[str, float]:
    """USD of each asset as the market has it, before its own `market_ratio`."""
    spots = {"USD": 1.0} | {u.name: u.spot for u in market.underlyings if u.quote == "USD"}
    return {a.name: a.ratio * spots[a.reference] for a in market.assets if a.reference in spots}
