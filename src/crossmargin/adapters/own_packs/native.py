"""Rules on a venue's own terms: what portfolio each takes, and its answer as numbers by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from crossmargin.core.check import known
from crossmargin.margin.rulebooks.aevo_standard import options as aevo
from crossmargin.margin.rulebooks.binance import unified
from crossmargin.margin.rulebooks.bybit_standard import options as bybit
from crossmargin.margin.rulebooks.cboe import strategy as cboe
from crossmargin.margin.rulebooks.cboe.portfolio import Portfolio as CboePortfolio
from crossmargin.margin.rulebooks.deribit_standard import standard as deribit
from crossmargin.margin.rulebooks.derive import pmrm, pmrm2, srm
from crossmargin.margin.rulebooks.derive.native import Portfolio as DerivePortfolio
from crossmargin.margin.rulebooks.drift import accounts as drift
from crossmargin.margin.rulebooks.dydx import perpetuals as dydx
from crossmargin.margin.rulebooks.gmx import positions as gmx
from crossmargin.margin.rulebooks.hyperliquid import portfolio as hyperliquid
from crossmargin.margin.rulebooks.mango import health as mango
from crossmargin.margin.rulebooks.opyn import gamma as opyn
from crossmargin.margin.rulebooks.perennial import positions as perennial
from crossmargin.margin.rulebooks.short_options import OptionPortfolio
from crossmargin.margin.rulebooks.synthetix import perpetuals as synthetix
from crossmargin.margin.rulebooks.vertex import health as vertex

Answer: TypeAlias = Callable[[Any, Any], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """The kind of portfolio that a rule takes, and `answer(portfolio, parameters)`."""

    portfolio: type[msgspec.Struct]
    answer: Answer


def native_rule(rulebook: str, *, where: str) -> Native:
    """The native entry of a rulebook; raises `UnknownName` for one whose cases are books."""
    remedy = "State a book and a market; these rulebooks also take a portfolio."
    return _NATIVE[known(rulebook, _NATIVE, "rulebook of a native portfolio", where=where, remedy=remedy)]


def figures(answer: object, path: str = "") -> Iterator[tuple[str, int | float]]:
    """The numbers of an answer by name, the parts of a name joined by dots.

    Lists are counted from 0; the answers for many accounts are arrays whose one row is this account. Texts, truth
    values and what is absent are left out.
    """
    if isinstance(answer, bool | np.bool_ | str | None):
        return
    if isinstance(answer, int | float):
        yield path, answer
    elif isinstance(answer, Decimal | np.number):
        yield path, float(answer)
    else:
        for name, part in _parts(answer):
            yield from figures(part, f"{path}.{name}" if path else name)


def _parts(answer: object) -> Iterator[tuple[str, object]]:
    if isinstance(answer, msgspec.Struct):
        yield from msgspec.structs.asdict(answer).items()
    elif isinstance(answer, Mapping):
        yield from ((str(key), value) for key, value in answer.items())
    elif isinstance(answer, Sequence | np.ndarray):
        yield from ((str(number), value) for number, value in enumerate(answer))
    elif dataclasses.is_dataclass(answer):
        yield from ((field.name, _row(getattr(answer, field.name))) for field in dataclasses.fields(answer))


def _row(column: object) -> object:
    """The row of the one account of a column."""
    return column[0] if isinstance(column, np.ndarray) and len(column) == 1 else column


def _alone(margin_of: Callable[[Any], object]) -> Answer:
    """A rule whose portfolio holds all it needs."""
    return lambda portfolio, _parameters: margin_of(portfolio)


def _by_level(margin_of: Callable[[Any, Any], object], *levels: str) -> Answer:
    """A rule that is asked at each of its levels."""
    return lambda portfolio, _parameters: {level: margin_of(portfolio, level) for level in levels}


def _perennial(position: Any, _parameters: Any) -> object:
    return dict(zip(("initial", "maintenance"), perennial.margin_of(position), strict=True))


_NATIVE: Final[dict[str, Native]] = {
    "aevo-standard": Native(portfolio=OptionPortfolio, answer=aevo.margin_of),
    "binance-pm": Native(portfolio=unified.Portfolio, answer=_alone(unified.margin_of)),
    "bybit-options-cross": Native(portfolio=OptionPortfolio, answer=bybit.margin_of),
    "cboe-strategy": Native(portfolio=CboePortfolio, answer=cboe.margin_of),
    "deribit-standard": Native(portfolio=deribit.Portfolio, answer=deribit.margin_of),
    "derive-pmrm": Native(portfolio=DerivePortfolio, answer=pmrm.margin_of),
    "derive-pmrm2": Native(portfolio=DerivePortfolio, answer=pmrm2.margin_of),
    "derive-srm": Native(portfolio=srm.SrmPortfolio, answer=srm.margin_of),
    "drift-v2": Native(portfolio=drift.Portfolio, answer=_by_level(drift.margin_of, "initial", "fill", "maintenance")),
    "dydx-v4": Native(portfolio=dydx.Portfolio, answer=_alone(dydx.margin_of)),
    "gmx-v2": Native(portfolio=gmx.Position, answer=_alone(gmx.margin_of)),
    "hyperliquid-pm": Native(portfolio=hyperliquid.Portfolio, answer=_alone(hyperliquid.margin_of)),
    "mango-v4": Native(
        portfolio=mango.Portfolio, answer=_by_level(mango.margin_of, "init", "maint", "liquidation_end")
    ),
    "opyn-gamma": Native(portfolio=opyn.Vault, answer=opyn.margin_of),
    "perennial-v2": Native(portfolio=perennial.Position, answer=_perennial),
    "synthetix-v3": Native(portfolio=synthetix.Portfolio, answer=_alone(synthetix.margin_of)),
    "vertex": Native(portfolio=vertex.Portfolio, answer=_by_level(vertex.margin_of, "initial", "maintenance")),
}
