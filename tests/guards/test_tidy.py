"""The repository is tidy, and each rule sees what it must see."""

from pathlib import Path

import pytest

from tests.guards import tidy
from tests.guards.tree import plant, report

LONG = "def drift():\n" + "    x = 1\n" * 60
IGNORE = "# type: " + "ignore"
NOQA = "# no" + "qa"
ACCOUNTS = "src/crossmargin/accounts/ledger.py"
KERNEL = "src/crossmargin/valuation/kernels/black76.py"


@pytest.mark.parametrize("rule", tidy.RULES, ids=lambda rule: rule.__name__)
def test_repository_is_tidy(rule, repository: Path):
    violations = list(rule(repository))
    assert not violations, report(violations)


@pytest.mark.parametrize(
    ("rule", "files", "seen"),
    [
        (tidy.sizes, {"src/a.py": LONG}, "src/a.py::drift: size: 61 lines, limit 60"),
        (tidy.sizes, {"src/a.py": "class A:\n    " + LONG.replace("\n", "\n    ")}, "src/a.py::A.drift: size"),
        (tidy.sizes, {"tests/a.py": "x = 1\n" * 501}, "tests/a.py: size: 501 lines, limit 500"),
        (
            tidy.sizes,
            {"src/a.py": LONG, "tests/guards/ratchet.toml": '"src/a.py::drift" = 70'},
            "src/a.py::drift: ratchet: 61 lines, ratchet.toml allows 70: lower its entry to 61",
        ),
        (
            tidy.sizes,
            {"src/a.py": "x = 1\n", "tests/guards/ratchet.toml": '"src/a.py" = 700'},
            "src/a.py: ratchet: 1 lines, ratchet.toml allows 700: drop its entry",
        ),
        (tidy.sizes, {"tests/guards/ratchet.toml": '"src/b.py" = 700'}, "src/b.py: ratchet: is gone"),
        (tidy.names, {"src/crossmargin/core/utils.py": ""}, "'utils'"),
        (tidy.names, {"src/crossmargin/data/a.py": ""}, "'data'"),
        (tidy.names, {"src/a.py": "class MarketData:\n    pass\n"}, "src/a.py:1: name: 'MarketData'"),
        (
            tidy.names,
            {"src/a.py": "class Book:\n    def position_info(self): ...\n"},
            "src/a.py:2: name: 'position_info'",
        ),
        (tidy.names, {"src/a.py": "RISK_INFO: int = 1\n"}, "'RISK_INFO'"),
        (tidy.calls, {"src/a.py": "eval('1')\n"}, "src/a.py:1: call: eval()"),
        (tidy.calls, {"src/crossmargin/market/a.py": "open('x')\n"}, "pure: open() in market/"),
        (tidy.calls, {"src/crossmargin/market/a.py": "p.read_text()\n"}, "pure: p.read_text() in market/"),
        (tidy.calls, {"src/crossmargin/core/a.py": "dt.datetime.now()\n"}, "pure: dt.datetime.now() in core/"),
        (tidy.calls, {"src/crossmargin/scenarios/a.py": "np.random.normal()\n"}, "pure: np.random.normal()"),
        (tidy.calls, {"src/crossmargin/scenarios/a.py": "np.random.default_rng()\n"}, "pure: np.random.default_rng()"),
        (tidy.inits, {"src/crossmargin/measures/__init__.py": "import time\n"}, "measures/__init__.py:1: pure"),
        (tidy.marks, {"src/a.py": f"x = 1  {IGNORE}\n"}, "src/a.py:1: type-ignore"),
        (tidy.marks, {"src/a.py": f"x = 1  {NOQA}\n"}, "src/a.py:1: noqa"),
        (tidy.marks, {"src/a.py": f"x = 1  {NOQA}: E501\n"}, "src/a.py:1: noqa"),
        (tidy.marks, {"spec/a.py": "raise NotImplementedError('later')\n"}, "spec/a.py:1: stub"),
        (tidy.marks, {KERNEL: "from __future__ import annotations\n"}, "black76.py:1: kernel-annotations"),
        (tidy.ledger, {ACCOUNTS: "fee = 0.1\n"}, "ledger.py:1: ledger-float: '0.1'"),
        (tidy.ledger, {ACCOUNTS: "x = float('1')\n"}, "ledger.py:1: ledger-float: 'float'"),
        (tidy.ledger, {ACCOUNTS: "x = a / b\n"}, "ledger.py:1: ledger-float: 'a / b'"),
    ],
)
def test_planted_violation_is_named(rule, files: dict[str, str], seen: str, tmp_path: Path):
    assert seen in report(list(rule(plant(tmp_path, files))))


@pytest.mark.parametrize(
    ("rule", "files"),
    [
        (tidy.names, {"src/a.py": "from dataclasses import dataclass\nmetadata = 1\n"}),
        (tidy.calls, {"src/crossmargin/scenarios/a.py": "np.random.default_rng(seed)\nnp.random.Generator(bits)\n"}),
        (tidy.calls, {"src/crossmargin/core/a.py": "files('crossmargin').joinpath('a.toml').read_text()\n"}),
        (tidy.calls, {"src/crossmargin/cli/a.py": "open('x')\n"}),
        (tidy.marks, {"src/a.py": f"x = 1  {NOQA}: E501 the table is wide\ny = 2  {IGNORE}[arg-type]\n"}),
        (tidy.ledger, {ACCOUNTS: "x = a // b\n"}),
        (tidy.ledger, {"src/crossmargin/accounts/health.py": "ratio = maintenance / equity\n"}),
    ],
)
def test_what_is_allowed_passes(rule, files: dict[str, str], tmp_path: Path):
    assert not list(rule(plant(tmp_path, files)))
