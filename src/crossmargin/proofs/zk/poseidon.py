"""Poseidon over the base field of the curve Pallas: the hash that a circuit of Kimchi can compute.

A sponge of three numbers modulo p takes two inputs at a time; the first number of its state is the hash. One of 55
rounds is

    xᵢ ← Σⱼ Mᵢⱼ · xⱼ⁷ + cᵢ

An input that is alone is joined by a zero, so what is hashed has a length that is known. M and c are no table: they
follow from SHA-256 of counted names, so nobody chose them.

Source: Grassi, Khovratovich, Rechberger, Roy and Schofnegger (2021), "Poseidon: a new hash function for zero-knowledge
proof systems"; O(1) Labs (2024), proof-systems, `poseidon/src/pasta/params.sage`, the parameters "kimchi".
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Sequence
from typing import Final

MODULUS: Final = 0x40000000000000000000000000000000224698FC094CF91B992D30ED00000001
_WIDTH: Final = 3
_ROUNDS: Final = 55
_NAME: Final = "CodaRescuePasta_p_kimchi"

_Row = tuple[int, int, int]


def poseidon(numbers: Sequence[int]) -> int:
    """The hash of at least one number, each in [0, p): a number in [0, p)."""
    a = b = c = 0
    for at in range(0, len(numbers), 2):
        second = numbers[at + 1] if at + 1 < len(numbers) else 0
        a, b, c = _permuted(a + numbers[at], b + second, c)
    return a


def _permuted(a: int, b: int, c: int) -> _Row:
    """The state after all rounds; products are reduced when they are summed."""
    p, ((aa, ab, ac), (ba, bb, bc), (ca, cb, cc)) = MODULUS, _mixing()
    for of_a, of_b, of_c in _added():
        a, b, c = _seventh(a, p), _seventh(b, p), _seventh(c, p)
        a, b, c = (
            (aa * a + ab * b + ac * c + of_a) % p,
            (ba * a + bb * b + bc * c + of_b) % p,
            (ca * a + cb * b + cc * c + of_c) % p,
        )
    return a, b, c


def _seventh(x: int, p: int) -> int:
    squared = x * x % p
    return squared * squared % p * squared % p * x % p


@functools.cache
def _added() -> tuple[_Row, ...]:
    """c by round."""
    return tuple(_three("RoundConstants", _WIDTH * at) for at in range(_ROUNDS))


@functools.cache
def _mixing() -> tuple[_Row, _Row, _Row]:
    """M, which is Cauchy's: 1 / (xᵢ − yⱼ); the first try has no eigenvalue in the field."""
    x, y = _three("MDSx", 0), _three("MDSy", 0)
    first, second, third = ((_inverse(one - y[0]), _inverse(one - y[1]), _inverse(one - y[2])) for one in x)
    return first, second, third


def _three(name: str, start: int) -> _Row:
    return _drawn(name, start), _drawn(name, start + 1), _drawn(name, start + 2)


def _drawn(name: str, index: int) -> int:
    """The first SHA-256 of name, index and try, as a number, that is below p."""
    tries = (hashlib.sha256(f"{_NAME}{name}{index}_{at}".encode()).digest() for at in itertools.count())
    return next(number for number in (int.from_bytes(raw, "big") for raw in tries) if number < MODULUS)


def _inverse(number: int) -> int:
    return pow(number, -1, MODULUS)
