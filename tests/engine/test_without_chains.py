"""Books that name no token: what a market says of chains that work changes no bit, and says nothing in any hash."""

from typing import ClassVar

import msgspec

import crossmargin as xm
from crossmargin.core.canon import digest
from crossmargin.market.build import build_snapshot
from crossmargin.portfolio.document import Account, Group, Holding, Position
from tests.chain_books import HOME, ROLLUP, chains, registry
from tests.engine.test_margin import columns
from tests.margin.desk import BTC_PERP, PUT, desk, desk_market

HELD = (
    Holding(asset="USDC", amount=40_000.0, chain=HOME),
    Holding(asset="BTC", amount=3.0, chain=ROLLUP),
    Holding(asset="ETH", amount=-20.0),
)
LINES = (
    Position(instrument=BTC_PERP.id, quantity=-25.0, entry_price=101.0),
    Position(instrument=PUT.id, quantity=-7.0),
)
ACCOUNT = Account(id="desk", groups=(Group(id="main", mode="portfolio", positions=LINES),), collateral=HELD)


def test_chains_that_work_change_no_bit_of_a_book_without_tokens():
    case = desk(ACCOUNT)
    told = build_snapshot(msgspec.structs.replace(desk_market(), chains=chains()), registry=registry())
    again = xm.margin(case.book, told, case.model)
    found, expected = columns(again), columns(case.result)
    apart = {"pools.chain_terms", "pools.initial", "pools.maintenance", "pools.margin_ratio"}
    assert {k: v for k, v in found.items() if k not in apart} == {k: v for k, v in expected.items() if k not in apart}
    assert (again.pools.initial - again.pools.chain_terms.sum(axis=1) == case.result.pools.initial).all()


def test_a_halted_chain_takes_from_holdings_that_name_no_token_too():
    case = desk(ACCOUNT)
    said = chains(health={ROLLUP: "forked"})
    told = build_snapshot(msgspec.structs.replace(desk_market(), chains=said), registry=registry())
    lost = case.result.pools.collateral[0] - xm.margin(case.book, told, case.model).pools.collateral[0]
    assert lost == 300.0


def test_what_a_document_did_not_say_before_is_in_no_hash():
    class Said(msgspec.Struct, frozen=True):
        a: int = 1

    before = digest(Said())

    class Said(msgspec.Struct, frozen=True):  # type: ignore[no-redef]
        LATER: ClassVar[tuple[str, ...]] = ("b", "c")
        a: int = 1
        b: float = 0.5
        c: dict[str, float] = {}

    assert digest(Said()) == before
    assert digest(Said(b=0.25)) != before
    assert digest(Said(c={"x": 1.0})) != before


def test_the_registry_and_every_state_are_in_the_hash_of_a_market_with_chains():
    def hashed(**said: object) -> str:
        known = registry(share=said.pop("share", 0.2))
        document = msgspec.structs.replace(desk_market(), chains=chains(**said))
        return build_snapshot(document, registry=known).hash

    plain = build_snapshot(desk_market()).hash
    told = {plain, hashed(), hashed(share=0.3), hashed(health={HOME: "lagging"}), hashed(backing={"two": 0.5})}
    assert len(told | {hashed(closed={"two": "paused"}), hashed(needed_on=HOME)}) == 7
