"""A small registry to break: two chains, one bridge with three verifiers, one asset at home and abroad."""

from typing import Any

from msgspec.structs import replace

from crossmargin.market.registry.document import (
    AssetInstance,
    BackingEdge,
    Bridge,
    CanonicalAsset,
    Chain,
    Finality,
    Ramp,
    RegistryDocument,
    VerifierSet,
)

FIRST, SECOND, THIRD = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"
HOME = "eip155:1/erc20:0x" + "a1" * 20
ABROAD = "eip155:42161/erc20:0x" + "b2" * 20
LOCKBOX = "eip155:1:0x" + "c3" * 20
SAID = {"source": "made up", "date": "2026-01-01"}
RAMP = Ramp(start=FIRST, days=10.0, cap_usd=1_000_000.0, liquidity_share=0.1)


def chain(name: str = "eip155:1", **other: Any) -> Chain:
    finality = Finality(method="tag", final_s=1_140.0, halt_s=3_600.0)
    values = {"name": name, "family": "evm", "finality": finality, "valid_from": FIRST, **SAID}
    return Chain(chain=name, **(values | other))


def bridge(name: str = "lanes", **other: Any) -> Bridge:
    verifiers = VerifierSet(required=("one", "two", "three"))
    values = {"name": name, "verifiers": verifiers, "finality_knob": "finalized", "exposure_cap": 0.2}
    return Bridge(bridge=name, **(values | {"valid_from": FIRST} | SAID | other))


def home(key: str = HOME, **other: Any) -> AssetInstance:
    values = {"symbol": "USDX", "canonical": "USDX", "decimals": 6, "kind": "issuer_native", "valid_from": FIRST}
    return AssetInstance(instance=key, **(values | SAID | other))


def abroad(key: str = ABROAD, **other: Any) -> AssetInstance:
    edge = BackingEdge(bridge="lanes", home=HOME, lockbox=LOCKBOX)
    return home(key, **({"kind": "lock_mint", "backing": (edge,)} | other))


def document(**other: Any) -> RegistryDocument:
    asset = CanonicalAsset(
        asset="USDX", name="A dollar", decimals=6, issuer="mint", peg="USD", valid_from=FIRST, **SAID
    )
    values = {
        "chains": (chain(), chain("eip155:42161")),
        "assets": (asset,),
        "bridges": (bridge(),),
        "instances": (home(), abroad()),
    }
    return RegistryDocument(**(values | other))


def later(record: Any, valid_from: str = SECOND, **other: Any) -> Any:
    """Another version of a record."""
    return replace(record, valid_from=valid_from, **other)
