"""Where numbers come from, and what a tracked file must not give away."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.guards.tree import Violation

# Written in pieces, so that this file passes its own guard.
ADDRESSES = re.compile(
    r"py" + r"pi\.org|python" + r"hosted|npm" + r"js\.(?:org|com)|deb\.deb" + r"ian\.org|file:/" + r"//\w"
    r"|(?<![\w.~*-])/(?:work|root|farm|home/\w+|opt/py" + r"pi)/"
)
# A file whose format has no room for it says it in the comment at its top: `# Source: ..., 2026-03-31`.
HEADING = re.compile(r"(?:#.*\n)*#.*\bsource: \S(?:.*\n#)*.*\b\d{4}-\d\d-\d\d", re.IGNORECASE)
GOLDEN_KEYS = ("source", "licence", "sha256", "command")


def _tables(table: dict[str, object]) -> Iterator[dict[str, object]]:
    yield table
    for value in table.values():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from _tables(inner)


def parameters(root: Path) -> Iterator[Violation]:
    """Tables of parameters in the package that do not say in which document, and when, their numbers stood."""
    for path in sorted((root / "src").rglob("*.toml")):
        text = path.read_text(encoding="utf-8")
        said = any(inner.get("source") and inner.get("date") for inner in _tables(tomllib.loads(text)))
        if not said and not HEADING.match(text):
            yield Violation("provenance", path.relative_to(root).as_posix(), "has no table with both source and date")


def golden(root: Path) -> Iterator[Violation]:
    """Golden files that `SOURCES.toml` beside them does not account for."""
    folder = root / "tests/golden"
    index = folder / "SOURCES.toml"
    known = tomllib.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    files = {
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.suffix not in {".py", ".pyc"}
    }
    for name in sorted(files - {"SOURCES.toml"}):
        missing = [key for key in GOLDEN_KEYS if not known.get(name, {}).get(key)]
        if missing:
            yield Violation(
                "provenance", f"tests/golden/{name}", f"SOURCES.toml does not give its {', '.join(missing)}"
            )
    for name in sorted(known.keys() - files):
        yield Violation("provenance", "tests/golden/SOURCES.toml", f"{name} is gone: drop its entry")


def tracked(root: Path) -> list[Path]:
    """All files that git tracks; none outside a clone."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False).stdout
    return [root / name for name in listed.split("\0") if name]


def addresses(root: Path, files: list[Path]) -> Iterator[Violation]:
    """Hosts of package registries, and paths of somebody's machine, in text."""
    for path in files:
        content = path.read_bytes() if path.is_file() else b""
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if found := ADDRESSES.search(line):
                where = f"{path.relative_to(root).as_posix()}:{number}"
                yield Violation("address", where, f"{found.group()!r} is no business of a reader's")


def subjects(lines: list[str]) -> Iterator[Violation]:
    """Subjects of commits that are too long, or end in a full stop."""
    for line in lines:
        commit, _, subject = line.partition(" ")
        if not subject.startswith("Merge "):
            if len(subject) > 60:
                yield Violation("commit", commit, f"subject of {len(subject)} characters, limit 60: {subject!r}")
            if subject.endswith("."):
                yield Violation("commit", commit, f"subject ends in a full stop: {subject!r}")
