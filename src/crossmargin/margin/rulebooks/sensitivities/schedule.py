"""Initial margin by the standard schedule: a share of notional by product and residual term, relieved by netting.

Net = 0.4·Gross + 0.6·NGR·Gross with Gross = Σ rate·notional and NGR = net replacement cost / gross replacement cost,
1 where the gross is zero. Source: BCBS-IOSCO, Margin requirements for non-centrally cleared derivatives, appendix A.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import NEVER_NS, years_between
from crossmargin.instruments.table import Family
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleTerm
from crossmargin.margin.rulebooks.sensitivities.crif import Crif
from crossmargin.margin.rulebooks.sensitivities.native import SCHEDULE, Side
from crossmargin.margin.rulebooks.sensitivities.rows import RiskType, risk_types
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.valuation.marks import marks
from crossmargin.valuation.pnl import values_usd

ProductName: TypeAlias = Literal["credit", "rates", "commodity", "equity", "fx", "other"]
PRODUCT_NAMES: Final = ("credit", "rates", "commodity", "equity", "fx", "other")
_YEAR_DAYS: Final = 365.0


class Band(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`rate` (decimal of notional) for residual terms up to and including `years`; without `years` for all beyond."""

    rate: float
    years: float | None = None


class ScheduleParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`bands` by product, ascending; `gross_share` of the gross stands, the rest scales with the ratio of net to
    gross. `products` maps the risk classes of a market's underlyings to products; what it does not name is refused.
    """

    source: str
    date: str
    bands: dict[ProductName, tuple[Band, ...]]
    gross_share: float
    products: dict[str, ProductName] = {}

    def __post_init__(self) -> None:
        check.within(self.gross_share, "gross_share", 0.0, 1.0, where="schedule")
        for product in PRODUCT_NAMES:
            check.known(product, self.bands, "bands of a product", where="schedule")
        for product, bands in self.bands.items():
            where = f"schedule: bands of {product}"
            for band in bands:
                check.within(band.rate, "rate", 0.0, 1.0, where=where)
            ends = [math.inf if band.years is None else band.years for band in bands]
            if ends != sorted(set(ends)) or not ends or ends[-1] != math.inf:
                raise InvalidInput(
                    "years",
                    where=where,
                    value=ends,
                    limit="ascending, the last band without an end",
                    remedy="Order the bands.",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTrade:
    """A derivative: its product, notional in USD, residual term in years and value to the holder in USD."""

    name: str
    product: ProductName
    notional_usd: float
    years: float
    value_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleMargin:
    """USD. `gross` by product; `ratio` is net to gross replacement cost."""

    gross: dict[str, float]
    ratio: float
    margin: float


def schedule_margin(
    trades: Iterable[ScheduleTrade], parameters: ScheduleParameters, *, side: Side = "collect"
) -> ScheduleMargin:
    """The margin of trades under one netting agreement, to `collect` or, with values as the other side sees, `post`.

    Raises `InvalidInput` for a number that is not finite or a term that has passed.
    """
    gross = dict.fromkeys(PRODUCT_NAMES, 0.0)
    values = []
    sign = 1.0 if side == "collect" else -1.0
    for trade in trades:
        check.finite(trade.notional_usd, "notional", where=trade.name)
        check.within(trade.years, "residual term (years)", 0.0, 1e4, where=trade.name)
        values.append(sign * check.finite(trade.value_usd, "value", where=trade.name))
        gross[trade.product] += rate_of(parameters, trade.product, trade.years) * abs(trade.notional_usd)
    replacement = math.fsum(max(v, 0.0) for v in values)
    ratio = max(math.fsum(values), 0.0) / replacement if replacement > 0.0 else 1.0
    total, share = math.fsum(gross.values()), parameters.gross_share
    return ScheduleMargin(gross=gross, ratio=ratio, margin=total * (share + (1.0 - share) * ratio))


def rate_of(parameters: ScheduleParameters, product: ProductName, years: float) -> float:
    """The share of notional for a product and a residual term."""
    bands = parameters.bands[product]
    return next(band.rate for band in bands if band.years is None or years <= band.years)


def schedule_trades(crif: Crif, *, day: dt.date, portfolio: str) -> tuple[ScheduleTrade, ...]:
    """The trades of a portfolio in the rows of a CRIF whose IMModel is Schedule: Notional and PV, by TradeID.

    A trade's notional is the largest of those stated (two legs are one derivative), its value the sum of its PVs.
    Raises `InvalidInput` for a trade without notional or end date, and `UnknownName` for a product class.
    """
    notional: dict[str, float] = {}
    value: dict[str, float] = {}
    about: dict[str, tuple[ProductName, float]] = {}
    rows = [
        row
        for row in range(len(crif))
        if crif.texts["im_model"][row].strip().lower() == SCHEDULE and crif.texts["portfolio"][row] == portfolio
    ]
    for row in rows:
        trade, where = crif.texts["trade"][row], crif.place(row)
        kind = int(risk_types(crif, _one(row))[0])
        if kind == RiskType.NOTIONAL:
            notional[trade] = max(notional.get(trade, 0.0), abs(float(crif.amount_usd[row])))
            about[trade] = (_product(crif.texts["product_class"][row], where), _years(crif, row, day))
        elif kind == RiskType.PV:
            value[trade] = value.get(trade, 0.0) + float(crif.amount_usd[row])
    for trade in value:
        check.known(trade, notional, "TradeID with a PV", where=crif.where, remedy="State its notional too.")
    return tuple(
        ScheduleTrade(
            name=trade,
            product=about[trade][0],
            notional_usd=notional[trade],
            years=about[trade][1],
            value_usd=value.get(trade, 0.0),
        )
        for trade in notional
    )


def _one(row: int) -> IntArray:
    return np.asarray([row], np.int64)


def _product(text: str, where: str) -> ProductName:
    name = check.known(text.strip().lower(), PRODUCT_NAMES, "ProductClass", where=where, remedy="Write a product.")
    return PRODUCT_BY_NAME[name]


def _years(crif: Crif, row: int, day: dt.date) -> float:
    text = crif.texts["end_date"][row].strip()
    try:
        end = dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            "EndDate", where=crif.place(row), value=text, limit="a date like 2026-03-31", remedy="State it in ISO 8601."
        ) from None
    return (end - day).days / _YEAR_DAYS


PRODUCT_BY_NAME: Final[dict[str, ProductName]] = {
    "credit": "credit",
    "rates": "rates",
    "commodity": "commodity",
    "equity": "equity",
    "fx": "fx",
    "other": "other",
}


def evaluate(book: Book, snapshot: Snapshot, parameters: ScheduleParameters) -> RuleResult:
    """The schedule margin of an account's derivatives; spot and products that the parameters do not map are refused.

    A perpetual has no end and takes the last band. Values of futures are settled daily, and count as zero.
    """
    table, price, value = book.table, marks(book.table, snapshot), values_usd(book.table, snapshot)
    trades, refused = [], []
    for row, quantity in zip(book.positions.instrument.tolist(), book.positions.quantity.tolist(), strict=True):
        underlying = table.underlyings[table.underlying[row]] if table.underlying[row] >= 0 else ""
        product = _listed(parameters, snapshot, underlying)
        if product is None or table.family[row] in (Family.SPOT, Family.SENSITIVITIES):
            refused.append(table.ids[row])
            continue
        expiry = int(table.expiry_ns[row])
        trades.append(
            ScheduleTrade(
                name=table.ids[row],
                product=product,
                notional_usd=quantity * float(price.notional_usd[row]),
                years=1e4 if expiry == NEVER_NS else years_between(snapshot.time_ns, expiry),
                value_usd=quantity * float(value[row]),
            )
        )
    margin = schedule_margin(trades, parameters)
    share = parameters.gross_share + (1.0 - parameters.gross_share) * margin.ratio
    terms = [
        RuleTerm(name=f"{name} notional", initial=share * gross, maintenance=share * gross)
        for name, gross in margin.gross.items()
        if gross > 0.0
    ]
    equity = float(book.holdings.quantity @ value[book.holdings.instrument])
    equity += float(book.positions.quantity @ value[book.positions.instrument])
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        equity,
        certainty="approximate",
        notes=(f"ratio of net to gross replacement cost {margin.ratio:.4g}", _PRODUCTS_NOTE),
        refused=refused,
    )


_PRODUCTS_NOTE: Final = "the schedule does not name crypto-assets: the product of each risk class is a parameter"


def _listed(parameters: ScheduleParameters, snapshot: Snapshot, underlying: str) -> ProductName | None:
    if underlying not in snapshot.underlyings:
        return None
    return parameters.products.get(snapshot.underlyings[underlying].risk_class)


RULEBOOK: Final = Rulebook(
    id="standard-schedule",
    name="BCBS-IOSCO standardised initial margin schedule",
    family="sensitivities",
    products="non-centrally cleared derivatives of all products",
    method="share of notional by product and residual term, relieved by the ratio of net to gross replacement cost",
    formulas="Net = 0.4·Gross + 0.6·NGR·Gross; Gross = Σ rate·notional; NGR = max(ΣV, 0)/Σmax(V, 0), 1 without gross",
    sources=("BCBS-IOSCO d499 (April 2020), appendix A", "12 CFR 45, 237 and 1221, appendix A"),
    certainty="approximate",
    parameters=ScheduleParameters,
    folder="sensitivities",
    evaluate=evaluate,
    open_parts=("product of crypto-assets",),
    venues=("OTC",),
)
