"""Packs that users write: what passes, what fails and how it is listed, what is refused with file and field."""

import datetime as dt
import json
import shutil
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.own_packs.native import figures, native_rule, native_rulebooks
from crossmargin.adapters.own_packs.reading import read_pack
from crossmargin.adapters.own_packs.writing import write_pack
from crossmargin.adapters.packs import PackResult, read_packs, run_pack
from crossmargin.adapters.schemas import parameters_schema, portfolio_schema
from crossmargin.adapters.writing import write_document
from crossmargin.core.errors import CrossmarginError, DuplicateName, InvalidInput, UnknownName, UnreadableFile
from crossmargin.margin.rulebooks.derive.native import Feeds, Portfolio
from crossmargin.margin.rulebooks.derive.pmrm2 import margin_of
from crossmargin.margin.rulebooks.registry import rulebook
from crossmargin.margin.rulebooks.sensitivities.rule import SensitivityRule
from tests.margin.rulebooks.sensitivity_worlds import made_up

PACK = 'name = "p"\nsource = "by hand"\nrulebook = "dydx-v4"\ndate = "2026-11-01"\n'
HELD = """\
[[portfolio.positions]]
base_quantums = 10_000_000_000
base_exponent = -10
price = 6_000_000_000
price_exponent = -5
tier = { initial_ppm = 20_000, maintenance_fraction_ppm = 600_000 }
"""
CASE = HELD + "[expected.native]\ninitial = 1_200_000_000\n"


def written(folder: Path, *, pack: str = PACK, **cases: str) -> Path:
    (folder / "cases").mkdir(parents=True)
    (folder / "pack.toml").write_text(pack)
    for name, text in cases.items():
        (folder / "cases" / f"{name}.toml").write_text(text)
    return folder


def result_of(folder: Path) -> PackResult:
    return run_pack(read_pack(folder, name="pack"))


@pytest.fixture
def examples(repository: Path, tmp_path: Path) -> Path:
    shutil.copytree(repository / "examples/packs", tmp_path / "packs")
    return tmp_path / "packs"


def test_the_example_packs_agree_with_the_hand(examples: Path):
    results = {r.pack: r for r in (run_pack(pack) for pack in read_packs(examples))}
    assert [f for r in results.values() for f in r.failures] == []
    assert {name: (r.cases, r.numbers, r.own) for name, r in results.items()} == {
        "packs/cboe": (2, 4, 0),
        "packs/dydx": (5, 12, 0),
    }


@pytest.mark.parametrize(
    ("case", "old", "new", "field"),
    [
        ("one-bitcoin.toml", "net_collateral = 10_", "net_collateral = 11_", "native.net_collateral"),
        ("rounds-up.toml", "maintenance = 1", "maintenance = 2", "native.maintenance"),
        ("book/case.toml", "initial = 600.0", "initial = 600.001", "initial"),
        ("book/case.toml", "value = 5000.0", "value = 5000.02", "equity"),
        ("book/case.toml", "terms.BTC = 600.0", "terms.BTC = 599.0", "terms.BTC"),
        ("book/case.toml", "terms_maintenance.BTC = 360.0", "terms_maintenance.BTC = 1", "terms_maintenance.BTC"),
        ("book/case.toml", 'left_out = ["BTC_USDC-24APR26-60000-P.DERIBIT"]', "", "left_out"),
        ("no-price.toml", "price = 0", "price = 6_000_000_000", "refusal"),
        ("no-price.toml", "price is 0", "another reason", "refusal"),
    ],
)
def test_a_number_that_is_off_fails_and_is_named(examples: Path, case: str, old: str, new: str, field: str):
    file = examples / "dydx/cases" / case
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    result = result_of(examples / "dydx")
    assert (result.passed, result.failed) == (4, 1)
    assert [f.field for f in result.failures] == [field]


@given(off=st.floats(-0.05, 0.05), relative=st.floats(0.0, 0.04), absolute=st.floats(0.0, 0.04))
def test_a_number_passes_within_the_larger_tolerance(tmp_path_factory, off: float, relative: float, absolute: float):
    expected = f"[expected.native]\ninitial = {{ value = {1.2e9 * (1.0 + off)!r}, absolute = {absolute * 1.2e9!r}"
    pack = f"{PACK}tolerance = {{ relative = {relative!r} }}\n"
    folder = written(tmp_path_factory.mktemp("pack") / "p", pack=pack, one=f"{HELD}{expected} }}\n")
    error = abs(1.2e9 * (1.0 + off) - 1.2e9)
    within = error <= max(relative * 1.2e9 * (1.0 + off), absolute * 1.2e9)
    assert (result_of(folder).failed == 0) == within


def test_a_refusal_that_nobody_expected_is_a_failure_with_its_message(examples: Path):
    file = examples / "dydx/cases/book/market.toml"
    file.write_text(file.read_text().replace('name = "BTC"', 'name = "ETH"'))
    (failure,) = result_of(examples / "dydx").failures
    assert (failure.case, failure.field, failure.expected) == ("book", "refusal", "numbers")
    assert "BTC" in str(failure.got)


def test_a_case_may_hold_its_book_and_market_and_be_json(examples: Path, tmp_path: Path):
    place = examples / "dydx/cases/book"
    case = tomllib.loads((place / "case.toml").read_text())
    case |= {name: tomllib.loads((place / f"{name}.toml").read_text()) for name in ("book", "market")}
    folder = written(tmp_path / "pack")
    (folder / "cases/inline.json").write_text(json.dumps(case, default=lambda moment: moment.isoformat()))
    assert (result_of(folder).failures, result_of(folder).numbers) == ((), 5)


@pytest.mark.parametrize(
    ("pack", "case", "error", "says"),
    [
        (PACK.replace("dydx-v4", "dydx"), CASE, UnknownName, r"pack\.toml: rulebook.*dydx-v4"),
        (PACK.replace("2026-11-01", "yesterday"), CASE, InvalidInput, r"pack\.toml: date is 'yesterday'"),
        (PACK.replace("2026-11-01", "2020-01-01"), CASE, InvalidInput, "2026-11-01"),
        (PACK + 'parameters = "own.toml"\n', CASE, InvalidInput, r"pack\.toml: parameters"),
        (PACK + "tolerance = { relative = -1.0 }\n", CASE, InvalidInput, r"pack\.toml: tolerance"),
        (PACK + "tolerance = { percent = 1.0 }\n", CASE, UnknownName, r"pack\.toml: tolerance"),
        (PACK.replace("source", "sauce"), CASE, CrossmarginError, r"pack\.toml"),
        (
            PACK,
            CASE.replace("[expected.native]\n", "[expected]\n"),
            UnknownName,
            r"one\.toml: expected: field is 'initial'",
        ),
        (PACK, CASE.replace("initial =", "initia ="), UnknownName, r"one\.toml: expected.*initial"),
        (PACK, CASE.replace("1_200_000_000", '"much"'), InvalidInput, r"one\.toml: expected\.native\.initial"),
        (PACK, CASE.replace("1_200_000_000", "nan"), InvalidInput, r"one\.toml: expected\.native\.initial"),
        (PACK, f"{CASE}[expected.equity]\nvalue = 1\nabsolute = -1\n", InvalidInput, r"one\.toml: equity"),
        (PACK, CASE.replace("base_exponent", "exponent"), UnknownName, r"one\.toml: portfolio: positions\[0\]"),
        (PACK, 'book = "b.toml"\n' + CASE, InvalidInput, r"one\.toml: what is held"),
        (PACK, "[expected]\ninitial = 1\n", InvalidInput, r"one\.toml: what is held"),
        (PACK, HELD, InvalidInput, r"one\.toml: answer"),
        (PACK, f'expect_error = "price"\n{CASE}', InvalidInput, r"one\.toml: answer"),
        (PACK.replace("dydx-v4", "standard-schedule"), CASE, UnknownName, r"one\.toml: portfolio"),
        (PACK, 'book = "b.toml"\nmarket = "m.toml"\n[expected]\ninitial = 1\n', UnreadableFile, r"m\.toml"),
        (PACK, "expected = [", UnreadableFile, r"one\.toml"),
    ],
)
def test_a_malformed_pack_is_refused_with_file_and_field(
    tmp_path: Path, pack: str, case: str, error: type[CrossmarginError], says: str
):
    with pytest.raises(error, match=says):
        result_of(written(tmp_path / "p", pack=pack, one=case))


def test_cases_are_found_once_and_never_missed(tmp_path: Path):
    with pytest.raises(UnreadableFile, match="holds no case"):
        result_of(written(tmp_path / "empty"))
    folder = written(tmp_path / "pack", one=CASE)
    (folder / "cases/two").mkdir()
    with pytest.raises(UnreadableFile, match=r"two: it holds no case\.toml"):
        result_of(folder)
    (folder / "cases/two/case.toml").write_text(CASE)
    (folder / "cases/two/book.toml").write_text("not a case")
    (folder / "cases/.hidden").write_text("an editor's")
    assert result_of(folder).cases == 2
    (folder / "cases/three.yaml").write_text(CASE)
    with pytest.raises(UnreadableFile, match=r"three\.yaml"):
        result_of(folder)
    (folder / "cases/three.yaml").unlink()
    (folder / "cases/one").mkdir()
    (folder / "cases/one/case.toml").write_text(CASE)
    with pytest.raises(DuplicateName, match="one"):
        result_of(folder)


def test_a_pack_may_bring_its_parameters(examples: Path):
    folder, one = examples / "dydx", rulebook("dydx-v4")
    write_document(folder / "own.toml", one.load("2026-11-01"))
    file = folder / "own.toml"
    file.write_text(file.read_text().replace("initial_ppm = 20000", "initial_ppm = 40000"))
    file = folder / "pack.toml"
    file.write_text(file.read_text().replace('date = "2026-11-01"', 'parameters = "own.toml"'))
    failed = {f.field: (f.expected, f.got) for f in result_of(folder).failures}
    assert failed["initial"] == (600.0, 1200.0)
    assert failed["maintenance"] == (360.0, 720.0)


@pytest.mark.parametrize("name", ["derive-pmrm2", "deribit-standard", "dydx-v4"])
def test_a_new_pack_passes_and_says_whose_numbers_it_has(name: str, repository: Path, tmp_path: Path):
    book, market = (repository / f"examples/small-{kind}.toml" for kind in ("book", "market"))
    first = dt.date.fromisoformat(rulebook(name).dates()[0])
    day = first if first > dt.date(2026, 3, 31) else None  # the day of the market
    found = write_pack(tmp_path / "new", rulebook(name), book=book, market=market, date=day)
    result = result_of(tmp_path / "new")
    assert (result.cases, result.failures, result.own, result.source) == (found.cases, (), found.cases, "crossmargin")
    assert result.numbers > 4 * found.cases
    for file in (tmp_path / "new/cases").iterdir():
        assert "Not an answer of the venue" in file.read_text().splitlines()[0]
    with pytest.raises(InvalidInput, match="there already"):
        write_pack(tmp_path / "new", rulebook(name), book=book, market=market, date=day)


def test_a_new_pack_of_a_rule_without_parameters_takes_the_users(repository: Path, tmp_path: Path):
    book, market = (repository / f"examples/call-{kind}.toml" for kind in ("book", "market"))
    write_document(tmp_path / "mine.toml", SensitivityRule(calibrations=(made_up(),)))
    one = rulebook("sensitivity-im")
    with pytest.raises(InvalidInput, match="none"):
        write_pack(tmp_path / "new", one, book=book, market=market)
    assert not (tmp_path / "new").exists()
    write_pack(tmp_path / "new", one, book=book, market=market, parameters=tmp_path / "mine.toml")
    assert 'parameters = "../mine.toml"' in (tmp_path / "new/pack.toml").read_text()
    assert result_of(tmp_path / "new").failures == ()


@pytest.mark.parametrize("name", native_rulebooks())
def test_every_native_portfolio_is_of_a_rulebook_and_has_a_schema(name: str):
    assert portfolio_schema(name)["title"].endswith(name)
    assert parameters_schema(name)["title"].endswith(name)


def test_an_answer_in_arrays_is_that_of_its_one_account():
    one = rulebook("derive-pmrm2")
    parameters = one.load("2026-01-21")
    portfolio = Portfolio(underlying="BTC", feeds=Feeds(spot=60_000.0, perp_price=60_000.0), cash=9_000.0, perp=1.0)
    answer = margin_of(portfolio, parameters)
    found = dict(figures(native_rule(one.id, where="test").answer(portfolio, parameters)))
    assert found["initial"] == answer.initial[0]
    assert found["perp.maintenance"] == answer.perp.maintenance[0]
    assert [found[f"pnl.{i}"] for i in range(len(parameters.scenarios))] == answer.pnl[0].tolist()


LEVELS = {"levels": [{"size_cap": 1e6, "initial_rate": 0.02}]}
LEG = {"underlying": "BTC", "entry": 100.0, "schedule": LEVELS}
SHORT = {
    "coin": "X",
    "size": -4.0,
    "mark": 50.0,
    "tiers": [{"lower_bound": 0.0, "leverage_max": 10.0}],
    "leverage": 5.0,
}
LOAN = {"value": 1000.0, "initial_rate": 0.1, "maintenance_rate": 0.02}


@pytest.mark.parametrize(
    ("name", "held", "expected"),
    [
        ("vertex", {"quote": 7.5}, {"initial.health": 7.5, "maintenance.health": 7.5}),
        ("mango-v4", {}, {"init.health": 0.0, "liquidation_end.health": 0.0}),
        ("okx-cross", {"loans": [LOAN]}, {"initial": 100.0, "maintenance": 20.0}),
        ("bybit-pm", {"loans": [LOAN]}, {"initial": 100.0, "maintenance": 20.0}),
        ("okx-pm", {}, {"initial": 0.0, "maintenance": 0.0}),
        ("paradex-cross", {}, {"initial": 0.0, "maintenance": 0.0}),
        # What the venue sets aside for spot counts in initial margin alone.
        (
            "deribit-pm-cross",
            {"reserved": {"cross": {"spot": 5.0}}},
            {"initial": 5.0, "accounts.cross.maintenance": 0.0},
        ),
        # The longs of 500 USD ask more than the shorts of 200.
        (
            "kraken-futures",
            {"legs": [LEG | {"instrument": "A", "coins": 5.0}, LEG | {"instrument": "B", "coins": -2.0}]},
            {"initial": 10.0, "maintenance": 5.0, "by_underlying.BTC": 10.0},
        ),
        # 200 USD over 5; half of 200 over the most that the tier allows.
        ("hyperliquid", {"positions": [SHORT]}, {"initial": 40.0, "maintenance": 10.0}),
    ],
)
def test_rules_answer_on_their_own_terms(name: str, held: dict, expected: dict[str, float]):
    native, one = native_rule(name, where="test"), rulebook(name)
    portfolio = msgspec.convert(held, native.portfolio)
    found = dict(figures(native.answer(portfolio, one.load(one.dates()[-1]))))
    assert {field: found[field] for field in expected} == pytest.approx(expected)


def test_figures_are_named_by_their_way():
    assert dict(figures({"a": [1, {"b": 2.0}], "c": None, "d": True, "e": "x"})) == {"a.0": 1, "a.1.b": 2.0}
