"""The page says what transactions cost."""

import re

from tests.contracts.gas import PAGE, TABLE, measured


def test_the_table_of_the_page_is_what_is_measured():
    (kept,) = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    stated = {name: int(gas.replace(",", "")) for name, gas in re.findall(r"\| (.+?) \| ([\d,]+) \|", kept)}
    found = measured()
    assert stated.keys() == found.keys()
    for name, gas in found.items():
        assert abs(stated[name] - gas) <= 3 * gas // 100, f"{name} takes {gas}: run python -m tests.contracts.gas"
