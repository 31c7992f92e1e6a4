"""The version of the package, as `pyproject.toml` states it; results carry it."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
