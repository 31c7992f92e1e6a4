"""What `replay` does: read the files, replay every event, then print and write."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crossmargin.adapters.files import read_book, read_market, read_model, read_model_document, read_recipe
from crossmargin.adapters.histories import read_history
from crossmargin.adapters.writing import write_text
from crossmargin.cli.commands import Inputs
from crossmargin.cli.fitting.command import scales, with_proxies
from crossmargin.cli.output import print_report, progress_bar
from crossmargin.cli.replaying.tables import replay_tables
from crossmargin.core.instant import parse_instant
from crossmargin.engine.model import AnyModel, in_force
from crossmargin.engine.outlook.replay import Event, Settings, Walk
from crossmargin.engine.outlook.replay import replay as replay_events
from crossmargin.engine.variants import account_alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stands behind the options of `replay`."""

    history: tuple[Path, ...]
    events: tuple[str, ...]
    days: float
    every_hours: float
    recipe: str | None
    bar_days: float
    proxies: tuple[str, ...]
    still: tuple[str, ...]
    trigger: float
    stamp: Literal["close", "open"]
    scales: tuple[str, ...]


def replay(inputs: Inputs, asked: Asked, *, account: str | None, as_json: bool, html: Path | None) -> None:
    """Replay, report, and write the page where wanted."""
    events = [Event(label=text, start_ns=start_of(text)) for text in asked.events]
    with progress_bar() as progress:
        snapshot = read_market(inputs.market, registry=inputs.registry)
        model: AnyModel | Walk = in_force(read_model(inputs.model), snapshot)
        if asked.recipe is not None:
            made = with_proxies(read_recipe(asked.recipe), asked.proxies)
            model = Walk(recipe=made, base=read_model_document(made.base), bar_days=asked.bar_days)
        book = read_book(inputs.book, market=snapshot, instruments=inputs.instruments)
        report = replay_events(
            book if account is None else account_alone(book, account),
            snapshot,
            model,
            read_history(asked.history, stamp=asked.stamp, scale=scales(asked.scales)),
            events,
            settings=Settings(days=asked.days, every_hours=asked.every_hours, still=asked.still, trigger=asked.trigger),
            progress=progress,
        )
    if html is not None:
        from crossmargin.cli.replaying.page import replay_page

        write_text(html, replay_page(report))
    print_report(report, as_json=as_json, tables=replay_tables)


def start_of(text: str) -> int:
    """Nanoseconds of an instant, or of the midnight UTC at which a day begins; raises `InvalidInput`."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return parse_instant(text, where="--event")
    return parse_instant(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC), where="--event")
