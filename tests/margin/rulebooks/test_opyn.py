"""Gamma's vaults: sums by hand, bounds, and books."""

from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors
from crossmargin.margin.rulebooks.opyn.account import RULEBOOK, vaults_of
from crossmargin.margin.rulebooks.opyn.gamma import Auction, Tenor, Vault, liquidation_price, margin_of
from crossmargin.margin.rulebooks.short_options import ListedOption
from crossmargin.market.build import build_snapshot
from tests.margin.rulebooks.accounts import account, ask
from tests.worlds import market, underlying

replace = msgspec.structs.replace
TOKEN, FIXED, DAY = 10**8, 10**27, 86_400
CALL, PUT, LOW = "ETH-10APR26-4400-C.DERIBIT", "ETH-10APR26-4000-P.DERIBIT", "ETH-10APR26-3600-P.DERIBIT"


def shipped():
    return RULEBOOK.load(RULEBOOK.dates()[-1])


def vault(right="put", **more) -> Vault:
    base = {"kind": "naked", "right": right, "short": TOKEN, "short_strike": 4000 * TOKEN, "spot": 4000 * TOKEN}
    return Vault(**(base | {"seconds_to_expiry": 7 * DAY} | more))


def required(v: Vault) -> float:
    return margin_of(v, shipped()).required / FIXED


def test_naked_by_hand():
    # Put: spot falls to 3,000: 0.1678 x 3,000 + 1,000. Call: 0.1678 x 0.75 + 0.25 coins.
    assert required(vault()) == pytest.approx(1503.4, rel=1e-15)
    assert required(vault("call")) == pytest.approx(0.37585, rel=1e-15)
    # Far out of the money: the bound on all of the strike, or of a coin.
    assert required(vault(short_strike=1000 * TOKEN)) == pytest.approx(167.8, rel=1e-15)
    assert required(vault("call", short_strike=8000 * TOKEN)) == pytest.approx(0.1678, rel=1e-15)


@pytest.mark.parametrize(
    ("seconds", "bound"), [(1, 0.1678), (7 * DAY, 0.1678), (7 * DAY + 1, 0.237), (56 * DAY, 0.4603)]
)
def test_next_longer_tenor_counts(seconds, bound):
    assert required(vault("call", short_strike=8000 * TOKEN, seconds_to_expiry=seconds)) == pytest.approx(bound)


def test_beyond_the_last_tenor_no_vault_is_naked():
    with pytest.raises(InvalidInput, match="at most 56 days"):
        margin_of(vault(seconds_to_expiry=56 * DAY + 1), shipped())


def test_spreads_by_hand():
    # Put 4,000 against 3,500, two against one: 8,000 - 3,500. Call 4,000 against 5,000: a fifth of a coin.
    put = vault(kind="full", short=2 * TOKEN, long=TOKEN, long_strike=3500 * TOKEN)
    assert required(put) == pytest.approx(4500.0)
    call = vault("call", kind="full", long=TOKEN, long_strike=5000 * TOKEN)
    assert required(call) == pytest.approx(0.2)
    # The long protects the short whole or not at all: one short more is one coin more.
    assert required(replace(call, short=3 * TOKEN)) == pytest.approx(2.0)
    assert required(vault("call", kind="full")) == pytest.approx(1.0)
    assert required(vault("call", kind="full", long=TOKEN, long_strike=3000 * TOKEN)) == 0.0


def test_rounds_against_the_owner():
    one = vault(short=1, collateral=15)  # 1,503.4 of 10⁻⁸ tokens: 15.034 units of 10⁻⁶
    assert margin_of(one, shipped()).deficit == 1
    assert margin_of(replace(one, collateral=17), shipped()).excess == 1
    assert margin_of(replace(one, collateral=16), shipped()).healthy


def test_auction_by_hand():
    # In the money by 500; deviation 5 % of 3,500 is 175: from 325 to 1,000 of collateral a token, half way in between.
    one = vault(spot=3500 * TOKEN, collateral=1000 * 10**6)
    prices = [
        liquidation_price(one, Auction(elapsed_s=s, length_s=3600, oracle_deviation=Decimal("0.05")))
        for s in (0, 1800, 3600, 9999)
    ]
    assert prices == [325_000_000, 662_500_000, 1_000_000_000, 1_000_000_000]


def test_auction_never_pays_more_than_there_is():
    poor = vault(spot=3000 * TOKEN, collateral=10 * 10**6)
    price = liquidation_price(poor, Auction(elapsed_s=0, length_s=3600, oracle_deviation=Decimal(0)))
    assert price == 10 * 10**6
    with pytest.raises(InvalidInput, match="short amount"):
        liquidation_price(replace(poor, short=0), Auction(elapsed_s=0, length_s=1, oracle_deviation=Decimal(0)))


@given(st.sampled_from(("put", "call")), st.integers(1, 10**13), st.integers(1, 10**13))
def test_shock_and_bound_only_add(right, strike, spot):
    one = vault(right, short_strike=strike, spot=spot)
    # A larger fall: the shocked price is x of the spot, so less of it is more of a shock.
    shocks = [margin_of(one, replace(shipped(), spot_shock=Decimal(x))).required for x in ("1", "0.5", "0")]
    assert all(a <= b for a, b in pairwise(shocks))
    bounds = [Decimal(0), Decimal("0.5"), Decimal(1)]
    tables = [replace(shipped(), tenors=(Tenor(days=7, upper_bound=a),)) for a in bounds]
    found = [margin_of(one, p).required for p in tables]
    assert all(a <= b for a, b in pairwise(found))
    full = margin_of(replace(one, kind="full"), shipped()).required
    assert found[-1] <= full + 1  # the greatest bound is all of the strike, or of the coin


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 9)), max_size=6), st.sampled_from(("put", "call")))
def test_every_short_is_in_a_vault(rows, right):
    options = [
        ListedOption(
            instrument=f"{n}", settle="USDC", right=right, strike=500.0 * k, index=4000.0, mark=0.0, quantity=float(q)
        )
        for n, (q, k) in enumerate(rows)
    ]
    tokens = [q * TOKEN for q, _ in rows]
    vaults = vaults_of(options, tokens, 9 * DAY, shipped())
    assert sum(v.short for v in vaults) == sum(-n for n in tokens if n < 0)
    assert sum(v.long for v in vaults) <= sum(n for n in tokens if n > 0)
    apart = sum(
        margin_of(v, shipped()).required for v in vaults_of(options, [min(n, 0) for n in tokens], DAY * 9, shipped())
    )
    assert sum(margin_of(v, shipped()).required for v in vaults) <= apart + len(vaults)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: vault(short=-1),
        lambda: vault(spot=0),
        lambda: vault(short=2**200),
        lambda: vault(long=1, long_strike=1),
        lambda: vault(kind="full", long=1),
        lambda: vault(seconds_to_expiry=0),
        lambda: replace(shipped(), spot_shock=Decimal("1.1")),
        lambda: replace(shipped(), tenors=()),
        lambda: replace(shipped(), tenors=shipped().tenors[::-1]),
        lambda: Auction(elapsed_s=0, length_s=0, oracle_deviation=Decimal(0)),
        lambda: Auction(elapsed_s=0, length_s=1, oracle_deviation=Decimal("NaN")),
    ],
)
def test_numbers_out_of_range_are_refused(broken):
    with pytest.raises(InvalidInput):
        broken()


def test_book_pairs_puts_and_leaves_the_call_naked():
    held = ((CALL, -1.0), (PUT, -2.0), (LOW, 2.0), ("BTC-P.V", 1.0))
    found = ask(RULEBOOK, account(*held, collateral={"ETH": 1.0, "BTC": 3.0}))
    # Ten days: the bound of 14. Call: 0.237 x 0.825 + 0.175 coins at 4,000; puts: 400 each as a spread.
    assert found.initial_usd == pytest.approx(4_000.0 * (0.237 * 0.825 + 0.175) + 800.0)
    assert found.maintenance_usd == found.initial_usd
    assert found.equity_usd == pytest.approx(4_000.0)
    assert set(found.refused) == {"BTC-P.V", "collateral BTC"}
    assert sorted(t.note for t in found.terms) == ["1 naked", "1 spread"]
    assert found.certainty == "approximate"


def test_far_expiries_are_full():
    found = ask(RULEBOOK, account(("ETH-25DEC26-4000-P.DERIBIT", -1.0), orders=((CALL, -1.0),)))
    assert found.initial_usd == pytest.approx(4_000.0)
    assert found.refused == (f"order {CALL}",)


def test_empty_account_and_missing_feed():
    assert ask(RULEBOOK, account()).initial_usd == 0.0
    with pytest.raises(MissingFactors, match="ETH"):
        RULEBOOK.evaluate(account((CALL, -1.0)), build_snapshot(market(underlying("BTC", 1e5))), shipped())
