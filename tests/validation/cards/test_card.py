"""A card says what its model says: every part, every parameter, and the figures of its own backtest."""

from __future__ import annotations

import msgspec
import pytest

from crossmargin.adapters.files import read_model_document
from crossmargin.core.canon import digest
from crossmargin.engine.outlook.predictor import PredictiveSpec
from crossmargin.engine.recipe import Recipe, calibrated_model, recipe, recipes
from crossmargin.margin.document import Factor
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.calibrating.calibration import CorrelationStress
from crossmargin.scenarios.liquidity import LiquidityRule
from crossmargin.validation.cards.card import Described, model_card
from crossmargin.validation.cards.documents import ModelCard
from crossmargin.validation.cards.markdown import markdown
from crossmargin.validation.evidence.documents import BacktestReport
from crossmargin.validation.evidence.trial import Models
from tests.scenarios.calibrating.test_calibrate import history
from tests.validation.evidence.test_trial import made, question, run_trial, short

MODELS: tuple[Described, ...] = (*recipes().values(), read_model_document(), PredictiveSpec())


@pytest.fixture(scope="module")
def report() -> BacktestReport:
    return run_trial(made(), Models(recipes=(short(),), grid=read_model_document()), question())[0]


def parts(card: ModelCard) -> set[str]:
    return {statement.part for statement in card.statements}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: getattr(model, "name", "conformal"))
def test_every_shipped_model_has_a_whole_card(model: Described) -> None:
    card = model_card(model)
    assert card.hash == digest(model)
    assert all((card.date, card.kind, card.purpose, card.owner, card.source, card.inputs, card.parameters))
    assert all(s.assumption and s.limit and s.source for s in card.statements)
    assert card.evidence is None
    assert "without a backtest" in card.remark
    assert msgspec.json.decode(msgspec.json.encode(card), type=ModelCard) == card


def test_a_part_that_is_changed_changes_what_the_card_rests_on() -> None:
    plain = recipe("crossmargin-filtered")
    beside = {
        "GARCH volatility": {"filter": "gjr"},
        "Pareto tails": {"marginals": "spliced"},
        "regime floor": {"regime": True},
        "proxies": {"default_proxy": "spot:BTC"},
        "implied volatility": {"implied_weight": 0.5},
        "stressed stretch": {"stressed_share": 0.25},
        "stressed correlation": {"correlation_stress": CorrelationStress()},
        "liquidity in stress": {"liquidity": LiquidityRule()},
        "square root of time": {"horizon_bars": 5, "horizon_rule": "square_root"},
        "horizon of several bars": {"horizon_bars": 5},
        "plain history": {"method": "historical", "filter": "none"},
        "Monte Carlo": {"method": "monte_carlo", "draws": 1024},
    }
    own = parts(model_card(plain))
    for part, changes in beside.items():
        spec = msgspec.structs.replace(plain.calibration, **changes)
        changed = model_card(msgspec.structs.replace(plain, calibration=spec))
        assert part not in own
        assert part in parts(changed), part
        assert changed.hash != model_card(plain).hash
    dynamic = parts(model_card(recipe("crossmargin-dynamic")))
    assert dynamic - own == {"tools against procyclicality", "kinds without a filter"}
    assert "fixed grid" in parts(model_card(read_model_document()))


def test_every_number_of_a_specification_is_on_the_card() -> None:
    shown = {p.path for p in model_card(recipe("crossmargin-dynamic")).parameters}
    spec = recipe("crossmargin-dynamic").calibration
    for name in CalibrationSpec.__struct_fields__:
        value = msgspec.to_builtins(getattr(spec, name))
        held = value not in (None, "", {}, [])
        assert held == any(path.startswith(f"calibration.{name}") for path in shown), name
    assert {"scan.initial", "measure.level"} <= shown


def test_a_calibrated_model_says_what_it_was_fitted_to() -> None:
    own = msgspec.structs.replace(
        recipe("crossmargin-filtered"), calibration=CalibrationSpec(lookback=100, default_proxy="spot:BTC")
    )
    model = calibrated_model(own, read_model_document(), history(bars=400, listed=330))
    card = model_card(model)
    assert card.kind == "filtered history, calibrated"
    assert any("3 factors over 100 bars of 1 d" in line for line in card.inputs)
    assert "filled from proxies: spot:SOL" in card.inputs
    assert "proxies" in parts(card)
    assert not any(p.path.startswith("calibration") for p in card.parameters)


def test_figures_are_those_of_the_models_own_backtest(report: BacktestReport) -> None:
    card = model_card(short(), report)
    own = report.models[0]
    assert card.evidence is not None
    assert card.evidence.coverage == own.whole.coverage
    assert card.evidence.unseen_coverage == own.periods[-1].coverage
    assert card.evidence.crisis_coverage == min(w.coverage for w in own.windows)
    assert card.evidence.history_hash == report.history_hash
    line = next(line for line in report.scores[0].lines if line.model == own.model)
    assert (card.evidence.fz0, card.evidence.kept) == (line.fz0, line.kept)
    assert f"{own.whole.coverage:.2%} at a nominal 99.00%" in markdown(card)


def test_a_recipe_and_what_it_makes_of_a_history_have_the_same_evidence(report: BacktestReport) -> None:
    fitted = calibrated_model(short(), read_model_document(), history(bars=400))
    assert model_card(fitted, report).evidence == model_card(short(), report).evidence


@pytest.mark.parametrize("asked", [short(lookback=259), msgspec.structs.replace(short(), scan=Factor(initial=1.5))])
def test_figures_of_other_parameters_are_not_those_of_a_model_of_the_same_name(
    asked: Recipe, report: BacktestReport
) -> None:
    assert report.models[0].model == asked.name
    for model in (asked, calibrated_model(asked, read_model_document(), history(bars=400))):
        card = model_card(model, report)
        assert card.evidence is None
        assert "of other parameters" in card.remark
    grid = read_model_document()
    changed = msgspec.structs.replace(grid, scan=Factor(initial=9.0))
    assert model_card(changed, report).evidence is None


def test_the_grid_is_found_under_the_name_that_backtests_give_it(report: BacktestReport) -> None:
    found = model_card(read_model_document(), report).evidence
    assert found is not None
    assert found.model == "grid"
    assert found.fz0 is None


def test_a_model_that_was_not_backtested_has_no_figures(report: BacktestReport) -> None:
    card = model_card(recipe("crossmargin-gjr"), report)
    assert card.evidence is None
    assert "and not crossmargin-gjr" in card.remark
    left = msgspec.structs.replace(report, left_out={"conformal": "too few dates"})
    assert "too few dates" in model_card(PredictiveSpec(), left).remark


def test_figures_stay_as_long_as_the_parameters_do(report: BacktestReport) -> None:
    earlier = model_card(short(), report)
    assert model_card(short(), earlier) == earlier
    changed = model_card(short(lookback=270), earlier)
    assert changed.evidence is None
    assert earlier.hash[:16] in changed.remark


def test_the_text_is_markdown_whose_tables_hold() -> None:
    text = markdown(model_card(read_model_document()), level=2)
    assert text.startswith("## crossmargin-grid\n")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {3, 5}
