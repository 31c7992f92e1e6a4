"""What `oracles replay` and `oracles marks` do."""

from __future__ import annotations

from pathlib import Path

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import read_model_document
from crossmargin.adapters.writing import write_text
from crossmargin.cli.oracles.tables import library_table, replay_tables
from crossmargin.cli.output import print_json, print_report
from crossmargin.engine.oracles.document import ReplayDocument
from crossmargin.engine.oracles.library import shipped_replay, shipped_replays
from crossmargin.engine.oracles.replay import checked, replay_oracles


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
