"""The sensitivity-based initial margin of every portfolio, side and regulation of a CRIF.

Risk class: delta + vega + curvature (+ base correlation). Product class: √(Σ_rs ψ_rs IM_r IM_s). Total: the product
classes, each times its multiplier, plus add-ons. Where a portfolio is under several regulations each is margined over
its own rows, and the largest total is what is owed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, TypeVar

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen
from crossmargin.core.errors import DuplicateName
from crossmargin.margin.rulebooks.sensitivities.aggregation import root
from crossmargin.margin.rulebooks.sensitivities.classes import bucket_margins, fx_margins, rates_margins
from crossmargin.margin.rulebooks.sensitivities.crif import Crif
from crossmargin.margin.rulebooks.sensitivities.parameters import RISK_CLASSES, SensitivityParameters
from crossmargin.margin.rulebooks.sensitivities.rows import (
    MARGINS,
    PRODUCTS,
    RiskType,
    Rows,
    product_classes,
    risk_types,
)
from crossmargin.margin.rulebooks.sensitivities.tables import Tables, tables_of

Side: TypeAlias = Literal["collect", "post"]
UNSPECIFIED: Final = "unspecified"
EXCLUDED: Final = "excluded"
MODELS: Final = ("", "simm", "simm-r", "simm-p", "simm_r", "simm_p")
SCHEDULE: Final = "schedule"
_MULTIPLIERS: Final = {name.lower(): i for i, name in enumerate(PRODUCTS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginSet:
    """What is margined together: a portfolio, on one side, under one regulation."""

    portfolio: str
    side: Side
    regulation: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SensitivityMargin:
    """USD by set. `components` [set, product, class, margin] before any correlation across classes; `products`
    [set, product] after it, times no multiplier; `addon` [set] holds what multipliers, notionals and fixed amounts
    add; `total` = Σ products + addon.
    """

    sets: tuple[MarginSet, ...]
    components: FloatArray
    products: FloatArray
    addon: FloatArray
    total: FloatArray
    psi: FloatArray
    parameters: str
    horizon_days: int
    notes: tuple[str, ...] = ()

    def part(self, margin: str) -> FloatArray:
        """What one kind of margin alone (of `MARGINS`) would ask of each set, correlated across classes [set]."""
        alone = self.components[..., MARGINS.index(margin)]
        return np.asarray(_products(alone, self.psi).sum(axis=1))

    def owed(self, portfolio: str, side: Side) -> tuple[MarginSet, float]:
        """The regulation that asks most of a portfolio on a side, and what it asks; raises `UnknownName`."""
        mine = [i for i, s in enumerate(self.sets) if s.portfolio == portfolio and s.side == side]
        if not mine:
            check.known(f"{portfolio} {side}", [f"{s.portfolio} {s.side}" for s in self.sets], "set", where="margin")
        worst = max(mine, key=lambda i: float(self.total[i]))
        return self.sets[worst], float(self.total[worst])


def margin_of(
    crif: Crif,
    parameters: SensitivityParameters | Tables,
    *,
    horizon_days: int = 10,
    currency: str = "USD",
    sides: Sequence[Side] = ("collect", "post"),
) -> SensitivityMargin:
    """The margin of every set of a CRIF under a calibration, for a margin period and a calculation currency.

    Prepared `Tables` have both settled. Rows of the schedule model are left out; a row without a regulation stands
    under `unspecified`, parameters and notionals without one under every regulation of their portfolio. Raises
    `UnknownName` for a bucket, tenor, sub-curve, currency, class or type that the calibration does not know, and
    `InvalidInput` for names and amounts that are missing or out of range.
    """
    tables = (
        parameters
        if isinstance(parameters, Tables)
        else tables_of(parameters, horizon_days=horizon_days, currency=currency)
    )
    if len(sides) > 1 and _same_regulations(crif):
        return _mirrored(margin_of(crif, tables, sides=sides[:1]), sides)
    kept = _modelled(crif)
    kind = risk_types(crif, kept)
    sets, row_at, set_at = _sets(crif, kept, kind, sides)
    row, kinds = kept[row_at], kind[row_at]
    components = _components(crif, row, kinds, set_at, len(sets), tables)
    products = _products(components.sum(axis=-1), tables.psi)
    other = kinds >= RiskType.MULTIPLIER
    addon = _addons(crif, row[other], kinds[other], set_at[other], products)
    return SensitivityMargin(
        sets=sets,
        components=frozen(components),
        products=frozen(products),
        addon=frozen(addon),
        total=frozen(products.sum(axis=1) + addon),
        psi=tables.psi,
        parameters=tables.name,
        horizon_days=tables.horizon_days,
    )


def _components(crif: Crif, row: IntArray, kinds: IntArray, set_at: IntArray, sets: int, tables: Tables) -> FloatArray:
    """[set, product, class, margin]; sets and products without sensitivities take no work."""
    risk = np.flatnonzero(kinds < RiskType.MULTIPLIER)
    product = product_classes(crif, row[risk])
    occupied, cell = np.unique(set_at[risk] * len(PRODUCTS) + product, return_inverse=True)
    rows = Rows(crif=crif, row=row[risk], kind=kinds[risk], cell=cell, amount=crif.amount_usd[row[risk]])
    found = np.zeros((sets * len(PRODUCTS), len(RISK_CLASSES), len(MARGINS)))
    found[occupied] = _classes(rows, len(occupied), tables)
    return found.reshape(sets, len(PRODUCTS), len(RISK_CLASSES), len(MARGINS))


def _same_regulations(crif: Crif) -> bool:
    """Whether every row names the same regulations on both sides, as most files do: then one side is the other."""
    collect, post = crif.texts["collect_regulations"], crif.texts["post_regulations"]
    return collect.names == post.names and np.array_equal(collect.codes, post.codes)


def _mirrored(one: SensitivityMargin, sides: Sequence[Side]) -> SensitivityMargin:
    """The same margins on every side."""
    n = len(sides)
    return replace(
        one,
        sets=tuple(replace(s, side=side) for side in sides for s in one.sets),
        components=frozen(np.tile(one.components, (n, 1, 1, 1))),
        products=frozen(np.tile(one.products, (n, 1))),
        addon=frozen(np.tile(one.addon, n)),
        total=frozen(np.tile(one.total, n)),
    )


def _classes(rows: Rows, cells: int, t: Tables) -> FloatArray:
    """[cell, class, margin] in the order of `RISK_CLASSES`."""
    b = t.buckets
    base = (RiskType.BASE_CORR,)
    found = {
        "rates": rates_margins(rows, cells, t.rates),
        "credit_qualifying": bucket_margins(
            rows.of(RiskType.CREDIT_Q, RiskType.CREDIT_VOL, *base),
            cells,
            b["credit_qualifying"],
            delta=RiskType.CREDIT_Q,
            vega=RiskType.CREDIT_VOL,
            credit="name",
        ),
        "credit_non_qualifying": bucket_margins(
            rows.of(RiskType.CREDIT_NON_Q, RiskType.CREDIT_VOL_NON_Q),
            cells,
            b["credit_non_qualifying"],
            delta=RiskType.CREDIT_NON_Q,
            vega=RiskType.CREDIT_VOL_NON_Q,
            credit="group",
        ),
        "equity": bucket_margins(
            rows.of(RiskType.EQUITY, RiskType.EQUITY_VOL),
            cells,
            b["equity"],
            delta=RiskType.EQUITY,
            vega=RiskType.EQUITY_VOL,
        ),
        "commodity": bucket_margins(
            rows.of(RiskType.COMMODITY, RiskType.COMMODITY_VOL),
            cells,
            b["commodity"],
            delta=RiskType.COMMODITY,
            vega=RiskType.COMMODITY_VOL,
        ),
        "fx": fx_margins(rows, cells, t.fx),
    }
    return np.stack([found[name] for name in RISK_CLASSES], axis=1)


def _products(margins: FloatArray, psi: FloatArray) -> FloatArray:
    """√(Σ_rs ψ_rs IM_r IM_s) [set, product] of margins [set, product, class]."""
    return root(np.einsum("spr,rq,spq->sp", margins, psi, margins, optimize=True))


def _modelled(crif: Crif) -> IntArray:
    """The rows of this model, by number."""
    every = np.arange(len(crif), dtype=np.int64)
    known = {**dict.fromkeys(MODELS, 1), SCHEDULE: 0}

    def mine(text: str, row: int) -> int:
        name = text.strip().lower()
        check.known(name, known, "IMModel", where=crif.place(row), remedy="Write SIMM or Schedule.")
        return known[name]

    return np.flatnonzero(crif.texts["im_model"].mapped(mine, every))


def _addons(crif: Crif, row: IntArray, kind: IntArray, member: IntArray, products: FloatArray) -> FloatArray:
    """Σ (multiplier − 1)·product + Σ fixed amounts + Σ factor/100·Σ|notional| of each set."""
    addon = np.zeros(len(products))
    multiplier: dict[tuple[int, int], float] = {}
    factor: dict[tuple[int, str], float] = {}
    notional: dict[tuple[int, str], float] = {}
    for at, what, number in zip(row.tolist(), kind.tolist(), member.tolist(), strict=True):
        name, usd, where = crif.texts["qualifier"][at].strip(), float(crif.amount_usd[at]), crif.place(at)
        if what == RiskType.MULTIPLIER:
            check.known(name.lower(), _MULTIPLIERS, "Qualifier", where=where, remedy="Name a product class.")
            scale = check.within(float(crif.amount[at]), "multiplier", 1.0, 1e6, where=where)
            _once(multiplier, (number, _MULTIPLIERS[name.lower()]), scale, name, where)
        elif what == RiskType.NOTIONAL_FACTOR:
            percent = check.within(float(crif.amount[at]), "add-on factor (percent)", 0.0, 1e6, where=where)
            _once(factor, (number, name), percent / 100.0, name, where)
        elif what == RiskType.FIXED_AMOUNT:
            addon[number] += check.within(usd, "fixed add-on", 0.0, 1e18, where=where)
        elif what == RiskType.NOTIONAL:
            notional[number, name] = notional.get((number, name), 0.0) + abs(usd)
    for (number, product), scale in multiplier.items():
        addon[number] += (scale - 1.0) * products[number, product]
    for (number, name), share in factor.items():
        addon[number] += share * notional.get((number, name), 0.0)
    return addon


_Key = TypeVar("_Key", bound=tuple[object, ...])


def _once(table: dict[_Key, float], key: _Key, value: float, name: str, where: str) -> None:
    if key in table:
        raise DuplicateName("parameter", where=where, value=name)
    table[key] = value


def regulations_in(text: str) -> tuple[str, ...]:
    """The regulations that a cell of a CRIF names, as "CFTC,ESA" or "[CFTC, ESA]"; empty text names none."""
    names = [part.strip() for part in text.strip().strip("[]").replace(";", ",").split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


def _sets(
    crif: Crif, kept: IntArray, kind: IntArray, sides: Sequence[Side]
) -> tuple[tuple[MarginSet, ...], IntArray, IntArray]:
    """All sets; then, for every membership of a row in a set, the row's place in `kept` and the set's number."""
    sets: list[MarginSet] = []
    rows: list[IntArray] = [np.empty(0, np.int64)]
    members: list[IntArray] = [np.empty(0, np.int64)]
    for side in sides:
        regulations, combination = _regulations(crif, kept, kind >= RiskType.MULTIPLIER, side)
        names = sorted({(owner, name) for owner, found in regulations for name in found})
        number = {key: len(sets) + i for i, key in enumerate(names)}
        portfolios = crif.texts["portfolio"].names
        sets += [MarginSet(portfolio=portfolios[owner], side=side, regulation=name) for owner, name in names]
        lists = [[number[owner, name] for name in found] for owner, found in regulations]
        length = np.asarray([len(found) for found in lists], np.int64)
        start = np.concatenate([[0], np.cumsum(length)[:-1]]) if lists else length
        count = length[combination]
        row = np.repeat(np.arange(len(kept)), count)
        within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        flat = np.asarray([n for found in lists for n in found], np.int64)
        rows.append(row)
        members.append(flat[start[combination][row] + within])
    return tuple(sets), np.concatenate(rows), np.concatenate(members)


def _regulations(
    crif: Crif, kept: IntArray, for_all: BoolArray, side: Side
) -> tuple[list[tuple[int, tuple[str, ...]]], IntArray]:
    """Portfolio and regulations of each distinct combination of columns, and the combination of each row."""
    column, portfolio = crif.texts[f"{side}_regulations"], crif.texts["portfolio"].codes[kept]
    size = max(len(column.names), 1)
    key = (portfolio.astype(np.int64) * size + column.codes[kept]) * 2 + for_all
    distinct, combination = np.unique(key, return_inverse=True)
    parsed = [regulations_in(text) for text in column.names]
    stated = [(int(k) // 2 // size, parsed[int(k) // 2 % size], bool(k % 2)) for k in distinct]
    known: dict[int, set[str]] = {owner: set() for owner, _, _ in stated}
    for owner, names, everywhere in stated:
        known[owner] |= set(names) if names or everywhere else {UNSPECIFIED}
    known = {owner: {n for n in names if n.lower() != EXCLUDED} for owner, names in known.items()}
    found = []
    for owner, names, everywhere in stated:
        all_of = tuple(sorted(known[owner])) or (UNSPECIFIED,)
        chosen = names or (all_of if everywhere else (UNSPECIFIED,))
        found.append((owner, tuple(n for n in chosen if n.lower() != EXCLUDED)))
    return found, combination
