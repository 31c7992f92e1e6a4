"""Payloads as oracles sign them, and as liars would."""

import json
from collections.abc import Sequence

from coincurve import PrivateKey

from crossmargin.adapters.oracles.pyth import Routers
from crossmargin.adapters.oracles.recovery import ORDER
from crossmargin.adapters.oracles.redstone import MARKER
from crossmargin.core.instant import SECOND_NS
from crossmargin.proofs.keccak import keccak

NOW_S = 1_790_000_000
NOW_NS = NOW_S * SECOND_NS
KEYS = tuple(PrivateKey(keccak(f"signer {place}".encode())) for place in range(20))
ADDRESSES = tuple(keccak(key.public_key.format(compressed=False)[1:])[12:] for key in KEYS)
EMITTER = bytes(31) + b"\x07"
ROUTERS = Routers(addresses=ADDRESSES[:5], quorum=3, emitter_chain=26, emitter=EMITTER)
ETH_ID = "ff" + "61" * 31


def signed(key: PrivateKey, digest: bytes, *, first_v: int = 27) -> bytes:
    raw = key.sign_recoverable(digest, hasher=None)
    return raw[:64] + bytes([raw[64] + first_v])


def malleable(signature: bytes) -> bytes:
    """The other signature that anyone can make of one."""
    s, v = int.from_bytes(signature[32:64], "big"), signature[64]
    return signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([v ^ 1 if v < 27 else 55 - v])


def package(
    key: PrivateKey,
    value: int,
    *,
    feed_id: str = "ETH",
    time_ms: int = NOW_S * 1_000,
    size: int = 32,
    forge: bool = False,
) -> bytes:
    body = feed_id.encode().ljust(32, b"\0") + value.to_bytes(size, "big")
    body += time_ms.to_bytes(6, "big") + size.to_bytes(4, "big") + (1).to_bytes(3, "big")
    signature = signed(key, keccak(body))
    return body + (malleable(signature) if forge else signature)


def payload(*packages: bytes, metadata: bytes = b"made up") -> bytes:
    end = len(packages).to_bytes(2, "big") + metadata + len(metadata).to_bytes(3, "big") + MARKER
    return b"\x12\x34\x56\x78" + b"".join(packages) + end


def message(price: int, conf: int = 0, *, key: str = ETH_ID, expo: int = -8, time_s: int = NOW_S) -> bytes:
    fields = [(price, 8), (conf, 8), (expo, 4), (time_s, 8), (time_s - 1, 8), (price, 8), (conf, 8)]
    return b"\0" + bytes.fromhex(key) + b"".join(x.to_bytes(n, "big", signed=True) for x, n in fields)


def tree(messages: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Root and path of each of 2ⁿ messages."""
    level = [keccak(b"\0" + leaf)[:20] for leaf in messages]
    paths: list[list[bytes]] = [[] for _ in messages]
    width = 1
    while len(level) > 1:
        for place, path in enumerate(paths):
            path.append(level[(place // width) ^ 1])
        pairs = zip(level[::2], level[1::2], strict=True)
        level, width = [keccak(b"\x01" + min(a, b) + max(a, b))[:20] for a, b in pairs], width * 2
    return level[0], paths


def envelope(
    root: bytes,
    by: Sequence[int],
    *,
    emitter: bytes = EMITTER,
    forge: bool = False,
    first_v: int = 0,
    more: bytes = b"",
) -> bytes:
    body = bytes(8) + (26).to_bytes(2, "big") + emitter + bytes(9) + b"AUWV\0" + bytes(12) + root + more
    digest = keccak(keccak(body))
    raw = [signed(KEYS[place], digest, first_v=first_v) for place in by]
    made = [malleable(one) if forge else one for one in raw]
    signatures = b"".join(bytes([place]) + one for place, one in zip(by, made, strict=True))
    return b"\x01" + bytes(4) + bytes([len(by)]) + signatures + body


def update(messages: Sequence[bytes], envelope_of_root: bytes, paths: Sequence[Sequence[bytes]]) -> bytes:
    proofs = b"".join(
        len(leaf).to_bytes(2, "big") + leaf + bytes([len(path)]) + b"".join(path)
        for leaf, path in zip(messages, paths, strict=True)
    )
    head = b"PNAU\x01\x00\x00\x00" + len(envelope_of_root).to_bytes(2, "big") + envelope_of_root
    return head + bytes([len(messages)]) + proofs


def hermes(raw: bytes, price: str = "184136023127", conf: str = "100", *, time_s: int = NOW_S) -> bytes:
    stated = {"price": price, "conf": conf, "expo": -8, "publish_time": time_s}
    parsed = [{"id": ETH_ID, "price": stated, "ema_price": stated, "metadata": {"slot": 1}}]
    return json.dumps({"binary": {"encoding": "hex", "data": [raw.hex()]}, "parsed": parsed}).encode()
