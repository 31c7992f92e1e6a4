"""How a market moves as one: a direction for all its underlyings, and one for each risk class.

A direction is that of the market, whoever holds what. So a column of the grid moves an underlying by the same amount
in every book, and what one account requires says nothing of another.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray
from crossmargin.market.snapshot import Snapshot

_TIE: Final = 1e-9  # relative: closer eigenvalues, and closer loadings, are one, so that no rounding chooses among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """What each underlying moves by, in shares of its range (in logs), while `leader` moves by all of its own.

    `risk_class` is the class that leads, "" for the market as a whole.
    """

    risk_class: str
    leader: str
    beta: Mapping[str, float]


def directions(snapshot: Snapshot, classes: Container[str]) -> tuple[Direction, ...]:
    """The directions of a market: all that it states correlations for, then class by class, all else following.

    Of underlyings in one of `classes` whose correlations ρ are stated, each set S has the first principal component v
    of ρ[S, S], and every underlying j moves by its covariance with it: β_j = (ρ[j, S]·v) / (ρ[l, S]·v), l being the
    one of S that loads most, and no |β| above 1. Within S that is v_j / v_l, for a class of one ρ[j, l]. No direction
    where the market correlates fewer than two; none of a class that is the whole market.
    """
    quoted = snapshot.underlyings
    names = sorted(n for n in snapshot.correlation_names if n in quoted and quoted[n].risk_class in classes)
    if len(names) < 2:
        return ()
    at = [snapshot.correlation_names.index(name) for name in names]
    rho = snapshot.correlation[np.ix_(at, at)]
    members: dict[str, list[int]] = {"": list(range(len(names)))}
    for i, name in enumerate(names):
        members.setdefault(quoted[name].risk_class, []).append(i)
    sets = {name: members[name] for name in sorted(members) if not name or len(members[name]) < len(names)}
    return tuple(_direction(name, names, rho, among) for name, among in sets.items())


def _direction(risk_class: str, names: Sequence[str], rho: FloatArray, among: list[int]) -> Direction:
    """The direction of a set. Of equal components the one nearest to the first that leads, so that there is one."""
    values, vectors = np.linalg.eigh(rho[np.ix_(among, among)])
    first = vectors[:, values >= values[-1] * (1.0 - _TIE)]
    onto = first @ first.T
    leads = int(np.argmax(onto.diagonal() >= onto.diagonal().max() * (1.0 - _TIE)))
    along = rho[:, among] @ onto[:, leads]
    beta = np.clip(along / along[among[leads]], -1.0, 1.0)
    return Direction(
        risk_class=risk_class, leader=names[among[leads]], beta=dict(zip(names, beta.tolist(), strict=True))
    )
