"""The registry against its plain twin."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from crossmargin.market.registry.amounts import to_canonical
from crossmargin.market.registry.document import Committee, VerifierSet
from crossmargin.market.registry.verifiers import effective_verifiers
from spec.market import registry as spec

names = st.lists(st.sampled_from("abcdefgh"), max_size=8, unique=True)


@given(names, st.data())
def test_effective_verifiers(verifiers: list[str], data):
    split = data.draw(st.integers(0, len(verifiers)))
    required, optional = verifiers[:split], verifiers[split:]
    threshold = data.draw(st.integers(0, len(optional)))
    quorum = data.draw(st.integers(0, 5))
    operator = {name: data.draw(st.sampled_from("xyzab")) for name in verifiers if data.draw(st.booleans())}
    made = VerifierSet(
        required=tuple(required),
        optional=tuple(optional),
        threshold=threshold,
        committee=Committee(members=9, quorum=quorum) if quorum else None,
        operator=operator,
    )
    assert effective_verifiers(made) == spec.effective_verifiers(required, optional, threshold, quorum, operator)


@given(st.integers(0, 2**256 - 1), st.integers(0, 36), st.integers(0, 36))
def test_canonical_units(amount: int, decimals: int, canonical_decimals: int):
    numerator, denominator = spec.canonical_units(amount, decimals, canonical_decimals)
    assert to_canonical(amount, Fraction(10) ** (canonical_decimals - decimals)) == Fraction(numerator, denominator)
