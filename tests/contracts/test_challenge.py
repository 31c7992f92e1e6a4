"""Wrong reports are refuted, right ones are not, and withdrawals wait in between."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from crossmargin.adapters.attesting import (
    claim_argument,
    claim_refutation,
    head_argument,
    leaf_argument,
    loss_refutation,
    sign_head,
)
from crossmargin.adapters.contracts.abi import encode_call
from crossmargin.adapters.networks.backend import ChainBackend, Send
from crossmargin.adapters.networks.signing import address_of
from crossmargin.proofs.claims import Claim, commit_claims
from crossmargin.proofs.collateral_lines import lines_digest
from crossmargin.proofs.commitments import leaf_content, positions_digests
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.state import mapping_slot
from crossmargin.proofs.statement import Epoch, StateProof, state_proof, statement_of
from crossmargin.proofs.trees import Tree, account_record, commit_accounts, grow
from tests.chains_fixtures import open_backend
from tests.contracts import system as made
from tests.contracts.system import System


@pytest.fixture
def elsewhere() -> Iterator[System]:
    """A system on another chain, with a balance of 1,000."""
    with open_backend("pyevm", chain_id=10) as chain:
        other = made.build(chain)
        other.fund(1_000)
        yield other


def with_tree(epoch: Epoch, tree: Tree, **others: Any) -> Epoch:
    """An epoch that commits to another tree of accounts."""
    losses, collateral = tree.total
    head = msgspec.structs.replace(
        epoch.head,
        accounts_root="0x" + tree.root.hex(),
        accounts=tree.count,
        worst_loss_total=str(losses),
        collateral_total=str(collateral),
    )
    return dataclasses.replace(epoch, head=head, tree=tree, **others)


def lying(epoch: Epoch, account: str, loss: int) -> Epoch:
    """The epoch with another worst loss in an account's leaf, and totals to match."""
    losses = [loss if name == account else honest for name, honest in zip(epoch.accounts, epoch.losses, strict=True)]
    contents = [leaf_content(held, lines_digest(())) for held in positions_digests(epoch.book)]
    tree = commit_accounts(epoch.accounts, epoch.salts, contents, [losses, epoch.collateral])
    return with_tree(epoch, tree, losses=tuple(losses))


def opened(system: System, epoch: Epoch, key: bytes = b"") -> int:
    """A challenge of an epoch; its id."""
    number: int = system.challenge.ask("count")
    bond = system.challenge.ask("bond")
    system.challenge.do(key or system.challenger, "open", head_argument(epoch.head), value=bond)
    return number


def claim_of(other: System, value: int, **changes: Any) -> tuple[Claim, StateProof]:
    """A claim on the depositor's balance in a vault elsewhere, and the state proof of its slot."""
    slot = mapping_slot(0, [address_of(other.depositor)], layout="vyper")
    block, code = other.chain.block("latest"), keccak(other.chain.code(other.vault.address))
    shown = other.chain.proof(other.vault.address, [slot], block.number)
    claim = Claim(
        account=other.account(),
        chain_id=10,
        anchor=block.hash,
        contract=other.vault.address,
        code_hash=code,
        slot=slot,
        value=value,
    )
    proof = state_proof(
        chain="eip155:10",
        header=block.header,
        anchor=block.hash,
        address=other.vault.address,
        code_hash=code,
        account_path=shown.nodes,
        slots=[(slot, shown.slots[0].value, shown.slots[0].nodes)],
    )
    return dataclasses.replace(claim, **changes), proof


def claiming(system: System, claims: list[Claim], as_of_ms: int) -> Epoch:
    system.wait(made.WINDOW_S)  # The chains have clocks of their own.
    return system.report({system.account(): (1, 2)}, claims=claims, as_of_ms=as_of_ms)


def claims_of(claims: list[Claim]) -> list[Any]:
    tree = commit_claims(claims)
    return [claim_argument(claim, tree.prove(place)) for place, claim in enumerate(claims)]


@pytest.mark.parametrize("loss", [0, 499, 501])
def test_a_wrong_loss_is_refuted(system: System, loss: int):
    epoch = lying(
        system.epoch({"other": (1, 2), system.account(): (500, 600), "third": (3, 4)}), system.account(), loss
    )
    system.submit(epoch)
    number = opened(system, epoch)
    assert system.challenge.ask("frozen")
    system.challenge.do(
        system.challenger, "refuteLoss", number, *loss_refutation(statement_of(epoch, system.account()))
    )
    assert system.challenge.ask("refuted", 1)
    assert system.challenge.ask("collectable", address_of(system.challenger)) == made.STAKE // 2 + made.BOND
    assert system.challenge.ask("collectable", bytes([7]) * 20) == made.STAKE // 2
    assert system.challenge.ask("stake") == 0
    assert system.challenge.ask("standing") == 0


def test_a_right_loss_is_not(system: System):
    epoch = system.report({"other": (1, 2), system.account(): (500, 600)})
    number, statement = opened(system, epoch), statement_of(epoch, system.account())
    good = loss_refutation(statement)
    assert system.challenge.refuses(system.challenger, "refuteLoss", number, *good) == "the report is right"
    head, leaf, positions, lines, rows = good
    fewer = (head, leaf, positions[:-13], lines, rows)
    assert system.challenge.refuses(system.challenger, "refuteLoss", number, *fewer) == "wrong content"
    other = (head, leaf, positions, keccak(lines), rows)
    assert system.challenge.refuses(system.challenger, "refuteLoss", number, *other) == "wrong content"
    worse = (head, leaf, positions, lines, rows[:-40] + bytes([rows[-40] ^ 1]) + rows[-39:])
    system.challenge.refuses(system.challenger, "refuteLoss", number, *worse)
    assert not system.challenge.ask("refuted", 1)


@pytest.mark.parametrize("value", [0, 999, 1_001, 2**255])
def test_a_claim_against_the_other_chains_state_is_refuted(system: System, elsewhere: System, value: int):
    claim, proof = claim_of(elsewhere, value)
    epoch = claiming(system, [dataclasses.replace(claim, slot=1), claim], elsewhere.now_s() * 1000)
    number = opened(system, epoch)
    arguments = (claims_of([dataclasses.replace(claim, slot=1), claim])[1], *claim_refutation(proof, 0))
    system.challenge.do(system.challenger, "refuteClaim", number, head_argument(epoch.head), *arguments)
    assert system.challenge.ask("refuted", 1)


def test_a_claim_that_the_state_bears_out_is_not(system: System, elsewhere: System):
    claim, proof = claim_of(elsewhere, 1_000)
    epoch = claiming(system, [claim], elsewhere.now_s() * 1000)
    number, head, shown = opened(system, epoch), head_argument(epoch.head), claim_refutation(proof, 0)
    (argument,) = claims_of([claim])
    refuses = system.challenge.refuses
    assert refuses(system.challenger, "refuteClaim", number, head, argument, *shown) == "the report is right"
    (other,) = claims_of([dataclasses.replace(claim, value=999)])
    assert refuses(system.challenger, "refuteClaim", number, head, other, *shown) == "wrong root"
    header, account_nodes, slot_nodes = shown
    assert (
        refuses(system.challenger, "refuteClaim", number, head, argument, header[:-1], account_nodes, slot_nodes)
        == "wrong header"
    )
    refuses(system.challenger, "refuteClaim", number, head, argument, header, account_nodes[:-1], slot_nodes)
    refuses(system.challenger, "refuteClaim", number, head, argument, header, account_nodes, slot_nodes[:-1])
    assert not system.challenge.ask("refuted", 1)


@pytest.mark.parametrize("change", [{"contract": bytes([5]) * 20}, {"code_hash": bytes(32)}])
def test_claims_on_contracts_that_are_not_there_are_refuted(system: System, elsewhere: System, change: dict[str, Any]):
    claim, proof = claim_of(elsewhere, 1_000, **change)
    block = elsewhere.chain.block("latest")
    shown = elsewhere.chain.proof(claim.contract, [claim.slot], block.number)
    epoch = claiming(system, [claim], elsewhere.now_s() * 1000)
    number = opened(system, epoch)
    nodes = (block.header, shown.nodes, claim_refutation(proof, 0)[2])
    system.challenge.do(
        system.challenger, "refuteClaim", number, head_argument(epoch.head), claims_of([claim])[0], *nodes
    )
    assert system.challenge.ask("refuted", 1)


def test_a_claim_from_before_the_reports_instant_is_refuted(system: System, elsewhere: System):
    claim, proof = claim_of(elsewhere, 1_000)
    epoch = claiming(system, [claim], elsewhere.now_s() * 1000 + 1)
    arguments = (head_argument(epoch.head), claims_of([claim])[0], *claim_refutation(proof, 0))
    system.challenge.do(system.challenger, "refuteClaim", opened(system, epoch), *arguments)
    assert system.challenge.ask("refuted", 1)


@pytest.mark.parametrize("renamed", [{}, {"anchor": bytes(32)}, {"chain_id": 11}])
def test_a_slot_that_counts_twice_is_refuted(system: System, elsewhere: System, renamed: dict[str, Any]):
    claim, _ = claim_of(elsewhere, 1_000)
    second = dataclasses.replace(claim, account="another", **renamed)
    listed = [claim, second, dataclasses.replace(claim, slot=3)]
    epoch = claiming(system, listed, elsewhere.now_s() * 1000)
    number, head = opened(system, epoch), head_argument(epoch.head)
    one, two, other = claims_of(listed)
    assert system.challenge.refuses(system.challenger, "refuteClaims", number, head, one, one) == "one claim"
    assert system.challenge.refuses(system.challenger, "refuteClaims", number, head, one, other) == "two slots"
    system.challenge.do(system.challenger, "refuteClaims", number, head, one, two)
    assert system.challenge.ask("refuted", 1)


def test_two_leaves_of_one_account_are_refuted(system: System):
    account, epoch = system.account(), system.epoch({system.account(): (500, 600), "other": (1, 2)})
    content = leaf_content(positions_digests(epoch.book)[0], lines_digest(()))
    records = [account_record(account, epoch.salts[0], content, amounts) for amounts in ((500, 600), (0, 600))]
    tree = grow(np.frombuffer(b"".join(records), dtype=np.uint8).reshape(2, -1), columns=2)
    double = with_tree(epoch, tree)
    system.submit(double)
    number, head = opened(system, double), head_argument(double.head)
    base = (account, epoch.salts[0], content)
    leaves = [
        (*base, loss, 600, place, (records[1 - place][:32], records[1 - place][32:]))
        for place, loss in ((0, 500), (1, 0))
    ]
    assert system.challenge.refuses(system.challenger, "refuteLeaves", number, head, leaves[0], leaves[0]) == "one leaf"
    system.challenge.do(system.challenger, "refuteLeaves", number, head, *leaves)
    assert system.challenge.ask("refuted", 1)


def test_leaves_of_two_accounts_are_no_contradiction(system: System):
    epoch = system.report({system.account(): (500, 600), "other": (1, 2)})
    leaves = [leaf_argument(statement_of(epoch, name)) for name in epoch.accounts]
    arguments = (opened(system, epoch), head_argument(epoch.head), *leaves)
    assert system.challenge.refuses(system.challenger, "refuteLeaves", *arguments) == "two accounts"


def test_two_reports_of_one_epoch_are_refuted(system: System):
    epoch = system.epoch({system.account(): (500, 600)})
    other = system.epoch({system.account(): (400, 600)})
    system.submit(epoch)
    number, head = opened(system, epoch), head_argument(epoch.head)
    signed = sign_head(other.head, system.signers[2:], system.domain)
    same = sign_head(epoch.head, system.signers[2:], system.domain)
    few = sign_head(other.head, system.signers[:2], system.domain)
    refuses = system.challenge.refuses
    assert refuses(system.challenger, "refuteReports", number, head, head, same) == "one report"
    assert (
        refuses(system.challenger, "refuteReports", number, head, head_argument(other.head), few)
        == "too few signatures"
    )
    later = system.epoch({system.account(): (400, 600)}, number=2)
    signed_later = sign_head(later.head, system.signers[2:], system.domain)
    assert (
        refuses(system.challenger, "refuteReports", number, head, head_argument(later.head), signed_later)
        == "another epoch"
    )
    system.challenge.do(system.challenger, "refuteReports", number, head, head_argument(other.head), signed)
    assert system.challenge.ask("refuted", 1)


def test_withdrawals_wait_while_a_challenge_stands_and_after_it_holds(system: System):
    system.fund(1_000)
    number = system.request(400)
    amounts = {system.account(): (500, 600)}
    first = system.report(amounts)
    system.wait(made.WINDOW_S + 1)
    last = lying(system.epoch(amounts), system.account(), 400)
    system.submit(last)
    challenged = opened(system, last)
    arguments = system.execution(number, first, last)
    assert system.vault.refuses(system.depositor, "execute", *arguments) == "frozen"
    system.challenge.do(
        system.challenger, "refuteLoss", challenged, *loss_refutation(statement_of(last, system.account()))
    )
    assert system.vault.refuses(system.depositor, "execute", *arguments) == "frozen"
    better = system.report(amounts)
    renewed = system.execution(number, first, better)
    assert system.vault.refuses(system.depositor, "execute", *renewed) == "frozen"
    system.challenge.do(system.sponsor, "addStake", value=made.STAKE)
    assert not system.challenge.ask("frozen")
    system.wait(made.WINDOW_S + 1)
    best = system.report(amounts)
    refuses = system.vault.refuses
    assert refuses(system.depositor, "execute", *system.execution(number, last, best)) == "refuted"
    for unstaked in (first, better):
        assert refuses(system.depositor, "execute", *system.execution(number, unstaked, best)) == "report without stake"
    system.wait(made.WINDOW_S + 1)
    system.vault.do(system.depositor, "execute", *system.execution(number, best, best))


def test_a_challenge_without_proof_costs_its_bond(system: System):
    epoch = system.report({system.account(): (500, 600)})
    number = opened(system, epoch)
    assert system.challenge.refuses(system.depositor, "settle", number) == "can still be proven"
    system.wait(made.PROOF_S + 1)
    statement = loss_refutation(statement_of(epoch, system.account()))
    assert system.challenge.refuses(system.challenger, "refuteLoss", number, *statement) == "too late"
    assert system.challenge.ask("frozen")
    system.challenge.do(system.depositor, "settle", number)
    assert not system.challenge.ask("frozen")
    assert system.challenge.ask("collectable", address_of(system.sponsor)) == made.BOND
    assert system.challenge.refuses(system.depositor, "settle", number) == "no challenge"
    assert system.challenge.ask("bond") == 2 * made.BOND
    assert system.challenge.refuses(system.challenger, "open", head_argument(epoch.head), value=made.BOND) == "bond"
    system.wait(made.WINDOW_S)
    assert system.challenge.ask("bond") == made.BOND


def test_who_may_challenge_what_and_when(system: System):
    epoch = system.report({system.account(): (500, 600)})
    head = head_argument(epoch.head)
    other = head_argument(system.epoch({system.account(): (1, 2)}).head)
    challenge, shown = system.challenge, loss_refutation(statement_of(epoch, system.account()))
    assert challenge.refuses(system.challenger, "open", other, value=made.BOND) == "not accepted"
    assert challenge.refuses(system.challenger, "open", head) == "bond"
    number = opened(system, epoch)
    assert challenge.refuses(system.depositor, "refuteLoss", number, *shown) == "not the challenger"
    assert challenge.refuses(system.challenger, "refuteLoss", number + 1, *shown) == "not the challenger"
    second = system.report({system.account(): (500, 600)})
    another = loss_refutation(statement_of(second, system.account()))
    assert challenge.refuses(system.challenger, "refuteLoss", number, *another) == "another epoch"
    system.wait(made.WINDOW_S + 1)
    assert challenge.refuses(system.challenger, "open", head, value=made.BOND) == "too late"


def test_a_second_proof_has_its_bond_back_and_no_more(system: System):
    epoch = lying(system.epoch({system.account(): (500, 600)}), system.account(), 1)
    system.submit(epoch)
    shown = loss_refutation(statement_of(epoch, system.account()))
    first, second, third = opened(system, epoch), opened(system, epoch, system.depositor), opened(system, epoch)
    system.challenge.do(system.challenger, "refuteLoss", first, *shown)
    assert (
        system.challenge.refuses(system.depositor, "open", head_argument(epoch.head), value=made.BOND)
        == "refuted before"
    )
    system.challenge.do(system.sponsor, "addStake", value=made.STAKE)
    system.challenge.do(system.depositor, "refuteLoss", second, *shown)
    assert system.challenge.ask("stake") == made.STAKE
    system.challenge.do(system.depositor, "settle", third)
    assert system.challenge.ask("collectable", address_of(system.depositor)) == made.BOND
    assert system.challenge.ask("collectable", address_of(system.challenger)) == made.STAKE // 2 + 2 * made.BOND
    assert system.challenge.ask("standing") == 0
    before = system.chain.balance(bytes([8]) * 20)
    system.challenge.do(system.depositor, "collect", bytes([8]) * 20)
    assert system.chain.balance(bytes([8]) * 20) == before + made.BOND
    assert system.challenge.refuses(system.depositor, "collect") == "nothing"


def test_stake_leaves_with_notice_and_not_past_a_challenge(system: System):
    epoch = system.report({system.account(): (500, 600)})
    challenge = system.challenge
    assert challenge.refuses(system.depositor, "announceLeave", made.STAKE) == "not the sponsor"
    assert challenge.refuses(system.sponsor, "leave") == "notice"
    challenge.do(system.sponsor, "announceLeave", made.STAKE)
    opened(system, epoch)
    assert challenge.refuses(system.sponsor, "leave") == "notice"
    system.wait(made.WINDOW_S + made.PROOF_S + 1)
    assert challenge.refuses(system.sponsor, "leave") == "a challenge stands"
    challenge.do(system.depositor, "settle", 0)
    assert challenge.refuses(system.depositor, "leave") == "not the sponsor"
    challenge.do(system.sponsor, "leave")
    assert challenge.ask("collectable", address_of(system.sponsor)) == made.STAKE + made.BOND
    assert challenge.ask("frozen")


def test_a_lie_is_not_told_on_stake_that_leaves(system: System):
    """A notice long passed, a lie, and the stake gone before anybody opens a challenge: it pays for nothing."""
    challenge = system.challenge
    system.fund(1_000)
    assert challenge.refuses(system.sponsor, "announceLeave", made.STAKE + 1) == "more than the stake"
    challenge.do(system.sponsor, "announceLeave", 1)
    assert challenge.ask("frozen")
    system.wait(made.WINDOW_S + made.PROOF_S + 1)
    number = system.request(1_000)
    lie = lying(system.epoch({system.account(): (500, 0)}), system.account(), 0)
    system.submit(lie)
    challenge.do(system.sponsor, "leave")
    system.wait(made.WINDOW_S + 1)
    challenge.do(system.sponsor, "addStake", value=1)
    assert not challenge.ask("frozen")
    last = system.report({system.account(): (0, 0)})
    why = system.vault.refuses(system.depositor, "execute", *system.execution(number, lie, last))
    assert why == "report without stake"


def test_a_notice_that_is_taken_back_lets_later_reports_pay(system: System):
    challenge = system.challenge
    system.fund(1_000)
    number = system.request(400)
    before = system.report({system.account(): (500, 600)})
    challenge.do(system.sponsor, "announceLeave", made.STAKE)
    challenge.do(system.sponsor, "announceLeave", 0)
    assert not challenge.ask("frozen")
    assert challenge.ask("stakedSince") == system.now_s()
    after = system.report({system.account(): (500, 600)})
    system.wait(made.WINDOW_S + 1)
    last = system.report({system.account(): (500, 600)})
    why = system.vault.refuses(system.depositor, "execute", *system.execution(number, before, last))
    assert why == "report without stake"
    system.vault.do(system.depositor, "execute", *system.execution(number, after, last))


def test_what_is_announced_beyond_the_least_stake_stops_nothing(system: System):
    challenge = system.challenge
    since_s = challenge.ask("stakedSince")
    challenge.do(system.sponsor, "addStake", value=made.STAKE)
    challenge.do(system.sponsor, "announceLeave", made.STAKE)
    system.wait(made.WINDOW_S + made.PROOF_S + 1)
    challenge.do(system.sponsor, "leave")
    assert not challenge.ask("frozen")
    assert challenge.ask("stakedSince") == since_s
    assert challenge.refuses(system.sponsor, "leave") == "notice"


def test_a_proof_comes_in_a_later_block(system: System):
    account = system.account()
    epoch = lying(system.epoch({account: (500, 600)}), account, 1)
    system.submit(epoch)
    shown = loss_refutation(statement_of(epoch, account))
    opening = encode_call(system.challenge.artifact, "open", head_argument(epoch.head))
    proving = encode_call(system.challenge.artifact, "refuteLoss", 0, *shown)
    to = {"key": system.challenger, "to": system.challenge.address}
    system.chain.mine()
    system.chain.reorg(1, [Send(calldata=opening, value=made.BOND, **to), Send(calldata=proving, **to)])
    assert system.challenge.ask("count") == 1
    assert not system.challenge.ask("refuted", 1)
    system.challenge.do(system.challenger, "refuteLoss", 0, *shown)


def test_deployments_that_would_be_free_are_refused(system: System):
    named = [contract.address for contract in (system.attestor, system.verifier, system.states)]
    accounts = [address_of(system.sponsor), bytes([7]) * 20]
    assert made.undeployable(system.chain, "Challenge", *[bytes([1]) * 20] * 5, 1, 1, 1, 1) == "no contract"
    assert made.undeployable(system.chain, "Challenge", *named, *accounts, 0, 1, 1, 1) == "free"
    assert made.undeployable(system.chain, "Challenge", *named, *accounts, 1, 1, 1, 10_000) == "reward"
    free = "the sponsor would slash himself for free"
    assert made.undeployable(system.chain, "Challenge", *named, *[accounts[0]] * 2, 1, 1, 1, 1) == free
    assert made.undeployable(system.chain, "Challenge", *named, accounts[0], bytes(20), 1, 1, 1, 1) == "no recipient"


def test_a_lie_is_refuted_on_every_kind_of_chain(backend: ChainBackend):
    system = made.build(backend)
    epoch = lying(system.epoch({"other": (1, 2), system.account(): (500, 600)}), "other", 0)
    system.submit(epoch)
    number = opened(system, epoch)
    system.challenge.do(system.challenger, "refuteLoss", number, *loss_refutation(statement_of(epoch, "other")))
    assert system.challenge.ask("frozen")
