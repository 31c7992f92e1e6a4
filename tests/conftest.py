"""What every test may ask for: checked shapes, settled randomness, and the folder of real data."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.chains_fixtures import anvil, backend
from tests.shapes import check_shapes

__all__ = ["anvil", "backend"]

ROOT = Path(__file__).resolve().parent.parent

check_shapes("crossmargin.scenarios.kernels", "crossmargin.valuation.kernels", "crossmargin.measures.kernels")

# The default says the same on every machine and in every run; `HYPOTHESIS_PROFILE=explore` looks for new trouble.
settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and reference vectors, which is no part of the repository."""
    folder = Path(os.environ.get("CROSSMARGIN_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set CROSSMARGIN_SHARED to the folder that holds data/ and vectors/")
    return folder
