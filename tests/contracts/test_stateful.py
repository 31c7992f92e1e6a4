"""Vault, attestor and challenge against a model in Python, through whatever order of deeds."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crossmargin.adapters.attesting import head_argument, loss_refutation
from crossmargin.adapters.networks.signing import address_of
from crossmargin.proofs.statement import Epoch, statement_of
from tests.chains_fixtures import open_backend
from tests.contracts import system as made
from tests.contracts.test_challenge import lying

OWNERS = (0, 1)
places = st.integers(0, 40)


@dataclass
class Report:
    """An accepted epoch, what it says of each owner, and whether it lies."""

    epoch: Epoch
    as_of_ms: int
    accepted_s: int
    losses: tuple[int, int]
    collateral: tuple[int, int]
    lies: bool
    refuted: bool = False


@dataclass
class Asked:
    """A request that was not paid yet."""

    number: int
    owner: int
    amount: int
    at_s: int


@dataclass
class Model:
    """What the contracts must hold."""

    balances: list[int] = field(default_factory=lambda: [0, 0])
    paid: list[int] = field(default_factory=lambda: [0, 0])
    asked: list[Asked] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    cases: dict[int, tuple[int, int]] = field(default_factory=dict)  # id: place of the report, provable until
    stake: int = made.STAKE
    staked_since_s: int = 0
    paused_until_s: int = 0
    requests: int = 0
    opened: int = 0

    def frozen(self) -> bool:
        last_refuted = max((place for place, report in enumerate(self.reports) if report.refuted), default=-1)
        return bool(self.cases) or self.stake < made.STAKE or last_refuted == len(self.reports) - 1 >= 0

    def payable(self, asked: Asked, one: Report, last: Report, now_s: int) -> bool:
        """Whether a request is paid in a block at `now_s` on these two reports."""
        covered = all(
            report.as_of_ms >= (asked.at_s + 1) * 1000
            and not report.refuted
            and report.collateral[asked.owner] >= report.losses[asked.owner]
            for report in (one, last)
        )
        timely = (
            now_s >= max(self.paused_until_s, asked.at_s + made.DELAY_S)
            and one.accepted_s >= self.staked_since_s
            and 0 < now_s - one.accepted_s - made.WINDOW_S <= made.AGE_S
        )
        fresh = last is self.reports[-1] and now_s * 1000 <= last.as_of_ms + made.AGE_S * 1000
        return covered and timely and fresh and not self.frozen()


class Margin(RuleBasedStateMachine):
    """Deeds of two owners, the signers, honest and not, a challenger and the guardian."""

    @initialize()
    def deploy(self) -> None:
        self.system = made.build(open_backend("pyevm"))
        self.model = Model()
        self.keys = (self.system.depositor, self.system.chain.keys[4])
        self.epochs = 0
        for owner in OWNERS:
            self.deposit(owner, 1_000)

    def now_s(self) -> int:
        return self.system.now_s()

    @rule(owner=st.sampled_from(OWNERS), amount=st.integers(1, 2_000))
    def deposit(self, owner: int, amount: int) -> None:
        key = self.keys[owner]
        self.system.token.do(key, "mint", address_of(key), amount)
        self.system.token.do(key, "approve", self.system.vault.address, amount)
        receipt = self.system.vault.send(key, "deposit", amount)
        assert receipt.status == (self.now_s() >= self.model.paused_until_s)
        if receipt.status:
            self.model.balances[owner] += amount
        else:
            self.model.paid[owner] += amount

    @rule(owner=st.sampled_from(OWNERS), percent=st.integers(1, 110))
    def request(self, owner: int, percent: int) -> None:
        amount = 1 + self.model.balances[owner] * percent // 100
        receipt = self.system.vault.send(self.keys[owner], "request", amount)
        assert receipt.status == (amount <= self.model.balances[owner])
        if receipt.status:
            self.model.balances[owner] -= amount
            self.model.asked.append(Asked(self.model.requests, owner, amount, self.now_s()))
            self.model.requests += 1

    @precondition(lambda self: self.model.asked)
    @rule(place=places, by=st.sampled_from(OWNERS))
    def cancel(self, place: int, by: int) -> None:
        asked = self.model.asked[place % len(self.model.asked)]
        receipt = self.system.vault.send(self.keys[by], "cancel", asked.number)
        assert receipt.status == (by == asked.owner)
        if receipt.status:
            self.model.balances[by] += asked.amount
            self.model.asked.remove(asked)

    @rule(percent=st.tuples(st.integers(0, 120), st.integers(0, 120)), lie=st.sampled_from([False, False, False, True]))
    def report(self, percent: tuple[int, int], lie: bool) -> None:
        collateral = (self.model.balances[0], self.model.balances[1])
        losses = (collateral[0] * percent[0] // 100, collateral[1] * percent[1] // 100)
        named = [self.system.account(key) for key in self.keys]
        epoch = self.system.epoch(dict(zip(named, zip(losses, collateral, strict=True), strict=True)))
        stated = losses
        if lie and losses[0] > 0:
            epoch, stated = lying(epoch, named[0], 0), (0, losses[1])
        self.system.submit(epoch)
        said = (epoch.head.as_of_ms, self.now_s(), stated, collateral, stated != losses)
        self.model.reports.append(Report(epoch, *said))

    @precondition(lambda self: self.model.asked)
    @rule(percent=st.tuples(st.integers(0, 120), st.integers(0, 120)), place=places)
    def ripen(self, percent: tuple[int, int], place: int) -> None:
        """Two reports a window apart, with nothing in the way: the shortest way to a payment."""
        if self.model.stake < made.STAKE:
            self.add_stake()
        self.report(percent, lie=False)
        self.wait(made.WINDOW_S + 1)
        while self.model.cases:
            self.settle(0)
        self.report(percent, lie=False)
        self.execute(place, 1, 0)

    @precondition(lambda self: self.model.asked and self.model.reports)
    @rule(place=places, one=st.integers(0, 3), last=places)
    def execute(self, place: int, one: int, last: int) -> None:
        asked = self.model.asked[place % len(self.model.asked)]
        first, latest = (self.model.reports[-1 - back % len(self.model.reports)] for back in (one, last // 20))
        key = self.keys[asked.owner]
        arguments = self.system.execution(asked.number, first.epoch, latest.epoch, self.system.account(key))
        receipt = self.system.vault.send(key, "execute", *arguments)
        assert receipt.status == self.model.payable(asked, first, latest, self.now_s()), made.reason(receipt)
        if not receipt.status:
            return
        self.model.asked.remove(asked)
        self.model.paid[asked.owner] += asked.amount
        left = self.model.balances[asked.owner] + sum(a.amount for a in self.model.asked if a.owner == asked.owner)
        assert left >= latest.losses[asked.owner], "a withdrawal left less than the attested requirement"

    @precondition(lambda self: self.model.reports and len(self.model.cases) < 2)
    @rule(back=places)
    def challenge(self, back: int) -> None:
        place = len(self.model.reports) - 1 - back % min(len(self.model.reports), 3)
        report = self.model.reports[place]
        bond = self.system.challenge.ask("bond")
        receipt = self.system.challenge.send(
            self.system.challenger, "open", head_argument(report.epoch.head), value=bond
        )
        in_time = self.now_s() <= report.accepted_s + made.WINDOW_S
        assert receipt.status == (in_time and not report.refuted), made.reason(receipt)
        if receipt.status:
            self.model.cases[self.model.opened] = (place, self.now_s() + made.PROOF_S)
            self.model.opened += 1

    @precondition(lambda self: self.model.reports and self.model.reports[-1].lies)
    @rule()
    def catch(self) -> None:
        self.challenge(0)
        if self.model.cases:
            self.refute(max(self.model.cases))

    @precondition(lambda self: self.model.cases)
    @rule(place=places)
    def refute(self, place: int) -> None:
        number = sorted(self.model.cases)[place % len(self.model.cases)]
        at, until_s = self.model.cases[number]
        report = self.model.reports[at]
        shown = loss_refutation(statement_of(report.epoch, self.system.account(self.keys[0])))
        receipt = self.system.challenge.send(self.system.challenger, "refuteLoss", number, *shown)
        assert receipt.status == (report.lies and self.now_s() <= until_s), made.reason(receipt)
        if receipt.status:
            del self.model.cases[number]
            self.model.stake = self.model.stake if report.refuted else 0
            report.refuted = True

    @precondition(lambda self: self.model.cases)
    @rule(place=places)
    def settle(self, place: int) -> None:
        number = sorted(self.model.cases)[place % len(self.model.cases)]
        at, until_s = self.model.cases[number]
        receipt = self.system.challenge.send(self.system.challenger, "settle", number)
        assert receipt.status == (self.now_s() > until_s or self.model.reports[at].refuted), made.reason(receipt)
        if receipt.status:
            del self.model.cases[number]

    @precondition(lambda self: self.model.stake < made.STAKE)
    @rule()
    def add_stake(self) -> None:
        self.system.challenge.do(self.system.sponsor, "addStake", value=made.STAKE)
        self.model.stake += made.STAKE
        self.model.staked_since_s = self.now_s()

    @precondition(lambda self: len(self.model.reports) % 5 == 4)
    @rule()
    def pause(self) -> None:
        receipt = self.system.vault.send(self.system.guardian, "pause")
        free = not self.model.paused_until_s or self.now_s() >= self.model.paused_until_s + made.PAUSE_S
        assert receipt.status == free
        if receipt.status:
            self.model.paused_until_s = self.now_s() + made.PAUSE_S

    @rule(seconds=st.sampled_from([60, made.PROOF_S + 1, made.WINDOW_S + 1, made.WINDOW_S + 1, made.AGE_S]))
    def wait(self, seconds: int) -> None:
        self.system.wait(seconds)

    @invariant()
    def money_is_where_the_model_has_it(self) -> None:
        vault, token = self.system.vault, self.system.token
        owners = [address_of(key) for key in self.keys]
        balances = [vault.ask("balances", owner) for owner in owners]
        held = token.ask("balanceOf", vault.address)
        assert balances == self.model.balances
        assert [token.ask("balanceOf", owner) for owner in owners] == self.model.paid
        assert vault.ask("owed") == sum(balances) + sum(asked.amount for asked in self.model.asked)
        assert sum(balances) <= vault.ask("owed") <= held

    @invariant()
    def frozen_is_frozen(self) -> None:
        assert self.system.challenge.ask("frozen") == self.model.frozen()

    @invariant()
    def epochs_rise(self) -> None:
        epoch: Any = self.system.attestor.ask("epoch")
        assert self.epochs <= epoch == len(self.model.reports)
        self.epochs = epoch

    @invariant()
    def coins_are_all_there(self) -> None:
        challenge, owners = self.system.challenge, [self.system.challenger, self.system.sponsor]
        owed = sum(challenge.ask("collectable", address_of(key)) for key in owners)
        owed += challenge.ask("collectable", bytes([7]) * 20) + challenge.ask("stake")
        bonds = sum(challenge.ask("cases", number)[2] for number in self.model.cases)
        assert self.system.chain.balance(challenge.address) == owed + bonds


Margin.TestCase.settings = settings(max_examples=12, stateful_step_count=30)
test_margin = Margin.TestCase
