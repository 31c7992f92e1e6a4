"""Coinbase International: a base rate, or one that rises with the root of a position over daily volume; pair offsets.

Sources: Coinbase International leverage and margin policy; help pages on margin offset (2024-05-24) and cross
collateral.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import PERPETUALS, Contract, by_coin, read_holdings, split_listed
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

MAINTENANCE_SHARE = 2.0 / 3.0
CLOSE_OUT_GAP = 0.12

CreditOn: TypeAlias = Literal["smaller", "both"]


class Market(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base initial rate, risk parameter, and mean daily volume of 30 days in coins."""

    base_rate: float
    risk_parameter: float
    daily_volume: float
    certainty: Certainty = "exact"
    note: str = ""

    def __post_init__(self) -> None:
        check.within(self.base_rate, "base_rate", 0.0, 1.0, where="coinbase market")
        check.within(self.risk_parameter, "risk_parameter", 0.0, 1e6, where="coinbase market")
        check.positive(self.daily_volume, "daily_volume", where="coinbase market")


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed coins at the mean price at which they were dealt (VWAP), in USD."""

    coin: str
    coins: float
    vwap: float
    market: Market

    def __post_init__(self) -> None:
        check.finite(self.coins, "coins", where=f"coinbase {self.coin}")
        check.positive(self.vwap, "vwap", where=f"coinbase {self.coin}")


class Offset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pair whose opposite sides lower each other's margin by `rate`."""

    first: str
    second: str
    rate: float

    def __post_init__(self) -> None:
        check.within(self.rate, "offset rate", 0.0, 1.0, where=f"coinbase {self.first}/{self.second}")


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """USD: initial by coin before offsets, what offsets take off, and the three levels after them."""

    by_coin: dict[str, float]
    offset: float
    initial: float
    maintenance: float
    close_out: float


def initial_rate(position: Position) -> float:
    """max(base, RP·√CoH), CoH = position / mean daily volume; at most the whole notional."""
    concentration = abs(position.coins) / position.market.daily_volume
    return min(max(position.market.base_rate, position.market.risk_parameter * math.sqrt(concentration)), 1.0)


def close_out_rate(initial: float) -> float:
    """max(IM/3, MM − 12 %) as a rate: below it a position goes to the liquidity support programme."""
    return max(initial / 3.0, initial * MAINTENANCE_SHARE - CLOSE_OUT_GAP)


def offset_credit(positions: Iterable[Position], pairs: Iterable[Offset], credit_on: CreditOn) -> float:
    """What pairs take off initial margin, USD: in order of priority, matched by notional at VWAP, each dollar once.

    The credit is rate × the margin of the matched part, of the leg that needs less, or of both legs.
    """
    held = {p.coin: p for p in positions}
    left = {name: abs(p.coins) * p.vwap for name, p in held.items()}
    credit = []
    for pair in pairs:
        a, b = held.get(pair.first), held.get(pair.second)
        if a is None or b is None or a.coins * b.coins >= 0.0:
            continue
        matched = min(left[a.coin], left[b.coin])
        left[a.coin] -= matched
        left[b.coin] -= matched
        margins = (matched * initial_rate(a), matched * initial_rate(b))
        credit.append(pair.rate * (sum(margins) if credit_on == "both" else min(margins)))
    return math.fsum(credit)


def margin_of(
    positions: Iterable[Position], pairs: Iterable[Offset] = (), *, credit_on: CreditOn = "smaller"
) -> Requirement:
    """The requirement of one portfolio: the sum over positions less the offsets of its pairs.

    Maintenance is two thirds of initial; close-out keeps its share of each position's margin after offsets.
    """
    held = tuple(positions)
    check.unique((p.coin for p in held), "position", where="coinbase portfolio")
    alone = {p.coin: abs(p.coins) * p.vwap * initial_rate(p) for p in held}
    gross = math.fsum(alone.values())
    credit = offset_credit(held, pairs, credit_on)
    kept = (gross - credit) / gross if gross else 0.0
    close_out = math.fsum(abs(p.coins) * p.vwap * close_out_rate(initial_rate(p)) for p in held) * kept
    initial = gross - credit
    return Requirement(
        by_coin=alone,
        offset=credit,
        initial=initial,
        maintenance=initial * MAINTENANCE_SHARE,
        close_out=close_out,
    )


class Collateral(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An asset's base haircut, one that grows with √(amount / daily volume), and the units that count at most."""

    base_haircut: float
    size_parameter: float = 0.0
    daily_volume: float = math.inf
    limit: float = math.inf

    def __post_init__(self) -> None:
        check.within(self.base_haircut, "base_haircut", 0.0, 1.0, where="coinbase collateral")
        check.within(self.size_parameter, "size_parameter", 0.0, 1e6, where="coinbase collateral")


def collateral_value(units: float, price: float, terms: Collateral) -> float:
    """min(units, limit)·price·(1 − max(base, size-dependent haircut)), USD; a debt counts in full."""
    if units <= 0.0:
        return units * price
    by_size = terms.size_parameter * math.sqrt(units / terms.daily_volume)
    return min(units, terms.limit) * price * (1.0 - min(max(terms.base_haircut, by_size), 1.0))


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Markets by coin, pairs in their order of priority, haircuts by asset."""

    source: str
    date: str
    markets: Mapping[str, Market]
    offsets: tuple[Offset, ...]
    collateral: Mapping[str, Collateral]
    credit_on: CreditOn = "smaller"
    certainty: Certainty = "approximate"


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book as one portfolio; orders count at their worse fill for initial margin."""
    held = read_holdings(book, snapshot, families=PERPETUALS, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.markets)
    markets = by_coin(listed)
    now = [_position(c, c.coins, parameters) for c in markets.values()]
    worst = [_position(c, math.copysign(c.worst_coins, c.coins), parameters) for c in markets.values()]
    alone = margin_of(worst).by_coin
    terms = [
        RuleTerm(
            name=p.coin,
            initial=alone[p.coin],
            maintenance=abs(p.coins) * p.vwap * initial_rate(p) * MAINTENANCE_SHARE,
            certainty=p.market.certainty,
            note=p.market.note,
        )
        for p in now
    ]
    credit = margin_of(now, parameters.offsets, credit_on=parameters.credit_on).offset
    if credit:
        terms.append(_credit(credit, parameters))
    owned = {n: x for n, x in held.balances.items() if n in parameters.collateral or x < 0.0}
    plain = Collateral(base_haircut=0.0)
    equity = (collateral_value(x, held.prices[n], parameters.collateral.get(n, plain)) for n, x in owned.items())
    unlisted = (f"collateral {n}" for n, x in held.balances.items() if n not in owned and x > 0.0)
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        math.fsum(equity) + math.fsum(c.pnl for c in markets.values()),
        certainty=parameters.certainty,
        notes=held.notes,
        refused=(*refused, *unlisted),
    )


def _position(contract: Contract, coins: float, parameters: Parameters) -> Position:
    market = parameters.markets[contract.coin]
    return Position(coin=contract.coin, coins=coins, vwap=contract.entry, market=market)


def _credit(credit: float, parameters: Parameters) -> RuleTerm:
    note = f"credit on the {parameters.credit_on} leg of a matched pair"
    share = -credit * MAINTENANCE_SHARE
    return RuleTerm(name="margin offset", initial=-credit, maintenance=share, certainty="approximate", note=note)


RULEBOOK = Rulebook(
    id="coinbase-intx",
    name="Coinbase International",
    family="weights",
    products="perpetual",
    method="base rate or root of concentration; offsets between pairs in order of priority",
    formulas="""\
IM = N·max(BIM, RP·√(position / daily volume));  MM = 2/3·IM;  close-out = max(IM/3, MM − 12 % of N)
offset: opposite sides of a pair, matched by notional at VWAP, credit 40 % (BTC/ETH)
collateral = min(units, limit)·price·(1 − max(base haircut, size haircut))""",
    sources=(
        "Coinbase International: leverage and margin policy; cross collateral",
        "Coinbase International: margin offset, table of 2024-05-24",
    ),
    certainty="unknown",
    parameters=Parameters,
    folder="coinbase",
    evaluate=evaluate,
    open_parts=(
        "risk parameters, volumes and haircuts are live figures: those shipped are a conservative reading",
        "on which leg the offset is credited is not said: the smaller margin is taken (`credit_on`)",
    ),
    venues=("COINBASE",),
)
