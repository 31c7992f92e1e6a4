"""Rulebooks as models: every answer is the rulebook's own, asked of another version of the account or the market."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from crossmargin.adapters.files import read_book, read_market, read_model
from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.core.instant import from_datetime
from crossmargin.engine.accounts import margin_report
from crossmargin.engine.explaining.change import Previous
from crossmargin.engine.explaining.explain import explain
from crossmargin.engine.margin import margin
from crossmargin.engine.model import RulebookModel, dated, in_force
from crossmargin.engine.moved import dealt_at_marks
from crossmargin.engine.reports import ExplainReport
from crossmargin.engine.ruled.accounts import collateral_lines
from crossmargin.engine.ruled.dealing import dealt
from crossmargin.engine.stress import stress
from crossmargin.engine.variants import account_alone
from crossmargin.engine.whatif import simulate
from crossmargin.margin.rulebooks.registry import rulebook, rulebooks
from crossmargin.margin.rulebooks.rulebook import RuleResult
from crossmargin.margin.rulebooks.sensitivities.exposures import ExposureSettings, FactorMapping
from crossmargin.margin.rulebooks.sensitivities.rule import SensitivityRule
from crossmargin.market.snapshot import Snapshot, bump
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.document import NamedShock, StressDocument
from tests.margin.rulebooks.accounts import account, world
from tests.margin.rulebooks.sensitivity_worlds import made_up
from tests.strategies import numbers

DATED = [name for name, one in rulebooks().items() if one.dates()]
HELD = (("BTC-P.V", 2.0), ("ETH-P.V", -30.0, 4_100.0), ("BTC-C.V", -3.0), ("BTC-X.V", -2.0), ("SOL-P.V", 50.0))
ORDERS = (("BTC-P.V", 1.0),)
CASH = {"USDC": 400_000.0, "BTC": 0.5}


def newest(name: str) -> RulebookModel:
    """The newest set of a rulebook, whatever the day of the market."""
    one = rulebook(name)
    return RulebookModel(rulebook=one, date=one.dates()[-1], parameters=one.load(one.dates()[-1]))


@pytest.fixture(scope="module")
def demo() -> tuple[Book, Snapshot]:
    """The bundled desk: twenty positions of all kinds, orders, and collateral on several chains."""
    with resources.as_file(resources.files("crossmargin.cli").joinpath("demo")) as folder:
        market = read_market(Path(folder) / "market.toml")
        return read_book(Path(folder) / "book.toml", market=market), market


@pytest.mark.parametrize("name", DATED)
def test_margin_is_what_the_rulebook_says(name: str, demo):
    book, market = demo
    model = newest(name)
    found = margin(book, market, model)
    for place, held in enumerate(book.accounts):
        expected = model.rulebook.evaluate(account_alone(book, held), market, model.parameters)
        assert found.results[place] == expected
        report = margin_report(found).accounts[place]
        assert (report.initial_usd, report.maintenance_usd) == (expected.initial_usd, expected.maintenance_usd)
        assert report.equity_usd == expected.equity_usd
        assert report.excess_initial_usd == pytest.approx(expected.equity_usd - expected.initial_usd)
        pool, ruling = report.pools[0], report.ruling
        assert pool.collateral_usd + pool.position_value_usd == pytest.approx(pool.equity_usd)
        terms = [(t.name, t.initial) for t in expected.terms if t.initial or t.maintenance]
        assert [(t.name, t.initial) for t in pool.groups[0].terms] == terms
        assert ruling is not None
        assert (ruling.refused, ruling.certainty) == (expected.refused, expected.certainty)
        refused_positions = set(ruling.refused) & set(book.table.ids)
        orders = [x for x in ruling.refused if x.startswith("order ")]
        assert ruling.partial == bool(refused_positions or orders)


def test_a_rulebook_that_takes_all_is_not_partial():
    model = newest("derive-pmrm2")
    report = margin_report(margin(account(("BTC-P.V", 1.0), collateral={"USDC": 1e5}), world(), model)).accounts[0]
    assert report.ruling is not None
    assert not report.ruling.partial
    partial = margin_report(margin(account(("PEPE-P.V", 1.0), collateral={"USDC": 1e5}), world(), model)).accounts[0]
    assert partial.ruling is not None
    assert partial.ruling.partial
    assert partial.initial_usd == 0.0


@pytest.mark.parametrize("name", DATED)
def test_collateral_lines_add_up_to_the_equity_of_collateral_alone(name: str):
    model, alone = newest(name), account(collateral={"BTC": 1.0, "ETH": 9.0, "USDC": 1e5, "PEPE": 1e6})
    lines = collateral_lines(alone, world(), model)
    assert sum(x.recognised_usd for x in lines) == pytest.approx(model.evaluate(alone, world()).equity_usd)
    for line in lines:
        assert line.gross_usd - line.haircut_usd - line.capped_usd == pytest.approx(line.recognised_usd)


def explained(name: str, book: Book) -> ExplainReport:
    return explain(book, world(), newest(name), account="a")


@cache
def desk(name: str) -> ExplainReport:
    """One account of everything, explained once for all that must hold of it."""
    return explained(name, account(*HELD, orders=ORDERS, collateral=CASH))


@pytest.mark.parametrize("name", DATED)
def test_with_and_without_is_another_question_to_the_rulebook(name: str):
    report, model = desk(name), newest(name)

    def initial(*positions: tuple[str, float] | tuple[str, float, float]) -> float:
        return model.evaluate(account(*positions, orders=ORDERS, collateral=CASH), world()).initial_usd

    whole = initial(*HELD)
    for line in report.groups[0].positions:
        without = initial(*(p for p in HELD if p[0] != line.instrument))
        assert line.marginal_usd == pytest.approx(whole - without, rel=1e-12, abs=1e-9)
    coin = {s.name: s.marginal_usd for s in report.groups[0].underlyings}
    assert coin["BTC"] == pytest.approx(whole - initial(*(p for p in HELD if not p[0].startswith("BTC"))), abs=1e-9)


@pytest.mark.parametrize("name", DATED)
def test_euler_shares_add_up_or_are_not_given(name: str):
    report = desk(name)
    shares = [s.euler_usd for s in report.by_group]
    if None in shares:
        assert all(x is None for x in shares)
        assert all(p.euler_usd is None for p in report.groups[0].positions)
    else:
        assert sum(filter(None, shares)) == pytest.approx(report.account.initial_usd, rel=1e-5, abs=1e-5)


def test_a_rule_of_square_roots_has_shares():
    """The sensitivity-based rule is homogeneous and smooth; its parameters are the user's."""
    mapping = FactorMapping(underlying="BTC", risk="commodity", product_class="Commodity", qualifier="BTC", bucket="1")
    rule = SensitivityRule(calibrations=(made_up(),), exposures=ExposureSettings(mappings=(mapping,), cash=("USDC",)))
    model = RulebookModel(rulebook=rulebook("sensitivity-im"), parameters=rule)
    book = account(("BTC-F.V", 3.0), ("BTC-C.V", -2.0), ("BTC-X.V", 1.0), collateral=CASH)
    report = explain(book, world(), model, account="a")
    assert report.provenance.model == "sensitivity-im, parameters of your own"
    assert report.account.ruling is not None
    assert report.account.ruling.date == made_up().effective
    shares = [p.euler_usd for p in report.groups[0].positions]
    assert sum(x for x in shares if x is not None) == pytest.approx(report.account.initial_usd, rel=1e-5)
    assert report.account.initial_usd > 0.0


def test_shares_of_plain_fractions_are_those_fractions():
    """2 % of the notional of BTC (large), 2 % of ETH: dYdX nets nothing."""
    report = explained("dydx-v4", account(("BTC-P.V", 2.0), ("ETH-P.V", -30.0), collateral={"USDC": 5e4}))
    shares = {p.instrument: p.euler_usd for p in report.groups[0].positions}
    assert shares == pytest.approx({"BTC-P.V": 4_000.0, "ETH-P.V": 2_400.0}, rel=1e-6)


def test_brackets_have_no_euler_shares():
    """A position over several tiers requires less than its size times the rate of the last one."""
    report = explained("binance-pm", account(("BTC-P.V", 400.0), collateral={"USDC": 5e7}))
    assert report.groups[0].positions[0].euler_usd is None
    assert report.groups[0].positions[0].marginal_usd == report.account.initial_usd > 0.0


def test_the_liquidation_price_by_hand():
    # 1 long from 100,000 on 50,000: equity 50,000 + P − 100,000 meets 1.2 % of P at P = 50,000 / 0.988.
    report = explained("dydx-v4", account(("BTC-P.V", 1.0, 100_000.0), collateral={"USDC": 50_000.0}))
    (edge,) = (d for d in report.distances if d.underlying == "BTC")
    assert edge.below == pytest.approx(50_000.0 / 0.988, rel=1e-7)
    assert edge.above is None


@pytest.mark.parametrize("name", DATED)
def test_the_verdict_turns_at_the_liquidation_price(name: str):
    model = newest(name)
    book = dealt_at_marks(account(*HELD, orders=ORDERS, collateral=CASH), world())  # gains count from the marks of now

    def excess(factor: str, move: float) -> float:
        found = model.evaluate(book, bump(world(), {factor: move}))
        return found.equity_usd - found.maintenance_usd

    for d in desk(name).distances:
        u = world().underlyings[d.underlying]
        for price in (d.below, d.above):
            if price is not None:
                sides = [excess(u.factor, price * (1.0 + x) / u.spot - 1.0) for x in (-1e-6, 1e-6)]
                assert sides[0] * sides[1] <= 0.0, (d, sides)
                assert (
                    min(map(abs, sides)) < 10.0
                )  # USD, of positions of half a million; no rule here jumps at its edge


@pytest.mark.parametrize("name", DATED)
def test_the_largest_order_fits_and_no_larger(name: str):
    book, model = account(*HELD, orders=ORDERS, collateral=CASH), newest(name)

    def excess(instrument: str, size: float) -> float:
        found = model.evaluate(dealt(book, world(), {instrument: size}, {}), world())
        return found.equity_usd - found.initial_usd

    report = desk(name)
    refused = report.account.ruling.refused if report.account.ruling else ()
    assert not {c.instrument for c in report.capacity} & set(refused)
    for c in report.capacity:
        for side, size in ((1.0, c.buy), (-1.0, c.sell)):
            if size:
                assert excess(c.instrument, side * size * (1.0 - 1e-6)) >= 0.0
                assert excess(c.instrument, side * size * (1.0 + 1e-6)) < 0.0


def test_an_account_below_its_initial_margin_fits_nothing():
    report = explained("dydx-v4", account(("BTC-P.V", 1.0), collateral={"USDC": 1_500.0}))
    assert report.account.status == "restricted"
    assert [(c.buy, c.sell) for c in report.capacity] == [(0.0, 0.0)]


@given(numbers(-3.0, 3.0), numbers(-40.0, 40.0), numbers(-0.3, 0.3))
@settings(max_examples=10)
def test_the_change_adds_up_across_rules(coins: float, ether: float, move: float):
    then, now = account(("BTC-P.V", 1.0), collateral=CASH), account(("BTC-P.V", coins), ("ETH-P.V", ether))
    one = rulebook("derive-pmrm2")
    old, new = (dated(one, date, where="test") for date in ("2025-03-20", "2026-01-21"))
    moved = bump(world(), {"spot:BTC": move})
    change = explain(now, moved, new, account="a", previous=Previous(book=then, snapshot=world(), model=old)).change
    assert change is not None

    def initial(book: Book, snapshot: Snapshot, model: RulebookModel) -> float:
        return model.evaluate(account_alone(book, "a"), snapshot).initial_usd

    assert change.before_initial_usd == initial(then, world(), old)
    assert change.after_initial_usd == initial(now, moved, new)
    assert change.parameters_usd == initial(now, moved, new) - initial(now, moved, old)
    parts = change.positions_usd + change.market_usd + change.parameters_usd
    assert parts == pytest.approx(change.after_initial_usd - change.before_initial_usd, rel=1e-12, abs=1e-9)


def test_a_change_may_go_from_our_own_model_to_a_rulebook():
    book, own = account(("BTC-P.V", 1.0), collateral=CASH), read_model()
    then = Previous(book=book, snapshot=world(), model=own)
    change = explain(book, world(), newest("dydx-v4"), account="a", previous=then).change
    assert change is not None
    assert (change.positions_usd, change.market_usd) == (0.0, 0.0)
    assert change.before_initial_usd == pytest.approx(float(margin(book, world(), own).pools.initial.sum()))


def test_a_what_if_pays_its_premium():
    """Derive counts options at their discounted value: buying them at the mark costs equity next to nothing."""
    book, model = account(("BTC-P.V", 1.0), collateral={"USDC": 2e5}), newest("derive-pmrm2")
    report = simulate(book, world(), model, account="a", add={"BTC-C.V": 2.0})
    bought = account(("BTC-P.V", 1.0), ("BTC-C.V", 2.0), collateral={"USDC": 2e5})
    free = model.evaluate(bought, world())
    assert report.after.initial_usd == pytest.approx(free.initial_usd, rel=1e-12)
    worth = free.equity_usd - report.before.equity_usd
    assert worth > 1_000.0
    assert report.after.equity_usd == pytest.approx(report.before.equity_usd, abs=0.02 * worth)
    assert report.added == ("+2 BTC-C.V",)


def test_a_what_if_may_add_collateral_and_go_into_debt():
    book, model = account(("BTC-P.V", 1.0), collateral={"USDC": 5_000.0}), newest("dydx-v4")
    report = simulate(book, world(), model, account="a", collateral={("USDC", ""): -6_000.0})
    assert report.after.equity_usd == pytest.approx(-1_000.0)
    assert report.after.status == "liquidation"
    assert report.after.initial_usd == report.before.initial_usd


def test_a_what_if_of_what_the_venue_does_not_list_is_refused():
    with pytest.raises(InvalidInput, match=r"PEPE-P\.V.*one that dydx-v4 lists"):
        simulate(account(), world(), newest("dydx-v4"), account="a", add={"PEPE-P.V": 1.0, "BTC-P.V": 1.0})


def test_what_is_refused_is_in_no_curve_and_no_shock():
    held, more = (("BTC-P.V", 1.0),), (("BTC-P.V", 1.0), ("BTC-C.V", -5.0), ("PEPE-P.V", 1e6))
    shocks = StressDocument(scenarios=(NamedShock(label="fall", shocks={"spot:*": -0.2}),))
    whole, part = (account(*p, collateral={"USDC": 1e5, **c}) for p, c in ((held, {}), (more, {"PEPE": 1e6})))
    model = newest("dydx-v4")
    reports = [explain(book, world(), model, account="a") for book in (whole, part)]
    assert [d.underlying for d in reports[1].distances] == ["BTC"]
    assert reports[0].distances == reports[1].distances
    assert reports[0].spot_curves == reports[1].spot_curves
    assert [c.instrument for c in reports[1].capacity] == ["BTC-P.V"]
    fallen = [stress(book, world(), model, scenarios=shocks).accounts[0] for book in (whole, part)]
    assert fallen[0].lines == fallen[1].lines
    assert [a.underlying for a in fallen[1].risk_arrays] == ["BTC"]
    assert fallen[0].lines[0].pnl_usd == pytest.approx(-20_000.0)


def test_stress_asks_the_rulebook_in_the_market_after_each_shock():
    book, model = account(*HELD, collateral=CASH), newest("derive-pmrm2")
    shocks = StressDocument(
        scenarios=(
            NamedShock(label="crash", shocks={"spot:BTC": -0.3, "vol:BTC": 0.5}),
            NamedShock(label="bent", shocks={"spot:*": -0.1, "skew:BTC": 0.2}),
        )
    )
    (found,) = stress(book, world(), model, scenarios=shocks).accounts
    crash, bent = found.margins
    entered = dealt_at_marks(book, world())
    moved = model.evaluate(entered, bump(world(), {"spot:BTC": -0.3, "vol:BTC": 0.5}))
    assert (crash.equity_usd, crash.initial_usd) == (moved.equity_usd, moved.initial_usd)
    assert crash.unmoved == ()
    assert bent.unmoved == ("skew:BTC",)
    fallen = model.evaluate(
        entered, bump(world(), dict.fromkeys(("spot:BTC", "spot:ETH", "spot:SOL", "spot:PEPE"), -0.1))
    )
    assert bent.maintenance_usd == pytest.approx(fallen.maintenance_usd)
    assert found.ruling is not None


@pytest.mark.parametrize("entry", [(), (100_000.0,), (90_000.0,)])
def test_a_fall_is_lost_whether_or_not_an_entry_price_is_known(entry: tuple[float, ...]):
    """One bitcoin long, 20 % down: equity is less by what P&L says."""
    book = account(("BTC-P.V", 1.0, *entry), collateral={"USDC": 50_000.0})
    shocks = StressDocument(scenarios=(NamedShock(label="fall", shocks={"spot:BTC": -0.2}),))
    (found,) = stress(book, world(), newest("dydx-v4"), scenarios=shocks).accounts
    assert found.lines[0].pnl_usd == pytest.approx(-20_000.0)
    assert found.margins[0].equity_usd == pytest.approx(found.equity_usd - 20_000.0)


def test_an_empty_account_is_explained():
    report = explained("derive-pmrm2", account(collateral={"USDC": 1.0}))
    assert (report.account.initial_usd, report.account.status, report.capacity) == (0.0, "healthy", ())


def at(day: str) -> Snapshot:
    """The world on another day."""
    moment = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC)
    return replace(world(), time_ns=from_datetime(moment))


@pytest.mark.parametrize(
    ("day", "date"), [("2025-03-20", "2025-03-20"), ("2026-01-20", "2025-03-20"), ("2026-01-21", "2026-01-21")]
)
def test_the_set_in_force_is_that_of_the_day(day: str, date: str):
    model = in_force(RulebookModel(rulebook=rulebook("derive-pmrm2")), at(day))
    assert (model.date, model.name) == (date, f"derive-pmrm2@{date}")
    assert model.parameters == rulebook("derive-pmrm2").load(date)


def test_a_day_before_the_first_set_is_refused():
    with pytest.raises(InvalidInput, match=r"2025-03-19.*on or after 2025-03-20.*derive-pmrm2@2025-03-20"):
        margin(account(), at("2025-03-19"), RulebookModel(rulebook=rulebook("derive-pmrm2")))
    with pytest.raises(InvalidInput, match="sensitivity-im=FILE"):
        margin(account(), world(), RulebookModel(rulebook=rulebook("sensitivity-im")))


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2025-03-20", "2025-03-20"),
        ("2025-03", "2025-03-20"),
        ("2025", "2025-03-20"),
        ("2025-12", "2025-03-20"),  # no set of its own: the one in force
        ("2026-01", "2026-01-21"),
        ("2026", "2026-01-21"),
        ("2030", "2026-01-21"),
    ],
)
def test_a_month_or_year_names_a_set(text: str, date: str):
    assert read_model(f"derive-pmrm2@{text}").date == date


@pytest.mark.parametrize(
    "text", ["2025-03-21", "2025-02", "2024", "2025-13", "2025-3", "20", "", "2026-01-2", "latest"]
)
def test_other_dates_are_refused_with_those_there_are(text: str):
    with pytest.raises(InvalidInput, match="2025-03-20, 2026-01-21"):
        read_model(f"derive-pmrm2@{text}")


def test_two_sets_in_a_period_are_ambiguous():
    one = rulebook("derive-pmrm2")

    class TwoInMarch(type(one)):
        def dates(self) -> tuple[str, ...]:
            return ("2025-03-01", "2025-03-20")

    double = TwoInMarch(**{n: getattr(one, n) for n in one.__dataclass_fields__})
    for text in ("2025-03", "2025"):
        with pytest.raises(InvalidInput, match="2025-03-01, 2025-03-20"):
            dated(double, text, where="test")


def test_a_name_nobody_knows_lists_rulebooks_too():
    with pytest.raises(UnknownName, match="derive-pmrm2"):
        read_model("derive-pmrm3")


def test_results_of_all_accounts_in_columns(demo):
    book, market = demo
    found = margin(book, market, newest("derive-pmrm2"))
    assert found.figures("initial_usd") == pytest.approx([r.initial_usd for r in found.results])
    assert isinstance(found.results[0], RuleResult)
    assert np.isfinite(found.figures("equity_usd")).all()
