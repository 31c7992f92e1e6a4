"""Disclosure fields, and the message that carries them."""

import re
from decimal import Decimal
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.validation import disclosure
from crossmargin.validation.disclosure import NAMESPACE, LargestExceptionId, MonthlyResult
from crossmargin.validation.statistics.results import Conventions

TAG = "{" + NAMESPACE + "}"
amounts = st.decimals(0, 10**12, places=5)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=35).filter(
    lambda text: "\ufffe" not in text and "\uffff" not in text
)
identities = st.none() | st.builds(
    LargestExceptionId,
    id=texts,
    description=st.just("") | texts,
    issuer=st.just("") | texts,
    scheme=st.sampled_from([None, "MARG", "COLL", "POSI", "CLIM"]),
)


@st.composite
def results(draw):
    observations = draw(st.integers(1, 10**9))
    exceptions = draw(st.integers(0, observations))
    return MonthlyResult(
        observations=observations,
        exceptions=exceptions,
        coverage=draw(st.decimals(0, 1, places=10)),
        largest_exception=draw(amounts),
        average_exception=draw(amounts),
        currency=draw(st.sampled_from(["USD", "EUR"])),
        largest_exception_id=draw(identities),
    )


def read(xml):
    """The results of a message, by the names of its elements."""
    root = ET.fromstring(xml)
    assert root.tag == f"{TAG}Document"
    (report,) = root
    assert report.tag == f"{TAG}CCPBckTstgRsltRpt"
    return [read_result(part) for part in report.iterfind(f"{TAG}MnthlyRslt")]


def read_result(part):
    def text(path, within=part):
        return within.findtext(f"{TAG}{path}", default="")

    largest, identity = part.find(f"{TAG}LrgstXcptn"), part.find(f"{TAG}LrgstXcptnId")
    named = identity is not None and LargestExceptionId(
        id=text("Id", identity),
        description=text("Desc", identity),
        issuer=text("Issr", identity),
        scheme=text("SchmeNm", identity) or None,
    )
    return MonthlyResult(
        observations=int(text("NbOfObsrvtns")),
        exceptions=int(text("NbOfXcptns")),
        coverage=Decimal(text("Cvrg")),
        largest_exception=Decimal(largest.text),
        average_exception=Decimal(text("AvrgXcptn")),
        currency=largest.attrib["Ccy"],
        largest_exception_id=named or None,
    )


@given(st.lists(results(), min_size=1, max_size=4))
def test_a_message_reads_back(sent):
    assert read(disclosure.auth066_xml(sent)) == sent


@given(results())
def test_elements_stand_in_the_order_of_the_schema(sent):
    (report,) = ET.fromstring(disclosure.auth066_xml([sent]))
    names = [element.tag.removeprefix(TAG) for element in report[0]]
    expected = ["NbOfObsrvtns", "NbOfXcptns", "Cvrg", "LrgstXcptn", "AvrgXcptn", "LrgstXcptnId"]
    assert names == expected[: 5 + (sent.largest_exception_id is not None)]
    identity = report[0].find(f"{TAG}LrgstXcptnId")
    inner = [] if identity is None else [element.tag.removeprefix(TAG) for element in identity]
    assert inner == [name for name in ("Id", "Desc", "Issr", "SchmeNm") if name in inner]


def sound(**changes):
    base = MonthlyResult(
        observations=250,
        exceptions=2,
        coverage=Decimal("0.992"),
        largest_exception=Decimal("1250000.5"),
        average_exception=Decimal(800000),
        currency="USD",
    )
    return msgspec.structs.replace(base, **changes)


def test_markup_in_names_is_escaped():
    xml = disclosure.auth066_xml([sound(largest_exception_id=LargestExceptionId(id="</Id><&>", issuer='"A" & B'))])
    assert b"&lt;/Id&gt;&lt;&amp;&gt;" in xml
    assert read(xml)[0].largest_exception_id.id == "</Id><&>"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"observations": 0, "exceptions": 0}, "observations"),
        ({"exceptions": 251}, "exceptions"),
        ({"exceptions": -1}, "exceptions"),
        ({"coverage": Decimal("1.0000000001")}, "coverage"),
        ({"coverage": Decimal("0.99200000001")}, "coverage"),
        ({"coverage": Decimal("NaN")}, "coverage"),
        ({"largest_exception": Decimal(-1)}, "LrgstXcptn"),
        ({"average_exception": Decimal("0.000001")}, "AvrgXcptn"),
        ({"largest_exception": Decimal(10) ** 18}, "LrgstXcptn"),
        ({"largest_exception": Decimal("Infinity")}, "LrgstXcptn"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "USDC"}, "currency"),
        ({"largest_exception_id": LargestExceptionId(id="")}, "Id"),
        ({"largest_exception_id": LargestExceptionId(id="a" * 257)}, "Id"),
        ({"largest_exception_id": LargestExceptionId(id="a\x00b")}, "Id"),
        ({"largest_exception_id": LargestExceptionId(id="a", issuer="b" * 36)}, "Issr"),
    ],
)
def test_what_the_schema_does_not_hold_is_refused(changes, named):
    with pytest.raises(InvalidInput, match=f"result 1.*{named}"):
        disclosure.auth066_xml([sound(), sound(**changes)])


@pytest.mark.parametrize("count", [0, disclosure.RESULTS_MAX + 1])
def test_messages_are_bounded(count):
    with pytest.raises(InvalidInput, match="results"):
        disclosure.auth066_xml([sound()] * count)


def disclosed(pnl, margin):
    return disclosure.principle6(
        pnl, margin, model="fhs", confidence=0.99, currency="USD", window_days=365, conventions=Conventions()
    )


def test_items_bear_their_numbers():
    """Two portfolios of five dates: losses of 3 and 5 beyond margins of 10."""
    pnl = np.array([[0.0, -13.0, 2.0, -10.0, 1.0], [0.0, 0.0, -15.0, 0.0, 4.0]])
    items = msgspec.to_builtins(disclosed(pnl, np.full((2, 5), 10.0)))
    assert {name: items[name] for name in items if re.match(r"6\.\d", name)} == {
        "6.5.1": "daily",
        "6.5.2": 2,
        "6.5.3": 10,
        "6.5.4": 0.8,
        "6.5.5": 5.0,
        "6.5.6": 4.0,
        "6.9": None,
    }


@given(st.integers(0, 1000), st.floats(0.1, 1e6))
def test_the_message_states_what_is_disclosed(seed, scale):
    pnl = scale * np.random.default_rng(seed).normal(size=(3, 40))
    items = disclosed(pnl, np.full(pnl.shape, 1.5 * scale))
    stated = disclosure.monthly_result(items)
    assert (stated.observations, stated.exceptions) == (items.observations, items.exceptions)
    assert float(stated.coverage) == pytest.approx(items.achieved_coverage, abs=1e-10)
    assert 0.0 <= float(stated.largest_exception) - items.peak_uncovered_exposure <= 1.1e-5
    assert stated.average_exception <= stated.largest_exception
    assert read(disclosure.auth066_xml([stated])) == [stated]


def test_nothing_uncovered():
    items = disclosed(np.zeros(5), np.ones(5))
    assert (items.exceptions, items.achieved_coverage, items.peak_uncovered_exposure) == (0, 1.0, 0.0)
    assert read(disclosure.auth066_xml([disclosure.monthly_result(items)]))[0].coverage == 1
