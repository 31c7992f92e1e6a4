"""Debits when seen, credits when final, a capped part of the rest; and what the health of a chain takes away."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.core.finality import Health, Level
from crossmargin.market.chains import allowance as fast
from crossmargin.market.chains import journal as chains
from crossmargin.market.chains.blocks import Block, EventId, Header, Key, Movement
from crossmargin.market.chains.health import EFFECTS, Condition, condition, kind_of, state_of, unexplained
from crossmargin.market.chains.levels import Heads, final_number, level_of
from crossmargin.market.chains.recognition import LOSS_PPM, by_level, recognise, refill_wait_s
from crossmargin.market.registry.document import Finality
from spec.market import chains as spec

CHAIN, ASSET = "eip155:1", "eip155:1/slip44:60"
ROOT = Header(hash=b"root", parent=b"", number=100, timestamp_s=1_000)
PROFILE = Finality(method="tag", final_s=96, halt_s=3600)
MAKER = Key("maker", ASSET)


def worth(asset: str, amount: int) -> Fraction:
    return Fraction(amount, 2)


def safe(header: Header) -> Level:
    return Level.SAFE


def journal_of(final: int, *movements: int, account: str = "maker") -> chains.Journal:
    """Each movement in a block of its own."""
    journal, parent = chains.begin(CHAIN, ROOT, {MAKER: final}), ROOT
    for place, amount in enumerate(movements):
        parent = Header(hash=b"b%d" % place, parent=parent.hash, number=101 + place, timestamp_s=1_012 + 12 * place)
        moved = Movement(transaction=b"t%d" % place, log_index=0, account=account, asset=ASSET, amount=amount)
        journal = chains.learn(journal, Block(header=parent, movements=(moved,)))
    return chains.adopt(journal, parent.hash)


def counted(journal: chains.Journal, health: Health = Health.HEALTHY, allowance: fast.Allowance | None = None):
    start = allowance or fast.full(fast.capacity_of(journal.final.get(MAKER, 0) // 2), 2_000)
    return recognise(journal, Condition(health=health), start, level=safe, worth=worth, time_s=2_000)


@given(st.integers(0, 10**24), st.lists(st.integers(-(10**22), 10**22).filter(bool), max_size=6))
def test_value_is_final_less_debits_and_a_capped_part_of_pending(final: int, movements: list[int]) -> None:
    found = counted(journal_of(final, *movements))
    capacity = final // 2 * fast.SHARE_PPM // fast.MILLION
    received = [m for m in movements if m > 0]
    pending = sum(m * (fast.MILLION - LOSS_PPM[Level.SAFE]) // (2 * fast.MILLION) for m in received)
    debits = sum(m for m in movements if m < 0)
    assert found.capacity == capacity
    if found.rows:
        expected = (final + debits) // 2 + min(pending, capacity)
        assert found.held == found.new == {MAKER: expected}
        row = found.rows[MAKER]
        assert (row.final, row.debits, row.pending) == (final, debits, sum(received))


@given(st.integers(0, 10**24), st.lists(st.integers(-(10**22), 10**22).filter(bool), max_size=6))
def test_no_health_gives_more_than_a_healthy_chain(final: int, movements: list[int]) -> None:
    journal = journal_of(final, *movements)
    healthy = counted(journal)
    for health in Health:
        found = counted(journal, health)
        for key in healthy.held:
            assert found.held[key] <= healthy.held[key]
            assert found.new[key] <= healthy.new[key]
            assert found.new[key] <= 0 or EFFECTS[health].final


def test_a_debit_counts_at_once_and_a_credit_waits() -> None:
    assert counted(journal_of(1_000, -400)).held == {MAKER: 300}
    assert counted(journal_of(1_000, 400)).held == {MAKER: 500 + 10}  # 2 % of 500.
    assert counted(journal_of(1_000, 400), Health.LAGGING).held == {MAKER: 500}
    assert counted(journal_of(1_000, 400), Health.FORKED).new == {MAKER: 0}
    assert counted(journal_of(1_000, 400), Health.FORKED).held == {MAKER: 500}
    debit = Movement(transaction=b"announced", log_index=0, account="maker", asset=ASSET, amount=-100)
    announced = chains.announce(journal_of(1_000), (debit,))
    assert counted(announced).held == {MAKER: 450}


def test_a_book_states_holdings_level_by_level() -> None:
    journal = journal_of(1_000, 400, -50, 7)
    levels = {101: Level.SAFE, 102: Level.SAFE, 103: Level.INCLUDED}
    found = by_level(journal, lambda header: levels[header.number])
    assert found == {MAKER: {Level.FINAL: 950, Level.SAFE: 400, Level.INCLUDED: 7}}
    assert by_level(journal, lambda header: Level.FINAL) == {MAKER: {Level.FINAL: 950, Level.SAFE: 407}}
    state = state_of(journal, Condition(health=Health.GOVERNED, final_age_s=20.0))
    assert (state.chain, state.health, state.final_age_s) == (CHAIN, "governed", 20.0)


@st.composite
def asked(draw: st.DrawFn) -> list[tuple[int, int, list[tuple[str, int]]]]:
    time_s, steps = draw(st.integers(0, 10)), []
    for _ in range(draw(st.integers(1, 8))):
        names = draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=4))
        wanted = [(name, draw(st.integers(0, 400))) for name in names]
        steps.append((time_s, draw(st.integers(0, 1_000)), wanted))
        time_s += draw(st.sampled_from([0, 1, 7, 600, 3_600]))
    return steps


@given(asked())
def test_the_allowance_grants_what_its_specification_grants(steps) -> None:
    found = fast.full(steps[0][1], steps[0][0])
    granted = []
    for time_s, capacity, wanted in steps:
        events = {EventId(b"", name.encode(), 0, ""): amount for name, amount in wanted}
        found = fast.grant(found, events, capacity=capacity, time_s=time_s)
        granted.append({event.transaction.decode(): amount for event, amount in found.granted.items()})
    assert granted == spec.grants(steps, fast.REFILL_S)


def test_what_was_granted_is_not_given_back_but_refilled() -> None:
    first, second = (EventId(b"", name, 0, "") for name in (b"first", b"second"))
    start = fast.full(100, 0)
    spent = fast.grant(start, {first: 100}, capacity=100, time_s=0)
    assert spent.granted == {first: 100}
    # The first became final; at once nothing is left for the second, half an hour later half.
    assert fast.grant(spent, {second: 80}, capacity=100, time_s=0).granted == {second: 0}
    assert refill_wait_s(spent, 50, 100) == 1_800
    assert fast.grant(spent, {second: 80}, capacity=100, time_s=1_800).granted == {second: 50}
    # While the first is pending it fills the capacity, however long that takes.
    assert fast.grant(spent, {first: 100, second: 80}, capacity=100, time_s=9_999).granted == {first: 100, second: 0}
    assert (refill_wait_s(start, 100, 100), refill_wait_s(start, 101, 100)) == (0, None)
    with pytest.raises(InvalidInput, match="advances"):
        fast.grant(spent, {}, capacity=100, time_s=-1)


def test_levels_follow_the_profile() -> None:
    latest = Header(hash=b"x", parent=b"", number=1_000, timestamp_s=20_000)
    heads = Heads(latest=latest, safe_number=996, final_number=992)

    def level(number: int, profile: Finality = PROFILE, now_s: int = 20_000) -> Level:
        header = Header(hash=b"", parent=b"", number=number, timestamp_s=20_000 - 12 * (1_000 - number))
        return level_of(header, profile, heads, now_s=now_s)

    assert [level(n) for n in (1_001, 1_000, 997, 996, 993, 992)] == [
        Level.SEEN,
        Level.INCLUDED,
        Level.INCLUDED,
        Level.SAFE,
        Level.SAFE,
        Level.SETTLED,
    ]
    exits = Finality(method="tag", final_s=96, halt_s=3600, exit_s=604_800)
    assert (level(992, exits), level(992, exits, now_s=624_800)) == (Level.FINAL, Level.SETTLED)
    depth = Finality(method="depth", blocks=500, final_s=1_020, halt_s=3600)
    assert (final_number(depth, heads), level(501, depth), level(500, depth)) == (500, Level.SAFE, Level.SETTLED)
    assert final_number(Finality(method="instant", final_s=10, halt_s=3600), heads) == 1_000


def test_the_health_of_a_chain_is_its_worst_trouble() -> None:
    journal = journal_of(1_000, 5)
    healthy = condition(journal, PROFILE, now_s=1_020)
    assert (healthy.health, healthy.reasons, healthy.final_age_s) == (Health.HEALTHY, (), 20)
    assert condition(journal, PROFILE, now_s=1_192, silence_s=1e9).health == Health.HEALTHY
    assert condition(journal, PROFILE, now_s=1_193, silence_s=1e9).health == Health.LAGGING  # 2 × 96 s.
    halted = condition(journal, PROFILE, now_s=1_012 + 200)
    assert halted.health == Health.HALTED
    assert [reason.split()[0] for reason in halted.reasons] == ["no", "the"]
    other = Header(hash=b"other", parent=b"", number=90, timestamp_s=0)
    assert condition(chains.fork(journal, other), PROFILE, now_s=9_999).health == Health.FORKED
    seized = unexplained(journal, {MAKER: 400, Key("taker", ASSET): 0})
    assert [(change.expected, change.proven, kind_of(change)) for change in seized] == [(1_000, 400, "seized")]
    assert kind_of(unexplained(journal, {MAKER: 1_400})[0]) == "granted"
    governed = condition(journal, PROFILE, now_s=1_020, unexplained=seized)
    assert governed.health == Health.GOVERNED
    assert "maker" in governed.reasons[0]
