"""CRIF files and calibrations: what is read, what is written, what is refused."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.crif import crif_text, parse_crif, read_crif, write_crif
from crossmargin.adapters.sensitivity_parameters import read_sensitivity_parameters
from crossmargin.adapters.vectors_simm import read_simm
from crossmargin.adapters.writing import write_document
from crossmargin.core.errors import CrossmarginError, DuplicateName, InvalidInput, UnreadableFile
from crossmargin.margin.rulebooks.sensitivities.crif import TEXTS, crif_of
from tests.margin.rulebooks.sensitivity_worlds import made_up

CAMEL = b"RiskType,Qualifier,Amount,AmountCurrency,AmountUSD,Note\nRisk_FX,EUR,9,EUR,10.5,x\nRisk_FX,JPY,7,USD,,\n"
SNAKE = (
    b"risk_type\tqualifier\tamount\tamount_currency\tamount_usd\nRisk_FX\tEUR\t9\tEUR\t10.5\nRisk_FX\tJPY\t7\tUSD\t\n"
)


@pytest.mark.parametrize("raw", [CAMEL, SNAKE, b"\xef\xbb\xbf" + CAMEL, SNAKE.replace(b"\n", b"\r\n")])
def test_both_spellings_read_alike(raw: bytes):
    crif = parse_crif(raw, where="file")
    assert crif.amount_usd.tolist() == [10.5, 7.0]
    assert [crif.texts["qualifier"][i] for i in range(2)] == ["EUR", "JPY"]
    assert crif.place(1) == "file: line 3"


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=8),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        max_size=8,
    ),
    st.sampled_from((",", "\t")),
)
def test_what_is_written_reads_the_same(rows: list[tuple[str, float]], separator: str):
    crif = crif_of([{"qualifier": name, "risk_type": "Risk_FX", "amount_usd": usd} for name, usd in rows])
    back = parse_crif(crif_text(crif, separator=separator).encode(), where="file")
    assert np.array_equal(back.amount_usd, crif.amount_usd)
    for name in TEXTS:
        assert [back.texts[name][i] for i in range(len(back))] == [crif.texts[name][i] for i in range(len(crif))]


def test_files_are_written_by_their_name(tmp_path: Path):
    crif = parse_crif(CAMEL, where="file")
    for name in ("a.csv", "a.tsv"):
        write_crif(tmp_path / name, crif)
        assert crif_text(read_crif(tmp_path / name)) == crif_text(crif)
    assert b"\t" in (tmp_path / "a.tsv").read_bytes()


@pytest.mark.parametrize(
    ("raw", "error", "says"),
    [
        (b"", UnreadableFile, "file"),
        (b"\xff\xfe\x00", CrossmarginError, "file"),
        (b"RiskType,Qualifier\nRisk_FX,EUR\n", InvalidInput, "AmountUSD"),
        (b"Qualifier,AmountUSD\nEUR,1\n", InvalidInput, "RiskType"),
        (b"RiskType,risk_type,Qualifier,AmountUSD\na,b,EUR,1\n", DuplicateName, "header"),
        (b"RiskType,Qualifier,AmountUSD\nRisk_FX,EUR,ten\n", InvalidInput, "line 2"),
        (b"RiskType,Qualifier,AmountUSD\nRisk_FX,EUR,1\nRisk_FX,EUR,nan\n", InvalidInput, "line 3"),
        (b"RiskType,Qualifier,AmountUSD\nRisk_FX,EUR,1e999\n", InvalidInput, "line 2"),
        (b"RiskType,Qualifier,AmountUSD\nRisk_FX,EUR,\n", InvalidInput, "line 2"),
        (b"RiskType,Qualifier,Amount,AmountCurrency\nRisk_FX,EUR,1,EUR\n", InvalidInput, "no rate is assumed"),
        (b"RiskType,Qualifier,AmountUSD\nRisk_FX,EUR,1,2,3\n", UnreadableFile, "file"),
    ],
)
def test_what_cannot_be_read_is_refused(raw: bytes, error: type[CrossmarginError], says: str):
    with pytest.raises(error, match=says):
        parse_crif(raw, where="file")


@pytest.mark.parametrize("name", ["p.toml", "p.json"])
def test_our_shape_of_parameters_reads_back(tmp_path: Path, name: str):
    write_document(tmp_path / name, made_up())
    assert read_sensitivity_parameters(tmp_path / name) == made_up()


def test_parameters_say_what_is_missing(tmp_path: Path):
    path = tmp_path / "p.json"
    path.write_bytes(b'{"SIMMCalibration": {"VersionNames": {"Name": "x"}}}')
    with pytest.raises(InvalidInput, match="AdditionalFields"):
        read_sensitivity_parameters(path)
    path.write_bytes(b"{")
    with pytest.raises(UnreadableFile):
        read_sensitivity_parameters(path)
    tree = msgspec.to_builtins(made_up())
    tree["surprise"] = 1
    path.write_bytes(msgspec.json.encode(tree))
    with pytest.raises(InvalidInput, match="surprise"):
        read_sensitivity_parameters(path)


def test_every_reference_case_agrees(shared: Path):
    cases = list(read_simm(shared / "vectors" / "simm"))
    assert len(cases) == 60
    missed = [(case.name, one) for case in cases for one in case.check() if not one.passed]
    assert not missed


def test_a_folder_without_parameters_is_refused(tmp_path: Path):
    with pytest.raises(UnreadableFile):
        next(read_simm(tmp_path))
