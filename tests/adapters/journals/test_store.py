"""Killed at any moment of a deposit or a reorg, a follower goes on with nothing lost and nothing counted twice."""

import copy
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossmargin.adapters.journals import store as journals
from crossmargin.adapters.journals.store import JournalStore, connect
from crossmargin.adapters.networks.backend import ChainBackend, Send
from crossmargin.adapters.networks.following import Follower, Source
from crossmargin.adapters.networks.pyevm import PyEvmBackend
from crossmargin.core.errors import InvalidInput, UnreadableFile
from crossmargin.market.chains.blocks import Header
from crossmargin.market.chains.journal import Journal, announced, begin
from crossmargin.market.chains.steps import Fork
from tests.adapters.networks.accounts import deployed, first, follow, key_of, source_of, word

ROOT = Path(__file__).resolve().parents[3]
GENESIS = Header(hash=b"genesis", parent=b"", number=0, timestamp_s=0)


class Killed(BaseException):
    """The process ends here."""


class Fragile(sqlite3.Connection):
    """Ends the process before or after its n-th statement, and is dead from then on."""

    left, after = -1, False

    def execute(self, statement, *parameters):
        self.left -= 1
        if self.left < 0 and not self.after:
            raise Killed
        found = super().execute(statement, *parameters)
        if self.left < 0:
            self.after = False
            raise Killed
        return found


def fragile(statements: int, after: bool, opened: list[sqlite3.Connection]):
    def open_fragile(path: Path) -> sqlite3.Connection:
        made = sqlite3.connect(path, isolation_level=None, factory=Fragile)
        made.left, made.after = statements, after
        opened.append(made)
        return made

    return open_fragile


def view_of(chain: PyEvmBackend) -> PyEvmBackend:
    """The chain as it stands now, whatever becomes of it."""
    seen = copy.copy(chain)
    seen._blocks = list(chain._blocks)
    return seen


@pytest.fixture(scope="module")
def views() -> tuple[bytes, list[PyEvmBackend]]:
    """A contract, and its chain after deposits, a withdrawal, reorgs of it, and enough blocks to be final."""
    chain = PyEvmBackend()
    contract = deployed(chain)
    maker, taker = chain.keys[:2]
    seen = [view_of(chain)]
    for act in (
        lambda: chain.send(maker, contract, word(1_000)),
        lambda: chain.send(maker, contract, word(-300)),
        lambda: chain.reorg(1, [Send(key=taker, to=contract, calldata=word(7))]),
        lambda: chain.send(taker, contract, word(-2)),
        lambda: chain.reorg(3),
        lambda: chain.mine(5),
        lambda: chain.send(maker, contract, word(50)),
        lambda: chain.mine(9),
    ):
        act()
        seen.append(view_of(chain))
    return contract, seen


def source_at(contract: bytes, view: PyEvmBackend) -> Source:
    return source_of(contract, view)


def run(contract: bytes, seen: list[PyEvmBackend], path: Path) -> list[Journal]:
    """The journal after a poll of each view, without trouble."""
    start = first(source_at(contract, seen[0]))
    with JournalStore(path, start) as kept:
        return [Follower(source_at(contract, view), kept).poll().journal for view in seen]


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_statement_nothing_is_lost_or_counted_twice(views, tmp_path, monkeypatch, after: bool) -> None:
    monkeypatch.setattr(journals, "CHECKPOINT_STEPS", 6)  # So that checkpoints are among what is interrupted.
    contract, seen = views
    expected = run(contract, seen, tmp_path / "reference")
    start = first(source_at(contract, seen[0]))
    kills = 0
    for statement in range(1_000):
        path = tmp_path / f"journal {statement}"
        dead: list[sqlite3.Connection] = []
        opening, killed, kept = fragile(statement, after, dead), False, None
        for view, journal in zip(seen, expected, strict=True):
            while True:  # Started again as often as it was killed, before the chain goes on.
                try:
                    kept = kept or JournalStore(path, start, connect=opening)
                    found = Follower(source_at(contract, view), kept).poll().journal
                except Killed:
                    dead[0].close()  # What the system does with the files of a process that ends.
                    opening, killed, kept = connect, True, None
                    continue
                break
            assert found == journal
        assert kept is not None
        kept.close()
        with JournalStore(path, start) as again:
            assert again.journal == expected[-1]
            assert again.verify() >= len(seen)
        if not killed:
            break
        kills += 1
    assert kills > 50


def test_a_restart_is_the_journal_that_was(views, tmp_path) -> None:
    contract, seen = views
    last = run(contract, seen[:4], tmp_path / "journal")[-1]
    assert announced(last)
    with JournalStore(tmp_path / "journal", begin(last.chain, GENESIS, {})) as again:
        assert again.journal == last
        again.append([Fork(GENESIS)])
    with JournalStore(tmp_path / "journal", last) as again:
        assert again.journal.forked == GENESIS


def test_a_checkpoint_after_enough_steps_carries_all(views, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(journals, "CHECKPOINT_STEPS", 2)
    contract, seen = views
    last = run(contract, seen, tmp_path / "journal")[-1]
    with sqlite3.connect(tmp_path / "journal") as raw:
        kinds = [kind for (kind,) in raw.execute("SELECT kind FROM entries ORDER BY number")]
    raw.close()
    assert kinds.count("checkpoint") > 1
    with JournalStore(tmp_path / "journal", last) as again:
        assert again.journal == last


def test_entries_are_only_appended_and_a_change_is_found(tmp_path) -> None:
    start = begin("eip155:1", GENESIS, {})
    path = tmp_path / "journal"
    with JournalStore(path, start) as kept:
        kept.append([Fork(GENESIS)])
        assert kept.verify() == 2
        for change in ("UPDATE entries SET body = ''", "DELETE FROM entries"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                kept._database.execute(change)
        with JournalStore(path, start) as other:
            other.append([Fork(GENESIS)])
        with pytest.raises(InvalidInput, match="another"):
            kept.append([Fork(GENESIS)])
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("DROP TRIGGER no_change")
    raw.execute("UPDATE entries SET body = replace(body, '0', '1') WHERE number = 2")
    raw.close()
    with pytest.raises(UnreadableFile, match="entry 2"):
        JournalStore(path, start)
    JournalStore(tmp_path / "new", start).close()
    with pytest.raises(InvalidInput, match="One file for each chain"):
        JournalStore(tmp_path / "new", begin("eip155:10", GENESIS, {}))
    locked = sqlite3.connect(tmp_path / "new", isolation_level=None, timeout=0)
    with JournalStore(tmp_path / "new", start, connect=lambda path: sqlite3.connect(path, timeout=0)) as kept:
        locked.execute("BEGIN IMMEDIATE")
        with pytest.raises(InvalidInput, match="locked"):
            kept.append([Fork(GENESIS)])
    locked.close()
    (tmp_path / "text").write_text("no database at all" * 100)
    with pytest.raises(UnreadableFile):
        JournalStore(tmp_path / "text", start)


def test_a_journal_is_of_one_subject_and_is_begun_only_where_it_is_new(tmp_path) -> None:
    start = begin("eip155:1", GENESIS, {})
    path = tmp_path / "journal"

    def never() -> Journal:
        raise AssertionError

    with pytest.raises(AssertionError):
        JournalStore(path, never, subject="a vault")
    with JournalStore(path, lambda: start, subject="a vault") as kept:  # What was not begun is begun later.
        kept.append([Fork(GENESIS)])
        assert kept.verify() == 2
    with JournalStore(path, never, subject="a vault") as again:
        assert again.journal.forked == GENESIS
        assert again.verify() == 2
    for nowhere in (tmp_path, tmp_path / "missing" / "journal"):
        with pytest.raises(InvalidInput, match="unable to open"):
            JournalStore(nowhere, start)
    for other in ("another vault", ""):
        with pytest.raises(InvalidInput, match="begun with"):
            JournalStore(path, start, subject=other)


def test_a_step_that_is_refused_leaves_nothing_on_disk(tmp_path) -> None:
    start = begin("eip155:1", GENESIS, {})
    with JournalStore(tmp_path / "journal", start) as kept:
        from crossmargin.core.errors import UnknownName
        from crossmargin.market.chains.steps import Adopt

        with pytest.raises(UnknownName):
            kept.append([Fork(GENESIS), Adopt(b"nowhere")])
        assert kept.verify() == 1
        assert kept.journal == start


@pytest.fixture
def child(anvil: ChainBackend, tmp_path: Path) -> Iterator[tuple[bytes, Path, list[subprocess.Popen]]]:
    contract = deployed(anvil)
    started: list[subprocess.Popen] = []
    yield contract, tmp_path / "journal", started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def test_killed_by_the_system_a_follower_goes_on(anvil: ChainBackend, child) -> None:
    """kill −9 while deposits, withdrawals and reorgs go on; the chain's own storage is the judge."""
    contract, path, started = child
    command = [sys.executable, "-m", "tests.adapters.journals.following_child", anvil.rpc.url, str(path)]
    maker = anvil.keys[0]
    follow(anvil, path, contract).store.close()
    for lap in range(3):
        process = subprocess.Popen([*command, contract.hex()], cwd=ROOT, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()  # It has polled once.
        for amount in range(1, 12):
            anvil.send(maker, contract, word(100 * amount if amount % 3 else -amount))
            if amount == 5:
                anvil.reorg(2, [Send(key=maker, to=contract, calldata=word(10_000 * (lap + 1)))])
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        anvil.send(maker, contract, word(lap + 1))  # While nobody looks.
    anvil.mine(9)
    follower = follow(anvil, path, contract)
    found = follower.poll().journal
    slot = int.from_bytes(bytes.fromhex(key_of(maker).account[2:]), "big")
    held = anvil.proof(contract, [slot], found.root.number).slots[0].value
    assert held > 0
    assert dict(found.final) == {key_of(maker): held} == dict(found.balances)
    assert follower.store.verify() > 3
    follower.store.close()
