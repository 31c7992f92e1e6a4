"""A model card as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from crossmargin.validation.cards.documents import CardEvidence, ModelCard


def markdown(card: ModelCard, *, level: int = 1) -> str:
    """The card as a section whose head has `level`."""
    return "\n".join(_lines(card, "#" * level)) + "\n"


def _lines(card: ModelCard, head: str) -> Iterator[str]:
    yield from (f"{head} {card.name}", "")
    yield from (f"{card.kind}, {card.date}, owner {card.owner}, parameters `{card.hash[:16]}`", "")
    yield from (f"**Purpose.** {card.purpose}", "", "**Inputs.**", "")
    yield from (*(f"- {line}" for line in card.inputs), "", "**What it rests on, and where it fails.**", "")
    yield from _table(
        ("part", "assumption", "limit", "source"),
        [(s.part, s.assumption, s.limit, s.source) for s in card.statements],
    )
    yield from ("", "**Evidence.**", "")
    if card.evidence is None:
        yield card.remark
    else:
        yield from _table(("figure", "value"), list(figures(card.evidence)))
    yield from ("", f"**Parameters.** {card.source}", "")
    yield from _table(("parameter", "value"), [(f"`{p.path}`", f"`{p.value}`") for p in card.parameters])


def figures(found: CardEvidence) -> Iterator[tuple[str, str]]:
    """What a backtest says, by name; a figure that it does not have is left out."""
    yield "history", f"{found.source or 'no source given'} ({found.history_hash[:12]}), {found.first} to {found.last}"
    yield "portfolios", f"{found.accounts:,} (book {found.book_hash[:12]}), {found.observations:,} margins"
    yield "coverage", f"{found.coverage:.2%} at a nominal {1.0 - found.rate:.2%}"
    yield "chance of so many exceptions under the nominal rate", f"{found.too_many_p:.3f}"
    for name, value in (
        (f"coverage from {found.unseen_from} on, unseen when it was fixed", found.unseen_coverage),
        (f"coverage of the worst window, {found.crisis}", found.crisis_coverage),
        ("worst loss/margin in windows", found.loss_to_margin_max),
        ("rise over 5 dates, middle account", found.rise_5),
        ("peak/trough − 1, middle account", found.peak_to_trough),
        (f"mean margin over that of {found.baseline}", found.cost_ratio),
    ):
        if value is not None:
            yield name, f"{value:.2%}" if "coverage" in name else f"{value:.0%}"
    if found.fz0 is not None:
        yield "mean FZ0", f"{found.fz0:.4f}, {'in' if found.kept else 'not in'} the Model Confidence Set"
    yield "made by", f"version {found.version}"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [heads, ("---",) * len(heads), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
