"""What answers of scenario rulebooks share: the scenarios of all coins beside the terms, and the worth of options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from crossmargin.margin.rulebooks.rulebook import RuleResult, RuleScenario
from crossmargin.margin.rulebooks.scanning import RiskUnit, option_values, quantities


class ScannedUnit(Protocol):
    """The margin of one coin that was scanned; `worst` names its worst scenario, "" where none loses."""

    @property
    def coin(self) -> str:
        """Its name."""

    @property
    def worst(self) -> str:
        """The label of its worst scenario."""

    @property
    def scenarios(self) -> tuple[RuleScenario, ...]:
        """P&L of the positions."""


def with_scenarios(answer: RuleResult, units: Mapping[str, tuple[ScannedUnit, float]]) -> RuleResult:
    """The answer with the scenarios of all coins, and the worst one of the coin that loses most (USD, by coin)."""
    most, lost = max(units.values(), key=lambda pair: pair[1], default=(None, 0.0))
    return msgspec.structs.replace(
        answer,
        worst_scenario=f"{most.coin}: {most.worst}" if most is not None and most.worst and lost > 0.0 else "",
        scenarios=tuple(
            RuleScenario(label=f"{coin}: {s.label}", pnl_usd=s.pnl_usd)
            for coin, (unit, _) in units.items()
            for s in unit.scenarios
        ),
    )


def option_value(unit: RiskUnit) -> float:
    """What the options of a coin are worth, USD."""
    return float(quantities(unit)[len(unit.linear) :] @ option_values(unit))
