"""keccak-256 against its plain twin and published digests."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs import keccak as module
from crossmargin.proofs import rlp_codec
from crossmargin.proofs.keccak import keccak, keccak_all, keccak_rows
from spec.proofs.keccak import keccak_256


def test_published_digests():
    """Ethereum yellow paper, section 4.1: KEC of nothing, the code hash of an account without code, and of 0x80."""
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak(b"\x80").hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"


@given(st.binary(max_size=300))
def test_agrees_with_the_plain_twin(message):
    assert keccak(message) == keccak_256(message)


@pytest.mark.parametrize("size", [0, 1, 134, 135, 136, 137, 271, 272, 273])
def test_padding_at_the_edges_of_a_block(size):
    assert keccak(bytes(size)) == keccak_256(bytes(size))


def test_rows_and_lists():
    rows = np.arange(60, dtype=np.uint8).reshape(4, 15)
    for view in (rows, rows[:, ::2], rows.T):
        assert [bytes(d) for d in keccak_rows(view)] == [keccak(bytes(row)) for row in view]
    assert keccak_all([]).shape == (0, 32)


@pytest.mark.parametrize(
    ("package", "clear", "call"),
    [
        ("sha3", module._hasher, lambda: keccak(b"")),
        ("rlp", rlp_codec._codec, lambda: rlp_codec.decode(b"\x80", where="test")),
    ],
)
def test_absent_extra_is_named(monkeypatch, package, clear, call):
    monkeypatch.setitem(sys.modules, package, None)
    clear.cache_clear()
    with pytest.raises(InvalidInput, match=r"crossmargin\[chains\]"):
        call()
    clear.cache_clear()
