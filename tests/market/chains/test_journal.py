"""Whatever forks come: what stands at the head is what was final and the best branch, nothing twice, nothing lost."""

import dataclasses

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.market.chains import journal as chains
from crossmargin.market.chains.blocks import Block, Header, Key, Movement
from spec.market import chains as spec

CHAIN = "eip155:1"
ACCOUNTS = ("maker", "taker")
ASSETS = ("eip155:1/slip44:60", "eip155:1/erc20:0x" + "aa" * 20)
GENESIS = Header(hash=b"genesis", parent=b"", number=0, timestamp_s=0)


def header(name: str, parent: Header) -> Header:
    return Header(hash=name.encode(), parent=parent.hash, number=parent.number + 1, timestamp_s=parent.timestamp_s + 12)


def movement(transaction: str, amount: int, account: str = "maker", log_index: int = 0) -> Movement:
    return Movement(
        transaction=transaction.encode(), log_index=log_index, account=account, asset=ASSETS[0], amount=amount
    )


def told(block: Block) -> spec.Block:
    return (
        block.header.hash.decode(),
        block.header.parent.decode(),
        block.header.number,
        tuple(said(m) for m in block.movements),
    )


def said(m: Movement) -> spec.Movement:
    return m.transaction.decode(), m.log_index, m.account, m.asset, m.amount


randoms = st.randoms(use_true_random=False)
amounts = st.integers(-(10**20), 10**20).filter(bool)


class Forks(RuleBasedStateMachine):
    """A chain that branches at random, a journal that follows it, and the specification that remembers everything."""

    @initialize()
    def begin(self) -> None:
        self.journal = chains.begin(CHAIN, GENESIS, {})
        self.known = {"genesis": Block(header=GENESIS)}
        self.blocks: dict[str, spec.Block] = {"genesis": told(self.known["genesis"])}
        self.history: list = []
        self.serial = 0

    def _above_root(self) -> list[str]:
        root = self.journal.root.hash.decode()
        return sorted({root} | spec.kept(self.blocks, root))

    @rule(
        pick=st.randoms(use_true_random=False),
        drawn=st.lists(st.tuples(amounts, st.sampled_from(ACCOUNTS)), max_size=3),
    )
    def learn(self, pick, drawn) -> None:
        parent = self.known[pick.choice(self._above_root())]
        self.serial += 1
        on = {m[0] for block in spec.branch(self.blocks, parent.header.hash.decode()) for m in block[3]}
        free = [f"t{n}" for n in range(12) if f"t{n}" not in on]  # The same transaction may stand on two branches.
        movements = []
        for amount, account in drawn:
            if free:
                transaction = pick.choice(free)
                place = sum(m.transaction == transaction.encode() for m in movements)
                movements.append(movement(transaction, amount, account, place))
        block = Block(header=header(f"b{self.serial}", parent.header), movements=tuple(movements))
        self.known[f"b{self.serial}"] = block
        self.blocks[f"b{self.serial}"] = told(block)
        self.journal = chains.learn(chains.learn(self.journal, block), block)  # Told twice, it counts once.

    @rule(pick=randoms, times=st.integers(1, 2))
    def adopt(self, pick, times) -> None:
        head = pick.choice(self._above_root())
        for _ in range(times):
            self.journal = chains.adopt(self.journal, head.encode())
        self.history.append(("head", head))

    @rule(pick=randoms)
    def finalise(self, pick) -> None:
        branch = chains.best_branch(self.journal)
        if branch:
            self.journal = chains.finalise(self.journal, pick.choice(branch).header.hash)

    @rule(number=st.integers(0, 11), amount=st.integers(1, 10**20))
    def announce(self, number, amount) -> None:
        debit = movement(f"t{number}", -amount)
        self.journal = chains.announce(self.journal, (debit,))
        final = {m[0] for block in spec.branch(self.blocks, self.journal.root.hash.decode()) for m in block[3]}
        if f"t{number}" not in final:
            self.history.append(("announce", (said(debit),)))
        else:  # The journal has let go of what was final long ago; who announces that must look first.
            self.journal = chains.forget(self.journal, debit.transaction)

    @precondition(lambda self: chains.announced(self.journal))
    @rule(pick=randoms)
    def forget(self, pick) -> None:
        transaction = pick.choice(sorted(chains.announced(self.journal)))
        self.journal = chains.forget(self.journal, transaction)
        self.history.append(("forget", transaction.decode()))

    @invariant()
    def agrees_with_the_specification(self) -> None:
        head, root = self.journal.head.hash.decode(), self.journal.root.hash.decode()
        assert dict(self.journal.balances) == spec.balances(self.blocks, head)
        assert dict(self.journal.final) == spec.balances(self.blocks, root)
        assert {name.decode() for name in self.journal.blocks} == spec.kept(self.blocks, root)
        expected = spec.announced(self.blocks, self.history, head)
        found = {t.decode(): tuple(said(m) for m in debits) for t, debits in chains.announced(self.journal).items()}
        assert found == expected
        assert self.journal.forked is None


TestForks = Forks.TestCase
TestForks.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def chain_of(*names: str, forked_from: Header = GENESIS) -> list[Block]:
    found, parent = [], forked_from
    for name in names:
        parent = header(name, parent)
        found.append(Block(header=parent, movements=(movement(f"tx of {name}", 100), movement(f"out of {name}", -1))))
    return found


def followed(*blocks: Block) -> chains.Journal:
    journal = chains.begin(CHAIN, GENESIS, {})
    for block in blocks:
        journal = chains.learn(journal, block)
    return chains.adopt(journal, blocks[-1].header.hash)


def test_a_reorg_undoes_credits_and_keeps_debits_announced() -> None:
    first, second, third = chain_of("a1", "a2", "a3")
    journal = followed(first, second, third)
    key = Key("maker", ASSETS[0])
    assert journal.balances == {key: 297}
    (other,) = chain_of("b2", forked_from=first.header)
    after = chains.adopt(chains.learn(journal, other), other.header.hash)
    assert after.balances == {key: 198}
    assert sorted(chains.announced(after)) == [b"out of a2", b"out of a3"]
    back = chains.adopt(after, third.header.hash)
    assert (back.balances, sorted(chains.announced(back))) == (journal.balances, [b"out of b2"])
    assert (journal.balances, dict(journal.seen)) == ({key: 297}, {}), "a journal never changes"


def test_a_final_block_beside_the_best_branch_is_a_fork() -> None:
    first, second = chain_of("a1", "a2")
    (other,) = chain_of("b1")
    journal = chains.learn(followed(first, second), other)
    assert chains.finalise(journal, other.header.hash) == dataclasses.replace(journal, forked=other.header)
    assert chains.finalise(journal, GENESIS.hash) == journal
    settled = chains.finalise(journal, first.header.hash)
    assert (settled.root, sorted(settled.blocks)) == (first.header, [b"a2"])
    with pytest.raises(UnknownName):
        chains.adopt(settled, other.header.hash)
    with pytest.raises(UnknownName):
        chains.finalise(settled, other.header.hash)


def test_what_does_not_follow_is_refused() -> None:
    first, second = chain_of("a1", "a2")
    journal = chains.begin(CHAIN, GENESIS, {})
    with pytest.raises(UnknownName, match="ancestors"):
        chains.learn(journal, second)
    journal = chains.learn(journal, first)
    with pytest.raises(InvalidInput, match="same each time"):
        chains.learn(journal, dataclasses.replace(first, movements=()))
    for wrong in ({"number": 3}, {"timestamp_s": 0}):
        bad = dataclasses.replace(second, header=dataclasses.replace(second.header, **wrong))
        with pytest.raises(InvalidInput, match="child"):
            chains.learn(journal, bad)
    with pytest.raises(InvalidInput, match="debits of one transaction"):
        chains.announce(journal, (movement("t", 1),))
    with pytest.raises(InvalidInput, match="credit or a debit"):
        Block(header=second.header, movements=(movement("t", 0),))
    with pytest.raises(InvalidInput, match="unique"):
        Block(header=second.header, movements=(movement("t", 1), movement("t", 2)))
