"""What the pages share: a folder with the example inputs, and tables made from the code."""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from IPython import get_ipython
from IPython.display import Markdown

from crossmargin.adapters.files import builtin_models, read_model_document
from crossmargin.cli.fitting.command import with_proxies
from crossmargin.engine.outlook.predictor import PredictiveSpec
from crossmargin.engine.recipe import recipes
from crossmargin.instruments.catalogue import builtin_products
from crossmargin.validation.cards.card import Described, model_card, name_of
from crossmargin.validation.cards.documents import ModelCard
from crossmargin.validation.cards.markdown import markdown
from crossmargin.validation.evidence.documents import BacktestReport
from crossmargin.validation.evidence.tested import tested_hash

EVIDENCE = Path(__file__).parent / "evidence.json"  # written by `keep_evidence`
EXAMPLES = Path(__file__).parent.parent / "examples"
PLAIN = {str: "text", float: "number", int: "integer", bool: "true or false", Any: "values"}


def enter_examples() -> None:
    """Go to a new folder that holds the example inputs, and the bundled desk as book.toml and market.toml."""
    folder = Path(tempfile.mkdtemp(prefix="crossmargin-docs-"))
    shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True)
    with resources.as_file(resources.files("crossmargin.cli").joinpath("demo")) as demo:
        shutil.copytree(demo, folder, dirs_exist_ok=True)
    os.chdir(folder)
    for name in ("FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):  # the kernel sets them; a page shows plain text
        os.environ.pop(name, None)
    get_ipython().register_magic_function(bash, "cell", "bash")


def bash(_options: str, commands: str) -> None:
    """Run commands and print what they say, in one piece; one that fails is an error of the page.

    IPython's own `%%bash` hands output over in pieces, which a page shows as broken lines.
    """
    command = ["bash", "-e", "-c", commands]
    done = subprocess.run(  # noqa: S603 the page's own commands
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    sys.stdout.write("\n".join(line.rstrip() for line in done.stdout.splitlines()).strip("\n") + "\n")
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}")


def table(heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> Markdown:
    """A Markdown table."""
    lines = [heads, ("---",) * len(heads), *rows]
    return Markdown("\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines))


def fields(kind: type[msgspec.Struct]) -> Markdown:
    """The fields of a part of a document: name, type, and default or "required"."""
    hints = get_type_hints(kind)
    rows = [(f"`{f.name}`", spelled(hints[f.name]), default(f)) for f in msgspec.structs.fields(kind)]
    return table(("field", "type", "default"), list(rows))


def default(field: msgspec.structs.FieldInfo) -> str:
    """What stands where a field is left out."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, msgspec.Struct):
        return "its defaults"
    return "none" if value in (None, "", (), {}) else f"`{value}`"


def spelled(hint: Any) -> str:
    """A type as a user of TOML or JSON would name it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(f'"{value}"' for value in inner)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(spelled(part) for part in inner if part is not type(None)))
    if origin is tuple:
        return f"list of {spelled(inner[0])}"
    if origin is dict:
        return f"table of {spelled(inner[1])}"
    return PLAIN.get(hint) or hint.__name__


def products() -> Markdown:
    """The catalogue of listed products."""
    heads = ("symbol", "family", "underlying", "payout", "settles in", "multiplier")
    rows = [
        (f"`{p.prefix}-….{p.venue}`", p.family, p.underlying, p.payout, p.settle, f"{p.multiplier:g}")
        for p in builtin_products()
    ]
    return table(heads, list(rows))


def parameters(part: msgspec.Struct, path: str = "") -> Markdown:
    """Every number of a part of a model, by its path."""
    rows = [
        (f"`{name}`", f"`{value}`") for name, value in flat(msgspec.to_builtins(part), path) if value not in ("", {})
    ]
    return table(("parameter", "value"), list(rows))


def described() -> list[Described]:
    """Every shipped model that has a card."""
    return [*recipes().values(), *(read_model_document(name) for name in builtin_models()), PredictiveSpec()]


def cards() -> Markdown:
    """The card of every shipped model; figures are those of `evidence.json`, where it holds the same parameters."""
    kept = msgspec.json.decode(EVIDENCE.read_bytes(), type=list[ModelCard]) if EVIDENCE.exists() else []
    found = {card.name: card for card in kept}
    made = [model_card(model, found.get(name_of(model))) for model in described()]
    return Markdown("\n".join(markdown(card, level=2) for card in made))


def keep_evidence(report_file: str, proxies: tuple[str, ...] = ()) -> None:
    """Write `evidence.json`: the cards of all shipped models with the figures of a backtest's report.

    `proxies` are those that the backtest was given (`--proxy`). They fill what a history holds too late, and are no
    parameters of a shipped recipe: figures count for it where the recipe with them is what was tested."""
    report = msgspec.json.decode(Path(report_file).read_bytes(), type=BacktestReport)
    filled = {name: tested_hash(with_proxies(one, proxies)) for name, one in recipes().items()}
    own = {name: tested_hash(recipes()[name]) for name, told in filled.items() if report.hashes.get(name) == told}
    report = msgspec.structs.replace(report, hashes=report.hashes | own)
    made = [model_card(model, report) for model in described()]
    EVIDENCE.write_bytes(msgspec.json.format(msgspec.json.encode([card for card in made if card.evidence])) + b"\n")


def bands(caps: list[float], rates: list[str]) -> str:
    """Rates of a tiered parameter in words: "to 50M 0.1, to 200M 0.15, beyond 0.25"."""
    words = [*(f"to {amount(cap)}" for cap in caps[:-1]), "beyond" if len(caps) > 1 else "all"]
    return ", ".join(f"{word} {rate}" for word, rate in zip(words, rates, strict=True))


def amount(usd: float) -> str:
    """50000000 as 50M."""
    return f"{usd / 1e6:g}M"


def flat(tree: Any, path: str = "") -> list[tuple[str, object]]:
    """The leaves of nested tables, each with its path; a list counts as a leaf."""
    if isinstance(tree, dict) and tree:
        return [leaf for key, value in tree.items() for leaf in flat(value, f"{path}.{key}" if path else key)]
    return [(path, tree)]
