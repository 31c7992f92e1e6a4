"""Calibrations of the sensitivity-based rule, read from files of the user's: our own shape, or a calibration tree.

The tree is that of Open Risk Engine's calibration XML turned into JSON: attributes became keys with `@`, text became
`v`. It states neither its last day nor which buckets have no curvature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from crossmargin.adapters.documents import convert, read_bytes, read_document
from crossmargin.core.errors import InvalidInput, UnreadableFile
from crossmargin.margin.rulebooks.sensitivities.parameters import OTHER, RESIDUAL, SensitivityParameters

_ROOT: Final = "SIMMCalibration"
_CLASSES: Final = ("InterestRate", "CreditQualifying", "CreditNonQualifying", "Equity", "Commodity", "FX")
_TENORS: Final = ("2w", "1m", "3m", "6m", "1y", "2y", "3y", "5y", "10y", "15y", "20y", "30y")
_CREDIT_TENORS: Final = ("1y", "2y", "3y", "5y", "10y")
_SUB_CURVES: Final = ("OIS", "Libor1m", "Libor3m", "Libor6m", "Libor12m", "Prime", "Municipal")
# Volatility indices: their options are vega already, and the method gives them no curvature.
_VOLATILITY_INDICES: Final = ("12",)
_Tree = Mapping[str, Any]


def read_sensitivity_parameters(path: str | Path, *, until: str = "") -> SensitivityParameters:
    """The calibration in a .toml or .json file of our shape, or in a .json calibration tree.

    `until` is the last day of a tree, which states none. Raises `UnreadableFile` for what is neither, and
    `InvalidInput` (or a kind of it) with the place of what is missing or out of range.
    """
    file = Path(path)
    if file.suffix.lower() == ".json":
        try:
            tree = json.loads(read_bytes(file))
        except ValueError as error:
            raise UnreadableFile(str(path), reason=f"JSON does not allow this: {error}", remedy="Correct it.") from None
        if isinstance(tree, dict) and _ROOT in tree:
            return parameters_from_tree(tree[_ROOT], until=until, where=str(path))
    return read_document(file, SensitivityParameters)


def parameters_from_tree(tree: _Tree, *, until: str = "", where: str) -> SensitivityParameters:
    """The calibration that a tree states; raises `InvalidInput` where a table or number is missing."""
    node = _Node(tree, where)
    credit = {"tenors": _CREDIT_TENORS}
    equity = {"tenors": _TENORS, "without_curvature": _VOLATILITY_INDICES}
    document = {
        "name": node.at("VersionNames").first_name(),
        "source": where,
        "effective": node.at("AdditionalFields").text("SIMM_EffectiveDate"),
        "until": until,
        "rates": _rates(node.at("InterestRate")),
        "credit_qualifying": _buckets(node.at("CreditQualifying"), **credit),
        "credit_non_qualifying": _buckets(node.at("CreditNonQualifying"), **credit),
        "equity": _buckets(node.at("Equity"), **equity),
        "commodity": _buckets(node.at("Commodity"), tenors=_TENORS),
        "fx": _fx(node.at("FX")),
        "risk_class_correlation": node.at("RiskClassCorrelations").matrix("Correlation", _CLASSES, diagonal=1.0),
    }
    return convert(document, SensitivityParameters, where=where)


class _Node:
    """A place in the tree that can say where it is."""

    def __init__(self, tree: Any, where: str) -> None:
        self.tree, self.where = tree, where

    def at(self, *names: str) -> _Node:
        node = self
        for name in names:
            node = _Node(node.child(name), f"{node.where}: {name}")
        return node

    def child(self, name: str) -> Any:
        if not isinstance(self.tree, Mapping) or name not in self.tree:
            raise InvalidInput(
                name, where=self.where, value=None, limit="stated in a calibration", remedy="Use the whole file."
            )
        return self.tree[name]

    def has(self, name: str) -> bool:
        return isinstance(self.tree, Mapping) and name in self.tree

    def text(self, name: str) -> str:
        return str(self.child(name))

    def first_name(self) -> str:
        names = self.child("Name")
        return str(names[0] if isinstance(names, list) else names)

    def items(self, name: str) -> list[_Node]:
        """The entries of a list; one entry alone is a list of one."""
        found = self.child(name)
        entries = found if isinstance(found, list) else [found]
        return [_Node(entry, f"{self.where}: {name}[{i}]") for i, entry in enumerate(entries)]

    def number(self, name: str = "v") -> float:
        """The number at `name`, or this place itself where it is bare."""
        value = self.tree if not isinstance(self.tree, Mapping) else self.child(name)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise InvalidInput(
                name, where=self.where, value=value, limit="a number", remedy="Correct the file."
            ) from None

    def table(self, name: str, *keys: str) -> dict[tuple[str, ...], float]:
        """The numbers of a list by their attributes."""
        return {tuple(e.text(f"@{key}") for key in keys): e.number() for e in self.items(name)}

    def matrix(self, name: str, order: tuple[str, ...], *, diagonal: float | None = None) -> list[list[float]]:
        """The numbers of a list with two labels as a square; `diagonal` where the list leaves it out."""
        table = self.table(name, "label1", "label2")

        def entry(i: str, j: str) -> float:
            if i == j and diagonal is not None:
                return diagonal
            if (i, j) not in table:
                raise InvalidInput(
                    f"number of {i} and {j}", where=self.where, value=None, limit="stated", remedy="Use the whole file."
                )
            return table[i, j]

        return [[entry(i, j) for j in order] for i in order]

    def by_horizon(self, name: str) -> dict[str, _Node]:
        return {e.text("@mporDays"): e for e in self.items(name)}


def _currency_groups(node: _Node, name: str = "CurrencyLists") -> dict[str, Any]:
    groups: dict[str, list[str]] = {}
    for entry in node.at(name).items("Currency"):
        groups.setdefault(entry.text("@bucket"), []).append(entry.text("v").replace("Other", OTHER))
    return {"groups": dict(sorted(groups.items()))}


def _by_bucket(node: _Node, name: str) -> dict[str, float]:
    return {bucket: value for (bucket,), value in node.table(name, "bucket").items()}


def _rates(node: _Node) -> dict[str, Any]:
    weights, correlations = node.at("RiskWeights"), node.at("Correlations")
    thresholds = node.at("ConcentrationThresholds")
    groups = _currency_groups(weights)

    def horizon(days: str, delta: _Node) -> dict[str, Any]:
        table = delta.table("Weight", "bucket", "label1")
        return {
            "delta": {g: [_cell(table, (g, t), delta) for t in _TENORS] for g in groups["groups"]},
            "inflation": weights.by_horizon("Inflation")[days].number(),
            "basis": weights.by_horizon("XCcyBasis")[days].number(),
            "vega": weights.by_horizon("Vega")[days].number("Weight"),
            "historical_ratio": weights.by_horizon("HistoricalVolatilityRatio")[days].number(),
        }

    return {
        "tenors": _TENORS,
        "sub_curves": _SUB_CURVES,
        "volatility": groups,
        "weights": {days: horizon(days, delta) for days, delta in weights.by_horizon("Delta").items()},
        "tenor_correlation": correlations.at("IntraBucket").matrix("Correlation", _TENORS, diagonal=1.0),
        "sub_curve_correlation": correlations.at("SubCurves").number(),
        "inflation_correlation": correlations.at("Inflation").number(),
        "basis_correlation": correlations.at("XCcyBasis").number(),
        "currency_correlation": correlations.at("Outer").number(),
        "concentration": _currency_groups(thresholds),
        "delta_threshold": _by_bucket(thresholds.at("Delta"), "Threshold"),
        "vega_threshold": _by_bucket(thresholds.at("Vega"), "Threshold"),
    }


def _cell(table: Mapping[tuple[str, ...], float], key: tuple[str, ...], node: _Node) -> float:
    if key not in table:
        raise InvalidInput(
            f"weight of {', '.join(key)}", where=node.where, value=None, limit="stated", remedy="Use the whole file."
        )
    return table[key]


def _same_for(node: _Node, name: str, buckets: list[str]) -> dict[str, float]:
    """A table by bucket, or the one number that stands for all of them."""
    child = node.child(name)
    if isinstance(child, list | Mapping):
        return _by_bucket(node, name)
    return dict.fromkeys(buckets, node.at(name).number())


def _buckets(node: _Node, **settings: Any) -> dict[str, Any]:
    weights, correlations = node.at("RiskWeights"), node.at("Correlations")
    thresholds = node.at("ConcentrationThresholds")
    delta = {days: _by_bucket(entry, "Weight") for days, entry in weights.by_horizon("Delta").items()}
    names = list(next(iter(delta.values())))
    order = tuple(name for name in names if name != RESIDUAL)
    ratios = weights.by_horizon("HistoricalVolatilityRatio") if weights.has("HistoricalVolatilityRatio") else {}
    bases = weights.by_horizon("BaseCorrelation") if weights.has("BaseCorrelation") else {}
    document: dict[str, Any] = {
        "order": order,
        "weights": {
            days: {
                "delta": delta[days],
                "vega": _same_for(entry, "Weight", names),
                "historical_ratio": ratios[days].number() if ratios else 1.0,
                "base_correlation": bases[days].number() if bases else None,
            }
            for days, entry in weights.by_horizon("Vega").items()
        },
        "between": correlations.at("InterBucket").matrix("Correlation", order, diagonal=1.0),
        "delta_threshold": _same_for(thresholds.at("Delta"), "Threshold", names),
        "vega_threshold": _same_for(thresholds.at("Vega"), "Threshold", names),
    }
    if correlations.has("BaseCorrelation"):
        document["base_correlation"] = correlations.at("BaseCorrelation").number()
    return document | _intra(correlations.at("IntraBucket"), names) | settings


def _intra(node: _Node, names: list[str]) -> dict[str, Any]:
    """Correlations inside buckets: a number a bucket, or same and different for all buckets and for Residual."""
    if node.items("Correlation")[0].has("@bucket"):
        return {"different": _by_bucket(node, "Correlation")}
    table = node.table("Correlation", "label1", "label2")
    kinds = {name: "residual" if name == RESIDUAL else "aggregate" for name in names}
    return {word: {name: table[kinds[name], word] for name in names} for word in ("same", "different")}


def _fx(node: _Node) -> dict[str, Any]:
    weights, correlations = node.at("RiskWeights"), node.at("Correlations")
    thresholds = node.at("ConcentrationThresholds")
    volatility, concentration = _currency_groups(weights), _currency_groups(thresholds)
    groups, limits = tuple(volatility["groups"]), tuple(concentration["groups"])
    by_bucket = correlations.at("IntraBucket").table("Correlation", "bucket", "label1", "label2")
    vega = _by_bucket(thresholds.at("Vega"), "Threshold")
    # Pairs of groups are numbered row by row of the upper triangle: 1-1, 1-2, 1-3, 2-2, 2-3, 3-3.
    pairs = [(i, j) for i in range(len(limits)) for j in range(i, len(limits))]
    number = {pair: vega[str(n + 1)] for n, pair in enumerate(pairs) if str(n + 1) in vega}
    threshold = [[number.get((min(i, j), max(i, j)), 0.0) for j in range(len(limits))] for i in range(len(limits))]

    def horizon(days: str, delta: _Node) -> dict[str, Any]:
        return {
            "delta": delta.matrix("Weight", groups),
            "vega": weights.by_horizon("Vega")[days].number("Weight"),
            "historical_ratio": weights.by_horizon("HistoricalVolatilityRatio")[days].number(),
        }

    return {
        "tenors": _TENORS,
        "volatility": volatility,
        "weights": {days: horizon(days, delta) for days, delta in weights.by_horizon("Delta").items()},
        "correlation": {g: [[by_bucket[g, i, j] for j in groups] for i in groups] for g in groups},
        "vega_correlation": correlations.at("Volatility").number(),
        "concentration": concentration,
        "delta_threshold": _by_bucket(thresholds.at("Delta"), "Threshold"),
        "vega_threshold": threshold,
    }
