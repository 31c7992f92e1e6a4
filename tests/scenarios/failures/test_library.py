"""The shipped library is whole, and what cannot be is refused with its place."""

import re

import msgspec
import pytest

from crossmargin.core.errors import DuplicateName, InvalidInput, UnknownName
from crossmargin.engine.failures.library import default_failures
from crossmargin.scenarios.failures.document import Backing, Chain, ForcedSales, Move, Peg
from crossmargin.scenarios.failures.library import checked_library, failures

replace = msgspec.structs.replace


def test_every_event_of_record_is_there():
    library = default_failures()
    wanted = {"B": 12, "O": 9, "F": 3, "G": 1, "D": 6, "C": 6}
    assert [e.id for e in library.events] == [f"{k}{i:02}" for k, n in wanted.items() for i in range(1, n + 1)]
    assert [c.id for c in library.composites] == [f"X{i}" for i in range(1, 9)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00Z", e.start_utc) for e in library.events)


@pytest.mark.parametrize(
    ("id_", "magnitude", "duration_s"),
    # Reported amounts: Poly Network, KelpDAO, Base, Ethereum without finality, wstETH's rate cap, 10 October 2025.
    [
        ("B01", (6.10e8, 6.11e8), (3600, 86400)),
        ("B12", (2.92e8, 3.87e8), (2760, 172800)),
        ("O06", (1980, 6480), (1980, 6480)),
        ("F02", (1500, 3600), (1500, 3600)),
        ("D05", (0.028, 0.0285), (600, 14400)),
        ("C06", (1.91e10, 1.93e10), (1800, 5160)),
    ],
)
def test_ranges_of_disagreeing_sources_stand(id_, magnitude, duration_s):
    event = next(e for e in default_failures().events if e.id == id_)
    assert (event.magnitude_lo, event.magnitude_hi) == magnitude
    assert event.duration_s == duration_s


def test_a_composite_is_its_parts_with_other_targets():
    one, two, four = failures(default_failures(), ["X1", "X2", "X4"])
    assert [type(e) for e in one.effects] == [Move, ForcedSales, Peg, Peg, Chain]
    assert one.effects[-1] == Chain(chain="largest_l2", health="halted")
    assert one.duration_s == (7200, 7200)
    assert isinstance(two.effects[0], Backing)
    assert four.duration_s == (518_400, 518_400)
    assert one.shock.shocks["spot:BTC"] == -0.12


def broken(**more):
    """The library with its first event changed."""
    library = default_failures()
    return replace(library, events=(replace(library.events[0], **more), *library.events[1:]))


@pytest.mark.parametrize(
    ("library", "error", "said"),
    [
        (broken(id="B02"), DuplicateName, "B02"),
        (broken(start_utc="yesterday"), InvalidInput, "start_utc"),
        (broken(magnitude_lo=7e8), InvalidInput, "magnitude"),
        (broken(duration_s=(9.0, 1.0)), InvalidInput, "duration_s"),
        (broken(sources=()), InvalidInput, "sources"),
        (broken(model=(Backing(loss_hi=1.5),)), InvalidInput, "loss"),
        (broken(model=(Move(shocks={"spot:BTC": -1.0}),)), InvalidInput, "spot:BTC"),
        (broken(model=(Move(shocks={"mood:BTC": -0.1}),)), UnknownName, "mood:BTC"),
        (broken(model=(Chain(chain="Base", health="halted"),)), InvalidInput, "Base"),
    ],
)
def test_what_cannot_be_is_refused(library, error, said):
    with pytest.raises(error, match=said):
        checked_library(library)


def test_an_unknown_event_is_named():
    with pytest.raises(UnknownName, match="X9"):
        failures(default_failures(), ["X9"])
