"""A whole model: what must be held and what is held is worth, with its name and date."""

from __future__ import annotations

from crossmargin.collateral.document import Collateral
from crossmargin.margin.document import MarginModel


class ModelDocument(MarginModel, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A margin model with its collateral rules; the default one is `engine/models/crossmargin-grid.toml`."""

    collateral: Collateral
