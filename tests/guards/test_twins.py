"""Every kernel has a twin, a comparison and a measurement; `spec/` and the package are strangers."""

from pathlib import Path

import pytest

from tests.guards import twins
from tests.guards.tree import plant, report

LOOP = "@compiled(fast=True)\ndef loop(f, k): ...\n"
KERNEL = {"src/crossmargin/valuation/kernels/black76.py": "def call(f, k):\n    return loop(f, k)\n\n\n" + LOOP}
TWIN = {"spec/black76.py": "import math\n\ndef call(f, k): ...\n"}
COMPARED = {"tests/differential/test_black76.py": "kernels.call\n"}
MEASURED = {"benchmarks/revaluation.py": "kernels.call\n"}
EXCUSED = {"tests/guards/unmeasured.toml": 'call = "runs once a day"\n'}


@pytest.mark.parametrize("rule", twins.RULES, ids=lambda rule: rule.__name__)
def test_kernels_are_twinned(rule, repository: Path):
    violations = list(rule(repository))
    assert not violations, report(violations)


@pytest.mark.parametrize(
    ("rule", "files", "seen"),
    [
        (twins.twins, KERNEL | COMPARED, "kernels/black76.py: twin: call has no function of its name"),
        (twins.twins, KERNEL | TWIN, "kernels/black76.py: twin: call is compared by no test"),
        (twins.twins, {"src/crossmargin/measures/kernels.py": "def worst(x): ...\n"} | TWIN, "twin: worst has no"),
        (twins.measured, KERNEL, "kernels/black76.py: benchmark: call is in no benchmark"),
        (twins.measured, KERNEL | {"tests/guards/unmeasured.toml": 'call = " "\n'}, "benchmark: call is in no"),
        (twins.measured, KERNEL | MEASURED | EXCUSED, "unmeasured.toml: benchmark: call is gone or measured"),
        (twins.measured, EXCUSED, "unmeasured.toml: benchmark: call is gone or measured"),
        (twins.strangers, {"spec/a.py": "import numpy as np\n"}, "spec/a.py:1: strangers: spec/ imports numpy"),
        (twins.strangers, {"spec/a.py": "from crossmargin.core import ids\n"}, "spec/ imports crossmargin.core"),
        (
            twins.strangers,
            {"src/a.py": "def f():\n    import spec.svi\n"},
            "src/a.py:2: strangers: the package imports",
        ),
    ],
)
def test_planted_violation_is_named(rule, files: dict[str, str], seen: str, tmp_path: Path):
    assert seen in report(list(rule(plant(tmp_path, files))))


@pytest.mark.parametrize("measurement", [MEASURED, EXCUSED])
def test_twinned_kernel_passes(measurement: dict[str, str], tmp_path: Path):
    root = plant(tmp_path, KERNEL | TWIN | COMPARED | measurement)
    assert not [violation for rule in twins.RULES for violation in rule(root)]
