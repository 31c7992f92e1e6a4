"""The shipped library of failures, and the shipped rules of cascades."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TypeVar

import msgspec

from crossmargin.accounts.cascade import CascadeRules
from crossmargin.engine.failures.crowd import Crowd
from crossmargin.scenarios.failures.document import FailureLibrary
from crossmargin.scenarios.failures.library import checked_library

T = TypeVar("T")


@cache
def default_failures() -> FailureLibrary:
    """Events of bridges, chains, pegs, oracles and markets with their sources, and composites of them."""
    return checked_library(_shipped("library.toml", FailureLibrary), where="library.toml")


@cache
def default_cascade() -> CascadeRules:
    """How forced sales go, with what each figure is anchored at."""
    return _shipped("cascade.toml", CascadeRules)


@cache
def default_crowd() -> Crowd:
    """How a made-up population is drawn."""
    return _shipped("crowd.toml", Crowd)


def _shipped(file: str, kind: type[T]) -> T:
    text = resources.files("crossmargin.engine").joinpath("models/failures", file).read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), kind)
