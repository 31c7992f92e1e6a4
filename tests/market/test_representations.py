"""What a market says of chains: everything that a token needs is stated, known and possible, or refused by name."""

import msgspec
import pytest

from crossmargin.core.errors import DuplicateName, InvalidInput, MissingFactors, UnknownName
from crossmargin.core.finality import Health
from crossmargin.market.build import build_snapshot
from crossmargin.market.document import MarketDocument
from crossmargin.market.representations.document import ChainsDocument, ChainState, InstanceState
from crossmargin.market.snapshot import Snapshot, bump, factors_of
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Holding
from tests.chain_books import BRIDGED, FAR, HOME, HOPPED, ROLLUP, THIN, USDC, chains, holding, registry
from tests.margin.desk import desk_market


def told(said: ChainsDocument | None = None) -> Snapshot:
    return build_snapshot(market(said), registry=registry())


def market(said: ChainsDocument | None = None) -> MarketDocument:
    return msgspec.structs.replace(desk_market(), chains=said or chains())


def test_everything_that_is_missing_is_named_at_once():
    said = ChainsDocument(needed_on=HOME, instances=(InstanceState(instance=HOPPED, liquidity_usd=1.0),))
    with pytest.raises(MissingFactors) as error:
        told(said)
    words = str(error.value)
    for name in (f"chain:{FAR}", "backing:three", "backing:two", "market_ratio of", f"to {HOME}"):
        assert name in words


def test_chains_need_a_registry_that_knows_them():
    with pytest.raises(InvalidInput, match="registry"):
        build_snapshot(market())
    state = ChainState(chain="eip155:999", health="healthy", final_age_s=1.0)
    with pytest.raises(UnknownName, match="eip155:999"):
        told(ChainsDocument(chains=(state,)))
    with pytest.raises(DuplicateName):
        told(ChainsDocument(chains=(ChainState(chain=HOME, health="healthy", final_age_s=1.0),) * 2))


@pytest.mark.parametrize("bad", [float("nan"), -1.0, float("inf")])
def test_impossible_figures_are_refused(bad: float):
    with pytest.raises(InvalidInput):
        told(chains(backing={"two": bad}))
    with pytest.raises(InvalidInput):
        told(chains(tokens={USDC: {"liquidity_usd": bad}}))
    with pytest.raises(InvalidInput):
        told(chains(tokens={USDC: {"market_ratio": bad}}))


def test_a_chain_whose_last_final_block_is_older_than_twice_its_profile_lags():
    def health(age_s: float) -> Health:
        state = ChainState(chain=HOME, health="healthy", final_age_s=age_s)
        found = told(ChainsDocument(chains=(state,))).chains
        assert found is not None
        return found.health(HOME)

    assert health(2.0 * 1140.0) == Health.HEALTHY
    assert health(2.0 * 1140.0 + 1.0) == Health.LAGGING


def test_bridges_and_chains_are_factors_of_the_market():
    now = told()
    assert {"backing:three", "backing:two", f"chain:{ROLLUP}"} <= set(factors_of(now))
    moved = bump(now, {"backing:three": -0.5, f"chain:{FAR}": -1.0})
    assert now.chains is not None
    assert moved.chains is not None
    assert [moved.chains.ratio(x) for x in (USDC, BRIDGED, HOPPED, THIN)] == [1.0, 0.5, 0.0, 0.0]
    assert moved.hash != now.hash


@pytest.mark.parametrize(
    ("held", "error"),
    [
        (holding("eip155:1/erc20:0x" + "9" * 40, 1.0), UnknownName),
        (holding(BRIDGED, 1.0, asset="BTC"), InvalidInput),
        (holding(BRIDGED, 1.0, chain=HOME), InvalidInput),
        (holding("nonsense", 1.0), InvalidInput),
        (Holding(amount=1.0), InvalidInput),
        (Holding(asset="USDC", amount=1.0, level="safe"), InvalidInput),
        (Holding(asset="USDC", amount=1.0, trust="L4"), InvalidInput),
    ],
)
def test_what_a_holding_says_must_agree_with_the_registry(held: Holding, error: type[Exception]):
    snapshot = told()
    assert snapshot.chains is not None
    book = BookDocument(accounts=(Account(id="a", collateral=(held,)),))
    with pytest.raises(error):
        build_book(book, now_ns=snapshot.time_ns, instances=snapshot.chains.assets)


def test_asset_and_chain_of_a_token_follow_from_the_registry():
    snapshot = told()
    assert snapshot.chains is not None
    upper = BRIDGED.upper().replace("EIP155", "eip155").replace("ERC20:0X", "erc20:0x")
    held = (holding(upper, 1.0), holding(BRIDGED, 1.0, level="safe", asset="USDC", chain=ROLLUP))
    book = BookDocument(accounts=(Account(id="a", collateral=held),))
    table = build_book(book, now_ns=snapshot.time_ns, instances=snapshot.chains.assets).table
    assert table.ids == (f"USDC#safe.{BRIDGED}", f"USDC.{BRIDGED}")
    assert table.assets == ("USDC",)
    assert table.chains == (ROLLUP,)
