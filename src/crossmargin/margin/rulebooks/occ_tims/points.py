"""Customer portfolio margin: the worst of ten valuation points, with offsets inside a product group.

    loss of a class group (all that is on one underlying) at point p: −Σ q·(V(S·(1 + x_p)) − V(S)), volatility unchanged
    product group at p: Σ losses − offset·Σ gains of its class groups;  requirement = max(0, worst point, minimum)
    minimum = 0.375 USD times the multiplier for each option and future, of an option bought at most its value

Every option keeps its strike's own volatility (sticky strike). There is one level: initial margin is maintenance.
Source: FINRA Rule 4210(g); SEC Rule 15c3-1a; OCC, customer portfolio margin; read November 2026.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, tally
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.table import Family, build_table
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import LINEAR, read_holdings
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleScenario, RuleTerm
from crossmargin.market.snapshot import USD, Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.scenario_set import Scenario, collect
from crossmargin.valuation.pnl import pnl, values_usd

POINTS: Final = 10
_NOTE: Final = "ranges, points and offsets are general knowledge, not confirmed in the text of the rule"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class ProductClass(_Part, frozen=True, kw_only=True):
    """The ten relative moves of a class, ascending, and the product group it is in."""

    group: str
    points: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check that there are ten, ascending, and none takes a price to zero."""
        where = f"class of group {self.group}"
        if len(self.points) != POINTS or list(self.points) != sorted(set(self.points)):
            limit, remedy = f"{POINTS}, ascending", "State every point once."
            raise InvalidInput("points", where=where, value=self.points, limit=limit, remedy=remedy)
        for point in self.points:
            check.within(point, "point", math.nextafter(-1.0, 0.0), 10.0, where=where)


class Parameters(_Part, frozen=True, kw_only=True):
    """Classes by name, offsets by product group, and which class an underlying is in: by name, else by risk class."""

    source: str
    date: str
    minimum: float
    classes: dict[str, ProductClass]
    offsets: dict[str, float]
    risk_classes: dict[str, str]
    underlyings: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Check that every name used is defined, and the numbers."""
        where = "parameters"
        check.within(self.minimum, "minimum", 0.0, 1e6, where=where)
        for name, offset in self.offsets.items():
            check.within(offset, f"offset of {name}", 0.0, 1.0, where=where)
        for name, one in self.classes.items():
            check.known(one.group, self.offsets, f"product group of {name}", where=where)
        for table in (self.risk_classes, self.underlyings):
            for name, target in table.items():
                check.known(target, self.classes, f"class of {name}", where=where)

    def class_of(self, underlying: str, risk_class: str) -> str:
        """The class of an underlying; empty where it is in none."""
        return self.underlyings.get(underlying) or self.risk_classes.get(risk_class, "")


class PointPosition(_Part, frozen=True, kw_only=True):
    """`quantity` contracts (or shares), long > 0, on an `underlying` of a class.

    `gains` [point] is what one held long gains, USD. `minimum_size` is the multiplier to which the minimum applies, 0
    for shares; `value` is that of one option, which bounds the minimum of options bought (none for futures).
    """

    instrument: str
    underlying: str
    product_class: str
    quantity: float
    gains: tuple[float, ...]
    minimum_size: float = 0.0
    value: float | None = None

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.quantity(self.quantity, "quantity", where=self.instrument)
        if len(self.gains) != POINTS:
            limit, remedy = f"{POINTS} values", "State every point."
            raise InvalidInput("gains", where=self.instrument, value=len(self.gains), limit=limit, remedy=remedy)
        for gain in self.gains:
            check.finite(gain, "gain", where=self.instrument)
        check.within(self.minimum_size, "minimum_size", 0.0, 1e15, where=self.instrument)
        if self.value is not None:
            check.finite(self.value, "value", where=self.instrument)


class GroupMargin(_Part, frozen=True, kw_only=True):
    """One product group, USD: `losses` [point] after offsets, its minimum, and the larger of the two."""

    group: str
    losses: tuple[float, ...]
    worst: int
    minimum: float
    requirement: float


class PointMargin(_Part, frozen=True, kw_only=True):
    """All product groups in the order of their names, and the sum of their requirements, USD."""

    groups: tuple[GroupMargin, ...]
    requirement: float


def margin_of(positions: Sequence[PointPosition], parameters: Parameters) -> PointMargin:
    """The requirement of positions; raises `UnknownName` for a class that there is not."""
    for one in positions:
        check.known(one.product_class, parameters.classes, "product class", where=one.instrument)
    members: dict[str, list[PointPosition]] = {}
    for one in positions:
        members.setdefault(parameters.classes[one.product_class].group, []).append(one)
    groups = tuple(_group(name, mine, parameters) for name, mine in sorted(members.items()))
    return PointMargin(groups=groups, requirement=math.fsum(g.requirement for g in groups))


def _group(name: str, positions: Sequence[PointPosition], parameters: Parameters) -> GroupMargin:
    quantity = np.asarray([p.quantity for p in positions])
    losses = -quantity[:, None] * np.asarray([p.gains for p in positions])
    names, place = np.unique([p.underlying for p in positions], return_inverse=True)
    by_class = np.zeros((len(names), POINTS))
    np.add.at(by_class, place, losses)
    net = np.maximum(by_class, 0.0).sum(axis=0) - parameters.offsets[name] * np.maximum(-by_class, 0.0).sum(axis=0)
    minimum = float(np.sum(_minimums(positions, quantity, parameters.minimum)))
    worst = int(net.argmax())
    return GroupMargin(
        group=name,
        losses=tuple(net.tolist()),
        worst=worst + 1,
        minimum=minimum,
        requirement=max(float(net[worst]), minimum, 0.0),
    )


def _minimums(positions: Sequence[PointPosition], quantity: FloatArray, rate: float) -> FloatArray:
    """Minimum of each position [position]; an option bought needs at most its value."""
    each = rate * np.asarray([p.minimum_size for p in positions])
    most = np.asarray([math.inf if p.value is None else max(p.value, 0.0) for p in positions])
    return np.abs(quantity) * np.where(quantity > 0.0, np.minimum(each, most), each)


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The requirement of one account: positions, and collateral that is on an underlying of a class.

    Equity is the liquidating value: cash, options, shares, and unsettled P&L; debts count in full. What is on an
    underlying of no class is refused by name, other collateral and working orders too. Raises `InvalidInput` for a
    book of more or fewer accounts, `MissingFactors` where the market lacks a price.
    """
    account = read_holdings(book, snapshot, families=LINEAR, where=RULEBOOK.id)
    size = len(book.table)
    traded = tally(book.positions.instrument, book.positions.quantity, size)
    quantity = traded + tally(book.holdings.instrument, book.holdings.quantity, size)
    on = {int(row): _underlying(book, snapshot, int(row)) for row in np.flatnonzero(quantity)}
    classes = {
        row: parameters.class_of(name, snapshot.underlyings[name].risk_class) if name in snapshot.underlyings else ""
        for row, name in on.items()
    }
    rows = [row for row, found in classes.items() if found and book.table.family[row] != Family.SENSITIVITIES]
    margin = margin_of(_positions(book, snapshot, rows, on, classes, quantity, parameters), parameters)
    value = values_usd(book.table, snapshot)
    # Any debt counts beside cash: leaving one out would raise equity.
    spot = [row for row in on if row not in rows and book.table.family[row] == Family.SPOT]
    cash = [row for row in spot if on[row] == USD or quantity[row] < 0.0]
    counted = [*rows, *cash]
    gains = [c.pnl for c in account.contracts if book.table.row[c.instrument] in rows]
    orders = (f"order {book.table.ids[row]}" for row in book.orders.instrument)
    answer = summed(
        RULEBOOK.id,
        parameters.date,
        _terms(margin),
        math.fsum([*(float(quantity[row] * value[row]) for row in counted), *gains]),
        certainty="approximate",
        notes=(_NOTE,),
        refused=[*(_refusal(book, row, traded) for row in on if row not in rows and on[row] != USD), *orders],
    )
    worst = max(margin.groups, key=lambda g: max(g.losses), default=None)
    return msgspec.structs.replace(
        answer,
        worst_scenario=f"{worst.group} {worst.worst}" if worst else "",
        scenarios=tuple(
            RuleScenario(label=f"{g.group} {n}", pnl_usd=-x) for g in margin.groups for n, x in enumerate(g.losses, 1)
        ),
    )


def _underlying(book: Book, snapshot: Snapshot, row: int) -> str:
    """What an instrument is on; of a holding, what its asset refers to."""
    table = book.table
    if table.family[row] != Family.SPOT:
        return table.underlyings[table.underlying[row]] if table.underlying[row] >= 0 else ""
    asset = table.assets[table.settle[row]]
    return snapshot.assets[asset].reference if asset in snapshot.assets else asset


def _refusal(book: Book, row: int, traded: FloatArray) -> str:
    return book.table.ids[row] if traded[row] else f"collateral {book.table.assets[book.table.settle[row]]}"


def _positions(
    book: Book,
    snapshot: Snapshot,
    rows: Iterable[int],
    on: Mapping[int, str],
    classes: Mapping[int, str],
    quantity: FloatArray,
    parameters: Parameters,
) -> tuple[PointPosition, ...]:
    """Positions revalued at the points of their class, underlying by underlying."""
    members: dict[str, list[int]] = {}
    for row in rows:
        members.setdefault(on[row], []).append(row)
    found: list[PointPosition] = []
    for name, mine in sorted(members.items()):
        table = build_table([book.table.terms[row] for row in mine], now_ns=snapshot.time_ns)
        points = parameters.classes[classes[mine[0]]].points
        factor = snapshot.underlyings[name].factor
        columns = [Scenario(label=f"{x:+.1%}", family="point", shocks={factor: x}) for x in points]
        gains, value = pnl(table, snapshot, collect(columns), sticky=0.0).values, values_usd(table, snapshot)
        found += [
            PointPosition(
                instrument=table.ids[n],
                underlying=name,
                product_class=classes[row],
                quantity=float(quantity[row]),
                gains=tuple(gains[n].tolist()),
                minimum_size=0.0 if table.family[n] == Family.SPOT else float(table.multiplier[n]),
                value=float(value[n]) if table.family[n] == Family.OPTION else None,
            )
            for n, row in enumerate(mine)
        ]
    return tuple(found)


def _terms(margin: PointMargin) -> list[RuleTerm]:
    """The worst point of each product group, and what the minimum adds to it."""
    terms = []
    for one in margin.groups:
        loss = max(*one.losses, 0.0)
        for name, amount in ((f"loss {one.group}", loss), (f"minimum {one.group}", one.requirement - loss)):
            if amount:
                terms.append(RuleTerm(name=name, initial=amount, maintenance=amount, certainty="approximate"))
    return terms


RULEBOOK: Final = Rulebook(
    id="occ-tims",
    name="Customer portfolio margin by ten points (TIMS method)",
    family="scenario",
    products="listed options, futures and shares on equities and equity indices",
    method="worst of ten price moves of the class, volatility unchanged, with offsets inside a product group",
    formulas=(
        "class group at a point: −Σ q·(V' − V); product group: Σ losses − offset·Σ gains\n"
        "requirement = max(0, worst point, Σ 0.375·multiplier·|q|), initial = maintenance\n"
        "points: −8 %..+6 % (broad index of high capitalisation), ±10 % (other broad index), ±15 % (equity, narrow)"
    ),
    sources=("FINRA Rule 4210(g)", "SEC Rule 15c3-1a", "OCC, customer portfolio margin, read November 2026"),
    certainty="approximate",
    parameters=Parameters,
    folder="occ_tims",
    evaluate=evaluate,
    open_parts=(
        "valuation ranges and the points between their ends",
        "offsets inside product groups, and between them (none is given)",
        "which underlyings are of high capitalisation: the market's risk class or the user's table says",
        "theoretical prices of the clearing house: options are priced off the market's surface",
    ),
)
