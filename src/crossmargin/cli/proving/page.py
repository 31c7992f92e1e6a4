"""A checked statement as one self-contained page."""

from __future__ import annotations

from typing import Final

from crossmargin.cli.proving.report import CheckRow, VerifyReport
from crossmargin.cli.proving.words import claims, left_out, limits, money, trimmed_moment, verdict
from crossmargin.cli.report.page_parts import Section, Tile, card, closing, framed, summary, table, tiles, warned
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import Column, label_text, named

_PILLS: Final = {"holds": ("healthy", "✓"), "fails": ("liquidation", "✗"), "not checked": ("restricted", "–")}


def verify_page(report: VerifyReport) -> str:
    """The verdict, what is claimed, every check in words, and what was not checked."""
    failed = [row.why for row in report.checks if row.outcome == "fails"]
    top = join((_header(report), summary((verdict(report.checks), *claims(report))), warned(failed), _tiles(report)))
    sections = [
        Section("checks", "Checks", card(_checks(report))),
        Section("limits", "What was not checked", card(_sentences((*left_out(report.checks), *limits())))),
    ]
    foot = closing(
        (
            ("Epoch", str(report.epoch)),
            ("As of", trimmed_moment(report.as_of_ms)),
            ("Digest of the head", report.digest),
        ),
        "Compare the digest with the published one. Amounts in USD, rounded down to the cent; checks use all digits.",
    )
    return framed(f"Statement of {report.account[:80]}", top, sections, foot)


def _header(report: VerifyReport) -> Markup:
    word = "holds" if report.good else "fails"
    return element(
        "header",
        element("p", "Crossmargin · margin statement", class_="kind"),
        element("h1", element("span", report.account[:80]), " ", _pill(word, word)),
        element("p", f"epoch {report.epoch} · {trimmed_moment(report.as_of_ms)}", class_="when"),
    )


def _tiles(report: VerifyReport) -> Markup:
    decimals = report.money_decimals
    held = sum(row.outcome == "holds" for row in report.checks)
    return tiles(
        (
            Tile("worst loss", money(report.worst_loss, decimals), label_text(report.worst_scenario)),
            Tile("collateral", money(report.collateral, decimals), "after haircuts and caps"),
            Tile("checks that hold", f"{held} of {len(report.checks)}", named(report.positions, "position")),
            Tile("worst losses of all", money(report.worst_loss_total, decimals), named(report.accounts, "account")),
        )
    )


def _checks(report: VerifyReport) -> Markup:
    columns = [Column(name, words=True) for name in ("check", "outcome", "what it means", "reason")]
    return table("Every check, none left out after one that fails", columns, map(_row, report.checks))


def _row(row: CheckRow) -> tuple[str, ...]:
    return (row.check, _pill(row.outcome, row.outcome), row.meaning, row.reason)


def _pill(outcome: str, word: str) -> Markup:
    style, sign = _PILLS[outcome]
    return element("span", f"{sign} {word}", class_=f"pill {style}")


def _sentences(sentences: tuple[str, ...]) -> Markup:
    return element("ul", *(element("li", text) for text in sentences))
