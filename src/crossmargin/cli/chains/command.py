"""What `chains demo` does: start two chains, use them, break them, and say what was seen."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Final, TypeVar

import msgspec

from crossmargin.adapters.writing import write_text
from crossmargin.cli.chains.breaking import halted, reorganised, undone
from crossmargin.cli.chains.desk import Sight
from crossmargin.cli.chains.doubting import depegged, drained
from crossmargin.cli.chains.lying import challenged, lied_to
from crossmargin.cli.chains.opening import chosen, open_stage
from crossmargin.cli.chains.reading import deposited, read_across
from crossmargin.cli.chains.report import DemoReport, Endpoint, Step
from crossmargin.cli.chains.reporting import refused, reported
from crossmargin.cli.chains.stage import Kind, Stage
from crossmargin.cli.chains.tables import demo_tables
from crossmargin.cli.output import print_report, progress_bar
from crossmargin.engine.plan import Progress

T = TypeVar("T")
NO_ANVIL: Final = "No anvil was found; `make chains` brings it where there is npm."
_STEPS: Final = 13
BREAKS: Final = (
    ("a reorg", reorganised),
    ("a reorg beyond finality", undone),
    ("a halt", halted),
    ("a drained bridge", drained),
    ("a lost peg", depegged),
    ("lying endpoints", lied_to),
    ("a wrong report", challenged),
)


def demo(*, backend: str, out: Path | None, as_json: bool, html: Path | None) -> None:
    """Run the demonstration, print it, and write the page where wanted."""
    kind = chosen(backend)
    with progress_bar() as progress, ended_in_order():
        report = run(kind, out, progress)
    if backend == "auto" and kind == "in-process":
        report = msgspec.structs.replace(report, note=NO_ANVIL)
    if html is not None:
        from crossmargin.cli.chains.page import demo_page

        write_text(html, demo_page(report))
    print_report(report, as_json=as_json, tables=demo_tables)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """A request to end is taken as an interrupt is: what was started ends first."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Clock:
    """Runs steps, and keeps how long each took."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.steps = progress, list[Step]()
        self.began = time.perf_counter()
        self.done = 0

    def run(self, step: str, title: str, work: Callable[[], T]) -> T:
        """What a step gives."""
        before = time.perf_counter()
        found = self.part(title, work)
        self.steps.append(Step(id=step, title=title, seconds=time.perf_counter() - before))
        return found

    def part(self, title: str, work: Callable[[], T]) -> T:
        """What a part of a step gives, told while it runs."""
        self.progress(title.lower(), self.done, _STEPS)
        self.done += 1
        return work()


def run(kind: Kind, out: Path | None, progress: Progress) -> DemoReport:
    """The whole demonstration; the chains have ended when it returns, or raises."""
    clock = Clock(progress)
    with ExitStack() as files:
        folder = Path(files.enter_context(TemporaryDirectory(prefix="crossmargin-chains-")))
        stage = clock.run("start", "Two chains start", lambda: open_stage(kind, folder, files))
        clock.run("deposits", "Collateral on both", lambda: deposited(stage))
        across = clock.run("across", "B reads A by a proof", lambda: read_across(stage))
        margin = clock.run("margin", "One margin over both", lambda: stage.figures(Sight()))
        attested = clock.run("report", "A report that strangers check", lambda: reported(stage, out))
        clock.run("refused", "A withdrawal that is not covered", lambda: refused(stage))
        before = time.perf_counter()
        breaks = tuple(clock.part(label, partial(made, stage)) for label, made in BREAKS)
        clock.steps.append(Step(id="breaks", title="What breaks", seconds=time.perf_counter() - before))
        return DemoReport(
            backend=kind,
            account=stage.account,
            chains={side.name: side.place.chain for side in stage.sides},
            steps=tuple(clock.steps),
            endpoints=_endpoints(stage),
            gas=tuple(stage.gas),
            balances=tuple(stage.balances),
            across=across,
            margin=margin,
            attested=attested,
            withdrawals=tuple(stage.withdrawals),
            breaks=breaks,
            seconds=time.perf_counter() - clock.began,
        )


def _endpoints(stage: Stage) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(chain=side.name, name=one.name, operator=one.operator)
        for side in stage.sides
        for one in side.follower.source.endpoints
    )
