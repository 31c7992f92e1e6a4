"""Margin of random books against its plain twin: every term, every holding, every pool."""

import numpy as np
from hypothesis import given, settings

from crossmargin.accounts.health import Status
from crossmargin.margin.requirement import TERMS
from tests.margin.books import MarginCase, margin_cases

EXACT = 1e-11


def size_of(c: MarginCase) -> float:
    """What is at stake in a book, USD: rounding is measured by it where a term is a small difference."""
    book, exposed = c.book, c.result.plan.terms.exposure
    unit = np.abs(c.result.plan.pnl.values).max(axis=1, initial=0.0) + np.abs(exposed.delta) + exposed.notional
    unit += np.abs(exposed.value)
    lines = (book.positions, book.orders, book.holdings)
    return float(sum(np.abs(x.quantity) @ unit[x.instrument] for x in lines)) + 1e-9


def close(found: float, expected: float, size: float) -> bool:
    return abs(found - expected) <= EXACT * abs(expected) + 1e-13 * size


@given(margin_cases())
@settings(max_examples=150)
def test_margin_is_that_of_its_twin(c: MarginCase):
    book, pools, size = c.book, c.result.pools, size_of(c)
    assert set(book.pools) == set(c.plain)
    for p, name in enumerate(book.pools):
        expected = c.plain[name]
        for field in ("collateral", "unsettled", "position_value", "equity", "wrong_way", "initial", "maintenance"):
            found = float(getattr(pools, field)[p])
            assert close(found, getattr(expected, field), size), f"{field} of {name}: {found} {expected}"
        edges = (expected.initial, expected.maintenance)
        if all(abs(expected.equity - edge) > 1e-9 * size for edge in edges):
            assert Status(pools.status[p]).name.lower() == expected.status


@given(margin_cases())
@settings(max_examples=150)
def test_every_term_is_that_of_its_twin(c: MarginCase):
    book, found, size = c.book, c.result.groups, size_of(c)
    for p, name in enumerate(book.pools):
        mine = np.flatnonzero(book.group_pool == p)
        for g, terms in zip(mine, c.plain[name].terms, strict=True):
            for i, term in enumerate(TERMS):
                pair = terms.get(term, (0.0, 0.0))
                assert close(found.initial[g, i], pair[0], size), f"{term} of {book.groups[g]}: {pair}"
                assert close(found.maintenance[g, i], pair[1], size), f"{term} of {book.groups[g]}: {pair}"


@given(margin_cases())
@settings(max_examples=100)
def test_every_holding_counts_as_in_its_twin(c: MarginCase):
    table, held = c.book.table, c.book.holdings
    for p, name in enumerate(c.book.pools):
        expected = c.plain[name].counted
        assert len(expected) == held.of(p).stop - held.of(p).start
        account = next(a for a in c.accounts if name in c.pools(a))
        plain = c.pools(account)[name]
        by_row = {row.contract.id: counted for row, counted in zip(plain.held, expected, strict=True)}
        for line in range(held.of(p).start, held.of(p).stop):
            counted = by_row[table.ids[held.instrument[line]]]
            for field in ("gross", "haircut", "capped", "recognised"):
                found = float(getattr(c.result.holdings, field)[line])
                assert close(found, getattr(counted, field), abs(counted.gross) * 10.0), f"{field} of {name}"
