"""XML risk-parameter files (`.spn`): one clearing house at one point in time.

Read are, of `pointDef`, the pairs of the sixteen points; of `ccDef`, currency, cap on option value, price-risk and
short-option methods, `adjRate`, `pfLink`, `scanTiers`, `intraTiers`, `interTiers`, `somTiers`, `dSpread` with legs by
tier and by period, and `spotRate`; of the product families `phyPf`, `equityPf`, `futPf`, `oopPf`, `oofPf`, `ooePf` and
`oosPf`, the contracts with their arrays, deltas and prices; and of `interSpreads`, `dSpread` between whole commodities.
Skipped are definitions of currencies and accounts, `curConv` (the market's own rates are used), interest and dividend
rates, scan ranges, and families of combinations (`cmbPf`, `oocPf`): their contracts are unknown to the result. Other
spreads (`hSpread`, `sSpread`, …), methods and rate letters are refused.

The text is parsed as a stream: a document type, and so any entity, is refused, and only the element at work is held.
Source: CME, public SPAN pages on the XML format, and files of NSE Clearing and ASX as described there, November 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from crossmargin.adapters.span_choice import (
    SpanChoice,
    contract_id,
    price_risk_method,
    refusal,
    with_price_scan,
)
from crossmargin.adapters.span_stream import Node, Stream, number_of
from crossmargin.core import check
from crossmargin.core.errors import UnreadableFile
from crossmargin.instruments.terms import Right
from crossmargin.margin.rulebooks.span.parameters import (
    POINTS,
    Commodity,
    CommodityRules,
    InterLeg,
    InterSpread,
    IntraLeg,
    IntraSpread,
    PriceRiskMethod,
    RateType,
    ScanPoint,
    Side,
    SpanContract,
    SpanParameters,
    SpotCharge,
    Tier,
)

_TERMS: Final = ("date", "ec", "pointDef", "ccDef", "interSpreads")
_FAMILIES: Final = {
    "phyPf": ("PHY", "phy"), "equityPf": ("STOCK", "equity"), "futPf": ("FUT", "fut"),
    "oopPf": ("OOP", "series"), "oofPf": ("OOF", "series"), "ooePf": ("OOE", "series"), "oosPf": ("OOS", "series"),
}  # fmt: skip
_PRICE_RISK: Final[dict[str, PriceRiskMethod]] = {
    "": "normal",
    "NORMAL": "normal",
    "SCANRANGE": "scanrange",
    "SCANRANGE_CAP": "scanrange_cap",
}
_SPREAD_PARTS: Final = ("spread", "chargeMeth", "rate", "tLeg", "pLeg")


@dataclass(slots=True)
class _Terms:
    """Everything but contracts."""

    date: str = ""
    organisation: str = ""
    points: list[Node] = field(default_factory=list)
    commodities: dict[str, Node] = field(default_factory=dict)
    inter: list[Node] = field(default_factory=list)


def read_span_xml(raw: bytes, *, where: str, choice: SpanChoice) -> SpanParameters:
    """The parameters in an XML file; raises as `read_span` does."""
    terms = _read_terms(raw, where)
    choice.require(terms.commodities, where=where)
    wanted = {code: node for code, node in terms.commodities.items() if choice.reads(code)}
    home = {link: code for code, node in wanted.items() for link in _links(node)}
    families = _read_families(raw, home, where)
    months = _months(families)
    commodities = []
    for code, node in wanted.items():
        mine = [family for family in families if home[family.exchange, family.number] == code]
        minimum = _ShortMinimum(node, choice)
        contracts = tuple(c for family in mine for c in _contracts(family, minimum, months, choice))
        _require_currency(node, mine)
        rules = with_price_scan(_rules(node, choice), contracts, where=node.where)
        commodities.append(Commodity(code=code, currency=node.word("currency"), contracts=contracts, rules=rules))
    return SpanParameters(
        source=f"{terms.organisation} risk parameters, {where}",
        date=f"{terms.date[:4]}-{terms.date[4:6]}-{terms.date[6:]}",
        points=_points(terms.points, choice, where),
        commodities=tuple(commodities),
        inter_spreads=tuple(_inter_spreads(terms.inter, wanted, choice)),
    )


def _read_terms(raw: bytes, where: str) -> _Terms:
    terms = _Terms()

    def use(node: Node) -> None:
        if node.name == "date":
            terms.date = node.text.strip() if node.parent == "pointInTime" else terms.date
        elif node.name == "ec":
            if terms.organisation:
                raise refusal("clearing house", node.text, "one in a file", where=node.where, remedy="Split the file.")
            terms.organisation = node.text.strip()
        elif node.name == "pointDef":
            terms.points.append(node)
        elif node.name == "ccDef":
            check.unique([*terms.commodities, node.word("cc")], "combined commodity", where=where)
            terms.commodities[node.word("cc")] = node
        else:
            terms.inter += node.children

    Stream(_TERMS, use, where).read(raw)
    if not terms.organisation or len(terms.date) != 8:
        raise UnreadableFile(where, reason="it states no clearing house or no date", remedy="Use a .spn file.")
    return terms


def _links(node: Node) -> Iterator[tuple[str, str]]:
    for link in node.all("pfLink"):
        if link.number("sc", 1.0) != 1.0:
            raise refusal("pfLink: sc", link.word("sc"), "1", where=link.where)
        yield link.word("exch"), link.word("pfId")


@dataclass(frozen=True, slots=True)
class _Family:
    """A product family: its node, the exchange it is of, and what its contracts are."""

    node: Node
    exchange: str
    kind: str
    members: str

    @property
    def number(self) -> str:
        return self.node.word("pfId")


def _read_families(raw: bytes, home: dict[tuple[str, str], str], where: str) -> list[_Family]:
    """The families that wanted commodities link to; names of exchanges stand before their families."""
    found: list[_Family] = []
    exchange = [""]

    def use(node: Node) -> None:
        if node.name == "exch":
            exchange[0] = node.text.strip() if node.parent == "exchange" else exchange[0]
        elif node.name in _FAMILIES and (exchange[0], node.word("pfId")) in home:
            found.append(_Family(node, exchange[0], *_FAMILIES[node.name]))

    Stream(("exch", *_FAMILIES), use, where).read(raw)
    return found


def _months(families: Iterable[_Family]) -> dict[tuple[str, str, str], str]:
    """The period of each future, by exchange, family and contract."""
    return {
        (f.exchange, f.number, contract.word("cId")): _period(contract.word("pe"))
        for f in families
        if f.kind == "FUT"
        for contract in f.node.all("fut")
    }


def _period(text: str) -> str:
    """A month or day; none for zeros. What follows a day (a week code) is in the contract's id alone."""
    return text[:8] if text.strip("0") else ""


def _of_rate(nodes: Iterable[Node], choice: SpanChoice) -> Node | None:
    """The node of the chosen rate, or the only one without a number."""
    return next((node for node in nodes if node.word("r", choice.rate) == choice.rate), None)


def _points(nodes: Iterable[Node], choice: SpanChoice, where: str) -> tuple[ScanPoint, ...]:
    node = _of_rate(nodes, choice)
    if node is None:
        raise refusal("pointDef", None, f"given for rate {choice.rate}", where=where, remedy="Choose another rate.")
    rows = sorted(node.all("scanPointDef"), key=lambda row: row.number("point"))
    if [row.number("point") for row in rows] != list(range(1, POINTS + 1)):
        raise refusal("points", len(rows), f"numbered 1 to {POINTS}", where=node.where, remedy="Use another file.")
    return tuple(_point(row) for row in rows)


def _point(row: Node) -> ScanPoint:
    moves = []
    for name in ("priceScanDef", "volScanDef"):
        found = row.all(name)
        moves.append(found[0].number("mult", 0.0) if found else 0.0)
    price, volatility = moves
    pair = int(row.number("pairedPoint"))
    far = abs(price) > 1.0
    return ScanPoint(price=max(-1.0, min(price, 1.0)), volatility=volatility, pair=pair, extreme=far)


def _rules(node: Node, choice: SpanChoice) -> CommodityRules:
    method, minimum = node.word("procMeth"), node.word("somMeth")
    if method not in ("", "NORMAL"):
        raise refusal("procMeth", method, "NORMAL", where=node.where)
    if minimum not in ("", "GROSS", "MAX"):
        raise refusal("somMeth", minimum, "GROSS or MAX", where=node.where)
    scan, intra = _tiers(node, "scanTiers"), _tiers(node, "intraTiers")
    return CommodityRules(
        price_risk=price_risk_method(node.word("wfprMeth"), _PRICE_RISK, where=node.where),
        short_minimum="max" if minimum == "MAX" else "gross",
        cap_value=node.number("capAnov", 0.0) != 0.0,
        initial_ratio=_initial_ratio(node, choice),
        scan_tiers=scan if len(scan) > 1 else (),
        tiers=intra,
        spreads=tuple(_intra_spread(row, choice) for row in node.all("dSpread")),
        spot=tuple(
            SpotCharge(period=_period(row.word("pe")), spread=row.number("sprd"), outright=row.number("outr"))
            for row in node.all("spotRate")
            if row.word("r", choice.rate) == choice.rate
        ),
    )


def _tiers(node: Node, name: str) -> tuple[Tier, ...]:
    rows = [row for group in node.all(name) for row in group.all("tier")]
    tiers = tuple(
        Tier(number=int(row.number("tn")), first=_period(row.word("sPe")), last=_period(row.word("ePe")))
        for row in rows
    )
    # A tier without ends is all months: as a scanning tier it would count every contract twice.
    return tiers if name == "intraTiers" else tuple(t for t in tiers if t.first or t.last)


def _tier(row: Node) -> Tier:
    return Tier(number=int(row.number("tn", 0.0)), first=_period(row.word("sPe")), last=_period(row.word("ePe")))


def _initial_ratio(node: Node, choice: SpanChoice) -> float:
    """The ratio to the maintenance rate that the chosen rate has; raises where the file holds several and none is."""
    rows = [r for r in node.all("adjRate") if r.word("baseR") == choice.rate and r.word("r") != choice.rate]
    ratios = {r.word("r"): r.number("val") for r in rows}
    if choice.initial_rate:
        check.known(choice.initial_rate, ratios, "initial rate", where=node.where)
        return ratios[choice.initial_rate]
    if len(set(ratios.values())) > 1:
        raise refusal("adjRate", ratios, "one ratio, or chosen", where=node.where, remedy="State `initial_rate`.")
    return next(iter(ratios.values()), 1.0)


def _side(leg: Node) -> Side:
    side = leg.word("rs")
    if side not in ("A", "B"):
        raise refusal("rs", side, "A or B", where=leg.where)
    return "A" if side == "A" else "B"


def _rate(row: Node, choice: SpanChoice) -> tuple[RateType, float]:
    """Kind and amount of a spread's rate; raises for parts of a spread that are not read."""
    unknown = [child.name for child in row.children if child.name not in _SPREAD_PARTS]
    if unknown:
        raise refusal(f"spread {row.word('spread')}", unknown[0], ", ".join(_SPREAD_PARTS), where=row.where)
    letter = row.word("chargeMeth")
    check.known(letter, choice.charge_methods, "chargeMeth", where=row.where, remedy="State `charge_methods`.")
    rate = _of_rate(row.all("rate"), choice)
    if rate is None:
        raise refusal("rate", None, f"given for rate {choice.rate}", where=row.where)
    return choice.charge_methods[letter], rate.number("val")


def _intra_spread(row: Node, choice: SpanChoice) -> IntraSpread:
    kind, charge = _rate(row, choice)
    if kind == "wpr":
        raise refusal("chargeMeth", row.word("chargeMeth"), "an amount, inside a commodity", where=row.where)
    legs = [
        IntraLeg(side=_side(leg), tier=int(leg.number("tn")), ratio=leg.number("i", 1.0)) for leg in row.all("tLeg")
    ]
    legs += [
        IntraLeg(side=_side(leg), period=_period(leg.word("pe")), ratio=leg.number("i", 1.0)) for leg in row.all("pLeg")
    ]
    return IntraSpread(priority=int(row.number("spread")), charge=charge, legs=tuple(legs), rate_type=kind)


def _inter_spreads(rows: Iterable[Node], wanted: dict[str, Node], choice: SpanChoice) -> Iterator[InterSpread]:
    for row in rows:
        legs = [leg for leg in row.children if leg.word("cc")]
        if any(leg.word("cc") not in wanted for leg in legs):
            continue  # nothing of such a commodity can be held under these parameters
        if row.name != "dSpread":
            raise refusal("spread", row.name, "dSpread", where=row.where)
        kind, rate = _rate(row, choice)
        if kind == "wpr" and choice.credit_rates is None:
            raise refusal("credit rate", rate, "in a stated unit", where=row.where, remedy="State `credit_rates`.")
        for leg in legs:
            tiers = _tiers(wanted[leg.word("cc")], "interTiers")
            if leg.name != "tLeg" or (len(tiers) > 1 and leg.number("tn", 0.0)):
                raise refusal("leg", leg.word("cc"), "of a whole commodity", where=leg.where)
        yield InterSpread(
            priority=int(row.number("spread")),
            rate=rate / 100.0 if kind == "wpr" and choice.credit_rates == "percent" else rate,
            rate_type=kind,
            legs=tuple(InterLeg(commodity=x.word("cc"), side=_side(x), ratio=x.number("i", 1.0)) for x in legs),
        )


class _ShortMinimum:
    """What one sold option asks for at least, by its period."""

    def __init__(self, node: Node, choice: SpanChoice) -> None:
        self.overall = 0.0
        self.tiers: list[tuple[Tier, float]] = []
        for row in (row for group in node.all("somTiers") for row in group.all("tier")):
            rate = _of_rate(row.all("rate"), choice)
            if rate is None:
                continue
            tier = _tier(row)
            if tier.first or tier.last:
                self.tiers.append((tier, rate.number("val")))
            else:
                self.overall = rate.number("val")

    def at(self, period: str) -> float:
        return next((rate for tier, rate in self.tiers if tier.holds(period)), self.overall)


def _require_currency(node: Node, families: Iterable[_Family]) -> None:
    for family in families:
        if family.node.word("currency", node.word("currency")) != node.word("currency"):
            raise refusal("currency", family.node.word("currency"), node.word("currency"), where=family.node.where)


def _contracts(
    family: _Family, minimum: _ShortMinimum, months: dict[tuple[str, str, str], str], choice: SpanChoice
) -> Iterator[SpanContract]:
    code = family.node.word("pfCode")
    for row in family.node.all(family.members):
        own = row.word("pe")
        if family.members != "series":
            losses, delta = _array(row, choice)
            name = contract_id(family.exchange, code, family.kind, _period(own) and own)
            yield SpanContract(id=name, losses=losses, delta=delta * row.number("sc", 1.0), period=_period(own))
            continue
        series = _series(family, row, months)
        for option in row.all("opt"):
            yield _option(series, option, minimum, choice)


@dataclass(frozen=True, slots=True)
class _Series:
    """What the options of one series share; read once, for a series may hold a hundred thousand."""

    family: _Family
    code: str
    own: str
    under: str
    premium: bool
    scale: float
    factor: float | None


def _series(family: _Family, row: Node, months: dict[tuple[str, str, str], str]) -> _Series:
    style = family.node.word("valueMeth")
    if style not in ("EQTY", "FUT"):
        raise refusal("valueMeth", style, "EQTY (premium paid) or FUT", where=family.node.where)
    contracts = ((c.word("exch"), c.word("pfId"), c.word("cId")) for c in row.all("undC"))
    return _Series(
        family=family,
        code=family.node.word("pfCode"),
        own=row.word("pe"),
        under=next((months[key] for key in contracts if key in months), ""),
        premium=style == "EQTY",
        scale=row.number("sc", 1.0),
        factor=next((n.number("cvf") for n in (row, family.node) if n.word("cvf")), None),
    )


def _option(series: _Series, option: Node, minimum: _ShortMinimum, choice: SpanChoice) -> SpanContract:
    letter = option.word("o")
    if letter not in ("C", "P"):
        raise refusal("o", letter, "C or P", where=option.where)
    right: Right = "call" if letter == "C" else "put"
    losses, delta = _array(option, choice)
    return SpanContract(
        id=contract_id(
            series.family.exchange,
            series.code,
            series.family.kind,
            series.own,
            underlying=series.under,
            right=letter,
            strike=option.number("k"),
        ),
        losses=losses,
        delta=delta * option.number("sc", series.scale),
        period=series.under or _period(series.own),
        right=right,
        premium=series.premium,
        value=_value(series, option) if series.premium else 0.0,
        short_minimum=minimum.at(_period(series.own)),
    )


def _value(series: _Series, option: Node) -> float:
    """The value of one contract, or price times the nearest contract value factor."""
    if option.word("val"):
        return option.number("val")
    factor = option.number("cvf") if option.word("cvf") else series.factor
    if factor is None:
        raise refusal("cvf", None, "given for an option, its series or family", where=option.where)
    return option.number("p") * factor


def _array(row: Node, choice: SpanChoice) -> tuple[tuple[float, ...], float]:
    """The sixteen losses of one contract, and its composite delta."""
    array = _of_rate(row.all("ra"), choice)
    if array is None:
        raise refusal("ra", None, f"given for rate {choice.rate}", where=row.where)
    losses = tuple(number_of(a.text.strip(), "a", a.where) for a in array.all("a"))
    return losses, array.number("d")
