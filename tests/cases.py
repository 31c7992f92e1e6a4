"""Random worlds twice over: as the package holds them, and as their plain twins do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import msgspec
import numpy as np
from hypothesis import strategies as st

from crossmargin.instruments.table import InstrumentTable, build_table
from crossmargin.instruments.terms import AnyTerms, BondFuture, Future, Perpetual
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.market.snapshot import Snapshot
from crossmargin.scenarios.scenario_set import Scenario, ScenarioSet, SurfaceRule, collect
from spec import valuation as spec_valuation
from spec import world as spec_world
from tests.strategies import (
    FAMILIES,
    contracts,
    markets,
    numbers,
    plain_contract,
    plain_market,
    scenario_columns,
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """The same world twice: as the package holds it, and as its plain twin does."""

    document: doc.MarketDocument
    terms: tuple[AnyTerms, ...]
    columns: tuple[Scenario, ...]
    snapshot: Snapshot = field(repr=False)
    table: InstrumentTable = field(repr=False)
    scenarios: ScenarioSet = field(repr=False)
    plain_market: spec_world.Market = field(repr=False)
    plain_contracts: tuple[spec_valuation.Contract, ...] = field(repr=False)
    plain_scenarios: tuple[spec_world.Scenario, ...] = field(repr=False)


def case(
    document: doc.MarketDocument,
    terms: tuple[AnyTerms, ...],
    columns: list[Scenario],
    rules: dict[str, SurfaceRule] | None = None,
) -> Case:
    """Both forms of a world."""
    snapshot = build_snapshot(document)
    plain_rules = {name: spec_world.Rule(**asdict(rule)) for name, rule in (rules or {}).items()}
    return Case(
        document=document,
        terms=terms,
        columns=tuple(columns),
        snapshot=snapshot,
        table=build_table(terms, now_ns=snapshot.time_ns),
        scenarios=collect(columns, rules=rules),
        plain_market=plain_market(document),
        plain_contracts=tuple(map(plain_contract, terms)),
        plain_scenarios=tuple(plain_scenario(s, plain_rules) for s in columns),
    )


def plain_scenario(s: Scenario, rules: dict[str, spec_world.Rule]) -> spec_world.Scenario:
    """The twin of a column."""
    return spec_world.Scenario(
        moves=s.shocks, days=s.horizon_days, damping=s.damping, rules=rules, label=s.label, family=s.family
    )


@st.composite
def cases(
    draw: st.DrawFn, families: tuple[str, ...] = tuple(FAMILIES), *, most: int = 6, columns: int = 6, days: bool = True
) -> Case:
    """A random market, instruments of the given families with some marks, and scenarios."""
    market = draw(markets())
    terms = draw(contracts(market, families, most))
    marked = [t for t in terms if isinstance(t, Perpetual | Future | BondFuture) and draw(st.booleans())]
    spots = {u.name: u.spot for u in market.underlyings}
    marks = []
    for t in marked:
        if spots[t.underlying] > 0.0:
            price = spots[t.underlying] * draw(numbers(0.8, 1.2))
            marks.append(doc.Mark(instrument=t.id, underlying=t.underlying, price=price))
    columns_of, rules = draw(scenario_columns(market, terms, most=columns, days=days))
    return case(msgspec.structs.replace(market, marks=tuple(marks)), terms, columns_of, rules)


def gross_usd(c: Case) -> np.ndarray:
    """The size of each instrument in each scenario [instrument, scenario], USD: what rounding errors are measured by.

    The larger of its notional before and after.
    """
    sizes = [[_gross(k, c.plain_market, s) for s in c.plain_scenarios] for k in c.plain_contracts]
    return np.asarray(sizes).reshape(len(c.terms), len(c.columns))


def _gross(k: spec_valuation.Contract, market: spec_world.Market, s: spec_world.Scenario) -> float:
    total = 0.0
    for t in (spec_world.NOW, s):
        settle = spec_world.asset_usd(market, k.settle or k.asset, t)
        if k.family in {"spot", "sensitivities"}:
            total += settle * (1.0 if k.family == "spot" else sum(abs(d["amount"]) * 1e4 for d in k.deltas + k.gammas))
            continue
        u = market.underlyings[k.underlying]
        price = abs(spec_world.moved_price(market, u, spec_valuation.mark(k, market), k.expiry, t))
        unit = 1.0 if k.payout == "inverse" else price + abs(k.strike) + u.scale
        if k.payout == "inverse" and k.family != "option":
            unit = 1.0 / spec_valuation.mark(k, market) + 1.0 / price
        total += k.multiplier * unit * settle
    return total
