"""Account reports from the answers of a rulebook: one pool and one group, with what may be doubted in it."""

from __future__ import annotations

import msgspec
import numpy as np

from crossmargin.core.canon import digest
from crossmargin.core.instant import to_milliseconds
from crossmargin.core.version import VERSION
from crossmargin.engine.model import RulebookModel
from crossmargin.engine.reports import (
    AccountReport,
    CollateralLine,
    Doubt,
    GroupReport,
    PoolReport,
    Provenance,
    Ruling,
    Term,
)
from crossmargin.engine.ruled.margin import RuledMargin
from crossmargin.engine.ruled.versions import keeping
from crossmargin.engine.variants import account_at
from crossmargin.engine.verdict import ratio_of, status_name
from crossmargin.margin.rulebooks.rulebook import RuleResult
from crossmargin.market.snapshot import USD, Snapshot
from crossmargin.portfolio.book import Book

NETTING = ("scenario", "sensitivities")  # families of rules that see the whole account at once


def ruled_provenance(result: RuledMargin) -> Provenance:
    """The hashes and settings; the scenarios are those of the account with most, which the parameters imply."""
    labels = max((tuple(s.label for s in r.scenarios) for r in result.results), key=len, default=())
    model = result.model
    return Provenance(
        version=VERSION,
        as_of_ms=to_milliseconds(result.snapshot.time_ns),
        model=model.name,
        model_hash=digest((model.rulebook.id, msgspec.to_builtins(model.parameters))),
        snapshot_hash=result.snapshot.hash,
        scenario_hash=digest(labels),
        book_hash=result.book.hash(),
        scenarios=len(labels),
        measure="worst" if labels else f"rule of {model.rulebook.family}",
    )


def ruled_account(result: RuledMargin, account: int) -> AccountReport:
    """The report of one account."""
    return answered(account_at(result.book, account), result.snapshot, result.model, result.results[account])


def answered(alone: Book, snapshot: Snapshot, model: RulebookModel, found: RuleResult) -> AccountReport:
    """The report of a book of one account, of which the rulebook said `found`."""
    name, equity, initial = alone.accounts[0], found.equity_usd, found.initial_usd
    ratio = ratio_of(equity, found.maintenance_usd)
    status = status_name(equity, initial, found.maintenance_usd)
    held = collateral_lines(alone, snapshot, model)
    collateral = sum(line.recognised_usd for line in held)
    pool = PoolReport(
        id=name,
        asset="",
        equity_usd=equity,
        held_equity_usd=equity,
        collateral_usd=collateral,
        unsettled_usd=0.0,
        position_value_usd=equity - collateral,
        initial_usd=initial,
        maintenance_usd=found.maintenance_usd,
        excess_initial_usd=equity - initial,
        excess_maintenance_usd=equity - found.maintenance_usd,
        margin_ratio=ratio,
        status=status,
        terms=(),
        groups=(_group(alone, model, found),),
        collateral=held,
    )
    return AccountReport(
        id=name,
        equity_usd=equity,
        held_equity_usd=equity,
        initial_usd=initial,
        maintenance_usd=found.maintenance_usd,
        excess_initial_usd=equity - initial,
        margin_ratio=ratio,
        status=status,
        pools=(pool,),
        ruling=ruling(model, found),
    )


def ruling(model: RulebookModel, found: RuleResult) -> Ruling:
    """By which rule, how certain, and what was left out."""
    return Ruling(
        rulebook=found.rulebook,
        name=model.rulebook.name,
        date=model.date or found.date,
        certainty=found.certainty,
        binding=found.binding,
        partial=any(not name.startswith("collateral ") for name in found.refused),
        refused=found.refused,
        notes=found.notes,
        doubts=tuple(
            Doubt(term=t.name, certainty=t.certainty, note=t.note)
            for t in found.terms
            if t.certainty != "exact" or t.note
        ),
    )


def group_id(alone: Book, model: RulebookModel) -> str:
    """The one group that a rulebook sees."""
    return f"{alone.accounts[0]}/{model.rulebook.id}"


def _group(alone: Book, model: RulebookModel, found: RuleResult) -> GroupReport:
    gains = {s.label: s.pnl_usd for s in found.scenarios}
    worst = found.worst_scenario
    return GroupReport(
        id=group_id(alone, model),
        mode="portfolio" if model.rulebook.family in NETTING else "cross",
        initial_usd=found.initial_usd,
        maintenance_usd=found.maintenance_usd,
        terms=tuple(
            Term(name=t.name, initial=t.initial, maintenance=t.maintenance)
            for t in found.terms
            if t.initial or t.maintenance
        ),
        worst_scenario=worst,
        worst_loss_usd=-gains[worst] if worst in gains else 0.0,
        positions=len(alone.positions),
        orders=len(alone.orders),
    )


def collateral_lines(alone: Book, snapshot: Snapshot, model: RulebookModel) -> tuple[CollateralLine, ...]:
    """What each holding counts for: the rise of the equity of all up to it, without positions and orders.

    So the lines add up to what the collateral counts for alone, also where haircuts depend on size.
    """
    none = {"positions": np.zeros(len(alone.positions), np.bool_), "orders": np.zeros(len(alone.orders), np.bool_)}
    place, counted, lines = np.arange(len(alone.holdings)), 0.0, []
    for line in place.tolist():
        total = model.evaluate(keeping(alone, **none, holdings=place <= line), snapshot).equity_usd
        lines.append(_holding(alone, snapshot, line, total - counted))
        counted = total
    return tuple(lines)


def _holding(alone: Book, snapshot: Snapshot, line: int, recognised: float) -> CollateralLine:
    table, row = alone.table, int(alone.holdings.instrument[line])
    asset, amount = table.assets[table.settle[row]], float(alone.holdings.quantity[line])
    price = snapshot.asset_price(asset)
    return CollateralLine(
        asset=asset,
        chain=table.chains[table.chain[row]] if table.chain[row] >= 0 else "",
        issuer=snapshot.assets[asset].issuer if asset != USD else "",
        amount=amount,
        price_usd=price,
        gross_usd=amount * price,
        haircut_usd=amount * price - recognised,
        capped_usd=0.0,
        recognised_usd=recognised,
        held_usd=recognised,
    )
