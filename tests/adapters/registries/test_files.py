"""The shipped registry, and registries by path."""

from pathlib import Path

import pytest

from crossmargin.adapters.registries.files import default_registry, read_registry
from crossmargin.core.errors import InvalidInput, UnknownName, UnreadableFile
from crossmargin.market.registry.verifiers import effective_verifiers


def test_nothing_in_the_shipped_registry_counts_yet():
    registry = default_registry()
    view = registry.at(registry.times_ns[-1])
    assert len(view.instances) == 16
    assert not any(view.cap_usd(key, proven_liquidity_usd=1e12) for key in view.instances)


def test_the_decimals_trap_is_in_the_shipped_registry():
    view = default_registry().at(default_registry().times_ns[-1])
    bnb = "eip155:56/erc20:0x8ac76a51cc950d9822d68b83fe1ad97b32cd580d"
    home = "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
    assert view.canonical_amount(bnb, 10**18) == view.canonical_amount(home, 10**6) == 1


def test_one_custodian_backs_nothing_in_the_shipped_registry():
    view = default_registry().at(default_registry().times_ns[-1])
    for bridge in view.bridges.values():
        assert effective_verifiers(bridge.verifiers) > 1 or bridge.issuer or bridge.exposure_cap == 0.0


def test_a_file_is_read(tmp_path: Path):
    file = tmp_path / "registry.toml"
    file.write_text("[limits]\nramp_days_min = 3\n")
    assert read_registry(file).document.limits.ramp_days_min == 3.0
    assert read_registry("default").sha256 == default_registry().sha256


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[limits]\nramp_day_min = 3\n", UnknownName),
        ("[limits]\nramp_days_min = nan\n", InvalidInput),
        ("[", UnreadableFile),
    ],
)
def test_what_is_no_registry_is_refused(text: str, error, tmp_path: Path):
    file = tmp_path / "registry.toml"
    file.write_text(text)
    with pytest.raises(error, match=r"registry\.toml"):
        read_registry(file)
