"""What tokens count for: each rule by hand, and what must hold for every pool."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.collateral.tokens import Reason
from tests.chain_books import BRIDGED, FAR, FORGED, HOPPED, ROLLUP, THIN, USDC, USDC_ROLLUP, chains, holding, pool
from tests.chain_books import registry as records

PARTS = ("price", "peg", "backing", "finality", "liquidity")
FREE = records(share=0.9)  # bridges may carry nine tenths of equity: their caps do not bind
TOKENS = (USDC, USDC_ROLLUP, BRIDGED, THIN, HOPPED, FORGED)


def counted(instance: str, *, amount: float = 1000.0, level: str = "final", trust: str = "L2", **said: Any) -> float:
    """What 1,000 of a token count for beside a million dollars of plain USDC."""
    found = pool(
        holding(USDC, 1e6), holding(instance, amount, level=level, trust=trust), said=chains(**said), known=FREE
    )
    name = next(i for i in found.counts() if i.endswith(instance) and (instance != USDC or "#" in i))
    return found.counts()[name]


def reasons(instance: str, **more: Any) -> Reason:
    said = more.pop("said", {})
    found = pool(holding(instance, 1000.0, **more), said=chains(**said), known=FREE)
    return Reason(int(found.column("reason")[0]))


@pytest.mark.parametrize(
    ("instance", "share"), [(USDC_ROLLUP, 1.0), (BRIDGED, 0.85), (THIN, 0.6), (HOPPED, 0.85 * 0.6), (FORGED, 0.0)]
)
def test_bridges_take_their_haircut_one_after_the_other(instance: str, share: float):
    assert counted(instance) == pytest.approx(1000.0 * share)


def test_a_token_is_worth_the_lower_of_backing_and_its_own_market():
    """The oracle of 2023 priced the canonical asset while what was bridged traded at 22 %."""
    assert counted(BRIDGED, tokens={BRIDGED: {"market_ratio": 0.22}}) == pytest.approx(0.22 * 850.0)
    assert counted(BRIDGED, backing={"three": 0.4}) == pytest.approx(0.4 * 850.0)
    assert counted(BRIDGED, backing={"three": 1.3}, tokens={BRIDGED: {"market_ratio": 1.1}}) == pytest.approx(850.0)
    assert counted(HOPPED, backing={"three": 0.5, "two": 0.5}) == pytest.approx(0.25 * 510.0)


def test_a_stressed_peg_doubles_the_haircut_and_a_broken_one_ends_it():
    assert counted(BRIDGED, tokens={BRIDGED: {"peg": "stress"}}) == pytest.approx(700.0)
    assert counted(THIN, tokens={THIN: {"peg": "stress"}}) == pytest.approx(200.0)
    assert counted(BRIDGED, tokens={BRIDGED: {"peg": "watch"}}) == pytest.approx(850.0)
    assert counted(BRIDGED, tokens={BRIDGED: {"peg": "broken"}}) == 0.0


@pytest.mark.parametrize("state", ["paused", "exploited"])
def test_nothing_counts_behind_a_closed_bridge(state: str):
    assert counted(BRIDGED, closed={"three": state}) == 0.0
    assert counted(HOPPED, closed={"three": state}) == 0.0
    assert counted(THIN, closed={"three": state}) == pytest.approx(600.0)
    assert reasons(BRIDGED, said={"closed": {"three": state}}) & Reason.CLOSED_BRIDGE


def test_trust_decides_what_a_balance_may_do():
    assert counted(USDC_ROLLUP, trust="L0") == 0.0
    assert counted(USDC_ROLLUP, trust="L1") == pytest.approx(1000.0)
    assert counted(USDC_ROLLUP, amount=250_000.0, trust="L1") == pytest.approx(100_000.0)
    assert counted(USDC_ROLLUP, amount=250_000.0, trust="L3") == pytest.approx(250_000.0)


def test_credits_count_when_final_and_debts_when_seen():
    alone = pool(holding(USDC_ROLLUP, 1000.0, level="safe"))
    assert alone.column("recognised") == [0.0]
    assert alone.column("pending") == [1000.0]
    assert pool(holding(USDC_ROLLUP, -1000.0, level="seen")).column("recognised") == [-1000.0]


def test_the_fast_allowance_is_two_percent_of_what_is_final_on_the_chain():
    # 50,000 final on the chain allow 1,000; of 600 safe count 594, of 5,000 included all that is allowed.
    def fast(amount: float, level: str, **said: Any) -> float:
        lines = (holding(USDC_ROLLUP, 50_000.0), holding(USDC_ROLLUP, amount, level=level))
        found = pool(holding(USDC, 1e6), *lines, said=chains(**said))
        return next(x for name, x in found.counts().items() if "#" in name)

    assert fast(600.0, "safe") == pytest.approx(594.0)
    assert fast(600.0, "included") == pytest.approx(540.0)
    assert fast(5000.0, "included") == pytest.approx(1000.0)
    assert fast(600.0, "seen") == 0.0
    assert fast(600.0, "safe", health={ROLLUP: "lagging"}) == 0.0
    assert fast(600.0, "safe", health={ROLLUP: "governed"}) == 0.0
    assert fast(600.0, "safe", tokens={USDC_ROLLUP: {"peg": "stress"}}) == 0.0


def test_a_forked_chain_counts_for_nothing_and_a_lagging_one_for_what_is_final():
    assert counted(USDC_ROLLUP, health={ROLLUP: "forked"}) == 0.0
    assert counted(USDC_ROLLUP, health={ROLLUP: "lagging"}) == pytest.approx(1000.0)
    assert reasons(USDC_ROLLUP, said={"health": {ROLLUP: "lagging"}}) == Reason.LAGGING


def test_a_ramp_and_proven_liquidity_limit_a_token():
    assert counted(BRIDGED, tokens={BRIDGED: {"liquidity_usd": 300.0}}) == pytest.approx(300.0)
    assert counted(BRIDGED, tokens={BRIDGED: {"liquidity_usd": 0.0}}) == 0.0


@given(st.floats(0.0, 1e5), st.lists(st.floats(0.0, 1e5), min_size=3, max_size=3))
@settings(max_examples=25, deadline=None)
def test_no_bridge_carries_more_than_its_share_of_equity(plain: float, amounts: list[float]):
    lines = [holding(x, a) for x, a in zip((BRIDGED, THIN, HOPPED), amounts, strict=True)]
    found = pool(holding(USDC, plain), *lines)
    counts, equity = found.counts(), float(found.result.pools.equity[0])
    behind = {"three": (BRIDGED, HOPPED), "two": (THIN, HOPPED)}
    for tokens in behind.values():
        carried = sum(x for name, x in counts.items() if name.endswith(tokens))
        assert carried <= 0.2 * equity + 1e-9


def test_a_bridge_alone_carries_exactly_its_share():
    found = pool(holding(USDC, 800.0), holding(BRIDGED, 1e5))
    assert found.result.pools.equity[0] == pytest.approx(1000.0)
    assert reasons(BRIDGED) & Reason.BRIDGE_CAP


SAID = st.fixed_dictionaries(
    {
        "health": st.dictionaries(
            st.sampled_from([ROLLUP, FAR]), st.sampled_from(["healthy", "lagging", "halted", "forked", "governed"])
        ),
        "backing": st.dictionaries(st.sampled_from(["three", "two"]), st.floats(0.0, 1.2)),
        "tokens": st.dictionaries(
            st.sampled_from(TOKENS),
            st.fixed_dictionaries(
                {
                    "market_ratio": st.floats(0.0, 1.1),
                    "peg": st.sampled_from(["normal", "stress", "broken"]),
                    "liquidity_usd": st.floats(0.0, 1e6),
                }
            ),
        ),
    }
)
HELD = st.lists(
    st.tuples(
        st.sampled_from(TOKENS),
        st.floats(-1e5, 1e6),
        st.sampled_from(["seen", "included", "safe", "final", "settled"]),
        st.sampled_from(["L0", "L1", "L2", "L4"]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda x: (x[0], x[2], x[3]),
)


@given(SAID, HELD)
@settings(max_examples=60, deadline=None)
def test_what_is_taken_off_adds_up_and_nothing_counts_twice(said: dict[str, Any], held: list[Any]):
    found = pool(*(holding(x, a, level=level, trust=trust) for x, a, level, trust in held), said=chains(**said))
    gross, recognised = found.column("gross"), found.column("recognised")
    taken = [sum(parts) for parts in zip(*(found.column(p) for p in PARTS), strict=True)]
    scale = max(map(abs, gross), default=1.0)
    for g, r, t, pending, refused in zip(
        gross, recognised, taken, found.column("pending"), found.column("refused"), strict=True
    ):
        assert g - r == pytest.approx(t, abs=1e-12 * scale)
        assert r <= max(g, 0.0) + min(g, 0.0) + 1e-9
        assert min(pending, refused) >= -1e-9
        assert pending + refused <= t + 1e-9 * (1.0 + scale)
    for part in ("peg", "backing", "finality", "liquidity"):
        assert min(found.column(part)) >= -1e-9
