"""Token lists of the Uniswap schema beside a registry, with the extensions by which lists link tokens across chains.

`bridgeInfo` (Uniswap) names the same token on other chains; the list of the OP Superchain gives tokens of one kind one
`opTokenId`, and names bridges as `optimismBridgeAddress`, `baseBridgeAddress`, …; that of Arbitrum names `l1Address`
and the gateways at both ends.

A list tells address, decimals and symbol, and which tokens its authors take for one another across chains. It does not
tell who attests the bridge between them, so it makes no records but proposals, and a symbol is no key in them.

Source: Uniswap token-lists, tokenlist.schema.json, and issue 642 (`extensions.bridgeInfo`); the Superchain token list
(ethereum-optimism.github.io, optimism.tokenlist.json); Arbitrum's (arb-token-lists, ArbTokenInfo). Read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from crossmargin.adapters.documents import convert, read_tree
from crossmargin.adapters.registries.checksums import check_checksum
from crossmargin.adapters.registries.proposals import Proposal, Proposals
from crossmargin.core.chain_ids import parse_asset
from crossmargin.core.errors import InvalidInput
from crossmargin.market.registry.registry import Registry, RegistryView

_PARENTS: Final = {42161: 1, 42170: 1}  # Arbitrum One and Nova: where the `l1Address` of their list is


class _Bridged(msgspec.Struct, frozen=True, rename="camel"):
    token_address: str


class _Extensions(msgspec.Struct, frozen=True, rename="camel"):
    bridge_info: dict[str, _Bridged] = {}
    op_token_id: str = ""
    optimism_bridge_address: str = ""
    base_bridge_address: str = ""
    mode_bridge_address: str = ""
    l1_address: str | None = None
    l1_gateway_address: str | None = None
    l2_gateway_address: str | None = None

    @property
    def bridges(self) -> tuple[str, ...]:
        """The contracts that it comes over, as the list names them."""
        named = {
            "Optimism bridge": self.optimism_bridge_address,
            "Base bridge": self.base_bridge_address,
            "Mode bridge": self.mode_bridge_address,
            "gateway on L1": self.l1_gateway_address,
            "gateway on L2": self.l2_gateway_address,
        }
        return tuple(f"{name} {address}" for name, address in named.items() if address)


class _Token(msgspec.Struct, frozen=True, rename="camel"):
    chain_id: int
    address: str
    decimals: int
    symbol: str
    extensions: _Extensions = _Extensions()


class _TokenList(msgspec.Struct, frozen=True):
    name: str
    tokens: tuple[_Token, ...]


def read_token_list(path: str | Path, registry: Registry, *, time_ns: int) -> Proposals:
    """What the list in a .json file would add to `registry` as it stands at a time.

    Raises as `read_document` does; a token that is none is left out with its reason.
    """
    listed = convert(read_tree(path), _TokenList, where=str(path))
    view = registry.at(time_ns)
    found = tuple(_judged(token, view) for token in listed.tokens) + tuple(_links(listed.tokens, view))
    return Proposals(source=listed.name, registry_sha256=registry.sha256, proposals=found)


def _key(chain_id: int | str, address: str) -> str:
    text = f"eip155:{chain_id}/erc20:{address}"
    return str(parse_asset(check_checksum(text, where="token list"), where="token list"))


def _judged(token: _Token, view: RegistryView) -> Proposal:
    try:
        key = _key(token.chain_id, token.address)
    except InvalidInput as error:
        return Proposal(subject=f"{token.symbol} on {token.chain_id}", verdict="left out", reason=str(error))
    instance = view.instances.get(key)
    if instance is not None and instance.decimals != token.decimals:
        reason = f"the list says {token.decimals} decimals, the registry {instance.decimals}"
        return Proposal(subject=key, verdict="conflict", reason=reason)
    if instance is not None:
        return Proposal(subject=key, verdict="known", reason=f"{instance.symbol}, {instance.decimals} decimals")
    if f"eip155:{token.chain_id}" not in view.chains:
        return Proposal(subject=key, verdict="left out", reason="its chain is not in the registry")
    record: dict[str, object] = {"instance": key, "symbol": token.symbol, "decimals": token.decimals}
    over = f"the list names {', '.join(token.extensions.bridges)}; " if token.extensions.bridges else ""
    reason = f"{over}say its canonical asset, its kind and what backs it; without a ramp it counts for nothing"
    return Proposal(subject=key, verdict="new", reason=reason, record=record)


def _links(tokens: tuple[_Token, ...], view: RegistryView) -> Iterator[Proposal]:
    """Pairs that the list takes for one asset, and the registry, which has both, does not."""
    first: dict[str, _Token] = {}
    for token in tokens:
        for chain_id, address in _others(token, first):
            try:
                pair = (_key(token.chain_id, token.address), _key(chain_id, address))
            except InvalidInput as error:
                yield Proposal(subject=f"{token.symbol} to {chain_id}", verdict="left out", reason=str(error))
                continue
            yield from _unlike(pair, view)


def _others(token: _Token, first: dict[str, _Token]) -> Iterator[tuple[int | str, str]]:
    """Chains and addresses of what the list takes for the same asset; `first` is the first token of each id so far."""
    said = token.extensions
    for chain_id, bridged in said.bridge_info.items():
        yield chain_id, bridged.token_address
    if said.l1_address and token.chain_id in _PARENTS:
        yield _PARENTS[token.chain_id], said.l1_address
    if said.op_token_id:
        same = first.setdefault(said.op_token_id, token)
        if same is not token:
            yield same.chain_id, same.address


def _unlike(pair: tuple[str, str], view: RegistryView) -> Iterator[Proposal]:
    held: Mapping[str, str] = {key: view.instances[key].canonical for key in pair if key in view.instances}
    if len(set(held.values())) > 1:
        reason = "the list takes them for one asset, the registry for " + " and ".join(sorted(held.values()))
        yield Proposal(subject=" = ".join(pair), verdict="conflict", reason=reason)
