"""Rows of a CRIF read as risk factors: which class, which margin, which bucket, each checked where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.sensitivities.crif import Crif
from crossmargin.margin.rulebooks.sensitivities.parameters import CurrencyGroups

PRODUCTS: Final = ("RatesFX", "Credit", "Equity", "Commodity")
MARGINS: Final = ("delta", "vega", "curvature", "base_correlation")


class RiskType(IntEnum):
    """What a row is; the values are positions in `RISK_TYPES`."""

    IR_CURVE = 0
    INFLATION = 1
    XCCY_BASIS = 2
    IR_VOL = 3
    INFLATION_VOL = 4
    CREDIT_Q = 5
    CREDIT_VOL = 6
    BASE_CORR = 7
    CREDIT_NON_Q = 8
    CREDIT_VOL_NON_Q = 9
    EQUITY = 10
    EQUITY_VOL = 11
    COMMODITY = 12
    COMMODITY_VOL = 13
    FX = 14
    FX_VOL = 15
    MULTIPLIER = 16
    NOTIONAL_FACTOR = 17
    FIXED_AMOUNT = 18
    NOTIONAL = 19
    PV = 20


RISK_TYPES: Final = (
    "Risk_IRCurve",
    "Risk_Inflation",
    "Risk_XCcyBasis",
    "Risk_IRVol",
    "Risk_InflationVol",
    "Risk_CreditQ",
    "Risk_CreditVol",
    "Risk_BaseCorr",
    "Risk_CreditNonQ",
    "Risk_CreditVolNonQ",
    "Risk_Equity",
    "Risk_EquityVol",
    "Risk_Commodity",
    "Risk_CommodityVol",
    "Risk_FX",
    "Risk_FXVol",
    "Param_ProductClassMultiplier",
    "Param_AddOnNotionalFactor",
    "Param_AddOnFixedAmount",
    "Notional",
    "PV",
)
_RISK_NUMBERS: Final = {name.lower(): i for i, name in enumerate(RISK_TYPES)}
_PRODUCT_NUMBERS: Final = {name.lower(): i for i, name in enumerate(PRODUCTS)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows of one risk class, of all cells: `row` [n] in the CRIF, `kind` and `cell` [n], `amount` [n] in USD."""

    crif: Crif
    row: IntArray
    kind: IntArray
    cell: IntArray
    amount: FloatArray

    def __len__(self) -> int:
        return len(self.row)

    def of(self, *kinds: RiskType) -> Rows:
        """The rows of these risk types."""
        wanted = np.zeros(len(RISK_TYPES), np.bool_)
        wanted[list(kinds)] = True
        here = np.flatnonzero(wanted[self.kind])
        return Rows(
            crif=self.crif,
            row=self.row[here],
            kind=self.kind[here],
            cell=self.cell[here],
            amount=self.amount[here],
        )

    def mapped(self, column: str, look_up: Callable[[str, int], int]) -> IntArray:
        """`look_up(text, row)` of each row's text in a column; called once a text."""
        return self.crif.texts[column].mapped(look_up, self.row)

    def numbered(self, column: str, known: Mapping[str, int], what: str, remedy: str) -> IntArray:
        """The number of each row's text in a column; raises `UnknownName` for a text that has none."""
        return self.mapped(column, lambda text, row: _number(text, known, what, self.crif.place(row), remedy))


def _number(text: str, known: Mapping[str, int], what: str, where: str, remedy: str) -> int:
    name = text.strip().lower()
    if name not in known:
        check.known(text.strip(), tuple(known), what, where=where, remedy=remedy)
        raise AssertionError("a known name has a number")
    return known[name]


def risk_types(crif: Crif, rows: IntArray) -> IntArray:
    """The `RiskType` of each of `rows`; raises `UnknownName` for a type the rule does not know."""
    return crif.texts["risk_type"].mapped(
        lambda text, row: _number(
            text, _RISK_NUMBERS, "RiskType", crif.place(row), f"One of: {', '.join(RISK_TYPES)}."
        ),
        rows,
    )


def product_classes(crif: Crif, rows: IntArray) -> IntArray:
    """The product class of each of `rows` (position in `PRODUCTS`); raises `UnknownName`."""
    return crif.texts["product_class"].mapped(
        lambda text, row: _number(
            text, _PRODUCT_NUMBERS, "ProductClass", crif.place(row), f"One of: {', '.join(PRODUCTS)}."
        ),
        rows,
    )


def names_of(rows: Rows, column: str, what: str) -> IntArray:
    """A number for each row's name, the same for names that are equal but for blanks around them.

    Raises `InvalidInput` for an empty name.
    """
    seen: dict[str, int] = {}

    def number(text: str, row: int) -> int:
        name = text.strip()
        if not name:
            raise InvalidInput(
                what,
                where=rows.crif.place(row),
                value=text,
                limit="a name",
                remedy="State it: what has no name cannot net.",
            )
        return seen.setdefault(name, len(seen))

    return rows.mapped(column, number)


def labels_of(rows: Rows, column: str) -> IntArray:
    """A number for each row's label, empty ones alike, without regard to case."""
    seen: dict[str, int] = {}
    return rows.mapped(column, lambda text, _: seen.setdefault(text.strip().lower(), len(seen)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Currencies:
    """`number` [row] of each row's currency; `volatility` and `concentration` group of each number."""

    number: IntArray
    names: tuple[str, ...]
    volatility: IntArray
    concentration: IntArray


def currencies_of(rows: Rows, volatility: CurrencyGroups, concentration: CurrencyGroups) -> Currencies:
    """The currency in the qualifier of each row; raises `UnknownName` for what is no currency, or is in no group."""
    seen: dict[str, int] = {}
    groups: list[tuple[int, int]] = []

    def number(text: str, row: int) -> int:
        name = text.strip().upper()
        if name not in seen:
            where = rows.crif.place(row)
            groups.append((volatility.of(name, where=where), concentration.of(name, where=where)))
            seen[name] = len(seen)
        return seen[name]

    numbers = rows.mapped("qualifier", number)
    pairs = np.asarray(groups, np.int64).reshape(-1, 2)
    return Currencies(number=numbers, names=tuple(seen), volatility=pairs[:, 0], concentration=pairs[:, 1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurrencyPairs:
    """`number` [row] of each row's pair, EURUSD and USDEUR alike; groups [pair, 2] of its two currencies."""

    number: IntArray
    volatility: IntArray
    concentration: IntArray


def pairs_of(rows: Rows, volatility: CurrencyGroups, concentration: CurrencyGroups) -> CurrencyPairs:
    """The pair of currencies in the qualifier of each row; raises `InvalidInput` for what is no pair of two."""
    seen: dict[str, int] = {}
    groups: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def number(text: str, row: int) -> int:
        name, where = text.strip().upper(), rows.crif.place(row)
        both = tuple(sorted((name[:3], name[3:])))
        if len(name) != 6 or both[0] == both[1]:
            raise InvalidInput(
                "Qualifier", where=where, value=text, limit="two currencies like EURUSD", remedy="Correct it."
            )
        if "".join(both) not in seen:
            found = [tuple(g.of(c, where=where) for c in both) for g in (volatility, concentration)]
            groups.append((found[0], found[1]))
            seen["".join(both)] = len(seen)
        return seen["".join(both)]

    numbers = rows.mapped("qualifier", number)
    table = np.asarray(groups, np.int64).reshape(-1, 2, 2)
    return CurrencyPairs(number=numbers, volatility=table[:, 0], concentration=table[:, 1])
