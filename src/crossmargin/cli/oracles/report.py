"""Marks of quotes as figures for people and machines."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crossmargin.adapters.oracles.files import Said
from crossmargin.adapters.oracles.marks import Marked
from crossmargin.adapters.oracles.reading import Refused
from crossmargin.core.instant import SECOND_NS, to_milliseconds
from crossmargin.market.registry.registry import RegistryView


class GateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One source: what it said last and why it does not count (empty where it does), or that it is an outlier."""

    source: str
    family: str
    price: float | None
    age_s: float | None
    refused: str
    outlier: bool


class MarkRow(msgspec.Struct, frozen=True, kw_only=True):
    """One asset: its mark, both clocks and its peg; prices in USD, none where there is none.

    `may_open` says whether new credit is given, `may_liquidate` whether any price is settled enough to liquidate by."""

    instance: str
    symbol: str
    mid: float | None
    lo: float | None
    hi: float | None
    sigma: float | None
    families: int
    state: str
    reasons: tuple[str, ...]
    new_risk: float | None
    settled: float | None
    may_open: bool
    may_liquidate: bool
    peg: str
    worth: float | None
    worth_by: str
    worth_reasons: tuple[str, ...]
    gates: tuple[GateRow, ...]


class MarksReport(msgspec.Struct, frozen=True, kw_only=True):
    """Marks at `as_of_ms`; `refused` are payloads that gave no quote, `notes` what was not taken into a market."""

    as_of_ms: int
    registry_sha256: str
    assets: tuple[MarkRow, ...]
    refused: tuple[str, ...]
    notes: tuple[str, ...] = ()


def marks_report(
    found: Sequence[Marked], said: Said, view: RegistryView, *, now_ns: int, sha256: str, notes: tuple[str, ...] = ()
) -> MarksReport:
    """The report of marks at a time."""
    return MarksReport(
        as_of_ms=to_milliseconds(now_ns),
        registry_sha256=sha256,
        assets=tuple(_asset(one, view, now_ns) for one in found),
        refused=tuple(_refused(one) for one in said.read.refused),
        notes=notes,
    )


def _asset(one: Marked, view: RegistryView, now_ns: int) -> MarkRow:
    sight, mark, worth = one.sight, one.sight.mark, one.sight.worth
    return MarkRow(
        instance=one.instance,
        symbol=view.instance(one.instance).symbol,
        mid=mark.mid,
        lo=mark.lo,
        hi=mark.hi,
        sigma=mark.sigma,
        families=mark.n_eff,
        state=mark.state,
        reasons=mark.reasons,
        new_risk=None if sight.new_risk is None else sight.new_risk.collateral,
        settled=None if sight.settled is None else sight.settled.collateral,
        may_open=sight.new_risk is not None and sight.left.new_credit,
        may_liquidate=sight.settled is not None,
        peg="none" if worth is None else sight.peg.state.name.lower(),
        worth=None if worth is None else worth.value,
        worth_by="" if worth is None else worth.rule,
        worth_reasons=() if worth is None else worth.reasons,
        gates=_gates(one, now_ns),
    )


def _gates(one: Marked, now_ns: int) -> tuple[GateRow, ...]:
    dropped = {vote.family for vote in one.sight.mark.votes if not vote.kept}
    return tuple(
        GateRow(
            source=feed.source,
            family=feed.family,
            price=None if quote is None or quote.price != quote.price else quote.price,
            age_s=None if quote is None else (now_ns - quote.publish_ns) / SECOND_NS,
            refused=why,
            outlier=not why and feed.family in dropped,
        )
        for feed, quote, why in one.heard
    )


def _refused(one: Refused) -> str:
    return f"{one.source}: {one.reason}, {one.words}"
