"""Cases of a conformance pack: what was expected of a rule, what came, and whether the two agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One number of a case; `passed` if |got − expected| is within the larger of the two tolerances."""

    field: str
    expected: float
    got: float
    tolerance_relative: float
    tolerance_absolute: float
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a case says in words: a refusal, or the positions that a rule leaves out."""

    field: str
    expected: str
    got: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case by name; `check` runs it through the public function of its rule. `own` if what is expected is our own
    answer."""

    name: str
    check: Callable[[], tuple[Check | Statement, ...]]
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Cases under the name of their folder; `source` is who answered them."""

    name: str
    cases: Iterable[Case]
    source: str = ""


def compare(field: str, expected: float, got: float, *, relative: float = 0.0, absolute: float = 0.0) -> Check:
    """The check of one number; a NaN never passes."""
    error = abs(got - expected)
    passed = not math.isnan(error) and error <= max(relative * abs(expected), absolute)
    return Check(
        field=field,
        expected=float(expected),
        got=float(got),
        tolerance_relative=relative,
        tolerance_absolute=absolute,
        passed=passed,
    )
