"""Instants: there and back, and what is no instant."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import (
    NEVER_NS,
    YEAR_NS,
    format_expiry_code,
    format_instant,
    format_instants,
    from_datetime,
    parse_expiry_code,
    parse_instant,
    to_milliseconds,
    years_between,
)

EPOCH, DAYS = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.timedelta(days=106_000)  # 1679 to 2260
MOMENTS = st.timedeltas(-DAYS, DAYS).map(EPOCH.__add__)
ZONES = st.integers(-720, 840).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))


@given(MOMENTS, ZONES)
def test_text_and_datetimes_there_and_back(moment: dt.datetime, zone: dt.timezone):
    instant = parse_instant(moment.astimezone(zone).isoformat(), where="here")
    assert parse_instant(moment, where="here") == instant == from_datetime(moment)
    assert parse_instant(format_instant(instant), where="here") == instant
    assert -(2**63) < instant < NEVER_NS


@given(st.lists(MOMENTS.map(from_datetime)))
def test_many_instants_are_written_as_each(instants: list[int]):
    assert format_instants(np.asarray(instants, np.int64)) == tuple(map(format_instant, instants))


@given(st.integers(-9_214_560_000_000, 9_214_646_399_999))
def test_milliseconds_there_and_back(ms: int):
    assert to_milliseconds(parse_instant(ms, where="here")) == ms


def test_known_instants():
    assert parse_instant("1970-01-01T00:00:00Z", where="here") == 0
    assert parse_instant("2026-03-31T15:30:00+02:00", where="here") == 1_774_963_800_000_000_000
    assert format_instant(1_774_963_800_000_000_000) == "2026-03-31T13:30:00Z"
    assert format_instant(1_500_000) == "1970-01-01T00:00:00.001500Z"


@pytest.mark.parametrize(
    "value", ["2026-03-31T15:30:00", "2026-03-31", "tomorrow", "", "1774963800", True, dt.date(2026, 3, 31)]
)
def test_what_is_no_instant_says_how_to_write_one(value: object):
    with pytest.raises(InvalidInput, match=r"here: time is .*2026-03-31T15:30:00Z"):
        parse_instant(value, where="here")


@pytest.mark.parametrize("value", ["9999-12-31T00:00:00Z", "1600-01-01T00:00:00Z", 2**53, -(2**53), 10**30])
def test_what_64_bits_of_nanoseconds_do_not_hold_is_refused(value: str | int):
    with pytest.raises(InvalidInput, match="from 1678 to 2261"):
        parse_instant(value, where="here")


@given(st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)), st.integers(0, 23))
def test_expiry_codes_there_and_back(day: dt.date, hour: int):
    code = f"{day.day}{day:%b}{day:%y}".upper()
    instant = parse_expiry_code(code, hour_utc=hour, where="here")
    assert instant == from_datetime(dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC))
    assert format_expiry_code(instant) == code


@pytest.mark.parametrize("code", ["", "MAR26", "31FEB26", "27MÄR26", "27-3-26", "x7MAR26"])
def test_what_is_no_expiry_code_is_refused(code: str):
    with pytest.raises(InvalidInput, match=r"here: expiry is .*27MAR26"):
        parse_expiry_code(code, hour_utc=8, where="here")


def test_a_year_has_365_days():
    assert years_between(0, YEAR_NS) == 1.0
    assert years_between(YEAR_NS, 0) == -1.0
