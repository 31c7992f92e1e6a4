"""From a book document to the columns of `Book`, each number checked where it enters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import frozen
from crossmargin.core.chain_ids import check_chain, parse_asset
from crossmargin.core.errors import DuplicateName, InvalidInput, MixedValuationTime
from crossmargin.core.finality import DEFAULT_LEVEL, DEFAULT_TRUST
from crossmargin.core.instant import format_instant, parse_instant
from crossmargin.instruments.catalogue import product_table
from crossmargin.instruments.symbols import Product, resolve_symbol
from crossmargin.instruments.table import InstrumentTable, build_table, settlement_asset
from crossmargin.instruments.terms import AnyTerms, Instant, Spot, Token
from crossmargin.portfolio.book import Book, Lines, Mode, make_lines, refuse_duplicates
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Order, Position

NO_INSTANCES: Final[Mapping[str, str]] = MappingProxyType({})
_MODES = {"isolated": Mode.ISOLATED, "cross": Mode.CROSS, "portfolio": Mode.PORTFOLIO}


@dataclass(slots=True)
class _Rows:
    """Lines in the making."""

    owner: list[int] = field(default_factory=list)
    instrument: list[str] = field(default_factory=list)
    quantity: list[float] = field(default_factory=list)
    price: list[float] = field(default_factory=list)

    def add(self, owner: int, instrument: str, quantity: float, price: float | None) -> None:
        self.owner.append(owner)
        self.instrument.append(instrument)
        self.quantity.append(quantity)
        self.price.append(math.nan if price is None else price)

    def lines(self, owners: int, table: InstrumentTable, row: dict[str, int]) -> Lines:
        return make_lines(
            np.asarray(self.owner, np.int32),
            np.asarray([row[name] for name in self.instrument], np.int32),
            np.asarray(self.quantity, np.float64),
            np.asarray(self.price, np.float64),
            owners=owners,
            table=table,
        )


class Universe:
    """The instruments a book may use: its own, and those its product table resolves; collected as they are named."""

    def __init__(self, terms: Iterable[AnyTerms], products: Iterable[Product], *, where: str) -> None:
        own = tuple(terms)
        check.unique((t.id for t in own), "instrument", where=f"{where}: instruments")
        self._known: dict[str, AnyTerms] = {t.id: t for t in own}
        self._products = product_table(products)
        self._used: dict[str, AnyTerms] = {}
        self._held: dict[str, Spot] = {}

    def use(self, name: str, *, where: str) -> str:
        """`name`, resolved and entered; raises `UnknownName` or `InvalidInput` where nothing defines it."""
        if name not in self._used:
            self._used[name] = self._known.get(name) or resolve_symbol(name, self._products, where=where)
        return name

    def settlement(self, name: str, *, where: str) -> str:
        """The asset in which `name` settles."""
        return settlement_asset(self._used[self.use(name, where=where)])

    def use_holding(self, asset: str, chain: str, *, where: str) -> str:
        """The id of the spot holding of `asset` on `chain`, entered.

        Raises `DuplicateName` where the book defines another instrument of that id.
        """
        if chain:
            check_chain(chain, where=where)
        name = f"{asset}.{chain}" if chain else asset
        held = self._held.setdefault(name, Spot(id=name, asset=asset, chain=chain))
        if self._known.get(name, held) != held:
            raise DuplicateName("id of an instrument and of collateral", where=where, value=name, first="instruments")
        return name

    def use_token(self, holding: Holding, instances: Mapping[str, str], *, where: str) -> str:
        """The id of a holding that names its instance, entered; `instances` say of which asset each is.

        Raises `UnknownName` for an instance that is not among them, `InvalidInput` for another asset or chain.
        """
        key = parse_asset(holding.instance, where=where)
        instance, chain = str(key), str(key.chain)
        remedy = "State it in the market's `chains.instances`, and add it to the registry."
        check.known(instance, instances, "asset instance", where=where, remedy=remedy)
        asset = instances[instance]
        for what, said, found in (("asset", holding.asset, asset), ("chain", holding.chain, chain)):
            if said not in {"", found}:
                limit = f"{found}, which the registry says of {instance}"
                raise InvalidInput(what, where=where, value=said, limit=limit, remedy="Correct it, or leave it out.")
        marks = "".join(
            f"#{said}"
            for said, usual in ((holding.level, DEFAULT_LEVEL), (holding.trust, DEFAULT_TRUST))
            if said != usual
        )
        token = Token(
            id=f"{asset}{marks}.{instance}",
            asset=asset,
            chain=chain,
            instance=instance,
            level=holding.level,
            trust=holding.trust,
        )
        self._held.setdefault(token.id, token)
        return token.id

    def use_collateral(self, holding: Holding, instances: Mapping[str, str], *, where: str) -> str:
        """The id of a holding of collateral, entered: a token where it names its instance, else its asset on a chain.

        Raises what `use_token` and `use_holding` do, and `InvalidInput` where it says neither what is held nor of which
        instance its level and trust are.
        """
        if holding.instance:
            return self.use_token(holding, instances, where=where)
        limit, remedy = "named, or an instance (CAIP-19)", "Say what is held."
        if not holding.asset:
            raise InvalidInput("asset", where=where, value="", limit=limit, remedy=remedy)
        said = (holding.level, holding.trust)
        if said != (DEFAULT_LEVEL, DEFAULT_TRUST):
            limit = "for collateral that names its instance"
            raise InvalidInput("level or trust", where=where, value=said, limit=limit, remedy="Name the instance.")
        return self.use_holding(holding.asset, holding.chain, where=where)

    def table(self, *, now_ns: int, where: str) -> InstrumentTable:
        """The table of all that was used, sorted by id."""
        terms = self._held | self._used
        return build_table((terms[name] for name in sorted(terms)), now_ns=now_ns, where=where)


def build_book(
    document: BookDocument, *, now_ns: int, where: str = "book", instances: Mapping[str, str] = NO_INSTANCES
) -> Book:
    """The columns of a book, valued at `now_ns`; `instances` name the asset of each instance that collateral may name.

    Raises `MixedValuationTime` where the book or an account states another time, `DuplicateName` for accounts, groups
    or positions that stand twice, `InvalidInput` (or a kind of it) for any number, name or date out of range.
    """
    _check_times(document, now_ns=now_ns, where=where)
    check.unique((a.id for a in document.accounts), "account", where=f"{where}: accounts")
    universe = Universe(document.instruments, document.products, where=where)
    return _Assembly(universe, where, instances).book(document, now_ns)


def _check_times(document: BookDocument, *, now_ns: int, where: str) -> None:
    stated: list[tuple[str, Instant | None]] = [(f"{where}: as_of", document.as_of)]
    stated += [(f"{where}: accounts[{i}].as_of", a.as_of) for i, a in enumerate(document.accounts)]
    times = [(place, parse_instant(t, where=place)) for place, t in stated if t is not None]
    for place, time_ns in times:
        first = times[0][1]
        if time_ns != first:
            raise MixedValuationTime(where=place, value=format_instant(time_ns), first=format_instant(first))
    if times and times[0][1] != now_ns:
        raise MixedValuationTime(
            where=times[0][0], value=format_instant(times[0][1]), first=f"the market's {format_instant(now_ns)}"
        )


class _Assembly:
    """Walks a document once, and numbers its pools and groups."""

    def __init__(self, universe: Universe, where: str, instances: Mapping[str, str]) -> None:
        self.universe, self.where, self.instances = universe, where, instances
        self.pools: list[str] = []
        self.pool_account: list[int] = []
        self.pool_asset: list[str] = []
        self.groups: list[str] = []
        self.group_pool: list[int] = []
        self.group_mode: list[int] = []
        self.positions, self.orders, self.holdings = _Rows(), _Rows(), _Rows()

    def book(self, document: BookDocument, now_ns: int) -> Book:
        for number, account in enumerate(document.accounts):
            self._account(number, account, f"{self.where}: accounts[{number}]")
        check.unique(self.pools, "pool", where=f"{self.where}: pools")  # "a/b" may be an account, or a group of "a"
        check.unique(self.groups, "group", where=f"{self.where}: groups")
        table = self.universe.table(now_ns=now_ns, where=self.where)
        row = table.row
        lines = [self.positions.lines(len(self.groups), table, row), self.orders.lines(len(self.groups), table, row)]
        holdings = self.holdings.lines(len(self.pools), table, row)
        refuse_duplicates(lines[0], tuple(self.groups), table, what="position", where=self.where)
        refuse_duplicates(holdings, tuple(self.pools), table, what="collateral", where=self.where)
        asset = {name: i for i, name in enumerate(table.assets)}
        return Book(
            table=table,
            accounts=tuple(a.id for a in document.accounts),
            pools=tuple(self.pools),
            pool_account=frozen(self.pool_account, np.int32),
            pool_asset=frozen([asset.get(name, -1) for name in self.pool_asset], np.int32),
            groups=tuple(self.groups),
            group_pool=frozen(self.group_pool, np.int32),
            group_mode=frozen(self.group_mode, np.int32),
            positions=lines[0],
            orders=lines[1],
            holdings=holdings,
            as_of_ns=now_ns,
            defined=document.instruments,
            products=document.products,
        )

    def _pool(self, name: str, account: int, asset: str = "") -> int:
        self.pools.append(name)
        self.pool_account.append(account)
        self.pool_asset.append(asset)
        return len(self.pools) - 1

    def _account(self, number: int, account: Account, where: str) -> None:
        check.unique((g.id for g in account.groups), "group", where=f"{where}.groups")
        shared = self._shared_pools(number, account, where)
        for position, group in enumerate(account.groups):
            place = f"{where}.groups[{position}]"
            if group.mode == "isolated" or group.collateral:
                pool = self._pool(f"{account.id}/{group.id}", number)
                self._hold(pool, group.collateral, f"{place}.collateral")
                self._group(f"{account.id}/{group.id}", pool, group, place)
            elif account.pool == "single":
                for asset, part in _by_settlement(group, self.universe, place):
                    if asset not in shared:
                        shared[asset] = self._pool(f"{account.id}/{asset}", number, asset)
                    self._group(f"{account.id}/{group.id}/{asset}", shared[asset], part, place)
            else:
                self._group(f"{account.id}/{group.id}", shared[""], group, place)

    def _shared_pools(self, number: int, account: Account, where: str) -> dict[str, int]:
        """The pools of shared collateral: one under "", or one per asset in a single-currency account."""
        place = f"{where}.collateral"
        if account.pool == "multi":
            pool = self._pool(account.id, number)
            self._hold(pool, account.collateral, place)
            return {"": pool}
        pools: dict[str, int] = {}
        held = [(self._asset(h, place), h) for h in account.collateral]
        for asset in sorted({name for name, _ in held}):
            pools[asset] = self._pool(f"{account.id}/{asset}", number, asset)
            self._hold(pools[asset], (h for name, h in held if name == asset), place)
        return pools

    def _asset(self, holding: Holding, where: str) -> str:
        if not holding.instance:
            return holding.asset
        return self.instances.get(str(parse_asset(holding.instance, where=where)), holding.asset)

    def _group(self, name: str, pool: int, group: Group, where: str) -> None:
        here = len(self.groups)
        self.groups.append(name)
        self.group_pool.append(pool)
        self.group_mode.append(_MODES[group.mode])
        for i, position in enumerate(group.positions):
            self._line(self.positions, here, position, position.entry_price, f"{where}.positions[{i}]")
        for i, order in enumerate(group.orders):
            self._line(self.orders, here, order, order.price, f"{where}.orders[{i}]")

    def _line(self, rows: _Rows, owner: int, line: Position | Order, price: float | None, where: str) -> None:
        quantity = check.quantity(line.quantity, "quantity", where=where)
        if price is not None:
            check.positive(price, "price", where=where)
        rows.add(owner, self.universe.use(line.instrument, where=where), quantity, price)

    def _hold(self, pool: int, holdings: Iterable[Holding], where: str) -> None:
        for i, holding in enumerate(holdings):
            place = f"{where}[{i}]"
            amount = check.quantity(holding.amount, "amount", where=place)
            name = self.universe.use_collateral(holding, self.instances, where=place)
            self.holdings.add(pool, name, amount, None)


def _by_settlement(group: Group, universe: Universe, where: str) -> Iterator[tuple[str, Group]]:
    """The parts of a group that settle in one asset each, by name of the asset."""
    names = [p.instrument for p in group.positions] + [o.instrument for o in group.orders]
    settle = {name: universe.settlement(name, where=where) for name in names}
    for asset in sorted(set(settle.values())):
        yield (
            asset,
            msgspec.structs.replace(
                group,
                positions=tuple(p for p in group.positions if settle[p.instrument] == asset),
                orders=tuple(o for o in group.orders if settle[o.instrument] == asset),
            ),
        )
