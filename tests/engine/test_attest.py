"""A margin run as an epoch: its figures are those of the run, and what does not agree is not published."""

import dataclasses
import functools
from importlib import resources

import msgspec
import numpy as np
import pytest

import crossmargin as xm
from crossmargin.core.errors import EpochRefused, InvalidInput
from crossmargin.engine.attest import attest, check_audit, engine_losses
from crossmargin.engine.margin import MarginResult
from crossmargin.proofs.checking import Trusted, is_good, verify
from crossmargin.proofs.claims import Claim, commit_claims
from crossmargin.proofs.quantise import Audit
from crossmargin.proofs.statement import head_digest, statement_of

SECRET = bytes(range(32))


@functools.cache
def run() -> MarginResult:
    """The bundled desk."""
    folder = resources.files("crossmargin.cli").joinpath("demo")
    with resources.as_file(folder) as demo:
        market = xm.read_market(demo / "market.toml")
        book = xm.read_book(demo / "book.toml", market=market)
    result = xm.margin(book, market, xm.read_model())
    assert isinstance(result, MarginResult)
    return result


def test_every_pool_has_a_statement_that_holds():
    result = run()
    epoch = attest(result, epoch=3, secret=SECRET)
    ptr = result.book.positions.ptr[np.searchsorted(result.book.group_pool, np.arange(len(result.book.pools) + 1))]
    known = Trusted(head=head_digest(epoch.head))
    losses = engine_losses(result, ptr)
    for pool, loss, collateral in zip(result.book.pools, losses, result.pools.collateral, strict=True):
        statement = statement_of(epoch, pool)
        assert is_good(verify(statement, known))
        assert int(statement.worst_loss) * 1e-12 == pytest.approx(max(loss, 0.0), abs=0.01)
        assert -0.01 < int(statement.collateral) * 1e-12 - collateral <= 1e-9 * collateral
    assert epoch.head.inputs.book == result.book.hash()


def test_the_same_run_and_secret_make_the_same_epoch():
    assert attest(run(), epoch=3, secret=SECRET).head == attest(run(), epoch=3, secret=SECRET).head
    assert attest(run(), epoch=3, secret=bytes(32)).head != attest(run(), epoch=3, secret=SECRET).head


def test_no_line_counts_for_more_than_the_run_recognised():
    result = run()
    lines = [line for part in attest(result, epoch=1, secret=SECRET).lines for line in part]
    assert len(lines) == np.count_nonzero(result.book.holdings.quantity)
    assert all(0 < line.weight <= 10**9 for line in lines)


def test_losses_that_disagree_refuse_the_epoch():
    one, refused = np.array([0.05, 1e-9]), np.array([0])
    judged = Audit(accepted=False, refused=refused, excess_usd=-one, bound_usd=one * 1e-6, slack_usd=one * 1e-9)
    with pytest.raises(EpochRefused, match="account 'desk'"):
        check_audit(judged, ("desk", "other"))
    check_audit(dataclasses.replace(judged, accepted=True), ("desk", "other"))


def test_an_engine_that_reports_five_cents_too_little_is_found_out(monkeypatch):
    def kinder(*arguments):
        return engine_losses(*arguments) - 0.05

    monkeypatch.setattr("crossmargin.engine.attest.engine_losses", kinder)
    with pytest.raises(EpochRefused, match="integer loss"):
        attest(run(), epoch=1, secret=SECRET)


def test_claims_stand_in_the_head_and_change_nothing_else():
    claim = Claim(account="desk", chain_id=1, anchor=SECRET, contract=bytes(20), code_hash=SECRET, slot=7, value=5)
    plain, claimed = (attest(run(), epoch=1, secret=SECRET, claims=claims).head for claims in ([], [claim]))
    assert claimed == msgspec.structs.replace(plain, claims_root=f"0x{commit_claims([claim]).root.hex()}", claims=1)


def test_a_debt_has_no_line():
    result = run()
    owed = np.array(result.book.holdings.quantity)
    owed[0] = -1.0
    book = dataclasses.replace(result.book, holdings=dataclasses.replace(result.book.holdings, quantity=owed))
    with pytest.raises(InvalidInput, match="debt"):
        attest(dataclasses.replace(result, book=book), epoch=1, secret=SECRET)
