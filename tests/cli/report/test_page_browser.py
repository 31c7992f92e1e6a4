"""Pages in a real browser: nothing is refused, nothing overflows, no label covers another."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from crossmargin.cli.report import page
from tests.cli import made_up

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: `apt-get install chromium`")

PAGES = {
    "explain": lambda: page.explain_page(made_up.explain_report(), made_up.snapshot()),
    "many": lambda: page.margin_page(made_up.many_accounts(40)),
    "simulate": lambda: page.simulate_page(made_up.simulate_report()),
    "stress": lambda: page.stress_page(made_up.stress_report()),
}
# Measured by the page itself: what is wider than the screen, and labels that leave their figure or cover each other.
MEASURE = """
const seen = (node) => node.getClientRects().length > 0;
const box = (node) => node.getBoundingClientRect();
const overflow = document.documentElement.scrollWidth - innerWidth;
const found = {inner: innerWidth, overflow, outside: [], covered: []};
for (const figure of document.querySelectorAll("figure")) {
  const frame = box(figure);
  for (const drawing of figure.querySelectorAll("svg.chart")) {
    const texts = [...drawing.querySelectorAll("text")].filter(seen);
    for (const text of texts) {
      const at = box(text);
      if (at.left < frame.left - 1 || at.right > frame.right + 1) found.outside.push(text.textContent);
    }
    for (let i = 0; i < texts.length; i++) for (let k = i + 1; k < texts.length; k++) {
      const a = box(texts[i]), b = box(texts[k]);
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 5) found.covered.push(`${texts[i].textContent} | ${texts[k].textContent}`);
    }
  }
}
parent.document.body.dataset.found = JSON.stringify(found);
"""


def browse(path: Path, width: int, profile: Path) -> subprocess.CompletedProcess[str]:
    """Open a page without a screen; its document comes on stdout, what its console said on stderr."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--enable-logging=stderr",
        "--virtual-time-budget=2000",
        f"--user-data-dir={profile}",
        f"--window-size={width},2000",
        "--dump-dom",
        path.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def measured(text: str, width: int, folder: Path) -> dict:
    """The page in a frame of that width (a window has a least one), with a script that its policy would refuse."""
    opened = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    inner = html.escape(opened.replace("</body>", f"<script>{MEASURE}</script></body>"), quote=True)
    path = folder / f"measured-{width}.html"
    frame = f'<iframe width="{width}" height="1000" style="border: 0" srcdoc="{inner}"></iframe>'
    path.write_text(f'<!doctype html><html><meta charset="utf-8"><body>{frame}</body></html>', encoding="utf-8")
    document = browse(path, max(width, 500) + 100, folder / "profile").stdout
    found = re.search(r'<body data-found="([^"]*)"', document)
    assert found, "the measuring script did not run"
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("name", PAGES)
def test_the_console_stays_silent(name, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    opened = browse(path, 1400, tmp_path / "profile")
    assert "CONSOLE" not in opened.stderr, opened.stderr
    assert '<div class="tip" aria-hidden="true">' in opened.stdout, "the script of the page did not run"


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overflows_and_no_label_covers_another(name, width, tmp_path):
    found = measured(PAGES[name](), width, tmp_path)
    assert found["inner"] == width
    assert found["overflow"] <= 0
    assert found["outside"] == []
    assert found["covered"] == []


def test_a_page_that_breaks_its_own_policy_is_heard(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(PAGES["stress"]().replace("</body>", "<script>throw 1</script></body>"), encoding="utf-8")
    assert "CONSOLE" in browse(path, 1400, tmp_path / "profile").stderr


def test_a_page_that_overflows_is_seen(tmp_path):
    wide = PAGES["stress"]().replace("<main>", '<main><p class="wide-one">x</p><style>.wide-one{width:3000px}</style>')
    assert measured(wide, 400, tmp_path)["overflow"] > 1000
