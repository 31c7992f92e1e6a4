"""Run the command line inside the test's own process."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from crossmargin.cli.main import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a shell would see."""

    code: int
    out: str
    err: str


def crossmargin(*arguments: object, cwd: Path | None = None) -> Outcome:
    """The outcome of a command in the folder `cwd`; an exception that the command line lets through is raised."""
    before, folder = sys.argv, Path.cwd()
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        sys.argv = ["crossmargin", *map(str, arguments)]
        os.chdir(cwd or folder)
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    finally:
        sys.argv = before
        os.chdir(folder)
    return Outcome(code=code, out=out.getvalue(), err=err.getvalue())
