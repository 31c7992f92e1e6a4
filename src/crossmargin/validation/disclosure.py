"""What a margin model publishes of its backtest: quantitative disclosures, Principle 6, and ISO 20022 auth.066.

The fields of CPMI-IOSCO, "Public quantitative disclosure standards for central counterparties" (February 2015), and of
the message CCPBackTestingResultReport, `auth.066.001.01`, are the same figures under two names; both are exported.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal
from typing import Annotated, Final, Literal
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from crossmargin.core.errors import InvalidInput
from crossmargin.validation import check
from crossmargin.validation.statistics.results import Conventions

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:auth.066.001.01"
# Simple types of auth.066.001.01: amounts have 18 digits, 5 of them after the point, rates 11 and 10.
AMOUNT_DIGITS, AMOUNT_PLACES, RATE_PLACES = 18, 5, 10
IDENTIFIER_MAX, DESCRIPTION_MAX, ISSUER_MAX = 256, 140, 35
RESULTS_MAX = 10_000  # A bound of ours: a message of 5 MB.
# What XML 1.0 cannot hold, however it is escaped (section 2.2, production 2).
_NO_CHARACTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")

Scheme = Literal["MARG", "COLL", "POSI", "CLIM"]


_ITEMS: Final = {
    "backtest_frequency": "6.5.1",
    "exceptions": "6.5.2",
    "observations": "6.5.3",
    "achieved_coverage": "6.5.4",
    "peak_uncovered_exposure": "6.5.5",
    "average_uncovered_exposure": "6.5.6",
    "responsiveness": "6.9",
}


class Principle6(msgspec.Struct, frozen=True, kw_only=True, rename=_ITEMS):
    """The backtest items of Principle 6 for one model and window; in JSON they bear their numbers, "6.5.1" and on.

    6.5.3 counts observations: dates × portfolios. 6.5.4 is the share of them that margin covered. 6.5.5 and 6.5.6 are
    the largest and the mean loss beyond margin, over breaches, 0 without one, in `currency`. 6.9 is the draft of
    2026-05-06, of which no final formula exists: see `procyclicality.responsiveness`."""

    backtest_frequency: str
    exceptions: int
    observations: int
    achieved_coverage: float
    peak_uncovered_exposure: float
    average_uncovered_exposure: float
    responsiveness: float | None = None
    currency: str
    model: str
    confidence: float
    window_days: int
    conventions: Conventions


def principle6(
    pnl: ArrayLike,
    margin: ArrayLike,
    *,
    model: str,
    confidence: float,
    currency: str,
    window_days: int,
    conventions: Conventions,
    backtest_frequency: str = "daily",
    responsiveness: float | None = None,
) -> Principle6:
    """The items from P&L and margin [..., date] in `currency`, all portfolios together; give twelve months of dates.

    Raises `InvalidInput` for shapes, NaN, a confidence outside (0, 1), or a currency that is not three capitals."""
    gain = check.series(pnl, "pnl", where="principle6")
    beyond = np.maximum(-gain - check.series(margin, "margin", where="principle6", like=gain), 0.0)
    breaches = int(np.count_nonzero(beyond))
    return Principle6(
        backtest_frequency=backtest_frequency,
        exceptions=breaches,
        observations=gain.size,
        achieved_coverage=1.0 - breaches / gain.size,
        peak_uncovered_exposure=float(beyond.max(initial=0.0)),
        average_uncovered_exposure=float(beyond.sum() / max(breaches, 1)),
        responsiveness=responsiveness,
        currency=_currency(currency, "principle6"),
        model=model,
        confidence=check.rate(confidence, "confidence", where="principle6"),
        window_days=window_days,
        conventions=conventions,
    )


class LargestExceptionId(msgspec.Struct, frozen=True, kw_only=True):
    """Which account had the largest exception: GenericIdentification165. Empty texts are left out."""

    id: str
    description: str = ""
    issuer: str = ""
    scheme: Scheme | None = None


class MonthlyResult(msgspec.Struct, frozen=True, kw_only=True):
    """One result of the message: MonthlyResult1, in the order of its elements. Amounts are exact, and not negative."""

    observations: Annotated[int, msgspec.Meta(ge=1)]
    exceptions: Annotated[int, msgspec.Meta(ge=0)]
    coverage: Decimal
    largest_exception: Decimal
    average_exception: Decimal
    currency: str
    largest_exception_id: LargestExceptionId | None = None


def monthly_result(disclosed: Principle6, *, largest_exception_id: LargestExceptionId | None = None) -> MonthlyResult:
    """The figures of a disclosure as the message states them: 6.5.3, 6.5.2, 6.5.4, 6.5.5, 6.5.6.

    Amounts round up at the fifth decimal, so that none is understated; coverage rounds to the tenth."""
    peak, average = (
        Decimal(value).quantize(Decimal(1).scaleb(-AMOUNT_PLACES), ROUND_UP)
        for value in (disclosed.peak_uncovered_exposure, disclosed.average_uncovered_exposure)
    )
    covered = Decimal(disclosed.observations - disclosed.exceptions) / disclosed.observations
    return MonthlyResult(
        observations=disclosed.observations,
        exceptions=disclosed.exceptions,
        coverage=covered.quantize(Decimal(1).scaleb(-RATE_PLACES), ROUND_HALF_EVEN),
        largest_exception=peak,
        average_exception=average,
        currency=disclosed.currency,
        largest_exception_id=largest_exception_id,
    )


def auth066_xml(results: Sequence[MonthlyResult]) -> bytes:
    """The message auth.066.001.01 in UTF-8: Document / CCPBckTstgRsltRpt / MnthlyRslt, one for each result.

    Raises `InvalidInput` for no result or more than 10,000, and for what the message's types do not hold: no
    observation, more exceptions than observations, a coverage outside [0, 1], amounts that are negative or of more than
    18 digits or 5 decimals, a currency that is not three capitals, texts that are too long, or of characters that XML
    does not have. Source: ISO 20022, message definition auth.066.001.01 (CCPBackTestingResultReportV01)."""
    if not 1 <= len(results) <= RESULTS_MAX:
        raise InvalidInput(
            "results", where="auth066", value=len(results), limit=f"1 to {RESULTS_MAX}", remedy="Split the message."
        )
    document = ET.Element("Document", {"xmlns": NAMESPACE})
    report = ET.SubElement(document, "CCPBckTstgRsltRpt")
    for number, result in enumerate(results):
        _add_result(report, result, f"auth066: result {number}")
    text: str = ET.tostring(document, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def _add_result(report: ET.Element, result: MonthlyResult, where: str) -> None:
    if result.observations < 1 or not 0 <= result.exceptions <= result.observations:
        raise InvalidInput(
            "exceptions and observations",
            where=where,
            value=(result.exceptions, result.observations),
            limit="at least one observation, and no more exceptions than observations",
            remedy="Count again.",
        )
    part = ET.SubElement(report, "MnthlyRslt")
    ET.SubElement(part, "NbOfObsrvtns").text = _whole(result.observations, where)
    ET.SubElement(part, "NbOfXcptns").text = _whole(result.exceptions, where)
    ET.SubElement(part, "Cvrg").text = _coverage(result.coverage, where)
    for name, amount in (("LrgstXcptn", result.largest_exception), ("AvrgXcptn", result.average_exception)):
        currency = {"Ccy": _currency(result.currency, where)}
        ET.SubElement(part, name, currency).text = _amount(amount, f"{where}: {name}")
    identity = result.largest_exception_id
    if identity is not None:
        element = ET.SubElement(part, "LrgstXcptnId")
        ET.SubElement(element, "Id").text = _text(identity.id, IDENTIFIER_MAX, f"{where}: Id")
        if identity.description:
            ET.SubElement(element, "Desc").text = _text(identity.description, DESCRIPTION_MAX, f"{where}: Desc")
        if identity.issuer:
            ET.SubElement(element, "Issr").text = _text(identity.issuer, ISSUER_MAX, f"{where}: Issr")
        if identity.scheme:
            ET.SubElement(element, "SchmeNm").text = identity.scheme


def _whole(value: int, where: str) -> str:
    if value >= 10**AMOUNT_DIGITS:
        raise InvalidInput("count", where=where, value=value, limit="of 18 digits at most", remedy="Count again.")
    return str(value)


def _coverage(value: Decimal, where: str) -> str:
    if not value.is_finite() or not 0 <= value <= 1 or _places(value) > RATE_PLACES:
        raise InvalidInput(
            "coverage",
            where=where,
            value=str(value),
            limit=f"between 0 and 1 with {RATE_PLACES} decimals at most",
            remedy="State a share, not a percentage, and round it.",
        )
    return f"{value:f}"


def _amount(value: Decimal, where: str) -> str:
    digits = value.is_finite() and len(f"{value:f}".replace(".", "").lstrip("0"))
    if not value.is_finite() or value < 0 or _places(value) > AMOUNT_PLACES or digits > AMOUNT_DIGITS:
        raise InvalidInput(
            "amount",
            where=where,
            value=str(value),
            limit=f"not negative, of {AMOUNT_DIGITS} digits at most, {AMOUNT_PLACES} of them after the point",
            remedy="Round it up; state an uncovered exposure as a positive amount.",
        )
    return f"{value:f}"


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _currency(value: str, where: str) -> str:
    if not _CURRENCY.fullmatch(value):
        raise InvalidInput(
            "currency", where=where, value=value, limit="three capital letters", remedy="Use its ISO 4217 code."
        )
    return value


def _text(value: str, length_max: int, where: str) -> str:
    if not 1 <= len(value) <= length_max or _NO_CHARACTER.search(value):
        raise InvalidInput(
            "text",
            where=where,
            value=value[:50],
            limit=f"1 to {length_max} characters that XML can hold",
            remedy="Shorten it, or take control characters out.",
        )
    return value
