"""Positional risk-parameter files in the expanded unpacked format ("U2", `.pa2`).

Read are the records 0 (header: date, format), P (decimal locators, contract value factor), 2 (combined commodities),
3 (tiers, initial ratios), 4 (delivery charges, short option minimum, adjustment), C and E (spreads inside a commodity,
by tier and by month), S (scanning tiers, price-risk method), B (delta scaling), 6 (spreads between commodities), 81 and
82 (risk arrays, composite deltas, settlement prices). Skipped are 1 (exchange headers), 5 (groups of commodities), T
(currency rates: the market's own are used), V, 9, R, X and Y (value maintenance, debt, redefinitions, combinations),
and the contracts of combinations (CMB, OOC). Any other record is refused, and so is any method that is not named here.

Columns count from 1, both ends included, as in the source. Source: CME, "Risk Parameter File Layouts for the Positional
Formats", expanded format, public SPAN pages, read November 2026.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from crossmargin.adapters.span_choice import (
    SpanChoice,
    contract_id,
    price_risk_method,
    refusal,
    with_price_scan,
)
from crossmargin.core import check
from crossmargin.core.errors import UnreadableFile
from crossmargin.instruments.terms import Right
from crossmargin.margin.rulebooks.span.parameters import (
    Commodity,
    CommodityRules,
    InterLeg,
    InterSpread,
    IntraLeg,
    IntraSpread,
    PriceRiskMethod,
    RateType,
    Side,
    SpanContract,
    SpanParameters,
    SpotCharge,
    Tier,
)

SKIPPED: Final = ("1", "5", "T", "V", "9", "R", "X", "Y")
FORMAT: Final = "U2"
_COMBINED: Final = ("CMB", "OOC")
_OPTIONS: Final = ("OOF", "OOP", "OOS")
_RATIO_AT: Final = {"member": 69, "hedger": 73, "speculator": 77}
_FACTOR_AT: Final = {"member": 70, "hedger": 73, "speculator": 76}
_PRICE_RISK: Final[dict[str, PriceRiskMethod]] = {
    "": "normal",
    "1": "normal",
    "2": "scanrange_cap",
    "3": "scanrange",
}
_Product = tuple[str, str, str]  # exchange, product code, product type
_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """One record, and where it stands."""

    text: str
    where: str

    def at(self, first: int, last: int) -> str:
        """The text of columns `first` to `last`, without blanks around it."""
        return self.text[first - 1 : last].strip()

    def number(self, first: int, last: int, decimals: int = 0) -> float:
        """The number in columns, of which the last `decimals` digits stand after the point; blank is 0."""
        text = self.at(first, last)
        digits = text.removeprefix("-").removeprefix("+")
        if digits and not (digits.isascii() and digits.isdigit()):
            raise refusal(
                f"columns {first}-{last}", text, "digits", where=self.where, remedy="Use the file as it was published."
            )
        return (-1.0 if text.startswith("-") else 1.0) * int(digits or "0") / 10.0**decimals

    def signed(self, first: int, last: int, decimals: int = 0) -> float:
        """A number whose sign stands in the column after it."""
        return self.number(first, last, decimals) * (-1.0 if self.at(last + 1, last + 1) == "-" else 1.0)


@dataclass(slots=True)
class _Commodity:
    """A combined commodity in the making."""

    currency: str
    premium: bool
    cap_value: bool
    exponent: float
    initial_ratio: float = 1.0
    adjustment: float = 1.0
    price_risk: PriceRiskMethod = "normal"
    gross: bool = True
    short_minimum: float = 0.0
    tiers: list[Tier] = field(default_factory=list)
    scan_tiers: list[Tier] = field(default_factory=list)
    inter_tiers: list[Tier] = field(default_factory=list)
    spreads: list[IntraSpread] = field(default_factory=list)
    spot: list[SpotCharge] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Prices:
    settlement_decimals: float
    strike_decimals: float
    factor: float


@dataclass(slots=True)
class _File:
    """What has been read so far."""

    choice: SpanChoice
    date: str = ""
    organisation: str = ""
    prices: dict[_Product, _Prices] = field(default_factory=dict)
    commodities: dict[str, _Commodity] = field(default_factory=dict)
    home: dict[_Product, tuple[str, float]] = field(default_factory=dict)  # commodity, and the scale of array values
    delta_scale: dict[_Key, float] = field(default_factory=dict)
    spreads: list[tuple[str, InterSpread]] = field(default_factory=list)
    first: dict[_Key, _Line] = field(default_factory=dict)
    second: dict[_Key, _Line] = field(default_factory=dict)

    def commodity(self, line: _Line, first: int, last: int) -> _Commodity | None:
        """The commodity whose code stands in these columns; none where it is not wanted."""
        code = line.at(first, last)
        if not self.choice.reads(code):
            return None
        check.known(code, self.commodities, "combined commodity", where=line.where)
        return self.commodities[code]


def read_span_positional(raw: bytes, *, where: str, choice: SpanChoice) -> SpanParameters:
    """The parameters in a positional file; raises as `read_span` does."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise UnreadableFile(where, reason=f"it is no text: {error.reason}", remedy="Use the .pa2 file.") from None
    file = _File(choice)
    lines = [_Line(x, f"{where}: line {n}") for n, x in enumerate(text.rstrip("\x1a").splitlines(), 1) if x.strip()]
    if not lines or lines[0].at(1, 2) != "0":
        raise UnreadableFile(where, reason="it does not begin with a record 0", remedy="Use an expanded .pa2 file.")
    later: list[tuple[Callable[[_File, _Line], None], _Line]] = []
    for line in lines:
        name = line.at(1, 2)
        if name in _AT_ONCE:
            _AT_ONCE[name](file, line)
        elif name in _LATER:  # these name commodities, which may be defined after them
            later.append((_LATER[name], line))
        elif name not in SKIPPED:
            raise refusal(
                "record", name, f"one of {', '.join([*_AT_ONCE, *_LATER, *SKIPPED])}", where=line.where,
                remedy="Read the commodity from another format.",
            )  # fmt: skip
    choice.require(file.commodities, where=where)
    for read, line in later:
        read(file, line)
    return _parameters(file, where)


def _header(file: _File, line: _Line) -> None:
    if line.at(36, 37) != FORMAT:
        raise refusal("format", line.at(36, 37), FORMAT, where=line.where, remedy="Use the expanded unpacked format.")
    day = line.at(9, 16)
    line.number(9, 16)
    file.organisation, file.date = line.at(3, 8), f"{day[:4]}-{day[4:6]}-{day[6:]}"


def _price_terms(file: _File, line: _Line) -> None:
    exponent = line.number(74, 75) * (-1.0 if line.at(73, 73) == "-" else 1.0)
    decimals = [line.number(first, first + 2) for first in (34, 37)]
    for number in decimals:
        check.within(number, "decimals of a price", -20, 20, where=line.where)
    file.prices[line.at(3, 5), line.at(6, 15), line.at(16, 18)] = _Prices(
        decimals[0], decimals[1], line.number(42, 55, 7) * 10.0**exponent
    )


def _combined_commodity(file: _File, line: _Line) -> None:
    code = line.at(7, 12)
    if not file.choice.reads(code):
        return
    style = line.at(18, 18)
    if style not in ("", "P", "F"):
        raise refusal("option margin style", style, "P, F or blank", where=line.where)
    found = _Commodity(
        currency=line.at(14, 16),
        premium=style != "F",
        cap_value=line.at(19, 19) == "Y",
        exponent=line.number(13, 13),
    )
    commodity = file.commodities.setdefault(code, found)
    for start in range(23, 119, 16):
        product, kind = line.at(start, start + 9), line.at(start + 10, start + 12)
        if product:
            decimals = line.number(start + 13, start + 13) * (-1.0 if line.at(start + 14, start + 14) == "-" else 1.0)
            scale = 10.0 ** (commodity.exponent - decimals)
            file.home[line.at(3, 5), product, kind] = (code, scale)


def _tiers(line: _Line, first: int, count: int, where: str) -> list[Tier]:
    """Tiers of number, first and last month (14 columns each); a number of 0 or blank is none."""
    found = []
    for start in range(first, first + 14 * count, 14):
        if line.number(start, start + 1):
            ends = (_month(line, start + 2), _month(line, start + 8))
            found.append(Tier(number=int(line.number(start, start + 1)), first=ends[0], last=ends[1]))
    check.unique((str(tier.number) for tier in found), "tier", where=where)
    return found


def _month(line: _Line, first: int) -> str:
    return line.at(first, first + 5) if line.number(first, first + 5) else ""


def _intra_tiers(file: _File, line: _Line) -> None:
    commodity = file.commodity(line, 3, 8)
    if commodity is None:
        return
    method = line.at(9, 10)
    if method not in ("", "01", "10"):
        raise refusal("intracommodity spread method", method, "01 (none) or 10 (table)", where=line.where)
    if method == "10":
        commodity.tiers += _tiers(line, 11, 4, line.where)
    at = _RATIO_AT[file.choice.account]
    commodity.initial_ratio = line.number(at, at + 3, 3) or 1.0


def _delivery(file: _File, line: _Line) -> None:
    commodity = file.commodity(line, 3, 8)
    if commodity is None:
        return
    method = line.at(9, 10)
    if method not in ("", "01", "10"):
        raise refusal("delivery charge method", method, "01 (none) or 10 (table)", where=line.where)
    for start in (13, 35) if method == "10" else ():
        if month := _month(line, start + 2):
            charges = (line.number(start + 8, start + 14), line.number(start + 15, start + 21))
            commodity.spot.append(SpotCharge(period=month, spread=charges[0], outright=charges[1]))
    minimum = line.at(79, 79)
    if minimum not in ("", "1", "2"):
        raise refusal("short option minimum method", minimum, "1, 2 or blank", where=line.where)
    at = _FACTOR_AT[file.choice.account]
    commodity.gross, commodity.short_minimum = minimum != "1", line.number(63, 69)
    commodity.adjustment = line.number(at, at + 2, 2) or 1.0


def _scan_tiers(file: _File, line: _Line) -> None:
    commodity = file.commodity(line, 3, 8)
    if commodity is None:
        return
    method = line.at(9, 10)
    if method not in ("01", "10", "20", "21", "22", "23"):
        raise refusal("scanning method", method, "01, 10, 20, 21, 22 or 23", where=line.where)
    tiers = _tiers(line, 13, 5, line.where) if method != "01" else []
    commodity.scan_tiers += tiers if method in ("10", "21", "22") else []
    commodity.inter_tiers += tiers if method in ("20", "21", "23") else []
    commodity.price_risk = price_risk_method(line.at(83, 83), _PRICE_RISK, where=line.where)


def _side(text: str, where: str) -> Side:
    if text not in ("A", "B"):
        raise refusal("side", text, "A or B", where=where)
    return "A" if text == "A" else "B"


def _tier_spread(file: _File, line: _Line) -> None:
    commodity = file.commodity(line, 3, 8)
    if commodity is None:
        return
    legs = tuple(
        IntraLeg(
            tier=int(line.number(start + 2, start + 3)),
            ratio=line.number(start + 4, start + 5),
            side=_side(line.at(start + 6, start + 6), line.where),
        )
        for start in range(22, 22 + 7 * int(line.number(13, 14)), 7)
    )
    commodity.spreads.append(IntraSpread(priority=int(line.number(11, 12)), charge=line.number(15, 21), legs=legs))


def _month_spread(file: _File, line: _Line) -> None:
    commodity = file.commodity(line, 3, 8)
    if commodity is None:
        return
    legs = tuple(
        IntraLeg(
            period="20" + line.at(start, start + 3),
            ratio=line.number(start + 7, start + 12, 4),
            side=_side(line.at(start + 13, start + 13), line.where),
        )
        for start in range(21, 77, 14)
        if line.at(start, start + 3)
    )
    priority = int(line.number(9, 13))
    if any(s.priority == priority and s.legs[0].period for s in commodity.spreads):
        raise refusal("priority", priority, "on one record E: more than four legs are not read", where=line.where)
    commodity.spreads.append(IntraSpread(priority=priority, charge=line.number(14, 20), legs=legs))


def _inter_spread(file: _File, line: _Line) -> None:
    legs = [(start, line.at(start + 4, start + 9)) for start in (17, 35, 53, 71) if line.at(start + 4, start + 9)]
    if any(not file.choice.reads(code) or code not in file.commodities for _, code in legs):
        return  # nothing of such a commodity can be held under these parameters
    method, kind = line.at(89, 90), line.at(101, 101)
    if method not in ("", "01", "20"):
        raise refusal("intercommodity spread method", method, "01 or 20 (by delta)", where=line.where)
    if kind not in ("", "W", "F"):
        raise refusal("credit calculation method", kind, "W, F or blank", where=line.where)
    for number, (_, code) in enumerate(legs):
        if len(file.commodities[code].inter_tiers) > 1 and line.number(102 + 2 * number, 103 + 2 * number):
            raise refusal("tier of a leg", code, "none: spreads are between whole commodities", where=line.where)
    group, priority = line.at(3, 5), int(line.number(6, 9))
    if any(g == group and s.priority == priority for g, s in file.spreads):
        raise refusal("priority", priority, "on one record 6: more than four legs are not read", where=line.where)
    rate_type: RateType = "flat" if kind == "F" else "wpr"
    spread = InterSpread(
        priority=priority,
        rate=line.number(10, 16, 2) if kind == "F" else line.number(10, 16, 4) / 100.0,
        rate_type=rate_type,
        legs=tuple(
            InterLeg(
                commodity=code,
                ratio=line.number(start + 10, start + 16, 4),
                side=_side(line.at(start + 17, start + 17), line.where),
            )
            for start, code in legs
        ),
    )
    file.spreads.append((group, spread))


def _calculation(file: _File, line: _Line) -> None:
    key = (line.at(3, 5), line.at(6, 15), line.at(16, 18), line.at(19, 24), line.at(25, 26), line.at(28, 33),
           line.at(34, 35))  # fmt: skip
    file.delta_scale[key] = line.number(86, 91, 4) or 1.0


def _array_key(line: _Line) -> _Key:
    columns = ((3, 5), (6, 15), (26, 28), (30, 35), (36, 37), (39, 44), (45, 46), (29, 29), (48, 54))
    return tuple(line.at(*c) for c in columns)


def _first_half(file: _File, line: _Line) -> None:
    if _array_key(line) in file.first:
        raise refusal("record 81", line.at(6, 15), "one for each contract", where=line.where)
    file.first[_array_key(line)] = line


def _second_half(file: _File, line: _Line) -> None:
    file.second[_array_key(line)] = line


_AT_ONCE: Final = {"0": _header, "P": _price_terms, "2": _combined_commodity, "B": _calculation,
                   "81": _first_half, "82": _second_half}  # fmt: skip
_LATER: Final = {"3": _intra_tiers, "4": _delivery, "S": _scan_tiers, "C": _tier_spread, "E": _month_spread,
                 "6": _inter_spread}  # fmt: skip


def _contract(file: _File, key: _Key, home: _Commodity, scale: float) -> SpanContract:
    exchange, product, kind, future, future_day, month, month_day, right, _ = key
    one, two = file.first[key], file.second.get(key)
    if two is None:
        raise refusal("record 82", None, f"given for {product} {future} {month}", where=one.where)
    losses = [half.signed(55 + 6 * n, 59 + 6 * n) for half, count in ((one, 9), (two, 7)) for n in range(count)]
    option = kind in _OPTIONS
    own, under = (month + month_day, future + future_day) if option else (future + future_day, "")
    strike = one.number(48, 54) / 10.0 ** _terms(file, key, one).strike_decimals if option else 0.0
    if option and right not in ("C", "P"):
        raise refusal("option right", right, "C or P", where=one.where)
    side: Right | None = ("call" if right == "C" else "put") if option else None
    return SpanContract(
        id=contract_id(exchange, product, kind, own, underlying=under, right=right if option else "", strike=strike),
        losses=tuple(scale * x for x in losses),
        delta=two.signed(97, 101, 4) * file.delta_scale.get(key[:7], 1.0),
        period=_period(future, future_day) or _period(month, month_day),
        right=side,
        premium=home.premium,
        value=_value(file, key, one, two) if option and home.premium else 0.0,
        short_minimum=home.short_minimum if option else 0.0,
    )


def _terms(file: _File, key: _Key, line: _Line) -> _Prices:
    product = (key[0], key[1], key[2])
    if product not in file.prices:
        raise refusal("record P", None, f"given for {key[1]} {key[2]}", where=line.where)
    return file.prices[product]


def _value(file: _File, key: _Key, one: _Line, two: _Line) -> float:
    """Settlement price times the contract value factor."""
    if one.at(123, 123) == "Y":
        raise refusal("settlement price", "of high precision", "of seven digits", where=one.where)
    terms = _terms(file, key, one)
    return float(two.signed(111, 117) / 10.0**terms.settlement_decimals * terms.factor)


def _period(month: str, day: str) -> str:
    """A day where the code is one, else the month; none for what never expires. Week codes are in the id alone."""
    if not month.strip("0"):
        return ""
    return month + day if day.isdigit() and day != "00" else month


def _parameters(file: _File, where: str) -> SpanParameters:
    contracts: dict[str, list[SpanContract]] = {code: [] for code in file.commodities}
    for key in file.first:
        product = (key[0], key[1], key[2])
        if product in file.home and key[2] not in _COMBINED:
            code, scale = file.home[product]
            contracts[code].append(_contract(file, key, file.commodities[code], scale))
    return SpanParameters(
        source=f"{file.organisation} risk parameters, {where}",
        date=file.date,
        commodities=tuple(
            Commodity(
                code=code,
                currency=c.currency,
                contracts=tuple(contracts[code]),
                rules=with_price_scan(_rules(c, f"{where}: {code}"), contracts[code], where=f"{where}: {code}"),
            )
            for code, c in file.commodities.items()
        ),
        inter_spreads=tuple(spread for _, spread in file.spreads),
    )


def _rules(c: _Commodity, where: str) -> CommodityRules:
    if c.exponent and (c.spreads or c.spot or c.short_minimum):
        # Said of arrays; whether it holds for charges is not.
        raise refusal("risk exponent", c.exponent, "0, where there are charges", where=where)
    return CommodityRules(
        price_risk=c.price_risk,
        short_minimum="gross" if c.gross else "max",
        cap_value=c.cap_value,
        adjustment=c.adjustment,
        initial_ratio=c.initial_ratio,
        scan_tiers=tuple(c.scan_tiers) if len(c.scan_tiers) > 1 else (),
        tiers=tuple(c.tiers),
        spreads=tuple(c.spreads),
        spot=tuple(c.spot),
    )
