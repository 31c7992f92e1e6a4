"""Reference cases of the sensitivity-based rule: totals and parts of small lists of sensitivities."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossmargin.adapters.conformance import Case, Check, compare
from crossmargin.adapters.crif import read_crif
from crossmargin.adapters.sensitivity_parameters import read_sensitivity_parameters
from crossmargin.core import check
from crossmargin.core.errors import UnreadableFile
from crossmargin.margin.rulebooks.sensitivities.crif import Crif
from crossmargin.margin.rulebooks.sensitivities.native import margin_of
from crossmargin.margin.rulebooks.sensitivities.rows import MARGINS
from crossmargin.margin.rulebooks.sensitivities.tables import Tables, tables_of

TOLERANCE_USD: Final = 1.0
_PARTS: Final = dict(zip(("simm_delta", "simm_vega", "simm_curvature", "simm_basecorr"), MARGINS, strict=True))
_TOTAL: Final = "simm_total_expected_usd"


def read_simm(folder: str | Path) -> Iterator[Case]:
    """The cases of a folder with `crif_items.csv`, `tests_10d.csv` and a `*_parameters.json`, at ten days.

    Raises `UnreadableFile` where one of the files is missing, and `UnknownName` for an item that is not listed.
    """
    place = Path(folder)
    parameters = sorted(place.glob("*_parameters.json"))
    if not parameters:
        raise UnreadableFile(str(place), reason="it holds no *_parameters.json", remedy="Check the folder.")
    tables = tables_of(read_sensitivity_parameters(parameters[-1]), horizon_days=10)
    items = read_crif(place / "crif_items.csv")
    rows = {line["ItemID"]: number for number, line in enumerate(_lines(place / "crif_items.csv"))}
    for line in _lines(place / "tests_10d.csv"):
        names = line["items"].split()
        for name in names:
            check.known(name, rows, "item", where=line["test_id"])
        yield _case(line, items.take([rows[name] for name in names]), tables)


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _case(line: dict[str, str], crif: Crif, tables: Tables) -> Case:
    def run() -> tuple[Check, ...]:
        margin = margin_of(crif, tables, sides=("collect",))
        got = {name: float(margin.part(part)[0]) for name, part in _PARTS.items()}
        got |= {"simm_addon": float(margin.addon[0]), _TOTAL: float(margin.total[0])}
        return tuple(compare(name, float(line[name]), value, absolute=TOLERANCE_USD) for name, value in got.items())

    return Case(name=f"{line['test_id']} {line['element_tested']}", check=run)
