"""A small Cosmos chain in this process: validators that sign every block, and a state of keys and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crossmargin.adapters.networks.beyond_evm.cosmos import (
    CosmosHeader,
    SignedHeader,
    StateProof,
    Trusted,
    Validator,
    state_record,
    validators_hash,
    vote_bytes,
)
from crossmargin.adapters.networks.signing import coincurve
from crossmargin.core import check
from crossmargin.core.merkle import inclusion_proof, merkle_root
from crossmargin.proofs.keccak import keccak

BLOCK_INTERVAL_S: Final = 6
TRUSTING_PERIOD_S: Final = 14 * 86_400  # Two thirds of the 21 days for which validators stay bonded on the Hub.


class CosmosChain:
    """A chain of `chain_id` whose validators have the given powers; every block is final at once."""

    def __init__(self, chain_id: str, powers: Sequence[int], *, genesis_s: int) -> None:
        self.chain_id = chain_id
        self._secrets: dict[bytes, Any] = {}
        self.validators = self._made(powers, "first")
        self._state: dict[bytes, bytes] = {}
        self._states: list[dict[bytes, bytes]] = []
        self._signed: list[SignedHeader] = []
        self._nexts: list[tuple[Validator, ...]] = []
        self._time_s = genesis_s
        self.commit({})

    def commit(self, changes: Mapping[bytes, bytes], *, rotate_to: Sequence[int] = (), silent: int = 0) -> SignedHeader:
        """The next block: the state changed, the validators of the next block replaced by some of new powers, and the
        first `silent` validators of this one not signing."""
        self._state = {**self._state, **changes}
        height = len(self._signed) + 1
        following = self._made(rotate_to, f"from {height + 1}") if rotate_to else self.validators
        header = CosmosHeader(
            chain_id=self.chain_id,
            height=height,
            time_s=self._time_s,
            app_hash=merkle_root(self._records(self._state)),
            validators_hash=validators_hash(self.validators),
            next_validators_hash=validators_hash(following),
        )
        signers = self.validators[silent:]
        signatures = {one.public_key: self._secrets[one.public_key].sign(vote_bytes(header)) for one in signers}
        signed = SignedHeader(header=header, validators=self.validators, signatures=signatures)
        self._signed.append(signed)
        self._states.append(self._state)
        self._nexts.append(following)
        self.validators = following
        self._time_s += BLOCK_INTERVAL_S
        return signed

    def at(self, height: int) -> tuple[SignedHeader, tuple[Validator, ...]]:
        """A block and the validators that it named for the next; raises `InvalidInput` for one that is not there."""
        check.within(height, "height", 1, len(self._signed), where=self.chain_id)
        return self._signed[height - 1], self._nexts[height - 1]

    def trusted(self, height: int = 1, *, trusting_period_s: int = TRUSTING_PERIOD_S) -> Trusted:
        """A place for a light client to start from: whoever takes it must know it from elsewhere."""
        signed, following = self.at(height)
        return Trusted(header=signed.header, next_validators=following, trusting_period_s=trusting_period_s)

    def prove(self, key: bytes, height: int) -> tuple[bytes, StateProof]:
        """The value of `key` after a block, and its path to the app hash; raises `UnknownName` where it has none."""
        state = self._states[height - 1]
        check.known(key.hex(), [name.hex() for name in state], "key", where=self.chain_id)
        index = sorted(state).index(key)
        records = self._records(state)
        return state[key], StateProof(index=index, size=len(records), path=inclusion_proof(records, index))

    def _records(self, state: Mapping[bytes, bytes]) -> list[bytes]:
        return [state_record(key, state[key]) for key in sorted(state)]

    def _made(self, powers: Sequence[int], name: str) -> tuple[Validator, ...]:
        made = []
        for place, power in enumerate(powers):
            secret = coincurve().PrivateKey(keccak(f"crossmargin validator {self.chain_id} {name} {place}".encode()))
            key = secret.public_key.format()
            self._secrets[key] = secret
            made.append(Validator(public_key=key, power=power))
        return tuple(made)
