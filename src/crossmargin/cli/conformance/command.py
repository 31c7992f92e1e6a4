"""What `conformance` does: run packs, or write one to begin with."""

from __future__ import annotations

from pathlib import Path

from crossmargin.adapters.own_packs.writing import write_pack
from crossmargin.adapters.packs import read_packs, run_pack
from crossmargin.cli.conformance.tables import pack_table
from crossmargin.cli.inputs import parse_day
from crossmargin.cli.output import print_json, print_report
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.registry import rulebook


def conformance(path: Path, *, as_json: bool) -> bool:
    """Run the packs of a folder; whether all of them passed."""
    results = tuple(run_pack(pack) for pack in read_packs(path))
    print_report(results, as_json=as_json, tables=pack_table)
    return not any(result.failed for result in results)


def new_pack(
    folder: Path,
    book: Path,
    *,
    market: Path | None,
    name: str | None,
    date: str | None,
    parameters: Path | None,
    as_json: bool,
) -> None:
    """Write a pack of a book, with our own answers to be replaced."""
    if market is None or name is None:
        missing = "--market" if market is None else "--rulebook"
        limit, remedy = "given with --new", f"Add {missing}."
        raise InvalidInput(missing, where="command line", value="missing", limit=limit, remedy=remedy)
    one = rulebook(name, where="--rulebook")
    written = write_pack(folder, one, book=book, market=market, date=parse_day(date), parameters=parameters)
    if as_json:
        print_json(written)
        return
    print(f"Wrote {written.folder}: {written.cases} case{'s' if written.cases > 1 else ''} of {written.rulebook}.")
    print("The numbers are Crossmargin's own. Replace them by the venue's, and name it in pack.toml.")
