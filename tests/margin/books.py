"""Random books and models for the margin of whole accounts, each beside its plain twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import msgspec
from hypothesis import strategies as st

from crossmargin.adapters.files import read_model
from crossmargin.collateral.document import Caps, Collateral, HaircutTier
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.model import ModelDocument
from crossmargin.instruments.terms import AnyTerms, Spot
from crossmargin.margin import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.market.document import MarketDocument
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Order, Position
from crossmargin.scenarios.document import Joint
from spec import accounts as plain_accounts
from spec import margin as plain
from spec.collateral import Holding as PlainHolding
from spec.valuation import Contract, mark, value_usd
from spec.world import NOW, asset_usd
from tests.strategies import ASSETS, CHAINS, FAMILIES, contracts, markets, numbers, plain_contract, plain_market

replace = msgspec.structs.replace
BY_RULE = ("linear", "option", "forward", "bond")  # families that a rule covers


@cache
def default_model() -> ModelDocument:
    """The shipped model."""
    return read_model("crossmargin-grid")


@cache
def small_model() -> ModelDocument:
    """The shipped model on a grid of few columns."""
    model = default_model()
    return replace(model, grid=replace(model.grid, steps=2))


@st.composite
def factors(draw: st.DrawFn) -> doc.Factor:
    """Initial not below maintenance."""
    maintenance = draw(numbers(0.0, 2.0))
    return doc.Factor(maintenance=maintenance, initial=maintenance + draw(numbers(0.0, 1.0)))


@st.composite
def measures(draw: st.DrawFn) -> doc.MeasureChoice:
    """Any measure."""
    kind = draw(st.sampled_from(("worst", "value_at_risk", "expected_shortfall")))
    return doc.MeasureChoice(kind=kind, level=draw(numbers(0.5, 0.999)))


@st.composite
def haircuts(draw: st.DrawFn) -> tuple[HaircutTier, ...]:
    """One to three tiers, rising in cap and not falling in haircut."""
    tiers, cap, rate = [], 0.0, 0.0
    for _ in range(draw(st.integers(1, 3))):
        cap += draw(numbers(1.0, 1e7))
        rate += draw(numbers(0.0, 1.0)) * (1.0 - rate)
        tiers.append(HaircutTier(value_cap=cap, haircut=min(rate, 1.0)))
    return tuple(tiers)


@st.composite
def collaterals(draw: st.DrawFn) -> Collateral:
    """Haircuts of every asset, some caps, a markup on debts."""
    some = st.just(0.0) | numbers(0.0, 1e7)
    caps = Caps(
        asset=draw(st.dictionaries(st.sampled_from(ASSETS), some, max_size=2)),
        issuer=draw(st.dictionaries(st.sampled_from(("Circle", "Tether", "BitGo")), some, max_size=2)),
        chain=draw(st.dictionaries(st.sampled_from(CHAINS), some, max_size=2)),
    )
    return Collateral(
        mode=draw(st.sampled_from(("rule", "scenario"))),
        haircuts={name: draw(haircuts()) for name in ("USD", *ASSETS)},
        caps=caps,
        debt_markup=draw(numbers(0.0, 0.2)),
    )


@st.composite
def models(draw: st.DrawFn) -> ModelDocument:
    """The shipped model with every parameter of margin and collateral drawn anew, on a grid of few columns."""
    base = small_model()
    joint = Joint(together=draw(st.booleans()), pairs=draw(st.booleans()), correlation_stress=draw(numbers(0.0, 1.0)))
    return replace(
        base,
        grid=replace(base.grid, steps=1, joint=joint, horizon_days=draw(st.sampled_from((0.0, 1.0)))),
        measure=draw(measures()),
        scan=draw(factors()),
        jump=draw(factors()),
        offset_cap=draw(numbers(0.0, 1.0)),
        liquidity=doc.Liquidity(
            impact=draw(numbers(0.0, 2.0)),
            participation=draw(numbers(0.01, 1.0)),
            horizon_days=draw(numbers(0.1, 10.0)),
            spread=draw(factors()),
            concentration=draw(factors()),
        ),
        basis=doc.Basis(
            floor=draw(numbers(0.0, 0.1)),
            annual=draw(numbers(0.0, 0.1)),
            venue=draw(numbers(0.0, 0.1)),
            factor=draw(factors()),
        ),
        short_option=doc.ShortOption(rate=draw(numbers(0.0, 0.3)), factor=draw(factors())),
        oracle=doc.Oracle(multiplier=draw(numbers(0.0, 2.0)), factor=draw(factors())),
        wrong_way=doc.WrongWay(factor=draw(factors())),
        option_value=draw(st.sampled_from(("equity", "requirement"))),
        long_option_credit=draw(numbers(0.0, 1.0)),
        sticky=draw(st.sampled_from(("moneyness", "strike"))),
        collateral=draw(collaterals()),
    )


def dealt(draw: st.DrawFn, terms: AnyTerms, market: MarketDocument) -> float | None:
    """A price near the mark, in the unit in which the contract is dealt; often none."""
    if draw(st.booleans()):
        return None
    contract, now = plain_contract(terms), plain_market(market)
    if contract.family == "sensitivities":
        return 1.0
    if contract.family == "spot":
        price = value_usd(contract, now)
    elif contract.family == "option":
        price = value_usd(contract, now) / (contract.multiplier * asset_usd(now, contract.settle, NOW))
    else:
        price = mark(contract, now)
    price *= draw(numbers(0.7, 1.4))
    return price if price > 1e-12 else None


def quantities() -> st.SearchStrategy[float]:
    """Contracts of about a hundred dollars: from one to ten million of them, either way."""
    return st.sampled_from((1.0, 1e3, 1e5)).flatmap(lambda unit: numbers(-100.0 * unit, 100.0 * unit))


def holdings(most: int = 4) -> st.SearchStrategy[tuple[Holding, ...]]:
    """Collateral on several chains, some of it owed."""
    keys = st.tuples(st.sampled_from(("USD", *ASSETS)), st.sampled_from(("", *CHAINS)))
    amounts = numbers(-1e3, 1e4) | numbers(-1e6, 1e7)
    some = st.dictionaries(keys, amounts, max_size=most)
    return some.map(lambda found: tuple(Holding(asset=a, chain=c, amount=x) for (a, c), x in found.items()))


@st.composite
def groups(draw: st.DrawFn, market: MarketDocument, terms: tuple[AnyTerms, ...], name: str, mode: str) -> Group:
    """A group of some of the contracts; by rule only of those that a rule covers."""
    usable = [t for t in terms if mode == "portfolio" or t.id.split("-")[0].lower() in BY_RULE]
    held = draw(st.lists(st.sampled_from(usable), unique_by=lambda t: t.id, min_size=1, max_size=4)) if usable else []
    ordered = draw(st.lists(st.sampled_from(usable), max_size=3)) if usable else []
    return Group(
        id=name,
        mode=mode,
        positions=tuple(
            Position(instrument=t.id, quantity=draw(quantities()), entry_price=dealt(draw, t, market)) for t in held
        ),
        orders=tuple(
            Order(instrument=t.id, quantity=draw(quantities()), price=dealt(draw, t, market)) for t in ordered
        ),
        collateral=draw(holdings(2)) if mode == "isolated" or draw(st.booleans()) else (),
    )


@st.composite
def accounts(draw: st.DrawFn, market: MarketDocument, terms: tuple[AnyTerms, ...], name: str) -> Account:
    """Up to three groups of any mode over shared collateral, in one pool or one for each asset."""
    modes = draw(st.lists(st.sampled_from(("portfolio", "cross", "isolated", "portfolio")), min_size=1, max_size=3))
    return Account(
        id=name,
        groups=tuple(draw(groups(market, terms, f"g{i}", mode)) for i, mode in enumerate(modes)),
        collateral=draw(holdings()),
        pool=draw(st.sampled_from(("multi", "multi", "single"))),
    )


@dataclass(frozen=True, kw_only=True)
class MarginCase:
    """A market, a book and a model, as documents; what is made of them is made once."""

    market: MarketDocument = field(repr=False)
    accounts: tuple[Account, ...]
    terms: tuple[AnyTerms, ...]
    model: ModelDocument = field(repr=False)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """What Hypothesis prints: a market is too long to read."""
        printer.text(f"MarginCase({self.accounts}, {self.terms}, {self.model.measure})")

    def changed(self, **fields: Any) -> MarginCase:
        """The case with other fields, and nothing remembered."""
        own = {"market": self.market, "accounts": self.accounts, "terms": self.terms, "model": self.model}
        return MarginCase(**{**own, **fields})

    @cached_property
    def snapshot(self) -> Snapshot:
        """The market."""
        return build_snapshot(self.market)

    @cached_property
    def book(self) -> Book:
        """The book."""
        document = BookDocument(accounts=self.accounts, instruments=self.terms)
        return build_book(document, now_ns=self.snapshot.time_ns)

    @cached_property
    def result(self) -> MarginResult:
        """Its margin."""
        return margin(self.book, self.snapshot, self.model)

    @cached_property
    def plain(self) -> dict[str, plain_accounts.Answer]:
        """The answer of the twin for each pool, over the same R and sensitivities."""
        now, model = plain_market(self.market), msgspec.to_builtins(self.model)
        regular = self.result.plan.scenarios.regular
        columns = (regular, len(self.result.plan.scenarios) - regular)
        weights = self.result.plan.scenarios.weight[:regular].tolist()
        return {
            name: plain_accounts.margin(pool, now, model, columns, weights)
            for account in self.accounts
            for name, pool in self.pools(account).items()
        }

    def pools(self, account: Account) -> dict[str, plain_accounts.Pool]:
        """The pools of an account as the twin sees them."""

        def holding_of(raw: Mapping[str, Any]) -> tuple[PlainHolding, plain.Row]:
            return self._holding(raw["asset"], raw["chain"], float(raw["amount"]))

        return plain_accounts.pools(msgspec.to_builtins(account), self.rows.__getitem__, holding_of)

    def _holding(self, asset: str, chain: str, amount: float) -> tuple[PlainHolding, plain.Row]:
        now = plain_market(self.market)
        known = now.assets.get(asset)
        held = PlainHolding(
            asset=asset,
            amount=amount,
            price=asset_usd(now, asset, NOW),
            chain=chain,
            issuer=known.issuer if known else "",
            width=known.confidence if known else 0.0,
        )
        return held, self.rows[f"{asset}.{chain}" if chain else asset]

    @cached_property
    def rows(self) -> dict[str, plain.Row]:
        """Each instrument of the book, with its row of R and its sensitivities."""
        now, ready = plain_market(self.market), self.result.plan
        exposed, values, n = ready.terms.exposure, ready.pnl.values, ready.scenarios.regular
        return {
            t.id: plain.describe(
                plain_contract(t),
                now,
                delta=float(exposed.delta[i]),
                vega=float(exposed.vega[i]),
                regular=values[i, :n].tolist(),
                tail=values[i, n:].tolist(),
            )
            for i, t in enumerate(self.book.table.terms)
        }


@st.composite
def margin_cases(
    draw: st.DrawFn,
    *,
    families: tuple[str, ...] = tuple(FAMILIES),
    model: st.SearchStrategy[ModelDocument] | None = None,
    most_accounts: int = 2,
) -> MarginCase:
    """A random market, contracts, accounts and (by default random) model."""
    market = draw(markets())
    widths = {a.name: draw(st.just(0.0) | numbers(0.0, 200.0)) for a in market.assets}
    market = replace(market, assets=tuple(replace(a, confidence_bps=widths[a.name]) for a in market.assets))
    terms = draw(contracts(market, families, 5))
    return MarginCase(
        market=market,
        accounts=tuple(draw(accounts(market, terms, f"a{i}")) for i in range(draw(st.integers(1, most_accounts)))),
        terms=terms,
        model=draw(models() if model is None else model),
    )


def spot_holding(asset: str, chain: str = "") -> Contract:
    """The contract that a holding of an asset is."""
    name = f"{asset}.{chain}" if chain else asset
    return plain_contract(Spot(id=name, asset=asset, chain=chain))
