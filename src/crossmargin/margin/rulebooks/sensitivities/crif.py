"""Sensitivities in the common risk interchange format (CRIF), column by column.

Texts are coded: a column holds the number of each row's text in a short list of names, so that a check or a look-up
happens once a name and not once a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, IndexArray, IntArray, frozen, require_finite
from crossmargin.core.errors import InvalidInput

# The columns of texts, in the order in which they are written.
TEXTS: Final = (
    "trade",
    "portfolio",
    "product_class",
    "risk_type",
    "qualifier",
    "bucket",
    "label1",
    "label2",
    "amount_currency",
    "im_model",
    "collect_regulations",
    "post_regulations",
    "end_date",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Texts:
    """A column of texts: row r reads `names[codes[r]]`."""

    codes: IndexArray
    names: tuple[str, ...]

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]

    def mapped(self, look_up: Callable[[str, int], int], rows: IntArray) -> IntArray:
        """`look_up(text, row)` of the text of each of `rows`; called once a text, with the first row that has it."""
        codes = self.codes[rows]
        first = np.full(len(self.names), -1, np.int64)
        first[codes[::-1]] = rows[::-1]  # the last assignment stands, which is that of the first row
        table = np.zeros(len(self.names), np.int64)
        for code in np.flatnonzero(first >= 0):
            table[code] = look_up(self.names[code], int(first[code]))
        return table[codes]

    def take(self, rows: IntArray) -> Texts:
        """The column of the chosen rows."""
        return Texts(codes=frozen(self.codes[rows], np.int32), names=self.names)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crif:
    """Rows of a CRIF file. `amount` is in `amount_currency`, `amount_usd` in USD (percent and multipliers as they
    are); `place(row)` says where a row stands."""

    texts: Mapping[str, Texts]
    amount: FloatArray
    amount_usd: FloatArray
    where: str = "CRIF"
    first_line: int = 2

    def __post_init__(self) -> None:
        assert set(self.texts) == set(TEXTS), "all columns of texts, each once"
        assert all(len(column.codes) == len(self.amount) for column in self.texts.values())
        require_finite(self.amount_usd, "AmountUSD", where=self.where)

    def __len__(self) -> int:
        return len(self.amount_usd)

    def place(self, row: int) -> str:
        """The name of a row for people."""
        return f"{self.where}: line {row + self.first_line}"

    def take(self, rows: IntArray | Sequence[int]) -> Crif:
        """The chosen rows, in their order; one that is chosen n times counts n times."""
        chosen = np.asarray(rows, np.int64)
        return replace(
            self,
            texts={name: column.take(chosen) for name, column in self.texts.items()},
            amount=frozen(self.amount[chosen]),
            amount_usd=frozen(self.amount_usd[chosen]),
        )


def coded(values: Sequence[str]) -> Texts:
    """A column of texts, its names in the order of their first appearance."""
    number: dict[str, int] = {}
    codes = [number.setdefault(value, len(number)) for value in values]
    return Texts(codes=frozen(codes, np.int32), names=tuple(number))


def crif_of(rows: Sequence[Mapping[str, str | float]], *, where: str = "CRIF") -> Crif:
    """A CRIF from rows by column name (those of `TEXTS`, `amount` and `amount_usd`); what is not stated is empty.

    A row without `amount_usd` takes its `amount`, and one without `amount` its `amount_usd`: both are then USD.
    """
    for number, row in enumerate(rows):
        unknown = set(row) - {*TEXTS, "amount", "amount_usd"}
        if unknown or not {"amount", "amount_usd"} & set(row):
            raise InvalidInput(
                "columns",
                where=f"{where}: row {number}",
                value=", ".join(row),
                limit="an amount, and columns of CRIF",
                remedy="Rename or complete them.",
            )
    usd = [float(row.get("amount_usd", row.get("amount", 0.0))) for row in rows]
    own = [float(row.get("amount", row.get("amount_usd", 0.0))) for row in rows]
    texts = {name: coded([str(row.get(name, "")) for row in rows]) for name in TEXTS}
    return Crif(texts=texts, amount=frozen(own), amount_usd=frozen(usd), where=where, first_line=0)
