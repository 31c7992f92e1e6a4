"""What is computed once per table, market and model, and serves every account: scenarios, R, exposures, rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from crossmargin.collateral.haircuts import check_rules
from crossmargin.collateral.tokens import Tokens, differ, own_prices, tokens_of
from crossmargin.core.arrays import IndexArray
from crossmargin.core.canon import digest
from crossmargin.core.errors import MissingFactors
from crossmargin.engine.model import ModelDocument
from crossmargin.instruments.table import Family, InstrumentTable
from crossmargin.margin.chain_terms import ChainRisk, chain_risk, halt_losses
from crossmargin.margin.check import check_model
from crossmargin.margin.exposure import exposure, in_state
from crossmargin.margin.requirement import Terms
from crossmargin.margin.rule import rule_table
from crossmargin.margin.scan import ScanMatrix
from crossmargin.market.snapshot import USD, Snapshot, factors_of
from crossmargin.portfolio.book import Book, Mode, bucket_names
from crossmargin.scenarios.calibrating.calibrated import build_calibrated
from crossmargin.scenarios.calibrating.implied import at_market
from crossmargin.scenarios.factors import PERPETUAL_KINDS, PRICE_KINDS, parse_factor
from crossmargin.scenarios.grid import as_counted, build_grid
from crossmargin.scenarios.scenario_set import ScenarioSet, concat
from crossmargin.valuation.marks import ladder_names, missing_factors
from crossmargin.valuation.pnl import ScenarioPnl, pnl

Progress: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A model applied to a table and a snapshot: R and everything else that no account changes.

    `by_rule` are the instruments (rows) of groups margined by rule, with repetitions; `tokens` and `chain_risk` what
    the market's chains say of each row, none where it states none. `held_tokens` say it for risk that was taken before;
    the same value where that makes no difference.
    """

    table: InstrumentTable
    snapshot: Snapshot
    model: ModelDocument
    scenarios: ScenarioSet
    pnl: ScenarioPnl
    by_rule: IndexArray
    terms: Terms
    tokens: Tokens | None = None
    held_tokens: Tokens | None = None
    chain_risk: ChainRisk | None = None


def plan(book: Book, snapshot: Snapshot, model: ModelDocument, *, threads: int = 1) -> Plan:
    """The plan for a book.

    Raises `MissingFactors`, naming all of them at once, where the market lacks anything that book and model need;
    `InvalidInput` for a model out of range; `UnknownName` for a risk class the model does not hold.
    """
    check_model(model, where=f"model {model.name}")
    check_rules(model.collateral, where=f"model {model.name}: collateral")
    table = book.table
    check_needs(table, snapshot, model)
    by_rule = book.group_mode != Mode.PORTFOLIO
    used = [lines.instrument[by_rule[lines.owner]] for lines in (book.positions, book.orders)]
    names, assets = moved_names(table, snapshot)
    scenarios = _scenarios(table, snapshot, model, names, assets)
    return _applied(table, snapshot, model, scenarios, np.concatenate(used), threads)


def _scenarios(
    table: InstrumentTable, snapshot: Snapshot, model: ModelDocument, names: set[str], assets: set[str]
) -> ScenarioSet:
    """The columns of a model: its grid, or what its calibration means and the far moves of the grid."""
    grid = build_grid(model.grid, snapshot, underlyings=names, assets=assets)
    if model.calibration is None:
        return grid if model.measure.kind == "worst" else as_counted(grid)
    held = set(factors_of(snapshot))
    needed = {snapshot.underlyings[name].factor for name in names}
    needed |= {f"vol:{name}" for name in optioned(table) & names}
    fitted = at_market(model.calibration, snapshot)
    columns = build_calibrated(fitted, needed, moved=held, rules=grid.rules)
    return concat(columns, grid.take(np.arange(grid.regular, len(grid))))


def optioned(table: InstrumentTable) -> set[str]:
    """The underlyings on which the table has options."""
    return {table.underlyings[i] for i in np.unique(table.underlying[table.family == Family.OPTION])}


def perpetual(table: InstrumentTable) -> set[str]:
    """The underlyings on which the table has perpetuals."""
    return {table.underlyings[i] for i in np.unique(table.underlying[table.family == Family.PERPETUAL])}


def replan(ready: Plan, snapshot: Snapshot) -> Plan:
    """The same plan in a moved market: the same relative scenarios, everything else made again."""
    return _applied(ready.table, snapshot, ready.model, ready.scenarios, ready.by_rule, 1)


def _applied(
    table: InstrumentTable,
    snapshot: Snapshot,
    model: ModelDocument,
    scenarios: ScenarioSet,
    by_rule: IndexArray,
    threads: int,
) -> Plan:
    sticky = 1.0 if model.sticky == "moneyness" else 0.0
    matrix = pnl(table, snapshot, scenarios, sticky=sticky, threads=threads)
    exposures = in_state(exposure(table, snapshot), model.calibration)
    rules = rule_table(table, snapshot, exposures, model, used=by_rule)
    split = ScanMatrix.of(matrix)
    tokens, held_tokens, risk = _on_chains(table, snapshot, model, scenarios, split)
    return Plan(
        table=table,
        snapshot=snapshot,
        model=model,
        scenarios=scenarios,
        pnl=matrix,
        by_rule=by_rule,
        terms=Terms(table=table, matrix=split, exposure=exposures, rules=rules, model=model),
        tokens=tokens,
        held_tokens=held_tokens,
        chain_risk=risk,
    )


def _on_chains(
    table: InstrumentTable, snapshot: Snapshot, model: ModelDocument, scenarios: ScenarioSet, matrix: ScanMatrix
) -> tuple[Tokens | None, Tokens | None, ChainRisk | None]:
    """What the market's chains say of each row of the table, for collateral of new and of held risk, and for
    requirements."""
    risk = chain_risk(table, snapshot, model)
    if risk is None:
        return None, None, None
    halt_loss = halt_losses(table, risk, matrix, model, own_prices(table, snapshot))
    inside, rules = frozenset(scenarios.factors), model.collateral.tokens
    tokens = tokens_of(table, snapshot, rules, halt_loss=halt_loss, inside=inside)
    held = tokens_of(table, snapshot, rules, halt_loss=halt_loss, inside=inside, held=True)
    alike = tokens is None or held is None or not differ(tokens, held)
    return tokens, tokens if alike else held, risk


def moved_names(table: InstrumentTable, snapshot: Snapshot) -> tuple[set[str], set[str]]:
    """Every underlying, and every asset, of the market on whose price something in the table depends.

    Also at a distance: a coin quoted in a stable coin falls with its peg, whoever holds it.
    """
    held = snapshot.underlyings
    names = {name for name in bucket_names(table) if name in held}
    waiting = set(table.assets)
    for terms in table.ladders.values():
        for factor in ladder_names(terms.deltas, terms.gammas):
            kind, name, _ = parse_factor(factor, where=terms.id)
            if kind in (*PRICE_KINDS, *PERPETUAL_KINDS, "fwd", "vol", "skew", "smile"):
                names.add(name)
            elif kind == "peg":
                waiting.add(name)
    names &= held.keys()
    waiting |= {held[name].quote for name in names}
    assets = set[str]()
    while waiting:
        asset = waiting.pop()
        if asset in assets or asset not in snapshot.assets:
            continue
        assets.add(asset)
        reference = snapshot.assets[asset].reference
        if reference != USD:
            names.add(reference)
            waiting.add(held[reference].quote)
    return names, assets


def check_needs(table: InstrumentTable, snapshot: Snapshot, model: ModelDocument) -> None:
    """Raise `MissingFactors` for everything that valuation, add-ons and joint scenarios need and the market lacks."""
    missing = missing_factors(table, snapshot, table.assets)
    names, _ = moved_names(table, snapshot)
    exposed = names & set(bucket_names(table))
    missing |= {f"liquidity:{n}": n for n in exposed if snapshot.underlyings[n].liquidity is None}
    if len(names) > 1 and (model.grid.joint.together or model.grid.joint.pairs):
        missing |= {f"correlation:{n}": n for n in names if n not in snapshot.correlation_names}
    if missing:
        raise MissingFactors(missing, where="market", needed_by=missing)


def model_hash(model: ModelDocument) -> str:
    """Canonical digest of all parameters of a model."""
    return digest(model)
