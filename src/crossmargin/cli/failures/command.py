"""What `failures` does: read the files, run every event, then print and write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import read_book, read_market, read_market_registry, read_model
from crossmargin.adapters.writing import write_text
from crossmargin.cli.commands import Inputs
from crossmargin.cli.failures.tables import failure_tables, library_table
from crossmargin.cli.output import print_json, print_report, progress_bar
from crossmargin.engine.failures.library import default_failures
from crossmargin.engine.failures.run import run_failures
from crossmargin.engine.failures.sales import CrowdAsked
from crossmargin.engine.variants import account_alone
from crossmargin.scenarios.failures.document import FailureLibrary
from crossmargin.scenarios.failures.library import checked_library
from crossmargin.scenarios.failures.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stands behind the options of `failures`."""

    events: tuple[str, ...]
    library: Path | None
    bridge_share: float
    severity: Severity
    crowd: CrowdAsked


def failures(inputs: Inputs, asked: Asked, *, account: str | None, as_json: bool, html: Path | None) -> None:
    """Run, report, and write the page where wanted."""
    with progress_bar() as progress:
        snapshot = read_market(inputs.market, registry=inputs.registry)
        book = read_book(inputs.book, market=snapshot, instruments=inputs.instruments)
        reports = run_failures(
            book if account is None else account_alone(book, account),
            snapshot,
            read_model(inputs.model),
            read_market_registry(inputs.market, registry=inputs.registry),
            library=_library(asked.library),
            events=asked.events,
            severity=asked.severity,
            bridge_share=asked.bridge_share,
            crowd=asked.crowd,
            progress=progress,
        )
    if html is not None:
        from crossmargin.cli.failures.page import failures_page

        write_text(html, failures_page(reports))
    print_report(reports, as_json=as_json, tables=failure_tables)


def list_failures(library: Path | None, *, as_json: bool) -> None:
    """Print the events of a library, or with `as_json` all of it."""
    found = _library(library)
    if as_json:
        print_json(found)
    else:
        print_report(found, as_json=False, tables=library_table)


def _library(path: Path | None) -> FailureLibrary:
    if path is None:
        return default_failures()
    return checked_library(read_document(path, FailureLibrary), where=str(path))
