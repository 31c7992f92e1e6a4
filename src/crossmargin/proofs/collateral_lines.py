"""What an account's collateral is the sum of: amounts of asset instances at stated prices, as integers.

    line     keccak(instance) ‖ amount, 16 bytes ‖ decimals, 1 ‖ price, 16 ‖ weight, 4
    lines    keccak(0x14 ‖ count, 4 bytes ‖ lines)                 by rising name of the instance
    counted  ⌊amount · price · weight / (10^decimals · 10⁹)⌋      quanta of money

The amount counts smallest units of the instance, the price quanta of money for a whole unit, the weight billionths that
are left after haircuts and caps. The digest of the lines enters the account's leaf, so the collateral in it is not a
number alone: it has parts, and a part may point at the slot of a state proof that holds the amount. Such a slot has to
be the account's own: it is keyed by the account, and by nothing else but the token, so that the same coins cannot back
two accounts or two lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.reasons import Reason, refuse, require
from crossmargin.proofs.state import ADDRESS_BYTES, WORD_BYTES, MapLayout, mapping_slot
from crossmargin.proofs.trees import SUM_BYTES, SUM_LIMIT

LINES: Final = b"\x14"
WEIGHT_ONE: Final = 10**9
INSTANCE_MAX: Final = 256
DECIMALS_MAX: Final = 36
LINES_MAX: Final = 256


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a line's amount is proven: `slot` of the statement's state proof `proof`, both by place.

    The slot is `map[keys[0]][keys[1]]…` of the mapping at slot `mapping`: keys are 0x and 20 or 32 bytes."""

    proof: int
    slot: int
    mapping: int
    keys: tuple[str, ...]
    layout: MapLayout


class CollateralLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount of one asset instance (CAIP-19), its price and what haircuts leave of it; integers in decimal text."""

    instance: str
    amount: str
    decimals: int
    price: str
    weight: int
    source: Source | None = None


def counted(line: CollateralLine) -> int:
    """What a line counts for, quanta of money, rounded down; raises `NotProved` for a figure out of range."""
    where = f"line {line.instance!r}"
    within = 0 <= line.decimals <= DECIMALS_MAX and 0 <= line.weight <= WEIGHT_ONE
    figures = (line.decimals, line.weight)
    require(within, Reason.MALFORMED, where, figures, f"decimals to {DECIMALS_MAX} and a weight to {WEIGHT_ONE}")
    amount, price = _amount(line.amount, where), _amount(line.price, where)
    scale: int = 10**line.decimals * WEIGHT_ONE
    return amount * price * line.weight // scale


def lines_digest(lines: Sequence[CollateralLine]) -> bytes:
    """What the account's leaf binds of its lines; raises `NotProved` for a line that cannot be written."""
    require(len(lines) <= LINES_MAX, Reason.WRONG_COUNT, "lines", len(lines), f"at most {LINES_MAX}")
    return keccak(LINES + len(lines).to_bytes(4, "big") + b"".join([_packed(line) for line in lines]))


def check_sum(lines: Sequence[CollateralLine], collateral: int) -> None:
    """The lines stand in their order and count for the stated collateral."""
    order = [line.instance for line in lines]
    require(order == sorted(order), Reason.NOT_CANONICAL, "lines", order[:20], "by rising name")
    found = sum(counted(line) for line in lines)
    require(found == collateral, Reason.WRONG_VALUE, "collateral", found, f"the stated {collateral}")


def check_source(
    line: CollateralLine, account: str, *, chain: str, slot: int, proven: int, home: str | None = None
) -> None:
    """The line's amount is in the slot, and the slot is the account's own; `slot` and `proven` are of a state proof.

    `home` is the chain that the contract names its owners' accounts by, where it is another (`CollateralVault.home`).
    """
    where, source = f"line {line.instance!r}", line.source
    assert source is not None, "the caller has looked"
    require(line.instance.startswith(f"{chain}/"), Reason.WRONG_VALUE, where, chain, "the chain of the instance")
    keys = [_key(text, where) for text in source.keys]
    others = [key for key in keys if key not in owner_keys(account, home or chain)]
    owned = len(keys) - len(others) == 1 and set(others) <= set(token_keys(line.instance)) and len(others) <= 1
    other = "" if home else " (where its vault names accounts by another chain, that home is to be known)"
    limit = f"a key that is the account's own on {home or chain}, {account!r}{other}, and at most that of the token"
    require(owned, Reason.WRONG_VALUE, where, source.keys, limit)
    require(0 <= source.mapping < 1 << 256, Reason.MALFORMED, where, source.mapping, "a slot in 256 bits")
    found = mapping_slot(source.mapping, keys, layout=source.layout)
    require(found == slot, Reason.WRONG_VALUE, where, f"{slot:#x}", f"the slot of its keys, {found:#x}")
    amount = _amount(line.amount, where)
    require(amount <= proven, Reason.WRONG_VALUE, where, amount, f"at most the proven {proven}")


def owner_keys(account: str, chain: str) -> tuple[bytes, ...]:
    """The keys that are an account's own: keccak of its id, and its address where its id is CAIP-10 on that chain."""
    hashed, form = keccak(account.encode()), re.fullmatch(re.escape(chain) + ":0x([0-9a-f]{40})", account)
    if form is None:
        return (hashed,)
    address = bytes.fromhex(form[1])
    return hashed, address, address.rjust(WORD_BYTES, b"\x00")


def token_keys(instance: str) -> tuple[bytes, ...]:
    """The keys of an ERC-20 instance in a mapping by token: its address, as it is and padded."""
    form = re.fullmatch(r".+/erc20:0x([0-9a-f]{40})", instance)
    return () if form is None else (bytes.fromhex(form[1]), bytes.fromhex(form[1]).rjust(WORD_BYTES, b"\x00"))


def _packed(line: CollateralLine) -> bytes:
    where = f"line {line.instance!r}"
    counted(line)
    named = 0 < len(line.instance) <= INSTANCE_MAX
    require(named, Reason.MALFORMED, where, len(line.instance), f"a name of 1 to {INSTANCE_MAX} characters")
    amount, price = _amount(line.amount, where), _amount(line.price, where)
    figures = amount.to_bytes(SUM_BYTES, "big") + bytes([line.decimals]) + price.to_bytes(SUM_BYTES, "big")
    return keccak(line.instance.encode()) + figures + line.weight.to_bytes(4, "big")


def _amount(text: str, where: str) -> int:
    canonical = text.isascii() and text.isdigit() and (text == "0" or not text.startswith("0")) and len(text) < 40
    require(canonical, Reason.NOT_CANONICAL, where, text[:80], "a decimal integer")
    number = int(text)
    require(number < SUM_LIMIT, Reason.OVERFLOW, where, number, "below 2¹²⁸")
    return number


def _key(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        key = b""
    form = len(key) in {ADDRESS_BYTES, WORD_BYTES} and text == "0x" + key.hex()
    if not form:
        raise refuse(Reason.NOT_CANONICAL, where, text[:80], "a key of 20 or 32 bytes, lower-case after 0x")
    return key
