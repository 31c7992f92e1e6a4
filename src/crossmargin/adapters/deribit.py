"""Option chains as Deribit shows them: its own JSON, and Parquet tables with the same fields.

Coin-settled prices are in the coin, volatilities in percent in the venue's own fields and decimal in snapshot tables.
A price that nobody gives is null there, or 0; inside it is 0.
Source: docs.deribit.com, public/get_instruments, public/get_book_summary_by_currency, public/ticker.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np
import polars as pl

from crossmargin.adapters.documents import convert, read_bytes
from crossmargin.core.arrays import FloatArray, frozen
from crossmargin.core.errors import InvalidInput, MissingFactors, UnreadableFile
from crossmargin.market.quotes import ChainQuotes, FutureQuotes

StrPath: TypeAlias = str | os.PathLike[str]

# The columns of a table of snapshots: one row for each option and time.
SNAPSHOT_COLUMNS: Final = (
    "ts",
    "currency",
    "instrument_name",
    "expiry",
    "strike",
    "option_type",
    "underlying_price",
    "index_price",
    "bid",
    "ask",
    "mark",
    "mark_iv",
)
# Options and futures are quoted in ticks of at least 1e-5; single precision blurs the seventh digit.
_TICK_DIGITS: Final = 6


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One result of get_instruments; times in milliseconds. Fields that building a market does not need are ignored."""

    instrument_name: str
    kind: Literal["option", "future", "spot", "option_combo", "future_combo"]
    expiration_timestamp: int = 0
    base_currency: str
    quote_currency: str
    settlement_period: str = ""
    strike: float | None = None
    option_type: Literal["call", "put"] | None = None


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """One result of get_book_summary_by_currency or of ticker, whose fields bear different names.

    Prices in the instrument's quote currency, `mark_iv` in percent, times in milliseconds.
    """

    instrument_name: str
    bid_price: float | None = None
    ask_price: float | None = None
    best_bid_price: float | None = None
    best_ask_price: float | None = None
    mark_price: float | None = None
    mark_iv: float | None = None
    underlying_price: float | None = None
    index_price: float | None = None
    estimated_delivery_price: float | None = None
    creation_timestamp: int | None = None
    timestamp: int | None = None

    @property
    def seen_ms(self) -> int:
        """When the row was seen."""
        return self.timestamp or self.creation_timestamp or 0

    @property
    def index(self) -> float:
        """The index price; until delivery begins the estimated delivery price is the same."""
        return self.index_price or self.estimated_delivery_price or 0.0


def read_chains(paths: Sequence[StrPath]) -> tuple[ChainQuotes, ...]:
    """The option chains in files from Deribit, by time and then underlying.

    A .parquet file is a table of snapshots with `SNAPSHOT_COLUMNS`, or of the venue's own fields with a
    `snapshot_date`, where options and futures may stand in files of their own. All .json files together are one
    snapshot: results of get_instruments, and of get_book_summary_by_currency or ticker, in their envelope or without.
    Raises `UnreadableFile` for a file that is neither, `InvalidInput` with its place for a field of the wrong type or
    a missing column, and `MissingFactors` for quotes of instruments that no file describes."""
    chains: list[ChainQuotes] = []
    texts: dict[str, bytes] = {}
    fields: dict[str, pl.DataFrame] = {}
    for path in map(Path, paths):
        if path.suffix.lower() == ".parquet":
            table = _read_table(path)
            if "snapshot_date" in table.columns:
                fields[str(path)] = table
            else:
                chains += snapshot_chains(table, where=str(path))
        elif path.suffix.lower() == ".json":
            texts[str(path)] = read_bytes(path)
        else:
            reason = "its name does not end in .parquet or .json"
            raise UnreadableFile(str(path), reason=reason, remedy="Rename or convert it.")
    if texts:
        chains += json_chains(texts)
    if fields:
        chains += field_chains(tuple(fields.values()), where=", ".join(fields))
    return tuple(sorted(chains, key=lambda c: (c.latest_ns, c.underlying)))


def json_chains(texts: Mapping[str, bytes]) -> list[ChainQuotes]:
    """The chains, one for each base and quote currency, in Deribit's answers `texts` by the name of their source."""
    instruments: dict[str, Instrument] = {}
    quotes: dict[str, Quote] = {}
    for where, text in texts.items():
        for i, result in enumerate(_results(text, where)):
            place = f"{where}: result[{i}]"
            if "expiration_timestamp" in result:
                instrument = convert(result, Instrument, where=place)
                instruments[instrument.instrument_name] = instrument
            if "mark_price" in result:
                quote = convert(result, Quote, where=place)
                quotes[quote.instrument_name] = quote
    missing = quotes.keys() - instruments.keys()
    if missing:
        needed = dict.fromkeys(missing, "what get_instruments says of it")
        raise MissingFactors(missing, where=", ".join(texts), needed_by=needed)
    return _assemble(instruments, quotes)


def snapshot_chains(table: pl.DataFrame, *, where: str) -> Iterator[ChainQuotes]:
    """The chains of a table with `SNAPSHOT_COLUMNS`, by time and currency; volatilities are decimals."""
    _require_columns(table, SNAPSHOT_COLUMNS, where)
    for _, rows in table.group_by("ts", "currency", maintain_order=True):
        seen = rows["ts"].dt.timestamp("ns").to_numpy()
        index = _number(rows, "index_price")
        yield ChainQuotes(
            underlying=str(rows["currency"][0]),
            spot=float(np.median(index)),
            instrument=tuple(rows["instrument_name"]),
            expiry_ns=frozen(rows["expiry"].dt.timestamp("ns").to_numpy(), np.int64),
            strike=frozen(_number(rows, "strike")),
            is_call=frozen((rows["option_type"] == "call").to_numpy(), np.bool_),
            bid=frozen(_number(rows, "bid").round(_TICK_DIGITS)),
            ask=frozen(_number(rows, "ask").round(_TICK_DIGITS)),
            mark=frozen(_number(rows, "mark")),
            mark_vol=frozen(_number(rows, "mark_iv")),
            underlying_price=frozen(_number(rows, "underlying_price")),
            seen_ns=frozen(seen, np.int64),
            in_coin=True,
        )


def field_chains(tables: Sequence[pl.DataFrame], *, where: str) -> list[ChainQuotes]:
    """The chains in tables whose columns are the fields of get_instruments and ticker, for each `snapshot_date`."""
    chains: list[ChainQuotes] = []
    for day in sorted({day for table in tables for day in table["snapshot_date"]}):
        rows = [row for table in tables for row in table.filter(pl.col("snapshot_date") == day).to_dicts()]
        places = [f"{where}: snapshot {day}, row {i + 1}" for i in range(len(rows))]
        instruments = [convert(row, Instrument, where=place) for row, place in zip(rows, places, strict=True)]
        quotes = [convert(row, Quote, where=place) for row, place in zip(rows, places, strict=True)]
        chains += _assemble({i.instrument_name: i for i in instruments}, {q.instrument_name: q for q in quotes})
    return chains


def _assemble(instruments: Mapping[str, Instrument], quotes: Mapping[str, Quote]) -> list[ChainQuotes]:
    groups: dict[tuple[str, str], list[tuple[Instrument, Quote]]] = {}
    futures: dict[str, list[tuple[Instrument, Quote]]] = {}
    for name, quote in quotes.items():
        instrument = instruments[name]
        if instrument.kind == "option":
            groups.setdefault((instrument.base_currency, instrument.quote_currency), []).append((instrument, quote))
        elif instrument.kind == "future" and instrument.settlement_period != "perpetual":
            futures.setdefault(instrument.base_currency, []).append((instrument, quote))
    return [_chain(base, quote, rows, futures.get(base, [])) for (base, quote), rows in groups.items()]


def _chain(
    base: str, quote_currency: str, rows: list[tuple[Instrument, Quote]], futures: list[tuple[Instrument, Quote]]
) -> ChainQuotes:
    options = [(i, q) for i, q in rows if i.strike is not None and i.option_type is not None]
    return ChainQuotes(
        underlying=base if quote_currency == base else f"{base}_{quote_currency}",
        spot=float(np.median([q.index for _, q in options])) if options else 0.0,
        instrument=tuple(i.instrument_name for i, _ in options),
        expiry_ns=frozen([i.expiration_timestamp * 1_000_000 for i, _ in options], np.int64),
        strike=frozen([i.strike or 0.0 for i, _ in options]),
        is_call=frozen([i.option_type == "call" for i, _ in options], np.bool_),
        bid=_prices(q.bid_price or q.best_bid_price for _, q in options),
        ask=_prices(q.ask_price or q.best_ask_price for _, q in options),
        mark=_prices(q.mark_price for _, q in options),
        mark_vol=frozen(_prices(q.mark_iv for _, q in options) / 100.0),
        underlying_price=_prices(q.underlying_price for _, q in options),
        seen_ns=frozen([q.seen_ms * 1_000_000 for _, q in options], np.int64),
        in_coin=quote_currency == base,
        futures=FutureQuotes(
            instrument=tuple(i.instrument_name for i, _ in futures),
            expiry_ns=frozen([i.expiration_timestamp * 1_000_000 for i, _ in futures], np.int64),
            bid=_prices(q.bid_price or q.best_bid_price for _, q in futures),
            ask=_prices(q.ask_price or q.best_ask_price for _, q in futures),
            mark=_prices(q.mark_price for _, q in futures),
        ),
    )


def _prices(values: Iterable[float | None]) -> FloatArray:
    return frozen([value or 0.0 for value in values])


def _results(text: bytes, where: str) -> list[dict[str, object]]:
    """The results in one answer: a list or a single one, in its envelope (of a request or a stream) or without."""
    try:
        tree = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise UnreadableFile(where, reason=f"no JSON ({error})", remedy="Fetch it again.") from None
    if isinstance(tree, dict) and isinstance(tree.get("params"), dict):
        tree = tree["params"].get("data")
    if isinstance(tree, dict):
        tree = tree.get("result", tree)
    results = tree if isinstance(tree, list) else [tree]
    for i, result in enumerate(results):
        if not isinstance(result, dict):
            raise InvalidInput(
                "result",
                where=f"{where}: result[{i}]",
                value=result,
                limit="an object with the fields of Deribit's answer",
                remedy="Give the answers of get_instruments and get_book_summary_by_currency as they came.",
            )
    return results


def _read_table(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except OSError as error:
        raise UnreadableFile(
            str(path), reason=(error.strerror or str(error)).lower(), remedy="Check the path."
        ) from None
    except pl.exceptions.PolarsError as error:
        reason = f"it is truncated, or no Parquet ({str(error).splitlines()[0]})"
        raise UnreadableFile(str(path), reason=reason, remedy="Write or fetch it again.") from None


def _require_columns(table: pl.DataFrame, columns: Sequence[str], where: str) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InvalidInput(
            "columns",
            where=where,
            value=", ".join(table.columns),
            limit=f"all of {', '.join(columns)}",
            remedy=f"Add {', '.join(missing)}.",
        )


def _number(rows: pl.DataFrame, name: str) -> FloatArray:
    """A column as float64; null, which says that nobody gives a price, becomes 0. NaN stays, and is refused later."""
    return rows[name].cast(pl.Float64).fill_null(0.0).to_numpy()
