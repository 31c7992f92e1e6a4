"""Which collateral secures which positions, in plain Python: an account document as pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spec.collateral import Holding
from spec.margin import Group, Line, Pool, Row

Held = tuple[Holding, Row]


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
