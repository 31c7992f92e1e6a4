"""Small risk-parameter files, made here: the same two commodities as XML and as expanded positional records."""

from __future__ import annotations

from collections.abc import Iterable

# Index futures of 50 a point: the range is 100 points, 5,000 a contract; far moves are 3 ranges at a third, so 5,000.
MOVES = (0.0, 0.0, 1 / 3, 1 / 3, -1 / 3, -1 / 3, 2 / 3, 2 / 3, -2 / 3, -2 / 3, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0)
NEAR = tuple(round(-5000 * x) for x in MOVES)
MINI = tuple(round(-3000 * x) for x in MOVES)
CALL = (-300, 350, *(round(-2000 * x) for x in MOVES[2:]))


def record(**columns: str) -> str:
    """One line: `c3="CME"` writes from column 3 on."""
    line = ""
    for first, text in sorted((int(name[1:]), text) for name, text in columns.items()):
        assert len(line) < first, f"column {first} is written twice"
        line = line.ljust(first - 1) + text
    return line


def signed(value: float, digits: int = 5) -> str:
    return f"{abs(round(value)):0{digits}d}{'-' if value < 0 else '+'}"


def array_records(
    product: str, kind: str, future: str, losses: Iterable[int], delta: float, settlement: int, *, month: str = "",
    right: str = "", strike: int = 0, first_only: bool = False,
) -> list[str]:  # fmt: skip
    head = {"c3": "XYZ", "c6": product.ljust(10), "c26": kind, "c30": future}
    if right:
        head |= {"c29": right, "c39": month, "c48": f"{strike:07d}"}
    values = [signed(x) for x in losses]
    tail = {"c97": signed(delta * 1e4), "c103": "00200000", "c111": f"{settlement:07d}+"}
    one = record(c1="81", **head, c55="".join(values[:9]))
    two = record(c1="82", **head, c55="".join(values[9:]), **tail)
    return [one] if first_only else [one, two]


def price_record(product: str, kind: str) -> str:
    """Prices and strikes of two decimals; 50 a point."""
    return record(
        c1="P", c3="XYZ", c6=product.ljust(10), c16=kind, c34="002", c37="002", c42="00000500000000", c66="USD"
    )


def positional(*extra: str, without: tuple[str, ...] = (), **changed: str) -> bytes:
    """The file, without the records named, with others put for those of the same name, and more at its end."""
    lines = {
        "0": record(c1="0", c3="XYZ", c9="20260331", c17="S", c36="U2"),
        "1": record(c1="1", c3="XYZ"),
        "P1": price_record("IDX", "FUT"),
        "P2": price_record("IDX", "OOF"),
        "2A": record(c1="2", c3="XYZ", c7="IDX", c13="0", c14="USD", c18="P", c23="IDX".ljust(10) + "FUT",
                     c39="IDX".ljust(10) + "OOF"),
        "2B": record(c1="2", c3="XYZ", c7="MINI", c13="0", c14="USD", c23="MNI".ljust(10) + "FUT"),
        "3": record(c1="3", c3="IDX", c9="10", c11="01202606202606", c25="02202609202612", c69="100010501100"),
        "4": record(c1="4", c3="IDX", c9="10", c11="01", c13="01202606", c21="00000200000030", c63="0000120",
                    c70="100100100", c79="2"),
        "C": record(c1="C", c3="IDX", c9="10", c11="01", c13="02", c15="0000400", c22="010101A020201B"),
        "S": record(c1="S", c3="IDX", c9="01", c83="1"),
        "6": record(c1="6", c3="GRP", c6="0001", c10="0800000", c17="XYZ", c21="IDX", c27="0010000A", c35="XYZ",
                    c39="MINI", c45="0020000B", c89="01", c101="W"),
        "B": record(c1="B", c3="XYZ", c6="MNI".ljust(10), c16="FUT", c19="202606", c86="005000"),
    }  # fmt: skip
    lines |= changed
    arrays = [
        *array_records("IDX", "FUT", "202606", NEAR, 1.0, 500_000),
        *array_records("IDX", "FUT", "202609", NEAR, 1.0, 501_000),
        *array_records("IDX", "OOF", "202606", CALL, 0.4, 2_050, month="202606", right="C", strike=520_000),
        *array_records("MNI", "FUT", "202606", MINI, 1.0, 250_000),
    ]
    kept = [text for name, text in lines.items() if name not in without]
    return "\n".join([*kept, *arrays, *extra, ""]).encode()


def array_node(losses: Iterable[int], delta: float) -> str:
    return f"<ra><r>1</r>{''.join(f'<a>{x}</a>' for x in losses)}<d>{delta}</d></ra>"


def point_nodes() -> str:
    rows = []
    for number, price in enumerate((0.0, 0.0, *MOVES[2:14], 3.0, -3.0), 1):
        vol = 0.0 if number > 14 else (1.0 if number % 2 else -1.0)
        pair = number if number > 14 else (number + 1 if number % 2 else number - 1)
        rows.append(
            f"<scanPointDef><point>{number}</point><priceScanDef><mult>{price}</mult></priceScanDef><volScanDef><mult>{vol}"
            f"</mult></volScanDef><weight>1</weight><pairedPoint>{pair}</pairedPoint></scanPointDef>"
        )
    return f"<pointDef><r>1</r>{''.join(rows)}</pointDef>"


INTRA = """<dSpread><spread>1</spread><chargeMeth>F</chargeMeth><rate><r>1</r><val>400</val></rate>
<tLeg><cc>IDX</cc><tn>1</tn><rs>A</rs><i>1</i></tLeg><tLeg><cc>IDX</cc><tn>2</tn><rs>B</rs><i>1</i></tLeg></dSpread>"""
INTER = """<dSpread><spread>1</spread><chargeMeth>W</chargeMeth><rate><r>1</r><val>80</val></rate>
<tLeg><cc>IDX</cc><tn>0</tn><rs>A</rs><i>1</i></tLeg><tLeg><cc>MINI</cc><tn>0</tn><rs>B</rs><i>2</i></tLeg></dSpread>"""


def xml(head: str = "", intra: str = INTRA, inter: str = INTER, rules: str = "", option: str = "") -> bytes:
    """The same commodities as XML; `rules` stands at the end of IDX's, `option` in its one option."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>{head}
<spanFile><fileFormat>4.00</fileFormat><definitions><currencyDef><currency>USD</currency></currencyDef></definitions>
<pointInTime><date>20260331</date><isSetl>1</isSetl><clearingOrg><ec>XYZ</ec>{point_nodes()}
<exchange><exch>XYZ</exch>
<futPf><pfId>1</pfId><pfCode>IDX</pfCode><currency>USD</currency><cvf>50</cvf>
 <fut><cId>1</cId><pe>202606</pe><p>5000</p><sc>1</sc>{array_node(NEAR, 1.0)}</fut>
 <fut><cId>2</cId><pe>202609</pe><p>5010</p><sc>1</sc>{array_node(NEAR, 1.0)}</fut></futPf>
<stockPf><pfId>8</pfId><undPf><exch>ELSE</exch></undPf></stockPf>
<oofPf><pfId>2</pfId><pfCode>IDX</pfCode><currency>USD</currency><cvf>50</cvf><valueMeth>EQTY</valueMeth>
 <series><pe>202606</pe><undC><exch>XYZ</exch><pfId>1</pfId><cId>1</cId></undC>
 <opt><cId>9</cId><o>C</o><k>5200</k><p>20.5</p>{option}{array_node(CALL, 0.4)}</opt></series></oofPf>
<futPf><pfId>3</pfId><pfCode>MNI</pfCode><currency>USD</currency><cvf>5</cvf>
 <fut><cId>1</cId><pe>202606</pe><p>2500</p><sc>0.5</sc>{array_node(MINI, 1.0)}</fut></futPf></exchange>
<ccDef><cc>IDX</cc><currency>USD</currency><capAnov>0</capAnov><procMeth>NORMAL</procMeth><wfprMeth>NORMAL</wfprMeth>
 <somMeth>GROSS</somMeth><adjRate><r>2</r><baseR>1</baseR><val>1.1</val></adjRate>
 <spotRate><r>1</r><pe>202606</pe><sprd>20</sprd><outr>30</outr></spotRate>
 <pfLink><exch>XYZ</exch><pfId>1</pfId><pfType>FUT</pfType><sc>1</sc></pfLink>
 <pfLink><exch>XYZ</exch><pfId>2</pfId><pfType>OOF</pfType><sc>1</sc></pfLink>
 <scanTiers><tier><tn>0</tn></tier></scanTiers>
 <intraTiers><tier><tn>1</tn><sPe>202606</sPe><ePe>202606</ePe></tier>
  <tier><tn>2</tn><sPe>202609</sPe><ePe>202612</ePe></tier></intraTiers>
 <somTiers><tier><tn>0</tn><rate><r>1</r><val>120</val></rate></tier></somTiers>{intra}{rules}</ccDef>
<ccDef><cc>MINI</cc><currency>USD</currency>
 <pfLink><exch>XYZ</exch><pfId>3</pfId><pfType>FUT</pfType><sc>1</sc></pfLink></ccDef>
<interSpreads>{inter}</interSpreads>
</clearingOrg></pointInTime></spanFile>""".encode()
