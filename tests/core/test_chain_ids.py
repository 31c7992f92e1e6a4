"""CAIP ids: what is parsed comes back, one thing has one key, and what is no id is refused."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.chain_ids import AccountId, AssetType, ChainId, parse_account, parse_asset, parse_chain
from crossmargin.core.errors import InvalidInput

LOWER = string.ascii_lowercase + string.digits + "-"
MIXED = string.ascii_letters + string.digits + "-"
namespaces = st.text(LOWER, min_size=3, max_size=8).filter(lambda name: name not in {"eip155", "slip44"})
chains = st.builds(ChainId, namespaces, st.text(MIXED + "_", min_size=1, max_size=32))
addresses = st.text(MIXED + ".%", min_size=1, max_size=128)
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"


@given(chains)
def test_chains_come_back(chain: ChainId):
    assert parse_chain(str(chain), where="here") == chain


@given(st.builds(AccountId, chains, addresses))
def test_accounts_come_back(account: AccountId):
    assert parse_account(str(account), where="here") == account


@given(st.builds(AssetType, chains, namespaces, addresses))
def test_assets_come_back(asset: AssetType):
    assert parse_asset(str(asset), where="here") == asset


@given(st.integers(0, 2**160 - 1), st.integers(0, 2**40 - 1))
def test_spelling_of_an_evm_address_makes_no_second_key(number: int, upper: int):
    digits = f"{number:040x}"
    mixed = "".join(d.upper() if upper >> i & 1 else d for i, d in enumerate(digits))
    assert parse_asset(f"eip155:1/erc20:0x{mixed}", where="") == parse_asset(f"eip155:1/erc20:0x{digits}", where="")
    assert str(parse_account(f"eip155:1:0x{mixed}", where="")) == f"eip155:1:0x{digits}"


def test_other_namespaces_keep_their_letters():
    mint = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    assert str(parse_asset(mint, where="here")) == mint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eip155:1",
        f"eip155:1/erc20:{USDC}/1",
        f"eip155:1/erc20:{USDC[:-1]}",
        f"eip155:1/erc20:{USDC[2:]}",
        f"EIP155:1/erc20:{USDC}",
        f"eip155:1/erc20:{USDC}\n",
        "eip155:1/slip44:ether",
        "eip155:1/slip44:²",
        "eip155:1/erc20:" + "a" * 129,
    ],
)
def test_what_is_no_asset_is_refused(text: str):
    with pytest.raises(InvalidInput, match="here: "):
        parse_asset(text, where="here")


@pytest.mark.parametrize("text", ["", "eip155:1", "eip155:1:0x12", f"eip155:1:{USDC} ", f"eip155::{USDC}"])
def test_what_is_no_account_is_refused(text: str):
    with pytest.raises(InvalidInput, match="here: "):
        parse_account(text, where="here")
