"""Whether an account covers what it must hold, in plain Python: its pools, and equity against requirement in each."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spec.collateral import Counted, Holding, recognise
from spec.margin import (
    Group,
    Line,
    Losses,
    Model,
    Row,
    counted_value,
    gain_since,
    group_terms,
    measure,
    scanned,
    with_orders,
)
from spec.world import Market

Held = tuple[Holding, Row]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Collateral and the groups that it secures; `held` are the rows of the holdings, in their order."""

    groups: tuple[Group, ...]
    holdings: tuple[Holding, ...] = ()
    held: tuple[Row, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Equity in its parts, the requirement of each group by term as (initial, maintenance), and the sums."""

    collateral: float
    unsettled: float
    position_value: float
    equity: float
    wrong_way: float
    terms: tuple[dict[str, tuple[float, float]], ...]
    initial: float
    maintenance: float
    status: str
    counted: tuple[Counted, ...]


def pools(
    account: Mapping[str, Any], row_of: Callable[[str], Row], holding_of: Callable[[Mapping[str, Any]], Held]
) -> dict[str, Pool]:
    """The pools of an account by name, in no particular order.

    An isolated group, and any group with collateral of its own, is a pool by itself. The others share the account's
    collateral: all of it, or in a "single" account each settlement asset apart.
    """
    found: dict[str, Pool] = {}
    shared: dict[str, list[Group]] = {}
    single = account["pool"] == "single"
    for raw in account["groups"]:
        group = _group(raw, row_of)
        if raw["mode"] == "isolated" or raw["collateral"]:
            found[f"{account['id']}/{raw['id']}"] = _pool([group], raw["collateral"], holding_of)
        elif single:
            for asset in {line.row.contract.settle or line.row.contract.asset for line in _lines(group)}:
                shared.setdefault(asset, []).append(_settled_in(group, asset))
        else:
            shared.setdefault("", []).append(group)
    if not single:
        return found | {account["id"]: _pool(shared.get("", []), account["collateral"], holding_of)}
    for asset in {*shared, *(h["asset"] for h in account["collateral"])}:
        mine = [h for h in account["collateral"] if h["asset"] == asset]
        found[f"{account['id']}/{asset}"] = _pool(shared.get(asset, []), mine, holding_of)
    return found


def _pool(
    groups: Sequence[Group], raw: Sequence[Mapping[str, Any]], holding_of: Callable[[Mapping[str, Any]], Held]
) -> Pool:
    held = [holding_of(h) for h in raw]
    return Pool(groups=tuple(groups), holdings=tuple(h for h, _ in held), held=tuple(row for _, row in held))


def _group(raw: Mapping[str, Any], row_of: Callable[[str], Row]) -> Group:
    def lines(kind: str, price: str) -> tuple[Line, ...]:
        return tuple(
            Line(row=row_of(x["instrument"]), quantity=float(x["quantity"]), price=x[price]) for x in raw[kind]
        )

    return Group(mode=raw["mode"], positions=lines("positions", "entry_price"), orders=lines("orders", "price"))


def _lines(group: Group) -> tuple[Line, ...]:
    return (*group.positions, *group.orders)


def _settled_in(group: Group, asset: str) -> Group:
    def mine(lines: tuple[Line, ...]) -> tuple[Line, ...]:
        return tuple(x for x in lines if (x.row.contract.settle or x.row.contract.asset) == asset)

    return Group(mode=group.mode, positions=mine(group.positions), orders=mine(group.orders))


def unsettled(group: Group) -> float:
    """P&L since entry that was not paid: of everything but spot and options, whose premium was."""
    paid = [
        line.row.contract.family == "spot" or (line.row.is_option and line.row.contract.premium == "upfront")
        for line in group.positions
    ]
    return math.fsum(gain_since(line) for line, is_paid in zip(group.positions, paid, strict=True) if not is_paid)


def status(equity: float, initial: float, maintenance: float) -> str:
    """Meeting a requirement exactly is enough."""
    if equity < maintenance:
        return "liquidation"
    return "healthy" if equity >= initial else "restricted"


def margin(pool: Pool, market: Market, model: Model, columns: tuple[int, int], weights: Losses | None = None) -> Answer:
    """One pool: equity, requirement, status.

    With collateral in the scenarios it stands among the positions of the first portfolio group, without haircuts and
    without a wrong-way term.
    """
    at = next((i for i, g in enumerate(pool.groups) if g.mode == "portfolio"), None)
    inside = model["collateral"]["mode"] == "scenario" and at is not None
    counted = recognise(pool.holdings, model["collateral"], by_rule=not inside)
    held = tuple(Line(row=row, quantity=h.amount) for row, h in zip(pool.held, pool.holdings, strict=True))
    margined = tuple(
        Group(mode=g.mode, positions=(*g.positions, *held), orders=g.orders) if inside and i == at else g
        for i, g in enumerate(pool.groups)
    )
    terms = tuple(group_terms(g, market, model, columns, weights) for g in margined)
    collateral = math.fsum(c.recognised for c in counted)
    paid = math.fsum(unsettled(g) for g in pool.groups)
    others = math.fsum(counted_value(g, model, options=False) for g in pool.groups)
    options = math.fsum(counted_value(g, model, options=True) for g in pool.groups)
    value = others + (options if model["option_value"] == "equity" else 0.0)
    extra = 0.0
    if not inside:
        covered = [covered_loss(g, model, columns, weights) for g in margined]
        extra = wrong_way(pool, counted, covered, collateral + paid + others + options, model, columns[0], weights)
    factor, equity = model["wrong_way"]["factor"], collateral + paid + value
    initial, maintenance = (
        math.fsum(t[i] for g in terms for t in g.values()) + factor[name] * extra
        for i, name in enumerate(("initial", "maintenance"))
    )
    return Answer(
        collateral=collateral,
        unsettled=paid,
        position_value=value,
        equity=equity,
        wrong_way=extra,
        terms=terms,
        initial=initial,
        maintenance=maintenance,
        status=status(equity, initial, maintenance),
        counted=tuple(counted),
    )


def covered_loss(group: Group, model: Model, columns: tuple[int, int], weights: Losses | None = None) -> float:
    """The loss of a group's positions that is not the collateral's: its scan, with the offset cap where it applies."""
    found = scanned(group, model, columns, weights)
    return found.scan + (found.offset_cap if group.mode == "portfolio" else 0.0)


def wrong_way(
    pool: Pool,
    counted: Sequence[Counted],
    covered: Sequence[float],
    worth: float,
    model: Model,
    columns: int,
    weights: Losses | None = None,
) -> float:
    """What collateral falls short when it falls with the positions, beyond its haircuts.

    x is the joint risk of positions, orders and collateral that neither the scans nor the haircuts cover. Of a pool
    `worth` W only what the positions need matters: x·min(1, covered/(W − x)). So W ≥ covered + this if and only if
    W − x ≥ covered. Nothing without collateral or without positions.
    """
    need = math.fsum(covered)
    if need == 0.0 or not pool.holdings:
        return 0.0
    lines = [line for g in pool.groups for line in g.positions]
    lines += [Line(row=row, quantity=h.amount) for row, h in zip(pool.held, pool.holdings, strict=True)]
    orders = [o for g in pool.groups for o in g.orders]
    joint = measure(with_orders(lines, orders, columns, "regular"), model["measure"], weights)
    taken = math.fsum(c.gross - c.recognised for c in counted)
    beyond = max(joint - need - taken, 0.0)
    left = worth - beyond
    return beyond * (need / left if left > need else 1.0)
