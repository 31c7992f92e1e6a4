"""An account is like the strategy portfolios that hold what it holds, and is known again by what it holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crossmargin.core.instant import DAY_NS
from crossmargin.engine.outlook.resembling import families_like, held_hash
from crossmargin.engine.variants import account_at
from crossmargin.scenarios.history import build_history
from crossmargin.validation.portfolios import Strategies, strategies


@pytest.fixture(scope="module")
def made() -> Strategies:
    """Strategies over coins with options, a carry and a rate."""
    names = ("spot:A", "spot:B", "spot:C", "vol:A", "fwd:A", "rate:USD:2y")
    start = np.asarray([100.0, 50.0, 20.0, 0.5, 0.02, 0.03])
    moves = 0.01 * np.random.default_rng(1).normal(size=(120, len(names)))
    return strategies(
        build_history(np.arange(1, 121) * DAY_NS, names, start * np.exp(np.cumsum(moves, axis=0))), random=6
    )


def test_every_strategy_is_like_its_own_family(made: Strategies) -> None:
    like = {name: families_like(account_at(made.book, i)) for i, name in enumerate(made.book.accounts)}
    for name, family in zip(made.book.accounts, made.families, strict=True):
        # A random book may hold all of its prices one way, or two against each other.
        allowed = {family, "basket", "hedge"} if family == "random" else {family}
        assert allowed & set(like[name]), f"{name} is like {like[name]}"
    assert {family for found in like.values() for family in found} >= set(made.families) - {"random"}


def test_nothing_held_is_like_nothing(made: Strategies) -> None:
    alone = account_at(made.book, 0)
    empty = replace(alone, positions=replace(alone.positions, quantity=np.zeros(len(alone.positions))))
    assert families_like(empty) == ()


def test_what_is_held_is_known_by_its_quantities(made: Strategies) -> None:
    hashes = [held_hash(made.book, i) for i in range(len(made.book.accounts))]
    assert len(set(hashes)) == len(hashes)
    for i in (0, 3, len(hashes) - 1):
        assert held_hash(account_at(made.book, i), 0) == hashes[i]
    lines = made.book.positions
    doubled = replace(made.book, positions=replace(lines, quantity=2.0 * lines.quantity))
    assert held_hash(doubled, 0) != hashes[0]
