"""The vault pays what is covered, when it may, and nothing else."""

from crossmargin.adapters.networks.signing import address_of
from tests.contracts import system as made
from tests.contracts.system import System


def test_a_covered_withdrawal_is_paid(system: System):
    system.fund(1_000)
    number = system.request(400)
    assert system.vault.ask("balances", address_of(system.depositor)) == 600
    first = system.report({system.account(): (500, 600), "other": (1, 2)})
    system.wait(made.WINDOW_S + 1)
    last = system.report({"other": (1, 2), system.account(): (600, 600), "third": (0, 0)})
    receipt = system.vault.do(system.depositor, "execute", *system.execution(number, first, last))
    assert system.token.ask("balanceOf", address_of(system.depositor)) == 400
    assert receipt.gas_used > 0
