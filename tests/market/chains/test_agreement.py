"""A quorum of operators names a final block, and a contradiction freezes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.market.chains.agreement import Agreed, Answer, Freeze, Frozen, agree, common_height


def answers(*hashes: bytes, operators: str = "ABCDEFGH") -> list[Answer]:
    return [
        Answer(endpoint=f"rpc {place}", operator=operator, block_hash=said, silent="" if said else "no answer")
        for place, (said, operator) in enumerate(zip(hashes, operators, strict=False))
    ]


@pytest.mark.parametrize(
    ("said", "operators", "reason"),
    [
        ((b"x", b"x", b"x", b"x"), "ABCD", None),
        ((b"x", b"x", b"x", b""), "ABCD", None),
        ((b"x", b"x", b"", b""), "ABCD", Freeze.TOO_FEW),
        ((b"x", b"x", b"x", b"y"), "ABCD", Freeze.DISAGREEMENT),
        ((b"x", b"x", b"y", b"y"), "ABCD", Freeze.DISAGREEMENT),
        ((b"x", b"x", b"x", b"x"), "AABB", Freeze.TOO_FEW),  # Four endpoints of two operators are two votes.
        ((b"x", b"x", b"x", b"y"), "ABCC", Freeze.TWO_FACED),
        ((), "", Freeze.TOO_FEW),
    ],
)
def test_three_of_four_operators_agree_or_nothing_is_believed(said, operators, reason) -> None:
    found = agree(7, answers(*said, operators=operators))
    if reason is None:
        assert isinstance(found, Agreed)
        assert (found.number, found.block_hash, len(found.operators)) == (7, b"x", 4 - said.count(b""))
        assert len(found.silent) == said.count(b"")
    else:
        assert isinstance(found, Frozen)
        assert (found.reason, len(found.said)) == (reason, len(said))


def test_a_dissent_is_borne_only_where_it_is_allowed() -> None:
    assert isinstance(agree(7, answers(b"x", b"x", b"x", b"y"), dissent_max=1), Agreed)


@given(st.lists(st.sampled_from([b"x", b"y", b""]), max_size=8), st.integers(1, 5))
def test_what_is_agreed_was_said_by_a_quorum_and_contradicted_by_nobody(said, quorum) -> None:
    found = agree(1, answers(*said), quorum=quorum)
    agreed = [named for named in (b"x", b"y") if said.count(named) >= quorum and set(said) <= {named, b""}]
    assert (found.block_hash if isinstance(found, Agreed) else None) == (agreed[0] if agreed else None)


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50)), st.integers(1, 5))
def test_the_common_height_is_called_final_by_a_quorum(finals, quorum) -> None:
    height = common_height(finals, quorum)
    if height is None:
        assert len(finals) < quorum
    else:
        assert sum(final >= height for final in finals.values()) >= quorum
        assert sum(final > height for final in finals.values()) < quorum


def test_a_quorum_of_nobody_is_refused() -> None:
    with pytest.raises(InvalidInput, match="quorum"):
        common_height({}, 0)
