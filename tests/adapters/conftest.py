"""What tests of adapters leave open is closed, as the end of a process would."""

from collections.abc import Iterator
from typing import Any

import pytest

from crossmargin.adapters.journals.store import JournalStore


@pytest.fixture(autouse=True)
def closed_journals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every journal that a test opened."""
    opened: list[JournalStore] = []
    begin = JournalStore.__init__

    def remembered(store: JournalStore, *given: Any, **named: Any) -> None:
        begin(store, *given, **named)
        opened.append(store)

    monkeypatch.setattr(JournalStore, "__init__", remembered)
    yield
    for store in opened:
        store.close()
