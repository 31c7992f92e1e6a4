"""The pictures of a chain are well formed, hold every expiry, and draw no number that is none."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from crossmargin.cli.markets.smile_svg import smile_chart, surface_chart, variance_chart
from crossmargin.core.instant import format_expiry_code
from crossmargin.market.fit import build_chain
from tests.market.option_chains import NOW_NS, known_chain, with_rows, with_value

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def chain():
    return build_chain(known_chain().quotes, now_ns=NOW_NS)


@pytest.mark.parametrize("draw", [smile_chart, variance_chart, surface_chart])
def test_drawings_are_well_formed_and_finite(chain, draw):
    text = draw(chain)
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}title").text
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE)


@pytest.mark.parametrize("draw", [smile_chart, variance_chart, surface_chart])
def test_the_last_expiry_is_named(chain, draw):
    assert format_expiry_code(int(chain.expiry_ns[-1])) in draw(chain)


def test_every_point_near_the_money_has_its_dot_and_its_bar(chain):
    root = ET.fromstring(smile_chart(chain))
    dots = [e for e in root.iter(f"{SVG}circle") if e.get("class") == "smile-mark"]
    bars = [e for e in root.iter(f"{SVG}line") if e.get("class") == "smile-quote"]
    assert len(dots) == chain.points.k.size + 1  # and the one of the key
    assert len(bars) == chain.points.k.size


def test_one_sided_quotes_have_a_dot_and_no_bar():
    quotes = with_value(known_chain().quotes, "bid", slice(None), 0.0)
    root = ET.fromstring(smile_chart(build_chain(quotes, now_ns=NOW_NS)))
    assert not [e for e in root.iter(f"{SVG}line") if e.get("class") == "smile-quote"]


def test_every_expiry_is_a_line_of_total_volatility_and_a_row_of_the_map(chain):
    lines = ET.fromstring(variance_chart(chain)).iter(f"{SVG}path")
    assert len([e for e in lines if e.get("class") == "smile-line"]) == chain.expiry_ns.size
    cells = ET.fromstring(surface_chart(chain)).iter(f"{SVG}rect")
    assert len([e for e in cells if e.get("class") == "smile-cell"]) == 11 * chain.expiry_ns.size


def test_names_are_escaped():
    made = known_chain()
    rows = np.arange(len(made.quotes.instrument))
    quotes = with_rows(made.quotes, rows)
    object.__setattr__(quotes, "underlying", "<b>&")
    text = smile_chart(build_chain(quotes, now_ns=NOW_NS))
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text
