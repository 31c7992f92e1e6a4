"""Account reports from the columns of a margin result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from crossmargin.accounts.health import Status
from crossmargin.core import check
from crossmargin.core.canon import digest
from crossmargin.core.instant import to_milliseconds
from crossmargin.core.version import VERSION
from crossmargin.engine.collateral_risk import chain_factors
from crossmargin.engine.margin import MarginResult
from crossmargin.engine.reports import (
    AccountReport,
    CollateralLine,
    GroupReport,
    MarginReport,
    PoolReport,
    Provenance,
    Term,
)
from crossmargin.engine.ruled.accounts import ruled_account, ruled_provenance
from crossmargin.engine.ruled.margin import RuledMargin
from crossmargin.engine.sampling import Tails, sampling, tails
from crossmargin.engine.token_reports import Standing, standings, token_line
from crossmargin.engine.verdict import STATUS_NAMES, ratio_of
from crossmargin.margin.chain_terms import CHAIN_TERMS
from crossmargin.margin.requirement import TERMS
from crossmargin.market.snapshot import USD
from crossmargin.portfolio.book import Mode

_MODE: dict[int, Literal["isolated", "cross", "portfolio"]] = {
    Mode.ISOLATED: "isolated",
    Mode.CROSS: "cross",
    Mode.PORTFOLIO: "portfolio",
}


def provenance(result: MarginResult | RuledMargin) -> Provenance:
    """The hashes and settings a result was computed from."""
    if isinstance(result, RuledMargin):
        return ruled_provenance(result)
    ready = result.plan
    measure = ready.model.measure
    return Provenance(
        version=VERSION,
        as_of_ms=to_milliseconds(ready.snapshot.time_ns),
        model=f"{ready.model.name}@{ready.model.date}",
        model_hash=digest(ready.model),
        snapshot_hash=ready.snapshot.hash,
        scenario_hash=ready.scenarios.hash(),
        book_hash=result.book.hash(),
        scenarios=len(ready.scenarios),
        measure=measure.kind if measure.kind == "worst" else f"{measure.kind} {measure.level:.4g}",
        sampling=sampling(ready),
        registry_hash="" if ready.snapshot.chains is None else ready.snapshot.chains.registry_sha256,
    )


def margin_report(result: MarginResult | RuledMargin, accounts: Iterable[str] | None = None) -> MarginReport:
    """The report of the named accounts (all of them by default). Raises `UnknownName` for one that is not there."""
    book = result.book
    row = {name: i for i, name in enumerate(book.accounts)}
    names = book.accounts if accounts is None else tuple(accounts)
    for name in names:
        check.known(name, row, "account", where="book", remedy="Name an account of the book.")
    told = tails(result) if isinstance(result, MarginResult) else None
    return MarginReport(
        provenance=provenance(result),
        accounts=tuple(account_report(result, row[name], told) for name in names),
        standings=book_standings(result),
    )


def book_standings(result: MarginResult | RuledMargin) -> tuple[Standing, ...]:
    """What all accounts of a book hold together by asset, chain, bridge and token, where the market states chains."""
    if isinstance(result, RuledMargin):
        return ()
    return standings(result, 0, len(result.book.pools), tokens=True)


def account_report(result: MarginResult | RuledMargin, account: int, told: Tails | None = None) -> AccountReport:
    """The report of one account; `told` is what `tails` says of the result, where it is known."""
    if isinstance(result, RuledMargin):
        return ruled_account(result, account)
    found = told or tails(result)
    first, last = np.searchsorted(result.book.pool_account, [account, account + 1])
    pools = tuple(_pool(result, p, found) for p in range(int(first), int(last)))
    equity, held_equity = sum(p.equity_usd for p in pools), sum(p.held_equity_usd for p in pools)
    initial, maintenance = sum(p.initial_usd for p in pools), sum(p.maintenance_usd for p in pools)
    worst = max((int(s) for s in result.pools.status[first:last]), default=int(Status.HEALTHY))
    return AccountReport(
        id=result.book.accounts[account],
        equity_usd=equity,
        held_equity_usd=held_equity,
        initial_usd=initial,
        maintenance_usd=maintenance,
        excess_initial_usd=equity - initial,
        margin_ratio=ratio_of(held_equity, maintenance),
        status=STATUS_NAMES[worst],
        pools=pools,
        standings=standings(result, int(first), int(last)),
    )


def _pool(result: MarginResult, pool: int, found: Tails) -> PoolReport:
    book, figures = result.book, result.pools
    factor, wrong_way = result.plan.model.wrong_way.factor, float(figures.wrong_way[pool])
    equity, held_equity = float(figures.equity[pool]), float(figures.held_equity[pool])
    initial, maintenance = float(figures.initial[pool]), float(figures.maintenance[pool])
    asset = int(book.pool_asset[pool])
    terms = [Term(name="wrong_way", initial=factor.initial * wrong_way, maintenance=factor.maintenance * wrong_way)]
    for name, one, amount in zip(CHAIN_TERMS, chain_factors(result.plan.model), figures.chain_terms[pool], strict=True):
        terms.append(Term(name=name, initial=one.initial * float(amount), maintenance=one.maintenance * float(amount)))
    return PoolReport(
        id=book.pools[pool],
        asset=book.table.assets[asset] if asset >= 0 else "",
        equity_usd=equity,
        held_equity_usd=held_equity,
        collateral_usd=float(figures.collateral[pool]),
        unsettled_usd=float(figures.unsettled[pool]),
        position_value_usd=float(figures.position_value[pool]),
        initial_usd=initial,
        maintenance_usd=maintenance,
        excess_initial_usd=equity - initial,
        excess_maintenance_usd=held_equity - maintenance,
        margin_ratio=ratio_of(held_equity, maintenance),
        status=STATUS_NAMES[int(figures.status[pool])],
        terms=tuple(t for t in terms if t.initial or t.maintenance),
        groups=tuple(_group(result, int(g), found) for g in np.flatnonzero(book.group_pool == pool)),
        collateral=tuple(_holding(result, line) for line in range(*book.holdings.ptr[pool : pool + 2])),
    )


def _group(result: MarginResult, group: int, told: Tails) -> GroupReport:
    book, found = result.book, result.groups
    worst = int(found.worst[group])
    portfolio = book.group_mode[group] == Mode.PORTFOLIO
    return GroupReport(
        id=book.groups[group],
        mode=_MODE[int(book.group_mode[group])],
        initial_usd=float(found.initial[group].sum()),
        maintenance_usd=float(found.maintenance[group].sum()),
        terms=tuple(
            Term(name=name, initial=float(found.initial[group, i]), maintenance=float(found.maintenance[group, i]))
            for i, name in enumerate(TERMS)
            if found.initial[group, i] or found.maintenance[group, i]
        ),
        worst_scenario=result.plan.scenarios.labels[worst] if portfolio and worst >= 0 else "",
        worst_loss_usd=float(told.worst[group]),
        positions=int(np.diff(book.positions.ptr)[group]),
        orders=int(np.diff(book.orders.ptr)[group]),
        scan_usd=float(found.scan_loss[group]) if portfolio else 0.0,
        standard_error_usd=None if np.isnan(told.error[group]) else float(told.error[group]),
    )


def _holding(result: MarginResult, line: int) -> CollateralLine:
    book, held = result.book, result.holdings
    row = int(book.holdings.instrument[line])
    asset = book.table.assets[book.table.settle[row]]
    snapshot = result.plan.snapshot
    return CollateralLine(
        asset=asset,
        chain=book.table.chains[book.table.chain[row]] if book.table.chain[row] >= 0 else "",
        issuer=snapshot.assets[asset].issuer if asset != USD else "",
        amount=float(book.holdings.quantity[line]),
        price_usd=snapshot.asset_price(asset),
        gross_usd=float(held.gross[line]),
        haircut_usd=float(held.haircut[line]),
        capped_usd=float(held.capped[line]),
        recognised_usd=float(held.recognised[line]),
        held_usd=float(result.held.recognised[line]),
        token=token_line(result, line),
    )
