"""Portfolio margin by ten points: sums by hand, what must hold, and books."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.instruments.terms import Future, Option, Perpetual, Spot
from crossmargin.margin.rulebooks.occ_tims import points as rule
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Order, Position
from crossmargin.valuation.pnl import values_usd
from spec.kernels import black76
from tests.strategies import AS_OF_MS, YEAR_MS
from tests.worlds import flat_surface, market, underlying

replace = msgspec.structs.replace
PARAMETERS = rule.RULEBOOK.load("2007-04-02")
EXPIRY = AS_OF_MS + YEAR_MS // 4
LISTED = {"payout": "linear", "settle": "USD", "expiry": EXPIRY, "discounted": False}
TERMS = (
    Option(id="call", underlying="XYZ", strike=110.0, right="call", multiplier=100.0, **LISTED),
    Option(id="put", underlying="XYZ", strike=90.0, right="put", multiplier=100.0, **LISTED),
    Option(id="far", underlying="XYZ", strike=1_000.0, right="call", multiplier=100.0, **LISTED),
    Option(id="spx", underlying="SPX", strike=5_000.0, right="put", multiplier=100.0, **LISTED),
    Future(id="fut", underlying="SPX", payout="linear", settle="USD", expiry=EXPIRY, multiplier=50.0),
    Perpetual(id="btc", underlying="BTC", payout="linear", settle="USDC"),
    Spot(id="share", asset="XYZ"),
    Spot(id="other share", asset="ABC"),
)


def world():
    shares = [
        underlying(name, 100.0, kind="spot", risk_class="equity", surface=flat_surface(0.4)) for name in ("XYZ", "ABC")
    ]
    spx = underlying("SPX", 5_000.0, risk_class="equity_index_high_cap", surface=flat_surface(0.2))
    return build_snapshot(market(*shares, spx, underlying("BTC", 60_000.0)))


def book(*held: tuple[str, float], collateral: dict[str, float] | None = None, orders: tuple[Order, ...] = ()):
    positions = tuple(Position(instrument=name, quantity=q) for name, q in held)
    cash = tuple(Holding(asset=name, amount=x) for name, x in (collateral or {}).items())
    group = Group(id="g", mode="cross", positions=positions, orders=orders)
    document = BookDocument(accounts=(Account(id="a", groups=(group,), collateral=cash),), instruments=TERMS)
    return build_book(document, now_ns=AS_OF_MS * 1_000_000)


def ask(*held: tuple[str, float], parameters=PARAMETERS, **more):
    return rule.evaluate(book(*held, **more), world(), parameters)


def position(underlying: str, product_class: str, size: float, **more) -> rule.PointPosition:
    """What gains `size` for a rise of all of its range."""
    points = PARAMETERS.classes[product_class].points
    gains = tuple(size * x / points[-1] for x in points)
    given = {"instrument": underlying, "underlying": underlying, "product_class": product_class, "quantity": 1.0}
    return rule.PointPosition(**(given | {"gains": gains} | more))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("high_cap_index", -0.08, 0.06),
        ("broad_index", -0.1, 0.1),
        ("narrow_index", -0.15, 0.15),
        ("equity", -0.15, 0.15),
    ],
)
def test_ranges_of_the_classes(name, low, high):
    points = PARAMETERS.classes[name].points
    assert (len(points), points[0], points[-1]) == (10, low, high)
    assert points[:5] == pytest.approx([low * (5 - n) / 5 for n in range(5)])
    assert points[5:] == pytest.approx([high * (n + 1) / 5 for n in range(5)])


def test_a_product_group_by_hand():
    # Long 1,000 a range of one index, short 600 of another. At a full fall: 1,000 lost, 600 gained, of which 90 %: 460.
    # At a full rise: 600 lost and 900 of the gain counted.
    held = [position("A", "broad_index", 1_000.0), position("B", "broad_index", 600.0, quantity=-1.0)]
    found = rule.margin_of(held, PARAMETERS).groups[0]
    assert (found.requirement, found.worst) == (pytest.approx(460.0), 1)
    assert found.losses[-1] == pytest.approx(600.0 - 900.0)
    # Single shares of two companies do not offset: the larger loss stands whole.
    apart = [replace(p, product_class="equity") for p in held]
    assert rule.margin_of(apart, PARAMETERS).requirement == pytest.approx(1_000.0)
    # One underlying offsets itself in full.
    same = [replace(p, underlying="A") for p in held]
    assert rule.margin_of(same, PARAMETERS).requirement == pytest.approx(400.0)


def test_minimum_by_hand():
    # 37.50 for a contract of a hundred, three sold: 112.50. Two held are worth 10 each, which is less than 37.50.
    flat = {"product_class": "equity", "size": 0.0, "minimum_size": 100.0}
    held = [position("A", quantity=-3.0, value=5.0, **flat), position("A", quantity=2.0, value=10.0, **flat)]
    assert rule.margin_of(held, PARAMETERS).requirement == pytest.approx(112.5 + 20.0)
    assert rule.margin_of([position("A", "equity", 0.0)], PARAMETERS).requirement == 0.0  # shares have none


@given(st.floats(-50.0, 50.0), st.floats(-50.0, 50.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_offsets_only_help_and_netting_never_costs_more(first, second, low, high):
    low, high = sorted((low, high))
    held = [
        position("A", "broad_index", 900.0, quantity=first, minimum_size=10.0),
        position("B", "broad_index", 400.0, quantity=second, minimum_size=10.0),
    ]
    at = [
        rule.margin_of(held, replace(PARAMETERS, offsets=dict.fromkeys(PARAMETERS.offsets, x))).requirement
        for x in (low, high)
    ]
    alone = sum(rule.margin_of([p], PARAMETERS).requirement for p in held)
    assert at[1] <= at[0] + 1e-9
    assert at[0] <= alone + 1e-9 * alone + 1e-9


def test_shares_ask_for_their_range():
    found = ask(("share", 100.0), collateral={"USDC": 500.0})
    assert found.initial_usd == found.maintenance_usd == pytest.approx(1_500.0)
    assert (found.worst_scenario, found.binding) == ("equity 1", "loss equity")
    assert found.equity_usd == pytest.approx(10_500.0)
    # The same shares as collateral are seen falling too.
    assert ask(collateral={"XYZ": 100.0}).initial_usd == pytest.approx(1_500.0)


def test_an_option_keeps_its_own_volatility():
    found = ask(("call", -1.0))
    now, then = (black76.black_values(x, 110.0, 0.4 * math.sqrt(0.25), 1.0) for x in (100.0, 115.0))
    assert found.initial_usd == pytest.approx(100.0 * (then - now), rel=1e-6)
    assert found.equity_usd == pytest.approx(-100.0 * now, rel=1e-6)


def test_a_protective_put_asks_less_than_the_shares():
    assert ask(("share", 100.0), ("put", 1.0)).initial_usd < ask(("share", 100.0)).initial_usd


def test_an_index_of_high_capitalisation_falls_by_eight_and_rises_by_six():
    assert ask(("fut", 1.0)).initial_usd == pytest.approx(50 * 5_000 * 0.08)
    assert ask(("fut", -1.0)).initial_usd == pytest.approx(50 * 5_000 * 0.06)
    narrow = replace(PARAMETERS, underlyings={"SPX": "narrow_index"})
    assert ask(("fut", -1.0), parameters=narrow).initial_usd == pytest.approx(50 * 5_000 * 0.15)


def test_worthless_options_sold_ask_for_the_minimum():
    found = ask(("far", -4.0))
    assert found.initial_usd == pytest.approx(4 * 37.5, rel=1e-6)
    assert found.binding == "minimum equity"
    assert ask(("far", 4.0)).initial_usd == pytest.approx(0.0, abs=1e-6)


@given(st.dictionaries(st.sampled_from(["call", "put", "spx", "far"]), st.floats(0.0, 100.0), max_size=4))
def test_options_bought_need_at_most_their_value(held):
    one = book(*held.items())
    value = float(one.positions.quantity @ values_usd(one.table, world())[one.positions.instrument])
    assert rule.evaluate(one, world(), PARAMETERS).initial_usd <= value * (1 + 1e-9) + 1e-6


@given(st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_wider_ranges_ask_more_of_shares_and_sold_options(one, other):
    def scaled(width: float):
        points = tuple(width * x / 0.15 for x in PARAMETERS.classes["equity"].points)
        return replace(
            PARAMETERS, classes=PARAMETERS.classes | {"equity": rule.ProductClass(group="equity", points=points)}
        )

    low, high = (scaled(x) for x in sorted((one, other)))
    for held in (("share", 3.0), ("call", -1.0), ("put", -2.0)):
        assert ask(held, parameters=low).initial_usd <= ask(held, parameters=high).initial_usd + 1e-6


def test_what_is_in_no_class_is_refused_by_name():
    order = Order(instrument="call", quantity=1.0)
    found = ask(("btc", 1.0), ("share", 1.0), collateral={"BTC": 1.0, "USDC": -5.0}, orders=(order,))
    assert set(found.refused) == {"btc", "collateral BTC", "order call"}
    assert found.initial_usd == pytest.approx(15.0)
    assert found.equity_usd == pytest.approx(95.0)
    assert found.certainty == "approximate"


def test_a_debt_of_no_class_counts_and_is_named():
    found = ask(collateral={"BTC": -1.0, "USDC": 70_000.0})
    assert (found.refused, found.equity_usd) == (("collateral BTC",), pytest.approx(10_000.0))


def test_empty_account_and_terms():
    assert ask().initial_usd == 0.0
    found = ask(("fut", 1.0), ("call", -3.0), ("far", -2.0))
    assert math.fsum(t.initial for t in found.terms) == pytest.approx(found.initial_usd)
    assert len(found.scenarios) == 20


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (lambda: rule.ProductClass(group="g", points=(0.1,) * 10), InvalidInput),
        (lambda: rule.ProductClass(group="g", points=(-1.0, *range(1, 10))), InvalidInput),
        (lambda: replace(PARAMETERS, offsets={"equity": 0.0}), UnknownName),
        (lambda: replace(PARAMETERS, offsets=PARAMETERS.offsets | {"equity": 1.1}), InvalidInput),
        (lambda: replace(PARAMETERS, risk_classes={"equity": "none"}), UnknownName),
        (lambda: position("A", "equity", math.nan), InvalidInput),
        (lambda: position("A", "equity", 1.0, quantity=math.inf), InvalidInput),
        (lambda: position("A", "equity", 1.0, gains=(0.0,)), InvalidInput),
        (
            lambda: rule.margin_of([replace(position("A", "equity", 1.0), product_class="none")], PARAMETERS),
            UnknownName,
        ),
    ],
)
def test_refusals(broken, error):
    with pytest.raises(error):
        broken()


def test_missing_feed():
    poor = build_snapshot(market(underlying("BTC", 60_000.0), assets=(doc.Asset(name="USDC", reference="USD"),)))
    with pytest.raises(MissingFactors, match="XYZ"):
        rule.evaluate(book(("call", 1.0)), poor, PARAMETERS)
