"""Stress: P&L of every account in named shocks, and over a grid of prices by volatilities."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

import msgspec

from crossmargin.core import check
from crossmargin.engine.accounts import provenance
from crossmargin.engine.curves import account_pnl, risk_arrays
from crossmargin.engine.margin import margin
from crossmargin.engine.model import AnyModel, RulebookModel, in_force
from crossmargin.engine.plan import plan
from crossmargin.engine.reports import ScenarioLine, StressAccount, StressReport
from crossmargin.engine.ruled.stress import stressed_account
from crossmargin.engine.variants import account_alone
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book, part
from crossmargin.scenarios.document import StressDocument
from crossmargin.scenarios.stress import build_stress, restrict


@cache
def default_stress() -> StressDocument:
    """The shipped named shocks: historical and hypothetical, each with its source."""
    text = resources.files("crossmargin.engine").joinpath("models/stress.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    return msgspec.convert({key: values[key] for key in ("name", "scenarios")}, StressDocument)


def stress(
    book: Book,
    snapshot: Snapshot,
    model: AnyModel,
    *,
    scenarios: StressDocument | None = None,
    accounts: Iterable[str] | None = None,
) -> StressReport:
    """P&L of accounts (all by default) under named shocks, the shipped ones by default, and over a risk array.

    Vol shocks spread over tenors as the model's, under a rulebook alike over all; a rulebook says too what it would ask
    for after each shock. Raises `MissingFactors` for a shock to a factor the market lacks.
    """
    names = book.accounts if accounts is None else tuple(accounts)
    for name in names:
        check.known(name, book.accounts, "account", where="book", remedy="Name an account of the book.")
    library = scenarios or restrict(default_stress(), snapshot)
    if isinstance(model, RulebookModel):
        return _stress_ruled(book, snapshot, in_force(model, snapshot), library, names)
    ready = plan(book, snapshot, model)
    result = margin(book, snapshot, model, prepared=ready)
    shocks = build_stress(library, snapshot, rules=dict(ready.scenarios.rules))
    gains = account_pnl(book, snapshot, shocks)
    equity = result.by_account(result.pools.equity)
    underlyings = sorted(ready.scenarios.rules)
    reports = []
    for name in names:
        row = book.accounts.index(name)
        alone = part(book, row, row + 1)
        lines = zip(shocks.labels, shocks.families, gains[row], strict=True)
        reports.append(
            StressAccount(
                id=name,
                equity_usd=float(equity[row]),
                lines=tuple(ScenarioLine(label=a, family=b, pnl_usd=float(x)) for a, b, x in lines),
                risk_arrays=risk_arrays(alone, snapshot, ready.scenarios.rules, underlyings),
            )
        )
    return StressReport(provenance=provenance(result), accounts=tuple(reports))


def _stress_ruled(
    book: Book, snapshot: Snapshot, model: RulebookModel, library: StressDocument, names: tuple[str, ...]
) -> StressReport:
    shocks = build_stress(library, snapshot)
    columns = shocks.shock.T.tolist()
    moves = [{f: x for f, x in zip(shocks.factors, column, strict=True) if x} for column in columns]
    result = margin(book, snapshot, model)
    accounts = tuple(stressed_account(account_alone(book, name), snapshot, model, shocks, moves) for name in names)
    return StressReport(provenance=provenance(result), accounts=accounts)
