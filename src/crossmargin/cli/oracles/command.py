"""What `oracles replay` and `oracles marks` do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import moved_market, read_model_document
from crossmargin.adapters.oracles.files import read_quotes
from crossmargin.adapters.oracles.marks import Marked, with_marks
from crossmargin.adapters.oracles.marks import marks as marks_of
from crossmargin.adapters.registries.files import read_registry
from crossmargin.adapters.writing import write_document, write_text
from crossmargin.cli.oracles.mark_tables import mark_tables
from crossmargin.cli.oracles.report import marks_report
from crossmargin.cli.oracles.tables import library_table, replay_tables
from crossmargin.cli.output import print_json, print_report
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import format_instant, parse_instant
from crossmargin.engine.oracles.document import ReplayDocument
from crossmargin.engine.oracles.library import shipped_replay, shipped_replays
from crossmargin.engine.oracles.replay import checked, replay_oracles
from crossmargin.market.document import MarketDocument
from crossmargin.market.registry.registry import RegistryView


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of quotes."""

    registry: Path
    at: str
    market: Path | None
    out: Path | None


def list_replays(*, as_json: bool) -> None:
    """Print the days that ship, or with `as_json` all of each."""
    days = tuple(shipped_replay(name) for name in shipped_replays())
    if as_json:
        print_json(days)
    else:
        print_report(days, as_json=False, tables=library_table)


def replay(event: str, *, model: str, as_json: bool, html: Path | None) -> bool:
    """Replay, report, and write the page where wanted; whether what was expected came true."""
    is_file = Path(event).suffix.lower() in {".toml", ".json"}
    day = checked(read_document(event, ReplayDocument)) if is_file else shipped_replay(event)
    report = replay_oracles(day, read_model_document(model))
    if html is not None:
        from crossmargin.cli.oracles.page import replay_page

        write_text(html, replay_page(report))
    print_report(report, as_json=as_json, tables=replay_tables)
    return report.held


def marks(path: Path, asked: Asked, *, as_json: bool, html: Path | None) -> None:
    """Mark, report, and write the market and the page where wanted."""
    now_ns, records = parse_instant(asked.at, where="--at"), read_registry(asked.registry)
    view = records.at(now_ns)
    said = read_quotes(path, view)
    found = marks_of(said, view, now_ns=now_ns)
    notes = _written(found, view, asked, now_ns)
    report = marks_report(found, said, view, now_ns=now_ns, sha256=records.sha256, notes=notes)
    if html is not None:
        from crossmargin.cli.oracles.mark_page import marks_page

        write_text(html, marks_page(report))
    print_report(report, as_json=as_json, tables=mark_tables)


def _written(found: tuple[Marked, ...], view: RegistryView, asked: Asked, now_ns: int) -> tuple[str, ...]:
    if asked.market is None and asked.out is None:
        return ()
    if asked.market is None or asked.out is None:
        raise InvalidInput(
            "--market and --out",
            where="oracles marks",
            value=str(asked.market or asked.out),
            limit="given together",
            remedy="Name the market to read, and the one to write.",
        )
    document, notes = with_marks(read_document(asked.market, MarketDocument), found, view)
    heading = f"{asked.market.name} with marks of {format_instant(now_ns)}."
    write_document(asked.out, moved_market(document, asked.market, asked.out), heading=heading)
    return notes
