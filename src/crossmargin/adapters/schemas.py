"""JSON Schemas of the documents that users write, for editors and for other languages."""

from __future__ import annotations

import inspect
from typing import Any, Final

import msgspec

from crossmargin.accounts.cascade import CascadeRules
from crossmargin.adapters.live.document import SourcesDocument
from crossmargin.adapters.oracles.document import QuotesDocument
from crossmargin.adapters.own_packs.document import CaseDocument, PackDocument
from crossmargin.core.check import known
from crossmargin.engine.model import ModelDocument
from crossmargin.engine.oracles.document import ReplayDocument
from crossmargin.margin.rulebooks.registry import rulebook
from crossmargin.market.document import MarketDocument
from crossmargin.market.registry.document import RegistryDocument
from crossmargin.portfolio.document import BookDocument
from crossmargin.scenarios.document import StressDocument
from crossmargin.scenarios.failures.document import FailureLibrary

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
DOCUMENTS: Final[dict[str, type[msgspec.Struct]]] = {
    "book": BookDocument,
    "cascade": CascadeRules,
    "case": CaseDocument,
    "failures": FailureLibrary,
    "market": MarketDocument,
    "model": ModelDocument,
    "oracle-replay": ReplayDocument,
    "pack": PackDocument,
    "quotes": QuotesDocument,
    "registry": RegistryDocument,
    "sources": SourcesDocument,
    "stress": StressDocument,
}


def schema(document: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one of `DOCUMENTS`; raises `UnknownName` for any other."""
    return _schema(DOCUMENTS[known(document, DOCUMENTS, "document", where="schema")], document)


def parameters_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the parameters of a rulebook; raises `UnknownName` for an id that there is not."""
    return _schema(rulebook(name).parameters, f"parameters of {name}")


def portfolio_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the native portfolio of a rulebook, as a conformance case states it.

    Raises `UnknownName` for a rulebook whose cases are books.
    """
    from crossmargin.adapters.own_packs.native import native_rule  # noqa: PLC0415 it imports the rules themselves

    return _schema(native_rule(name, where="--portfolio-schema").portfolio, f"portfolio of {name}")


def _schema(kind: type[msgspec.Struct], title: str) -> dict[str, Any]:
    described: dict[str, Any] = _tidied(msgspec.json.schema(kind))
    heading = {"$schema": DIALECT, "title": f"Crossmargin {title}", "description": inspect.getdoc(kind)}
    return heading | described


def _tidied(part: Any) -> Any:
    """A schema whose descriptions are without the indent of their docstrings."""
    if isinstance(part, dict):
        return {
            key: inspect.cleandoc(value) if key == "description" and isinstance(value, str) else _tidied(value)
            for key, value in part.items()
        }
    return [_tidied(item) for item in part] if isinstance(part, list) else part
