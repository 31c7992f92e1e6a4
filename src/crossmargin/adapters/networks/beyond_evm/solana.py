"""Solana: balances of token accounts as several operators state them, and a virtual machine to read them from.

Solana has no proofs of accounts over RPC, so what is read here stays at trust level L1 and under a cap. The machine is
LiteSVM of `solders`, in this process; slots, commitment and forks are simulated around it: a block is confirmed two
slots later and finalised 32 slots later. Source of the layout: SPL Token, `state.rs`, `Account`, 165 bytes; of the
commitment levels: Solana documentation, "Commitment status".
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

from crossmargin.adapters.networks.endpoints import SILENCE, Endpoint, Stated, stated
from crossmargin.adapters.networks.signing import missing_package
from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.market.chains.agreement import QUORUM, Freeze, Frozen, common_height
from crossmargin.proofs.reasons import Reason, require

Commitment: TypeAlias = Literal["processed", "confirmed", "finalized"]
BEHIND: Final[dict[Commitment, int]] = {"processed": 0, "confirmed": 2, "finalized": 32}
_ACCOUNT_BYTES: Final = 165
_KEY_BYTES: Final = 32
_INITIALISED: Final = 1
_TRANSFER: Final = 3


class SolanaReader(Protocol):
    """What an endpoint says of accounts at a level of commitment."""

    def slot(self, commitment: Commitment) -> int:
        """The last slot of that commitment."""

    def account(self, address: bytes, commitment: Commitment) -> bytes:
        """What an account holds; raises `UnknownName` where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccount:
    """A token account: `amount` in smallest units of the token `mint`."""

    mint: bytes
    owner: bytes
    amount: int


def token_account(raw: bytes, *, where: str) -> TokenAccount:
    """The token account in `raw`; raises `NotProved` for other accounts, and for one that is frozen or not set up."""
    require(len(raw) == _ACCOUNT_BYTES, Reason.MALFORMED, where, f"{len(raw)} bytes", f"{_ACCOUNT_BYTES} bytes")
    state = raw[108]
    require(state == _INITIALISED, Reason.WRONG_VALUE, where, f"state {state}", "an account that is set up and free")
    return TokenAccount(mint=raw[:32], owner=raw[32:64], amount=int.from_bytes(raw[64:72], "little"))


def read_token(
    endpoints: Sequence[Endpoint[SolanaReader]], address: bytes, *, mint: bytes, owner: bytes, quorum: int = QUORUM
) -> Stated[int] | Frozen:
    """The finalised balance of a token account that a quorum of operators states alike (L1), in smallest units.

    The account must be of the expected mint and owner; an endpoint that says otherwise is refused."""

    def balance(reader: SolanaReader) -> int:
        where = f"account {address.hex()}"
        found = token_account(reader.account(address, "finalized"), where=where)
        require(found.mint == mint, Reason.WRONG_VALUE, where, found.mint.hex(), f"mint {mint.hex()}")
        require(found.owner == owner, Reason.WRONG_VALUE, where, found.owner.hex(), f"owner {owner.hex()}")
        return found.amount

    slots: dict[str, int] = {}
    for endpoint in endpoints:
        with contextlib.suppress(*SILENCE):
            slots[endpoint.operator] = endpoint.reader.slot("finalized")
    height = common_height(slots, quorum)
    if height is None:
        return Frozen(reason=Freeze.TOO_FEW, number=-1, said=tuple(f"{name}: slot {at}" for name, at in slots.items()))
    return stated(endpoints, height, balance, quorum=quorum)


@functools.cache
def _library() -> Any:
    try:
        import solders  # noqa: PLC0415 it is an extra
        from solders import account, instruction, keypair, litesvm, message, pubkey, token, transaction  # noqa: F401, PLC0415 the package's parts
    except ImportError:
        raise missing_package("solders", "svm") from None
    return solders


class SolanaVm:
    """A Solana of one's own: token accounts, transfers that the token program checks, slots, and forks."""

    def __init__(self) -> None:
        self._parts = _library()
        self._vm = self._parts.litesvm.LiteSVM()
        self._history: list[dict[bytes, Any]] = [{}]
        self._payer = self._parts.keypair.Keypair.from_seed(b"crossmargin development payer".ljust(_KEY_BYTES))
        self._vm.airdrop(self._payer.pubkey(), 10**12)

    def slot(self, commitment: Commitment) -> int:
        """The last slot of that commitment; slot 0 is final from the start."""
        return max(len(self._history) - 1 - BEHIND[commitment], 0)

    def account(self, address: bytes, commitment: Commitment) -> bytes:
        """What a token account that was opened here holds; raises `UnknownName` for others."""
        found = self._history[self.slot(commitment)].get(address)
        if found is None:
            raise UnknownName("account", where=f"Solana, {commitment}", value=address.hex(), remedy="Open it first.")
        return bytes(found.data)

    def open_account(self, address: bytes, *, mint: bytes, owner: bytes, amount: int) -> None:
        """A token account with an amount, from nowhere, in a slot of its own."""
        state = bytearray(_ACCOUNT_BYTES)
        state[:64], state[64:72], state[108] = mint + owner, amount.to_bytes(8, "little"), _INITIALISED
        held = self._parts.account.Account(10**9, bytes(state), self._parts.token.ID)
        self._vm.set_account(self._key(address), held)
        self._history.append({**self._history[-1], address: held})

    def transfer(self, seed: bytes, source: bytes, target: bytes, amount: int) -> bool:
        """Move tokens, signed by the owner with the key of `seed` (32 bytes), in a slot of its own; whether it went."""
        owner = self._parts.keypair.Keypair.from_seed(seed)
        meta = self._parts.instruction.AccountMeta
        moved = self._parts.instruction.Instruction(
            self._parts.token.ID,
            bytes([_TRANSFER]) + amount.to_bytes(8, "little"),
            [
                meta(self._key(source), False, True),
                meta(self._key(target), False, True),
                meta(owner.pubkey(), True, False),
            ],
        )
        self._vm.expire_blockhash()
        recent = self._vm.latest_blockhash()
        message = self._parts.message.Message.new_with_blockhash([moved], self._payer.pubkey(), recent)
        done = self._vm.send_transaction(self._parts.transaction.Transaction([self._payer, owner], message, recent))
        self._history.append({address: self._vm.get_account(self._key(address)) for address in self._history[-1]})
        return "Failed" not in type(done).__name__

    def advance(self, slots: int) -> None:
        """Let empty slots pass."""
        self._history += [self._history[-1]] * slots
        self._vm.warp_to_slot(len(self._history) - 1)

    def drop(self, slots: int) -> None:
        """Another fork wins: the last slots, none of them finalised, never were."""
        unfinal = self.slot("processed") - self.slot("finalized")
        if not 0 < slots <= unfinal:
            raise InvalidInput(
                "slots", where="fork", value=slots, limit=f"1 to {unfinal}", remedy="Finalised slots stay."
            )
        undone = set(self._history[-1])
        del self._history[-slots:]
        for address, held in self._history[-1].items():
            self._vm.set_account(self._key(address), held)
        for address in undone - set(self._history[-1]):
            self._vm.set_account(self._key(address), self._parts.account.Account(0, b"", self._parts.token.ID))

    def _key(self, address: bytes) -> Any:
        return self._parts.pubkey.Pubkey.from_bytes(address)


def public_key(seed: bytes) -> bytes:
    """The address that the key of `seed` signs for."""
    return bytes(_library().keypair.Keypair.from_seed(seed).pubkey())
