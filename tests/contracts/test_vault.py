"""The vault pays what is covered, when it may, and nothing else."""

import dataclasses
from typing import Any

import pytest

from crossmargin.adapters.attesting import by_address, head_argument, leaf_argument, sign_change
from crossmargin.adapters.networks.backend import ChainBackend
from crossmargin.adapters.networks.signing import address_of
from crossmargin.proofs.state import check_account, check_header, check_slots, mapping_slot
from crossmargin.proofs.statement import Epoch, statement_of
from tests.chains_fixtures import open_backend
from tests.contracts import system as made
from tests.contracts.system import System


def ripe(system: System, loss: int = 500, collateral: int = 600, asked: int = 400) -> tuple[int, Epoch, Epoch]:
    """A request of 400 out of 1,000 with two reports after it, ready to be paid."""
    number = system.request(asked)
    amounts = {"other": (1, 2), system.account(): (loss, collateral), "third": (0, 0)}
    first = system.report(amounts)
    system.wait(made.WINDOW_S + 1)
    return number, first, system.report(amounts)


def test_a_covered_withdrawal_is_paid(backend: ChainBackend):
    system = made.build(backend)
    system.fund(1_000)
    number, first, last = ripe(system)
    assert system.vault.ask("balances", address_of(system.depositor)) == 600
    arguments = system.execution(number, first, last)
    system.vault.do(system.depositor, "execute", *arguments)
    assert system.token.ask("balanceOf", address_of(system.depositor)) == 400
    assert system.vault.ask("owed") == 600
    assert system.vault.refuses(system.depositor, "execute", *arguments) == "not the owner's request"


def test_one_report_does_once_its_window_has_passed(system: System):
    system.fund(1_000)
    number, first, last = ripe(system)
    assert (
        system.vault.refuses(system.depositor, "execute", *system.execution(number, first, first))
        == "not the latest report"
    )
    assert (
        system.vault.refuses(system.depositor, "execute", *system.execution(number, last, last))
        == "report can still be refuted"
    )
    system.wait(made.WINDOW_S + 1)
    system.vault.do(system.depositor, "execute", *system.execution(number, last, last))


def test_balances_are_proven_from_the_state(backend: ChainBackend):
    system = made.build(backend)
    system.fund(123_456)
    owner = address_of(system.depositor)
    slot = mapping_slot(system.vault.artifact.slots["balances"], [owner], layout="vyper")
    assert system.vault.artifact.slots["balances"] == 0
    block = backend.block("latest")
    proof = backend.proof(system.vault.address, [slot], block.number)
    state = check_header(block.header, block.hash)
    account = check_account(state.state_root, system.vault.address, proof.nodes)
    assert account is not None
    assert check_slots(account.storage_root, {slot: proof.slots[0].nodes}) == {slot: 123_456}


@pytest.mark.parametrize(
    ("first", "last", "why"),
    [
        ((601, 600), (600, 600), "margin"),
        ((600, 600), (601, 600), "margin"),
        ((0, 0), (0, 0), ""),
        ((600, 600), (600, 600), ""),
        ((2**50, 2**127), (1, 0), "margin"),
    ],
)
def test_no_withdrawal_leaves_an_account_uncovered(system: System, first: Any, last: Any, why: str):
    system.fund(1_000)
    number = system.request(400)
    early = system.report({system.account(): first})
    system.wait(made.WINDOW_S + 1)
    late = system.report({system.account(): last})
    receipt = system.vault.send(system.depositor, "execute", *system.execution(number, early, late))
    assert receipt.status == (not why)
    assert made.reason(receipt) == why


def test_coverage_beyond_the_loss_can_be_asked_for():
    with open_backend("pyevm") as chain:
        system = made.build(chain, coverage=12_500)
        system.fund(1_000)
        number = system.request(1)
        for collateral, why in ((624, "margin"), (625, "")):
            amounts = {system.account(): (500, collateral)}
            first = system.report(amounts)
            system.wait(made.WINDOW_S + 1)
            receipt = system.vault.send(
                system.depositor, "execute", *system.execution(number, first, system.report(amounts))
            )
            assert made.reason(receipt) == why


def test_reports_from_before_the_request_do_not_count(system: System):
    system.fund(1_000)
    as_of_ms = (system.now_s() + 1) * 1000
    number = system.request(400)
    asked_s = system.now_s()
    moments_ms = (as_of_ms, asked_s * 1000, asked_s * 1000 + 999, asked_s * 1000 + 1000)
    *early, after = [system.report({system.account(): (500, 1_000)}, as_of_ms=ms) for ms in moments_ms]
    system.wait(made.WINDOW_S + 1)
    for before in early:
        why = system.vault.refuses(system.depositor, "execute", *system.execution(number, before, after))
        assert why == "report from before the request"
    system.vault.do(system.depositor, "execute", *system.execution(number, after, after))


def test_reports_and_their_challenges_are_of_one_attestor(system: System):
    signers = [address_of(key) for key in system.signers]
    times = (made.WINDOW_S, made.AGE_S, made.TIMELOCK_S)
    other = dataclasses.replace(system, attestor=made.deploy(system.chain, "MarginAttestor", signers, 3, *times))
    assert made.undeployable_vault(other) == "challenges of another attestor"


def test_a_withdrawal_waits_its_delay():
    with open_backend("pyevm") as chain:
        system = made.build(chain)
        vault = made.deploy_vault(chain, system.token, system.attestor, system.challenge, delay=10_000)
        system = dataclasses.replace(system, vault=vault)
        system.fund(1_000)
        number, first, last = ripe(system)
        assert vault.refuses(system.depositor, "execute", *system.execution(number, first, last)) == "delay"
        assert made.undeployable_vault(system, delay=made.WINDOW_S - 1) == "delay within the challenge window"
        assert made.undeployable_vault(system, coverage=9_999) == "coverage"


def test_a_report_from_long_ago_pays_nothing(system: System):
    system.fund(1_000)
    number, first, _ = ripe(system)
    system.wait(made.AGE_S)
    last = system.report({system.account(): (500, 600)})
    assert system.vault.refuses(system.depositor, "execute", *system.execution(number, first, last)) == "report too old"


def test_a_stale_report_pays_nothing(system: System):
    system.fund(1_000)
    number, _, last = ripe(system)
    system.wait(made.AGE_S)
    assert system.vault.refuses(system.depositor, "execute", *system.execution(number, last, last)) == "stale"


def test_leaves_of_others_pay_nothing(system: System):
    system.fund(1_000)
    number, first, last = ripe(system)
    number_of_other, head, leaf, latest, other, least = system.execution(number, first, last, "other")
    assert (
        system.vault.refuses(system.depositor, "execute", number_of_other, head, leaf, latest, other, least)
        == "another account"
    )
    named = (system.account(), *leaf[1:])
    assert system.vault.refuses(system.depositor, "execute", number, head, named, latest, named, least) == "wrong root"
    good = system.execution(number, first, last)
    assert system.vault.refuses(system.challenger, "execute", *good) == "not the owner's request"


def test_reports_that_nobody_accepted_pay_nothing(system: System):
    system.fund(1_000)
    number, first, last = ripe(system, loss=700)
    kinder = made.epoch_of({system.account(): (500, 600)}, number=1, as_of_ms=first.head.as_of_ms)
    assert system.vault.refuses(system.depositor, "execute", *system.execution(number, kinder, last)) == "not accepted"
    latest = made.epoch_of({system.account(): (500, 600)}, number=2, as_of_ms=last.head.as_of_ms)
    assert (
        system.vault.refuses(system.depositor, "execute", *system.execution(number, latest, latest)) == "not accepted"
    )


def test_requests_leave_the_balance_and_come_back(system: System):
    system.fund(1_000)
    owner = address_of(system.depositor)
    assert system.vault.refuses(system.depositor, "request", 1_001) == "more than the balance"
    assert system.vault.refuses(system.depositor, "request", 0) == "nothing requested"
    assert system.vault.refuses(system.challenger, "request", 1) == "more than the balance"
    number = system.request(1_000)
    assert system.vault.ask("balances", owner) == 0
    assert system.vault.refuses(system.depositor, "request", 1) == "more than the balance"
    assert system.vault.refuses(system.challenger, "cancel", number) == "not the owner's request"
    system.vault.do(system.depositor, "cancel", number)
    assert system.vault.ask("balances", owner) == 1_000
    assert system.vault.refuses(system.depositor, "cancel", number) == "not the owner's request"
    assert system.vault.ask("owed") == 1_000


def test_accounts_are_named_by_the_home_chain(system: System):
    for key in system.chain.keys:
        assert system.vault.ask("accountOf", address_of(key)) == system.account(key)
    assert system.vault.ask("accountOf", bytes(20)).endswith(":0x" + "00" * 20)


def test_a_pause_delays_and_ends(system: System):
    system.fund(1_000)
    number, first, last = ripe(system)
    assert system.vault.refuses(system.depositor, "pause") == "not the guardian"
    system.vault.do(system.guardian, "pause")
    assert system.vault.refuses(system.depositor, "execute", *system.execution(number, first, last)) == "paused"
    assert system.vault.refuses(system.depositor, "deposit", 1) == "paused"
    other = system.request(100)
    system.vault.do(system.depositor, "cancel", other)
    system.wait(made.PAUSE_S - 100)
    assert system.vault.refuses(system.guardian, "pause") == "paused before"
    system.wait(100)
    assert system.vault.refuses(system.guardian, "pause") == "paused before"
    newest = system.report({system.account(): (500, 600)})
    system.vault.do(system.depositor, "execute", *system.execution(number, last, newest))
    system.wait(made.PAUSE_S)
    system.vault.do(system.guardian, "pause")


def test_signers_who_change_do_not_stop_a_withdrawal(system: System):
    system.fund(1_000)
    addresses = [address_of(key) for key in system.signers[2:]]
    signed = {"nonce": 0, "valid_until_s": 2**40, "keys": system.signers[:3], "domain": system.domain}
    system.attestor.do(system.challenger, "propose", addresses, 2, 2**40, sign_change(addresses, 2, **signed))
    system.wait(made.TIMELOCK_S - made.WINDOW_S)
    number = system.request(400)
    first = system.report({system.account(): (500, 600)})
    system.wait(made.WINDOW_S + 1)
    system.attestor.do(system.challenger, "enact")
    last = system.epoch({system.account(): (500, 600)})
    system.submit(last, system.signers[2:4])
    system.vault.do(system.depositor, "execute", *system.execution(number, first, last))


def test_many_accounts_and_a_deep_path(system: System):
    system.fund(1_000)
    number = system.request(400)
    amounts = {f"account {place}": (1, 2) for place in range(700)} | {system.account(): (500, 600)}
    first = system.report(amounts)
    assert len(leaf_argument(statement_of(first, system.account()))[-1]) == 20
    system.wait(made.WINDOW_S + 1)
    system.vault.do(system.depositor, "execute", *system.execution(number, first, system.report(amounts)))
    assert head_argument(first.head)[0] == 1
    assert by_address(system.signers) == system.signers
