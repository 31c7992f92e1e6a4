"""A file of sources is checked whole before anything is asked, and no key stands in what is said of it."""

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crossmargin.adapters.live.document import SourcesDocument
from crossmargin.adapters.live.sources import Sources, expanded, read_sources
from crossmargin.adapters.registries.files import default_registry
from crossmargin.adapters.writing import write_document
from crossmargin.core.errors import CrossmarginError, DuplicateName, InvalidInput, UnknownName

NOW_NS = default_registry().times_ns[-1]
KEYS = {"NORTH_RPC_KEY": "n0rth-k3y", "EAST_RPC_KEY": "3ast-k3y"}
Tree = dict[str, Any]


@pytest.fixture(scope="module")
def example(repository: Path) -> Path:
    return repository / "examples" / "chain-sources.toml"


def read(path: Path, environment: dict[str, str] = KEYS) -> Sources:
    return read_sources(path, default_registry(), time_ns=NOW_NS, environment=environment)


def test_the_example_is_read(example: Path) -> None:
    ethereum, arbitrum = read(example).chains
    assert (ethereum.number, ethereum.agree, len(ethereum.ways), arbitrum.agree) == (1, 2, 3, 1)
    assert ethereum.ways[1].url == "https://eth.north.example/v2/n0rth-k3y"
    assert ethereum.ways[2].url == "https://rpc.east.example/eth?token=3ast-k3y"
    (vault,) = ethereum.vaults
    assert vault.decimals == 6
    assert vault.journal == example.parent / "ethereum-usdc.sqlite"
    assert list(vault.owners.values()) == [f"eip155:1:0x{'3' * 40}", "desk", "desk/isolated"]
    (other,) = arbitrum.vaults
    assert (other.home, list(other.owners.values())) == (1, [f"eip155:1:0x{'3' * 40}"])
    assert not any(key in repr(read(example)) for key in KEYS.values())


def put(*path: str | int, value: object) -> Callable[[Tree], None]:
    def change(tree: Any) -> None:
        for step in path[:-1]:
            tree = tree[step]
        tree[path[-1]] = value

    return change


def doubled(*path: str | int) -> Callable[[Tree], None]:
    def change(tree: Any) -> None:
        for step in path:
            tree = tree[step]
        tree.append(copy.deepcopy(tree[0]))

    return change


FIRST = ("chains", 0)
VAULT = (*FIRST, "vaults", 0)
REFUSED = {
    "no chain": (put("chains", value=[]), InvalidInput, "chains is 0"),
    "chain twice": (doubled("chains"), DuplicateName, "chain"),
    "unknown chain": (put(*FIRST, "chain", value="eip155:987654"), UnknownName, "registry"),
    "no EVM": (put(*FIRST, "chain", value="solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"), InvalidInput, "of eip155"),
    "no endpoint": (put(*FIRST, "endpoints", value=[]), InvalidInput, "endpoints is 0"),
    "endpoint twice": (doubled(*FIRST, "endpoints"), DuplicateName, "own node"),
    "more than there are": (put(*FIRST, "agree", value=4), InvalidInput, "of 3 operators"),
    "nobody": (put(*FIRST, "agree", value=0), InvalidInput, "of 3 operators"),
    "one operator under two names": (
        put(*FIRST, "endpoints", 1, "url", value="http://127.0.0.1:8545"),
        DuplicateName,
        "url of two operators",
    ),
    "operators fewer than endpoints": (put(*FIRST, "endpoints", 1, "operator", value="desk"), None, ""),
    "no operator": (put(*FIRST, "endpoints", 1, "operator", value=""), InvalidInput, "operator"),
    "not HTTP": (
        put(*FIRST, "endpoints", 1, "url", value="ftp://x.example/$EAST_RPC_KEY"),
        InvalidInput,
        "http or https",
    ),
    "a user": (put(*FIRST, "endpoints", 1, "url", value="https://$NORTH_RPC_KEY@x.example"), InvalidInput, "url"),
    "a small variable": (put(*FIRST, "endpoints", 1, "url", value="https://x.example/$key"), InvalidInput, "capitals"),
    "not set": (put(*FIRST, "endpoints", 1, "url", value="https://x/$OTHER"), InvalidInput, "export OTHER"),
    "no time": (put(*FIRST, "timeout_s", value=0.0), InvalidInput, "timeout_s"),
    "too much time": (put(*FIRST, "timeout_s", value=3600.0), InvalidInput, "timeout_s"),
    "too many bytes": (put(*FIRST, "answer_bytes_max", value=1 << 40), InvalidInput, "answer_bytes_max"),
    "no vault": (put(*FIRST, "vaults", value=[]), InvalidInput, "vaults is 0"),
    "vault twice": (doubled(*FIRST, "vaults"), DuplicateName, "vault"),
    "token elsewhere": (
        put(*VAULT, "instance", value="eip155:42161/erc20:0xaf88d065e77c8cc2239327c5edb3a432268e5831"),
        InvalidInput,
        "a token on eip155:1",
    ),
    "no token": (put(*VAULT, "instance", value="eip155:1/slip44:60"), InvalidInput, "an ERC-20"),
    "unknown token": (put(*VAULT, "instance", value=f"eip155:1/erc20:0x{'9' * 40}"), UnknownName, "asset instance"),
    "wrong checksum": (
        put(*VAULT, "instance", value="eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eb4B"),
        InvalidInput,
        "checksum",
    ),
    "short address": (put(*VAULT, "address", value="0x11"), InvalidInput, "40 hexadecimal digits"),
    "short hash": (put(*VAULT, "code_hash", value="0x22"), InvalidInput, "64 hexadecimal digits"),
    "no journal": (put(*VAULT, "journal", value=""), InvalidInput, "journal"),
    "one journal for two": (
        put("chains", 1, "vaults", 0, "journal", value="ethereum-usdc.sqlite"),
        DuplicateName,
        "journal",
    ),
    "no owner": (put(*VAULT, "owners", value=[]), InvalidInput, "owners is 0"),
    "owner twice": (doubled(*VAULT, "owners"), DuplicateName, "owner"),
    "two owners of one account": (put(*VAULT, "owners", 2, "account", value="desk"), DuplicateName, "desk holds"),
    "no EVM home": (put(*VAULT, "home", value="cosmos:hub-4"), InvalidInput, "home"),
    "another field": (put(*VAULT, "key", value="secret"), UnknownName, "field"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_said_with_its_place_and_without_keys(example: Path, tmp_path: Path, name: str) -> None:
    change, error, said = REFUSED[name]
    tree = tomllib.loads(example.read_text(encoding="utf-8"))
    change(tree)
    path = tmp_path / "sources.json"
    path.write_bytes(msgspec.json.encode(tree))
    if error is None:
        read(path)
        return
    with pytest.raises(error, match=said) as caught:
        read(path)
    assert "sources.json" in str(caught.value)
    assert not any(key in str(caught.value) for key in KEYS.values())


def test_a_document_reads_as_it_is_written(example: Path, tmp_path: Path) -> None:
    document = msgspec.convert(tomllib.loads(example.read_text(encoding="utf-8")), SourcesDocument)
    write_document(tmp_path / "sources.toml", document)
    assert [chain.vaults[0].subject for chain in read(tmp_path / "sources.toml").chains] == [
        chain.vaults[0].subject for chain in read(example).chains
    ]


def test_variables_are_expanded_once() -> None:
    assert expanded("http://$A/${A}b", {"A": "$B", "B": "no"}, where="here") == "http://$B/$Bb"
    for url in ("http://$", "http://${A", "http://$a", "http://x/$A$"):
        with pytest.raises(CrossmarginError):
            expanded(url, {"A": "x"}, where="here")
