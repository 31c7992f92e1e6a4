"""Instants and durations: int64 nanoseconds UTC inside, ISO 8601 or integer milliseconds at the border."""

from __future__ import annotations

import datetime as dt
from typing import Final

import numpy as np

from crossmargin.core.arrays import IntArray
from crossmargin.core.errors import InvalidInput

SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * SECOND_NS
YEAR_DAYS: Final = 365.0  # options on crypto; other day counts belong to the contract
YEAR_NS: Final = 365 * DAY_NS
NEVER_NS: Final = 2**63 - 1  # the expiry of what does not expire
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# Whole years that 64 bits of nanoseconds hold, and that end before `NEVER_NS`.
_FIRST_MS: Final = -9_214_560_000_000  # 1678-01-01
_LAST_MS: Final = 9_214_646_400_000  # 2262-01-01
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def from_datetime(moment: dt.datetime) -> int:
    """Nanoseconds since 1970 of an aware datetime (exact to the microsecond)."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_NS + delta.microseconds * 1_000


def parse_instant(value: str | int | dt.datetime | dt.date, *, where: str) -> int:
    """Nanoseconds UTC of ISO 8601 text with a zone, of integer milliseconds, or of a TOML date-time.

    Raises `InvalidInput` for text that is no instant, for times without a zone (a margin number whose time is off by
    a zone is wrong by hours of theta) and for years outside 1678 to 2261, which 64 bits of nanoseconds do not hold.
    """
    if isinstance(value, bool):
        raise _bad_instant(value, where)
    if isinstance(value, int):
        return _held(value * 1_000_000, value, where)
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            raise _bad_instant(value, where) from None
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise _bad_instant(str(value), where)
    return _held(from_datetime(value), str(value), where)


def _held(instant_ns: int, value: object, where: str) -> int:
    if not _FIRST_MS <= instant_ns // 1_000_000 < _LAST_MS:
        raise InvalidInput("time", where=where, value=value, limit="from 1678 to 2261", remedy="Correct the year.")
    return instant_ns


def _bad_instant(value: object, where: str) -> InvalidInput:
    return InvalidInput(
        "time",
        where=where,
        value=value,
        limit="ISO 8601 with a zone, or integer milliseconds UTC",
        remedy="Write it like 2026-03-31T15:30:00Z.",
    )


def format_instant(instant_ns: int) -> str:
    """ISO 8601 in UTC, to the second where the rest is zero, else to the microsecond."""
    seconds, rest = divmod(instant_ns, SECOND_NS)
    moment = _EPOCH + dt.timedelta(seconds=seconds, microseconds=rest // 1_000)
    return moment.isoformat(timespec="seconds" if rest == 0 else "microseconds").replace("+00:00", "Z")


def format_instants(instants_ns: IntArray) -> tuple[str, ...]:
    """Many instants as `format_instant` writes them."""
    moments = instants_ns.astype("datetime64[ns]")
    seconds, rest = (np.datetime_as_string(moments, unit=unit, casting="unsafe") for unit in ("s", "us"))
    return tuple(np.char.add(np.where(instants_ns % SECOND_NS == 0, seconds, rest), "Z").tolist())


def to_milliseconds(instant_ns: int) -> int:
    """Integer milliseconds, the unit of JSON; rounds towards the past."""
    return instant_ns // 1_000_000


def parse_expiry_code(code: str, *, hour_utc: int, where: str) -> int:
    """Nanoseconds of a Deribit-style date such as `27MAR26`, at `hour_utc` o'clock."""
    day, month, year = code[:-5], code[-5:-2].upper(), code[-2:]
    if month not in _MONTHS or not day.isdigit() or not year.isdigit():
        raise _bad_expiry(code, where)
    try:
        moment = dt.datetime(2000 + int(year), _MONTHS.index(month) + 1, int(day), hour_utc, tzinfo=dt.UTC)
    except ValueError:
        raise _bad_expiry(code, where) from None
    return from_datetime(moment)


def _bad_expiry(code: str, where: str) -> InvalidInput:
    return InvalidInput(
        "expiry", where=where, value=code, limit="a date like 27MAR26", remedy="Write day, month and two-digit year."
    )


def format_expiry_code(instant_ns: int) -> str:
    """`27MAR26` for an instant on that day, without a leading zero in the day."""
    moment = _EPOCH + dt.timedelta(seconds=instant_ns // SECOND_NS)
    return f"{moment.day}{_MONTHS[moment.month - 1]}{moment.year % 100:02d}"


def years_between(start_ns: int, end_ns: int) -> float:
    """Years of 365 days from `start_ns` to `end_ns`; negative when it has passed."""
    return (end_ns - start_ns) / YEAR_NS
