"""Sensitivities of a book, by revaluing it: what a CRIF file of it would say.

Each amount is half the difference of two revaluations, one up and one down: per 1 % of a price, per basis point of a
rate at each tenor, and per point of at-the-money volatility, the whole smile moving in proportion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS
from crossmargin.instruments.table import Family, InstrumentTable
from crossmargin.margin.rulebooks.sensitivities.crif import Crif, crif_of
from crossmargin.margin.rulebooks.sensitivities.currencies import CURRENCIES
from crossmargin.margin.rulebooks.sensitivities.rows import PRODUCTS
from crossmargin.margin.rulebooks.sensitivities.tables import tenor_days
from crossmargin.market.snapshot import USD, Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.scenarios.scenario_set import Scenario, collect
from crossmargin.valuation.pnl import pnl
from crossmargin.valuation.world import surface_of

Risk: TypeAlias = Literal["equity", "commodity", "fx", "rates"]
TENORS: Final = ("2w", "1m", "3m", "6m", "1y", "2y", "3y", "5y", "10y", "15y", "20y", "30y")
PRICE_BUMP: Final = 0.01  # the unit of price sensitivities is one percent
RATE_BUMP: Final = 1e-4
VOL_BUMP: Final = 0.01  # relative; vega is divided by it again, so that only its curvature would show
VOL_POINT: Final = 0.01
_TYPES: Final = {"equity": "Risk_Equity", "commodity": "Risk_Commodity", "fx": "Risk_FX"}
_NAMED: Final = (Family.SPOT, Family.SENSITIVITIES)  # no derivative, or one whose factors the rule does not have


class FactorMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As what the rule sees an underlying: `risk`, `qualifier` and `bucket`, in trades of a `product_class`.

    `risk` "rates" is for bond futures: they move with the curve, and their price is no factor of its own.
    """

    underlying: str
    risk: Risk
    product_class: str
    qualifier: str = ""
    bucket: str = ""

    def __post_init__(self) -> None:
        where = f"mapping of {self.underlying}"
        check.known(self.product_class, PRODUCTS, "product_class", where=where)
        if self.risk != "rates" and not self.qualifier:
            raise InvalidInput("qualifier", where=where, value="", limit="a name", remedy="State it.")
        if self.risk in ("equity", "commodity") and not self.bucket:
            raise InvalidInput("bucket", where=where, value="", limit="a bucket", remedy="State it; none is assumed.")
        if self.risk == "fx":
            check.known(self.qualifier, CURRENCIES, "qualifier", where=where)


class ExposureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`mappings` by underlying; a currency pair against USD whose name is an ISO code needs none. `cash` are assets
    that count as USD. `sub_curves` names the curve of each currency, OIS where it does not."""

    mappings: tuple[FactorMapping, ...] = ()
    cash: tuple[str, ...] = ()
    sub_curves: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposures:
    """The CRIF of a book, portfolios being its accounts, and the instruments that the rule cannot see."""

    crif: Crif
    refused: tuple[str, ...]


def exposures_of(book: Book, snapshot: Snapshot, settings: ExposureSettings) -> Exposures:
    """The sensitivities of every account's positions.

    Refused by name: spot, sensitivity ladders, underlyings without mapping, settlement in an asset that is neither
    cash nor mapped, and options whose surface has no lognormal volatility. Orders and collateral take no part. Raises
    `DuplicateName` for two mappings of one underlying, `UnknownName` for one the market lacks, and `MissingFactors`.
    """
    mappings = _mappings(snapshot, settings)
    refused = {
        row
        for row in set(book.positions.instrument.tolist())
        if _refused(book.table, snapshot, row, mappings, settings)
    }
    units = _Units(book.table, snapshot, mappings, settings)
    rows: list[dict[str, str | float]] = []
    account = np.asarray(book.group_account)[book.positions.owner]
    for owner, row, quantity in zip(
        account.tolist(), book.positions.instrument.tolist(), book.positions.quantity.tolist(), strict=True
    ):
        if row not in refused:
            head: dict[str, str | float] = {"portfolio": book.accounts[owner], "trade": book.table.ids[row]}
            head |= {"amount_currency": USD, "im_model": "SIMM"}
            rows += [head | unit | {"amount_usd": quantity * amount} for unit, amount in units.of(row)]
    names = tuple(dict.fromkeys(book.table.ids[row] for row in sorted(refused)))
    return Exposures(crif=crif_of(rows, where="sensitivities of the book"), refused=names)


def _mappings(snapshot: Snapshot, settings: ExposureSettings) -> dict[str, FactorMapping]:
    check.unique((m.underlying for m in settings.mappings), "underlying", where="mappings")
    found = {
        name: FactorMapping(underlying=name, risk="fx", product_class="RatesFX", qualifier=name)
        for name, u in snapshot.underlyings.items()
        if u.kind == "fx" and name in CURRENCIES and u.quote == USD
    }
    for mapping in settings.mappings:
        check.known(mapping.underlying, snapshot.underlyings, "underlying", where="mappings")
        found[mapping.underlying] = mapping
    return found


def _refused(
    table: InstrumentTable,
    snapshot: Snapshot,
    row: int,
    mappings: Mapping[str, FactorMapping],
    settings: ExposureSettings,
) -> bool:
    if table.family[row] in _NAMED or table.underlying[row] < 0:
        return True
    name = table.underlyings[table.underlying[row]]
    if name not in mappings:
        return True
    settle, quote = table.assets[table.settle[row]], snapshot.underlyings[name].quote
    if any(not _priced(asset, snapshot, mappings, settings) for asset in (settle, quote)):
        return True
    surface = snapshot.underlyings[name].surface
    return bool(table.family[row] == Family.OPTION and surface is not None and not surface.lognormal)


def _priced(asset: str, snapshot: Snapshot, mappings: Mapping[str, FactorMapping], settings: ExposureSettings) -> bool:
    """Whether the rule knows what an asset is: USD, cash, or an underlying with a mapping."""
    if asset == USD or asset in settings.cash:
        return True
    return asset in snapshot.assets and snapshot.assets[asset].reference in mappings


class _Units:
    """Sensitivities of one contract held long, read from the columns of one revaluation."""

    def __init__(
        self,
        table: InstrumentTable,
        snapshot: Snapshot,
        mappings: Mapping[str, FactorMapping],
        settings: ExposureSettings,
    ) -> None:
        self.table, self.snapshot, self.mappings, self.settings = table, snapshot, mappings, settings
        self.curves = tuple(c for c in snapshot.rates if c in CURRENCIES)
        self.names = tuple(name for name, m in mappings.items() if m.risk != "rates")
        self.vols = tuple(name for name in self.names if snapshot.underlyings[name].surface is not None)
        bumps = {f"price {n}": ({snapshot.underlyings[n].factor: PRICE_BUMP}) for n in self.names}
        bumps |= {f"vol {n}": {f"vol:{n}": VOL_BUMP} for n in self.vols}
        for c in self.curves:
            # Every node is named in every column: a column that names one node alone would move the whole curve.
            still = {f"rate:{c}:{t}": 0.0 for t in TENORS}
            bumps |= {f"rate {c} {t}": still | {f"rate:{c}:{t}": RATE_BUMP} for t in TENORS}
        self.half = self._half_differences(bumps)

    def _half_differences(self, bumps: Mapping[str, Mapping[str, float]]) -> dict[str, FloatArray]:
        """(V(+) − V(−))/2 of every contract [instrument], by bump."""
        if not bumps or not len(self.table):
            return {name: np.zeros(len(self.table)) for name in bumps}
        columns = [
            Scenario(label=f"{name} {sign:+.0f}", family="price", shocks={f: sign * x for f, x in shocks.items()})
            for name, shocks in bumps.items()
            for sign in (1.0, -1.0)
        ]
        values = pnl(self.table, self.snapshot, collect(columns)).values
        return {name: (values[:, 2 * i] - values[:, 2 * i + 1]) / 2.0 for i, name in enumerate(bumps)}

    def of(self, row: int) -> list[tuple[dict[str, str | float], float]]:
        """Rows of a CRIF for one contract: its columns, and its amount in USD; zeros are left out."""
        product = self.mappings[self.table.underlyings[self.table.underlying[row]]].product_class
        found: list[tuple[dict[str, str | float], float]] = []
        for name in self.names:
            m = self.mappings[name]
            head = {"risk_type": _TYPES[m.risk], "qualifier": m.qualifier, "bucket": m.bucket}
            found.append(({**head}, float(self.half[f"price {name}"][row])))
        for c in self.curves:
            sub = self.settings.sub_curves.get(c, "OIS")
            for t in TENORS:
                head = {"risk_type": "Risk_IRCurve", "qualifier": c, "label1": t, "label2": sub}
                found.append(({**head}, float(self.half[f"rate {c} {t}"][row])))
        found += self._vegas(row)
        return [(head | {"product_class": product}, amount) for head, amount in found if amount != 0.0]

    def _vegas(self, row: int) -> list[tuple[dict[str, str | float], float]]:
        """Vega per vol point, shared between the two tenors around the option's."""
        name = self.table.underlyings[self.table.underlying[row]]
        if self.table.family[row] != Family.OPTION or name not in self.vols:
            return []
        m, expiry = self.mappings[name], self.table.expiry_ns[row : row + 1]
        at_the_money = float(surface_of(self.snapshot.underlyings[name]).vol(np.zeros(1), expiry)[0])
        vega = float(self.half[f"vol {name}"][row]) / VOL_BUMP * VOL_POINT / at_the_money
        pair = f"{m.qualifier}{USD}" if m.risk == "fx" else m.qualifier
        head = {"risk_type": f"{_TYPES[m.risk]}Vol", "qualifier": pair, "bucket": m.bucket}
        days = float(expiry[0] - self.snapshot.time_ns) / DAY_NS
        return [({**head, "label1": tenor}, vega * share) for tenor, share in _shared(days)]


def _shared(days: float) -> list[tuple[str, float]]:
    """The tenors around a term and the share of each: linear in days, whole beyond the ends."""
    nodes = [tenor_days(t, where="tenors") for t in TENORS]
    if days <= nodes[0] or days >= nodes[-1]:
        return [(TENORS[0 if days <= nodes[0] else -1], 1.0)]
    after = next(i for i, node in enumerate(nodes) if node > days)
    share = (days - nodes[after - 1]) / (nodes[after] - nodes[after - 1])
    return [(TENORS[after - 1], 1.0 - share), (TENORS[after], share)]
