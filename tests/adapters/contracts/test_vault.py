"""The shipped vault, followed: its events and its proven storage say the same."""

import random
from pathlib import Path

from crossmargin.adapters.contracts.vault import balance_slot, vault_key, vault_movements
from crossmargin.adapters.journals.store import JournalStore
from crossmargin.adapters.networks.endpoints import Anchor, Endpoint, anchored, read_slots
from crossmargin.adapters.networks.following import Follower, Source, first_journal
from crossmargin.adapters.networks.signing import address_of
from crossmargin.market.chains.health import unexplained
from crossmargin.proofs.keccak import keccak
from tests.adapters.networks.accounts import ASSET, PROFILE
from tests.chains_fixtures import open_backend
from tests.contracts.system import System, build


def follower_of(system: System, path: Path) -> Follower:
    chain = system.chain
    chain.mine(9)
    source = Source(
        endpoints=[Endpoint(name="rpc", operator="A", reader=chain)],
        profile=PROFILE,
        contract=system.vault.address,
        movements=vault_movements(home=chain.chain_id, asset=ASSET),
        quorum=1,
    )
    anchor = anchored(source.endpoints, PROFILE, quorum=1)
    assert isinstance(anchor, Anchor)
    return Follower(source, JournalStore(path, first_journal("eip155:31337", anchor, {})))


def acted(system: System, kind: str, owner: int, amount: int, open_requests: list[tuple[int, int]]) -> None:
    """A deposit, a request within the balance, or the first open request cancelled."""
    key = system.chain.keys[owner]
    if kind == "deposit":
        system.fund(amount, key)
    elif kind == "request":
        held = system.vault.ask("balances", address_of(key))
        if held:
            open_requests.append((owner, system.request(min(amount, held), key)))
    elif open_requests:
        by, number = open_requests.pop(0)
        system.vault.do(system.chain.keys[by], "cancel", number)


def test_movements_add_up_to_what_storage_proves(tmp_path: Path) -> None:
    rng = random.Random(7)
    with open_backend("pyevm") as chain:
        system = build(chain)
        follower = follower_of(system, tmp_path / "journal")
        open_requests: list[tuple[int, int]] = []
        for kind in ("deposit", "cancel", "request", "deposit", "request", "request", "cancel", "deposit", "cancel"):
            acted(system, kind, rng.choice([5, 6]), rng.randrange(1, 10**12), open_requests)
            follower.poll()
        chain.mine(9)
        found = follower.poll()
        assert isinstance(found.anchor, Anchor)
        owners = [address_of(key) for key in chain.keys[5:7]]
        reading = read_slots(
            follower.source.endpoints,
            found.anchor,
            system.vault.address,
            [balance_slot(owner) for owner in owners],
            code_hash=keccak(chain.code(system.vault.address)),
        )
        proven = {
            vault_key(owner, home=chain.chain_id, asset=ASSET): reading.values[balance_slot(owner)] for owner in owners
        }
        assert unexplained(found.journal, proven) == ()
        assert dict(found.journal.final) == {key: amount for key, amount in proven.items() if amount}
        assert system.account(chain.keys[5]) == vault_key(owners[0], home=chain.chain_id, asset=ASSET).account
        follower.store.close()
