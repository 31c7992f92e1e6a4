"""What `calibrate` does: read a history, fit a recipe to it, write the model, and say how it fits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from crossmargin.adapters.files import read_model_document, read_recipe
from crossmargin.adapters.histories import read_history
from crossmargin.cli.fitting.tables import diagnosis_table
from crossmargin.cli.output import enter_text, print_report
from crossmargin.core.canon import digest
from crossmargin.core.check import quantity
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS, parse_instant
from crossmargin.engine.diagnosis import diagnose
from crossmargin.engine.recipe import Recipe, calibrated_model
from crossmargin.scenarios.history import FactorHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stands behind the options of `calibrate`."""

    recipe: str
    until: str | None
    proxies: tuple[str, ...]
    stamp: Literal["close", "open"]
    scales: tuple[str, ...]


def calibrate(history: Sequence[Path], asked: Asked, *, out: Path, html: Path | None, as_json: bool) -> None:
    """Fit, write and report."""
    if out.suffix.lower() != ".json":
        raise InvalidInput("--out", where="calibrate", value=out.name, limit="a .json file", remedy="Rename it.")
    made = with_proxies(read_recipe(asked.recipe), asked.proxies)
    told = cut(read_history(history, stamp=asked.stamp, scale=scales(asked.scales)), asked.until)
    model = calibrated_model(made, read_model_document(made.base), told)
    assert model.calibration is not None, "a recipe makes a calibration"
    diagnosis = diagnose(model.calibration, model=f"{model.name}@{model.date}")
    with ExitStack() as files:
        enter_text(files, out, msgspec.json.encode(model).decode())
        if html is not None:
            from crossmargin.cli.fitting.page import diagnosis_page

            text = diagnosis_page(diagnosis, model.calibration, told, model_hash=digest(model))
            enter_text(files, html, text)
    print_report(diagnosis, as_json=as_json, tables=diagnosis_table)


def with_proxies(made: Recipe, texts: Sequence[str]) -> Recipe:
    """A recipe with the proxies that `--proxy` names: `FACTOR=PROXY`, or one for all others."""
    proxies, default = dict(made.calibration.proxies), made.calibration.default_proxy
    for text in texts:
        factor, named, proxy = text.partition("=")
        if named:
            proxies[factor] = proxy
        else:
            default = factor
    spec = msgspec.structs.replace(made.calibration, proxies=proxies, default_proxy=default)
    return msgspec.structs.replace(made, calibration=spec)


def scales(texts: Sequence[str]) -> dict[str, float]:
    """What `--scale FACTOR=PRICE` says."""
    found = {}
    for text in texts:
        factor, named, price = text.rpartition("=")
        if not named:
            raise InvalidInput("--scale", where="command line", value=text, limit="FACTOR=PRICE", remedy="spot:WTI=50")
        found[factor] = quantity(price, "scale", where=f"--scale {text}")
    return found


def cut(history: FactorHistory, until: str | None) -> FactorHistory:
    """The history up to a day (its midnight UTC, at the end) or an instant; all of it for none."""
    return history if until is None else history.until(end_of(until, where="--until"))


def end_of(text: str, *, where: str) -> int:
    """Nanoseconds of an instant, or of the end of a day."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return parse_instant(text, where=where)
    return parse_instant(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC), where=where) + DAY_NS
