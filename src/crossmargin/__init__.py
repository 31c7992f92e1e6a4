"""Margin for one account over all its assets, venues and chains.

    import crossmargin as xm

    market = xm.read_market("market.toml")
    book = xm.read_book("book.toml", market=market)
    result = xm.margin(book, market, xm.read_model("crossmargin-grid"))
    report = xm.margin_report(result)

Names are imported when they are first used, so that `import crossmargin` is quick.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from crossmargin.core.version import VERSION

__version__ = VERSION

if TYPE_CHECKING:
    from crossmargin.adapters.files import read_book as read_book
    from crossmargin.adapters.files import read_market as read_market
    from crossmargin.adapters.files import read_model as read_model
    from crossmargin.adapters.files import read_recipe as read_recipe
    from crossmargin.adapters.files import read_stress as read_stress
    from crossmargin.adapters.flat_writing import write_book as write_book
    from crossmargin.adapters.histories import read_history as read_history
    from crossmargin.adapters.results import results_table as results_table
    from crossmargin.adapters.results import write_results as write_results
    from crossmargin.adapters.schemas import schema as schema
    from crossmargin.adapters.writing import write_document as write_document
    from crossmargin.core.errors import CrossmarginError as CrossmarginError
    from crossmargin.core.errors import DuplicateName as DuplicateName
    from crossmargin.core.errors import ExpiredInstrument as ExpiredInstrument
    from crossmargin.core.errors import InvalidInput as InvalidInput
    from crossmargin.core.errors import MissingFactors as MissingFactors
    from crossmargin.core.errors import MixedValuationTime as MixedValuationTime
    from crossmargin.core.errors import SurfaceArbitrage as SurfaceArbitrage
    from crossmargin.core.errors import UnfitMarket as UnfitMarket
    from crossmargin.core.errors import UnknownName as UnknownName
    from crossmargin.core.errors import UnreadableFile as UnreadableFile
    from crossmargin.engine.accounts import margin_report as margin_report
    from crossmargin.engine.compare import CompareReport as CompareReport
    from crossmargin.engine.compare import compare as compare
    from crossmargin.engine.explaining.change import Previous as Previous
    from crossmargin.engine.explaining.explain import explain as explain
    from crossmargin.engine.margin import MarginResult as MarginResult
    from crossmargin.engine.margin import margin as margin
    from crossmargin.engine.model import ModelDocument as ModelDocument
    from crossmargin.engine.model import RulebookModel as RulebookModel
    from crossmargin.engine.outlook.forecast import ForecastReport as ForecastReport
    from crossmargin.engine.outlook.forecast import forecast as forecast
    from crossmargin.engine.outlook.replay import ReplayReport as ReplayReport
    from crossmargin.engine.outlook.replay import replay as replay
    from crossmargin.engine.outlook.reverse import ReverseReport as ReverseReport
    from crossmargin.engine.outlook.reverse import reverse_stress as reverse_stress
    from crossmargin.engine.recipe import calibrated_model as calibrated_model
    from crossmargin.engine.reports import ExplainReport as ExplainReport
    from crossmargin.engine.reports import MarginReport as MarginReport
    from crossmargin.engine.reports import SimulateReport as SimulateReport
    from crossmargin.engine.reports import StressReport as StressReport
    from crossmargin.engine.ruled.margin import RuledMargin as RuledMargin
    from crossmargin.engine.stress import stress as stress
    from crossmargin.engine.whatif import simulate as simulate
    from crossmargin.engine.whatif import what_if as what_if
    from crossmargin.market.build import build_snapshot as build_snapshot
    from crossmargin.market.document import MarketDocument as MarketDocument
    from crossmargin.market.snapshot import Snapshot as Snapshot
    from crossmargin.portfolio.book import Book as Book
    from crossmargin.portfolio.build import build_book as build_book
    from crossmargin.portfolio.document import BookDocument as BookDocument
    from crossmargin.scenarios.document import StressDocument as StressDocument

_HOME = {
    "adapters.files": ("read_book", "read_market", "read_model", "read_recipe", "read_stress"),
    "adapters.flat_writing": ("write_book",),
    "adapters.histories": ("read_history",),
    "adapters.results": ("results_table", "write_results"),
    "adapters.schemas": ("schema",),
    "adapters.writing": ("write_document",),
    "core.errors": (
        "CrossmarginError",
        "DuplicateName",
        "ExpiredInstrument",
        "InvalidInput",
        "MissingFactors",
        "MixedValuationTime",
        "SurfaceArbitrage",
        "UnfitMarket",
        "UnknownName",
        "UnreadableFile",
    ),
    "engine.accounts": ("margin_report",),
    "engine.compare": ("CompareReport", "compare"),
    "engine.explaining.change": ("Previous",),
    "engine.explaining.explain": ("explain",),
    "engine.margin": ("MarginResult", "margin"),
    "engine.model": ("ModelDocument", "RulebookModel"),
    "engine.outlook.forecast": ("ForecastReport", "forecast"),
    "engine.outlook.replay": ("ReplayReport", "replay"),
    "engine.outlook.reverse": ("ReverseReport", "reverse_stress"),
    "engine.recipe": ("calibrated_model",),
    "engine.reports": ("ExplainReport", "MarginReport", "SimulateReport", "StressReport"),
    "engine.ruled.margin": ("RuledMargin",),
    "engine.stress": ("stress",),
    "engine.whatif": ("simulate", "what_if"),
    "market.build": ("build_snapshot",),
    "market.document": ("MarketDocument",),
    "market.snapshot": ("Snapshot",),
    "portfolio.book": ("Book",),
    "portfolio.build": ("build_book",),
    "portfolio.document": ("BookDocument",),
    "scenarios.document": ("StressDocument",),
}
_MODULE_OF = {name: f"crossmargin.{module}" for module, names in _HOME.items() for name in names}


def _public(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'crossmargin' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


class _Package(ModuleType):
    """The package as a module whose public names are looked up when they are used."""

    @property
    def margin(self) -> Any:
        """The function, although a folder of the same name is bound here by the import system."""
        return _public("margin")

    @margin.setter
    def margin(self, _folder: ModuleType) -> None:
        return

    def __getattr__(self, name: str) -> Any:
        return _public(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_MODULE_OF})


sys.modules[__name__].__class__ = _Package
