"""A set of scenarios: shocks [factor, scenario] with label, family, weight, horizon and damping of each column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray, frozen, require_finite
from crossmargin.core.canon import digest
from crossmargin.core.errors import InvalidInput
from crossmargin.scenarios.factors import PRICE_KINDS, RELATIVE_KINDS, parse_factor

TAIL = "tail"


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceRule:
    """How a shock of `vol:NAME`, `skew:NAME` or `smile:NAME` spreads over a surface.

    A vol shock x acts on tenor τ as x·(30 d / max(τ, floor))^p with p = `short_power` up to 30 days and `long_power`
    beyond; a rise leaves no vol under `min_vol_up`. A skew shock z multiplies the vol at log-moneyness k by
    1 + clip(z·k/k*, ±|z|), a smile shock by the same of |k|, with k* = max(`min_width`, `width`·σ_atm·√τ).
    """

    short_power: float = 0.0
    long_power: float = 0.0
    floor_days: float = 1.0
    min_vol_up: float = 0.0
    width: float = 1.5
    min_width: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScenarioSet:
    """Columns of shocks. Regular columns come first, far moves (family `tail`) last.

    `shock` [factor, scenario]; `weight` [scenario] ≥ 0; `horizon_days` [scenario]; `damping` [scenario] multiplies
    the P&L of a far move; `rules` says how vol shocks spread over the surface of each underlying.
    """

    labels: tuple[str, ...]
    families: tuple[str, ...]
    factors: tuple[str, ...]
    shock: FloatArray
    weight: FloatArray
    horizon_days: FloatArray
    damping: FloatArray
    rules: Mapping[str, SurfaceRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.shock.shape == (len(self.factors), len(self.labels)), "shocks are factor × scenario"
        assert len(self.families) == len(self.labels) == len(self.weight) == len(self.damping)
        assert TAIL not in self.families or self._ends_in_tails(), "tail columns come last"

    def _ends_in_tails(self) -> bool:
        return set(self.families[self.regular :]) == {TAIL}

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def regular(self) -> int:
        """The number of columns that are no far moves."""
        return len(self.families) - self.families.count(TAIL)

    def moves(self, kind: str, name: str) -> bool:
        """Whether any column may move `kind:name`, as a whole or at a node."""
        whole, node = f"{kind}:{name}", f"{kind}:{name}:"
        return any(factor == whole or factor.startswith(node) for factor in self.factors)

    def row(self, factor: str) -> FloatArray:
        """Shocks of one factor [scenario]; zeros where the set does not move it."""
        if factor not in self.factors:
            return frozen(np.zeros(len(self)))
        row: FloatArray = self.shock[self.factors.index(factor)]
        return row

    def nodes(self, kind: str, name: str) -> tuple[tuple[float, ...], FloatArray]:
        """Tenors (years, ascending) and shocks [node, scenario] of `kind:name:node`."""
        prefix = f"{kind}:{name}:"
        rows = [i for i, factor in enumerate(self.factors) if factor.startswith(prefix)]
        found = sorted((parse_factor(self.factors[i], where="scenario set").node_years, i) for i in rows)
        return tuple(years for years, _ in found), self.shock[[i for _, i in found]]

    def shock_at(self, kind: str, name: str, tenor_years: FloatArray) -> FloatArray:
        """The shock of `kind:name` at each tenor [tenor, scenario]: the parallel move plus the nodes' interpolation."""
        parallel = np.broadcast_to(self.row(f"{kind}:{name}"), (len(tenor_years), len(self)))
        years, shocks = self.nodes(kind, name)
        if not years:
            return np.array(parallel)
        return parallel + _interpolation(np.asarray(years), tenor_years) @ shocks

    def take(self, columns: IntArray) -> ScenarioSet:
        """The set of the chosen columns, in their order."""
        return ScenarioSet(
            labels=tuple(self.labels[i] for i in columns),
            families=tuple(self.families[i] for i in columns),
            factors=self.factors,
            shock=frozen(self.shock[:, columns]),
            weight=frozen(self.weight[columns]),
            horizon_days=frozen(self.horizon_days[columns]),
            damping=frozen(self.damping[columns]),
            rules=self.rules,
        )

    def hash(self) -> str:
        """Canonical digest of the whole set."""
        return digest(self)


def _interpolation(nodes: FloatArray, tenor: FloatArray) -> FloatArray:
    """Weights [tenor, node]: linear between nodes, flat outside."""
    identity = np.eye(len(nodes))
    return np.stack([np.interp(tenor, nodes, row) for row in identity], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One column in the making."""

    label: str
    family: str
    shocks: Mapping[str, float]
    weight: float = 1.0
    horizon_days: float = 0.0
    damping: float = 1.0


def collect(
    scenarios: Iterable[Scenario], *, rules: Mapping[str, SurfaceRule] | None = None, where: str = "scenarios"
) -> ScenarioSet:
    """The set of `scenarios`: regular ones in their order, then far moves.

    A column that names nodes of a curve moves the whole curve: linear between its own nodes, flat outside. Raises
    `InvalidInput` for shocks that are not finite, that take a price, vol or peg to zero or below, for a negative
    weight, horizon or damping, or for a node spelled in two ways; `UnknownName` for a factor kind that does not exist.
    """
    columns = sorted(scenarios, key=lambda s: s.family == TAIL)
    factors = tuple(dict.fromkeys(factor for s in columns for factor in s.shocks))
    position = {factor: i for i, factor in enumerate(factors)}
    curves = _curves(factors, where)
    shock = np.zeros((len(factors), len(columns)))
    for j, s in enumerate(columns):
        for factor, move in _at_all_nodes(s.shocks, curves).items():
            shock[position[factor], j] = move
    _check_shocks(shock, factors, columns, where)
    return ScenarioSet(
        labels=tuple(s.label for s in columns),
        families=tuple(s.family for s in columns),
        factors=factors,
        shock=frozen(shock),
        weight=frozen([_not_negative(s.weight, "weight", s, where) for s in columns]),
        horizon_days=frozen([_not_negative(s.horizon_days, "horizon (days)", s, where) for s in columns]),
        damping=frozen([_not_negative(s.damping, "damping", s, where) for s in columns]),
        rules=dict(rules or {}),
    )


def _curves(factors: Iterable[str], where: str) -> list[dict[str, float]]:
    """The nodes (name to years) of each curve that has any."""
    curves: dict[tuple[str, str], dict[str, float]] = {}
    for factor in factors:
        kind, name, years = parse_factor(factor, where=where)
        nodes = curves.setdefault((kind, name), {}) if years else {}
        twin = next((other for other, tenor in nodes.items() if tenor == years), "")
        if twin:
            raise InvalidInput(
                "node", where=where, value=factor, limit=f"spelled as {twin}", remedy="Use one spelling."
            )
        nodes[factor] = years
    return list(curves.values())


def _at_all_nodes(shocks: Mapping[str, float], curves: Iterable[Mapping[str, float]]) -> Mapping[str, float]:
    """The shocks of a column, its curves read at the nodes of the other columns too.

    Without it a column that moves the 2-year rate would fade to nothing at ten years as soon as another column of
    the set named that node.
    """
    spread = dict(shocks)
    for nodes in curves:
        own = sorted((nodes[factor], shocks[factor]) for factor in nodes if factor in shocks)
        if own and len(own) < len(nodes):
            years, moves = zip(*own, strict=True)
            spread |= {factor: float(np.interp(tenor, years, moves)) for factor, tenor in nodes.items()}
    return spread


def concat(first: ScenarioSet, second: ScenarioSet) -> ScenarioSet:
    """The columns of both sets as one: regular ones of the first, of the second, then far moves in the same order.

    Both must say the same of how a shock spreads over a surface; what a set does not say is the plain rule.
    """
    for name in first.rules.keys() | second.rules.keys():
        one, other = (part.rules.get(name, SurfaceRule()) for part in (first, second))
        assert one == other, f"two rules for the surface of {name}"
    factors = tuple(dict.fromkeys(first.factors + second.factors))
    curves = _curves(factors, "scenario sets")
    shock = np.hstack([_over(part, factors, curves) for part in (first, second)])
    labels, families = first.labels + second.labels, first.families + second.families
    order = np.argsort([family == TAIL for family in families], kind="stable")

    def both(name: str) -> FloatArray:
        return frozen(np.concatenate([getattr(first, name), getattr(second, name)])[order])

    return ScenarioSet(
        labels=tuple(labels[i] for i in order),
        families=tuple(families[i] for i in order),
        factors=factors,
        shock=frozen(shock[:, order]),
        weight=both("weight"),
        horizon_days=both("horizon_days"),
        damping=both("damping"),
        rules={**first.rules, **second.rules},
    )


def _over(part: ScenarioSet, factors: Sequence[str], curves: Iterable[Mapping[str, float]]) -> FloatArray:
    """The shocks of a set over more factors [factor, scenario], its curves read at nodes that it does not name."""
    shock = np.zeros((len(factors), len(part)))
    shock[[factors.index(factor) for factor in part.factors]] = part.shock
    for nodes in curves:
        own = sorted((nodes[factor], part.factors.index(factor)) for factor in nodes if factor in part.factors)
        if own and len(own) < len(nodes):
            years, rows = zip(*own, strict=True)
            weights = _interpolation(np.asarray(years), np.asarray(list(nodes.values())))
            shock[[factors.index(factor) for factor in nodes]] = weights @ part.shock[list(rows)]
    return shock


def still() -> ScenarioSet:
    """One column in which nothing moves and no time passes."""
    return collect([Scenario(label="nothing moves", family="price", shocks={})])


def _not_negative(value: float, what: str, s: Scenario, where: str) -> float:
    if not 0.0 <= value < np.inf:
        raise InvalidInput(what, where=f"{where}: {s.label}", value=value, limit="at least zero", remedy="Correct it.")
    return value


def _check_shocks(shock: FloatArray, factors: Sequence[str], columns: Sequence[Scenario], where: str) -> None:
    require_finite(shock, "shock", where=where, names=tuple(factors))
    for i, factor in enumerate(factors):
        kind = parse_factor(factor, where=where).kind
        lowest = float(shock[i].min(initial=0.0))
        floor = -1.0
        if kind in RELATIVE_KINDS and (lowest < floor or (kind in (*PRICE_KINDS, "vol") and lowest == floor)):
            raise InvalidInput(
                f"shock of {factor}",
                where=f"{where}: {columns[int(shock[i].argmin())].label}",
                value=lowest,
                limit="above −1 (−100 %)",
                remedy="Write relative moves: −0.3 is a fall of 30 %.",
            )
