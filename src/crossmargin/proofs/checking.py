"""Every check of a margin statement, by name: what an outsider has to do, and may do again in any language.

Nothing here needs the engine, the market or the network: only the statement, and what the outsider trusts from
elsewhere, the published hash of the head and final block hashes. What is not given is reported as not checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from crossmargin.core.errors import CrossmarginError, NotProved
from crossmargin.proofs.collateral_lines import CollateralLine, check_source, check_sum, lines_digest
from crossmargin.proofs.commitments import leaf_content, positions_digest, row_entry, scenario_entry, unpack_quanta
from crossmargin.proofs.quantise import DECIMALS_MAX, worst_loss
from crossmargin.proofs.reasons import Reason, refuse, require
from crossmargin.proofs.state import SLOT_LIMIT, check_account, check_header, check_slots
from crossmargin.proofs.statement import Head, Statement, StateProof, head_digest
from crossmargin.proofs.trees import COUNT_MAX, SUM_LIMIT, Inclusion, account_record, check_inclusion, list_record
from crossmargin.proofs.typed_hash import Domain

_HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})*")
_DIGITS: Final = re.compile(r"0|-?[1-9][0-9]{0,77}")
_LOTS_LIMIT: Final = 1 << 63

Outcome = Literal["holds", "fails", "not checked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: its name, how it came out, and why; `reason` is a `Reason` where it fails."""

    name: str
    outcome: Outcome
    reason: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """What the outsider knows from elsewhere: the digest of the head, and final block hashes by chain (CAIP-2).

    `vaults` are contracts (CAIP-10) with the asset instance (CAIP-19) that each is known to hold, and the slot of the
    mapping that says for whom: another mapping, such as of allowances, may hold what anybody writes there. Once any
    block hash is given, a proof on a chain without one fails; once any vault is, a line from another. `homes` are
    contracts (CAIP-10) that name their owners' accounts by another chain (CAIP-2) than their own, as the vaults of one
    system do: the addresses there are then accounts of that chain alone."""

    head: bytes | None = None
    domain: Domain = field(default_factory=Domain)
    anchors: Mapping[str, Collection[bytes]] = field(default_factory=dict)
    vaults: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    homes: Mapping[str, str] = field(default_factory=dict)


def verify(statement: Statement, trusted: Trusted | None = None) -> tuple[Check, ...]:
    """All checks, none left out after one that fails; a statement is good if none fails."""
    known, head = trusted or Trusted(), statement.head
    checks = [
        outcome_of("inputs", lambda: _check_inputs(head)),
        outcome_of("head", lambda: _check_head(head, known), given=known.head is not None),
        outcome_of("account and totals", lambda: _check_totals(statement)),
        outcome_of("rows of R", lambda: _check_rows(statement)),
        outcome_of("worst loss", lambda: _check_worst_loss(statement)),
        outcome_of("worst scenario", lambda: _check_worst_scenario(statement)),
    ]
    checks.append(_check_collateral(statement))
    for proof in statement.state:
        checks += _check_proof(proof, known)
    for line in statement.lines:
        checks += _check_line(line, statement, known)
    return tuple(checks)


def is_good(checks: Collection[Check]) -> bool:
    """Whether no check fails."""
    return all(check.outcome != "fails" for check in checks)


def outcome_of(name: str, check: Callable[[], object], *, given: bool = True) -> Check:
    """What comes of a check that raises where it fails; not checked where nothing to check it against is `given`."""
    if not given:
        return Check(name=name, outcome="not checked", why="nothing to check it against was given")
    try:
        check()
    except NotProved as failure:
        return Check(name=name, outcome="fails", reason=failure.reason, why=str(failure))
    except CrossmarginError as failure:
        return Check(name=name, outcome="fails", reason=Reason.MALFORMED, why=str(failure))
    return Check(name=name, outcome="holds")


def _check_inputs(head: Head) -> None:
    """The hashes of what went in, and the numbers beside them, are of the form they must have."""
    inputs = head.inputs
    for what, text in (
        ("snapshot", inputs.snapshot),
        ("scenario set", inputs.scenario_set),
        ("model", inputs.model),
        ("book", inputs.book),
        ("registry", inputs.registry),
    ):
        _bytes("0x" + text, 32, what)
    decimals = head.money_decimals
    require(0 <= decimals <= DECIMALS_MAX, Reason.MALFORMED, "money decimals", decimals, f"from 0 to {DECIMALS_MAX}")


def check_form(head: Head) -> None:
    """Hashes, roots and totals of a head are written in the one way they have; raises `NotProved` otherwise."""
    _check_inputs(head)
    for what, root in (
        ("rows", head.rows_root),
        ("scenarios", head.scenarios_root),
        ("accounts", head.accounts_root),
        ("claims", head.claims_root),
    ):
        _bytes(root, 32, f"root of {what}")
    for what, total in (("worst losses", head.worst_loss_total), ("collateral", head.collateral_total)):
        _integer(total, 0, SUM_LIMIT, f"total of {what}")


def _check_head(head: Head, known: Trusted) -> None:
    """The head is the published one."""
    check_form(head)
    found = head_digest(head, known.domain)
    require(found == known.head, Reason.WRONG_ROOT, "head", found.hex(), f"the published {(known.head or b'').hex()}")


def _check_totals(statement: Statement) -> None:
    """The account's leaf stands in the tree, and the tree's totals are the stated ones."""
    head, where = statement.head, f"account {statement.account!r}"
    held = [_lots(position.lots) for position in statement.positions]
    rows = [_place(position.row, min(head.rows, COUNT_MAX), "row of a position") for position in statement.positions]
    positions = positions_digest(rows, held, [position.between for position in statement.positions])
    content = leaf_content(positions, lines_digest(statement.lines))
    amounts = [
        _integer(statement.worst_loss, 0, SUM_LIMIT, "worst loss"),
        _integer(statement.collateral, 0, SUM_LIMIT, "collateral"),
    ]
    record = account_record(statement.account, _bytes(statement.salt, 32, "salt"), content, amounts)
    proof = Inclusion(index=statement.index, count=head.accounts, siblings=_path(statement.path))
    found = check_inclusion(record, proof, _bytes(head.accounts_root, 32, "root of accounts"), where=where)
    stated = tuple(_integer(total, 0, SUM_LIMIT, "total") for total in (head.worst_loss_total, head.collateral_total))
    require(found == stated, Reason.WRONG_VALUE, "totals", found, f"the stated {stated}")


def _check_rows(statement: Statement) -> None:
    """Each row that a position stands in is opened once, in order, and is the committed one."""
    head = statement.head
    root = _bytes(head.rows_root, 32, "root of rows")
    needed = sorted({position.row for position in statement.positions})
    opened = [row.index for row in statement.rows]
    require(opened == needed, Reason.WRONG_COUNT, "rows of R", opened[:80], f"the rows of the positions, {needed[:80]}")
    for row in statement.rows:
        where = f"row {row.instrument!r}"
        decimals = _place(row.decimals, head.money_decimals + 1, "decimals of a row")
        packed = _bytes(row.quanta, None, where)
        unpack_quanta(packed, head.scenarios, where=where)
        proof = Inclusion(index=row.index, count=head.rows, siblings=_path(row.path))
        check_inclusion(list_record(row_entry(row.instrument, decimals, packed)), proof, root, where=where)


def _check_worst_loss(statement: Statement) -> None:
    """The worst loss of the opened positions on the opened rows is the stated one, to the last digit."""
    count = statement.head.scenarios
    rows = {r.index: unpack_quanta(_bytes(r.quanta, None, "row"), count, where="row") for r in statement.rows}
    held = [position for position in statement.positions if position.row in rows]
    require(len(held) == len(statement.positions), Reason.ABSENT, "worst loss", sorted(rows)[:80], "a row a position")
    lots = [_lots(position.lots) for position in held]
    loss, scenario = worst_loss(lots, [position.between for position in held], [rows[p.row] for p in held])
    stated = _integer(statement.worst_loss, 0, SUM_LIMIT, "worst loss")
    require(max(loss, 0) == stated, Reason.WRONG_VALUE, "worst loss", max(loss, 0), f"the stated {stated}")
    index = statement.worst.index
    require(scenario == index, Reason.WRONG_VALUE, "worst scenario", scenario, f"the stated {index}")


def _check_worst_scenario(statement: Statement) -> None:
    """The label of the worst scenario is the committed one; an account without positions has none."""
    worst, head = statement.worst, statement.head
    if worst.index == -1:
        bare = not statement.positions and not worst.label and not worst.path
        require(bare, Reason.MALFORMED, "worst scenario", worst.label, "given for an account with positions")
        return
    proof = Inclusion(index=worst.index, count=head.scenarios, siblings=_path(worst.path))
    root = _bytes(head.scenarios_root, 32, "root of scenarios")
    check_inclusion(list_record(scenario_entry(worst.label)), proof, root, where=f"scenario {worst.label!r}")


def _check_collateral(statement: Statement) -> Check:
    """The collateral is what its lines count for; without lines there is nothing to add up but zero."""
    collateral = outcome_of("collateral", lambda: _check_lines(statement))
    if collateral.outcome == "holds" and not statement.lines and statement.collateral != "0":
        return Check(name="collateral", outcome="not checked", why="it is stated without the lines it is the sum of")
    return collateral


def _check_lines(statement: Statement) -> None:
    stated = _integer(statement.collateral, 0, SUM_LIMIT, "collateral")
    if statement.lines:
        check_sum(statement.lines, stated)
        sources = [_source(line, statement) for line in statement.lines if line.source is not None]
        shown = [(proof.chain, proof.address, slot) for proof, slot, _ in sources]
        require(len(set(shown)) == len(shown), Reason.WRONG_VALUE, "lines", shown[:20], "a slot for each")


def _check_line(line: CollateralLine, statement: Statement, known: Trusted) -> list[Check]:
    source = line.source
    if source is None:
        why = "no state proof is given for this amount: it is claimed, not shown"
        return [Check(name=f"backing of {line.instance}", outcome="not checked", why=why)]
    checks = [outcome_of(f"backing of {line.instance}", lambda: _check_backing(line, statement, known))]
    checks.append(
        outcome_of(f"vault of {line.instance}", lambda: _check_vault(line, statement, known), given=bool(known.vaults))
    )
    return checks


def _source(line: CollateralLine, statement: Statement) -> tuple[StateProof, int, int]:
    """The state proof that a line points at, its slot, and the value that is stated there."""
    assert line.source is not None, "the caller has looked"
    proof = statement.state[_place(line.source.proof, len(statement.state), "state proof of a line")]
    slot = proof.slots[_place(line.source.slot, len(proof.slots), "slot of a line")]
    number = int.from_bytes(_bytes(slot.slot, 32, "slot"), "big")
    return proof, number, _integer(slot.value, 0, SLOT_LIMIT, "slot")


def _check_backing(line: CollateralLine, statement: Statement, known: Trusted) -> None:
    """The amount is in a slot that is the account's own; what the slot holds is the state proof's check."""
    proof, slot, stated = _source(line, statement)
    home = known.homes.get(f"{proof.chain}:{proof.address}")
    check_source(line, statement.account, chain=proof.chain, slot=slot, proven=stated, home=home)


def _check_vault(line: CollateralLine, statement: Statement, known: Trusted) -> None:
    """The contract is one that the outsider knows to hold this instance, for whom the mapping says."""
    proof, _, _ = _source(line, statement)
    assert line.source is not None, "the caller has looked"
    vault, shown = f"{proof.chain}:{proof.address}", (line.instance, line.source.mapping)
    held = known.vaults.get(vault, "nothing")
    require(held == shown, Reason.WRONG_VALUE, f"vault {vault}", shown, f"as it is known, {held}")


def _check_proof(proof: StateProof, known: Trusted) -> list[Check]:
    name, anchors = f"{proof.chain} {proof.address}", known.anchors.get(proof.chain, ())
    return [
        outcome_of(f"state of {name}", lambda: check_state(proof)),
        outcome_of(f"anchor of {name}", lambda: _check_anchor(proof, anchors), given=bool(known.anchors)),
    ]


def check_state(proof: StateProof) -> None:
    """Header, account, code and slots follow from the block hash; nodes stand in the order of first use."""
    nodes = [_bytes(node, None, "node") for node in proof.nodes]
    paths = [proof.account_path, *(slot.path for slot in proof.slots)]
    used = list(dict.fromkeys(place for path in paths for place in path))
    require(
        used == list(range(len(nodes))), Reason.WRONG_COUNT, "nodes", len(nodes), "each used, in order of first use"
    )
    require(len(set(nodes)) == len(nodes), Reason.NOT_CANONICAL, "nodes", len(nodes), "each once")
    block = check_header(_bytes(proof.header, None, "header"), _bytes(proof.anchor, 32, "anchor"))
    code = _bytes(proof.code_hash, 32, "code hash")
    shown = [nodes[place] for place in proof.account_path]
    account = check_account(block.state_root, _bytes(proof.address, 20, "address"), shown, code_hash=code)
    if account is None:
        raise refuse(Reason.ABSENT, f"account {proof.address}", "no account", "an account with the pinned code")
    slots = [int.from_bytes(_bytes(slot.slot, 32, "slot"), "big") for slot in proof.slots]
    require(len(set(slots)) == len(slots), Reason.NOT_CANONICAL, "slots", len(slots), "each once")
    listed = zip(slots, proof.slots, strict=True)
    found = check_slots(account.storage_root, {at: [nodes[place] for place in slot.path] for at, slot in listed})
    for at, slot in zip(slots, proof.slots, strict=True):
        stated = _integer(slot.value, 0, SLOT_LIMIT, f"slot {slot.slot}")
        require(found[at] == stated, Reason.WRONG_VALUE, f"slot {slot.slot}", found[at], f"the stated {stated}")


def _check_anchor(proof: StateProof, anchors: Collection[bytes]) -> None:
    """The block is one that the outsider knows to be final."""
    found = _bytes(proof.anchor, 32, "anchor")
    known = found in anchors
    require(known, Reason.WRONG_HEADER, f"anchor on {proof.chain}", proof.anchor, "a block hash that is trusted")


def _path(texts: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(_bytes(text, None, "neighbour") for text in texts)


def _bytes(text: str, size: int | None, what: str) -> bytes:
    """Bytes from the one way to write them, of `size` if it is given."""
    require(bool(_HEX.fullmatch(text)), Reason.NOT_CANONICAL, what, text[:80], "lower-case hexadecimal after 0x")
    raw = bytes.fromhex(text[2:])
    require(size is None or len(raw) == size, Reason.MALFORMED, what, f"{len(raw)} bytes", f"{size} bytes")
    return raw


def _integer(text: str, low: int, limit: int, what: str) -> int:
    """An integer in [low, limit) from the one way to write it."""
    require(bool(_DIGITS.fullmatch(text)), Reason.NOT_CANONICAL, what, text[:80], "a decimal integer")
    number = int(text)
    require(low <= number < limit, Reason.OVERFLOW, what, number, f"from {low} to {limit - 1}")
    return number


def _lots(text: str) -> int:
    return _integer(text, -_LOTS_LIMIT, _LOTS_LIMIT, "lots")


def _place(number: int, count: int, what: str) -> int:
    require(0 <= number < count, Reason.MALFORMED, what, number, f"from 0 to {count - 1}")
    return number
