"""A light client of a Cosmos chain: a header is final when more than two thirds of its validators signed it.

The rules are CometBFT's (light client specification, "Verification", 2022), sequential and skipping: the trusted header
must be within the trusting period, which is shorter than validators stay bonded; the next one signed by the validators
that the trusted one named, or by more than a third of their power where headers are skipped; and in any case by more
than two thirds of its own. What is not CometBFT's is the encoding: fields are hashed behind their lengths, not in
protocol buffers, and votes are signed with secp256k1, one of its two key types. So it speaks with `CosmosChain` alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from crossmargin.adapters.networks.signing import coincurve
from crossmargin.core.errors import NotProved
from crossmargin.core.finality import Trust
from crossmargin.core.merkle import merkle_root, verify_inclusion
from crossmargin.proofs.reasons import Reason, require

CLOCK_DRIFT_S: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """A compressed secp256k1 key, 33 bytes, and its voting power."""

    public_key: bytes
    power: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmosHeader:
    """A block: its application state, its validators and those of the next, each as a Merkle root."""

    chain_id: str
    height: int
    time_s: int
    app_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes

    @property
    def hash(self) -> bytes:
        """The Merkle root over the fields."""
        numbers = self.height.to_bytes(8, "big"), self.time_s.to_bytes(8, "big")
        fields = (self.chain_id.encode(), *numbers, self.app_hash, self.validators_hash, self.next_validators_hash)
        return merkle_root(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHeader:
    """A header, the validators of its block, and their signatures by public key."""

    header: CosmosHeader
    validators: tuple[Validator, ...]
    signatures: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """What the client trusts: a header, the validators that it named for the next block, and for how long."""

    header: CosmosHeader
    next_validators: tuple[Validator, ...]
    trusting_period_s: int
    trust: Trust = Trust.L3


@dataclass(frozen=True, slots=True, kw_only=True)
class StateProof:
    """The path of one record of the application state: number `index` of `size`."""

    index: int
    size: int
    path: tuple[bytes, ...]


def validators_hash(validators: Sequence[Validator]) -> bytes:
    """The Merkle root over keys and powers, in their order."""
    return merkle_root([one.public_key + one.power.to_bytes(8, "big") for one in validators])


def vote_bytes(header: CosmosHeader) -> bytes:
    """What a validator signs."""
    return b"precommit\x00" + header.hash


def state_record(key: bytes, value: bytes) -> bytes:
    """A record of the state: the key behind its length, and SHA-256 of the value."""
    return len(key).to_bytes(4, "big") + key + hashlib.sha256(value).digest()


def verify(trusted: Trusted, signed: SignedHeader, next_validators: tuple[Validator, ...], *, now_s: int) -> Trusted:
    """What is trusted after `signed`, whose header names `next_validators`; raises `NotProved` if it does not hold."""
    header, before = signed.header, trusted.header
    where = f"{before.chain_id} header {header.height}"
    expired = now_s >= before.time_s + trusted.trusting_period_s
    require(not expired, Reason.WRONG_HEADER, where, f"trust expired at {now_s}", "a trusted header in its period")
    require(header.chain_id == before.chain_id, Reason.WRONG_HEADER, where, header.chain_id, before.chain_id)
    newer = header.height > before.height and header.time_s > before.time_s
    require(newer, Reason.WRONG_HEADER, where, (header.height, header.time_s), "after the trusted header")
    require(header.time_s <= now_s + CLOCK_DRIFT_S, Reason.WRONG_HEADER, where, header.time_s, "not of the future")
    _check_set(signed.validators, header.validators_hash, where)
    _check_set(next_validators, header.next_validators_hash, where)
    if header.height == before.height + 1:
        named = header.validators_hash == before.next_validators_hash
        require(named, Reason.WRONG_HEADER, where, header.validators_hash.hex(), "the validators that were named")
    else:
        _check_power(signed, trusted.next_validators, 1, where)
    _check_power(signed, signed.validators, 2, where)
    return replace(trusted, header=header, next_validators=next_validators)


def check_state(trusted: Trusted, key: bytes, value: bytes, proof: StateProof) -> None:
    """Raise `NotProved` unless the trusted header's state has `value` at `key`."""
    record = state_record(key, value)
    holds = verify_inclusion(record, proof.index, proof.size, proof.path, trusted.header.app_hash)
    require(holds, Reason.WRONG_ROOT, f"state of {trusted.header.chain_id}", key.hex(), "a path to the app hash")


def is_proven(trusted: Trusted, key: bytes, value: bytes, proof: StateProof) -> bool:
    """Whether the trusted header's state has `value` at `key`."""
    try:
        check_state(trusted, key, value, proof)
    except NotProved:
        return False
    return True


def _check_set(validators: Sequence[Validator], expected: bytes, where: str) -> None:
    found = validators_hash(validators)
    require(found == expected, Reason.WRONG_HEADER, where, found.hex(), f"validators with root {expected.hex()}")
    keys = {one.public_key for one in validators}
    sound = len(keys) == len(validators) and all(one.power > 0 for one in validators)
    require(sound, Reason.MALFORMED, where, len(validators), "validators that stand once, with power")


def _check_power(signed: SignedHeader, validators: Sequence[Validator], thirds: int, where: str) -> None:
    """More than `thirds` of three of the validators' power must have signed."""
    message, check = vote_bytes(signed.header), coincurve().verify_signature
    power = sum(
        one.power
        for one in validators
        if _signed(check, signed.signatures.get(one.public_key, b""), message, one.public_key)
    )
    total = sum(one.power for one in validators)
    require(
        3 * power > thirds * total, Reason.WRONG_COUNT, where, f"{power} of {total}", f"more than {thirds}/3 of power"
    )


def _signed(check: Callable[[bytes, bytes, bytes], bool], signature: bytes, message: bytes, key: bytes) -> bool:
    try:
        return bool(signature) and check(signature, message, key)
    except ValueError:  # What is no signature at all.
        return False
