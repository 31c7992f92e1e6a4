"""A model card as it crosses a border. Rates and ratios are decimals."""

from __future__ import annotations

import msgspec


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts."""


class Statement(_Part, frozen=True, kw_only=True):
    """One part of a model: what is assumed by having it, where it fails, and its source."""

    part: str
    assumption: str
    limit: str
    source: str


class Parameter(_Part, frozen=True, kw_only=True):
    """One number or choice by its path in the document."""

    path: str
    value: str


class CardEvidence(_Part, frozen=True, kw_only=True):
    """What one backtest says of the model; None where that backtest does not say.

    `unseen_coverage` is that of dates after the model was fixed, `crisis_coverage` that of the worst window,
    `crisis`. `fz0` is its mean score over the whole period, `kept` whether the Model Confidence Set holds it.
    `history_hash`, `book_hash` and `version` say what it was made from.
    """

    model: str
    source: str
    history_hash: str
    book_hash: str
    version: str
    first: str
    last: str
    accounts: int
    observations: int
    rate: float
    coverage: float
    unseen_from: str
    unseen_coverage: float | None
    crisis: str
    crisis_coverage: float | None
    loss_to_margin_max: float | None
    rise_5: float | None
    peak_to_trough: float | None
    cost_ratio: float | None
    baseline: str
    too_many_p: float
    fz0: float | None
    kept: bool | None


class ModelCard(_Part, frozen=True, kw_only=True):
    """All that a reader needs to judge a model. `hash` is that of its parameters; without `evidence`, `remark` says "
    "why."""

    name: str
    date: str
    owner: str
    kind: str
    purpose: str
    inputs: tuple[str, ...]
    statements: tuple[Statement, ...]
    parameters: tuple[Parameter, ...]
    source: str
    hash: str
    evidence: CardEvidence | None
    remark: str
