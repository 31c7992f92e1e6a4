"""The registry by which a market's chains are read: the same for every command, and found from where it is written."""

import json
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import moved_market, read_market
from crossmargin.adapters.writing import write_document
from crossmargin.market.document import MarketDocument
from tests.cli.conftest import Fitted
from tests.cli.shell import crossmargin

DEMO = Path(str(resources.files("crossmargin.cli").joinpath("demo")))


@pytest.fixture
def apart(tmp_path: Path) -> tuple[str, str]:
    """A market beside which its registry is not, and the registry."""
    folder = tmp_path / "apart"
    folder.mkdir()
    (folder / "market.toml").write_text((DEMO / "market.toml").read_text())
    return str(folder / "market.toml"), str(DEMO / "registry.toml")


COMMANDS = [
    ("stress", "--event", "2020-03"),
    ("compare", "--rulebooks", "dydx-v4"),
    ("cascade", "--shock", "BTC=-0.1", "--crowd", "0"),
    ("failures", "--event", "X1"),
    ("reverse-stress", "--account", "coin-fund"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=[c[0] for c in COMMANDS])
def test_every_command_reads_a_market_by_the_registry_that_is_named(command: Sequence[str], apart: tuple[str, str]):
    market, registry = apart
    name, *options = command
    arguments = (name, str(DEMO / "book.toml"), "--market", market, *options, "--json")
    alone = crossmargin(*arguments)
    assert (alone.code, "registry.toml" in alone.err) == (2, True)
    named = crossmargin(*arguments, "--registry", registry)
    assert named.code == 0, named.err
    beside = crossmargin(*arguments[:3], str(DEMO / "market.toml"), *arguments[4:])
    assert json.loads(named.out) == json.loads(beside.out)


def test_commands_over_time_take_it_too(apart: tuple[str, str], fitted: Fitted):
    market, registry = apart
    own = ("--market", market, "--registry", registry)
    replayed = ("replay", fitted.book, *own, "--history", fitted.history, "--event", "2026-01-05", "--days", "3")
    still = [option for kind in ("peg", "fwd", "rate", "backing") for option in ("--still", f"{kind}:*")]
    forecast = ("forecast", fitted.book, *own, "--account", "desk", "--model", fitted.model, "--outcomes", "20")
    back = ("backtest", fitted.book, *own, "--history", fitted.history, "--from", "2025-06-01", "--to", "2025-07-01")
    for command in ((*replayed, *still), forecast, back, ("market", "check", market, "--registry", registry)):
        outcome = crossmargin(*command)
        assert outcome.code == 0, outcome.err


def named_in(path: Path) -> str:
    found: str = tomllib.loads(path.read_text())["chains"]["registry"]
    return found


def test_a_market_that_is_built_elsewhere_finds_its_registry(tmp_path: Path):
    base = tmp_path / "desk" / "base.toml"
    base.parent.mkdir()
    base.write_text((DEMO / "market.toml").read_text())
    (base.parent / "registry.toml").write_text((DEMO / "registry.toml").read_text())
    document = read_document(base, MarketDocument)
    for place in ("other/market.toml", "desk/market.toml", "market.toml", "desk/deep/down/market.toml"):
        out = tmp_path / place
        out.parent.mkdir(parents=True, exist_ok=True)
        write_document(out, moved_market(document, base, out))
        assert not Path(named_in(out)).is_absolute()
        assert read_market(out).hash == read_market(base).hash
    assert named_in(tmp_path / "desk/market.toml") == "registry.toml"


def test_what_is_absolute_or_shipped_stays_as_it_is(tmp_path: Path):
    document = read_document(DEMO / "market.toml", MarketDocument)
    assert document.chains is not None
    for said in ("", str(tmp_path / "registry.toml")):
        one = msgspec.structs.replace(document, chains=msgspec.structs.replace(document.chains, registry=said))
        assert moved_market(one, DEMO / "market.toml", tmp_path / "x" / "market.toml") == one
    plain = msgspec.structs.replace(document, chains=None)
    assert moved_market(plain, DEMO / "market.toml", tmp_path / "market.toml") is plain


def test_a_linked_folder_is_followed(tmp_path: Path):
    real, link = tmp_path / "a" / "b" / "real", tmp_path / "link"
    real.mkdir(parents=True)
    link.symlink_to(real)
    (tmp_path / "registry.toml").write_text((DEMO / "registry.toml").read_text())
    (tmp_path / "market.toml").write_text((DEMO / "market.toml").read_text())
    document = read_document(tmp_path / "market.toml", MarketDocument)
    write_document(link / "market.toml", moved_market(document, tmp_path / "market.toml", link / "market.toml"))
    assert named_in(real / "market.toml") == "../../../registry.toml"
    assert read_market(link / "market.toml").hash == read_market(tmp_path / "market.toml").hash


def test_a_new_pack_holds_its_registry(tmp_path: Path):
    pack = tmp_path / "packs" / "mine"
    arguments = (DEMO / "book.toml", "--new", pack, "--rulebook", "derive-pmrm2", "--market", DEMO / "market.toml")
    made = crossmargin("conformance", *arguments)
    assert made.code == 0, made.err
    assert named_in(pack / "market.toml") == "registry.toml"
    assert (pack / "registry.toml").read_text() == (DEMO / "registry.toml").read_text()
    assert crossmargin("conformance", pack).code == 0


def test_a_market_finds_its_routes_wherever_it_is_written(tmp_path: Path):
    base = tmp_path / "desk" / "market.toml"
    base.parent.mkdir()
    document = read_document(DEMO / "market.toml", MarketDocument)
    assert document.chains is not None
    said = msgspec.structs.replace(document.chains, routes="routes.toml")
    (base.parent / "registry.toml").write_text((DEMO / "registry.toml").read_text())
    (base.parent / "routes.toml").write_text("")
    here = msgspec.structs.replace(document, chains=said)
    write_document(base, here)
    write_document(tmp_path / "market.toml", moved_market(here, base, tmp_path / "market.toml"))
    assert tomllib.loads((tmp_path / "market.toml").read_text())["chains"]["routes"] == "desk/routes.toml"
    assert (
        read_market(tmp_path / "market.toml").hash == read_market(base).hash != read_market(DEMO / "market.toml").hash
    )
