"""Margins of many accounts by Derive's rulebooks, on one thread, against a plain loop over options and scenarios."""

import time

import numpy as np

from benchmarks.case import Bar, Case, Contender
from crossmargin.margin.rulebooks.derive import pmrm2
from crossmargin.margin.rulebooks.derive.evaluating import PMRM2
from crossmargin.margin.rulebooks.derive.native import ExpiryFeed, Feeds, Option, Portfolio, Svi
from spec.rulebooks import derive_pmrm2 as plain
from tests.margin.rulebooks.derive_books import plain as written

SIZES = (250, 500, 1000)
OPTIONS = 30  # Positions an account.
ASKED = "the pace asked, 2,000 accounts a second"
SAMPLE = 5  # Accounts of the plain loop.
EXPIRIES_S = tuple(86_400 * day for day in (2, 9, 30, 58, 90, 180, 270))


def draw(accounts: int) -> list[Portfolio]:
    """Accounts of one market: a perpetual, and options at any of seven expiries and forty strikes."""
    rng = np.random.default_rng(0)
    feeds = Feeds(spot=100_000.0, perp_price=100_050.0, expiries=tuple(feed(seconds) for seconds in EXPIRIES_S))
    return [
        Portfolio(underlying="BTC", feeds=feeds, cash=1e6, perp=float(rng.normal()), options=options(rng))
        for _ in range(accounts)
    ]


def feed(seconds: int) -> ExpiryFeed:
    tenor = seconds / 31_536_000
    svi = Svi(a=0.1 * tenor, b=0.2 * tenor, rho=-0.2, m=0.0, sigma=0.3, forward=100_500.0, tenor_years=tenor)
    return ExpiryFeed(seconds_to_expiry=seconds, forward_variable=100_500.0, rate=0.05, svi=svi)


def options(rng: np.random.Generator) -> tuple[Option, ...]:
    cells = rng.choice(len(EXPIRIES_S) * 80, OPTIONS - 1, replace=False)
    return tuple(
        Option(
            seconds_to_expiry=EXPIRIES_S[cell // 80],
            strike=50_000.0 + 2_500.0 * (cell % 40),
            right="call" if cell % 80 < 40 else "put",
            amount=float(rng.normal()),
        )
        for cell in cells.tolist()
    )


def contest(accounts: int) -> list[Contender]:
    parameters = PMRM2.load("2026-01-21")
    portfolios = draw(accounts)
    few = [written(p) for p in portfolios[:SAMPLE]]
    rules = written(parameters)
    return [
        Contender(name="crossmargin", run=lambda: pmrm2.margins_of(portfolios, parameters), cells=accounts),
        Contender(
            name="one account at a time",
            run=lambda: [pmrm2.margin_of(p, parameters) for p in portfolios[:50]],
            cells=50,
        ),
        Contender(name=ASKED, run=lambda: time.sleep(50 / 2_000), cells=50),
        Contender(name="plain Python", run=lambda: [plain.margin(p, rules) for p in few], cells=SAMPLE),
    ]


def error() -> float:
    """Largest relative distance of a margin from that of the plain loop."""
    parameters = PMRM2.load("2026-01-21")
    portfolios = draw(3)
    margins, rules = pmrm2.margins_of(portfolios, parameters), written(parameters)
    wanted = [plain.margin(written(p), rules) for p in portfolios]
    pairs = [(w["initial"], g) for w, g in zip(wanted, margins.initial, strict=True)]
    pairs += [(w["maintenance"], g) for w, g in zip(wanted, margins.maintenance, strict=True)]
    return max(abs(float(got) / want - 1.0) for want, got in pairs)


def cases() -> list[Case]:
    return [
        Case(
            name="Derive PMRM_2",
            unit="accounts",
            sizes=SIZES,
            contest=contest,
            bars=(Bar(against=ASKED, ratio_min=1.0), Bar(against="plain Python", ratio_min=5.0)),
            error=error,
            error_max=1e-9,
            notes="30 positions each, 33 scenarios",
        )
    ]
