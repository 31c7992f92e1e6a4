"""keccak-256, the hash that the EVM has as an opcode.

Why not SHA-256, which Python brings along: a contract that checks a path of 20 nodes pays 30 + 6 gas a word for keccak,
and for SHA-256 a call of a precompile, 160 gas and more each time; and state proofs need keccak anyway. The library is
safe-pysha3 (Keccak team's C code, 1.0 µs for 128 bytes); pycryptodome takes seven times as long.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from crossmargin.core.errors import InvalidInput

DIGEST_BYTES: Final = 32
ByteArray = NDArray[np.uint8]


def missing_extra(package: str) -> InvalidInput:
    """The error of a stage that needs the extra `chains` where `package` is not installed."""
    return InvalidInput(
        package,
        where="proofs",
        value="not installed",
        limit="installed",
        remedy='Install the extra: pip install "crossmargin[chains]".',
    )


@functools.cache
def _hasher() -> Callable[[Any], Any]:
    try:
        import sha3  # noqa: PLC0415 it is an extra
    except ImportError:
        raise missing_extra("safe-pysha3") from None
    made: Callable[[Any], Any] = sha3.keccak_256
    return made


def keccak(message: bytes) -> bytes:
    """keccak-256 of `message`, 32 bytes; the padding is Keccak's of 2011, as in Ethereum, not that of FIPS 202."""
    digest: bytes = _hasher()(message).digest()
    return digest


def keccak_all(messages: Iterable[bytes | memoryview]) -> ByteArray:
    """keccak-256 of each message [message, 32]."""
    hasher = _hasher()
    joined = b"".join([hasher(message).digest() for message in messages])
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, DIGEST_BYTES)


def keccak_rows(rows: ByteArray) -> ByteArray:
    """keccak-256 of each row of bytes [row, 32]."""
    width, flat = rows.shape[1], memoryview(rows.tobytes())
    return keccak_all(flat[start : start + width] for start in range(0, rows.size, width))
