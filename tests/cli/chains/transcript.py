"""The transcript of `chains demo` in docs/chains-demo.md: `python -m tests.cli.chains.transcript` writes it.

A test holds the page to it, but for figures: times differ from run to run, and amounts with the model."""

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from crossmargin.cli.chains.command import run
from crossmargin.cli.chains.report import DemoReport
from crossmargin.cli.chains.tables import demo_tables
from crossmargin.cli.output import PIPE_COLUMNS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "chains-demo.md"
BLOCK = re.compile(r"(?<=<!-- transcript: begin -->\n).*?(?=<!-- transcript: end -->)", re.DOTALL)


def transcript(report: DemoReport) -> str:
    """What a pipe would get, without blanks at the ends of lines."""
    console = Console(width=PIPE_COLUMNS, file=io.StringIO())
    with console.capture() as captured:
        console.print(demo_tables(report))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def block(report: DemoReport) -> str:
    """The transcript as it stands on the page."""
    return f"```text\n{transcript(report)}```\n"


def words(text: str) -> list[str]:
    """A text without its figures, rules and line breaks."""
    return re.sub(r"[─\s]+", " ", re.sub(r"[\d,.−]+", "#", text)).split()


def main(write: Callable[[str], object] = sys.stdout.write) -> None:
    """Run the demonstration in this process, and write the page."""
    page = PAGE.read_text(encoding="utf-8")
    made = block(run("in-process", None, lambda *_: None))
    PAGE.write_text(BLOCK.sub(made.replace("\\", "\\\\"), page), encoding="utf-8")
    write(f"{PAGE.name} written\n")


if __name__ == "__main__":
    main()
