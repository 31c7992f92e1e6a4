"""Pyth's updates as Hermes sends them, verified: a quorum of routers over a Merkle root, and the price under it.

`/v2/updates/price/latest` answers `parsed`, which nobody signed, and `binary`, which the contract takes. A price is
quoted from `binary`; where `parsed` says another, neither is believed.

Since 26 August 2026 five routers sign, three of them a quorum, in the envelope of Wormhole's guardians before them:
version, set, signatures by rising index, and a body that is hashed twice. Pyth's receiver of it changes the quorum
alone, from two thirds to a half, each plus one (`guardian_quorum`, `router_quorum`); so guardians of old updates are
checked here too. An update that production routers signed is among the tests.

Keys rotate, and an envelope's set is not signed: whoever calls gives the keys of the set that Pyth's receiver names
(`getGuardianSet`). Who cannot gives `quorum_ok` instead, and says with it who did verify. Stricter than the contract:
s is low. Not checked: that an update is the newest, which gates and clocks see to; and that a router is still of the
current set.

Source: docs.pyth.network, "How the upgraded Pyth Core works"; pyth-crosschain, PythAccumulator.sol, MerkleTree.sol,
ReceiverMessages.sol, ReceiverImplementationHalf.sol; wormhole.com, VAA; all read 2026-11-23.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from crossmargin.adapters.oracles.reading import Cursor, Read, Refused, malformed
from crossmargin.adapters.oracles.recovery import SIGNATURE_BYTES, recover, require_recovery
from crossmargin.core.errors import InvalidInput
from crossmargin.market.oracles.document import Feed
from crossmargin.market.oracles.quotes import Quote
from crossmargin.market.oracles.sources.pyth import PriceUpdate, update_quote
from crossmargin.proofs.keccak import keccak

_PREFIX: Final = b"PNAU\x01"  # "Pyth network accumulator update", version 1; any minor version may follow
_ROOT: Final = b"AUWV\x00"  # a Merkle root of slot, ring size and 20 bytes
_ROOT_BYTES: Final = 20
_MESSAGE_BYTES: Final = 85  # of a price: kind, id, price, confidence, exponent, two times, two averages; more may come
EMITTER_CHAIN: Final = 26  # Pythnet, in Wormhole's numbers
ROUTER_EMITTER: Final = b"PythnetPythnetPythnetPythnetPyth"  # whose messages production routers sign
SOURCE: Final = "hermes"
_Prices: TypeAlias = tuple[tuple[str, PriceUpdate], ...]
_Values: TypeAlias = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routers:
    """Who may sign, in the order of their indices, how many must, and the emitter whose messages they sign.

    Raises `InvalidInput` unless the addresses are distinct and a quorum is more than half of them."""

    addresses: tuple[bytes, ...]
    quorum: int = 3
    emitter_chain: int = EMITTER_CHAIN
    emitter: bytes = ROUTER_EMITTER

    def __post_init__(self) -> None:
        distinct = len(set(self.addresses)) == len(self.addresses) and {len(one) for one in self.addresses} == {20}
        sound = distinct and router_quorum(len(self.addresses)) <= self.quorum <= len(self.addresses)
        if not sound or len(self.emitter) != 32:
            raise InvalidInput(
                "routers",
                where=SOURCE,
                value=f"{self.quorum} of {len(self.addresses)}",
                limit="distinct addresses of 20 bytes, a quorum of more than half of them, an emitter of 32 bytes",
                remedy="Take them from the receiver that Pyth's contract names.",
            )


def router_quorum(routers: int) -> int:
    """How many of `routers` must sign: half of them, and one more."""
    return routers // 2 + 1


def guardian_quorum(guardians: int) -> int:
    """How many of Wormhole's `guardians` must sign: two thirds of them, and one more."""
    return guardians * 2 // 3 + 1


_Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Price(msgspec.Struct, frozen=True):
    price: str
    conf: str
    expo: _Int64
    publish_time: _Int64


class _Parsed(msgspec.Struct, frozen=True):
    id: str
    price: _Price


class _Binary(msgspec.Struct, frozen=True):
    encoding: Literal["hex", "base64"]
    data: tuple[str, ...]


class _Answer(msgspec.Struct, frozen=True):
    binary: _Binary = _Binary(encoding="hex", data=())
    parsed: tuple[_Parsed, ...] | None = None


def read_hermes(
    raw: bytes, feeds: Mapping[str, Feed], *, routers: Routers | None, quorum_ok: bool = False, seen_ns: int
) -> Read:
    """The quotes of feeds (by id in hexadecimal) in an answer of Hermes.

    With `routers` prices are those of `binary`, verified, and `parsed` must say the same; without, those of `parsed`,
    with the verdict `quorum_ok` of the caller. What does not hold is refused with its reason, and gives no quote.
    Raises `InvalidInput` where routers are given without the extra `evm`."""
    named = {key.lower().removeprefix("0x"): feed for key, feed in feeds.items()}
    try:
        answer = msgspec.json.decode(raw, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        return Read(refused=(Refused(source=SOURCE, reason="malformed", words=str(failure)),))
    stated = tuple((one.id.lower().removeprefix("0x"), _update(one.price)) for one in answer.parsed or ())
    if routers is None:
        return _quotes(stated, named, quorum_ok=quorum_ok, seen_ns=seen_ns)
    proven, refused = _proven(answer.binary, routers)
    said: dict[str, set[_Values]] = {}
    for key, update in stated:
        said.setdefault(key, set()).add(_values(update))
    agreed = tuple((key, update) for key, update in proven if said.get(key, set()) <= {_values(update)})
    lies = tuple(_contradiction(key, named) for key in dict(proven) if key in named and key not in dict(agreed))
    return Read(refused=(*refused, *lies)) + _quotes(agreed, named, quorum_ok=True, seen_ns=seen_ns)


def verified_prices(update: bytes, routers: Routers) -> tuple[tuple[str, PriceUpdate], ...]:
    """The prices in one signed update with their ids; raises `InvalidInput` for bytes that are none, or prove nothing.

    `InvalidInput.what` is the reason: payload, signature, signer, quorum or proof."""
    cursor = Cursor(update, where=SOURCE)
    cursor.expect(_PREFIX, "header")
    cursor.take(1)
    cursor.take(cursor.number(1))
    cursor.expect(b"\x00", "kind of update")
    root = _root(_signed(cursor.take(cursor.number(2)), routers))
    found = []
    for _ in range(cursor.number(1)):
        message = cursor.take(cursor.number(2))
        path = [cursor.take(_ROOT_BYTES) for _ in range(cursor.number(1))]
        if _climb(message, path) != root:
            raise _unproved("proof", "a path to another root", f"a path to 0x{root.hex()}")
        found.append(_message(message))
    cursor.end()
    return tuple(found)


def _signed(envelope: bytes, routers: Routers) -> bytes:
    """The payload of an envelope, if a quorum of routers signed its body."""
    cursor = Cursor(envelope, where=SOURCE)
    cursor.expect(b"\x01", "version")
    cursor.take(4)
    signatures = [(cursor.number(1), cursor.take(SIGNATURE_BYTES)) for _ in range(cursor.number(1))]
    body = cursor.rest()
    _check_quorum(signatures, keccak(keccak(body)), routers)
    inner = Cursor(body, where=SOURCE)
    inner.take(8)
    emitter = (inner.number(2), inner.take(32))
    if emitter != (routers.emitter_chain, routers.emitter):
        raise _unproved("signer", f"emitter {emitter[0]}, 0x{emitter[1].hex()}", "the emitter that was named")
    inner.take(9)
    return inner.rest()


def _check_quorum(signatures: Sequence[tuple[int, bytes]], digest: bytes, routers: Routers) -> None:
    """Every signature holds, indices rise strictly (so none counts twice), and there are enough of them."""
    last = -1
    for index, signature in signatures:
        if not last < index < len(routers.addresses):
            raise _unproved("signer", f"router {index} after {last}", f"rising, below {len(routers.addresses)}")
        last, signer = index, recover(digest, signature) if signature[-1] < 2 else None
        if signer is None:
            raise _unproved("signature", f"that of router {index}", "one with v of 0 or 1 and a low s")
        if signer != routers.addresses[index]:
            raise _unproved("signer", f"0x{signer.hex()}", f"router {index}, 0x{routers.addresses[index].hex()}")
    if len(signatures) < routers.quorum:
        raise _unproved("quorum", len(signatures), f"at least {routers.quorum} signatures")


def _root(payload: bytes) -> bytes:
    cursor = Cursor(payload, where=SOURCE)
    cursor.expect(_ROOT, "root message")
    cursor.take(12)
    return cursor.take(_ROOT_BYTES)  # More may follow in versions to come; it is signed.


def _climb(message: bytes, path: Sequence[bytes]) -> bytes:
    """The root above a leaf: 20 bytes of keccak(0 ‖ leaf), then of keccak(1 ‖ lower ‖ higher)."""
    node = keccak(b"\x00" + message)[:_ROOT_BYTES]
    for sibling in path:
        node = keccak(b"\x01" + min(node, sibling) + max(node, sibling))[:_ROOT_BYTES]
    return node


def _message(raw: bytes) -> tuple[str, PriceUpdate]:
    if len(raw) < _MESSAGE_BYTES:
        raise malformed(SOURCE, f"{len(raw)} bytes of a message", f"{_MESSAGE_BYTES} or more, a price")
    cursor = Cursor(raw, where=SOURCE)
    cursor.expect(b"\x00", "kind of message")
    key, price, conf = cursor.take(32).hex(), cursor.number(8, signed=True), cursor.number(8)
    expo, publish_time = cursor.number(4, signed=True), cursor.number(8, signed=True)
    return key, PriceUpdate(price=price, conf=conf, expo=expo, publish_time=publish_time)


def _proven(binary: _Binary, routers: Routers) -> tuple[_Prices, tuple[Refused, ...]]:
    require_recovery()
    found: list[tuple[str, PriceUpdate]] = []
    refused: list[Refused] = []
    for text in binary.data:
        try:
            found += verified_prices(_bytes(text, binary.encoding), routers)
        except InvalidInput as failure:
            refused.append(_refused(failure))
    return tuple(found), tuple(refused)


def _bytes(text: str, encoding: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x")) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise malformed(SOURCE, f"{text[:20]}…", f"text in {encoding}") from None


def _refused(failure: InvalidInput) -> Refused:
    words = str(failure)
    match failure.what:
        case "signature" | "signer" | "quorum" | "proof" as reason:
            return Refused(source=SOURCE, reason=reason, words=words)
        case _:
            return Refused(source=SOURCE, reason="malformed", words=words)


def _unproved(reason: str, value: object, limit: str) -> InvalidInput:
    return InvalidInput(reason, where=SOURCE, value=value, limit=limit, remedy="Ask another Hermes.")


def _update(price: _Price) -> PriceUpdate:
    return PriceUpdate(price=price.price, conf=price.conf, expo=price.expo, publish_time=price.publish_time)


def _values(update: PriceUpdate) -> _Values:
    return str(update.price), str(update.conf), update.expo, update.publish_time


def _contradiction(key: str, named: Mapping[str, Feed]) -> Refused:
    words = f"{key} is parsed as one price, and signed as another"
    return Refused(source=named[key].source, reason="contradiction", words=words)


def _quotes(prices: _Prices, named: Mapping[str, Feed], *, quorum_ok: bool, seen_ns: int) -> Read:
    """The quotes of all that were asked for; Hermes may answer more, and gates choose where it says one twice."""
    quotes: list[Quote] = []
    refused: list[Refused] = []
    for key, update in prices:
        if key not in named:
            continue
        try:
            quotes.append(update_quote(named[key], update, quorum_ok=quorum_ok, seen_ns=seen_ns))
        except InvalidInput as failure:
            refused.append(Refused(source=named[key].source, reason="malformed", words=str(failure)))
    refused += [
        Refused(source=feed.source, reason="feed", words=f"no price of {key} that counts")
        for key, feed in named.items()
        if key not in dict(prices)
    ]
    return Read(quotes=tuple(quotes), refused=tuple(refused))
