"""A day's prices through gates, aggregation, peg and both clocks, and through a margin account at each step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from crossmargin.accounts.health import Status as HealthStatus
from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS, parse_instant, to_milliseconds
from crossmargin.core.version import VERSION
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.oracles.account import Answer, ReplayAccount
from crossmargin.engine.oracles.document import Points, ReplayDocument, ReplayedAsset, SourcePath
from crossmargin.engine.oracles.reports import AssetReplay, OracleReplay, ReplayStep
from crossmargin.engine.reports import Status
from crossmargin.engine.verdict import STATUS_NAMES
from crossmargin.market.oracles.median import median
from crossmargin.market.oracles.peg import PegState
from crossmargin.market.oracles.quotes import Quote
from crossmargin.market.oracles.sources.direct import Ticker, ticker_quote
from crossmargin.market.oracles.watching import Moment, Sight, Track, Watched, watch
from crossmargin.market.registry.records import check_feed
from crossmargin.market.representations.document import PegName

_MINUTE_NS: Final = 60 * SECOND_NS
CUT: Final = 0.001  # of what a unit counted for at the start: less than that is the noise of a calm mark
STEPS_MAX: Final = 10_000
PEGS: Final[dict[PegState, PegName]] = {
    PegState.NORMAL: "normal",
    PegState.WATCH: "watch",
    PegState.STRESS: "stress",
    PegState.BROKEN: "broken",
}


def replay_oracles(document: ReplayDocument, model: ModelDocument) -> OracleReplay:
    """The day that a document states, for an account of each of its assets under `model`.

    Raises `InvalidInput` for paths without points or out of order, and for settings out of range."""
    start_ns = parse_instant(document.start, where=document.id)
    assets = tuple(_asset(one, document, start_ns, model) for one in checked(document).assets)
    held = all(_as_expected(one, document.expected) for one in assets)
    return OracleReplay(
        id=document.id,
        label=document.label,
        start_ms=to_milliseconds(start_ns),
        expected=document.expected,
        held=held,
        assets=assets,
        sources=document.sources,
        assumed=document.assumed,
        date=document.date,
        model=model.name,
        version=VERSION,
    )


def checked(document: ReplayDocument) -> ReplayDocument:
    """A document that can be replayed; raises `InvalidInput` with the place."""
    check.within(document.step_min, "step_min", 0.1, 1e4, where=document.id)
    check.within(
        document.duration_min, "duration_min", document.step_min, STEPS_MAX * document.step_min, where=document.id
    )
    for one in document.assets:
        where = f"{document.id}: {one.asset}"
        check.within(one.haircut, "haircut", 0.0, 0.99, where=where)
        check.within(one.cushion, "cushion", 0.0, 10.0, where=where)
        sources = [path.feed.source for path in one.paths]
        check.unique(sources, "source", where=where)
        check.known(one.alone, sources, "source", where=f"{where}: alone")
        _check_points(one.fund, f"{where}: fund")
        for path in one.paths:
            check_feed(path.feed, where=where)
            check.within(path.half_spread_bps, "half_spread_bps", 0.0, 9_999.0, where=where)
            _check_points(path.points, f"{where}: {path.feed.source}")
    return document


def price_at(points: Points, minute: float) -> float:
    """The price on straight lines through points of (minute, price), flat before the first and after the last.

    >>> price_at(((0.0, 1.0), (10.0, 0.5)), 4.0)
    0.8
    """
    if minute <= points[0][0]:
        return points[0][1]
    for (m0, p0), (m1, p1) in pairwise(points):
        if minute <= m1:
            return p0 + (p1 - p0) * (minute - m0) / (m1 - m0)
    return points[-1][1]


def _check_points(points: Points, where: str) -> None:
    minutes = [minute for minute, _ in points]
    if not points or any(b <= a for a, b in pairwise(minutes)):
        raise InvalidInput(
            "minutes", where=where, value=minutes[:8], limit="one or more, ascending", remedy="Put them in order."
        )
    for _, price in points:
        check.positive(price, "price", where=where)


def _asset(one: ReplayedAsset, document: ReplayDocument, start_ns: int, model: ModelDocument) -> AssetReplay:
    sights = tuple(_sights(one, document, start_ns))
    mid = sights[0][1].mark.mid
    price = price_at(one.fund, 0.0) if mid is None else mid
    account = ReplayAccount(
        asset=one.asset, haircut=one.haircut, cushion=one.cushion, price=price, time_ns=start_ns, model=model
    )
    steps = tuple(_step(minute, sight, one, account) for minute, sight in sights)
    opening = steps[0].credit
    return AssetReplay(
        asset=one.asset,
        sources=tuple(path.feed.source for path in one.paths),
        alone=one.alone,
        haircut=one.haircut,
        cut_ms=next((s.time_ms for s in steps if s.credit < opening * (1.0 - CUT)), None),
        passed_ms=next((s.time_ms for s in steps if s.market < opening), None),
        liquidated_ms=next((s.time_ms for s in steps if s.status == "liquidation"), None),
        alone_ms=next((s.time_ms for s in steps if s.alone == "liquidation"), None),
        over_market=max(s.credit / s.market - 1.0 for s in steps),
        steps=steps,
    )


def _sights(one: ReplayedAsset, document: ReplayDocument, start_ns: int) -> Iterator[tuple[float, Sight]]:
    watched = Watched(asset=one.asset, families=len({path.feed.family for path in one.paths}), daily_vol=one.daily_vol)
    track = Track()
    for k in range(round(document.duration_min / document.step_min) + 1):
        minute = k * document.step_min
        now_ns = start_ns + round(minute * _MINUTE_NS)
        is_open = one.closed_min is None or not one.closed_min[0] <= minute < one.closed_min[1]
        moment = Moment(
            time_ns=now_ns,
            quotes=tuple(_said(path, minute, now_ns) for path in one.paths),
            fund=price_at(one.fund, minute),
            redemption_open=is_open,
        )
        track, sight = watch(track, moment, watched)
        yield minute, sight


def _said(path: SourcePath, minute: float, now_ns: int) -> Quote:
    middle, half = price_at(path.points, minute), path.half_spread_bps * 1e-4
    return ticker_quote(
        path.feed, Ticker(bid=middle * (1.0 - half), ask=middle * (1.0 + half), time_ns=now_ns), seen_ns=now_ns
    )


def _step(minute: float, sight: Sight, one: ReplayedAsset, account: ReplayAccount) -> ReplayStep:
    said = {path.feed.source: price_at(path.points, minute) for path in one.paths}
    others = [price for source, price in said.items() if source != one.alone] or list(said.values())
    opening, status = _answers(account, sight)
    alone = account.at(said[one.alone], "normal")
    may_open = _may_open(opening) if sight.left.new_credit else "restricted"
    return ReplayStep(
        time_ms=to_milliseconds(sight.time_ns),
        minute=minute,
        said=tuple(said.values()),
        market=median(others),
        lo=sight.mark.lo,
        hi=sight.mark.hi,
        families=sight.mark.n_eff,
        mark_state=sight.mark.state,
        new_risk=None if sight.new_risk is None else sight.new_risk.collateral,
        settled=None if sight.settled is None else sight.settled.collateral,
        peg=sight.peg.state.name,
        credit=0.0 if opening is None else opening.credit_usd / account.amount,
        requirement_usd=alone.maintenance_usd,
        status=status,
        opening=may_open,
        alone=STATUS_NAMES[alone.status],
    )


def _answers(account: ReplayAccount, sight: Sight) -> tuple[Answer | None, Status]:
    """The account in new risk, none where it has no price there, and its status by both clocks.

    Without a settled price nobody is liquidated; what has run off to nothing holds nothing.
    """
    opening = 0.0 if sight.new_risk is None else sight.new_risk.collateral
    settled = None if sight.settled is None else sight.settled.collateral
    peg: PegName = PEGS[sight.peg.state] if opening > 0.0 else "broken"
    found = account.at(opening, peg, settled=settled)
    if settled is None:
        return (found if opening > 0.0 else None), _may_open(found)
    return (found if opening > 0.0 else None), STATUS_NAMES[found.status]


def _may_open(opening: Answer | None) -> Status:
    """Prices of new risk stop what is new, and liquidate nobody."""
    return "healthy" if opening is not None and opening.status is HealthStatus.HEALTHY else "restricted"


def _as_expected(one: AssetReplay, expected: str) -> bool:
    if expected == "no liquidation":
        return one.liquidated_ms is None
    if one.passed_ms is None:
        return False
    return one.cut_ms is not None and one.cut_ms <= one.passed_ms and one.over_market <= 0.0
