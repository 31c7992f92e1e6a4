"""Token balances of Solana: the program checks transfers, commitment decides what counts, operators must agree."""

import pytest

from crossmargin.adapters.networks.beyond_evm.solana import SolanaVm, public_key, read_token, token_account
from crossmargin.adapters.networks.endpoints import Endpoint, Stated
from crossmargin.core.errors import InvalidInput, NotProved, UnknownName
from crossmargin.core.finality import Trust
from crossmargin.market.chains.agreement import Freeze, Frozen
from tests.adapters.networks import liars

MAKER, TAKER = b"maker".ljust(32), b"taker".ljust(32)
MINT, FROM, TO = (bytes([n]) * 32 for n in (7, 8, 9))


@pytest.fixture
def vm() -> SolanaVm:
    made = SolanaVm()
    made.open_account(FROM, mint=MINT, owner=public_key(MAKER), amount=1_000)
    made.open_account(TO, mint=MINT, owner=public_key(TAKER), amount=5)
    made.advance(32)
    return made


def endpoints_of(*readers) -> list[Endpoint]:
    return [Endpoint(name=f"rpc {n}", operator="ABCD"[n], reader=reader) for n, reader in enumerate(readers)]


def amount(vm: SolanaVm, address: bytes, commitment) -> int:
    return token_account(vm.account(address, commitment), where="test").amount


def test_a_transfer_counts_by_its_commitment(vm: SolanaVm) -> None:
    assert vm.transfer(MAKER, FROM, TO, 300)
    assert [amount(vm, TO, level) for level in ("processed", "confirmed", "finalized")] == [305, 5, 5]
    vm.advance(2)
    assert [amount(vm, TO, level) for level in ("processed", "confirmed", "finalized")] == [305, 305, 5]
    vm.advance(30)
    assert amount(vm, TO, "finalized") == 305
    assert amount(vm, FROM, "finalized") == 700


def test_the_token_program_refuses_what_it_must(vm: SolanaVm) -> None:
    assert not vm.transfer(MAKER, FROM, TO, 1_001)
    assert not vm.transfer(TAKER, FROM, TO, 1)
    assert amount(vm, FROM, "processed") == 1_000


def test_a_fork_undoes_what_was_not_finalised(vm: SolanaVm) -> None:
    vm.transfer(MAKER, FROM, TO, 300)
    vm.advance(3)
    vm.drop(4)
    assert amount(vm, TO, "processed") == 5
    assert vm.transfer(MAKER, FROM, TO, 1_000)
    with pytest.raises(InvalidInput, match="stay"):
        vm.drop(33)


def test_operators_that_agree_make_a_reading_of_level_one(vm: SolanaVm) -> None:
    owner = public_key(MAKER)
    found = read_token(endpoints_of(vm, vm, vm), FROM, mint=MINT, owner=owner)
    assert (found.value, found.trust) == (1_000, Trust.L1)
    other = SolanaVm()
    other.open_account(FROM, mint=MINT, owner=owner, amount=9_999)
    other.advance(40)
    frozen = read_token(endpoints_of(vm, vm, vm, other), FROM, mint=MINT, owner=owner)
    assert isinstance(frozen, Frozen)
    assert frozen.reason is Freeze.DISAGREEMENT
    dead = SolanaVm()
    dead.slot = dead.account = lambda *asked: liars.silent(asked)
    assert isinstance(read_token(endpoints_of(vm, vm, vm, dead), FROM, mint=MINT, owner=owner), Stated)
    few = read_token(endpoints_of(vm, vm), FROM, mint=MINT, owner=owner)
    assert isinstance(few, Frozen)
    assert few.reason is Freeze.TOO_FEW
    wrong = read_token(endpoints_of(vm, vm, vm), FROM, mint=TO, owner=owner)
    assert isinstance(wrong, Frozen)
    assert all("mint" in said for said in wrong.said)


def test_other_accounts_are_no_token_accounts(vm: SolanaVm) -> None:
    with pytest.raises(NotProved, match="165 bytes"):
        token_account(b"", where="test")
    frozen = bytearray(vm.account(FROM, "finalized"))
    frozen[108] = 2
    with pytest.raises(NotProved, match="free"):
        token_account(bytes(frozen), where="test")
    with pytest.raises(UnknownName):
        vm.account(bytes(32), "processed")
