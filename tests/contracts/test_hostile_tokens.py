"""Tokens that lie, take, refuse, call back or change what is held."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from crossmargin.adapters.networks.signing import address_of
from tests.chains_fixtures import open_backend
from tests.contracts import system as made
from tests.contracts.system import System

LARGEST = 2**256 - 1


@contextmanager
def holding(conduct: int, decimals: int = 6) -> Iterator[System]:
    """A system whose vault holds such a token."""
    with open_backend("pyevm") as chain:
        yield made.build(chain, conduct=conduct, decimals=decimals)


def solvent(system: System) -> None:
    """The vault owes what its accounts have, and holds it."""
    owed = system.vault.ask("owed")
    assert owed == system.vault.ask("balances", address_of(system.depositor))
    assert system.token.ask("balanceOf", system.vault.address) >= owed


def pay(system: System, asked: int, least: int = 0) -> str:
    """Why a covered request is not paid; nothing where it is."""
    number = system.request(asked)
    first = system.report({system.account(): (0, 0)})
    system.wait(made.WINDOW_S + 1)
    last = system.report({system.account(): (0, 0)})
    return made.reason(
        system.vault.send(system.depositor, "execute", *system.execution(number, first, last, least=least))
    )


def refused_deposit(system: System, amount: int = 1_000) -> str:
    owner = address_of(system.depositor)
    system.token.do(system.depositor, "mint", owner, amount)
    system.token.do(system.depositor, "approve", system.vault.address, amount)
    return system.vault.refuses(system.depositor, "deposit", amount)


def test_what_arrives_is_credited():
    with holding(made.FEE) as system:
        system.fund(10_000)
        assert system.vault.ask("balances", address_of(system.depositor)) == 9_900
        solvent(system)
        assert pay(system, 9_900) == ""
        assert system.token.ask("balanceOf", address_of(system.depositor)) == 9_801
        assert system.token.ask("balanceOf", system.vault.address) == 0


@pytest.mark.parametrize("decimals", [0, 24])
@pytest.mark.parametrize("conduct", [made.FINE, made.SILENT])
def test_tokens_of_any_decimals_with_and_without_answers(conduct: int, decimals: int):
    with holding(conduct, decimals) as system:
        system.fund(10**decimals)
        solvent(system)
        assert pay(system, 10**decimals) == ""
        assert system.token.ask("balanceOf", address_of(system.depositor)) == 10**decimals


@pytest.mark.parametrize(
    ("conduct", "why"),
    [
        (made.UNTRUE, "token refused"),
        (made.NUMBER, "token refused"),
        (made.GENEROUS, "more arrived than was sent"),
    ],
)
def test_deposits_that_are_not_what_they_say_are_refused(conduct: int, why: str):
    with holding(conduct) as system:
        assert refused_deposit(system) == why
        assert system.vault.ask("owed") == 0


def test_nothing_is_credited_for_nothing(system: System):
    assert system.vault.refuses(system.depositor, "deposit", 0) == "nothing arrived"
    system.vault.refuses(system.depositor, "deposit", 1)
    assert refused_deposit(system, LARGEST) == "too much"
    assert system.vault.ask("owed") == 0


def test_the_largest_amounts(system: System):
    system.fund(2**128 - 1)
    solvent(system)
    system.token.do(system.depositor, "mint", address_of(system.depositor), 1)
    system.token.do(system.depositor, "approve", system.vault.address, 1)
    assert system.vault.refuses(system.depositor, "deposit", 1) == "too much"
    assert system.vault.refuses(system.depositor, "request", LARGEST) == "more than the balance"
    system.token.do(system.depositor, "rebase", 10**18 - 1)
    held = system.token.ask("balanceOf", system.vault.address)
    assert pay(system, 2**128 - 1) == ""
    assert system.token.ask("balanceOf", address_of(system.depositor)) <= held
    assert system.vault.ask("owed") == 0


def test_a_token_that_takes_more_is_not_paid_out():
    with holding(made.GREEDY) as system:
        owner = address_of(system.depositor)
        system.token.do(system.depositor, "mint", owner, 20_000)
        system.token.do(system.depositor, "approve", system.vault.address, 10_000)
        system.vault.do(system.depositor, "deposit", 10_000)
        system.token.do(system.depositor, "mint", system.vault.address, 1_000)
        assert pay(system, 5_000) == "more left than was sent"
        assert system.vault.ask("owed") == 10_000


def test_a_token_that_stops_delays_and_loses_nothing(system: System):
    system.fund(1_000)
    system.token.do(system.depositor, "stop", True)
    assert refused_deposit(system) == "stopped"
    assert pay(system, 400) == "stopped"
    assert system.vault.ask("owed") == 1_000
    system.token.do(system.depositor, "stop", False)
    assert pay(system, 300) == ""


@pytest.mark.parametrize("callback", [1, 2, 3])
def test_a_token_that_calls_back_is_let_in_nowhere(callback: int):
    with holding(made.REENTRANT) as system:
        system.fund(1_000)
        system.token.do(system.depositor, "arm", callback)
        system.fund(1_000)
        assert not system.token.ask("reentered")
        assert pay(system, 2_000) == ""
        assert not system.token.ask("reentered")
        assert system.token.ask("balanceOf", address_of(system.depositor)) == 2_000


def test_losses_of_a_rebasing_token_are_shared(system: System):
    other = system.challenger
    system.fund(1_000)
    system.fund(3_000, other)
    system.token.do(other, "rebase", 75 * 10**16)
    assert system.vault.ask("worthOf", 1_000) == 750
    assert refused_deposit(system) == "short of tokens"
    assert pay(system, 1_000, least=751) == "short of tokens"
    system.vault.do(system.depositor, "cancel", 0)
    assert pay(system, 1_000, least=750) == ""
    assert system.vault.ask("owed") == 3_000
    assert system.vault.ask("worthOf", 3_000) == 2_250
    assert system.token.ask("balanceOf", system.vault.address) == 2_250


def test_gains_of_a_rebasing_token_stay_as_a_reserve(system: System):
    system.fund(1_000)
    system.token.do(system.depositor, "rebase", 2 * 10**18)
    assert system.vault.ask("worthOf", 1_000) == 1_000
    assert pay(system, 1_000) == ""
    assert system.token.ask("balanceOf", address_of(system.depositor)) == 1_000
    assert system.token.ask("balanceOf", system.vault.address) == 1_000


def test_who_is_no_contract_is_no_token(system: System):
    nobody = made.Contract(system.chain, system.token.artifact, bytes([9]) * 20)
    assert made.undeployable_vault(system, token=nobody) == "no contract"
