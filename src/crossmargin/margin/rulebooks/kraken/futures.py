"""Kraken futures, multi-collateral: levels by position size at entry, longs and shorts of one underlying netted.

Sources: Kraken support articles 360022632452, 15579128794772 and 4844463246100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import LINEAR, Contract, read_holdings, split_listed
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

MAINTENANCE_SHARE = 0.5  # maintenance margin is half of initial


class Level(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Positions up to `size_cap` (USD at entry) have this initial rate."""

    size_cap: float
    initial_rate: float


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Levels by rising cap, their rates not falling; no position above the last. `marginal` applies each rate to its
    own part of the position, otherwise the level of the whole counts for all of it, which is never less."""

    levels: tuple[Level, ...]
    marginal: bool = False
    certainty: Certainty = "exact"
    note: str = ""

    def __post_init__(self) -> None:
        if not self.levels:
            limit, remedy = "at least one", "Add the levels."
            raise InvalidInput("levels", where="kraken schedule", value=0, limit=limit, remedy=remedy)
        for level in self.levels:
            check.within(level.initial_rate, "initial_rate", 0.0, 1.0, where="kraken schedule")
            if not level.size_cap > 0.0:
                limit, remedy = "above zero", "Correct the level."
                raise InvalidInput(
                    "size_cap", where="kraken schedule", value=level.size_cap, limit=limit, remedy=remedy
                )
        for a, b in zip(self.levels, self.levels[1:], strict=False):
            if not (a.size_cap < b.size_cap and a.initial_rate <= b.initial_rate):
                limit, remedy = "above the level before it, with no lower rate", "Sort the levels."
                raise InvalidInput("size_cap", where="kraken schedule", value=b.size_cap, limit=limit, remedy=remedy)

    @property
    def size_max(self) -> float:
        """The largest position, USD."""
        return self.levels[-1].size_cap


class Leg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One perpetual or fixed-maturity contract: signed coins at their entry price, in USD. An isolated leg is not
    netted."""

    instrument: str
    underlying: str
    coins: float
    entry: float
    schedule: Schedule
    isolated: bool = False

    def __post_init__(self) -> None:
        check.finite(self.coins, "coins", where=f"kraken {self.instrument}")
        check.positive(self.entry, "entry price", where=f"kraken {self.instrument}")


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """Initial and maintenance margin, USD, with the initial margin of each underlying (isolated legs by instrument)."""

    initial: float
    maintenance: float
    by_underlying: dict[str, float]


def leg_initial(leg: Leg) -> float:
    """Initial margin of a leg by itself, USD. Raises `InvalidInput` above the largest position."""
    size, schedule = abs(leg.coins) * leg.entry, leg.schedule
    if size > schedule.size_max:
        limit, remedy = f"at most {schedule.size_max:g} USD", "The venue takes no larger position."
        raise InvalidInput("size", where=f"kraken {leg.instrument}", value=size, limit=limit, remedy=remedy)
    if not schedule.marginal:
        return size * next(level.initial_rate for level in schedule.levels if size <= level.size_cap)
    floors = (0.0, *(level.size_cap for level in schedule.levels))
    parts = zip(schedule.levels, floors, strict=False)
    return math.fsum(level.initial_rate * max(min(size, level.size_cap) - low, 0.0) for level, low in parts)


def margin_of(legs: Iterable[Leg]) -> Requirement:
    """max(margin of longs, margin of shorts) for each underlying, isolated legs by themselves; maintenance is half."""
    sides: dict[str, list[float]] = {}
    for leg in legs:
        both = sides.setdefault(leg.instrument if leg.isolated else leg.underlying, [0.0, 0.0])
        both[leg.coins < 0.0] += leg_initial(leg)
    found = {name: max(both) for name, both in sides.items()}
    initial = math.fsum(found.values())
    return Requirement(initial=initial, maintenance=initial * MAINTENANCE_SHARE, by_underlying=found)


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Schedules by name, that of each coin for linear and for inverse contracts, and haircuts by asset."""

    source: str
    date: str
    schedules: Mapping[str, Schedule]
    linear: Mapping[str, str]
    inverse: Mapping[str, str]
    haircuts: Mapping[str, float]
    haircut_certainty: Certainty = "exact"

    def __post_init__(self) -> None:
        for coins in (self.linear, self.inverse):
            for coin, name in coins.items():
                check.known(name, self.schedules, f"schedule of {coin}", where="kraken parameters")
        for asset, haircut in self.haircuts.items():
            check.within(haircut, f"haircut of {asset}", 0.0, 1.0, where="kraken parameters")

    def schedule(self, contract: Contract) -> Schedule | None:
        """The schedule of a contract; none where it is not listed."""
        name = (self.inverse if contract.inverse else self.linear).get(contract.coin)
        return None if name is None else self.schedules[name]


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book in a multi-collateral wallet.

    Linear contracts net by coin, inverse ones likewise and apart. Orders add to the side they would fill on, for
    initial margin alone. Equity is collateral after haircuts with unsettled P&L.
    """
    held = read_holdings(book, snapshot, families=LINEAR, where=RULEBOOK.id)
    listed, refused = split_listed(held, {*parameters.linear, *parameters.inverse})
    taken = [c for c in listed if _fits(c, parameters.schedule(c))]
    out = [c.instrument for c in listed if c not in taken]
    now = margin_of(leg for c in taken for leg in _legs(c, parameters, orders=False))
    worst = margin_of(leg for c in taken for leg in _legs(c, parameters, orders=True))
    known = {_wallet(c): parameters.schedule(c) for c in taken}
    terms = [
        RuleTerm(
            name=name,
            initial=worst.by_underlying[name],
            maintenance=now.by_underlying.get(name, 0.0) * MAINTENANCE_SHARE,
            certainty=s.certainty if (s := known[name]) else "unknown",
            note=s.note if s else "",
        )
        for name in worst.by_underlying
    ]
    equity, unlisted = _equity(held.balances, held.prices, parameters)
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        equity + math.fsum(c.pnl for c in taken),
        certainty=parameters.haircut_certainty,
        notes=(*held.notes, "margin is based on the value at entry"),
        refused=(*refused, *out, *unlisted),
    )


def _fits(contract: Contract, schedule: Schedule | None) -> bool:
    return schedule is not None and contract.worst_coins * contract.entry <= schedule.size_max


def _wallet(contract: Contract) -> str:
    return f"{contract.coin} inverse" if contract.inverse else contract.coin


def _legs(contract: Contract, parameters: Parameters, *, orders: bool) -> list[Leg]:
    """The position, or what its buys and its sells would make of it."""
    schedule = parameters.schedule(contract)
    assert schedule is not None, "only listed contracts have legs"
    long = max(contract.coins + (contract.buys if orders else 0.0), 0.0)
    short = max((contract.sells if orders else 0.0) - contract.coins, 0.0)
    name, wallet, entry = contract.instrument, _wallet(contract), contract.entry
    sides = (long, -short)
    return [Leg(instrument=name, underlying=wallet, coins=x, entry=entry, schedule=schedule) for x in sides]


def _equity(
    balances: Mapping[str, float], prices: Mapping[str, float], parameters: Parameters
) -> tuple[float, list[str]]:
    """USD after haircuts, debts in full; and what is no collateral."""
    total, refused = [], []
    for name, units in balances.items():
        haircut = parameters.haircuts.get(name)
        if units < 0.0:
            total.append(units * prices[name])
        elif haircut is None:
            refused += [f"collateral {name}"] if units else []
        else:
            total.append(units * prices[name] * (1.0 - haircut))
    return math.fsum(total), refused


RULEBOOK = Rulebook(
    id="kraken-futures",
    name="Kraken futures, multi-collateral",
    family="weights",
    products="perpetual, future (linear and inverse)",
    method="initial rate by position size at entry; the larger of longs and shorts of one underlying",
    formulas="""\
IM(leg) = size at entry · rate(level of size);  MM = IM/2
underlying = max(Σ IM of longs, Σ IM of shorts); isolated legs by themselves
equity = Σ balance·price·(1 − haircut) + unrealised P&L""",
    sources=("Kraken support: articles 360022632452, 15579128794772, 4844463246100",),
    certainty="unknown",
    parameters=Parameters,
    folder="kraken",
    evaluate=evaluate,
    open_parts=(
        "rates by level of multi-collateral perpetuals are not public: those of the inverse schedule are taken",
        "whether a level's rate is marginal is not public: the rate of the whole position is taken",
        "haircuts by asset are a conservative reading",
    ),
    venues=("KRAKEN",),
)
