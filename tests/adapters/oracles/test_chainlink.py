"""Rounds read from contracts on a local chain, pinned to one block; liars among them give a reason and no price."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossmargin.adapters.networks.backend import GENESIS_S, ChainBackend
from crossmargin.adapters.networks.signing import address_of
from crossmargin.adapters.oracles.chainlink import Aggregator, read_aggregators, read_sequencer
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import Feed, OracleRules
from crossmargin.market.oracles.gates import refusal
from tests.chains_fixtures import open_backend
from tests.contracts.system import Contract, deploy

HERE = Path(__file__).parent
NOW_S = GENESIS_S + 10_000
NOW_NS = NOW_S * SECOND_NS
FEED = Feed(source="chainlink", family="chainlink", kind="push", heartbeat_s=3_600.0, decimals=8, chain="eip155:31337")
ETH = 184_136_023_127


@pytest.fixture(scope="module")
def chain() -> Iterator[ChainBackend]:
    for package in ("vyper", "eth", "trie", "eth_abi"):
        pytest.importorskip(package, reason="a local chain needs the extras contracts, evm and evm-local")
    with open_backend("pyevm") as made:
        yield made


@pytest.fixture(scope="module")
def contract(chain: ChainBackend) -> Contract:
    return deploy(chain, "Aggregator", 8, folder=HERE)


def told(contract: Contract, answer: int, *, started_s: int = NOW_S, updated_s: int = NOW_S) -> None:
    contract.do(contract.chain.keys[9], "tell", answer, started_s, updated_s)


def test_a_round_is_a_quote_that_passes_its_gates(chain: ChainBackend, contract: Contract):
    told(contract, ETH, updated_s=NOW_S - 600)
    found, pinned = read_aggregators(
        chain, [Aggregator(feed=FEED, address=contract.address)], at="latest", seen_ns=NOW_NS
    )
    (quote,) = found.quotes
    assert not found.refused
    assert quote.price == 1_841.36023127
    assert quote.publish_ns == NOW_NS - 600 * SECOND_NS
    assert pinned == chain.block("latest").hash
    assert refusal(quote, OracleRules(), now_ns=NOW_NS) == ""


def test_a_pinned_read_does_not_see_what_came_later(chain: ChainBackend, contract: Contract):
    told(contract, ETH)
    before = chain.block("latest").number
    told(contract, 1)
    one = Aggregator(feed=FEED, address=contract.address)
    (then,), (now,) = (read_aggregators(chain, [one], at=at, seen_ns=NOW_NS)[0].quotes for at in (before, "latest"))
    assert (then.price, now.price) == (1_841.36023127, 1e-8)


@pytest.mark.parametrize("answer", [0, -1, -(2**255), 2**255 - 1])
def test_hostile_answers_do_not_pass_the_gates_as_eth(chain: ChainBackend, contract: Contract, answer: int):
    told(contract, answer, updated_s=0 if answer > 0 else NOW_S)
    found, _ = read_aggregators(chain, [Aggregator(feed=FEED, address=contract.address)], at="latest", seen_ns=NOW_NS)
    assert all(refusal(quote, OracleRules(), now_ns=NOW_NS) for quote in found.quotes)


def test_what_is_no_aggregator_is_a_reason(chain: ChainBackend, contract: Contract):
    told(contract, ETH, updated_s=2**200)
    empty = deploy(chain, "Aggregator", 8, folder=HERE)
    elsewhere = Feed(source="other", family="chainlink", kind="push", chain="eip155:1", decimals=8)
    asked = [
        Aggregator(feed=FEED, address=contract.address),
        Aggregator(feed=FEED, address=empty.address),
        Aggregator(feed=FEED, address=address_of(chain.keys[3])),
        Aggregator(feed=elsewhere, address=contract.address),
    ]
    found, _ = read_aggregators(chain, asked, at="latest", seen_ns=NOW_NS)
    assert not found.quotes
    assert [one.reason for one in found.refused] == ["malformed", "call", "malformed", "chain"]


@pytest.mark.parametrize(("answer", "started_s", "up"), [(0, 100, True), (1, 100, False), (2, 100, None), (0, 0, None)])
def test_the_sequencer_feed(chain: ChainBackend, contract: Contract, answer: int, started_s: int, up: bool | None):
    told(contract, answer, started_s=started_s)
    state = read_sequencer(chain, contract.address, at=chain.block("latest").hash)
    assert (state.up if state else None) == up
    assert state is None or state.since_ns == 100 * SECOND_NS
