"""What a reader of risk-parameter files has to be told, and what both formats of them share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.span.parameters import (
    CommodityRules,
    PriceRiskMethod,
    RateType,
    SpanContract,
)

SIZE_MOST: Final = 1 << 30  # The largest files of a clearing house hold some hundred megabytes.
_FULL_FALL: Final = slice(12, 14)  # points 13 and 14: the price falls by its scan range


class SpanChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file leaves open, or holds for several kinds of account.

    `commodities` are the codes of the combined commodities to read (all of them where none is named). Of a positional
    file, `account` chooses the initial ratio and the adjustment. Of an XML file, `rate` is the number of the
    maintenance rates, `initial_rate` that of the ratio to them where it holds several, `charge_methods` says what the
    letters of spread rates mean, and `credit_rates` in what unit credits between commodities are: none is assumed.
    """

    commodities: tuple[str, ...] = ()
    account: Literal["member", "hedger", "speculator"] = "speculator"
    rate: str = "1"
    initial_rate: str = ""
    charge_methods: dict[str, RateType] = msgspec.field(default_factory=lambda: {"F": "flat", "W": "wpr"})
    credit_rates: Literal["fraction", "percent"] | None = None

    def reads(self, code: str) -> bool:
        """Whether a combined commodity is wanted."""
        return not self.commodities or code in self.commodities

    def require(self, codes: Iterable[str], *, where: str) -> None:
        """Raise `UnknownName` for a wanted commodity that the file does not hold."""
        found = tuple(codes)
        for code in self.commodities:
            check.known(code, found, "combined commodity", where=where)


def refusal(what: str, value: object, limit: str, *, where: str, remedy: str = "") -> InvalidInput:
    """The error for content that is not read, so that nothing is guessed."""
    return InvalidInput(what, where=where, value=value, limit=limit, remedy=remedy or "Leave the commodity out.")


def contract_id(
    exchange: str, product: str, kind: str, period: str, *, underlying: str = "", right: str = "", strike: float = 0.0
) -> str:
    """`CME:ES:FUT:202606`, or `CME:ES:OOF:202605/202606:C5200` with the month of the future that an option is on."""
    month = f"{period}/{underlying}" if underlying and underlying != period else period
    option = f":{right}{strike:.10g}" if right else ""
    return f"{exchange}:{product}:{kind}:{month}{option}"


def with_price_scan(rules: CommodityRules, contracts: Iterable[SpanContract], *, where: str) -> CommodityRules:
    """The rules with the price scan range of one delta, where their price-risk method needs it.

    It is what a future loses for a delta when the price falls by its range; files state it in units that differ.
    """
    if rules.price_risk == "normal":
        return rules
    ranges = [max(c.losses[_FULL_FALL]) / c.delta for c in contracts if c.right is None and c.delta > 0.0]
    if not ranges:
        raise refusal("price scan range", None, "that of a future or physical of the commodity", where=where)
    return msgspec.structs.replace(rules, price_scan=max(*ranges, 0.0))


def price_risk_method(text: str, names: dict[str, PriceRiskMethod], *, where: str) -> PriceRiskMethod:
    """The method of the weighted price risk by its name in a file; raises `UnknownName`."""
    check.known(text, names, "weighted price risk method", where=where)
    return names[text]
