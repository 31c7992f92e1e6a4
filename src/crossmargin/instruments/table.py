"""The columnar table of instruments: one row each, the order of the rows of R.

Rows that do not use a column hold its neutral value (strike 0, expiry `NEVER_NS`); which columns a family uses is
written beside `Family`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, IntArray, frozen
from crossmargin.core.canon import digest
from crossmargin.core.errors import ExpiredInstrument, InvalidInput
from crossmargin.core.instant import NEVER_NS, format_instant, parse_instant
from crossmargin.instruments.terms import (
    AnyTerms,
    BondFuture,
    Forward,
    Future,
    Option,
    Perpetual,
    Sensitivities,
    Spot,
    Token,
)


class Family(IntEnum):
    """How an instrument is valued."""

    SPOT = 0  # settle (the asset held)
    PERPETUAL = 1  # underlying, payout, settle, multiplier
    FUTURE = 2  # … and expiry
    OPTION = 3  # … and strike, right
    FORWARD = 4  # underlying, settle, multiplier, expiry, strike
    BOND_FUTURE = 5  # underlying, settle, multiplier, expiry, and `bonds`
    SENSITIVITIES = 6  # settle, and `ladders`


class PayoutCode(IntEnum):
    """In what the P&L is counted."""

    LINEAR = 0
    INVERSE = 1
    QUANTO = 2


_FAMILY: dict[type, Family] = {
    Spot: Family.SPOT,
    Token: Family.SPOT,
    Perpetual: Family.PERPETUAL,
    Future: Family.FUTURE,
    Option: Family.OPTION,
    Forward: Family.FORWARD,
    BondFuture: Family.BOND_FUTURE,
    Sensitivities: Family.SENSITIVITIES,
}
_PAYOUT = {"linear": PayoutCode.LINEAR, "inverse": PayoutCode.INVERSE, "quanto": PayoutCode.QUANTO}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InstrumentTable:
    """Terms by column. Index columns point into `underlyings`, `assets` and `venues`; −1 is none.

    `multiplier` [instrument] as in `terms`; `right` is +1 for a call, −1 for a put, 0 otherwise; `chain` points into
    `chains` for spot holdings. `bonds` and `ladders` hold the terms of the rows that need more than columns; `terms`
    is what the table was made from.
    """

    terms: tuple[AnyTerms, ...]
    ids: tuple[str, ...]
    underlyings: tuple[str, ...]
    assets: tuple[str, ...]
    venues: tuple[str, ...]
    chains: tuple[str, ...]
    family: IndexArray
    payout: IndexArray
    underlying: IndexArray
    settle: IndexArray
    venue: IndexArray
    chain: IndexArray
    multiplier: FloatArray
    strike: FloatArray
    right: FloatArray
    expiry_ns: IntArray
    american: BoolArray
    on_future: BoolArray
    upfront: BoolArray
    discounted: BoolArray
    bonds: dict[int, BondFuture]
    ladders: dict[int, Sensitivities]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def row(self) -> dict[str, int]:
        """The row of each id."""
        return {name: position for position, name in enumerate(self.ids)}

    def rows_of(self, *families: Family) -> IndexArray:
        """Rows of the given families, ascending."""
        return np.flatnonzero(np.isin(self.family, families)).astype(np.int32)

    def hash(self) -> str:
        """Canonical digest of all terms."""
        return digest(self.terms)


def build_table(terms: Iterable[AnyTerms], *, now_ns: int, where: str = "instruments") -> InstrumentTable:
    """The table of `terms`, in their order, each checked.

    Raises `DuplicateName` for an id that stands twice, `ExpiredInstrument` for an expiry at or before `now_ns`, and
    `InvalidInput` for a strike, multiplier or other number outside its range.
    """
    rows = tuple(terms)
    check.unique((t.id for t in rows), "instrument", where=where)
    expiry = [_checked_expiry(t, now_ns=now_ns, where=where) for t in rows]
    for t in rows:
        _check_numbers(t, where=f"{where}: {t.id}")
    names = {
        "underlyings": _names(rows, "underlying"),
        "assets": tuple(dict.fromkeys(settlement_asset(t) for t in rows)),
        "venues": tuple(dict.fromkeys(_venue(t) for t in rows)),
        "chains": _names(rows, "chain"),
    }
    return InstrumentTable(
        terms=rows,
        ids=tuple(t.id for t in rows),
        **names,
        family=frozen([_FAMILY[type(t)] for t in rows], np.int32),
        payout=frozen([_PAYOUT[getattr(t, "payout", "linear")] for t in rows], np.int32),
        underlying=_index(names["underlyings"], (getattr(t, "underlying", "") for t in rows)),
        settle=_index(names["assets"], (settlement_asset(t) for t in rows)),
        venue=_index(names["venues"], (_venue(t) for t in rows)),
        chain=_index(names["chains"], (getattr(t, "chain", "") for t in rows)),
        multiplier=frozen([float(getattr(t, "multiplier", 1.0)) for t in rows]),
        strike=frozen([float(getattr(t, "strike", 0.0)) for t in rows]),
        right=frozen([{"call": 1.0, "put": -1.0}.get(getattr(t, "right", ""), 0.0) for t in rows]),
        expiry_ns=frozen(expiry, np.int64),
        american=frozen([getattr(t, "exercise", "") == "american" for t in rows], np.bool_),
        on_future=frozen([getattr(t, "deliverable", "spot") == "future" for t in rows], np.bool_),
        upfront=frozen([getattr(t, "premium", "upfront") == "upfront" for t in rows], np.bool_),
        discounted=frozen([_is_discounted(t) for t in rows], np.bool_),
        bonds={i: t for i, t in enumerate(rows) if isinstance(t, BondFuture)},
        ladders={i: t for i, t in enumerate(rows) if isinstance(t, Sensitivities)},
    )


def settlement_asset(t: AnyTerms) -> str:
    """The asset in which the P&L of an instrument is counted."""
    return t.asset if isinstance(t, Spot) else t.settle


def _is_discounted(t: AnyTerms) -> bool:
    """American options always are: without discounting there is no reason to wait, nor not to."""
    return bool(getattr(t, "discounted", False)) or getattr(t, "exercise", "european") == "american"


def _venue(t: AnyTerms) -> str:
    return t.id.rpartition(".")[2] if "." in t.id else ""


def _names(rows: tuple[AnyTerms, ...], field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for t in rows if (name := getattr(t, field, ""))))


def _index(names: tuple[str, ...], values: Iterable[str]) -> Any:
    position = {name: i for i, name in enumerate(names)}
    return frozen([position.get(value, -1) for value in values], np.int32)


def _checked_expiry(t: AnyTerms, *, now_ns: int, where: str) -> int:
    expiry = getattr(t, "expiry", None)
    if expiry is None:
        return NEVER_NS
    expiry_ns = parse_instant(expiry, where=f"{where}: expiry of {t.id}")
    if expiry_ns <= now_ns:
        raise ExpiredInstrument(t.id, where=where, expiry=format_instant(expiry_ns), now=format_instant(now_ns))
    return expiry_ns


def _check_numbers(t: AnyTerms, *, where: str) -> None:
    if hasattr(t, "multiplier"):
        check.positive(t.multiplier, "multiplier", where=where)
    if isinstance(t, Option):
        check.positive(t.strike, "strike", where=where)
        if t.exercise == "american" and t.payout == "inverse":
            raise InvalidInput(
                "exercise", where=where, value="american", limit="european for coin-settled options",
                remedy="No venue lists American inverse options; correct payout or exercise.",
            )  # fmt: skip
    if isinstance(t, Forward):
        check.finite(t.strike, "strike", where=where)
    if isinstance(t, BondFuture):
        check.within(t.coupon, "coupon", 0.0, 1.0, where=where)
        check.positive(t.conversion_factor, "conversion factor", where=where)
        check.within(t.coupons_per_year, "coupons per year", 1, 12, where=where)
        _check_maturity(t, where)
    if isinstance(t, Sensitivities):
        for factor, amount in [(d.factor, d.amount) for d in t.deltas] + [(g.factor, g.amount) for g in t.gammas]:
            check.finite(amount, f"sensitivity to {factor}", where=where)
        # Stated twice, or once in each order, a mixed derivative would count twice.
        check.unique(("/".join(sorted((g.factor, g.other or g.factor))) for g in t.gammas), "gamma", where=where)


def _check_maturity(t: BondFuture, where: str) -> None:
    expiry, maturity = (parse_instant(x, where=where) for x in (t.expiry, t.maturity))
    if maturity <= expiry:
        raise InvalidInput(
            "maturity",
            where=where,
            value=format_instant(maturity),
            limit=f"after the delivery of the bond ({format_instant(expiry)})",
            remedy="Correct the bond, or the expiry.",
        )
