"""The page of a reading: whole, asking nobody for anything, saying what the report says, and fitting the screen."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crossmargin.cli.live.page import read_page
from crossmargin.cli.live.report import BalanceRow, PendingRow, ReadReport, VaultRow
from crossmargin.cli.live.words import doubts, verdict
from tests.cli.report.test_page import HOSTILE, Page
from tests.cli.report.test_page_browser import CHROMIUM, browse, measured

CHAINS = ("eip155:1", "eip155:31337")
OWNER = f"0x{'3c' * 20}"


def vault(chain: str, **changes: Any) -> VaultRow:
    fields = {
        "chain": chain,
        "vault": f"{chain}:0x{'11' * 20}",
        "symbol": "USDC",
        "instance": f"{chain}/erc20:0x{'22' * 20}",
        "health": "healthy",
        "reasons": (),
        "block": 21_000_000,
        "block_hash": f"0x{'ab' * 32}",
        "head": 21_000_064,
        "final_age_s": 780.0,
        "agree": 2,
        "asked": 3,
        "operators": ("east", "north"),
        "trust": "L2",
        "proven": True,
        "said": (),
        "refused": {},
        "unarchived": (),
        "blocks": 12,
        "resumed": True,
    }
    return VaultRow(**(fields | changes))


def balance(chain: str, account: str, final: str, debits: str = "0", pending: str = "0") -> BalanceRow:
    return BalanceRow(
        account=account,
        owner=OWNER,
        chain=chain,
        symbol="USDC",
        instance=f"{chain}/erc20:0x{'22' * 20}",
        trust="L2",
        final=final,
        debits=debits,
        pending=pending,
        levels={},
        proven=final,
    )


def event(chain: str, amount: str, block: int) -> PendingRow:
    return PendingRow(
        account="desk",
        owner=OWNER,
        chain=chain,
        symbol="USDC",
        instance=f"{chain}/erc20:0x{'22' * 20}",
        amount=amount,
        block=block,
        block_hash=f"0x{'cd' * 32}",
        transaction=17,
        log=2,
    )


def report(**changes: Any) -> ReadReport:
    fields = {
        "as_of_ms": 1_774_971_000_000,
        "market_ms": None,
        "good": True,
        "vaults": tuple(map(vault, CHAINS)),
        "balances": tuple(balance(chain, "desk", "400000.5", "-20000", "56250") for chain in CHAINS),
        "pending": (event(CHAINS[0], "56250", 21_000_031), event(CHAINS[1], "-20000", 21_000_032)),
        "files": ("book.toml", "chains.toml", "proofs.json"),
    }
    return ReadReport(**(fields | changes))


def troubled() -> ReadReport:
    """One chain on which nothing was agreed on, and many accounts, one of which asks for more than it has."""
    bad = vault(
        CHAINS[1],
        health="halted",
        proven=False,
        trust="L1",
        operators=(),
        said=("disagreement: north and south name other blocks",),
        reasons=("no block for 400 s",),
        refused={"east A": f"header: not proved (wrong header): found '{'1c' * 32}'"},
        unarchived=("block 21000031: rpc 0: timed out",),
    )
    many = tuple(balance(CHAINS[n % 2], f"{CHAINS[0]}:0x{n:040x}", f"{1_000 * n}.25", "-3000") for n in range(20))
    nothing = balance(CHAINS[0], "empty", "0")
    return report(good=False, vaults=(vault(CHAINS[0]), bad), balances=(*many, nothing), pending=())


REPORTS = {"good": report, "troubled": troubled, "nothing held": lambda: report(balances=(), pending=(), files=())}


@pytest.mark.parametrize("name", REPORTS)
def test_it_says_what_the_report_says(name: str) -> None:
    found = REPORTS[name]()
    text = read_page(found)
    page = Page(text)
    assert verdict(found) in page.words
    for said in doubts(found):
        assert said in page.words
    for row in found.vaults:
        assert all(word in page.words for word in (row.vault, row.block_hash, row.health, str(row.block)))
        assert all(endpoint in page.words and why in page.words for endpoint, why in row.refused.items())
    for one in found.pending:
        assert f"block {one.block}, transaction 17, event 2" in page.words
    for held in found.balances:
        assert held.account in page.words
    assert not re.search(r"""(?:src|href)=["'](?!#|data:,)""", text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_trouble_is_seen_first() -> None:
    page = Page(read_page(troubled()))
    assert sum(one.get("class") == "warning" for one in page.every("p")) == len(doubts(troubled())) == 3
    assert "halted, not proven" in page.words
    assert "look again" in page.words
    assert "8 smaller balances in the table alone" in page.words
    assert sum(one.get("class") == "tile short" for one in page.every("div")) == 1


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_comes_from_input_stays_text(hostile: str) -> None:
    calm = Page(read_page(report()))
    row = vault(CHAINS[0], vault=hostile, symbol=hostile, operators=(hostile,), refused={"x": "y"})
    held = msgspec.structs.replace(balance(CHAINS[0], hostile, "5", pending="1"), symbol=hostile)
    moved = msgspec.structs.replace(event(CHAINS[0], "1", 2), account=hostile, symbol=hostile)
    found = report(vaults=(row,), balances=(held,), pending=(moved,), files=(hostile,))
    page = Page(read_page(found))
    assert len(page.every("script")) == len(calm.every("script"))
    assert not page.every("img")
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: `apt-get install chromium`")
@pytest.mark.parametrize("name", ["good", "troubled"])
def test_it_fits_a_screen_and_a_telephone(name: str, tmp_path: Path) -> None:
    text = read_page(REPORTS[name]())
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    assert "CONSOLE" not in browse(path, 1400, tmp_path / "profile").stderr
    for width in (400, 1400):
        found = measured(text, width, tmp_path)
        assert (found["overflow"] <= 0, found["outside"], found["covered"]) == (True, [], [])
