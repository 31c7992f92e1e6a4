"""What `cascade` does: read the files, let the cascade run, then print and write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from crossmargin.accounts.cascade import CascadeRules, ChainClock
from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import read_book, read_market, read_market_registry, read_model_document
from crossmargin.adapters.writing import write_text
from crossmargin.cli.cascading.tables import cascade_tables
from crossmargin.cli.commands import Inputs
from crossmargin.cli.output import print_report
from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.failures.cascading import CascadeAsked, asked_of, run_cascade
from crossmargin.engine.failures.consequences import Rules
from crossmargin.engine.failures.library import default_failures
from crossmargin.scenarios.failures.library import failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stands behind the options of `cascade`."""

    shock: tuple[str, ...]
    event: str | None
    halt: tuple[str, ...]
    delay: tuple[str, ...]
    crowd: int
    seed: int
    rules: Path | None


def cascade(inputs: Inputs, asked: Asked, *, as_json: bool, html: Path | None) -> None:
    """Run, report, and write the page where wanted."""
    snapshot = read_market(inputs.market, registry=inputs.registry)
    book = read_book(inputs.book, market=snapshot, instruments=inputs.instruments)
    model = read_model_document(inputs.model)
    begun = CascadeAsked(shock={})
    if asked.event is not None:
        library = default_failures()
        (failure,) = failures(library, [asked.event])
        records = read_market_registry(inputs.market, registry=inputs.registry)
        rules = Rules(detection=library.detection)
        begun = asked_of(failure, book, snapshot, model, records, rules)
    shock = dict(begun.shock) | pairs(asked.shock, "--shock", "BTC=-0.2")
    if not shock:
        limit, remedy = "a coin and its move, or an event", "Write --shock BTC=-0.2, or --event X1."
        raise InvalidInput("--shock", where="cascade", value=None, limit=limit, remedy=remedy)
    clocks = dict(begun.clocks)
    for name, seconds in pairs(asked.halt, "--halt", "eip155:8453=7200").items():
        clocks[name] = replace(clocks.get(name, ChainClock()), halted_s=seconds)
    for name, seconds in pairs(asked.delay, "--oracle-delay", "eip155:8453=120").items():
        clocks[name] = replace(clocks.get(name, ChainClock()), delay_s=seconds)
    report = run_cascade(
        book,
        snapshot,
        model,
        CascadeAsked(shock=shock, clocks=clocks, crowd=asked.crowd, seed=asked.seed),
        rules=read_document(asked.rules, CascadeRules) if asked.rules is not None else None,
    )
    if html is not None:
        from crossmargin.cli.cascading.page import cascade_page

        write_text(html, cascade_page(report))
    print_report(report, as_json=as_json, tables=cascade_tables)


def pairs(texts: tuple[str, ...], option: str, example: str) -> dict[str, float]:
    """`NAME=NUMBER` texts as numbers by name; raises `InvalidInput`."""
    found = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not equals or not name:
            remedy = f"Write it like {example}."
            raise InvalidInput(option, where="command line", value=text, limit="NAME=NUMBER", remedy=remedy)
        found[name] = check.quantity(number, "number", where=f"{option} {text}")
    return found
