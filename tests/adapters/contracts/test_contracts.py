"""Contracts compile once, and what goes into them and comes out is what it was in Python."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.contracts import compiling
from crossmargin.adapters.contracts.abi import (
    decode,
    decode_log,
    deployment,
    encode_call,
    revert_reason,
    selector,
)
from crossmargin.adapters.contracts.compiling import AbiEntry, AbiItem, Artifact, compiled_contract, sources
from crossmargin.adapters.networks.backend import ChainBackend
from crossmargin.adapters.networks.signing import address_of
from crossmargin.core.errors import InvalidInput, Reverted, UnknownName
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.state import mapping_slot
from tests.adapters.networks.accounts import INIT, word

COUNTER = "# pragma version 0.4.3\ncount: uint256\n"
BOX = """
# pragma version 0.4.3
from modules import counter
initializes: counter
struct Held:
    who: address
    amounts: uint256[2]
event Stored:
    who: indexed(address)
    note: indexed(String[8])
    amount: uint256
LIMIT: immutable(uint256)
held: HashMap[address, uint256]
@deploy
def __init__(limit: uint256):
    LIMIT = limit
@external
def store(amount: uint256, times: uint256 = 3) -> uint256:
    assert amount < LIMIT, "too much"
    self.held[msg.sender] = amount
    counter.count += times
    log Stored(who=msg.sender, note="noted", amount=amount)
    return amount
@view
@external
def of(who: address) -> Held:
    return Held(who=who, amounts=[self.held[who], counter.count])
@view
@external
def pair() -> (uint256, address):
    return LIMIT, self
@external
def nothing():
    pass
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("contracts")
    (folder / "modules").mkdir()
    (folder / "modules" / "counter.vy").write_text(COUNTER)
    (folder / "Box.vy").write_text(BOX)
    (folder / "Broken.vy").write_text("# pragma version 0.4.3\nx: nothing\n")
    return compiled_contract("Box", folder=folder)


def test_a_contract_is_deployed_called_and_read(backend: ChainBackend, box: Artifact) -> None:
    key = backend.keys[0]
    made = backend.deploy(key, deployment(box, 100))
    code = backend.code(made.contract)
    # A contract with immutables runs more than was compiled, so that its hash is pinned after deployment.
    assert code == box.runtime + (100).to_bytes(32, "big")
    assert (len(code) - len(box.runtime), keccak(code) == box.runtime_hash) == (box.immutable_bytes, False)
    sent = backend.send(key, made.contract, encode_call(box, "store", 7))
    event = decode_log(box, sent.logs[0])
    assert event is not None
    assert (event.name, event.values) == (
        "Stored",
        {"who": address_of(key), "note": keccak(b"noted"), "amount": 7},
    )
    backend.send(key, made.contract, encode_call(box, "store", 8, 2))
    read = backend.call(made.contract, encode_call(box, "of", address_of(key)))
    assert decode(box, "of", read) == (address_of(key), (8, 5))
    assert decode(box, "pair", backend.call(made.contract, encode_call(box, "pair"))) == (100, made.contract)
    assert decode(box, "nothing", backend.call(made.contract, encode_call(box, "nothing"))) is None
    # Slots come from the compiler's layout, and Vyper hashes the slot before the key.
    slot = mapping_slot(box.slots["held"], [address_of(key)], layout="vyper")
    proof = backend.proof(made.contract, [box.slots["counter.count"], slot], sent.block_number + 1)
    assert [path.value for path in proof.slots] == [5, 8]
    with pytest.raises(Reverted) as refused:
        backend.call(made.contract, encode_call(box, "store", 100))
    assert revert_reason(refused.value.output) == "too much"
    failed = backend.send(key, made.contract, encode_call(box, "store", 100))
    assert (failed.status, revert_reason(failed.revert), revert_reason(b"\x01")) == (False, "too much", "0x01")


def test_a_log_of_another_contract_is_no_event(backend: ChainBackend, box: Artifact) -> None:
    other = backend.deploy(backend.keys[0], INIT).contract
    (log,) = backend.send(backend.keys[0], other, word(5)).logs
    assert decode_log(box, log) is None


def test_what_does_not_fit_is_refused(box: Artifact) -> None:
    with pytest.raises(UnknownName, match="function"):
        encode_call(box, "steal", 1)
    with pytest.raises(InvalidInput, match=r"\[1, 2\] in number"):
        encode_call(box, "store", 1, 2, 3)
    for wrong in (-1, 2**256, "seven"):
        with pytest.raises(InvalidInput, match="values of uint256"):
            encode_call(box, "store", wrong)
    with pytest.raises(InvalidInput, match="arguments"):
        deployment(box)
    with pytest.raises(InvalidInput, match="Is this the contract"):
        decode(box, "of", b"\x01")


def test_sources_are_found_and_faults_named(box: Artifact, tmp_path: Path) -> None:
    assert (sources() / "StateProof.vy").is_file()
    with pytest.raises(UnknownName, match="contract"):
        compiled_contract("Nowhere", folder=tmp_path)
    (tmp_path / "Broken.vy").write_text("# pragma version 0.4.3\nx: nothing\n")
    with pytest.raises(InvalidInput, match="Vyper"):
        compiled_contract("Broken", folder=tmp_path)
    assert compiling.SHIPPED.parent == Path(compiling.__file__).parent


def test_selectors_are_those_of_the_standards() -> None:
    # Source: ERC-20 (EIP-20) as any block explorer shows it.
    assert selector("transfer(address,uint256)").hex() == "a9059cbb"
    assert selector("balanceOf(address)").hex() == "70a08231"


kinds = st.sampled_from(["uint256", "int128", "bytes32", "bool"])
values = {
    "uint256": st.integers(0, 2**256 - 1),
    "int128": st.integers(-(2**127), 2**127 - 1),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bool": st.booleans(),
    "address": st.binary(min_size=20, max_size=20),
    "string": st.text(max_size=40),
}


@st.composite
def typed(draw: st.DrawFn, depth: int = 2):
    """A type of the ABI and a value of it."""
    shape = draw(st.sampled_from(["plain", "array", "tuple"] if depth else ["plain"]))
    if shape == "plain":
        kind = draw(st.sampled_from(sorted(values)))
        return AbiItem(type=kind), draw(values[kind])
    if shape == "tuple":
        parts = draw(st.lists(typed(depth - 1), min_size=1, max_size=3))
        return AbiItem(type="tuple", components=tuple(item for item, _ in parts)), tuple(value for _, value in parts)
    kind = draw(st.sampled_from(sorted(values)))
    return AbiItem(type=f"{kind}[]"), tuple(draw(st.lists(values[kind], max_size=3)))


@given(st.lists(typed(), max_size=4))
def test_what_is_encoded_is_decoded_again(drawn) -> None:
    items = tuple(item for item, _ in drawn)
    entry = AbiEntry(type="function", name="echo", inputs=items, outputs=items)
    artifact = Artifact(
        name="Echo", abi=(entry,), init_code=b"", runtime=b"", runtime_hash=b"", immutable_bytes=0, slots={}
    )
    given_values = tuple(value for _, value in drawn)
    found = decode(artifact, "echo", encode_call(artifact, "echo", *given_values)[4:])
    assert found == (given_values if len(drawn) > 1 else given_values[0] if drawn else None)
