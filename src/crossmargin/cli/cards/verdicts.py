"""Where a predictive margin wins and where it does not, as rows and sentences of a report."""

from __future__ import annotations

from collections import Counter
from typing import Final

from crossmargin.cli.wording import Column
from crossmargin.engine.outlook.predictor import Adoption, Verdict

VERDICTS: Final = (
    Column("portfolios", words=True),
    Column("verdict", words=True),
    Column("FZ0"),
    Column("best of the others", words=True),
    Column("its FZ0"),
    Column("set p"),
    Column("its set p"),
    Column("used", words=True),
)


def verdict_rows(found: Adoption) -> list[list[str]]:
    """All portfolios together, then each family, under `VERDICTS`."""
    return [_row(verdict) for verdict in (found.everywhere, *found.families)]


def _row(v: Verdict) -> list[str]:
    return [
        v.subject,
        v.outcome,
        f"{v.score:.4f}",
        v.rival,
        f"{v.rival_score:.4f}",
        f"{v.p_value:.3f}",
        f"{v.rival_p_value:.3f}",
        "yes" if v.is_used else "no",
    ]


def verdict_sentences(found: Adoption) -> list[str]:
    """What the table says, and where the predictive margin is not used."""
    counts = Counter(v.outcome for v in found.portfolios)
    portfolios = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("wins", "leads", "trails", "loses"))
    unused = [v.subject for v in found.families if not v.is_used]
    against = ", ".join(found.rivals)
    learnt = f"{found.model} on the {found.dates:,} dates on which it had learnt, against {against}."
    stays = f"It does not beat the best of the others on: {', '.join(unused)}; there the filter stays."
    everywhere = "It beats the best of the others on every family."
    sentences = [f"{learnt} Portfolio by portfolio: {portfolios}.", stays if unused else everywhere]
    if found.unscored:
        sentences.append(f"Not scored, for a shortfall that is not above zero: {', '.join(found.unscored)}.")
    return sentences
