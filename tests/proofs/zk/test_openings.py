"""An opening opens the integers of its statement, and nothing that is changed does."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import EpochRefused, InvalidInput, NotProved
from crossmargin.proofs.statement import statement_of
from crossmargin.proofs.zk.checking import judged, verify_stated
from crossmargin.proofs.zk.openings import check_opening, commit_zk, stated_of
from crossmargin.proofs.zk.poseidon import poseidon
from crossmargin.proofs.zk.statement import field_number, field_text, public_inputs, zk_digest
from spec.proofs.zero_knowledge import P, satisfied
from tests.proofs.test_statement import ACCOUNTS, epoch
from tests.proofs.zk.books import SECRET, case, committed, edge_case, opened, statements
from tests.strategies import few

replace = msgspec.structs.replace


def holds(stated, witness, **changed):
    """Whether the circuit's twin is satisfied, with some public numbers changed."""
    inputs = {name: int(text) for name, text in public_inputs(stated).items()} | changed
    return satisfied(inputs, msgspec.to_builtins(witness), 32, poseidon)


@pytest.mark.parametrize("account", ACCOUNTS)
def test_every_account_opens_and_its_own_bounds_can_be_proved(account):
    stated, witness = case(account)
    assert holds(stated, witness)
    assert not any(check.outcome == "fails" for check in verify_stated(stated_with_proof(stated)))
    if stated.loss_at_most != "0":
        assert not holds(stated, witness, loss=int(stated.loss_at_most) - 1)
    assert not holds(stated, witness, collateral=int(stated.collateral_at_least) + 1)


def stated_with_proof(stated):
    return replace(stated, proof="AAAA")


@few
@given(st.integers(0, 2**128), st.integers(0, 2**128))
def test_the_circuit_says_what_the_integers_say(loss, collateral):
    stated, witness = case("hedger")
    true = int(stated.loss_at_most) <= loss < 2**128 and collateral <= int(stated.collateral_at_least)
    assert holds(stated, witness, loss=loss, collateral=collateral) == true


@pytest.mark.parametrize("name", ["rowsRoot", "commitment", "idHigh", "idLow"])
def test_the_circuit_is_bound_to_rows_account_and_commitment(name):
    stated, witness = case("maker")
    assert not holds(stated, witness, **{name: int(public_inputs(stated)[name]) + 1})


@pytest.mark.parametrize("key", ["salt", "held", "lots", "index", "rows", "row_salts", "paths"])
def test_no_other_secret_opens_the_commitment(key):
    stated, witness = case("maker")
    first = getattr(witness, key)
    match first:
        case str():
            changed = str(int(first) + 1)
        case (str(), *rest):
            changed = (str(int(first[0]) + 1), *rest)
        case ((one, *others), *rest):
            changed = ((str(int(one) + 1), *others), *rest)
    assert not holds(stated, replace(witness, **{key: changed}))


def test_lots_beyond_64_bits_do_not_wrap():
    stated, witness = case("maker")
    for lots in (2**63, -(2**63) - 1, P - 2**64, 2**200):
        assert not holds(stated, replace(witness, lots=(str(lots), *witness.lots[1:])))


def test_the_ends_of_64_bits_add_up_exactly():
    stated, witness = edge_case()
    loss = int(stated.loss_at_most)
    assert 2**126 < loss < 2**128
    assert holds(stated, witness)
    assert holds(stated, witness, loss=loss + 1)
    assert not holds(stated, witness, loss=loss - 1)
    assert not holds(stated, witness, loss=2**128)


def test_less_than_the_truth_is_refused_by_a_quantum():
    statement, opening, checked = opened("maker")
    loss, held = int(statement.worst_loss), int(statement.collateral)
    for bounds in ((loss - 1, held), (loss, held + 1), (2**128, 0), (loss, -1)):
        with pytest.raises(InvalidInput, match="Prove what is true"):
            stated_of(statement, opening, checked, loss_at_most=bounds[0], collateral_at_least=bounds[1])


def test_an_opening_of_another_account_or_epoch_opens_nothing():
    statement, opening, _ = opened("maker")
    other = opened("hedger")[1]
    with pytest.raises(NotProved, match="maker"):
        check_opening(statement, other)
    with pytest.raises(NotProved):
        check_opening(statement, replace(other, account="maker"))
    later = replace(opening.head, margin="0x" + "ab" * 32)
    with pytest.raises(NotProved, match="epoch"):
        check_opening(statement, replace(opening, head=later))
    with pytest.raises(NotProved):
        check_opening(statement, replace(opening, salt=field_text(field_number(opening.salt) + 1)))
    leaf = replace(opening.leaves[0], salt=field_text(1))
    with pytest.raises(NotProved, match="leaf"):
        check_opening(statement, replace(opening, leaves=(leaf, *opening.leaves[1:])))
    for faces in (0, 1, 2):
        with pytest.raises(NotProved, match="faces"):
            check_opening(statement, replace(opening, head=replace(opening.head, faces=faces)))
    with pytest.raises(NotProved, match="absent"):
        check_opening(statement, replace(opening, leaves=opening.leaves[1:]))


def test_an_epoch_is_committed_to_whole_and_good_or_not_at_all():
    whole = statements()
    assert commit_zk(whole[::-1], secret=SECRET) == committed()
    for wrong in (whole[1:], whole[:1] * 5, (), (*whole[1:], replace(whole[0], worst_loss="1"))):
        with pytest.raises(EpochRefused):
            commit_zk(wrong, secret=SECRET)
    assert commit_zk(whole, secret=b"\x01" * 32).head.rows_root != committed().head.rows_root


def test_what_a_stranger_is_shown_hides_all_but_the_bounds():
    plain, other = case("maker")[0], case("maker", loss_more=7, collateral_less=9)[0]
    text = msgspec.json.encode(stated_with_proof(other)).decode()
    statement = opened("maker")[0]
    hidden = [statement.worst_loss, statement.collateral, statement.salt, *(p.lots for p in statement.positions)]
    assert not any(f'"{one}"' in text for one in hidden)
    assert plain.commitment == other.commitment


TAMPERED = {
    "form": [
        {"loss_at_most": "-1"},
        {"loss_at_most": str(2**128)},
        {"collateral_at_least": "01"},
        {"proof": "no base64!"},
        {"commitment": "0x" + "ff" * 32},
        {"account": ""},
        {"path": tuple(text.upper().replace("0X", "0x") for text in case("maker")[0].path)},
    ],
    "account": [{"account": "hedger"}, {"index": 3}, {"commitment": field_text(5)}, {"path": ()}],
}


@pytest.mark.parametrize(("check", "changed"), [(name, one) for name, many in TAMPERED.items() for one in many])
def test_what_is_changed_is_noticed(check, changed):
    found = verify_stated(replace(stated_with_proof(case("maker")[0]), **changed))
    assert check in {one.name for one in found if one.outcome == "fails"}


def test_another_epoch_is_another_head():
    stated = stated_with_proof(case("maker")[0])
    published = zk_digest(stated.head)
    assert all(check.outcome == "holds" for check in verify_stated(stated, published=published))
    later = replace(stated, margin=replace(stated.margin, epoch=stated.margin.epoch + 1))
    failed = {one.name for one in verify_stated(later, published=published) if one.outcome == "fails"}
    assert failed == {"margin head"}
    assert [c.name for c in verify_stated(stated, published=bytes(32)) if c.outcome == "fails"] == ["head"]
    moved = replace(stated, head=replace(stated.head, margin="0x" + "01" * 32))
    assert public_inputs(moved)["headLow"] != public_inputs(stated)["headLow"]
    assert judged(True).outcome == "holds"
    assert judged(False).outcome == "fails"


def test_the_epoch_has_positions_between_lots_and_an_empty_account():
    assert committed().head.faces == 3
    assert opened("empty")[2].legs == ()
    assert any(position.between for position in statement_of(epoch(), "maker").positions)
