"""What must be held, in plain Python: the terms of a requirement, one group and one pool at a time.

Written from section 5 of the design and the descriptions of the parameters. A model is its document as plain values;
every amount is USD; a loss is positive.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from spec.valuation import Contract, mark, value_usd
from spec.world import NOW, Market, asset_usd, years

Model = Mapping[str, Any]
Losses = Sequence[float]
FUTURES = ("perpetual", "future", "bond_future")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contract held long: its bucket and place, its sensitivities, and its P&L in the scenarios.

    `delta` per 100 % move of its own underlying, `vega` per 1.00 of volatility; `regular` and `tail` are a row of R.
    """

    contract: Contract
    bucket: str
    place: tuple[str, str]
    tenor: float
    price: float
    settle_usd: float
    value: float
    notional: float
    delta: float
    spread: float
    regular: Losses
    tail: Losses

    @property
    def is_option(self) -> bool:
        """Whether it is an option."""
        return self.contract.family == "option"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A quantity of a contract, dealt or to be dealt at `price` (None: at the mark)."""

    row: Row
    quantity: float
    price: float | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Positions margined together, by `mode` isolated, cross or portfolio."""

    mode: str
    positions: tuple[Line, ...] = ()
    orders: tuple[Line, ...] = ()


def describe(c: Contract, market: Market, *, delta: float, vega: float, regular: Losses, tail: Losses) -> Row:
    """A contract at the market of now."""
    asset = c.settle or c.asset
    bucket = asset if c.family == "spot" else c.underlying or asset
    u = market.underlyings.get(c.underlying)
    settle = asset_usd(market, asset, NOW)
    value, price = value_usd(c, market), settle if c.family == "spot" else math.nan
    notional = settle if c.family == "spot" else 0.0
    if u is not None and c.family not in {"spot", "sensitivities"}:
        price = mark(c, market)
        unit = settle if c.payout == "quanto" else asset_usd(market, u.quote, NOW)
        size = u.spot if c.family == "option" else price
        notional = abs(c.multiplier * unit * (1.0 if c.payout == "inverse" and c.family in FUTURES else size))
    figures = market.underlyings[bucket].liquidity if bucket in market.underlyings else None
    spread = 0.0
    if figures is not None and c.family == "option":
        spread = abs(vega) * figures["half_spread_vol_points"] / 100.0
    elif figures is not None:
        spread = abs(delta) * figures["half_spread_bps"] / 10_000.0
    return Row(
        contract=c,
        bucket=bucket,
        place=(c.id.rpartition(".")[2] if "." in c.id else "", asset),
        tenor=years(market, c.expiry),
        price=price,
        settle_usd=settle,
        value=value,
        notional=notional,
        delta=delta,
        spread=spread,
        regular=regular,
        tail=tail,
    )


# --- measures


def measure(losses: Losses, choice: Mapping[str, Any], weights: Losses | None = None) -> float:
    """The worst loss, or the smallest (value at risk) or the weighted mean (expected shortfall) of the tail.

    The tail: the fewest of the largest losses that weigh at least 1 − level of all; ceil(n·(1 − level)) of n equally
    likely ones. No scenarios, no risk. Not below zero.
    """
    if not losses:
        return 0.0
    if choice["kind"] == "worst":
        return max(*losses, 0.0)
    weight = weights or [1.0] * len(losses)
    wanted, tail = (1.0 - choice["level"]) * math.fsum(weight) * (1.0 - 1e-12), []
    for loss, w in sorted(zip(losses, weight, strict=True), key=lambda pair: -pair[0]):
        tail.append((loss, w))
        if math.fsum(w for _, w in tail) >= wanted:
            break
    if choice["kind"] == "value_at_risk":
        return max(tail[-1][0], 0.0)
    return max(math.fsum(loss * w for loss, w in tail) / math.fsum(w for _, w in tail), 0.0)


def losses_of(lines: Iterable[Line], columns: int, part: str) -> list[float]:
    """What lines lose in each scenario; `part` is "regular" or "tail"."""
    held = list(lines)
    return [-math.fsum(line.quantity * getattr(line.row, part)[s] for line in held) for s in range(columns)]


def gain_since(line: Line) -> float:
    """P&L in USD of a line dealt at its price and marked now; none for forwards and ladders, nor without a price.

    Linear q·m·(P − p) and inverse q·m·(1/p − 1/P) in the settlement asset; options q·(value − m·p) with p in the
    settlement asset; spot q·(value − p) with p in USD.
    """
    row, q, p = line.row, line.quantity, line.price
    c = row.contract
    if p is None:
        return 0.0
    if c.family in FUTURES:
        gain = 1.0 / p - 1.0 / row.price if c.payout == "inverse" else row.price - p
        return q * c.multiplier * gain * row.settle_usd
    if c.family == "option":
        return q * (row.value - c.multiplier * p * row.settle_usd)
    return q * (row.value - p) if c.family == "spot" else 0.0


def order_losses(orders: Iterable[Line], columns: int, part: str) -> list[float]:
    """What orders can add to the loss in each scenario, each filled where that hurts."""
    working = list(orders)
    return [
        math.fsum(max(-o.quantity * getattr(o.row, part)[s] - gain_since(o), 0.0) for o in working)
        for s in range(columns)
    ]


def worst_over_fills(positions: Sequence[Line], orders: Sequence[Line], columns: int, part: str) -> float:
    """The greatest loss over all scenarios and over all 2ⁿ sets of orders that may be filled, not below zero."""
    worst = 0.0
    for fills in product((False, True), repeat=len(orders)):
        filled = [o for o, is_filled in zip(orders, fills, strict=True) if is_filled]
        paid = math.fsum(gain_since(o) for o in filled)
        worst = max([worst, *(loss - paid for loss in losses_of([*positions, *filled], columns, part))])
    return worst


# --- the terms of a portfolio group


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """The scenario terms of a group before factors; `alone` is the risk of each bucket by itself."""

    scan: float
    offset_cap: float
    jump: float
    alone: Mapping[str, float]


def scanned(group: Group, model: Model, columns: tuple[int, int], weights: Losses | None = None) -> Scanned:
    """Scan, offset cap and jump, with every order at its worst fill in each of them.

    The offset cap charges 1 − cap of what offsets between buckets take off their sum; the jump what far moves lose
    beyond the scan.
    """
    regular, far = columns
    together = with_orders(group.positions, group.orders, regular, "regular")
    scan = measure(together, model["measure"], weights)
    tail = measure(with_orders(group.positions, group.orders, far, "tail"), {"kind": "worst"})
    alone = {
        bucket: measure(
            with_orders(_in(group.positions, bucket), _in(group.orders, bucket), regular, "regular"),
            model["measure"],
            weights,
        )
        for bucket in sorted({line.row.bucket for line in (*group.positions, *group.orders)})
    }
    offsets = max(math.fsum(alone.values()) - scan, 0.0)
    return Scanned(scan=scan, offset_cap=(1.0 - model["offset_cap"]) * offsets, jump=max(tail - scan, 0.0), alone=alone)


def with_orders(positions: Sequence[Line], orders: Sequence[Line], columns: int, part: str) -> list[float]:
    """What lines lose in each scenario, with every order at its worst fill."""
    held, added = losses_of(positions, columns, part), order_losses(orders, columns, part)
    return [a + b for a, b in zip(held, added, strict=True)]


def _in(lines: Iterable[Line], bucket: str) -> list[Line]:
    return [line for line in lines if line.row.bucket == bucket]


def worst_delta(positions: Iterable[Line], orders: Sequence[Line]) -> float:
    """The largest |delta| that any set of fills can leave: all that raise it filled, or all that lower it."""
    own = math.fsum(line.quantity * line.row.delta for line in positions)
    each = [o.quantity * o.row.delta for o in orders]
    return max(abs(own + math.fsum(x for x in each if x > 0.0)), abs(own + math.fsum(x for x in each if x < 0.0)))


def liquidity(group: Group, market: Market, model: Model) -> float:
    """Half spreads on everything, orders too, and Y·σ·√(q/ADV)·q on each bucket's net delta."""
    total = math.fsum(abs(line.quantity) * line.row.spread for line in (*group.positions, *group.orders))
    for bucket in {line.row.bucket for line in (*group.positions, *group.orders)}:
        if bucket in market.underlyings:
            figures = _liquidity_of(market, bucket)
            q = worst_delta(_in(group.positions, bucket), _in(group.orders, bucket))
            total += model["liquidity"]["impact"] * figures["daily_vol"] * math.sqrt(q / figures["adv_usd"]) * q
    return total


def concentration(group: Group, market: Market, model: Model, alone: Mapping[str, float]) -> float:
    """Each bucket's risk alone × (√(days to unwind / horizon) − 1), where it takes longer than the horizon."""
    rules, total = model["liquidity"], 0.0
    for bucket, risk in alone.items():
        if bucket in market.underlyings:
            q = worst_delta(_in(group.positions, bucket), _in(group.orders, bucket))
            days = q / (rules["participation"] * _liquidity_of(market, bucket)["adv_usd"])
            total += risk * (math.sqrt(max(days / rules["horizon_days"], 1.0)) - 1.0)
    return total


def _liquidity_of(market: Market, bucket: str) -> Mapping[str, float]:
    figures = market.underlyings[bucket].liquidity
    assert figures is not None, f"{bucket} states no liquidity"
    return figures


def basis(group: Group, model: Model) -> float:
    """Longs against shorts of each bucket, the larger side scaled to the smaller; orders matched at the floor.

    Matched one by one along the curve, the shortest tenors first, which is the least total distance on a line; what
    cannot be matched at one place is apart.
    """
    rules, total = model["basis"], 0.0
    for bucket in {line.row.bucket for line in (*group.positions, *group.orders)}:
        lines = [(line.row, line.quantity * line.row.delta) for line in _in(group.positions, bucket)]
        longs = [(row, x) for row, x in lines if x > 0.0]
        shorts = [(row, -x) for row, x in lines if x < 0.0]
        matched = min(math.fsum(x for _, x in longs), math.fsum(x for _, x in shorts))
        if matched > 0.0:
            longs, shorts = _scaled(longs, matched), _scaled(shorts, matched)
            total += rules["floor"] * matched + rules["annual"] * _moved(longs, shorts)
            total += rules["venue"] * (matched - _same_place(longs, shorts))
        total += rules["floor"] * math.fsum(abs(o.quantity * o.row.delta) for o in _in(group.orders, bucket))
    return total


def _scaled(side: list[tuple[Row, float]], matched: float) -> list[tuple[Row, float]]:
    whole = math.fsum(x for _, x in side)
    return [(row, x * matched / whole) for row, x in side]


def _moved(longs: list[tuple[Row, float]], shorts: list[tuple[Row, float]]) -> float:
    """Notional × years between the two sides, both taken in the order of their tenors."""
    left, right = ([[row.tenor, x] for row, x in sorted(s, key=lambda pair: pair[0].tenor)] for s in (longs, shorts))
    total = 0.0
    while left and right:
        step = min(left[0][1], right[0][1])
        total += step * abs(left[0][0] - right[0][0])
        for side in (left, right):
            side[0][1] -= step
            if side[0][1] <= 0.0:
                side.pop(0)
    return total


def _same_place(longs: list[tuple[Row, float]], shorts: list[tuple[Row, float]]) -> float:
    places = {row.place for row, _ in longs}
    return math.fsum(
        min(math.fsum(x for row, x in longs if row.place == p), math.fsum(x for row, x in shorts if row.place == p))
        for p in places
    )


def short_notional(group: Group) -> float:
    """Underlying notional of all options sold, orders too; long legs do not reduce it."""
    lines = (*group.positions, *group.orders)
    return math.fsum(-line.quantity * line.row.notional for line in lines if line.row.is_option and line.quantity < 0.0)


def oracle(group: Group, market: Market, model: Model) -> float:
    """multiplier × width of the mark × |delta| of each bucket."""
    total = 0.0
    for bucket in {line.row.bucket for line in (*group.positions, *group.orders)}:
        if bucket in market.underlyings:
            q = worst_delta(_in(group.positions, bucket), _in(group.orders, bucket))
            total += market.underlyings[bucket].uncertainty * q
    return float(model["oracle"]["multiplier"]) * total


def portfolio_terms(
    group: Group, market: Market, model: Model, columns: tuple[int, int], weights: Losses | None = None
) -> dict[str, tuple[float, float]]:
    """The terms of a portfolio group as (initial, maintenance); the short-option minimum is what scan, cap and jump
    lack of it."""
    found = scanned(group, model, columns, weights)
    floor = model["short_option"]["rate"] * short_notional(group)
    amounts = {
        "scan": (found.scan, model["scan"]),
        "offset_cap": (found.offset_cap, model["scan"]),
        "jump": (found.jump, model["jump"]),
        "liquidity": (liquidity(group, market, model), model["liquidity"]["spread"]),
        "concentration": (
            concentration(group, market, model, found.alone),
            model["liquidity"]["concentration"],
        ),
        "basis": (basis(group, model), model["basis"]["factor"]),
        "short_option_minimum": (
            max(floor - found.scan - found.offset_cap - found.jump, 0.0),
            model["short_option"]["factor"],
        ),
        "oracle": (oracle(group, market, model), model["oracle"]["factor"]),
    }
    return {name: (f["initial"] * x, f["maintenance"] * x) for name, (x, f) in amounts.items()}


# --- groups by rule


def bracketed(notional: float, tiers: Sequence[Mapping[str, float]], rate: str) -> float:
    """Each tier's rate on the part of the notional above the tier before; the last tier has no end."""
    total, floor = 0.0, 0.0
    for i, tier in enumerate(tiers):
        top = notional if i == len(tiers) - 1 else min(notional, tier["notional_cap"])
        total += max(top - floor, 0.0) * tier[rate]
        floor = max(floor, top)
    return total


def short_option_rates(row: Row, market: Market, rule: Mapping[str, Any]) -> tuple[float, float]:
    """Initial max(far − out of the money, near) and maintenance, of the underlying's price; initial is not the less."""
    c, option = row.contract, rule["option"]
    spot = market.underlyings[c.underlying].spot
    away = max(c.strike - spot if c.right == "call" else spot - c.strike, 0.0)
    out = away / abs(spot) if spot else math.inf  # at a price of zero the notional is zero as well
    near = max(option["initial_far"] - out, option["initial_near"])
    return max(near, option["maintenance"]), option["maintenance"]


def rule_term(group: Group, market: Market, model: Model) -> tuple[float, float]:
    """Initial and maintenance margin by rule: each contract with all its buys or all its sells filled."""
    initial, maintenance = [], []
    for row in _rows((*group.positions, *group.orders)):
        rule = model["rules"][market.underlyings[row.contract.underlying].risk_class]
        held = math.fsum(line.quantity for line in group.positions if line.row is row)
        ordered = [o.quantity for o in group.orders if o.row is row]
        most = held + math.fsum(q for q in ordered if q > 0.0)
        least = held + math.fsum(q for q in ordered if q < 0.0)
        if row.is_option:
            rates = short_option_rates(row, market, rule)
            sold = max(-least, 0.0) * row.notional
            initial.append(sold * rates[0])
            maintenance.append(sold * rates[1])
        else:
            size = max(abs(most), abs(least)) * row.notional
            initial.append(bracketed(size, rule["tiers"], "initial"))
            maintenance.append(bracketed(size, rule["tiers"], "maintenance"))
    cost = math.fsum(fill_cost(o, model) for o in group.orders)
    return math.fsum(initial) + cost, math.fsum(maintenance) + cost


def fill_cost(order: Line, model: Model) -> float:
    """What a fill takes from the equity of a group by rule: a limit through the mark, a premium not credited."""
    row, lost = order.row, 0.0
    if row.is_option and row.contract.premium == "upfront":
        lost = (1.0 - model["long_option_credit"]) * max(order.quantity * row.value, 0.0)
    return max(lost - gain_since(order), 0.0)


def _rows(lines: Iterable[Line]) -> list[Row]:
    found: dict[int, Row] = {id(line.row): line.row for line in lines}
    return list(found.values())


# --- groups and pools


def counted_value(group: Group, model: Model, *, options: bool) -> float:
    """What a group's positions are worth as assets: options (or all else), premium paid up front.

    In a group by rule a long option counts only the model's credit.
    """
    total = []
    for row in _rows(group.positions):
        value = math.fsum(line.quantity for line in group.positions if line.row is row) * row.value
        if row.is_option != options or (row.is_option and row.contract.premium != "upfront"):
            continue
        is_credit = group.mode != "portfolio" and row.is_option and value > 0.0
        total.append(model["long_option_credit"] * value if is_credit else value)
    return math.fsum(total)


def _is_bought(line: Line) -> bool:
    return line.row.is_option and line.row.contract.premium == "upfront" and line.quantity > 0.0


def _at_most(terms: dict[str, tuple[float, float]], value: float) -> dict[str, tuple[float, float]]:
    """Terms scaled down to a total of `value`: options bought cannot lose more than that."""
    initial, maintenance = (math.fsum(t[i] for t in terms.values()) for i in (0, 1))
    scale = value / initial if initial > value else 1.0
    return {name: (t[0] * scale, t[0] * scale if maintenance > value else t[1]) for name, t in terms.items()}


def group_terms(
    group: Group, market: Market, model: Model, columns: tuple[int, int], weights: Losses | None = None
) -> dict[str, tuple[float, float]]:
    """Every term of a group; where the model says so, net option value is subtracted, down to nothing required."""
    if group.mode == "portfolio":
        terms = portfolio_terms(group, market, model, columns, weights)
        if all(_is_bought(line) for line in group.positions if line.quantity) and not group.orders:
            terms = _at_most(terms, counted_value(group, model, options=True))
    else:
        terms = {"rule": rule_term(group, market, model)}
    if model["option_value"] == "requirement":
        net = counted_value(group, model, options=True)
        initial, maintenance = (math.fsum(t[i] for t in terms.values()) for i in (0, 1))
        terms["option_value"] = (max(-net, -initial), max(-net, -maintenance))
    return terms
