"""A model's parameters, checked once where it is put to use."""

from __future__ import annotations

from itertools import pairwise

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.document import Factor, MarginModel, PositionRule
from crossmargin.scenarios.document import Grid, Moves


def check_model(model: MarginModel, *, where: str) -> None:
    """Raise `InvalidInput` for a number that is not finite or out of range, and where IM could fall below MM."""
    factors = {
        "scan": model.scan,
        "jump": model.jump,
        "liquidity.spread": model.liquidity.spread,
        "liquidity.concentration": model.liquidity.concentration,
        "basis.factor": model.basis.factor,
        "short_option.factor": model.short_option.factor,
        "oracle.factor": model.oracle.factor,
        "wrong_way.factor": model.wrong_way.factor,
        "chains.bridge": model.chains.bridge,
        "chains.finality": model.chains.finality,
        "chains.availability": model.chains.availability,
        "chains.transfer": model.chains.transfer,
    }
    for name, factor in factors.items():
        _check_factor(factor, f"{where}: {name}")
    check.within(model.offset_cap, "offset cap", 0.0, 1.0, where=where)
    check.within(model.long_option_credit, "long option credit", 0.0, 1.0, where=where)
    check.within(model.measure.level, "level", 0.5, 0.99999, where=f"{where}: measure")
    check.within(model.liquidity.impact, "impact", 0.0, 100.0, where=f"{where}: liquidity")
    check.within(model.liquidity.participation, "participation", 1e-6, 1.0, where=f"{where}: liquidity")
    check.within(model.liquidity.horizon_days, "horizon (days)", 1e-3, 365.0, where=f"{where}: liquidity")
    for name in ("floor", "annual", "venue"):
        check.within(getattr(model.basis, name), name, 0.0, 10.0, where=f"{where}: basis")
    check.within(model.short_option.rate, "rate", 0.0, 1.0, where=f"{where}: short_option")
    check.within(model.oracle.multiplier, "multiplier", 0.0, 100.0, where=f"{where}: oracle")
    for name in ("bridge_loss", "halt_probability"):
        check.within(getattr(model.chains, name), name, 0.0, 1.0, where=f"{where}: chains")
    for name in ("detect_s", "include_s"):
        check.within(getattr(model.chains, name), name, 0.0, 1e6, where=f"{where}: chains")
    _check_grid(model.grid, f"{where}: grid")
    for name, rule in model.rules.items():
        _check_rule(rule, f"{where}: rules.{name}")


def _check_factor(factor: Factor, where: str) -> None:
    check.within(factor.maintenance, "maintenance factor", 0.0, 100.0, where=where)
    check.within(factor.initial, "initial factor", factor.maintenance, 100.0, where=where)


def _check_grid(grid: Grid, where: str) -> None:
    check.within(grid.steps, "steps", 1, 100, where=where)
    check.within(grid.horizon_days, "horizon (days)", 0.0, 365.0, where=where)
    check.within(grid.rate_shift, "rate shift", 0.0, 1.0, where=where)
    for name in ("stable_peg", "wrapped_peg"):
        check.within(getattr(grid, name), name, 0.0, 0.999, where=where)
    check.within(grid.joint.correlation_stress, "correlation stress", 0.0, 1.0, where=f"{where}.joint")
    for name, moves in grid.classes.items():
        _check_moves(moves, f"{where}.classes.{name}")


def _check_moves(moves: Moves, where: str) -> None:
    check.within(moves.price_range, "price range", 0.0, 0.999, where=where)
    check.within(moves.vol_up, "vol up", 0.0, 100.0, where=where)
    check.within(moves.vol_down, "vol down", 0.0, 1.0, where=where)
    for name in ("short_power", "long_power"):
        check.within(getattr(moves, name), name, 0.0, 2.0, where=where)
    check.within(moves.floor_days, "floor (days)", 1e-3, 3650.0, where=where)
    check.within(moves.min_vol_up, "least vol after a rise", 0.0, 20.0, where=where)
    for name in ("skew", "smile"):
        check.within(getattr(moves, name), name, 0.0, 0.999, where=where)
    check.within(moves.skew_width, "skew width", 0.1, 100.0, where=where)
    check.within(moves.carry, "carry", 0.0, 10.0, where=where)
    for i, tail in enumerate(moves.tails):
        check.within(tail.move, "move", -0.999, 1e3, where=f"{where}.tails[{i}]")
        check.within(tail.damping, "damping", 0.0, 1.0, where=f"{where}.tails[{i}]")


def _check_rule(rule: PositionRule, where: str) -> None:
    if not rule.tiers:
        raise InvalidInput("tiers", where=where, value=0, limit="at least one", remedy="Give a cap and two rates.")
    for i, tier in enumerate(rule.tiers):
        check.positive(tier.notional_cap, "notional cap", where=f"{where}.tiers[{i}]")
        check.within(tier.maintenance, "maintenance", 0.0, 10.0, where=f"{where}.tiers[{i}]")
        check.within(tier.initial, "initial", tier.maintenance, 10.0, where=f"{where}.tiers[{i}]")
    for i, (tier, after) in enumerate(pairwise(rule.tiers)):
        check.within(after.notional_cap, "notional cap", tier.notional_cap, 1e300, where=f"{where}.tiers[{i + 1}]")
    for name in ("initial_far", "initial_near", "maintenance"):
        check.within(getattr(rule.option, name), name, 0.0, 10.0, where=f"{where}.option")
