"""Who can lie: an endpoint about its chain, and signers about what a chain holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from crossmargin.adapters.attesting import claim_argument, claim_refutation, head_argument
from crossmargin.adapters.networks.backend import AccountProof, BlockAnswer, ChainReader, SlotProof
from crossmargin.adapters.networks.endpoints import Endpoint
from crossmargin.adapters.networks.following import Source
from crossmargin.cli.chains.breaking import moment
from crossmargin.cli.chains.desk import Sight
from crossmargin.cli.chains.reading import deposit
from crossmargin.cli.chains.report import Break, Moment, Withdrawal
from crossmargin.cli.chains.reporting import commit, execute, request, submit
from crossmargin.cli.chains.stage import BOND, CHALLENGER, HONEST, SPONSOR, STAKE, WINDOW_S, Stage
from crossmargin.core.errors import UnreachableChain
from crossmargin.proofs.claims import commit_claims
from crossmargin.proofs.keccak import keccak

FOURTH, FALSE, LATE = 30_000, 1_000_000, 10_000
_STATE_ROOT = slice(91, 123)  # In a header in RLP: three bytes of its length, three fields of 33, 33 and 21, one.


class Liar:
    """A reader that answers some questions otherwise."""

    def __init__(self, reader: ChainReader, lies: Mapping[str, Callable[..., Any]]) -> None:
        self._reader, self._lies = reader, lies

    def __getattr__(self, name: str) -> Any:
        truth, lie = getattr(self._reader, name), self._lies.get(name)
        return truth if lie is None else lambda *asked, **named: lie(truth(*asked, **named))


def richer(proof: AccountProof) -> AccountProof:
    """A larger balance: the last node of each path is not what its parent hashes to."""
    return replace(proof, slots=tuple(_richer(path) for path in proof.slots))


def _richer(path: SlotProof) -> SlotProof:
    last = path.nodes[-1]
    return replace(path, value=path.value * 10, nodes=(*path.nodes[:-1], last[:-1] + bytes([last[-1] ^ 1])))


def renamed(block: BlockAnswer) -> BlockAnswer:
    """The true header under another hash."""
    return replace(block, hash=keccak(block.hash))


def forged(block: BlockAnswer) -> BlockAnswer:
    """A block with a state of its own, whose header hashes to its hash."""
    header = bytearray(block.header)
    header[_STATE_ROOT] = keccak(b"another state")
    return replace(block, header=bytes(header), hash=keccak(bytes(header)))


def silent(_: Any) -> Any:
    """No answer."""
    raise UnreachableChain("endpoint", reason="timed out")


SILENT: Mapping[str, Callable[..., Any]] = dict.fromkeys(("block", "proof", "block_logs"), silent)


def with_liars(stage: Stage, *lies: Mapping[str, Callable[..., Any]]) -> Source:
    """The sources of A, of which the first few lie."""
    source = stage.a.follower.source
    first = [
        Endpoint(name=e.name, operator=e.operator, reader=cast(ChainReader, Liar(e.reader, lie)))
        for e, lie in zip(source.endpoints, lies, strict=False)
    ]
    return replace(source, endpoints=(*first, *source.endpoints[len(first) :]))


def lied_to(stage: Stage) -> Break:
    """One endpoint lies in three ways, then two are silent; a deposit waits until a quorum is honest again."""
    stage.settle()
    moments = [moment(stage, "before", "")]
    moments.append(_seen(stage, "one proves a balance ten times as large", with_liars(stage, {"proof": richer})))
    moments.append(_seen(stage, "one gives a header under another hash", with_liars(stage, {"block": renamed})))
    deposit(stage, stage.a, FOURTH)
    stage.settle()
    moments.append(_seen(stage, f"{FOURTH:,} deposited; one forges a block", with_liars(stage, {"block": forged})))
    moments.append(_seen(stage, "two of four are silent", with_liars(stage, SILENT, SILENT)))
    moments.append(_seen(stage, "all honest again", with_liars(stage)))
    return Break(id="endpoint", title="Endpoints of chain A lie", moments=tuple(moments))


def _seen(stage: Stage, what: str, source: Source) -> Moment:
    looks = stage.look(stage.a, source), stage.look(stage.b)
    found = looks[0]
    if found.poll.frozen:
        said = f"frozen, {found.poll.frozen[0].reason}: nothing new is believed"
    else:
        assert found.reading is not None, HONEST
        assert found.poll.anchor is not None, HONEST
        refused = {**found.poll.anchor.refused, **found.reading.refused}
        said = "; ".join(f"{name} refused, {_short(why)}" for name, why in refused.items()) or "agreed and proven"
    return Moment(stage=what, seen=said, figures=stage.figures_of(looks, Sight()))


def _short(why: str) -> str:
    """The reason of a refusal without its bytes."""
    found = re.search(r"not proved \((.+?)\)", why)
    return found[1] if found else why


def challenged(stage: Stage) -> Break:
    """A quorum signs a report that claims more than A holds; a proof of A's state refutes it on B."""
    b = stage.b
    challenge, challenger = b.system.challenge, stage.keys[CHALLENGER]
    request(stage, b, LATE)
    moments = [moment(stage, f"before; {LATE:,} are asked back", _standing(stage))]
    made = commit(stage, lie=FALSE)
    submit(stage, made.epoch, [b])
    stage.meet(WINDOW_S - 300)
    number: int = challenge.ask("count")
    head = head_argument(made.epoch.head)
    stage.used(b, "open a challenge", challenge.do(challenger, "open", head, value=BOND))
    stage.meet(300)
    asked = execute(stage, b, LATE, made.epoch)
    stage.settle()
    moments.append(moment(stage, f"a report says {FALSE:,} too much; challenged", _standing(stage, asked)))
    argument = claim_argument(made.claims[0], commit_claims(made.claims).prove(0))
    shown = (head, argument, *claim_refutation(made.backings[0].proof, 0))
    stage.used(b, "refute a claim by a proof of A", challenge.do(challenger, "refuteClaim", number, *shown))
    stage.settle()
    moments.append(moment(stage, "the proof of A's state is shown on B", _standing(stage)))
    challenge.do(stage.keys[SPONSOR], "addStake", value=STAKE)
    right = commit(stage)
    submit(stage, right.epoch, [b])
    stage.meet(WINDOW_S + 1)
    asked = execute(stage, b, LATE, right.epoch)
    stage.settle()
    moments.append(moment(stage, "stake again, and a right report", _standing(stage, asked)))
    return Break(id="report", title="A wrong report is challenged", moments=tuple(moments))


def _standing(stage: Stage, paid: Withdrawal | None = None) -> str:
    """Whether withdrawals wait, what is at stake, and what became of one."""
    challenge = stage.b.system.challenge
    state = "withdrawals frozen" if challenge.ask("frozen") else "withdrawals open"
    said = f"{state}, {challenge.ask('stake') / STAKE:g} coin at stake"
    if paid is None:
        return said
    return f"{said}; {f'refused: “{paid.reason}”' if paid.reason else f'{paid.paid:,.0f} paid'}"
