"""Small books of listed options and shares, and the same as units of the plain twin."""

from decimal import Decimal

from hypothesis import strategies as st

from crossmargin.margin.rulebooks.cboe.portfolio import OptionLeg, Parameters, Portfolio, ShareLeg
from crossmargin.margin.rulebooks.cboe.strategy import RULEBOOK
from spec.rulebooks.cboe_strategy import Terms, Unit

UNITS_MAX = 7


def shipped() -> Parameters:
    """The parameters of the package."""
    return RULEBOOK.load(RULEBOOK.dates()[-1])


def cents(low: int, high: int) -> st.SearchStrategy[Decimal]:
    """Prices to the cent."""
    return st.integers(low, high).map(lambda n: Decimal(n) / 100)


STRIKES = st.sampled_from([Decimal(k) for k in (80, 90, 95, 100, 105, 110, 130)])
OPTIONS = st.builds(
    OptionLeg,
    right=st.sampled_from(("call", "put")),
    strike=STRIKES,
    price=cents(0, 3000),
    quantity=st.sampled_from((-2, -1, -1, 1, 1, 2)),
    days=st.sampled_from((10, 40, 400)),
)
SHARES = st.builds(ShareLeg, price=cents(8000, 12000), quantity=st.sampled_from((-100, 100, 130, -230)))


def count(portfolio: Portfolio) -> int:
    """Units of the twin in a portfolio: contracts, whole lots, and one for what is left of a leg."""
    lots = sum(abs(leg.quantity) // 100 + (leg.quantity % 100 != 0) for leg in portfolio.shares)
    return sum(abs(leg.quantity) for leg in portfolio.options) + lots


@st.composite
def portfolios(draw: st.DrawFn) -> Portfolio:
    """Books that can be partitioned in every way."""
    return draw(
        st.builds(
            Portfolio,
            underlying=cents(300, 13000) | cents(9000, 11000),
            options=st.lists(OPTIONS, max_size=5).map(tuple),
            shares=st.lists(SHARES, max_size=1).map(tuple),
            kind=st.sampled_from(("equity", "narrow_index", "broad_index")),
            leverage=st.sampled_from([Decimal(x) for x in ("1", "1.5", "3", "9")]),
        ).filter(lambda p: count(p) <= UNITS_MAX)
    )


def plain_units(portfolio: Portfolio) -> list[Unit]:
    """Contract by contract, lot by lot."""
    found = []
    for leg in portfolio.options:
        one = Unit(leg.right, 1 if leg.quantity > 0 else -1, leg.price, 100, leg.strike, leg.days)
        found += [one] * abs(leg.quantity)
    for leg in portfolio.shares:
        lots, rest = divmod(abs(leg.quantity), 100)
        sign = 1 if leg.quantity > 0 else -1
        found += [Unit("shares", sign, leg.price, 100)] * lots
        found += [Unit("shares", sign, leg.price, rest)] if rest else []
    return found


def plain_terms(portfolio: Portfolio, parameters: Parameters) -> Terms:
    """The numbers of the rule, flat."""
    numbers = {"minimum": parameters.short_option.minimum, "long_term_days": Decimal(parameters.long_term_days)}
    numbers["long_term_rate"] = parameters.long_term_rate
    for part in (parameters.shares, parameters.hedged_shares):
        numbers |= {name: getattr(part, name) for name in part.__struct_fields__}
    return Terms(portfolio.underlying, parameters.short_option.of(portfolio.kind), portfolio.leverage, numbers)
