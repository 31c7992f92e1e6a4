"""The command `model-card` and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

OWNER: Final = "Crossmargin"

_ModelArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        help="A shipped recipe or model, `conformal`, or a .toml or .json file.",
        show_default=False,
        metavar="NAME|FILE",
    ),
]
_EvidenceOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="What `backtest --json` printed.", metavar="REPORT")
]
_OwnerOption: TypeAlias = Annotated[str, typer.Option(help="Who answers for the model.", metavar="NAME")]
_JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def model_card(
    model: _ModelArgument,
    evidence: _EvidenceOption = None,
    owner: _OwnerOption = OWNER,
    as_json: _JsonOption = False,
) -> None:
    """Print the card of a model, as Markdown: what it is for, rests on, where it fails, and what backtests say of it.

    Written from the model itself, part by part, with the hash of its parameters. Figures come from a backtest's report;
    without one the card says that it has none.

    Example: `crossmargin model-card crossmargin-dynamic --evidence report.json`
    """
    from crossmargin.cli.cards.command import print_card

    print_card(model, evidence=evidence, owner=owner, as_json=as_json)
