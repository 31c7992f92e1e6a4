"""Parameters of a rulebook from the user's file: read, used in a comparison, and refused with their place."""

from pathlib import Path

import msgspec
import pytest

from crossmargin.adapters.files import read_book, read_market, read_model
from crossmargin.adapters.rule_parameters import read_rule_parameters
from crossmargin.adapters.schemas import parameters_schema
from crossmargin.adapters.writing import write_document
from crossmargin.core.errors import InvalidInput, UnknownName, UnreadableFile
from crossmargin.engine.compare import compare
from crossmargin.margin.rulebooks.registry import rulebook, rulebooks
from crossmargin.margin.rulebooks.sensitivities.exposures import ExposureSettings, FactorMapping
from crossmargin.margin.rulebooks.sensitivities.rule import SensitivityRule
from crossmargin.margin.rulebooks.span.parameters import SpanParameters
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Position
from tests.adapters.span_texts import positional
from tests.margin.rulebooks.sensitivity_worlds import made_up

SENSITIVITY = rulebook("sensitivity-im")
BTC = FactorMapping(underlying="BTC", risk="commodity", product_class="Commodity", qualifier="BTC", bucket="1")
SETTINGS = ExposureSettings(mappings=(BTC,), cash=("USDC",))


def test_a_whole_rule_or_one_calibration_is_read(tmp_path: Path):
    rule = SensitivityRule(calibrations=(made_up(),), exposures=SETTINGS, horizon_days=1)
    write_document(tmp_path / "rule.toml", rule)
    write_document(tmp_path / "calibration.json", rule.calibrations[0])
    assert read_rule_parameters(SENSITIVITY, tmp_path / "rule.toml") == rule
    alone = read_rule_parameters(SENSITIVITY, tmp_path / "calibration.json")
    assert alone == SensitivityRule(calibrations=rule.calibrations)


def test_a_rule_may_name_the_file_of_an_exchange(tmp_path: Path):
    (tmp_path / "day.pa2").write_bytes(positional())
    (tmp_path / "rule.toml").write_text('file = "day.pa2"\n')
    found = read_rule_parameters(rulebook("span"), tmp_path / "rule.toml")
    assert isinstance(found, SpanParameters)
    assert found.commodities


@pytest.mark.parametrize("name", [name for name, one in rulebooks().items() if one.dates()])
def test_a_copy_of_a_shipped_set_reads_as_what_it_is(name: str, repository: Path):
    one = rulebook(name)
    date = one.dates()[-1]
    file = repository / "src/crossmargin/margin/rulebooks" / one.folder / f"{name}@{date}.toml"
    assert read_rule_parameters(one, file) == one.load(date)


@pytest.mark.parametrize("name", rulebooks())
def test_every_rulebook_says_what_its_parameters_are(name: str):
    found = parameters_schema(name)
    fields = set(found["$defs"][rulebook(name).parameters.__name__]["properties"])
    assert fields == {field.encode_name for field in msgspec.structs.fields(rulebook(name).parameters)}


def test_parameters_that_are_wrong_are_refused_with_their_place(tmp_path: Path):
    (tmp_path / "own.toml").write_text("calibrations = 3\n")
    with pytest.raises(InvalidInput, match=r"own\.toml: calibrations"):
        read_rule_parameters(SENSITIVITY, tmp_path / "own.toml")
    with pytest.raises(UnreadableFile, match="absent"):
        read_rule_parameters(SENSITIVITY, tmp_path / "absent.toml")


@pytest.fixture(scope="module")
def desk(repository: Path):
    snapshot = read_market(repository / "examples/call-market.toml")
    return read_book(repository / "examples/call-book.toml", market=snapshot), snapshot, read_model()


def test_parameters_handed_in_replace_the_dated_ones(desk):
    dydx = rulebook("dydx-v4")
    shipped = dydx.load(dydx.dates()[-1])
    (same,) = compare(*desk, account="desk", names=["dydx-v4"], parameters={"dydx-v4": shipped}).rows
    (dated,) = compare(*desk, account="desk", names=["dydx-v4"]).rows
    assert same.initial_usd == dated.initial_usd
    assert same.notes[0] == "parameters of the user's own"


def test_a_rule_without_parameters_margins_with_the_users(desk, tmp_path: Path):
    rule = SensitivityRule(calibrations=(made_up(),), exposures=SETTINGS)
    _, snapshot, model = desk
    group = Group(
        id="g", mode="portfolio", positions=(Position(instrument="BTC_USDC-PERPETUAL.DERIBIT", quantity=1.0),)
    )
    held = build_book(BookDocument(accounts=(Account(id="desk", groups=(group,)),)), now_ns=snapshot.time_ns)
    alone = {"account": "desk", "names": ["sensitivity-im"]}
    (without,) = compare(held, snapshot, model, **alone).rows
    (row,) = compare(held, snapshot, model, **alone, parameters={"sensitivity-im": rule}).rows
    assert "--parameters sensitivity-im=FILE" in without.error
    assert (row.error, row.date, row.refused) == ("", rule.calibrations[0].effective, ())
    assert row.initial_usd is not None
    assert row.initial_usd > 0.0


def test_parameters_of_another_kind_or_of_nobody_are_refused(desk):
    rule = SensitivityRule(calibrations=())
    with pytest.raises(InvalidInput, match=r"dydx-v4.*SensitivityRule"):
        compare(*desk, account="desk", names=["dydx-v4"], parameters={"dydx-v4": rule})
    with pytest.raises(UnknownName, match="sensitivity-im"):
        compare(*desk, account="desk", names=["dydx-v4"], parameters={"sensitivity-im": rule})
