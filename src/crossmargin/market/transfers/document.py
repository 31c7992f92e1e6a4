"""Routes between chains as they cross a border: who carries, what is awaited, what is charged, how long it takes.

A route is one way over one bridge of the registry. Its figures are dated, for fees and times change without notice.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

ANY: Final = "*"
Level: TypeAlias = Literal["soft", "final", "exit"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class _Record(_Part, frozen=True, kw_only=True):
    """What every record says: in which document, of which day, its figures stand."""

    source: str
    date: str


class Fee(_Part, frozen=True, kw_only=True):
    """What the protocol charges between two chains (CAIP-2, or "*"): a share of the amount and a fixed part.

    `utilisation_bps` is charged on top by the share of the pool that is lent out, as pools of relayers do.
    """

    origin: str = ANY
    destination: str = ANY
    share_bps: float = 0.0
    fixed_usd: float = 0.0
    utilisation_bps: float = 0.0


class Route(_Record, frozen=True, kw_only=True):
    """One way over `bridge` for `assets` (canonical names), from any of `origins` to any of `destinations` (CAIP-2).

    `level` is the finality of the origin that is awaited: a sequencer's word ("soft"), finality, or the canonical exit.
    After it come `attest_s` and `execute_s`, both medians; the whole is lognormal with `p95_over_p50`, and with
    probability `retry_share` a message fails and is executed by hand after about `retry_s`. `gas_origin` and
    `gas_destination` are gas units that the sender pays, `data_bytes` what a rollup posts of each side, `gas_markup`
    what an executor adds. `incidents` in `years` of the bridge and its kind are what its failure is estimated from.
    """

    route: str
    bridge: str
    assets: tuple[str, ...]
    origins: tuple[str, ...]
    destinations: tuple[str, ...]
    level: Level
    attest_s: float
    execute_s: float
    p95_over_p50: float
    retry_share: float
    retry_s: float
    fees: tuple[Fee, ...]
    gas_origin: float
    gas_destination: float
    data_bytes: float = 0.0
    gas_markup: float = 0.0
    incidents: int
    years: float


class GasPrice(_Record, frozen=True, kw_only=True):
    """What gas costs on `chain`: `coin` is the asset it is paid in, `price_gwei` 10⁻⁹ coins a unit of gas.

    `data_gwei` is what a rollup pays its home chain for a byte, in the same coin.
    """

    chain: str
    coin: str
    price_gwei: float
    data_gwei: float = 0.0


class TransferDocument(_Part, frozen=True, kw_only=True):
    """All routes, and gas by chain."""

    routes: tuple[Route, ...] = ()
    gas: tuple[GasPrice, ...] = ()
