"""Of four operators three must agree; every lie is refused by name, and no lie moves a value."""

import functools
from dataclasses import replace

import pytest

from crossmargin.adapters.networks.backend import ChainBackend
from crossmargin.adapters.networks.endpoints import Anchor, Endpoint, anchored, read_slots, stated, vouched
from crossmargin.core.errors import NotProved
from crossmargin.core.finality import Trust
from crossmargin.market.chains.agreement import Freeze, Frozen
from crossmargin.market.registry.document import Finality
from crossmargin.proofs.keccak import keccak
from tests.adapters.networks import liars
from tests.adapters.networks.liars import Liar

PROFILE = Finality(method="tag", final_s=96, halt_s=3600)
STORES_42 = bytes.fromhex("600a600c600039600a6000f3602a60005560206000f3")
CODE = keccak(STORES_42[12:])


def endpoints_of(*readers) -> list[Endpoint]:
    return [Endpoint(name=f"rpc {n}", operator="ABCD"[n], reader=reader) for n, reader in enumerate(readers)]


def with_contract(backend: ChainBackend) -> bytes:
    made = backend.deploy(backend.keys[0], STORES_42)
    backend.send(backend.keys[0], made.contract)
    backend.mine(12)
    return made.contract


def test_three_honest_operators_prove_a_slot(backend: ChainBackend) -> None:
    contract = with_contract(backend)
    four = endpoints_of(backend, backend, backend, Liar(backend, block=liars.silent))
    anchor = anchored(four, PROFILE)
    assert isinstance(anchor, Anchor)
    assert (anchor.block.number, anchor.operators, list(anchor.refused)) == (6, ("A", "B", "C"), ["rpc 3"])
    assert anchor.block.hash == backend.block(6).hash
    reading = read_slots(four, anchor, contract, [0, 1], code_hash=CODE)
    assert (dict(reading.values), reading.trust, dict(reading.refused)) == ({0: 42, 1: 0}, Trust.L2, {})
    assert vouched(anchor, anchor.block.hash) == replace(anchor, trust=Trust.L3)
    elsewhere = vouched(anchor, bytes(32))
    assert isinstance(elsewhere, Frozen)
    assert elsewhere.reason is Freeze.DISAGREEMENT
    deep = anchored(four, Finality(method="depth", blocks=3, final_s=36, halt_s=3600))
    assert isinstance(deep, Anchor)
    assert deep.block.number == 11


@pytest.mark.parametrize("lie", [liars.wrong_hash, liars.misplaced, liars.silent])
def test_a_lie_that_shows_by_itself_costs_the_vote_and_nothing_else(backend: ChainBackend, lie) -> None:
    contract = with_contract(backend)
    four = endpoints_of(Liar(backend, block=lie), backend, backend, backend)
    anchor = anchored(four, PROFILE)
    assert isinstance(anchor, Anchor)
    assert (anchor.operators, list(anchor.refused)) == (("B", "C", "D"), ["rpc 0"])
    assert read_slots(four, anchor, contract, [0], code_hash=CODE).values == {0: 42}
    frozen = anchored(endpoints_of(*[Liar(backend, block=lie)] * 2, backend, backend), PROFILE)
    assert isinstance(frozen, Frozen)
    assert frozen.reason is (Freeze.FORGED_HEADER if lie is liars.wrong_hash else Freeze.TOO_FEW)


def test_a_forged_block_contradicts_and_freezes(backend: ChainBackend) -> None:
    with_contract(backend)
    for honest in (3, 2, 1, 0):
        four = endpoints_of(*[backend] * honest, *[Liar(backend, block=liars.forged_header)] * (4 - honest))
        found = anchored(four, PROFILE)
        if honest:
            assert isinstance(found, Frozen)
            assert (found.reason, len(found.said)) == (Freeze.DISAGREEMENT, 4)
    # Where all four lie alike nothing here can tell; the state that they prove must then come with such a header too.
    assert isinstance(found, Anchor)
    with pytest.raises(NotProved):
        read_slots(endpoints_of(backend), found, bytes(20), [0], code_hash=CODE)


def test_a_node_that_is_behind_has_no_vote_and_one_that_runs_ahead_no_say(backend: ChainBackend) -> None:
    with_contract(backend)
    late = Liar(backend, block=functools.partial(liars.stale, reader=backend, behind=4))
    found = anchored(endpoints_of(late, backend, backend, backend), PROFILE)
    assert isinstance(found, Anchor)
    assert (found.block.number, found.operators) == (6, ("B", "C", "D"))
    assert "stale" in found.refused["rpc 0"]
    eager = Liar(backend, block=lambda block: backend.block("latest") if block.number == 6 else block)
    ahead = anchored(endpoints_of(eager, backend, backend, backend), PROFILE)
    assert isinstance(ahead, Anchor)
    assert ahead.block.number == 6


@pytest.mark.parametrize("lie", [liars.other_value, liars.fewer_slots, liars.silent])
def test_a_tampered_proof_is_refused_and_the_next_endpoint_asked(backend: ChainBackend, lie) -> None:
    contract = with_contract(backend)
    liar = Liar(backend, proof=lie)
    four = endpoints_of(liar, backend, backend, backend)
    anchor = anchored(four, PROFILE)
    assert isinstance(anchor, Anchor)
    reading = read_slots(four, anchor, contract, [0, 1], code_hash=CODE)
    assert (dict(reading.values), list(reading.refused)) == ({0: 42, 1: 0}, ["rpc 0"])
    with pytest.raises(NotProved, match="one proof that holds"):
        read_slots(endpoints_of(liar, liar), anchor, contract, [0, 1], code_hash=CODE)


def test_other_code_and_no_contract_are_refused(backend: ChainBackend) -> None:
    contract = with_contract(backend)
    four = endpoints_of(backend, backend, backend)
    anchor = anchored(four, PROFILE)
    assert isinstance(anchor, Anchor)
    with pytest.raises(NotProved, match="wrong code"):
        read_slots(four, anchor, contract, [0], code_hash=keccak(b"other"))
    with pytest.raises(NotProved, match="absent"):
        read_slots(four, anchor, b"\x07" * 20, [0], code_hash=CODE)


def test_what_is_only_stated_is_worth_less(backend: ChainBackend) -> None:
    contract = with_contract(backend)
    four = endpoints_of(backend, backend, backend, Liar(backend, code=liars.silent))
    found = stated(four, 6, lambda reader: reader.code(contract, 6))
    assert (found.value, found.trust, list(found.refused)) == (STORES_42[12:], Trust.L1, ["rpc 3"])
    assert stated(four[:1], 6, lambda reader: reader.balance(contract, 6), quorum=1).trust is Trust.L0
    liar = Liar(backend, code=lambda code: code + b"\x00")
    frozen = stated(endpoints_of(backend, backend, backend, liar), 6, lambda reader: reader.code(contract, 6))
    assert isinstance(frozen, Frozen)
    assert frozen.reason is Freeze.DISAGREEMENT
