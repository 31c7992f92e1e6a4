"""Named shocks for stress tests, and a plain spot × vol grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.market.snapshot import Snapshot, factors_of
from crossmargin.scenarios.document import NamedShock, StressDocument
from crossmargin.scenarios.factors import parse_factor
from crossmargin.scenarios.scenario_set import Scenario, ScenarioSet, SurfaceRule, collect

DEEPEST: Final = -0.95  # of a fall by everything or more; a scenario keeps prices above −100 %


def build_stress(
    document: StressDocument,
    snapshot: Snapshot,
    *,
    rules: dict[str, SurfaceRule] | None = None,
    where: str = "scenarios",
) -> ScenarioSet:
    """The set of named shocks, wildcards spread over the factors of `snapshot`.

    Raises `MissingFactors`, naming all of them, for factors that the market does not hold, and `InvalidInput` (or a
    kind of it) for names that are no factors.
    """
    held = set(factors_of(snapshot))
    for pattern in (factor for shock in document.scenarios for factor in shock.shocks if factor.endswith(":*")):
        _check_pattern(pattern, where)
    missing = [
        factor
        for shock in document.scenarios
        for factor in shock.shocks
        if not factor.endswith(":*") and not _is_held(factor, held, where)
    ]
    if missing:
        raise MissingFactors(missing, where=where)
    return collect((_scenario(s, held) for s in document.scenarios), rules=rules, where=where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What a market left of one shock: factors `left_out` because it lacks them, and the falls that were `shortened` to
    `DEEPEST`, as they had been."""

    label: str
    left_out: tuple[str, ...]
    shortened: dict[str, float]


def restrict(document: StressDocument, snapshot: Snapshot) -> tuple[StressDocument, tuple[Cut, ...]]:
    """A library cut to a market, and what was cut: factors that it does not hold, and shocks without any other.

    A price that fell by 100 % or more falls by `DEEPEST`: of itself, or of its scale where it may be negative. For
    shipped libraries, which cannot know the market. What a user writes is never cut: `build_stress` refuses it.
    """
    held = set(factors_of(snapshot))
    prices = {u.factor for u in snapshot.underlyings.values()}
    kept, cuts = [], []
    for shock in document.scenarios:
        moves = {f: x for f, x in shock.shocks.items() if _reaches(f, held, document.name)}
        deep = {f: x for f, x in moves.items() if x <= -1.0 and f in prices}
        if moves:
            kept.append(replace(shock, shocks=moves | dict.fromkeys(deep, DEEPEST)))
        lost = tuple(f for f in shock.shocks if f not in moves)
        if lost or deep:
            cuts.append(Cut(label=shock.label, left_out=lost, shortened=deep))
    return replace(document, scenarios=tuple(kept)), tuple(cuts)


def pick(document: StressDocument, wanted: Iterable[str]) -> StressDocument:
    """The shocks whose date begins with, or whose label contains, one of `wanted`, in the order of the document.

    Raises `UnknownName` for a word that no shock answers to.
    """
    chosen: set[str] = set()
    for word in wanted:
        found = {s.label for s in document.scenarios if _answers(s, word)}
        if not found:
            known = [s.date or s.label for s in document.scenarios]
            raise UnknownName("event", where=document.name or "scenarios", value=word, known=known)
        chosen |= found
    return replace(document, scenarios=tuple(s for s in document.scenarios if s.label in chosen))


def _answers(shock: NamedShock, word: str) -> bool:
    return shock.date.startswith(word) or word.casefold() in shock.label.casefold()


def _check_pattern(pattern: str, where: str) -> None:
    """Refuse patterns that can never match: of a kind that does not exist, or of chains, which no market lists."""
    if parse_factor(pattern, where=where).kind == "chain":
        raise InvalidInput(
            "factor", where=where, value=pattern, limit="one chain by name", remedy="Write chain:eip155:1."
        )


def _reaches(factor: str, held: set[str], where: str) -> bool:
    if factor.endswith(":*"):
        return any(name.startswith(factor[:-1]) for name in held)
    return _is_held(factor, held, where)


def _is_held(factor: str, held: set[str], where: str) -> bool:
    kind, name, _ = parse_factor(factor, where=where)
    return kind == "chain" or f"{kind}:{name}" in held


def _scenario(shock: NamedShock, held: set[str]) -> Scenario:
    spread: dict[str, float] = {}
    for pattern, move in shock.shocks.items():
        if pattern.endswith(":*"):
            spread |= {factor: move for factor in sorted(held) if factor.startswith(pattern[:-1])}
    named = {factor: move for factor, move in shock.shocks.items() if not factor.endswith(":*")}
    return Scenario(label=shock.label, family="named", shocks=spread | named, horizon_days=shock.horizon_days)


def spot_vol_grid(
    price_factors: Iterable[str],
    vol_factors: Iterable[str],
    *,
    moves: Sequence[float],
    vol_moves: Sequence[float],
    rules: dict[str, SurfaceRule] | None = None,
) -> ScenarioSet:
    """Every price move by every vol move, the chosen factors together; vol runs fastest.

    The columns reshape to [len(moves), len(vol_moves)].
    """
    prices, vols = tuple(price_factors), tuple(vol_factors)

    def columns() -> Iterator[Scenario]:
        for x in moves:
            for y in vol_moves:
                shocks = dict.fromkeys(prices, x) | dict.fromkeys(vols, y)
                yield Scenario(label=f"{100 * x:+.0f} %, vol {100 * y:+.0f} %", family="grid", shocks=shocks)

    return collect(columns(), rules=rules, where="grid")
