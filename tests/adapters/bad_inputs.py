"""Inputs with one thing wrong each, the error they raise and words of its message."""

from __future__ import annotations

from pathlib import Path

from crossmargin.core.errors import (
    DuplicateName,
    ExpiredInstrument,
    InvalidInput,
    MissingFactors,
    MixedValuationTime,
    SurfaceArbitrage,
    UnknownName,
    UnreadableFile,
)


def edited(source: Path, folder: Path, old: str, new: str) -> Path:
    """A copy of `source` in which `old` stands as `new`."""
    text = source.read_text()
    assert old in text
    target = folder / source.name
    target.write_text(text.replace(old, new, 1))
    return target


# Each row: what stands in examples/small-book.toml, what stands there instead, the error and words of its message.
BAD_BOOKS = [
    ("quantity = -10 ", "quantity = -10, colour = 1 ", UnknownName, r"accounts\[0\].groups\[0\].positions\[0\]: field"),
    ("quantity = -10 ", "quantity = [1] ", InvalidInput, r"positions\[0\].quantity: quantity is 'a list of 1'"),
    ("quantity = -10 ", "quantity = true ", InvalidInput, r"positions\[0\].quantity: quantity is True"),
    ("quantity = -10 ", "quantity = nan ", InvalidInput, r"accounts\[0\].groups\[0\].positions\[0\].quantity"),
    ("quantity = -10 ", "quantity = -inf ", InvalidInput, r"positions\[0\].quantity: quantity is -inf"),
    ("quantity = -10 ", 'quantity = "NaN" ', InvalidInput, r"positions\[0\]: quantity"),
    ("quantity = -10 ", 'quantity = "ten" ', InvalidInput, r"positions\[0\]: quantity is 'ten'"),
    ("quantity = -10 ", "quantity = 2e15 ", InvalidInput, r"at most 1e\+15"),
    ("quantity = -10 ", 'quantity = "1e999999" ', InvalidInput, r"at most 1e\+15"),
    (", quantity = -10 ", " ", InvalidInput, r"positions\[0\]: field quantity is 'missing'"),
    ('amount = "250000"', "amount = inf", InvalidInput, r"accounts\[0\].collateral\[1\].amount: amount is inf"),
    ("entry_price = 79000.0", "entry_price = -1.0", InvalidInput, r"positions\[2\]: price is -1.0, .* above zero"),
    ("entry_price = 79000.0", "entry_price = nan", InvalidInput, r"positions\[2\].entry_price"),
    ("entry_price = 79000.0", 'entry_price = "79000"', InvalidInput, "entry_price is '79000', but must be a finite"),
    ("BTC-26JUN26-80000-C", "BTC-26JUN25-80000-C", ExpiredInstrument, "BTC-26JUN25-80000-C"),
    ("BTC-26JUN26-80000-C", "BTC-26JUN26-0-C", InvalidInput, "strike is 0.0, but must be above zero"),
    ("BTC-26JUN26-80000-C", "BTC-26JUN26--80000-C", InvalidInput, r"positions\[0\]: instrument"),
    ("BTC-26JUN26-80000-C.DERIBIT", "BTC-31JUN26-80000-C.DERIBIT", InvalidInput, "expiry is '31JUN26'"),
    ("BTC-26JUN26-80000-C.DERIBIT", "DOGE-26JUN26-1-C.DERIBIT", UnknownName, r"positions\[0\]: product of DOGE"),
    ("BTC-26JUN26-80000-C.DERIBIT", "GOLD", InvalidInput, "instrument is 'GOLD'"),
    ('id = "trader"', 'id = "desk"', DuplicateName, r"account is 'desk', .*first seen at"),
    ('id = "main"', 'id = "isolated"', DuplicateName, "group is 'isolated'"),
    ("BTC-24APR26-70000-P", "BTC-26JUN26-80000-C", DuplicateName, "BTC-26JUN26-80000-C"),
    ("as_of = 2026-03-31T15:30:00Z", "as_of = 2026-03-31T15:31:00Z", MixedValuationTime, "the market's"),
    ('id = "trader"', 'id = "trader"\nas_of = 2026-03-30T15:30:00Z', MixedValuationTime, r"accounts\[1\].as_of"),
    ("as_of = 2026-03-31T15:30:00Z", "as_of = 2026-03-31T15:30:00", InvalidInput, "with a zone"),
    ("as_of = 2026-03-31T15:30:00Z", "as_of = 2026-03-31", InvalidInput, "with a zone"),
    ("as_of = 2026-03-31T15:30:00Z", "as_of = ", UnreadableFile, "line 2"),
    ('mode = "portfolio"', 'mode = "gross"', InvalidInput, r"mode is 'gross', but must be one of: .*isolated"),
    ("eip155:42161", "arbitrum one", InvalidInput, "CAIP-2"),
]


# The same of examples/small-market.toml.
BAD_MARKETS = [
    ("spot = 80000.0", "spot = -80000.0", InvalidInput, "BTC: price is -80000.0, but must be above zero"),
    ("spot = 80000.0", "spot = 0.0", InvalidInput, "BTC: price is 0.0"),
    ("spot = 80000.0", "spot = nan", InvalidInput, r"underlyings\[0\].spot: spot is nan"),
    ("forward = 80200.0", "forward = inf", InvalidInput, r"underlyings\[0\].forwards\[0\].forward"),
    ("forward = 80200.0", "forward = -80200.0", InvalidInput, "but must be above zero"),
    ("price = 80010.0", "price = -1.0", InvalidInput, "BTC-PERPETUAL.DERIBIT: price is -1.0"),
    ("a = 0.008, b = 0.06", "a = -0.1, b = 0.06", InvalidInput, "lowest total variance"),
    ("a = 0.030, b = 0.12", "a = 0.001, b = 0.01", SurfaceArbitrage, "the later option costs less"),
    ("b = 0.12, rho = -0.2", "b = 0.12, rho = -2.0", InvalidInput, "rho is -2.0"),
    ('reference = "ETH"', 'reference = "DOGE"', MissingFactors, "underlying DOGE"),
    ('quote = "USD"', 'quote = "CHF"', MissingFactors, "asset CHF"),
    ('name = "ETH"\nkind', 'name = "BTC"\nkind', DuplicateName, "underlying is 'BTC'"),
    ('name = "USDT"', 'name = "USDC"', DuplicateName, "asset is 'USDC'"),
    ("expiry = 2026-04-24T08:00:00Z", "expiry = 2026-03-24T08:00:00Z", ExpiredInstrument, "2026-03-24"),
    ("[1.0, 0.85, 0.1]", "[1.0, 1.85, 0.1]", InvalidInput, "correlation is 1.85"),
    ("daily_vol = 0.025", "daily_vol = -0.025", InvalidInput, "daily volatility is -0.025"),
    ("daily_vol = 0.025", "vol = 0.025", UnknownName, r"underlyings\[0\].liquidity: field is 'vol'"),
    ("ratio = 0.999", "ratio = 0.0", InvalidInput, "USDT: market ratio is 0.0"),
]


# Each row: the third line of a flat book (the last, where there are several).
HEADER = "account,instrument,quantity,kind,group,mode,price,chain,as_of\n"
GOOD = "a,BTC-PERPETUAL.DERIBIT,1,,,,,,\n"
BAD_LINES = [
    ("b,BTC-PERPETUAL.DERIBIT,x,,,,,,", InvalidInput, "quantity is 'x', but must be a number"),
    ("b,BTC-PERPETUAL.DERIBIT,nan,,,,,,", InvalidInput, "quantity is nan"),
    ("b,BTC-PERPETUAL.DERIBIT,inf,,,,,,", InvalidInput, "quantity is inf"),
    ("b,BTC-PERPETUAL.DERIBIT,1e400,,,,,,", InvalidInput, "quantity is inf"),
    ("b,BTC-PERPETUAL.DERIBIT,2e15,,,,,,", InvalidInput, r"at most 1e\+15"),
    ("b,BTC-PERPETUAL.DERIBIT,,,,,,,", InvalidInput, "quantity is 'missing'"),
    (",BTC-PERPETUAL.DERIBIT,1,,,,,,", InvalidInput, "account is 'missing'"),
    ('"",BTC-PERPETUAL.DERIBIT,1,,,,,,', InvalidInput, "account is 'missing'"),
    ("b,,1,,,,,,", InvalidInput, "instrument is 'missing'"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,,-5,,", InvalidInput, "price is -5.0, but must be above zero"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,,0,,", InvalidInput, "price is 0.0, but must be above zero"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,,nan,,", InvalidInput, "price is nan"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,,inf,,", InvalidInput, "price is inf"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,,five,,", InvalidInput, "price is 'five'"),
    ("b,BTC-PERPETUAL.DERIBIT,1,short,,,,,", UnknownName, "kind is 'short', but must be one of: collateral, order"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,gross,,,", UnknownName, "mode is 'gross'"),
    ("a,ETH-PERPETUAL.DERIBIT,1,,,cross,,,\na,BTC-24APR26.DERIBIT,1,,,portfolio,,,", InvalidInput, "mode of a/main"),
    ("b,GOLD,1,,,,,,", InvalidInput, "instrument is 'GOLD'"),
    ("b,DOGE-PERPETUAL.DERIBIT,1,,,,,,", UnknownName, "product of DOGE"),
    ("b,BTC-24APR25.DERIBIT,1,,,,,,", ExpiredInstrument, "BTC-24APR25"),
    ("b,BTC-24APR26-0-C.DERIBIT,1,,,,,,", InvalidInput, "strike is 0.0"),
    ("a,BTC-PERPETUAL.DERIBIT,1,,,,,,", DuplicateName, "first seen at line 2"),
    ("a,BTC,1,collateral,,,,,\na,BTC,1,collateral,,,,,", DuplicateName, "collateral in account a is 'BTC'"),
    ("a,BTC,1,collateral,,,5,,", InvalidInput, "price is 5.0, but must be empty: collateral has none"),
    ("a,BTC,1,collateral,,,,mainnet,", InvalidInput, "chain is 'mainnet', but must be a CAIP-2 id"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,,,eip155:1,", InvalidInput, "chain is 'eip155:1', but must be empty"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,,,,2026-03-31T15:31:00Z", MixedValuationTime, "the market's"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,,,,2026-03-31", InvalidInput, "with a zone"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,,,", InvalidInput, "number of fields is 8, but must be 9"),
    ("b,BTC-PERPETUAL.DERIBIT,1,,,,,,,", InvalidInput, "number of fields is 10, but must be 9"),
    ('b,BTC-PERPETUAL.DERIBIT,1,,,,,,"', InvalidInput, "number of fields is 'no CSV"),
    ("b", InvalidInput, "number of fields is 1"),
    ("", InvalidInput, "number of fields is 0"),
]
