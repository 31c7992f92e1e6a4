"""Margin of Opyn's Gamma vaults, in integers.

A vault holds at most one short and one long series of the same kind and expiry. A full vault must hold the greatest
loss; a naked vault has no long, and must hold the loss after a fall (or rise) of the spot plus a bound on the value of
the option then. Puts are collateralised in the strike asset, calls in the underlying. There is one level of margin.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.terms import Right
from crossmargin.margin.rulebooks.integers import whole
from crossmargin.margin.rulebooks.opyn.fixed_point import FROM_TOKEN, ONE, div, fixed, mul, to_units

Kind: TypeAlias = Literal["full", "naked"]
DAY_S = 86_400
LIMIT = 2**128  # amounts and prices beyond it are no tokens


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class Tenor(_Part, frozen=True, kw_only=True):
    """The bound on an option's value for expiries up to `days`."""

    days: int
    upper_bound: Decimal


class Parameters(_Part, frozen=True, kw_only=True):
    """Spot shock and tenors of the products on `coins`; parts of one, cut to 27 decimals."""

    source: str
    date: str
    coins: tuple[str, ...]
    strike_asset: str
    spot_shock: Decimal
    tenors: tuple[Tenor, ...]

    def __post_init__(self) -> None:
        """Check that all parts are in [0, 1], and tenors ascend."""
        for name, part in [
            ("spot_shock", self.spot_shock),
            *((f"tenor {t.days} d", t.upper_bound) for t in self.tenors),
        ]:
            if not part.is_finite() or not 0 <= part <= 1:
                limit, remedy = "between 0 and 1", "Correct the parameter set."
                raise InvalidInput(name, where="opyn-gamma", value=str(part), limit=limit, remedy=remedy)
        days = [t.days for t in self.tenors]
        if not days or days != sorted(set(days)) or days[0] <= 0:
            limit, remedy = "positive and ascending", "Correct the parameter set."
            raise InvalidInput("days of the tenors", where="opyn-gamma", value=days, limit=limit, remedy=remedy)

    def upper_bound(self, seconds: int) -> int:
        """The bound at a time to expiry: that of the next longer tenor. Raises `InvalidInput` beyond the last."""
        for tenor in self.tenors:
            if tenor.days * DAY_S >= seconds:
                return fixed(tenor.upper_bound)
        last = self.tenors[-1].days
        raise InvalidInput(
            "time to expiry",
            where="opyn-gamma",
            value=f"{seconds} s",
            limit=f"at most {last} days for a naked vault",
            remedy="Use a full vault.",
        )


class Vault(_Part, frozen=True, kw_only=True):
    """Amounts in option tokens of 10⁻⁸, strikes and `spot` in 10⁻⁸ of the strike asset.

    `collateral` in units of 10^−`decimals` of its asset; `long_strike` 0 where there is no long.
    """

    kind: Kind
    right: Right
    short: int
    short_strike: int
    seconds_to_expiry: int
    spot: int
    collateral: int = 0
    decimals: int = 6
    long: int = 0
    long_strike: int = 0

    def __post_init__(self) -> None:
        """Check all numbers."""
        where = "opyn vault"
        for name in ("short", "long", "long_strike", "collateral"):
            whole(getattr(self, name), name, 0, LIMIT, where=where)
        for name in ("short_strike", "spot", "seconds_to_expiry"):
            whole(getattr(self, name), name, 1, LIMIT, where=where)
        whole(self.decimals, "decimals", 0, 27, where=where)
        if self.kind == "naked" and self.long:
            remedy = "Use a full vault."
            raise InvalidInput("long amount", where=where, value=self.long, limit="0 in a naked vault", remedy=remedy)
        if bool(self.long) != bool(self.long_strike):
            limit, remedy = "given together with its amount", "Give both, or neither."
            raise InvalidInput("long strike", where=where, value=self.long_strike, limit=limit, remedy=remedy)


class VaultMargin(_Part, frozen=True, kw_only=True):
    """`required` in fixed point of 27 decimals; `excess` or `deficit` in units of the collateral.

    The excess is rounded down and the deficit up: both against the owner of the vault.
    """

    required: int
    excess: int
    deficit: int

    @property
    def healthy(self) -> bool:
        """Whether the vault holds what it must."""
        return self.deficit == 0


def margin_of(vault: Vault, parameters: Parameters) -> VaultMargin:
    """What a vault must hold, in the strike asset (put) or the underlying (call).

    Naked put: q (A min(K, x S) + max(K − x S, 0)); naked call: q (A min(1, x K/S) + max(1 − x K/S, 0)), A by tenor.
    Full put: max(q K − K' min(q, q'), 0); full call: max((K' − K) q/K', q − q', 0), K' and q' those of the long.
    Source: opynfinance/GammaProtocol @ 841f81d9, MarginCalculator.
    """
    required = _naked(vault, parameters) if vault.kind == "naked" else _full(vault)
    held = vault.collateral * 10 ** (27 - vault.decimals)
    return VaultMargin(
        required=required,
        excess=to_units(max(held - required, 0), vault.decimals, down=True),
        deficit=to_units(max(required - held, 0), vault.decimals, down=False),
    )


def _naked(vault: Vault, parameters: Parameters) -> int:
    size, strike, spot = (x * FROM_TOKEN for x in (vault.short, vault.short_strike, vault.spot))
    shock, bound = fixed(parameters.spot_shock), parameters.upper_bound(vault.seconds_to_expiry)
    if vault.right == "put":
        whole_price, shocked = strike, mul(shock, spot)
    else:
        whole_price, shocked = ONE, div(mul(strike, shock), spot)
    return mul(mul(bound, min(whole_price, shocked)) + max(whole_price - shocked, 0), size)


def _full(vault: Vault) -> int:
    short, long, strike, other = (
        x * FROM_TOKEN for x in (vault.short, vault.long, vault.short_strike, vault.long_strike)
    )
    if vault.right == "put":
        return max(mul(short, strike) - mul(other, min(short, long)), 0)
    if not other:
        return max(short - long, 0)
    return max(div(mul(other - strike, short), other), short - long, 0)


class Auction(_Part, frozen=True, kw_only=True):
    """`elapsed_s` of an auction of `length_s`; `oracle_deviation` a part of the spot by which the start is lowered."""

    elapsed_s: int
    length_s: int
    oracle_deviation: Decimal

    def __post_init__(self) -> None:
        """Check all numbers."""
        whole(self.elapsed_s, "elapsed_s", 0, LIMIT, where="opyn auction")
        whole(self.length_s, "length_s", 1, LIMIT, where="opyn auction")
        if not self.oracle_deviation.is_finite() or not 0 <= self.oracle_deviation <= 1:
            value, remedy = str(self.oracle_deviation), "Correct the parameter."
            limit = "between 0 and 1"
            raise InvalidInput("oracle deviation", where="opyn auction", value=value, limit=limit, remedy=remedy)


def liquidation_price(vault: Vault, auction: Auction) -> int:
    """What a liquidator is paid for one option token, in units of the collateral, rounded down.

    It rises linearly from max(intrinsic − deviation·S, 0), for a call divided by S, to collateral over debt.
    Raises `InvalidInput` for a vault without debt.
    """
    whole(vault.short, "short amount", 1, LIMIT, where="opyn auction")
    spot, strike = vault.spot * FROM_TOKEN, vault.short_strike * FROM_TOKEN
    end = div(vault.collateral * 10 ** (27 - vault.decimals), vault.short * FROM_TOKEN)
    intrinsic = max(strike - spot if vault.right == "put" else spot - strike, 0)
    start = max(intrinsic - mul(fixed(auction.oracle_deviation), spot), 0)
    start = start if vault.right == "put" else div(start, spot)
    price = end
    if auction.elapsed_s < auction.length_s:
        elapsed, length = (s * ONE for s in (auction.elapsed_s, auction.length_s))
        price = min(start + div(mul(end - start, elapsed), length), end)
    return to_units(price, vault.decimals, down=True)
