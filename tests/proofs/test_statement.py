"""A margin statement holds as it was made, and with anything changed it does not."""

import copy
import functools
import json
import random
from contextlib import nullcontext
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import DuplicateName, InvalidInput, NotProved
from crossmargin.proofs.checking import Trusted, is_good, verify
from crossmargin.proofs.collateral_lines import WEIGHT_ONE, CollateralLine, Source, check_source, counted, owner_keys
from crossmargin.proofs.commitments import positions_digest, positions_digests
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.quantise import quantise_pnl, quantise_positions
from crossmargin.proofs.reasons import Reason
from crossmargin.proofs.state import mapping_slot
from crossmargin.proofs.statement import (
    Domain,
    Epoch,
    Inputs,
    Statement,
    backed,
    commit_epoch,
    head_digest,
    state_proof,
    statement_of,
)
from tests.proofs.chain import CODE, Chain, chain
from tests.strategies import few

ACCOUNTS = ("maker", "hedger", "empty", "winner", "taker")
INPUTS = Inputs(snapshot="01" * 32, scenario_set="02" * 32, model="03" * 32, book="04" * 32)


TOKEN, COIN = "eip155:1/erc20:0x" + "aa" * 20, "eip155:1/slip44:60"
KEYS = (keccak(b"maker"), bytes.fromhex("aa" * 20))
BALANCE = (mapping_slot(2, KEYS, layout="vyper"), 1_000_000_007)


def line(instance: str, amount: int, source: Source | None = None, **terms: int) -> CollateralLine:
    """A line that counts a quantum of money for each smallest unit, unless `terms` say otherwise."""
    decimals, price, weight = (terms.get(k, v) for k, v in (("decimals", 0), ("price", 1), ("weight", WEIGHT_ONE)))
    return CollateralLine(
        instance=instance, amount=str(amount), decimals=decimals, price=str(price), weight=weight, source=source
    )


def lines() -> list[list[CollateralLine]]:
    """The maker holds 1,000 of a token in a vault, less a haircut of a tenth, and a twentieth of a coin at 2,000."""
    proven = Source(proof=0, slot=0, mapping=2, keys=tuple("0x" + key.hex() for key in KEYS), layout="vyper")
    return [
        [
            line(COIN, 5 * 10**16, decimals=18, price=2000 * 10**12),
            line(TOKEN, 10**9, proven, decimals=6, price=10**12, weight=9 * 10**8),
        ],
        [],
        [line(COIN, 5)],
        [line(COIN, 1)],
        [line(COIN, 2**80)],
    ]


@functools.cache
def epoch() -> Epoch:
    """Five accounts over six instruments and eight scenarios; one is empty, one gains in every scenario."""
    rng = np.random.default_rng(5)
    pnl = rng.normal(0.0, 1e3, (6, 8))
    pnl[5] = np.arange(1.0, 9.0)
    ptr = np.array([0, 3, 5, 5, 6, 9])
    instrument = np.array([0, 1, 2, 1, 0, 5, 3, 4, 3])
    quantity = np.array([1.5, -2.0, 1 / 3, 10.0, -0.1, 7.0, 1e-9, -4.25, 2.0])
    rows = quantise_pnl(pnl, instruments=[f"PERP-{i}" for i in range(6)], scenarios=[f"move {s}" for s in range(8)])
    book = quantise_positions(ptr, instrument, quantity, rows)
    return commit_epoch(
        epoch=7,
        as_of_ms=1_774_969_200_000,
        inputs=INPUTS,
        pnl=rows,
        book=book,
        accounts=ACCOUNTS,
        collateral=[10**15, 0, 5, 1, 2**80],
        secret=bytes(range(32)),
        lines=lines(),
    )


def vault() -> Chain:
    """A chain with a contract that holds the maker's balance."""
    return chain(3, 40, 40, (BALANCE,))


@functools.cache
def backing() -> Any:
    """A proof of two slots, one of them empty."""
    known = vault()
    slot, balance = BALANCE
    return state_proof(
        chain="eip155:1",
        header=known.header,
        anchor=known.anchor,
        address=known.address,
        code_hash=CODE,
        account_path=known.account_path(),
        slots=[(slot, balance, known.slot_path(slot)), (2**200, 0, known.slot_path(2**200))],
    )


def trusted() -> Trusted:
    held = {f"eip155:1:0x{vault().address.hex()}": (TOKEN, 2)}
    return Trusted(head=head_digest(epoch().head), anchors={"eip155:1": [vault().anchor]}, vaults=held)


def failing(statement: Statement, known: Trusted | None = None) -> set[str]:
    """The names of the checks that fail."""
    return {check.name.split(" of ")[0] for check in verify(statement, known or trusted()) if check.outcome == "fails"}


@pytest.mark.parametrize("account", ACCOUNTS)
def test_every_check_of_an_honest_statement_holds(account):
    statement = statement_of(epoch(), account, state=[backing()])
    again = msgspec.json.decode(msgspec.json.encode(statement), type=Statement)
    checks = verify(again, trusted())
    told = {check.name.split(" of ")[0]: check.outcome for check in checks if COIN not in check.name}
    assert set(told.values()) == {"holds"}, checks
    assert {check.outcome for check in checks if COIN in check.name} <= {"not checked"}
    assert is_good(checks)
    assert ("backing" in told) == (account == "maker")


def test_what_is_not_given_is_not_checked():
    checks = verify(statement_of(epoch(), "maker", state=[backing()]))
    shown = [check for check in checks if COIN not in check.name]
    assert {check.name.split(" of ")[0]: check.outcome for check in shown} == {
        "inputs": "holds",
        "head": "not checked",
        "account and totals": "holds",
        "rows": "holds",
        "worst loss": "holds",
        "worst scenario": "holds",
        "collateral": "holds",
        "state": "holds",
        "anchor": "not checked",
        "backing": "holds",
        "vault": "not checked",
    }
    coin = [check for check in checks if COIN in check.name]
    assert [check.outcome for check in coin] == ["not checked"]
    assert "claimed" in coin[0].why
    elsewhere = Trusted(anchors={"eip155:10": [bytes(32)]})
    assert failing(statement_of(epoch(), "maker", state=[backing()]), elsewhere) == {"anchor"}


def test_gains_and_nothing():
    assert statement_of(epoch(), "winner").worst_loss == "0"
    assert statement_of(epoch(), "winner").worst.index == 0
    assert statement_of(epoch(), "empty").worst.index == -1
    total = sum(int(statement_of(epoch(), account).worst_loss) for account in ACCOUNTS)
    assert epoch().head.worst_loss_total == str(total)
    assert epoch().head.collateral_total == str(10**15 + 6 + 2**80)


def replaced(statement: Statement, **fields: Any) -> Statement:
    return msgspec.structs.replace(statement, **fields)


def lowered_loss(good: Statement) -> Statement:
    return replaced(good, worst_loss=str(int(good.worst_loss) - 1))


def dropped_position(good: Statement) -> Statement:
    return replaced(good, positions=good.positions[1:], rows=good.rows[1:])


def smaller_position(good: Statement) -> Statement:
    first = msgspec.structs.replace(good.positions[0], lots="1")
    return replaced(good, positions=(first, *good.positions[1:]))


def kinder_row(good: Statement) -> Statement:
    first = msgspec.structs.replace(good.rows[0], quanta="0x" + "00" * 64)
    return replaced(good, rows=(first, *good.rows[1:]))


def another_label(good: Statement) -> Statement:
    return replaced(good, worst=msgspec.structs.replace(good.worst, label="move of another day"))


def lower_total(good: Statement) -> Statement:
    return replaced(good, head=msgspec.structs.replace(good.head, worst_loss_total="1"))


def another_account(good: Statement) -> Statement:
    return replaced(good, account="taker")


def more_collateral(good: Statement) -> Statement:
    return replaced(good, collateral=str(int(good.collateral) + 1))


def larger_line(good: Statement) -> Statement:
    token, coin = good.lines
    richer = msgspec.structs.replace(coin, amount=str(int(coin.amount) + 10**6))
    return replaced(good, lines=(token, richer), collateral=str(counted(richer) + counted(token)))


def dearer_line(good: Statement) -> Statement:
    token, coin = good.lines
    return replaced(good, lines=(token, msgspec.structs.replace(coin, price=coin.price + "0")))


def without_lines(good: Statement) -> Statement:
    return replaced(good, lines=())


def borrowed_slot(good: Statement) -> Statement:
    token, coin = good.lines
    keys = (owner := "0x" + keccak(b"taker").hex(), *token.source.keys[1:])
    assert owner != token.source.keys[0]
    source = msgspec.structs.replace(token.source, keys=keys)
    return replaced(good, lines=(msgspec.structs.replace(token, source=source), coin))


def other_token(good: Statement) -> Statement:
    """The slot of a token of the account's own making, in a vault of many."""
    token, coin = good.lines
    source = msgspec.structs.replace(token.source, keys=(token.source.keys[0], "0x" + "bb" * 20))
    return replaced(good, lines=(msgspec.structs.replace(token, source=source), coin))


def slot_twice(good: Statement) -> Statement:
    """The same slot once more, by a second proof of it."""
    token, coin = good.lines
    again = msgspec.structs.replace(token.source, proof=1)
    lines = (token, msgspec.structs.replace(token, source=again), coin)
    return replaced(good, lines=lines, state=(*good.state, *good.state))


def line_twice(good: Statement) -> Statement:
    return replaced(good, lines=(*good.lines, good.lines[-1]))


def richer_slot(good: Statement) -> Statement:
    proof = good.state[0]
    slot = msgspec.structs.replace(proof.slots[0], value=str(int(proof.slots[0].value) + 1))
    return replaced(good, state=(msgspec.structs.replace(proof, slots=(slot, *proof.slots[1:])),))


def other_block(good: Statement) -> Statement:
    return replaced(good, state=(msgspec.structs.replace(good.state[0], anchor="0x" + "00" * 32),))


def other_model(good: Statement) -> Statement:
    inputs = msgspec.structs.replace(good.head.inputs, model="ff" * 32)
    return replaced(good, head=msgspec.structs.replace(good.head, inputs=inputs))


def unused_node(good: Statement) -> Statement:
    proof = good.state[0]
    return replaced(good, state=(msgspec.structs.replace(proof, nodes=(*proof.nodes, "0x80")),))


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lowered_loss, {"account and totals", "worst loss"}),
        (dropped_position, {"account and totals", "worst loss"}),
        (smaller_position, {"account and totals", "worst loss"}),
        (kinder_row, {"rows", "worst loss"}),
        (another_label, {"worst scenario"}),
        (lower_total, {"account and totals", "head"}),
        (another_account, {"account and totals", "backing"}),
        (more_collateral, {"account and totals", "collateral"}),
        (larger_line, {"account and totals"}),
        (dearer_line, {"account and totals", "collateral"}),
        (without_lines, {"account and totals"}),
        (borrowed_slot, {"backing"}),
        (other_token, {"backing"}),
        (slot_twice, {"account and totals", "collateral"}),
        (line_twice, {"account and totals", "collateral"}),
        (richer_slot, {"state"}),
        (other_block, {"state", "anchor"}),
        (other_model, {"head"}),
        (unused_node, {"state"}),
    ],
)
def test_a_tampered_statement_fails_where_it_was_tampered_with(change, names):
    good = statement_of(epoch(), "maker", state=[backing()])
    assert failing(good) == set()
    assert failing(change(good)) == names


# State proofs stand beside the commitments: one that is left out claims nothing, and one shown twice claims no more.
# A path that ends beside one absent slot proves its neighbours absent too, truly.
UNCLAIMED = {("state", None), ("slots", None), ("slots", 1, "slot")}


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values in a document."""
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in leaves(tree[key], (*path, key))]
    if tree is None:
        return []
    if isinstance(tree, list):
        return [(*path, None), *(leaf for i, item in enumerate(tree) for leaf in leaves(item, (*path, i)))]
    return [path]


def changed(value: Any, rng: random.Random) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice([-1, 1, 2**32, 2**64 - 1])
    if isinstance(value, list):
        made = [*value]
        if made and rng.random() < 0.5:
            made.pop(rng.randrange(len(made)))
        else:
            made.append(made[0] if made else "0x00")
        return made
    at = rng.randrange(len(value) + 1)
    other = value[:at] + rng.choice("0123456789abcdefxX -") + value[at + rng.randrange(2) :]
    return value + "0" if other == value else other


@few
@given(st.integers(0, 10**9))
def test_any_change_is_noticed(seed):
    rng = random.Random(seed)
    good = json.loads(msgspec.json.encode(statement_of(epoch(), rng.choice(ACCOUNTS), state=[backing()])))
    for _ in range(20):
        document = copy.deepcopy(good)
        *way, last = rng.choice([place for place in leaves(document) if not {place[-2:], place[-3:]} & UNCLAIMED])
        place = document
        for step in way[:-1] if last is None else way:
            place = place[step]
        key = way[-1] if last is None else last
        place[key] = changed(place[key], rng)
        assert document != good
        try:
            statement = msgspec.convert(document, Statement)
        except msgspec.ValidationError:
            continue
        assert failing(statement), (way, last, place[key])


def test_a_statement_of_another_epoch_fails():
    good = statement_of(epoch(), "hedger")
    assert failing(good, Trusted(head=bytes(32))) == {"head"}
    assert failing(good, Trusted(head=head_digest(epoch().head), domain=Domain(chain_id=5))) == {"head"}


def test_one_slot_backs_one_line_even_of_an_honest_leaf():
    """Two equal lines are committed, and each points at its own proof of one slot."""
    twice = [[lines()[0][1]] * 2, *lines()[1:]]
    known = epoch()
    made = commit_epoch(
        epoch=7,
        as_of_ms=1,
        inputs=INPUTS,
        pnl=known.pnl,
        book=known.book,
        accounts=ACCOUNTS,
        collateral=[sum(map(counted, part)) for part in twice],
        secret=bytes(32),
        lines=twice,
    )
    statement = statement_of(made, "maker", state=[backing(), backing()])
    source = statement.lines[1].source
    assert source is not None
    second = backed(statement, 1, msgspec.structs.replace(source, proof=1))
    assert failing(second, Trusted()) == {"collateral"}


def test_another_mapping_of_a_known_vault_is_not_its_balances():
    """Of allowances, say: the owner writes there what he likes."""
    held = {f"eip155:1:0x{vault().address.hex()}": (TOKEN, 3)}
    assert failing(statement_of(epoch(), "maker", state=[backing()]), Trusted(vaults=held)) == {"vault"}


def test_an_address_is_the_key_of_one_account_alone():
    """Whoever else ends with that address, on another chain or with another word before it, does not own its slot."""
    address = bytes(range(20))
    named = f"0x{address.hex()}"
    assert address in owner_keys(f"eip155:1:{named}", "eip155:1")
    for other in (f"eip155:10:{named}", named, f"desk:{named}", f"eip155:1:{named.upper()}", f"x:eip155:1:{named}"):
        assert owner_keys(other, "eip155:1") == (keccak(other.encode()),)


def test_a_vault_of_a_system_names_its_owners_by_their_home():
    """An address on chain 10 is the account of chain 1 there, and of nobody else."""
    address, chain = bytes(range(20)), "eip155:10"
    source = Source(proof=0, slot=0, mapping=0, keys=(f"0x{address.hex()}",), layout="vyper")
    stated = line(f"{chain}/erc20:0x{'aa' * 20}", 5, source)
    slot = mapping_slot(0, [address], layout="vyper")
    for home, holds in ((None, "eip155:10"), ("eip155:1", "eip155:1")):
        for named in ("eip155:1", "eip155:10"):
            with nullcontext() if named == holds else pytest.raises(NotProved, match="wrong value"):
                account = f"{named}:0x{address.hex()}"
                check_source(stated, account, chain=chain, slot=slot, proven=5, home=home)


@pytest.mark.parametrize(
    ("keys", "holds"),
    [
        (["own"], True),
        (["own", "token"], True),
        (["token", "own"], True),
        (["own", "other"], False),
        (["other", "own", "token"], False),
        (["own", "own"], False),
        (["token"], False),
        ([], False),
    ],
)
def test_a_slot_is_keyed_by_the_account_and_at_most_the_token(keys, holds):
    named = {"own": keccak(b"maker"), "token": bytes.fromhex("aa" * 20), "other": bytes.fromhex("bb" * 20)}
    chosen = [named[key] for key in keys]
    source = Source(proof=0, slot=0, mapping=2, keys=tuple("0x" + key.hex() for key in chosen), layout="solidity")
    slot = mapping_slot(2, chosen, layout="solidity")
    stated, named = line(TOKEN, 5, source), {"chain": "eip155:1", "slot": slot, "proven": 5}
    with nullcontext() if holds else pytest.raises(NotProved, match="wrong value"):
        check_source(stated, "maker", **named)


def test_more_scenarios_than_can_be_printed_are_refused():
    statement = statement_of(epoch(), "maker")
    many = msgspec.structs.replace(statement, head=msgspec.structs.replace(statement.head, scenarios=9 * 10**4299))
    assert "rows" in failing(many, Trusted())


def test_an_epoch_has_salts_of_its_own():
    salts = {
        commit_epoch(
            epoch=number,
            as_of_ms=1,
            inputs=INPUTS,
            pnl=epoch().pnl,
            book=epoch().book,
            accounts=ACCOUNTS,
            collateral=[0] * 5,
            secret=bytes(range(32)),
        ).salts
        for number in (1, 2)
    }
    assert len(salts) == 2


def test_reasons_are_typed():
    good = statement_of(epoch(), "maker")
    found = {check.name: check.reason for check in verify(lowered_loss(good), trusted())}
    assert found["account and totals"] == Reason.WRONG_ROOT
    assert found["worst loss"] == Reason.WRONG_VALUE


def test_positions_are_hashed_alike_one_by_one():
    book = epoch().book
    for at, digest in enumerate(positions_digests(book)):
        held = slice(book.ptr[at], book.ptr[at + 1])
        rows, lots, between = book.instrument[held].tolist(), book.lots[held].tolist(), book.open[held].tolist()
        assert positions_digest(rows, lots, between) == digest


def test_epochs_that_cannot_be_committed_are_refused():
    made = epoch()
    named = {"epoch": 1, "as_of_ms": 1, "inputs": INPUTS, "pnl": made.pnl, "book": made.book, "secret": bytes(32)}
    with pytest.raises(InvalidInput, match="accounts"):
        commit_epoch(accounts=["a"], collateral=[1], **named)
    with pytest.raises(DuplicateName):
        commit_epoch(accounts=["a"] * 5, collateral=[1] * 5, **named)
    with pytest.raises(InvalidInput, match="amount"):
        commit_epoch(accounts=ACCOUNTS, collateral=[-1] * 5, **named)
    nameless = named | {"inputs": msgspec.structs.replace(INPUTS, model="no hash")}
    with pytest.raises(InvalidInput, match="hash"):
        commit_epoch(accounts=ACCOUNTS, collateral=[1] * 5, **nameless)
    with pytest.raises(InvalidInput, match="in the epoch"):
        statement_of(made, "nobody")
