"""Derive's managers as rulebooks: what each asks of a Crossmargin account, in terms, and what may be doubted in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.derive import pmrm, pmrm2, srm
from crossmargin.margin.rulebooks.derive.native import Collateral, Feeds, Portfolio
from crossmargin.margin.rulebooks.derive.pmrm2_parameters import Pmrm2Parameters
from crossmargin.margin.rulebooks.derive.reading import Held, Reading, read_account
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleScenario, RuleTerm
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

_SPLIT: Final = "a manager nets one underlying: one account each, requirements summed"
_ANY: Final = 1 << 30  # An account too large for the venue is still margined, and said to be.


def evaluate_pmrm2(book: Book, snapshot: Snapshot, parameters: Pmrm2Parameters) -> RuleResult:
    """What PMRM_2 asks of a book of one account: one manager's account for each underlying, summed."""
    names = parameters.underlyings
    reading = read_account(book, snapshot, perps=names, options=names, cash=parameters.cash, where=PMRM2.id)
    coins = [*reading.markets] or list(names[:1])
    haircuts = parameters.collaterals
    place = {a: haircuts[a].cancels if haircuts[a].cancels in coins else coins[0] for a in haircuts}
    portfolios = _portfolios(reading, snapshot, coins, place)
    oversize = _oversize(portfolios, parameters.assets_max, parameters.expiries_max)
    rule = msgspec.structs.replace(parameters, assets_max=_ANY, expiries_max=_ANY)
    margins = pmrm2.margins_of(portfolios, rule)
    terms = [t for a, p in enumerate(portfolios) for t in _pmrm2_terms(margins, a, p.underlying, parameters)]
    labels = [s.label for s in parameters.scenarios]
    return _portfolio_answer(PMRM2, parameters.date, reading, portfolios, margins, labels, terms, oversize)


def _pmrm2_terms(
    margins: pmrm2.Pmrm2Margins, a: int, underlying: str, parameters: Pmrm2Parameters
) -> Iterator[RuleTerm]:
    span = -float(margins.span[a])
    yield RuleTerm(
        name=f"{underlying} scenarios",
        initial=span * float(margins.initial_factor[a]),
        maintenance=span * margins.maintenance_factor,
    )
    for name, addon in (("perpetual", margins.perp), ("naked options", margins.option)):
        yield _contingency(f"{underlying} {name}", addon, a)
    if margins.collateral_value[a]:
        yield _contingency(f"{underlying} collateral", margins.collateral, a, parameters.collateral_certainty)
    yield RuleTerm(name=f"{underlying} oracle", initial=float(margins.oracle[a]), maintenance=0.0)


def _contingency(name: str, addon: pmrm2.Contingency, a: int, certainty: Certainty = "exact") -> RuleTerm:
    maintenance = float(addon.maintenance[a])
    note = "" if certainty == "exact" else "haircuts are read from the standard manager's factors"
    return RuleTerm(
        name=name,
        initial=maintenance + float(addon.initial_extra[a]),
        maintenance=maintenance,
        certainty=certainty,
        note=note,
    )


def evaluate_pmrm(book: Book, snapshot: Snapshot, parameters: pmrm.PmrmParameters) -> RuleResult:
    """What PMRM asks of a book of one account: one manager's account for each underlying, summed."""
    names = parameters.underlyings
    reading = read_account(book, snapshot, perps=names, options=names, cash=parameters.cash, where=PMRM.id)
    # The underlying itself is held at the spot of its feed.
    spots = {a: (x, snapshot.usd_price(a)) for a, (x, _) in reading.balances.items() if a in names}
    reading = replace(reading, balances={**reading.balances, **spots})
    coins = [*reading.markets, *(a for a in names if a in reading.balances and a not in reading.markets)]
    portfolios = _portfolios(reading, snapshot, coins or names[:1], {name: name for name in names})
    oversize = _oversize(portfolios, parameters.assets_max, parameters.expiries_max)
    rule = msgspec.structs.replace(parameters, assets_max=_ANY, expiries_max=_ANY)
    margins = pmrm.margins_of(portfolios, rule)
    terms = [t for a, p in enumerate(portfolios) for t in _pmrm_terms(margins, a, p.underlying)]
    labels = [s.label for s in parameters.scenarios]
    return _portfolio_answer(PMRM, parameters.date, reading, portfolios, margins, labels, terms, oversize)


def _pmrm_terms(margins: pmrm.PmrmMargins, a: int, underlying: str) -> Iterator[RuleTerm]:
    """The static add-ons stand inside the factor of the initial margin, so each is shown with it."""
    factor = float(margins.initial_factor[a])
    for name, amount in (
        ("scenarios", -margins.span),
        ("perpetual", margins.perp),
        ("naked options", margins.option),
        ("collateral", margins.base),
    ):
        yield RuleTerm(name=f"{underlying} {name}", initial=float(amount[a]) * factor, maintenance=float(amount[a]))
    yield RuleTerm(name=f"{underlying} oracle", initial=float(margins.oracle[a]), maintenance=0.0)


def _portfolios(
    reading: Reading, snapshot: Snapshot, coins: Sequence[str], place: Mapping[str, str]
) -> list[Portfolio]:
    """One account for each of `coins`, the cash in the first; `place` names the account of each collateral asset."""
    return [
        _portfolio(
            coin,
            reading.markets.get(coin) or _empty(coin, snapshot, reading),
            reading.cash if coin == coins[0] else 0.0,
            tuple(
                Collateral(asset=asset, amount=x, price=price)
                for asset, (x, price) in reading.balances.items()
                if place.get(asset) == coin
            ),
        )
        for coin in coins
    ]


def _empty(coin: str, snapshot: Snapshot, reading: Reading) -> Held:
    spot = snapshot.usd_price(coin) if coin in snapshot.underlyings else 0.0
    return Held(feeds=Feeds(spot=spot, stable_price=reading.stable_price), perp=0.0, perp_pnl=0.0, options=())


def _portfolio(coin: str, held: Held, cash: float, collaterals: tuple[Collateral, ...]) -> Portfolio:
    return Portfolio(
        underlying=coin,
        feeds=held.feeds,
        cash=cash,
        perp=held.perp,
        perp_pnl=held.perp_pnl,
        options=held.options,
        collaterals=collaterals,
    )


def _oversize(portfolios: Iterable[Portfolio], assets_max: int, expiries_max: int) -> tuple[str, ...]:
    """A note where an account is larger than its manager takes; its number then is that of no single account."""
    over = [
        p.underlying
        for p in portfolios
        if len(p.options) + len(p.collaterals) + (p.perp != 0.0) > assets_max
        or len({o.seconds_to_expiry for o in p.options}) > expiries_max
    ]
    what = f"more than {assets_max} assets or {expiries_max} expiries: the venue would have it split"
    return (f"{', '.join(over)}: {what}",) if over else ()


def _portfolio_answer(
    rulebook: Rulebook,
    date: str,
    reading: Reading,
    portfolios: Sequence[Portfolio],
    margins: pmrm2.Pmrm2Margins | pmrm.PmrmMargins,
    labels: Sequence[str],
    terms: Iterable[RuleTerm],
    oversize: tuple[str, ...],
) -> RuleResult:
    """The answer of a manager whose accounts net one underlying each; its worst scenario is the one of most loss."""
    placed = {c.asset for p in portfolios for c in p.collaterals}
    refused = (*reading.refused, *(f"collateral {asset}" for asset in reading.balances if asset not in placed))
    split = (_SPLIT,) if len(portfolios) > 1 else ()
    answer = summed(
        rulebook.id,
        date,
        terms,
        float(margins.mark_to_market.sum()),
        certainty="approximate" if reading.approximate or oversize else "exact",
        notes=(*reading.notes, *split, *oversize),
        refused=refused,
    )
    named = [*labels, "basis contingency"]
    worst = int(np.argmin(margins.span))
    return msgspec.structs.replace(
        answer,
        worst_scenario=f"{portfolios[worst].underlying}: {named[int(margins.worst[worst])]}",
        scenarios=tuple(
            RuleScenario(label=f"{p.underlying}: {label}", pnl_usd=float(gain))
            for p, row, basis in zip(portfolios, margins.pnl, margins.basis, strict=True)
            for label, gain in zip(named, [*row, basis], strict=True)
        ),
    )


def evaluate_srm(book: Book, snapshot: Snapshot, parameters: srm.SrmParameters) -> RuleResult:
    """What the standard manager asks of a book of one account."""
    perps = [name for name, t in parameters.markets.items() if t.perp_initial is not None]
    options = [name for name, t in parameters.markets.items() if t.option is not None]
    reading = read_account(book, snapshot, perps=perps, options=options, cash=parameters.cash, where=SRM.id)
    based = {a: x for a, x in reading.balances.items() if a in parameters.markets and parameters.markets[a].base_factor}
    names = [*reading.markets, *(a for a in based if a not in reading.markets)]
    portfolio = srm.SrmPortfolio(
        cash=reading.cash, markets=tuple(_srm_market(name, reading, based.get(name)) for name in names)
    )
    assets = sum(len(m.options) + (m.perp != 0.0) + (m.base != 0.0) for m in portfolio.markets)
    most = parameters.assets_max
    oversize = (f"more than {most} assets: the venue would have it split",) if assets > most else ()
    margins = srm.margin_of(portfolio, msgspec.structs.replace(parameters, assets_max=max(assets, most)))
    return summed(
        SRM.id,
        parameters.date,
        [t for m, name in enumerate(names) for t in _srm_terms(margins, m, name)],
        float(margins.mark_to_market[0]),
        certainty="approximate" if reading.approximate or oversize else "exact",
        notes=(*reading.notes, *oversize),
        refused=(*reading.refused, *(f"collateral {asset}" for asset in reading.balances if asset not in based)),
    )


def _srm_market(name: str, reading: Reading, base: tuple[float, float] | None) -> srm.Market:
    amount, price = base or (0.0, 0.0)
    held = reading.markets.get(name)
    if held is None:
        return srm.Market(underlying=name, feeds=Feeds(spot=price, stable_price=reading.stable_price), base=amount)
    return srm.Market(
        underlying=name,
        feeds=held.feeds,
        perp=held.perp,
        perp_pnl=held.perp_pnl,
        base=amount,
        options=held.options,
    )


def _srm_terms(margins: srm.SrmMargins, m: int, name: str) -> Iterator[RuleTerm]:
    """Each part by what it takes from the mark-to-market, so that equity less the sum is the venue's net margin."""
    parts = {
        "perpetual": (-margins.perp.initial, -margins.perp.maintenance),
        "options": (margins.option_value - margins.option.initial, margins.option_value - margins.option.maintenance),
        "collateral": (margins.base_value - margins.base.initial, margins.base_value - margins.base.maintenance),
        "oracle": (-margins.oracle, np.zeros_like(margins.oracle)),
        "depeg": (-margins.depeg, np.zeros_like(margins.depeg)),
    }
    for part, (initial, maintenance) in parts.items():
        if initial[m] or maintenance[m]:
            yield RuleTerm(name=f"{name} {part}", initial=float(initial[m]), maintenance=float(maintenance[m]))


_SOURCES: Final = ("rulebook reference 1; public code derivexyz/v2-core @ 7736900d (formulas only)",)

PMRM2: Final = Rulebook(
    id="derive-pmrm2",
    name="Derive portfolio margin (PMRM_2)",
    family="scenario",
    products="option, perpetual, spot of one underlying",
    method="worst of regular, damped far and smile scenarios, or of the basis; contingencies; haircuts",
    formulas="""\
net = factor·min(basis, min over s of P&L(s)) − contingencies + mark-to-market + cash, healthy if ≥ 0
P&L(s) = damping·(perp·price·(s − 1) + Σ over expiries of (static(V(s, vol)) − V) + cancelling collateral·(s − 1))
skew scenarios: −|static(V) − V| for each expiry;  basis = Σ min(0, V(up) − V, V(down) − V)·(add + mult·T)
factor: initial + max(0, peg threshold − stable)·peg factor; maintenance
contingencies: |perp|, options naked by strike, collateral haircuts; initial only: (1 − confidence)·notional""",
    sources=_SOURCES,
    certainty="exact",
    parameters=Pmrm2Parameters,
    folder="derive",
    evaluate=evaluate_pmrm2,
    open_parts=(
        "haircuts of collateral by asset: read from the standard manager's factors",
        "static discounts of the mainnet script look swapped; kept as they stand, they can make netting cost",
        "parameters of other coins than BTC and ETH",
    ),
)

PMRM: Final = Rulebook(
    id="derive-pmrm",
    name="Derive portfolio margin (PMRM)",
    family="scenario",
    products="option, perpetual, spot of one underlying",
    method="worst of a grid of spot and volatility, or of the basis; static add-ons",
    formulas="""\
maintenance = span − static + mark-to-market + cash
initial = (span − static)·(factor + depeg) − confidence + mark-to-market + cash, healthy if ≥ 0
P&L(s) = Σ (V > 0 ? V·discount : V) − V₀ + base·spot/stable·(s − 1) + perp·price·(s − 1), options undiscounted
static = (|perp|·p + base·b + naked·o)·spot""",
    sources=_SOURCES,
    certainty="exact",
    parameters=pmrm.PmrmParameters,
    folder="derive",
    evaluate=evaluate_pmrm,
)

SRM: Final = Rulebook(
    id="derive-srm",
    name="Derive standard margin",
    family="strategy",
    products="option, perpetual, spot of many underlyings",
    method="isolated margins of short options or the maximum loss, expiry by expiry; no netting across markets",
    formulas="""\
net = cash + Σ over markets of (perp + options + collateral + perp value − depeg), healthy if ≥ 0
perp = −|q|·price·fraction;  collateral = amount·spot·factor (initial: ·scale)
options of an expiry = max(Σ isolated, maximum loss);  short call: mark − max(min, max − otm)·S; maintenance mark − c·S
short put alike, maintenance mark − max(p·S, m·|mark|), initial at least maintenance·offset
maximum loss = min over {0, strikes} of min(0, payoff) + scale·F·(net short calls)""",
    sources=_SOURCES,
    certainty="exact",
    parameters=srm.SrmParameters,
    folder="derive",
    evaluate=evaluate_srm,
    open_parts=("parameters of the third version (2026 documentation) are public in part only",),
    venues=("DERIVE", "eip155:957"),
)

RULEBOOKS: Final = (PMRM2, PMRM, SRM)
