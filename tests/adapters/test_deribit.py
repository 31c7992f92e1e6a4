"""Deribit's answers and tables become quotes, whatever is null, and refuse what they cannot be."""

import json

import numpy as np
import polars as pl
import pytest

from crossmargin.adapters.deribit import SNAPSHOT_COLUMNS, json_chains, read_chains, snapshot_chains
from crossmargin.core.errors import InvalidInput, MissingFactors, UnreadableFile
from crossmargin.market.fit import build_chain
from tests.market.option_chains import known_chain

MADE = known_chain(days=(7, 30), deviations=np.linspace(-1.5, 1.5, 7))
QUOTES = MADE.quotes


def instruments() -> list[dict]:
    options = [
        {
            "instrument_name": name,
            "kind": "option",
            "expiration_timestamp": int(QUOTES.expiry_ns[i]) // 1_000_000,
            "base_currency": "BTC",
            "quote_currency": "BTC",
            "settlement_period": "week",
            "strike": float(QUOTES.strike[i]),
            "option_type": "call" if QUOTES.is_call[i] else "put",
            "tick_size_steps": [],
        }
        for i, name in enumerate(QUOTES.instrument)
    ]
    shared = {"kind": "future", "base_currency": "BTC", "quote_currency": "USD"}
    expiry = int(MADE.expiry_ns[0]) // 1_000_000
    dated = {"instrument_name": "BTC-F", "expiration_timestamp": expiry, "settlement_period": "week"}
    perpetual = {"instrument_name": "BTC-PERPETUAL", "expiration_timestamp": 32503708800000}
    return [*options, shared | dated, shared | perpetual | {"settlement_period": "perpetual"}]


def summaries() -> list[dict]:
    options = [
        {
            "instrument_name": name,
            "bid_price": float(QUOTES.bid[i]),
            "ask_price": float(QUOTES.ask[i]),
            "mark_price": float(QUOTES.mark[i]),
            "mark_iv": 100.0 * float(QUOTES.mark_vol[i]),
            "underlying_price": float(QUOTES.underlying_price[i]),
            "estimated_delivery_price": QUOTES.spot,
            "creation_timestamp": int(QUOTES.seen_ns[i]) // 1_000_000,
        }
        for i, name in enumerate(QUOTES.instrument)
    ]
    price = float(MADE.forward[0])
    shared = {"estimated_delivery_price": QUOTES.spot, "creation_timestamp": options[0]["creation_timestamp"]}
    future = {"instrument_name": "BTC-F", "bid_price": price - 1.0, "ask_price": price + 1.0, "mark_price": price}
    perpetual = {"instrument_name": "BTC-PERPETUAL", "bid_price": 1.0, "ask_price": 2.0, "mark_price": 1.5}
    return [*options, shared | future, shared | perpetual]


def rpc(result: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "result": result, "usIn": 1, "usOut": 2}).encode()


def both(quoted: list[dict]) -> dict[str, bytes]:
    return {"instruments.json": rpc(instruments()), "summaries.json": rpc(quoted)}


def test_summaries_and_instruments():
    (chain,) = json_chains(both(summaries()))
    assert (chain.underlying, chain.spot, chain.in_coin) == ("BTC", QUOTES.spot, True)
    assert chain.instrument == QUOTES.instrument
    for column in ("expiry_ns", "strike", "is_call", "bid", "ask", "mark", "mark_vol", "underlying_price", "seen_ns"):
        assert np.allclose(getattr(chain, column), getattr(QUOTES, column), rtol=1e-12), column
    assert chain.futures.instrument == ("BTC-F",)
    assert chain.futures.expiry_ns.tolist() == [MADE.expiry_ns[0]]
    fitted = build_chain(chain, now_ns=chain.latest_ns)
    assert np.allclose(fitted.forward, MADE.forward, rtol=1e-4)


def test_tickers_one_by_one_and_lists_without_envelope():
    tickers = [
        {
            "instrument_name": s["instrument_name"],
            "best_bid_price": s["bid_price"],
            "best_ask_price": s["ask_price"],
            "mark_price": s["mark_price"],
            "mark_iv": s.get("mark_iv"),
            "underlying_price": s.get("underlying_price"),
            "index_price": QUOTES.spot,
            "timestamp": s["creation_timestamp"],
        }
        for s in summaries()
    ]
    texts = {f"{i}.json": rpc(ticker) for i, ticker in enumerate(tickers[:-1])}
    texts["last.json"] = json.dumps({"params": {"channel": "ticker", "data": tickers[-1]}}).encode()
    texts["instruments.json"] = json.dumps(instruments()).encode()
    (chain,) = json_chains(texts)
    assert np.allclose(chain.bid, QUOTES.bid)
    assert np.allclose(chain.mark_vol, QUOTES.mark_vol)


def test_null_and_zero_say_that_nobody_quotes():
    quoted = summaries()
    quoted[3] |= {"bid_price": None, "ask_price": 0.0, "mark_iv": None}
    (chain,) = json_chains(both(quoted))
    assert chain.bid[3] == chain.ask[3] == chain.mark_vol[3] == 0.0
    assert chain.bid[4] > 0.0


def test_linear_options_are_a_chain_of_their_own_in_cash():
    described, quoted = instruments(), summaries()
    for row in described[:4]:
        row["quote_currency"] = "USDC"
    coin, cash = json_chains({"i": rpc(described), "s": rpc(quoted)})[::-1]
    assert (cash.underlying, cash.in_coin, len(cash.instrument)) == ("BTC_USDC", False, 4)
    assert (coin.underlying, coin.in_coin) == ("BTC", True)


def test_quotes_without_their_instrument_are_named_all_at_once():
    texts = {"instruments.json": rpc(instruments()[2:]), "summaries.json": rpc(summaries())}
    with pytest.raises(MissingFactors) as refused:
        json_chains(texts)
    assert refused.value.factors == tuple(sorted(QUOTES.instrument[:2]))


def test_a_missing_index_price_is_refused():
    quoted = [{k: v for k, v in row.items() if k != "estimated_delivery_price"} for row in summaries()]
    (chain,) = json_chains(both(quoted))
    with pytest.raises(InvalidInput, match="index price"):
        build_chain(chain, now_ns=chain.latest_ns)


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        (b'{"result": [', UnreadableFile, "no JSON"),
        (b'{"result": [{"mark_price": NaN}]}', UnreadableFile, "no JSON"),
        (b'{"result": [7]}', InvalidInput, r"s\.json: result\[0\]"),
        (b'{"result": [{"instrument_name": "X", "mark_price": "dear"}]}', InvalidInput, r"mark_price"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_place(text, error, match):
    with pytest.raises(error, match=match):
        json_chains({"i.json": rpc(instruments()), "s.json": text})


def table() -> pl.DataFrame:
    rows = len(QUOTES.instrument)
    stamp = pl.Datetime("ms", "UTC")
    return pl.DataFrame(
        {
            "ts": pl.Series(QUOTES.seen_ns // 1_000_000).cast(stamp),
            "currency": ["BTC"] * rows,
            "instrument_name": list(QUOTES.instrument),
            "expiry": pl.Series(QUOTES.expiry_ns // 1_000_000).cast(stamp),
            "strike": QUOTES.strike,
            "option_type": ["call" if c else "put" for c in QUOTES.is_call],
            "underlying_price": QUOTES.underlying_price,
            "index_price": [QUOTES.spot] * rows,
            "bid": pl.Series(QUOTES.bid).cast(pl.Float32),
            "ask": pl.Series(QUOTES.ask).cast(pl.Float32),
            "mark": pl.Series(QUOTES.mark).cast(pl.Float32),
            "mark_iv": pl.Series(QUOTES.mark_vol).cast(pl.Float32),
        }
    )


def test_a_table_of_snapshots(tmp_path):
    later = table().with_columns(pl.col("ts").dt.offset_by("1h"))
    file = tmp_path / "snapshots.parquet"
    pl.concat([later, table()]).write_parquet(file)
    first, second = read_chains([file])
    assert second.latest_ns - first.latest_ns == 3_600 * 10**9
    assert np.allclose(first.bid, QUOTES.bid, atol=1e-6)
    assert np.allclose(build_chain(first, now_ns=first.latest_ns).forward, MADE.forward, rtol=1e-4)


def test_a_null_is_no_quote_and_a_nan_is_refused():
    holes = table().with_columns(bid=pl.when(pl.int_range(pl.len()) == 2).then(None).otherwise(pl.col("bid")))
    (chain,) = snapshot_chains(holes, where="table")
    assert chain.bid[2] == 0.0
    nan = table().with_columns(ask=pl.when(pl.int_range(pl.len()) == 5).then(np.nan).otherwise(pl.col("ask")))
    (chain,) = snapshot_chains(nan, where="table")
    with pytest.raises(InvalidInput, match=r"row 5 .*: ask is nan"):
        build_chain(chain, now_ns=chain.latest_ns)


@pytest.mark.parametrize("column", SNAPSHOT_COLUMNS)
def test_a_missing_column_is_named(column):
    with pytest.raises(InvalidInput, match=f"Add {column}"):
        list(snapshot_chains(table().drop(column), where="table"))


def test_files_that_cannot_be_read(tmp_path):
    whole = tmp_path / "whole.parquet"
    table().write_parquet(whole)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-200])
    for path, reason in ((cut, "truncated"), (tmp_path / "none.parquet", "no such file"), (tmp_path / "a.txt", "end")):
        with pytest.raises(UnreadableFile, match=reason):
            read_chains([path])


def test_files_of_json(tmp_path):
    for name, text in both(summaries()).items():
        (tmp_path / name).write_bytes(text)
    (chain,) = read_chains(sorted(tmp_path.iterdir()))
    assert chain.instrument == QUOTES.instrument


def test_the_venues_own_fields_over_six_days(shared):
    folder = shared / "data/options"
    files = [folder / f"deribit_raw_btc_{kind}_202601.parquet" for kind in ("options", "futures")]
    chains = read_chains(files)
    assert len(chains) == 6
    for chain in chains:
        assert len(chain.futures.instrument) >= 7
        report = build_chain(chain, now_ns=chain.latest_ns).report
        assert report.total.median_points < 0.15
        assert report.total.p90_points < 0.5
        assert report.total.inside_share >= 0.93


def test_instruments_as_the_venue_sent_them(shared):
    import gzip

    with gzip.open(shared / "data/api_fixtures/cryptofeed_deribit.jsonl.gz", "rt") as lines:
        answer = json.loads(next(lines))["body"]
    described = [row for row in answer["result"] if row["kind"] == "option"]
    quoted = [{"instrument_name": row["instrument_name"], "mark_price": 0.01, "timestamp": 1} for row in described]
    (chain,) = json_chains({"i": json.dumps(answer).encode(), "s": rpc(quoted)})
    assert len(chain.instrument) == len(described)
    assert chain.in_coin
