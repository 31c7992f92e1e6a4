"""OKX multi-currency margin, cross mode: position tiers, adjusted equity by discount tiers, margin on loans.

Sources: OKX help, portfolio margin (2024-12-30) for loans and discounts; tiers are loaded from the user.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.brackets import BracketTable, bracket_initial, whole_maintenance, within_cap
from crossmargin.margin.rulebooks.holdings import LINEAR, Contract, Holdings, read_holdings, split_listed
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


class DiscountTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of a balance's value up to `value_cap` (USD, and above the tier before) counts at `rate`."""

    value_cap: float
    rate: float


def discounted(value: float, tiers: Iterable[DiscountTier]) -> float:
    """USD that a balance counts for: each tier's rate on its own part, nothing beyond the last; debts in full.

    Raises `InvalidInput` for tiers whose caps do not rise.
    """
    if value <= 0.0:
        return value
    total, floor = 0.0, 0.0
    for tier in tiers:
        check.within(tier.rate, "discount rate", 0.0, 1.0, where="okx discount tier")
        if not tier.value_cap > floor:
            limit, remedy = f"above {floor:g}, the tier before", "Sort the tiers."
            raise InvalidInput("value_cap", where="okx discount tier", value=tier.value_cap, limit=limit, remedy=remedy)
        total += tier.rate * max(min(value, tier.value_cap) - floor, 0.0)
        floor = tier.value_cap
    return total


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A perpetual or future: notional (USD), its tiers, and the leverage that was chosen."""

    notional: float
    table: BracketTable
    leverage: float

    def __post_init__(self) -> None:
        check.within(self.notional, "notional", 0.0, math.inf, where="okx position")
        check.positive(self.leverage, "leverage", where="okx position")


class Loan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A debt (USD, not negative) and its rates."""

    value: float
    initial_rate: float
    maintenance_rate: float

    def __post_init__(self) -> None:
        check.within(self.value, "value", 0.0, math.inf, where="okx loan")
        check.within(self.initial_rate, "initial_rate", 0.0, 1.0, where="okx loan")
        check.within(self.maintenance_rate, "maintenance_rate", 0.0, self.initial_rate, where="okx loan")


def margin_of(positions: Iterable[Position], loans: Iterable[Loan]) -> tuple[float, float]:
    """Initial and maintenance margin of an account, USD.

    IMR = N/leverage, MMR = N·rate of the tier of N on the whole position; loans at their rates; all summed.
    """
    parts = [
        (bracket_initial(p.table, p.notional, p.leverage), whole_maintenance(p.table, p.notional)) for p in positions
    ]
    parts += [(x.value * x.initial_rate, x.value * x.maintenance_rate) for x in loans]
    return math.fsum(i for i, _ in parts), math.fsum(m for _, m in parts)


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Position tiers by coin, discount tiers by asset, the rates of loans, the leverage chosen."""

    source: str
    date: str
    tiers: Mapping[str, BracketTable]
    discounts: Mapping[str, tuple[DiscountTier, ...]]
    discount_certainty: Certainty = "exact"
    loan_initial_rate: float = 0.1
    loan_maintenance_rate: float = 0.02
    leverage: float = 10.0


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book; equity is adjusted: balances after discounts, debts and P&L in full.

    Orders count at their worse fill for initial margin. Options are refused: their rule is not public here.
    """
    held = read_holdings(book, snapshot, families=LINEAR, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.tiers)
    listed, oversized = within_cap(listed, parameters.tiers)
    equity, unlisted = _equity(held, parameters)
    return summed(
        RULEBOOK.id,
        parameters.date,
        [*(_term(c, parameters) for c in listed), *_loans(held, parameters)],
        equity + math.fsum(c.pnl for c in listed),
        certainty=parameters.discount_certainty,
        notes=(*held.notes, f"leverage chosen: {parameters.leverage:g}", *oversized),
        refused=(*refused, *(n.split(":", maxsplit=1)[0] for n in oversized), *unlisted),
    )


def _term(contract: Contract, parameters: Parameters) -> RuleTerm:
    table = parameters.tiers[contract.coin]
    worst = Position(notional=contract.worst_coins * contract.mark, table=table, leverage=parameters.leverage)
    now = Position(notional=contract.notional, table=table, leverage=parameters.leverage)
    return RuleTerm(
        name=contract.instrument,
        initial=margin_of((worst,), ())[0],
        maintenance=margin_of((now,), ())[1],
        certainty=table.certainty,
        note=table.note,
    )


def _loans(held: Holdings, parameters: Parameters) -> list[RuleTerm]:
    terms = []
    for name, units in held.balances.items():
        if units < 0.0:
            loan = Loan(
                value=-units * held.prices[name],
                initial_rate=parameters.loan_initial_rate,
                maintenance_rate=parameters.loan_maintenance_rate,
            )
            initial, maintenance = margin_of((), (loan,))
            note = "rates of the first tier of USDT"
            terms.append(
                RuleTerm(
                    name=f"loan {name}", initial=initial, maintenance=maintenance, certainty="approximate", note=note
                )
            )
    return terms


def _equity(held: Holdings, parameters: Parameters) -> tuple[float, list[str]]:
    total, refused = [], []
    for name, units in held.balances.items():
        tiers = parameters.discounts.get(name)
        if tiers is None and units > 0.0:
            refused.append(f"collateral {name}")
        else:
            total.append(discounted(units * held.prices[name], tiers or ()))
    return math.fsum(total), refused


RULEBOOK = Rulebook(
    id="okx-cross",
    name="OKX multi-currency margin, cross mode",
    family="weights",
    products="perpetual, future, loans",
    method="position tiers by notional; equity after discount tiers",
    formulas="""\
IMR = N/leverage;  MMR = N·rate of the tier of the whole position;  loans: 10 % and 2 % (first USDT tier)
adjusted equity = Σ discounted(balance·price) + P&L − debts""",
    sources=("OKX help: portfolio margin, risk unit merge (2024-12-30); loan rates of the first USDT tier",),
    certainty="unknown",
    parameters=Parameters,
    folder="okx_cross",
    evaluate=evaluate,
    open_parts=(
        "position and discount tiers change often: those shipped are a conservative reading",
        "the margin of options outside portfolio margin is not in the reference: options are refused",
    ),
    venues=("OKX",),
)
