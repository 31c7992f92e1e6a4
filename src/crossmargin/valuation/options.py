"""Options as rows of R: slices of equal expiry and settlement, priced once per distinct column of shocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray, IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.table import InstrumentTable, PayoutCode
from crossmargin.market.snapshot import Snapshot, Underlying
from crossmargin.scenarios.scenario_set import ScenarioSet, still
from crossmargin.valuation.cells import Financing, Model, OptionRows, SliceShocks, SliceSmiles
from crossmargin.valuation.kernels.revalue import option_pnl, option_values
from crossmargin.valuation.world import World, rate_curve, relevant_rows, surface_of

SAMPLE: Final = 4096  # columns that say whether most of them differ


def option_blocks(
    table: InstrumentTable, world: World, rows: IndexArray, *, sticky: float = 1.0, threads: int = 1
) -> Iterator[tuple[IndexArray, FloatArray]]:
    """Rows that are priced together, and the P&L of one contract of each [row, scenario], USD, damped."""
    for here in _by_kernel(table, rows):
        part = _Part.of(table, world.snapshot, rows[here])
        columns, inverse = _distinct_columns(part, world.scenarios)
        distinct = len(columns) == len(inverse)
        reduced = world if distinct else World(snapshot=world.snapshot, scenarios=world.scenarios.take(columns))
        priced = part.pnl(reduced, sticky=sticky, threads=threads)
        # Most of the time is memory: columns are spread only where some are equal.
        yield rows[here], priced if distinct else np.take(priced, inverse, axis=1)


def option_values_usd(table: InstrumentTable, snapshot: Snapshot, rows: IndexArray) -> FloatArray:
    """Value of one contract [row], USD; the same arithmetic as `option_blocks`, bit for bit."""
    value = np.empty(len(rows))
    for here in _by_kernel(table, rows):
        value[here] = _Part.of(table, snapshot, rows[here]).values()
    return value


def _by_kernel(table: InstrumentTable, rows: IndexArray) -> Iterator[IntArray]:
    """Places in `rows` that are priced together: one underlying, and early exercise or not."""
    key = table.underlying[rows] * 2 + table.american[rows]
    for code in np.unique(key):
        yield np.flatnonzero(key == code)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Options of one underlying and one kernel: rows, and the slice (expiry, payout, settlement, …) of each."""

    table: InstrumentTable
    snapshot: Snapshot
    u: Underlying
    rows: IndexArray
    slice_row: IndexArray  # the first option of each slice, which stands for all of them
    slice_index: IndexArray
    forward: FloatArray

    @staticmethod
    def of(table: InstrumentTable, snapshot: Snapshot, rows: IndexArray) -> _Part:
        u = snapshot.underlyings[table.underlyings[table.underlying[rows[0]]]]
        if table.american[rows[0]] and not surface_of(u).lognormal:
            raise InvalidInput(
                "exercise",
                where=table.ids[rows[0]],
                value="american",
                limit="european where prices may be negative",
                remedy="Give the underlying a lognormal surface, or the option European exercise.",
            )
        columns = (table.expiry_ns, table.payout, table.settle, table.discounted, table.on_future)
        keys = np.stack([np.asarray(column[rows], np.int64) for column in columns], axis=1)
        _, first, index = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        return _Part(
            table=table,
            snapshot=snapshot,
            u=u,
            rows=rows,
            slice_row=rows[first].astype(np.int32),
            slice_index=index.reshape(-1).astype(np.int32),
            forward=u.curve(table.expiry_ns[rows[first]]),
        )

    @property
    def model(self) -> Model:
        if self.table.american[self.rows[0]]:
            return Model.AMERICAN
        return Model.BLACK if surface_of(self.u).lognormal else Model.NORMAL

    def financing(self, world: World) -> Financing | None:
        """Discounting and carry of American options; none for the others."""
        if self.model is not Model.AMERICAN:
            return None
        expiry, on_future = self.table.expiry_ns[self.slice_row], self.table.on_future[self.slice_row]
        tenor, after = world.tenor_years(expiry), world.tenor_after(expiry)
        carry = np.where(on_future, 0.0, np.log(self.forward / self.u.spot))
        shift = world.scenarios.shock_at("fwd", self.u.name, tenor) * tenor[:, None]
        moved = carry[:, None] + np.where(on_future[:, None], 0.0, shift)
        return Financing(
            rate=rate_curve(self.snapshot, self.u.quote).rate_at(tenor) * tenor,
            carry=carry,
            rate_after=world.log_growth(self.u.quote, expiry),
            carry_after=moved * (after / tenor[:, None]),
        )

    def option_rows(self) -> OptionRows:
        strike, forward = self.table.strike[self.rows], self.forward[self.slice_index]
        black = self.model is not Model.NORMAL
        return OptionRows(
            moneyness=np.log(strike / forward) if black else (strike - forward) / surface_of(self.u).scale,
            right=self.table.right[self.rows],
            slice_index=self.slice_index,
            multiplier=self.table.multiplier[self.rows],
        )

    def smiles(self) -> SliceSmiles:
        world = World(snapshot=self.snapshot, scenarios=still())
        surface, expiry = surface_of(self.u), self.table.expiry_ns[self.slice_row]
        blend = surface.blend(expiry)
        return SliceSmiles(
            low=surface.params[blend.low],
            high=surface.params[blend.high],
            weight_low=blend.weight_low,
            weight_high=blend.weight_high,
            tau=world.tenor_years(expiry),
            numeraire=np.ascontiguousarray(self._numeraire(world)[:, 0]),
        )

    def _numeraire(self, world: World) -> FloatArray:
        """USD value of one unit of the model's price [slice, scenario].

        A/1 for an inverse option (its value in coin is C/F), D·F·A for a linear one, D·scale·A in the normal model.
        """
        rows, table = self.slice_row, self.table
        expiry = table.expiry_ns[rows]
        settle = np.stack([world.asset_price(table.assets[a]) for a in table.settle[rows]])
        if self.model is Model.NORMAL:
            unit = np.full_like(settle, surface_of(self.u).scale)
        else:
            unit = self.forward[:, None] * world.growth(self.u, expiry)
        discounted = table.discounted[rows] & (table.payout[rows] != PayoutCode.INVERSE)
        if discounted.any():
            unit = unit * np.where(discounted[:, None], world.discount(self.u.quote, expiry), 1.0)
        inverse = (table.payout[rows] == PayoutCode.INVERSE)[:, None]
        return np.asarray(np.where(inverse, settle, unit * settle))

    def shocks(self, world: World) -> SliceShocks:
        expiry = self.table.expiry_ns[self.slice_row]
        tenor = world.tenor_years(expiry)
        multiplier = world.vol_multiplier(self.u.name, tenor)
        rule = world.rule(self.u.name)
        at_money = np.sqrt(surface_of(self.u).total_variance(0.0, expiry))
        width = np.maximum(rule.min_width, rule.width * at_money)[:, None]
        (skew_slope, skew_cap), (smile_slope, smile_cap) = (
            _bend(world, f"{kind}:{self.u.name}", width) for kind in ("skew", "smile")
        )
        return SliceShocks(
            move=world.log_move(self.u, expiry),
            tau=world.tenor_after(expiry),
            vol_multiplier=multiplier,
            vol_floor=np.where(multiplier > 1.0, rule.min_vol_up, 0.0),
            skew_slope=skew_slope,
            skew_cap=skew_cap,
            smile_slope=smile_slope,
            smile_cap=smile_cap,
            numeraire=self._numeraire(world),
        )

    def pnl(self, world: World, *, sticky: float, threads: int) -> FloatArray:
        return option_pnl(
            self.option_rows(),
            self.smiles(),
            self.shocks(world),
            world.scenarios.damping,
            model=self.model,
            financing=self.financing(world),
            sticky=sticky,
            threads=threads,
        )

    def values(self) -> FloatArray:
        now = World(snapshot=self.snapshot, scenarios=still())
        return option_values(self.option_rows(), self.smiles(), model=self.model, financing=self.financing(now))


def _bend(world: World, factor: str, width: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slope and cap of a skew or smile shock [slice, scenario]; one zero seen everywhere where nothing moves it."""
    shape = (len(width), len(world.scenarios))
    if factor not in world.scenarios.factors:
        return np.broadcast_to(0.0, shape), np.broadcast_to(0.0, shape)
    shock = np.broadcast_to(world.scenarios.row(factor), shape)
    return shock / width, np.abs(shock)


def _distinct_columns(part: _Part, scenarios: ScenarioSet) -> tuple[IntArray, IntArray]:
    """The first of each set of columns that these options cannot tell apart, and for each column which one it is."""
    u, table, snapshot = part.u, part.table, part.snapshot
    assets = {table.assets[a] for a in table.settle[part.slice_row]}
    prices = [factor for asset in assets for factor in snapshot.asset_factors(asset)]
    names = {"fwd": [u.name], "vol": [u.name], "skew": [u.name], "smile": [u.name], "rate": [u.quote]}
    # Dates of the past differ in their prices mostly, and sorting whole columns costs more than pricing a few twice.
    seen = scenarios.row(u.factor)[:: -(-len(scenarios) // SAMPLE) or 1]
    if 2 * len(np.unique(seen)) > len(seen):
        every = np.arange(len(scenarios))
        return every, every
    rows = relevant_rows(scenarios, [u.factor, *prices], names)
    _, first, inverse = np.unique(rows, axis=1, return_index=True, return_inverse=True)
    order = np.argsort(first)  # keep the columns in the order of the set, far moves last
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order].astype(np.int64), rank[inverse.reshape(-1)].astype(np.int64)
