"""Windows of dates: crises, with their sources, and the periods before and after a model was chosen."""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cache
from importlib import resources

import msgspec

from crossmargin.core.arrays import BoolArray, IntArray
from crossmargin.core.check import unique
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import from_datetime


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Margins set from `start` on and before `end` (midnights UTC), and why these dates."""

    name: str
    start: dt.date
    end: dt.date
    source: str = ""

    def __post_init__(self) -> None:
        """Check that it has dates."""
        if self.end <= self.start:
            raise InvalidInput(
                "end",
                where=f"window {self.name}",
                value=str(self.end),
                limit=f"after its start, {self.start}",
                remedy="The end is the first day that is no longer in it.",
            )

    def dates(self, set_ns: IntArray) -> BoolArray:
        """Which of the dates lie in it [date]."""
        return (set_ns >= _midnight(self.start)) & (set_ns < _midnight(self.end))


class WindowsDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of windows."""

    windows: tuple[Window, ...]
    name: str = ""
    date: dt.date | None = None
    source: str = ""

    def __post_init__(self) -> None:
        """Check that names differ."""
        unique([window.name for window in self.windows], "window", where="windows")


@cache
def default_windows() -> tuple[Window, ...]:
    """The crisis windows that ship with the package."""
    text = resources.files("crossmargin.validation.evidence").joinpath("windows.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), WindowsDocument).windows


def _midnight(day: dt.date) -> int:
    return from_datetime(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC))
