"""Who signed a digest: the address behind an ECDSA signature on secp256k1.

Of the two signatures that anyone can make of one, (r, s) and (r, n − s), only that with the low s is taken (EIP-2), so
that nobody can show one signature twice.
"""

from __future__ import annotations

from typing import Final

from crossmargin.adapters.networks.signing import coincurve
from crossmargin.proofs.keccak import keccak

# The order of the group. Source: SEC 2, "Recommended Elliptic Curve Domain Parameters", 2.4.1 (2010).
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGNATURE_BYTES: Final = 65


def require_recovery() -> None:
    """Raise `InvalidInput` without the extra, before its absence could be taken for a bad payload."""
    coincurve()


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """The address (20 bytes) that signed `digest` (32 bytes) with r ‖ s ‖ v, v in {0, 1, 27, 28}.

    None for a signature that nobody can have made, or with a high s. Raises `InvalidInput` without the extra."""
    if len(signature) != SIGNATURE_BYTES or len(digest) != 32:
        return None
    s, v = int.from_bytes(signature[32:64], "big"), signature[64]
    parity = v - 27 if v >= 27 else v
    if parity not in {0, 1} or not 0 < s <= ORDER // 2:
        return None
    try:
        key = coincurve().PublicKey.from_signature_and_message(signature[:64] + bytes([parity]), digest, hasher=None)
    except ValueError:
        return None
    return keccak(key.format(compressed=False)[1:])[12:]
