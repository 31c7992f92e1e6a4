"""Collateral on chains against plain Python, over random pools."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.collateral.document import TokenHaircuts
from crossmargin.market.representations.document import Transfer
from spec.tokens import (
    Bridge,
    Token,
    availability,
    cover_two,
    halt_loss,
    held_tokens,
    late_and_moved,
    recognise_tokens,
)
from tests.chain_books import (
    BRIDGED,
    FAR,
    FORGED,
    HOME,
    HOPPED,
    ROLLUP,
    THIN,
    USDC,
    USDC_ROLLUP,
    chains,
    holding,
    pool,
    registry,
)
from tests.margin.desk import BTC_PERP, plain_model

NEEDED = {BTC_PERP.id: 1e9}  # they can lose more than anybody holds
RULES = msgspec.to_builtins(TokenHaircuts())
BEHIND = {
    USDC: (),
    USDC_ROLLUP: (),
    BRIDGED: ("three",),
    THIN: ("two",),
    HOPPED: ("three", "two"),
    FORGED: ("one",),
}
VERIFIERS = {"three": 3, "two": 2, "one": 1}
SHARES = [0.2, 0.9]  # of equity that a bridge may carry: the second seldom binds, so that haircuts are seen
HEALTHS = ["healthy", "lagging", "halted", "forked", "governed"]


def settled(state: dict[str, Any]) -> dict[str, Any]:
    """The same with a settled price that may be said: of a peg that is not broken, none below that of new risk."""
    if state["held_ratio"] is None or state["peg"] == "broken":
        return state
    return state | {"held_ratio": max(state["held_ratio"], state["market_ratio"])}


SAID = st.fixed_dictionaries(
    {
        "health": st.fixed_dictionaries({c: st.sampled_from(HEALTHS) for c in (HOME, ROLLUP, FAR)}),
        "backing": st.fixed_dictionaries({b: st.floats(0.0, 1.2) for b in VERIFIERS}),
        "closed": st.fixed_dictionaries(
            {b: st.sampled_from(["open", "open", "paused", "exploited"]) for b in VERIFIERS}
        ),
        "tokens": st.fixed_dictionaries(
            {
                x: st.fixed_dictionaries(
                    {
                        "market_ratio": st.floats(0.0, 1.1),
                        "held_ratio": st.none() | st.floats(0.0, 1.2),
                        "peg": st.sampled_from(["normal", "watch", "stress", "stress", "broken"]),
                        "liquidity_usd": st.floats(0.0, 1e6),
                    }
                ).map(settled)
                for x in BEHIND
            }
        ),
    }
)
HELD = st.lists(
    st.tuples(
        st.sampled_from([USDC, *BEHIND]),
        st.floats(-1e5, 1e6) | st.floats(8e6, 2e7),
        st.sampled_from(["seen", "included", "safe", "final", "final", "settled"]),
        st.sampled_from(["L0", "L1", "L2", "L3"]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda x: (x[0], x[2], x[3]),
)


DAY_S = 86_400.0
FALL = 0.02
HALT_S = {HOME: 3_600.0, ROLLUP: DAY_S, FAR: DAY_S}


def plain(
    said: dict[str, Any], held: list[Any], *, share: float, fall: float = 0.0, horizon_s: float = DAY_S
) -> tuple[list[Token], dict[str, Bridge]]:
    bridges = {
        b: Bridge(
            backing=said["backing"][b],
            verifiers=VERIFIERS[b],
            share=0.0 if b == "one" else share,
            state=said["closed"][b],
        )
        for b in VERIFIERS
    }
    tokens = []
    for instance, amount, level, trust in held:
        state, chain = said["tokens"][instance], instance.partition("/")[0]
        tokens.append(
            Token(
                name=instance,
                chain=chain,
                amount=amount,
                market=state["market_ratio"],
                settled=state["held_ratio"],
                behind=BEHIND[instance],
                peg=state["peg"],
                health=said["health"][chain],
                level=level,
                trust=trust,
                cap_usd=state["liquidity_usd"],
                halt_loss=halt_loss(fall, HALT_S[chain], horizon_s),
            )
        )
    return tokens, bridges


@given(SAID, HELD, st.sampled_from(SHARES))
@settings(max_examples=80, deadline=None)
def test_tokens_count_as_in_plain_python(said: dict[str, Any], held: list[Any], share: float):
    lines = [holding(x, a, level=level, trust=trust) for x, a, level, trust in held]
    found = pool(*lines, said=chains(**said), known=registry(share=share), positions=NEEDED)
    tokens, bridges = plain(said, held, share=share)
    opening, (standing, by_own) = recognise_tokens(tokens, bridges, RULES), held_tokens(tokens, bridges, RULES)
    for counted, expected in ((found.counts(), opening), (found.counts(held=True), standing)):
        for (x, _, level, trust), value in zip(held, expected, strict=True):
            marks = (f"#{level}" if level != "final" else "") + (f"#{trust}" if trust != "L2" else "")
            assert counted[f"USDC{marks}.{x}"] == pytest.approx(value, rel=1e-9, abs=1e-6)
    loss = found.result.plan.model.chains.bridge_loss
    failed = cover_two(tokens, standing, bridges, loss, held=by_own)
    assert found.term("bridge") == pytest.approx(failed, rel=1e-9, abs=1e-5)


@given(SAID, HELD, st.sampled_from([0.25, 1.0, 3.0]))
@settings(max_examples=40, deadline=None)
def test_halts_as_in_plain_python(said: dict[str, Any], held: list[Any], days: float):
    """Stable coins fall by two percent in the scan: over a halt by more, and of what is left after haircuts."""
    halted = msgspec.structs.replace(plain_model().grid, stable_peg=FALL)
    horizon = msgspec.structs.replace(plain_model().liquidity, horizon_days=days)
    lines = [holding(x, a, level=level, trust=trust) for x, a, level, trust in held]
    found = pool(*lines, said=chains(**said), positions=NEEDED, grid=halted, liquidity=horizon)
    tokens, bridges = plain(said, held, share=SHARES[0], fall=FALL, horizon_s=days * DAY_S)
    standing, by_own = held_tokens(tokens, bridges, RULES)
    for (x, _, level, trust), value in zip(held, standing, strict=True):
        marks = (f"#{level}" if level != "final" else "") + (f"#{trust}" if trust != "L2" else "")
        assert found.counts(held=True)[f"USDC{marks}.{x}"] == pytest.approx(value, rel=1e-9, abs=1e-6)
    chance = found.result.plan.model.chains.halt_probability
    asked = availability(tokens, standing, bridges, FALL, HALT_S, chance, days * DAY_S, held=by_own)
    assert found.term("availability") == pytest.approx(asked, rel=1e-9, abs=1e-6)


@given(
    st.lists(
        st.tuples(st.sampled_from([USDC, USDC_ROLLUP]), st.floats(0.0, 1e5)), max_size=2, unique_by=lambda x: x[0]
    ),
    st.floats(0.0, 1e4),
    st.floats(0.0, 1e6),
)
@settings(max_examples=30, deadline=None)
def test_late_collateral_and_transfers_as_in_plain_python(held: list[Any], size: float, slow_s: float):
    way = Transfer(route="exit", p50_s=slow_s, p95_s=slow_s, cost_usd=5.0, cost_bps=10.0)
    said = chains(needed_on=HOME, tokens={USDC_ROLLUP: {"transfer": way}})
    found = pool(*(holding(x, a) for x, a in held), said=said, positions={BTC_PERP.id: size})
    facts = {USDC: (60.0 + 15.0 + 1140.0, 0.0, 0.0), USDC_ROLLUP: (60.0 + 15.0 + 1140.0 + slow_s + 15.0, 10e-4, 5.0)}
    needed = float(found.result.groups.covered.sum())
    late, moved = late_and_moved([(a, *facts[x]) for x, a in held], needed, 86_400.0)
    assert found.term("finality") == pytest.approx(late, rel=1e-9, abs=1e-6)
    assert found.term("transfer") == pytest.approx(moved, rel=1e-9, abs=1e-6)
