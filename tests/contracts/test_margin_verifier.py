"""`MarginVerifier.vy` against Python's integers: the same loss to the last digit, and the same statements refused."""

import dataclasses
import functools
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crossmargin.adapters.contracts.abi import deployment
from crossmargin.adapters.contracts.compiling import compiled_contract
from crossmargin.core.errors import InvalidInput, Reverted
from crossmargin.proofs import calldata
from crossmargin.proofs.calldata import loss_arguments, margin_arguments
from crossmargin.proofs.checking import verify
from crossmargin.proofs.collateral_lines import lines_digest
from crossmargin.proofs.commitments import leaf_content, packed_positions, positions_digests, row_entry
from crossmargin.proofs.quantise import quantise_pnl, quantise_positions, worst_loss
from crossmargin.proofs.statement import Statement, commit_epoch, statement_of
from crossmargin.proofs.trees import LEAF, commit_accounts, commit_list
from tests.chains_fixtures import open_backend
from tests.contracts.system import Contract
from tests.proofs import test_statement as made

Position = tuple[int, int, bool]
GAS_MAX = 1_000_000


@functools.cache
def contract() -> Contract:
    """A verifier on a chain of its own; what is asked of it changes nothing there."""
    return deployed(open_backend("pyevm"))


def deployed(backend: Any) -> Contract:
    artifact = compiled_contract("MarginVerifier")
    receipt = backend.deploy(backend.keys[0], deployment(artifact))
    return Contract(chain=backend, artifact=artifact, address=receipt.contract)


def arguments(rows: list[list[int]], positions: list[Position], more_rows: int = 0) -> tuple[Any, ...]:
    """What `worstLoss` takes of positions (row, lots, between) in a risk array of `rows` and some that nobody holds."""
    scenarios = len(rows[0])
    array = [*rows, *[[0] * scenarios] * more_rows]
    packed = [np.array(row, dtype=np.int64).astype(">i8").tobytes() for row in array]
    entries = [row_entry(f"row {at}", at % 19, quanta) for at, quanta in enumerate(packed)]
    tree = commit_list(entries)
    opened = b"".join(
        LEAF + entries[at] + b"".join(tree.prove(at).siblings) + at.to_bytes(32, "big")
        for at in sorted({row for row, _, _ in positions})
    )
    held = packed_positions(*map(list, zip(*positions, strict=True))) if positions else b""
    return tree.root, tree.count, scenarios, held, opened


edges = st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63), 2**62, -(2**62)])
int64 = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-1000, 1000), edges)


@st.composite
def accounts(draw: st.DrawFn) -> tuple[list[list[int]], list[Position], int]:
    """Rows, positions in them, and rows beside them."""
    scenarios, rows = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    row = st.lists(int64, min_size=scenarios, max_size=scenarios)
    position = st.tuples(st.integers(0, rows - 1), int64, st.booleans())
    return (
        draw(st.lists(row, min_size=rows, max_size=rows)),
        draw(st.lists(position, max_size=6)),
        draw(st.sampled_from([0, 0, 1, 2, 12])),
    )


@settings(max_examples=40)
@given(accounts())
@example(([[-(2**63)]], [(0, 2**63 - 1, True)] * 6, 0))
@example(([[2**63 - 1, -(2**63)]], [(0, -(2**63), False)] * 6, 1))
def test_every_loss_is_python_s_own(account):
    rows, positions, more = account
    lots, between = [n for _, n, _ in positions], [b for _, _, b in positions]
    loss, scenario = worst_loss(lots, between, [rows[row] for row, _, _ in positions])
    assert contract().ask("worstLoss", *arguments(rows, positions, more)) == (max(loss, 0), scenario)


def test_losses_at_the_edge_of_128_bits():
    """The largest positions on the largest moves: 2¹²⁶ each. Four are more than any leaf can say."""
    rows, most = [[-(2**63)]], (0, 2**63 - 1, True)
    assert contract().ask("worstLoss", *arguments(rows, [most] * 3)) == (3 * 2**126, 0)
    assert contract().ask("worstLoss", *arguments(rows, [most] * 4)) == (2**128, 0)
    assert contract().ask("worstLoss", *arguments(rows, [most] * 64)) == (2**132, 0)
    gains = [[2**63 - 1]]
    assert contract().ask("worstLoss", *arguments(gains, [most] * 64)) == (0, 0)


def held(statement: Statement) -> bool:
    """Whether the contract finds the leaf, its rows, and the stated loss and totals."""
    try:
        found = contract().ask("marginOf", *margin_arguments(statement))
    except (Reverted, InvalidInput):
        return False
    stated, loss, scenario, collateral, *totals = found
    head = statement.head
    wanted = (statement.worst_loss, statement.collateral, head.worst_loss_total, head.collateral_total)
    assert stated == int(statement.worst_loss)
    return (loss, collateral, *totals) == tuple(map(int, wanted)) and scenario == statement.worst.index


def held_in_python(statement: Statement) -> bool:
    names = {"account and totals", "rows of R", "worst loss"}
    return all(check.outcome == "holds" for check in verify(statement) if check.name in names)


@pytest.mark.parametrize("account", made.ACCOUNTS)
def test_honest_statements_hold_on_chain(account):
    statement = statement_of(made.epoch(), account)
    assert held(statement)
    assert held_in_python(statement)


def reordered_rows(good: Statement) -> Statement:
    return made.replaced(good, rows=good.rows[::-1])


def doubled_row(good: Statement) -> Statement:
    return made.replaced(good, rows=(good.rows[0], *good.rows))


def row_too_many(good: Statement) -> Statement:
    other = statement_of(made.epoch(), "taker").rows
    return made.replaced(good, rows=tuple(sorted({r.index: r for r in (*good.rows, *other)}.values(), key=at_index)))


def at_index(row: Any) -> int:
    return int(row.index)


def shorter_row(good: Statement) -> Statement:
    first = msgspec.structs.replace(good.rows[0], quanta=good.rows[0].quanta[:-16])
    return made.replaced(good, rows=(first, *good.rows[1:]))


def row_elsewhere(good: Statement) -> Statement:
    first = msgspec.structs.replace(good.rows[0], index=good.rows[0].index + 1)
    return made.replaced(good, rows=(first, *good.rows[1:]))


def beyond_the_last(good: Statement) -> Statement:
    """The neighbour beyond the last account is zeros, and nothing else."""
    path = ("0x" + "11" * 64, *good.path[1:])
    return made.replaced(good, path=path)


def longer_path(good: Statement) -> Statement:
    return made.replaced(good, path=(*good.path, "0x" + "00" * 64))


def other_place(good: Statement) -> Statement:
    return made.replaced(good, index=good.index ^ 1)


def fewer_scenarios(good: Statement) -> Statement:
    return made.replaced(good, head=msgspec.structs.replace(good.head, scenarios=good.head.scenarios - 1))


def flipped_between(good: Statement) -> Statement:
    first = msgspec.structs.replace(good.positions[0], between=not good.positions[0].between)
    return made.replaced(good, positions=(first, *good.positions[1:]))


def other_salt(good: Statement) -> Statement:
    return made.replaced(good, salt="0x" + "22" * 32)


TAMPERED = [
    made.lowered_loss,
    made.dropped_position,
    made.smaller_position,
    made.kinder_row,
    made.lower_total,
    made.another_account,
    made.more_collateral,
    made.larger_line,
    made.without_lines,
    reordered_rows,
    doubled_row,
    row_too_many,
    shorter_row,
    row_elsewhere,
    longer_path,
    other_place,
    fewer_scenarios,
    flipped_between,
    other_salt,
]


@pytest.mark.parametrize(
    ("account", "change"), [("taker", beyond_the_last), *(("maker", change) for change in TAMPERED)]
)
def test_tampered_statements_fail_on_chain_as_they_do_off_it(account, change):
    good = statement_of(made.epoch(), account)
    bad = change(good)
    assert bad != good
    assert not held_in_python(bad)
    assert not held(bad)


def test_a_false_leaf_is_opened_and_refuted():
    """An epoch that commits to half of a loss: the leaf is there, and the recomputed loss is another."""
    good = made.epoch()
    halves = [loss // 2 for loss in good.losses]
    forged = dataclasses.replace(good, losses=tuple(halves))
    contents = [leaf_content(d, lines_digest(p)) for d, p in zip(positions_digests(good.book), good.lines, strict=True)]
    tree = commit_accounts(good.accounts, good.salts, contents, [halves, good.collateral])
    head = msgspec.structs.replace(good.head, accounts_root="0x" + tree.root.hex(), worst_loss_total=str(tree.total[0]))
    statement = statement_of(dataclasses.replace(forged, tree=tree, head=head), "maker")
    stated, loss, *_ = contract().ask("marginOf", *margin_arguments(statement))
    assert (stated, loss) == (good.losses[0] // 2, good.losses[0])


@pytest.mark.parametrize("column", [0, 1])
def test_totals_beyond_128_bits_are_refused(column):
    """A neighbour whose sum wraps the total round to less: nobody who builds such a tree is believed."""
    known = made.epoch()
    statement = statement_of(known, "empty")
    beside = bytearray(bytes.fromhex(statement.path[0][2:]))
    place = slice(32 + 16 * column, 48 + 16 * column)
    stated = int(statement.collateral if column else statement.worst_loss) or 1
    beside[place] = (2**128 - stated).to_bytes(16, "big")
    grown = made.replaced(statement, worst_loss="1", path=("0x" + beside.hex(), *statement.path[1:]))
    assert contract().refuses_to_say("marginOf", *margin_arguments(grown)) == "overflow"


def desk(positions: int, scenarios: int, rows: int, accounts: int) -> Statement:
    """One of many accounts with full rows."""
    rng = np.random.default_rng(0)
    names = [f"i{at}" for at in range(rows)]
    pnl = quantise_pnl(
        rng.normal(0.0, 1e3, (rows, scenarios)), instruments=names, scenarios=[f"s{at}" for at in range(scenarios)]
    )
    ptr = np.concatenate([[0], np.full(accounts, positions)])
    book = quantise_positions(ptr, rng.permutation(rows)[:positions], rng.normal(0.0, 10.0, positions), pnl)
    epoch = commit_epoch(
        epoch=1,
        as_of_ms=1,
        inputs=made.INPUTS,
        pnl=pnl,
        book=book,
        accounts=[f"eip155:1:0x{at:040x}" for at in range(accounts)],
        collateral=[10**18] * accounts,
        secret=bytes(32),
    )
    return statement_of(epoch, f"eip155:1:0x{0:040x}")


def test_gas_of_20_positions_in_32_scenarios(backend):
    """A whole transaction, the 21,000 of any and the calldata included, among a thousand rows and accounts."""
    verifier, statement = deployed(backend), desk(20, 32, 1000, 1000)
    receipt = verifier.do(backend.keys[0], "marginOf", *margin_arguments(statement))
    assert receipt.gas_used <= GAS_MAX
    loss = verifier.ask("worstLoss", *loss_arguments(statement))
    assert loss == (int(statement.worst_loss), statement.worst.index)


def test_what_the_contract_does_not_read_is_refused_before():
    large = desk(3, calldata.SCENARIOS_MAX + 1, 4, 2)
    with pytest.raises(InvalidInput, match="scenarios"):
        loss_arguments(large)
    many = made.replaced(large, positions=large.positions * 30)
    with pytest.raises(InvalidInput, match="positions"):
        loss_arguments(many)
    with pytest.raises(InvalidInput, match="hexadecimal"):
        margin_arguments(made.replaced(desk(1, 2, 2, 2), salt="0xzz"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: (a[0], 0, *a[2:]), "malformed"),
        (lambda a: (a[0], 2**32 + 1, *a[2:]), "malformed"),
        (lambda a: (a[0], a[1], 0, *a[3:]), "malformed"),
        (lambda a: (a[0], a[1], 513, *a[3:]), "malformed"),
        (lambda a: (*a[:3], a[3] + b"\x00", a[4]), "malformed"),
        (lambda a: (*a[:3], a[3][:12] + b"\x02" + a[3][13:], a[4]), "malformed"),
        (lambda a: (*a[:4], b"\x00\x11" + a[4][2:]), "malformed"),
        (lambda a: (*a[:4], b""), "absent"),
        (lambda a: (*a[:3], b"", a[4]), "wrong count"),
        (lambda a: (bytes(32), *a[1:]), "wrong root"),
    ],
)
def test_arguments_that_are_no_statement_s(change, reason):
    good = arguments([[5, -7, 3], [1, 2, 3]], [(0, 3, False), (1, -2, True)])
    assert contract().ask("worstLoss", *good)
    assert contract().refuses_to_say("worstLoss", *change(good)) == reason
