"""CRIF files: comma- or tab-separated, with columns in snake or camel case, to `Crif` and back."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from crossmargin.adapters.documents import read_bytes
from crossmargin.adapters.writing import write_text
from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.core.errors import DuplicateName, InvalidInput, UnreadableFile
from crossmargin.margin.rulebooks.sensitivities.crif import TEXTS, Crif, Texts

USD: Final = "USD"
# The names under which columns are written; they are read without regard to case and underscores.
HEADINGS: Final = {
    "trade": "TradeID",
    "portfolio": "PortfolioID",
    "product_class": "ProductClass",
    "risk_type": "RiskType",
    "qualifier": "Qualifier",
    "bucket": "Bucket",
    "label1": "Label1",
    "label2": "Label2",
    "amount_currency": "AmountCurrency",
    "amount": "Amount",
    "amount_usd": "AmountUSD",
    "im_model": "IMModel",
    "collect_regulations": "CollectRegulations",
    "post_regulations": "PostRegulations",
    "end_date": "EndDate",
}
_REQUIRED: Final = ("risk_type", "qualifier")
_BY_HEADING: Final = {heading.lower(): column for column, heading in HEADINGS.items()}


def read_crif(path: str | Path) -> Crif:
    """The sensitivities in a CRIF file.

    Columns that the rule does not use are passed over. AmountUSD may be missing where Amount is in USD (or has no
    currency, as multipliers and percentages have none). Raises `UnreadableFile` for what is no such table, and
    `InvalidInput` (or a kind of it) with the line for an amount that is missing or no finite number.
    """
    return parse_crif(read_bytes(Path(path)), where=str(path))


def parse_crif(raw: bytes, *, where: str) -> Crif:
    """As `read_crif`, of the bytes of a file."""
    frame = _frame(raw.removeprefix(b"\xef\xbb\xbf"), where)
    columns = _columns(frame.columns, where)
    texts = {name: _texts(frame, columns.get(name)) for name in TEXTS}
    amount = _numbers(frame, columns.get("amount"), "Amount", where)
    usd = _numbers(frame, columns.get("amount_usd"), "AmountUSD", where)
    return Crif(
        texts=texts,
        amount=frozen(_filled(amount, usd)),
        amount_usd=frozen(_usd(texts, amount, usd, where)),
        where=where,
    )


def _frame(raw: bytes, where: str) -> pl.DataFrame:
    first = raw.split(b"\n", 1)[0]
    separator = "\t" if b"\t" in first else ";" if b";" in first and b"," not in first else ","
    try:
        frame = pl.read_csv(io.BytesIO(raw), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise UnreadableFile(
            where, reason=str(error).splitlines()[0] or "it is empty", remedy="Write it as CSV or TSV in UTF-8."
        ) from None
    return frame.fill_null("")


def _columns(names: list[str], where: str) -> dict[str, str]:
    """The name in the file of each column it has."""
    found: dict[str, str] = {}
    for name in names:
        column = _BY_HEADING.get(name.strip().lstrip("#").replace("_", "").replace(" ", "").lower())
        if column in found:
            raise DuplicateName("column", where=f"{where}: header", value=name, first=found[column])
        if column:
            found[column] = name
    missing = [HEADINGS[column] for column in _REQUIRED if column not in found]
    if not {"amount", "amount_usd"} & set(found):
        missing.append("AmountUSD")
    if missing:
        raise InvalidInput(
            "columns",
            where=f"{where}: header",
            value=", ".join(names),
            limit=f"among them {', '.join(missing)}",
            remedy="Name the columns as CRIF does.",
        )
    return found


def _texts(frame: pl.DataFrame, name: str | None) -> Texts:
    if name is None:
        return Texts(codes=frozen(np.zeros(frame.height), np.int32), names=("",))
    column = frame[name].str.strip_chars()
    distinct = column.unique(maintain_order=True)
    codes = column.replace_strict(distinct, pl.Series(range(len(distinct)), dtype=pl.Int32), return_dtype=pl.Int32)
    return Texts(codes=frozen(codes.to_numpy(), np.int32), names=tuple(distinct))


def _numbers(frame: pl.DataFrame, name: str | None, heading: str, where: str) -> FloatArray:
    """A column of numbers, NaN where it is empty; raises `InvalidInput` for other text, NaN and infinity."""
    if name is None:
        return np.full(frame.height, np.nan)
    text = frame[name].str.strip_chars()
    values = text.cast(pl.Float64, strict=False).to_numpy()
    empty = (text == "").to_numpy()
    bad = np.flatnonzero(~empty & ~np.isfinite(values))
    if len(bad):
        raise InvalidInput(
            heading,
            where=f"{where}: line {bad[0] + 2}",
            value=text[int(bad[0])],
            limit="a finite number",
            remedy="Correct the line.",
        )
    return np.where(empty, np.nan, values)


def _filled(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.where(np.isnan(first), second, first)


def _usd(texts: Mapping[str, Texts], amount: FloatArray, usd: FloatArray, where: str) -> FloatArray:
    """AmountUSD, or the Amount where that is in USD."""
    column = texts["amount_currency"]
    in_usd = np.asarray([name.upper() in {USD, ""} for name in column.names], np.bool_)[column.codes]
    value = np.where(np.isnan(usd) & in_usd, amount, usd)
    missing = np.flatnonzero(np.isnan(value))
    if len(missing):
        line = int(missing[0])
        raise InvalidInput(
            "AmountUSD",
            where=f"{where}: line {line + 2}",
            value=f"empty, Amount in {column[line] or 'no currency'}",
            limit="stated, or an Amount in USD",
            remedy="Convert the amount; no rate is assumed.",
        )
    return value


def write_crif(path: str | Path, crif: Crif) -> None:
    """Write a CRIF as CSV, or as TSV where the name ends in .tsv or .txt; numbers keep all their digits."""
    separator = "\t" if Path(path).suffix.lower() in {".tsv", ".txt"} else ","
    write_text(path, crif_text(crif, separator=separator))


def crif_text(crif: Crif, *, separator: str = ",") -> str:
    """A CRIF as the text of a file."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow(HEADINGS.values())
    for row in range(len(crif)):
        numbers = {"amount": repr(float(crif.amount[row])), "amount_usd": repr(float(crif.amount_usd[row]))}
        writer.writerow([numbers.get(name) or crif.texts[name][row] for name in HEADINGS])
    return out.getvalue()
