"""The report of a backtest as it crosses a border. Amounts in USD; rates and ratios are decimals."""

from __future__ import annotations

import msgspec

from crossmargin.engine.outlook.predictor import Adoption
from crossmargin.validation.disclosure import Principle6
from crossmargin.validation.statistics.coverage import Zone
from crossmargin.validation.statistics.results import Conventions, Flag, Side


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts."""


class Spread(_Part, frozen=True, kw_only=True):
    """One figure over accounts: the middle one and the greatest."""

    median: float
    greatest: float


class Group(_Part, frozen=True, kw_only=True):
    """Some accounts over some dates, by one model.

    Coverage, `loss_to_margin` of breaches (mean), rises over 1, 5 and 10 dates and `peak_to_trough` − 1 are the six
    figures that Eurex publishes; where they are of single accounts, the middle account and the worst are shown.
    `too_many_p` is the chance of so many exceptions or more under the nominal rate, from the daily share of accounts
    in breach and its Newey–West error: accounts of one date are not independent. `pof_low` and `cc_low` count the
    accounts that Kupiec's and Christoffersen's tests reject at 5 % for too many exceptions. `cost_ratio` is the sum of
    margins over that of the baseline.
    """

    name: str
    first: str
    last: str
    accounts: int
    dates: int
    observations: int
    exceptions: int
    coverage: float
    too_many_p: float
    pof_low: int
    cc_low: int
    loss_to_margin: float | None
    loss_to_margin_max: float | None
    uncovered_mean_usd: float
    uncovered_max_usd: float
    rise_1: Spread | None
    rise_5: Spread | None
    rise_10: Spread | None
    peak_to_trough: Spread | None
    margin_mean_usd: float
    cost_ratio: float | None


class Verdict(_Part, frozen=True, kw_only=True):
    """One test of one account; None where it is not defined, and the flag says why."""

    statistic: float | None
    p_value: float | None
    critical: float | None
    side: Side
    flag: Flag


class AccountLine(_Part, frozen=True, kw_only=True):
    """One account by one model. `zone` is Basel's of the latest 250 dates; `tests` by name."""

    account: str
    family: str
    side: str
    observations: int
    exceptions: int
    coverage: float
    zone: Zone
    loss_to_margin: float | None
    loss_to_margin_max: float | None
    rise_1: float | None
    rise_5: float | None
    rise_10: float | None
    peak_to_trough: float | None
    margin_mean_usd: float
    cost_ratio: float | None
    tests: dict[str, Verdict]


class ModelEvidence(_Part, frozen=True, kw_only=True):
    """All that is said of one model: `whole`, `periods` before and after it was chosen, and the parts of `whole`.

    The first `warm_up_dates` of the backtest, on which it was still learning, are in none of them."""

    model: str
    rule: str
    whole: Group
    periods: tuple[Group, ...]
    sides: tuple[Group, ...]
    families: tuple[Group, ...]
    windows: tuple[Group, ...]
    accounts: tuple[AccountLine, ...]
    disclosed: Principle6
    largest_exception: str
    warm_up_dates: int = 0


class ScoreLine(_Part, frozen=True, kw_only=True):
    """One model's forecast of the tail: mean FZ0 and pinball scores (less is better), and where it stands.

    `against` is Diebold and Mariano's statistic against the baseline (negative: better) and `against_p` its p-value;
    `set_p` the p-value of the Model Confidence Set, `kept` whether the model is in it.
    """

    model: str
    fz0: float
    pinball_usd: float
    exceptions: int
    coverage: float
    against: float | None
    against_p: float | None
    set_p: float
    kept: bool


class Scores(_Part, frozen=True, kw_only=True):
    """Scores over one period, means over `accounts` of each date; best first."""

    period: str
    rate: float
    baseline: str
    accounts: int
    dates: int
    lines: tuple[ScoreLine, ...]
    rule: str


class Path(_Part, frozen=True, kw_only=True):
    """One account date by date: P&L over the horizon, and the margin of some models before it."""

    account: str
    set_ms: tuple[int, ...]
    pnl_usd: tuple[float, ...]
    margin_usd: dict[str, tuple[float, ...]]


class FrontierLine(_Part, frozen=True, kw_only=True):
    """One choice of tools against procyclicality and what it brings; worst of `crisis_coverage` over windows."""

    stressed_weight: float
    floor: float
    decay: float
    is_default: bool
    coverage: float
    crisis_coverage: float | None
    loss_to_margin_max: float | None
    rise_5: Spread | None
    peak_to_trough: Spread | None
    cost_ratio: float | None


class Target(_Part, frozen=True, kw_only=True):
    """A figure that the default model should reach: `value` against `limit`, at least or at most."""

    name: str
    value: float | None
    limit: float
    at_least: bool
    met: bool | None


class WindowLine(_Part, frozen=True, kw_only=True):
    """A window that the test covers."""

    name: str
    start: str
    end: str
    source: str


class BacktestReport(_Part, frozen=True, kw_only=True):
    """Margins of static portfolios, set before each move by models that knew the past alone, against what came.

    `default` is the first model that was asked for; costs and scores are against `baseline`. `left_out` are models
    that could not be run, with the reason. `hashes` are the parameters of those that have a document (`tested_hash`).
    `adoption` says where the predictive margin beats the others, and is used.
    """

    source: str
    history_hash: str
    book_hash: str
    version: str
    first: str
    last: str
    unseen_from: str
    horizon_days: float
    rate: float
    default: str
    baseline: str
    conventions: Conventions
    windows: tuple[WindowLine, ...]
    models: tuple[ModelEvidence, ...]
    scores: tuple[Scores, ...]
    targets: tuple[Target, ...]
    frontier: tuple[FrontierLine, ...]
    paths: tuple[Path, ...]
    left_out: dict[str, str]
    adoption: Adoption | None = None
    hashes: dict[str, str] = {}
