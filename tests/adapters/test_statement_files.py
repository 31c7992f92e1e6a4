"""Files of statements: each account has its own, and who may not read them cannot."""

import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crossmargin.adapters.statements import HEAD_NAME, read_statement, statement_name, write_epoch
from crossmargin.adapters.writing import write_text
from crossmargin.adapters.zero_knowledge import OPENING_SUFFIX, ZK_HEAD_NAME, opening_name, write_zk
from crossmargin.proofs.statement import statement_of
from tests.proofs.test_statement import epoch
from tests.proofs.zk.books import committed

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(names, names)
@example("head", "%68ead")
@example("zk-head", "%7Ak-head")
@example("desk", "desk.opening")
@example("..", "../head")
@example(".", "")
def test_no_two_files_have_one_name(one: str, other: str):
    files = [statement_name(one), opening_name(one), HEAD_NAME, ZK_HEAD_NAME]
    if other != one:
        files += [statement_name(other), opening_name(other)]
    assert len(set(files)) == len(files)
    assert OPENING_SUFFIX not in statement_name(one)
    assert all(Path(name).name == name and name not in {".", ".."} for name in files)


@pytest.mark.parametrize("name", ["head", "zk-head", "desk.opening"])
def test_an_account_may_be_called_what_files_are(tmp_path: Path, name: str):
    statement = msgspec.structs.replace(statement_of(epoch(), "maker"), account=name)
    write_epoch(tmp_path, epoch().head, [statement])
    write_zk(tmp_path / ZK_HEAD_NAME, committed().head)
    assert read_statement(tmp_path / statement_name(name)) == statement


def test_what_is_secret_its_user_alone_can_read(tmp_path: Path):
    write_text(tmp_path / HEAD_NAME.replace("head", "maker"), "of an earlier version, for all to read")
    write_epoch(tmp_path, epoch().head, [statement_of(epoch(), "maker")])
    opening = committed().openings[0]
    write_zk(tmp_path / opening_name(opening.account), opening)
    others = stat.S_IRWXG | stat.S_IRWXO
    for name in (statement_name("maker"), opening_name(opening.account)):
        assert not (tmp_path / name).stat().st_mode & others
    before = tmp_path / "plain"
    before.touch()
    assert (tmp_path / HEAD_NAME).stat().st_mode == before.stat().st_mode
