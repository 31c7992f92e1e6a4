"""A small account for a replay: one asset as collateral behind a long position in Bitcoin, which stands still.

Everything else is held, so that what happens to the account is what its oracle says and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import msgspec

from crossmargin.accounts.health import Status
from crossmargin.collateral.document import HaircutTier
from crossmargin.core.instant import format_instant
from crossmargin.engine.margin import margin
from crossmargin.engine.model import ModelDocument
from crossmargin.instruments.terms import Perpetual
from crossmargin.market.build import build_snapshot
from crossmargin.market.document import Asset, Liquidity, MarketDocument, Underlying
from crossmargin.market.registry.build import build_registry
from crossmargin.market.registry.document import RegistryDocument
from crossmargin.market.registry.registry import Registry
from crossmargin.market.representations.document import ChainsDocument, ChainState, InstanceState, PegName
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Position

CHAIN: Final = "eip155:1"
TOKEN: Final = f"{CHAIN}/erc20:0x{'11' * 20}"
PERPETUAL: Final = Perpetual(id="BTC-PERPETUAL.REPLAY", underlying="BTC", payout="linear", settle="USD")
_SINCE: Final = "2015-01-01T00:00:00Z"
_BTC_USD: Final = 100_000.0
_SIZE_USD: Final = 100_000.0
_PLENTY_USD: Final = 1e12
_COINS: Final = 1.0  # of the position by which requirement is measured, before it is scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An account at one price of each clock: USD that the collateral counts for in new risk, initial and maintenance
    margin, and its status."""

    credit_usd: float
    initial_usd: float
    maintenance_usd: float
    status: Status


@dataclass(frozen=True, kw_only=True)
class ReplayAccount:
    """Collateral of 100,000 USD at `price`, and as long a position as leaves `cushion` above maintenance margin."""

    asset: str
    haircut: float
    cushion: float
    price: float
    time_ns: int
    model: ModelDocument
    # A day has few prices, and each is asked for three times.
    _known: dict[tuple[float, float, str], Answer] = field(default_factory=dict)

    @property
    def amount(self) -> float:
        """Units of the asset."""
        return _SIZE_USD / self.price

    @cached_property
    def coins(self) -> float:
        """Bitcoin of the position: requirement is linear in it, so that one margin tells."""
        once = self._margin((self.price, self.price), "normal", _COINS)
        return _COINS * once.credit_usd / once.maintenance_usd / (1.0 + self.cushion)

    def at(self, price: float, peg: PegName, *, settled: float | None = None) -> Answer:
        """The account where the collateral has `price` for new risk, its peg that state, and `settled` the price of
        liquidations; the same price without it."""
        key = (price, price if settled is None else max(settled, price), peg)
        if key not in self._known:
            self._known[key] = self._margin(key[:2], peg, self.coins)
        return self._known[key]

    @cached_property
    def _registry(self) -> Registry:
        return _registry(self.asset)

    def _margin(self, prices: tuple[float, float], peg: PegName, coins: float) -> Answer:
        document = self._market(prices, peg)
        snapshot = build_snapshot(document, registry=self._registry)
        account = Account(
            id="replay",
            collateral=(Holding(instance=TOKEN, amount=self.amount),),
            groups=(
                Group(id="long", mode="portfolio", positions=(Position(instrument=PERPETUAL.id, quantity=coins),)),
            ),
        )
        book = build_book(
            BookDocument(accounts=(account,), instruments=(PERPETUAL,)),
            now_ns=snapshot.time_ns,
            instances={TOKEN: self.asset},
        )
        found = margin(book, snapshot, _with_haircut(self.model, self.asset, self.haircut))
        return Answer(
            credit_usd=float(found.pools.collateral[0]),
            initial_usd=float(found.pools.initial[0]),
            maintenance_usd=float(found.pools.maintenance[0]),
            status=Status(int(found.pools.status[0])),
        )

    def _market(self, prices: tuple[float, float], peg: PegName) -> MarketDocument:
        still = Liquidity(adv_usd=2e10, half_spread_bps=1.0, daily_vol=0.025)
        coin = Underlying(name="BTC", kind="spot", risk_class="crypto_major", spot=_BTC_USD, liquidity=still)
        worth = max(prices) or self.price  # a token never counts for more than its asset
        opening, held = (price / worth for price in prices)
        token = InstanceState(instance=TOKEN, liquidity_usd=_PLENTY_USD, market_ratio=opening, held_ratio=held, peg=peg)
        chain = ChainState(chain=CHAIN, health="healthy", final_age_s=0.0)
        return MarketDocument(
            as_of=format_instant(self.time_ns),
            underlyings=(coin,),
            assets=(Asset(name=self.asset, reference="USD", ratio=worth),),
            chains=ChainsDocument(chains=(chain,), instances=(token,)),
            source="the account of a replay",
        )


def _with_haircut(model: ModelDocument, asset: str, haircut: float) -> ModelDocument:
    tiers = model.collateral.haircuts | {asset: (HaircutTier(value_cap=1e18, haircut=haircut),)}
    return msgspec.structs.replace(model, collateral=msgspec.structs.replace(model.collateral, haircuts=tiers))


def _registry(asset: str) -> Registry:
    said = {"valid_from": _SINCE, "source": "the account of a replay", "date": "2026-11-22"}
    ramp = {"start": _SINCE, "days": 7.0, "cap_usd": _PLENTY_USD, "liquidity_share": 1.0}
    chain = {"chain": CHAIN, "name": "Ethereum", "family": "evm"}
    token = {"instance": TOKEN, "symbol": asset, "canonical": asset, "decimals": 18, "kind": "issuer_native"}
    document = {
        "chains": [chain | said | {"finality": {"method": "tag", "final_s": 1_140.0, "halt_s": 3_600.0}}],
        "assets": [{"asset": asset, "name": asset, "decimals": 18} | said],
        "instances": [token | said | {"ramp": ramp}],
    }
    return build_registry(msgspec.convert(document, RegistryDocument))
