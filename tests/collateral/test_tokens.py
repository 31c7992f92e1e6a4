"""What tokens count for: each rule by hand, and what must hold for every pool."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crossmargin.accounts.health import Status
from crossmargin.collateral.tokens import Reason
from crossmargin.core.errors import InvalidInput
from tests.chain_books import BRIDGED, FAR, FORGED, HOPPED, ROLLUP, THIN, USDC, USDC_ROLLUP, chains, holding, pool
from tests.chain_books import registry as records
from tests.margin.desk import BTC_PERP, plain_model

PARTS = ("price", "peg", "backing", "finality", "liquidity")
FREE = records(share=0.9)  # bridges may carry nine tenths of equity: their caps do not bind
TOKENS = (USDC, USDC_ROLLUP, BRIDGED, THIN, HOPPED, FORGED)


def counted(
    instance: str,
    *,
    amount: float = 1000.0,
    level: str = "final",
    trust: str = "L2",
    held: bool = False,
    **said: Any,
) -> float:
    """What 1,000 of a token count for beside a million dollars of plain USDC, for new or for held risk."""
    found = pool(
        holding(USDC, 1e6), holding(instance, amount, level=level, trust=trust), said=chains(**said), known=FREE
    )
    name = next(i for i in found.counts() if i.endswith(instance) and (instance != USDC or "#" in i))
    return found.counts(held=held)[name]


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


def test_a_peg_stops_new_risk_at_once_and_runs_off_behind_old():
    def held(peg: str, **more: Any) -> float:
        return counted(BRIDGED, tokens={BRIDGED: {"peg": peg, "market_ratio": 0.2} | more}, held=True)

    assert held("stress") == pytest.approx(0.2 * 850.0)
    assert held("stress", held_ratio=0.9) == pytest.approx(0.9 * 850.0)
    assert held("broken", held_ratio=0.6) == pytest.approx(0.6 * 850.0)
    assert held("broken") == 0.0


def test_a_settled_price_below_that_of_new_risk_is_refused():
    with pytest.raises(InvalidInput, match="held_ratio"):
        counted(BRIDGED, tokens={BRIDGED: {"market_ratio": 0.9, "held_ratio": 0.8}})


def test_a_paused_bridge_is_closed_to_new_risk_alone():
    assert counted(BRIDGED, closed={"three": "paused"}, held=True) == pytest.approx(850.0)
    assert counted(BRIDGED, closed={"three": "exploited"}, held=True) == 0.0


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
    assert counted(USDC_ROLLUP, amount=250_000.0, trust="L2") == pytest.approx(250_000.0)
    assert counted(USDC_ROLLUP, amount=25e6, trust="L2") == pytest.approx(10e6)
    assert counted(USDC_ROLLUP, amount=25e6, trust="L3") == pytest.approx(25e6)


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


@pytest.mark.parametrize("health", ["forked", "governed"])
def test_a_chain_forked_or_changed_by_force_counts_for_no_new_risk_and_for_what_stands(health: str):
    assert counted(USDC_ROLLUP, health={ROLLUP: health}) == 0.0
    assert counted(USDC_ROLLUP, health={ROLLUP: health}, held=True) == pytest.approx(1000.0)
    assert counted(USDC_ROLLUP, health={ROLLUP: health}, held=True, trust="L0") == 0.0


def test_a_lagging_chain_counts_for_what_is_final():
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
                    "held_ratio": st.none() | st.floats(1.1, 1.2),
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


@pytest.mark.parametrize(
    "said",
    [
        {"health": {ROLLUP: "forked"}},
        {"health": {ROLLUP: "governed"}},
        {"tokens": {USDC_ROLLUP: {"peg": "stress", "market_ratio": 0.0, "held_ratio": 1.0}}},
        {"tokens": {USDC_ROLLUP: {"peg": "broken", "market_ratio": 0.0, "held_ratio": 1.0}}},
    ],
    ids=["forked", "governed", "stress", "broken"],
)
@pytest.mark.parametrize("mode", ["rule", "scenarios"])
def test_a_quarantine_stops_new_risk_changes_no_requirement_and_liquidates_nobody(said: dict[str, Any], mode: str):
    grid = replace(
        plain_model().grid, stable_peg=0.3
    )  # far beyond haircuts, so that the fall of what stands is asked for
    collateral = replace(plain_model().collateral, mode=mode)

    def one(**state: Any) -> Any:
        lines = {"positions": {BTC_PERP.id: 0.5}, "said": chains(**state)}
        return pool(holding(USDC_ROLLUP, 1e5), **lines, grid=grid, collateral=collateral).result.pools

    calm, now = one(), one(**said)
    assert calm.status[0] == Status.HEALTHY
    assert now.equity[0] < now.initial[0]
    assert now.status[0] == Status.RESTRICTED
    assert now.held_equity[0] == calm.held_equity[0] == calm.equity[0]
    assert mode == "scenarios" or calm.wrong_way[0] > 0.0
    assert now.maintenance[0] == pytest.approx(calm.maintenance[0])
    assert now.initial[0] == pytest.approx(calm.initial[0])


@given(SAID, HELD, st.floats(-3.0, 3.0))
@settings(max_examples=60, deadline=None)
def test_what_stands_behind_old_risk_is_never_less_than_behind_new(said: dict[str, Any], held: list[Any], coins: float):
    lines = [holding(x, a, level=level, trust=trust) for x, a, level, trust in held]
    found = pool(*lines, said=chains(**said), positions={BTC_PERP.id: coins}).result.pools
    assert found.held_equity[0] >= found.equity[0]
    assert found.maintenance[0] <= found.initial[0]
    covered = found.held_equity[0] >= found.maintenance[0]
    assert (found.status[0] == Status.LIQUIDATION) != covered
