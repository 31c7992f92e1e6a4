"""What a transfer costs, part by part, over all routes between two chains and many amounts at once.

    cost = gas + protocol fee + slippage + r · amount · E[T] + p · LGD · amount,      p = 1 − (1 − p_year)^(E[T]/year)

p_year = (incidents + ½) / (years + 1) is the mean of the Beta posterior of a bridge's yearly failure under Jeffreys'
prior; what is in flight is lost whole (LGD 1). Slippage is the linear impact of swapping at the ends: half the amount
over the depth. Source: Jeffreys (1946), "An invariant form for the prior probability in estimation problems".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.core.errors import MissingFactors
from crossmargin.market.registry.document import Finality
from crossmargin.market.registry.registry import RegistryView
from crossmargin.market.transfers.build import YEAR_S, TransferTable, fee_between
from crossmargin.market.transfers.document import GasPrice, Route
from crossmargin.market.transfers.duration import Duration, chance_by, log_sd, mean_s, quantile_s

GWEI: Final = 1e-9
BP: Final = 1e-4
PARTS: Final = ("gas", "fee", "slippage", "carry", "failure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a transfer meets: prices of coins (USD), and stress.

    `rate` is what money costs a year; `utilisation` of pools that lend, in [0, 1]; `depth_usd` of the market in which
    the asset is swapped at the ends, None where it is not; `gas_multiple` and `delay_multiple` stress fees and waiting.
    """

    coin_usd: Mapping[str, float]
    rate: float = 0.05
    utilisation: float = 0.5
    depth_usd: float | None = None
    gas_multiple: float = 1.0
    delay_multiple: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TransferCosts:
    """Routes between two chains: `parts_usd` [route, amount, part] in the order of `PARTS`, times [route].

    `failure` [route] is the probability that the bridge fails while the value is in flight.
    """

    routes: tuple[str, ...]
    amount_usd: FloatArray
    parts_usd: FloatArray
    duration: Duration
    failure: FloatArray

    @property
    def cost_usd(self) -> FloatArray:
        """All parts together [route, amount]."""
        return np.asarray(self.parts_usd.sum(axis=2))

    def time_s(self, level: float) -> FloatArray:
        """The time by which a share `level` of transfers has arrived [route]."""
        return quantile_s(self.duration, level)

    def chance_by(self, deadline_s: FloatArray) -> FloatArray:
        """The probability of arrival by the deadline of each route, the bridge not failing [route]."""
        return np.asarray(chance_by(self.duration, deadline_s) * (1.0 - self.failure))


def transfer_costs(
    table: TransferTable,
    registry: RegistryView,
    *,
    asset: str,
    origin: str,
    destination: str,
    amount_usd: Sequence[float] | FloatArray,
    conditions: Conditions,
) -> TransferCosts:
    """Every route of `table` that carries `asset` from `origin` to `destination` (CAIP-2), for amounts [amount] in USD.

    A route over a bridge that is paused or exploited is left out. No route gives an empty answer. Raises `UnknownName`
    for names outside the registry, `InvalidInput` for figures outside their limits and `MissingFactors` for the price
    of a coin that pays for gas.
    """
    check.known(asset, registry.assets, "asset", where="transfer")
    for chain in (origin, destination):
        check.known(chain, registry.chains, "chain", where="transfer")
    _check_conditions(conditions)
    amounts = np.asarray(amount_usd, dtype=np.float64)
    for amount in amounts.tolist():
        check.within(amount, "amount (USD)", 0.0, 1e15, where="transfer")
    lane = (asset, origin, destination)
    routes = [r for r in table.routes.values() if serves(r, *lane) and _is_open(r, registry)]
    gas = _gas_usd(routes, (table.gas[origin], table.gas[destination]), conditions) if routes else np.zeros(0)
    duration = _duration(routes, registry.chains[origin].finality, conditions)
    failure = _failure(routes, duration)
    return TransferCosts(
        routes=tuple(route.route for route in routes),
        amount_usd=frozen(amounts),
        parts_usd=frozen(_parts(routes, (origin, destination), amounts, gas, duration, failure, conditions)),
        duration=duration,
        failure=frozen(failure),
    )


def _check_conditions(conditions: Conditions) -> None:
    check.within(conditions.rate, "rate", 0.0, 10.0, where="transfer")
    check.within(conditions.utilisation, "utilisation", 0.0, 1.0, where="transfer")
    check.within(conditions.gas_multiple, "gas multiple", 1.0, 1e4, where="transfer")
    check.within(conditions.delay_multiple, "delay multiple", 1.0, 1e4, where="transfer")
    if conditions.depth_usd is not None:
        check.positive(conditions.depth_usd, "depth (USD)", where="transfer")


def serves(route: Route, asset: str, origin: str, destination: str) -> bool:
    """Whether a route carries an asset from one chain to another, open or not."""
    ways = asset in route.assets and origin in route.origins and destination in route.destinations
    return ways and origin != destination


def _is_open(route: Route, registry: RegistryView) -> bool:
    return registry.bridges[route.bridge].incident in ("none", "watch")


def _gas_usd(routes: Sequence[Route], ends: tuple[GasPrice, GasPrice], conditions: Conditions) -> FloatArray:
    """Gas at origin and destination [route]; what runs at the destination bears the executor's markup."""
    if missing := [f"spot:{g.coin}" for g in ends if g.coin not in conditions.coin_usd]:
        raise MissingFactors(missing, where="transfer", remedy="Add the price of the coin that pays for gas.")
    units = np.asarray([(r.gas_origin, r.gas_destination) for r in routes], np.float64)
    data = np.asarray([r.data_bytes for r in routes], np.float64)[:, None]
    coin = [check.positive(conditions.coin_usd[g.coin], f"price of {g.coin}", where="transfer") for g in ends]
    gwei = units * [g.price_gwei for g in ends] + data * [g.data_gwei for g in ends]
    sides = gwei * coin * (GWEI * conditions.gas_multiple)
    return np.asarray(sides[:, 0] + sides[:, 1] * (1.0 + np.asarray([r.gas_markup for r in routes])))


def awaited_s(route: Route, finality: Finality) -> float:
    """Seconds of the origin's finality that a route awaits; `build_transfers` has checked that they are stated."""
    found = {"soft": finality.soft_s, "final": finality.final_s, "exit": finality.exit_s}[route.level]
    assert found is not None, route.route
    return found


def _duration(routes: Sequence[Route], finality: Finality, conditions: Conditions) -> Duration:
    median = [awaited_s(route, finality) + route.attest_s + route.execute_s for route in routes]
    return Duration(
        median_s=frozen(np.asarray(median, dtype=np.float64) * conditions.delay_multiple),
        log_sd=frozen(log_sd(np.asarray([route.p95_over_p50 for route in routes], dtype=np.float64))),
        retry_share=frozen(np.asarray([route.retry_share for route in routes], dtype=np.float64)),
        retry_s=frozen(np.asarray([route.retry_s for route in routes], dtype=np.float64)),
    )


def yearly_failure(incidents: float, years: float) -> float:
    """The mean probability that a bridge fails within a year, after `incidents` in `years`."""
    return (incidents + 0.5) / (years + 1.0)


def _failure(routes: Sequence[Route], duration: Duration) -> FloatArray:
    yearly = np.asarray([yearly_failure(route.incidents, route.years) for route in routes], dtype=np.float64)
    return np.asarray(-np.expm1(np.log1p(-np.minimum(yearly, 1.0 - 1e-12)) * mean_s(duration) / YEAR_S))


def _parts(
    routes: Sequence[Route],
    ends: tuple[str, str],
    amounts: FloatArray,
    gas: FloatArray,
    duration: Duration,
    failure: FloatArray,
    conditions: Conditions,
) -> FloatArray:
    fees = [fee_between(route, *ends) for route in routes]
    share = np.asarray([fee.share_bps + fee.utilisation_bps * conditions.utilisation for fee in fees], np.float64) * BP
    fixed = np.asarray([fee.fixed_usd for fee in fees], np.float64)
    impact = np.zeros(len(amounts)) if conditions.depth_usd is None else 0.5 * amounts**2 / conditions.depth_usd
    carry = conditions.rate * mean_s(duration) / YEAR_S
    parts = (
        np.broadcast_to(gas[:, None], (len(routes), len(amounts))),
        fixed[:, None] + share[:, None] * amounts,
        np.broadcast_to(impact, (len(routes), len(amounts))),
        carry[:, None] * amounts,
        failure[:, None] * amounts,
    )
    return np.stack(parts, axis=2)
