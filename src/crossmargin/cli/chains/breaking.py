"""What chains can do: reorganise, undo what was final, stand still. Each is done to chain A, read and margined."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial

from crossmargin.cli.chains.desk import PROFILE, Sight
from crossmargin.cli.chains.opening import follow
from crossmargin.cli.chains.reading import deposit
from crossmargin.cli.chains.report import Break, Moment
from crossmargin.cli.chains.stage import FINAL_BLOCKS, UNIT, Stage
from crossmargin.market.chains.allowance import full
from crossmargin.market.chains.levels import level_of
from crossmargin.market.chains.recognition import recognise

SHALLOW, DEEP = 3, 12
SECOND, THIRD = 50_000, 40_000
HALT_S = 1_800


def moment(stage: Stage, what: str, seen: str, sight: Sight | None = None) -> Moment:
    """A look at both chains, and the margin of what it finds."""
    return Moment(stage=what, seen=seen, figures=stage.figures(sight or Sight()))


def reorganised(stage: Stage) -> Break:
    """A deposit that a reorg leaves out, and that is made again."""
    chain = stage.a.chain
    stage.settle()
    moments = [moment(stage, "before", "")]
    deposit(stage, stage.a, SECOND)
    chain.mine(SHALLOW - 1)
    moments.append(moment(stage, f"{SECOND:,} deposited, {SHALLOW - 1} blocks upon it", "pending: not final yet"))
    chain.reorg(SHALLOW)
    moments.append(moment(stage, f"reorg of {SHALLOW} blocks without it", "parent hashes part; the credit is undone"))
    deposit(stage, stage.a, SECOND)
    stage.settle()
    moments.append(moment(stage, "deposited again, and final", "counts once"))
    return Break(id="reorg", title=f"Reorg of {SHALLOW} blocks", moments=tuple(moments))


def behind(stage: Stage) -> tuple[int, int]:
    """Whole tokens on A that stand behind the risk that the account has, and behind more."""
    look, key = stage.look(stage.a), stage.key(stage.a)
    level = partial(level_of, profile=PROFILE, heads=stage.heads[stage.a.name], now_s=stage.now_s)
    found = recognise(
        look.poll.journal,
        look.condition,
        full(0, stage.now_s),
        level=level,
        worth=lambda _, amount: Fraction(amount, UNIT),
        time_s=stage.now_s,
    )
    return found.held[key], found.new[key]


def undone(stage: Stage) -> Break:
    """A deposit that was final, and is left out all the same."""
    chain = stage.a.chain
    stage.settle()
    deposit(stage, stage.a, THIRD)
    chain.mine(FINAL_BLOCKS - 1)
    stage.b.chain.mine(FINAL_BLOCKS)
    moments = [moment(stage, f"before; another {THIRD:,} are final", "")]
    chain.reorg(DEEP)
    held, new = behind(stage)
    seen = f"forked: {held:,} of A stand behind old risk, {new:,} behind new"
    moments.append(moment(stage, f"reorg of {DEEP} blocks", seen))
    stage.settle()
    moments.append(moment(stage, "more blocks come", "still quarantined: nothing mends itself"))
    a = stage.a
    follower = follow(a.name, a.chain, a.token, a.system, stage.folder, stage.files, number=2)
    stage.a = replace(a, follower=follower)
    moments.append(moment(stage, "anchored again by a person", f"the proof says that {THIRD:,} are not there"))
    return Break(id="fork", title="Reorg beyond finality", moments=tuple(moments))


def halted(stage: Stage) -> Break:
    """Half an hour without a block on A, while B goes on."""
    stage.settle()
    moments = [moment(stage, "before", "")]
    b = stage.b.chain
    b.set_time(stage.now_s + HALT_S)
    b.mine(FINAL_BLOCKS)
    moments.append(moment(stage, f"no block on A for {HALT_S // 60} minutes", "the clock of B, and A's last block"))
    stage.settle()
    moments.append(moment(stage, "blocks again", "a final block of now"))
    return Break(id="halt", title="Chain A halts", moments=tuple(moments))
