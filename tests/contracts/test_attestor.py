"""Reports: who may sign them, in which order they come, and what they open."""

import dataclasses
from typing import Any

import msgspec
import pytest

from crossmargin.adapters.attesting import (
    by_address,
    head_argument,
    leaf_argument,
    sign_anchor,
    sign_change,
    sign_digest,
    sign_head,
    sign_withdrawal,
)
from crossmargin.adapters.contracts.abi import decode_log
from crossmargin.adapters.networks.backend import ChainBackend
from crossmargin.adapters.networks.signing import address_of
from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.keccak import keccak
from crossmargin.proofs.statement import Epoch, head_digest, statement_of
from crossmargin.proofs.typed_hash import Domain
from tests.chains_fixtures import open_backend
from tests.contracts import system as made
from tests.contracts.system import System

AMOUNTS = {"maker": (5, 9), "taker": (2**50, 2**100), "empty": (0, 0)}
UNSIGNED = {"not a signer", "signers out of order"}  # Another digest recovers other signers.
NO_LEAF = {"wrong root", "wrong count", "malformed", "not canonical", "overflow"}
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def submission(
    system: System, epoch: Epoch, keys: tuple[bytes, ...] = (), domain: Domain | None = None
) -> tuple[Any, bytes]:
    return head_argument(epoch.head), sign_head(epoch.head, keys or system.signers[:3], domain or system.domain)


def refused(system: System, epoch: Epoch, signatures: bytes) -> str:
    return system.attestor.refuses(system.challenger, "submit", head_argument(epoch.head), signatures)


def refused_signed(system: System, epoch: Epoch) -> str:
    """Why a report is refused that has its signatures."""
    return refused(system, epoch, submission(system, epoch)[1])


def test_the_contract_hashes_a_report_as_the_library_does(system: System):
    epoch = system.report(AMOUNTS)
    digest = head_digest(epoch.head, system.domain)
    assert system.attestor.ask("digest", head_argument(epoch.head)) == digest
    assert system.attestor.ask("digestOf", 1) == digest
    assert system.attestor.ask("acceptedAt", head_argument(epoch.head)) == system.now_s()
    assert system.attestor.ask("epoch") == 1


def test_the_event_of_a_report_has_all_of_it(system: System):
    epoch = system.epoch(AMOUNTS)
    (log,) = system.submit(epoch).logs
    event = decode_log(system.attestor.artifact, log)
    assert event is not None
    assert event.values == {
        "epoch": 1,
        "digest": head_digest(epoch.head, system.domain),
        "head": head_argument(epoch.head),
    }


def test_any_three_to_five_signers_do(system: System):
    for keys in (system.signers[:3], system.signers[2:], system.signers[::2], system.signers):
        system.submit(system.epoch(AMOUNTS), keys)
    assert system.attestor.ask("epoch") == 4


def test_signatures_that_are_no_quorum_are_refused(system: System):
    epoch, (a, b, c, *_) = system.epoch(AMOUNTS), system.signers
    digest = head_digest(epoch.head, system.domain)
    one, two, three = (sign_digest(digest, [key]) for key in (a, b, c))
    stranger = by_address([a, b, system.depositor])
    for signatures, why in [
        (b"", "too few signatures"),
        (one + two, "too few signatures"),
        (one + two + two, "signers out of order"),
        (one + one + two, "signers out of order"),
        (one + three + two, "signers out of order"),
        (sign_digest(digest, stranger), "not a signer"),
        (one + two + three[:-1], "signature length"),
        (one + two + three + b"\x00", "signature length"),
        (one + two + bytes(65), "malleable signature"),
        (one + two + three[:64] + b"\x1d", "malleable signature"),
        (one + two + bytes(64) + b"\x1b", "signers out of order"),
    ]:
        assert refused(system, epoch, signatures) == why
    system.submit(epoch)


def test_the_second_form_of_a_signature_is_refused(system: System):
    epoch = system.epoch(AMOUNTS)
    packed = sign_head(epoch.head, system.signers[:3], system.domain)
    flipped = ORDER - int.from_bytes(packed[32:64], "big")
    other = packed[:32] + flipped.to_bytes(32, "big") + bytes([55 - packed[64]]) + packed[65:]
    assert refused(system, epoch, other) == "malleable signature"
    assert refused(system, epoch, packed[:64] + bytes([packed[64] - 27]) + packed[65:]) == "malleable signature"


@pytest.mark.parametrize(
    "change", [{"chain_id": 1}, {"contract": bytes(20)}, {"name": "Other"}, {"version": "2"}, {"chain_id": None}]
)
def test_what_is_signed_for_elsewhere_is_refused(system: System, change: dict[str, Any]):
    epoch, elsewhere = system.epoch(AMOUNTS), dataclasses.replace(system.domain, **change)
    assert refused(system, epoch, submission(system, epoch, domain=elsewhere)[1]) in UNSIGNED


def test_a_report_of_one_chain_is_refused_on_another(system: System):
    with open_backend("pyevm", chain_id=10) as chain:
        twin = made.build(chain)
        assert twin.attestor.address == system.attestor.address
        epoch = twin.epoch(AMOUNTS)
        assert refused(twin, epoch, submission(system, epoch)[1]) in UNSIGNED
        twin.submit(epoch)


def test_a_report_changed_after_it_was_signed_is_refused(system: System):
    epoch = system.epoch(AMOUNTS)
    _, signatures = submission(system, epoch)
    good = msgspec.to_builtins(epoch.head)
    for name, value in good.items():
        if name == "inputs":
            changed = [{"inputs": value | {field: "ff" * 32}} for field in value]
        elif name in {"epoch", "as_of_ms"}:
            continue  # Refused for what they are.
        elif isinstance(value, int):
            changed = [{name: value + 1}]
        else:
            changed = [{name: "0x" + "ee" * 32 if value.startswith("0x") else str(int(value) + 1)}]
        for change in changed:
            head = msgspec.convert(good | change, type(epoch.head))
            why = system.attestor.refuses(system.challenger, "submit", head_argument(head), signatures)
            assert why in UNSIGNED, name


def test_epochs_come_one_after_the_other(system: System):
    for number in (0, 2, 2**63):
        assert refused_signed(system, system.epoch(AMOUNTS, number=number)) == "not the next epoch"
    first = system.report(AMOUNTS)
    assert refused_signed(system, first) == "not the next epoch"
    again = system.epoch(AMOUNTS, as_of_ms=first.head.as_of_ms)
    assert refused_signed(system, again) == "not after the last report"


def test_reports_are_of_now(system: System):
    now_ms = system.now_s() * 1000
    late = system.epoch(AMOUNTS, as_of_ms=now_ms - made.AGE_S * 1000)
    assert refused_signed(system, late) == "stale"
    early = system.epoch(AMOUNTS, as_of_ms=now_ms + 3_600_000)
    assert refused_signed(system, early) == "from the future"
    none = dataclasses.replace(late, head=msgspec.structs.replace(system.epoch(AMOUNTS).head, accounts=0))
    assert refused_signed(system, none) == "no accounts"


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 11])
def test_every_leaf_opens_and_nothing_else(system: System, count: int):
    amounts = {f"account {place}": (place, 2**120 + place) for place in range(count)}
    epoch = system.report(amounts)
    head = head_argument(epoch.head)
    for account in amounts:
        leaf = leaf_argument(statement_of(epoch, account))
        assert system.attestor.ask("opened", head, leaf) > 0
        for wrong in wrong_leaves(leaf):
            assert system.attestor.refuses_to_say("opened", head, wrong) in NO_LEAF, wrong


def wrong_leaves(leaf: Any) -> list[Any]:
    """Leaves that stand in no tree."""
    account, salt, content, loss, collateral, index, path = leaf
    wrong = [
        (account + " ", salt, content, loss, collateral, index, path),
        (account, keccak(salt), content, loss, collateral, index, path),
        (account, salt, keccak(content), loss, collateral, index, path),
        (account, salt, content, loss + 1, collateral, index, path),
        (account, salt, content, loss, collateral + 1, index, path),
        (account, salt, content, loss, collateral, index + 1, path),
        (account, salt, content, loss, collateral, index, (*path, bytes(32))),
        (account, salt, content, loss, collateral, index, (*path, bytes(32), bytes(32))),
    ]
    if path:
        wrong.append((account, salt, content, loss, collateral, index, path[2:]))
        wrong.append((account, salt, content, loss, collateral, index, (*path[:-1], b"\xff" * 32)))
    return wrong


def test_totals_that_are_not_the_trees_open_nothing(system: System):
    epoch = system.epoch(AMOUNTS)
    total = str(int(epoch.head.worst_loss_total) - 1)
    lower = dataclasses.replace(epoch, head=msgspec.structs.replace(epoch.head, worst_loss_total=total))
    system.submit(lower)
    leaf = leaf_argument(statement_of(lower, "maker"))
    assert system.attestor.refuses_to_say("opened", head_argument(lower.head), leaf) == "wrong totals"
    assert system.attestor.refuses_to_say("opened", head_argument(epoch.head), leaf) == "not accepted"


def test_signers_change_by_quorum_and_after_the_timelock(system: System):
    attestor, others = system.attestor, by_address(system.chain.keys[4:8])
    addresses = [address_of(key) for key in others]
    until_s = system.now_s() + 1_000
    signed = {"nonce": 0, "valid_until_s": until_s, "domain": system.domain}
    two = sign_change(addresses, 3, keys=system.signers[:2], **signed)
    assert attestor.refuses(system.challenger, "propose", addresses, 3, until_s, two) == "too few signatures"
    three = sign_change(addresses, 3, keys=system.signers[:3], **signed)
    assert attestor.refuses(system.challenger, "propose", addresses, 4, until_s, three) in UNSIGNED
    assert attestor.refuses(system.challenger, "propose", addresses, 3, until_s + 1, three) in UNSIGNED
    assert attestor.refuses(system.challenger, "propose", addresses, 3, system.now_s(), three) == "lapsed"
    attestor.do(system.challenger, "propose", addresses, 3, until_s, three)
    assert attestor.refuses(system.challenger, "propose", addresses, 3, until_s, three) in UNSIGNED
    assert attestor.refuses(system.challenger, "enact") == "timelock"
    before = system.report(AMOUNTS)
    system.wait(made.TIMELOCK_S)
    attestor.do(system.challenger, "enact")
    assert attestor.refuses(system.challenger, "enact") == "no change"
    assert [attestor.ask("isSigner", address) for address in addresses] == [True] * 4
    stale = system.epoch(AMOUNTS)
    assert refused_signed(system, stale) in UNSIGNED
    system.submit(system.epoch(AMOUNTS), others[:3])
    signatures = sign_head(before.head, system.signers[:3], system.domain)
    assert attestor.ask("signedDigest", head_argument(before.head), signatures) == attestor.ask("digestOf", 1)
    assert attestor.refuses_to_say("signedDigest", head_argument(before.head), signatures[:130]) == "too few signatures"


def test_a_change_is_withdrawn_by_quorum(system: System):
    attestor, addresses = system.attestor, [address_of(key) for key in system.signers[:3]]
    until_s, signed = system.now_s() + 100, {"keys": system.signers[:3], "domain": system.domain}
    change = sign_change(addresses, 2, nonce=0, valid_until_s=until_s, **signed)
    attestor.do(system.challenger, "propose", addresses, 2, until_s, change)
    old = sign_withdrawal(nonce=0, keys=system.signers[:3], domain=system.domain)
    assert attestor.refuses(system.challenger, "withdrawChange", old) in UNSIGNED
    attestor.do(
        system.challenger, "withdrawChange", sign_withdrawal(nonce=1, keys=system.signers[1:4], domain=system.domain)
    )
    system.wait(made.TIMELOCK_S)
    assert attestor.refuses(system.challenger, "enact") == "no change"
    assert attestor.refuses(system.challenger, "withdrawChange", old) == "no change"


@pytest.mark.parametrize(("count", "needed"), [(0, 0), (2, 1), (4, 2), (3, 4)])
def test_sets_of_signers_without_a_majority_are_refused(count: int, needed: int):
    with open_backend("pyevm") as chain:
        assert undeployable(chain, signers_of(chain, count), needed, 10, 10, 11) == "threshold"


def test_orders_and_times_of_a_deployment_are_checked():
    with open_backend("pyevm") as chain:
        three = signers_of(chain, 3)
        assert undeployable(chain, three[::-1], 2, 10, 10, 11) == "signers out of order"
        assert undeployable(chain, [three[0]] * 3, 2, 10, 10, 11) == "signers out of order"
        assert undeployable(chain, [bytes(20), *three], 3, 10, 10, 11) == "signers out of order"
        assert undeployable(chain, three, 2, 10, 10, 10) == "timelock within the challenge window"
        assert undeployable(chain, three, 2, 0, 10, 10) == "no time"


def signers_of(chain: ChainBackend, count: int) -> list[bytes]:
    return [address_of(key) for key in by_address(chain.keys[:count])]


def undeployable(chain: ChainBackend, *arguments: Any) -> str:
    return made.undeployable(chain, "MarginAttestor", *arguments)


def test_a_quorum_anchors_blocks_of_other_chains(system: System):
    anchored = keccak(b"a block")
    signed = {"keys": system.signers[:3], "domain": system.domain}
    signatures = sign_anchor(system.states.address, 10, anchored, **signed)
    wrong = sign_anchor(system.states.address, 11, anchored, **signed)
    arguments = (system.states.address, 10, anchored)
    assert system.attestor.refuses(system.challenger, "anchor", *arguments, wrong) in UNSIGNED
    system.attestor.do(system.challenger, "anchor", *arguments, signatures)
    assert system.states.ask("isAnchored", 10, anchored)


def test_keys_sign_once(system: System):
    with pytest.raises(InvalidInput, match="each once"):
        sign_digest(bytes(32), [system.depositor, system.depositor])
