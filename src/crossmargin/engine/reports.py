"""Answers as they cross a border: frozen values for JSON, tables and pages.

USD amounts are float64 with a gain, an asset and an excess positive; a requirement is not negative. Times are integer
milliseconds UTC.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from crossmargin.engine.token_reports import ChainTermShare, Standing, TokenLine
from crossmargin.margin.rulebooks.rulebook import Certainty

Status: TypeAlias = Literal["healthy", "restricted", "liquidation"]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts of an answer."""


class Term(_Part, frozen=True, kw_only=True):
    """One named term of a requirement, USD."""

    name: str
    initial: float
    maintenance: float


class CollateralLine(_Part, frozen=True, kw_only=True):
    """One holding: gross value, what is taken off, and what counts (`recognised_usd` = gross − haircut − capped).

    `held_usd` counts behind risk that was taken before. `token` where it names its instance on a chain.
    """

    asset: str
    chain: str
    issuer: str
    amount: float
    price_usd: float
    gross_usd: float
    haircut_usd: float
    capped_usd: float
    recognised_usd: float
    held_usd: float
    token: TokenLine | None = None


class GroupReport(_Part, frozen=True, kw_only=True):
    """One margin group: its requirement by term, and the scenario in which it loses most.

    `worst_loss_usd` is the loss in that scenario (0 and "" for a group margined by rule), `scan_usd` the measure before
    factors, which is the same for the worst case. `standard_error_usd` is the sampling error of the measure, None where
    scenarios are no sample: under the worst case, for a grid, by rule.
    """

    id: str
    mode: Literal["isolated", "cross", "portfolio"]
    initial_usd: float
    maintenance_usd: float
    terms: tuple[Term, ...]
    worst_scenario: str
    worst_loss_usd: float
    positions: int
    orders: int
    scan_usd: float = 0.0
    standard_error_usd: float | None = None


class PoolReport(_Part, frozen=True, kw_only=True):
    """Collateral and the groups it secures.

    `equity_usd` = recognised collateral + unsettled P&L + position value stands behind new risk, `held_equity_usd`
    behind risk that was taken before: the two differ while a chain or a peg is quarantined. `terms` holds what the pool
    requires beyond its groups (wrong way, bridges, chains). `status`: healthy when equity covers initial margin,
    restricted when held equity covers maintenance, liquidation otherwise. `margin_ratio` = maintenance / held equity
    (None when that is not positive and something is required).
    """

    id: str
    asset: str
    equity_usd: float
    held_equity_usd: float
    collateral_usd: float
    unsettled_usd: float
    position_value_usd: float
    initial_usd: float
    maintenance_usd: float
    excess_initial_usd: float
    excess_maintenance_usd: float
    margin_ratio: float | None
    status: Status
    terms: tuple[Term, ...]
    groups: tuple[GroupReport, ...]
    collateral: tuple[CollateralLine, ...]


class Doubt(_Part, frozen=True, kw_only=True):
    """A term that is not exact, or that a reader must know something of."""

    term: str
    certainty: Certainty
    note: str


class Ruling(_Part, frozen=True, kw_only=True):
    """By which rulebook an account was margined, and how far its figures can be trusted.

    `refused` is what the rulebook does not list and leaves out of every figure; with positions or orders among it the
    requirement is `partial`. `binding` is the largest term.
    """

    rulebook: str
    name: str
    date: str
    certainty: Certainty
    binding: str
    partial: bool
    refused: tuple[str, ...]
    notes: tuple[str, ...]
    doubts: tuple[Doubt, ...]


class AccountReport(_Part, frozen=True, kw_only=True):
    """One account: the sums over its pools, and the worst status among them; `ruling` where a rulebook margined it.

    `standings` are its collateral by asset, chain and bridge, where the market states chains.
    A rulebook sees one pool and one group, whatever the book says; what it counts of collateral is what the equity of
    the collateral alone rises by with each holding, in their order, and the position value all that positions add.
    """

    id: str
    equity_usd: float
    held_equity_usd: float
    initial_usd: float
    maintenance_usd: float
    excess_initial_usd: float
    margin_ratio: float | None
    status: Status
    pools: tuple[PoolReport, ...]
    ruling: Ruling | None = None
    standings: tuple[Standing, ...] = ()


class Proxied(_Part, frozen=True, kw_only=True):
    """A factor of which a `share` of the dates was filled from a proxy, at a beta and with a resampled own part."""

    factor: str
    proxy: str
    beta: float
    share: float


class Sampling(_Part, frozen=True, kw_only=True):
    """What a statistical measure reads: `tail` of the `scenarios` lie beyond its level (None: they weigh unequally).

    Where they are of a calibration, `method`, horizon and `source` say what each stands for, columns of stress beside
    them weigh `stressed_share` of all, and `unmoved` names the factors of the market that the account depends on and no
    scenario moves. Standard errors take `independent` of the scenarios as independent, all or, where they are windows
    of the past that overlap, one in every `horizon_bars`; a draw adds nothing to what the model was fitted to.
    """

    measure: Literal["value_at_risk", "expected_shortfall"]
    level: float
    scenarios: int
    tail: int | None
    method: Literal["grid", "historical", "filtered", "monte_carlo"] = "grid"
    horizon_days: float | None = None
    horizon_bars: int = 1
    horizon_rule: Literal["overlapping", "bootstrap", "square_root"] = "overlapping"
    source: str = ""
    stressed_share: float = 0.0
    independent: float | None = None
    unmoved: tuple[str, ...] = ()
    proxied: tuple[Proxied, ...] = ()


class Provenance(_Part, frozen=True, kw_only=True):
    """What a result was computed from: the same hashes give the same bits; `sampling` under a statistical measure,
    `registry_hash` where the market states chains."""

    version: str
    as_of_ms: int
    model: str
    model_hash: str
    snapshot_hash: str
    scenario_hash: str
    book_hash: str
    scenarios: int
    measure: str
    sampling: Sampling | None = None
    registry_hash: str = ""


class MarginReport(_Part, frozen=True, kw_only=True):
    """The margin of every account of a book.

    `standings` are the collateral of all its accounts together by asset, chain, bridge and token, where the market
    states chains.
    """

    provenance: Provenance
    accounts: tuple[AccountReport, ...]
    standings: tuple[Standing, ...] = ()


class SimulateReport(_Part, frozen=True, kw_only=True):
    """A what-if: the account before and after, side by side."""

    provenance: Provenance
    added: tuple[str, ...]
    before: AccountReport
    after: AccountReport


class ScenarioLine(_Part, frozen=True, kw_only=True):
    """P&L of one scenario, USD, damped where the scenario is."""

    label: str
    family: str
    pnl_usd: float


class PositionLine(_Part, frozen=True, kw_only=True):
    """One position: greeks in USD and its share of the scan.

    `delta_usd` per 100 % move, `gamma_usd` change of delta per 1 % move, `vega_usd` per vol point, `theta_usd` per
    day. `euler_usd` adds up to the scan before factors (under a rulebook to its IM; None where the rule is not
    homogeneous, so that no shares add up); `marginal_usd` is the requirement (IM) with it minus without it.
    """

    instrument: str
    underlying: str
    quantity: float
    price: float
    value_usd: float
    delta_usd: float
    gamma_usd: float
    vega_usd: float
    theta_usd: float
    euler_usd: float | None
    marginal_usd: float


class Share(_Part, frozen=True, kw_only=True):
    """A part's Euler share of the scan (as in `PositionLine`), and the requirement (IM) with it minus without it."""

    name: str
    euler_usd: float | None
    marginal_usd: float


class GroupExplanation(_Part, frozen=True, kw_only=True):
    """Why a group requires what it does.

    `scenarios` is the whole P&L vector of its positions with its orders at their worst fill, in the order of the set:
    what the scan is taken from. The shares of `positions` and `underlyings` are those of the positions alone.
    """

    id: str
    scenarios: tuple[ScenarioLine, ...]
    positions: tuple[PositionLine, ...]
    underlyings: tuple[Share, ...]


class Distance(_Part, frozen=True, kw_only=True):
    """Prices of one underlying, everything else held, at which equity meets maintenance; None where it never does."""

    pool: str
    underlying: str
    price: float
    below: float | None
    above: float | None
    searched_from: float
    searched_to: float


class Frontier(_Part, frozen=True, kw_only=True):
    """Relative moves of two underlyings at which equity meets maintenance; None where the search found no edge."""

    pool: str
    first: str
    second: str
    points: tuple[tuple[float, float] | None, ...]


class Capacity(_Part, frozen=True, kw_only=True):
    """The largest further order, by side, after which equity still covers initial margin; in contracts.

    None means that no size was found that breaks it.
    """

    group: str
    instrument: str
    buy: float | None
    sell: float | None


class Change(_Part, frozen=True, kw_only=True):
    """What moved the requirement since a previous result; the three parts add up to after − before."""

    before_initial_usd: float
    after_initial_usd: float
    positions_usd: float
    market_usd: float
    parameters_usd: float


class SpotCurve(_Part, frozen=True, kw_only=True):
    """P&L of the account by move of one underlying, now: `pnl_usd[i]` at `moves[i]`, everything else held."""

    underlying: str
    moves: tuple[float, ...]
    pnl_usd: tuple[float, ...]


class RiskArray(_Part, frozen=True, kw_only=True):
    """P&L of the account by price move (rows) and vol move (columns) of one underlying, or of all together ("all")."""

    underlying: str
    moves: tuple[float, ...]
    vol_moves: tuple[float, ...]
    pnl_usd: tuple[tuple[float, ...], ...]


class ExplainReport(_Part, frozen=True, kw_only=True):
    """Everything about one account; `by_group` are the shares of its groups in the whole, `by_token` those of its
    collateral on chains, and `by_chain_term` of what chains and bridges add."""

    provenance: Provenance
    account: AccountReport
    groups: tuple[GroupExplanation, ...]
    by_group: tuple[Share, ...]
    distances: tuple[Distance, ...]
    frontiers: tuple[Frontier, ...]
    capacity: tuple[Capacity, ...]
    spot_curves: tuple[SpotCurve, ...]
    risk_arrays: tuple[RiskArray, ...]
    change: Change | None = None
    by_token: tuple[Share, ...] = ()
    by_chain_term: tuple[ChainTermShare, ...] = ()


class StressReport(_Part, frozen=True, kw_only=True):
    """P&L and equity of each account by named shock, and a risk array of prices by vols; `events` are the shocks."""

    provenance: Provenance
    accounts: tuple[StressAccount, ...]
    events: tuple[StressEvent, ...] = ()


class StressEvent(_Part, frozen=True, kw_only=True):
    """One shock as it was applied: its moves, where they are from, and what the market left of it.

    `left_out` are factors that the market lacks, `shortened` falls by everything or more as they had been: a shock is
    a share of a price, or of the scale of its surface, and leaves some of it. A shock of which nothing is left has no
    moves, and no line in any account.
    """

    label: str
    date: str
    window: str
    source: str
    moves: dict[str, float]
    left_out: tuple[str, ...]
    shortened: dict[str, float]


class StressedMargin(_Part, frozen=True, kw_only=True):
    """What counts and is asked for in the market after a shock, all made again; `unmoved` are factors that stayed."""

    label: str
    equity_usd: float
    held_equity_usd: float
    initial_usd: float
    maintenance_usd: float
    status: Status
    unmoved: tuple[str, ...]


class StressAccount(_Part, frozen=True, kw_only=True):
    """One account under stress. `pnl_usd` of a line covers positions and collateral (before haircuts), and `equity_usd`
    is what stands against it: held equity.

    `margins` holds what would be asked for after each shock that leaves a market to margin in.
    """

    id: str
    equity_usd: float
    lines: tuple[ScenarioLine, ...]
    risk_arrays: tuple[RiskArray, ...]
    ruling: Ruling | None = None
    margins: tuple[StressedMargin, ...] = ()
