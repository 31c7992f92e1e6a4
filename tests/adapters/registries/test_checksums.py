"""EIP-55: its own examples, and any digit that is wrong in mixed case is refused at load."""

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

pytest.importorskip("sha3", reason="checksums need the extra chains")

from pathlib import Path

from crossmargin.adapters.registries.checksums import check_checksum, checksummed, display
from crossmargin.adapters.registries.files import read_registry
from crossmargin.core.errors import InvalidInput

digits = st.text("0123456789abcdef", min_size=40, max_size=40)


@pytest.mark.parametrize(
    "address",
    [
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "fB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "dbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "D1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_examples_of_the_standard(address: str):
    """EIP-55, test cases."""
    assert checksummed(address.lower()) == address
    assert check_checksum(f"eip155:1/erc20:0x{address}", where="here")
    assert display(f"eip155:1:0x{address.lower()}") == f"eip155:1:0x{address}"


@given(digits, st.integers(0, 39))
def test_a_letter_in_the_wrong_case_is_refused(address: str, place: int):
    right = checksummed(address)
    wrong = right[:place] + right[place].swapcase() + right[place + 1 :]
    assume(wrong not in {right, address, address.upper()})
    with pytest.raises(InvalidInput, match="EIP-55"):
        check_checksum(f"eip155:1/erc20:0x{wrong}", where="here")


@given(digits)
def test_one_case_says_nothing(address: str):
    for same in (address, address.upper()):
        assert check_checksum(f"eip155:1/erc20:0x{same}", where="here")


def test_other_namespaces_have_no_checksum():
    key = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    assert display(check_checksum(key, where="here")) == key


def test_a_registry_with_a_wrong_checksum_is_refused(tmp_path: Path):
    address = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB49"  # that of USDC, with another last digit
    instance = {
        "instance": f"eip155:1/erc20:{address}",
        "symbol": "USDC",
        "canonical": "USDC",
        "decimals": 6,
        "kind": "issuer_native",
        "valid_from": "2026-01-01T00:00:00Z",
        "source": "made up",
        "date": "2026-01-01",
    }
    file = tmp_path / "registry.json"
    file.write_bytes(msgspec.json.encode({"instances": [instance]}))
    with pytest.raises(InvalidInput, match=r"instances\[0\]: checksum of an address"):
        read_registry(file)
