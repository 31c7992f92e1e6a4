"""The days that ship, by their ids."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import msgspec

from crossmargin.core import check
from crossmargin.engine.oracles.document import ReplayDocument
from crossmargin.engine.oracles.replay import checked


@cache
def shipped_replays() -> tuple[str, ...]:
    """The ids of the days that ship, in their order."""
    folder = resources.files("crossmargin.engine").joinpath("models", "oracles")
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


@cache
def shipped_replay(name: str) -> ReplayDocument:
    """One of them; raises `UnknownName` for any other id."""
    check.known(name, shipped_replays(), "event", where="oracles replay", remedy="Name one of these, or a .toml file.")
    text = (
        resources.files("crossmargin.engine").joinpath("models", "oracles", f"{name}.toml").read_text(encoding="utf-8")
    )
    return checked(msgspec.convert(tomllib.loads(text), ReplayDocument))
