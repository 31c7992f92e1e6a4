"""Sources of live chains, checked beside the registry and the environment: nothing is asked of a network here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crossmargin.adapters.documents import read_document
from crossmargin.adapters.live.document import ChainSource, EndpointSource, Owner, SourcesDocument, VaultSource
from crossmargin.adapters.networks.jsonrpc import checked_url
from crossmargin.adapters.registries.checksums import check_checksum
from crossmargin.core import check
from crossmargin.core.chain_ids import parse_account, parse_asset, parse_chain
from crossmargin.core.errors import DuplicateName, InvalidInput
from crossmargin.market.registry.document import Finality
from crossmargin.market.registry.registry import Registry, RegistryView

_VARIABLE: Final = re.compile(r"\$(?:([A-Z_][A-Z0-9_]*)|\{([A-Z_][A-Z0-9_]*)\})")
_HASH: Final = re.compile(r"0x[0-9a-fA-F]{64}")
_EVM: Final = "eip155"
_REMEDY: Final = "Add it to the registry, or name another one (--registry)."
TIMEOUT_S_MAX: Final = 120.0
ANSWER_BYTES: Final = (1 << 12, 256 << 20)  # A block without transactions has some 2 kB; nothing here needs the other.
ENDPOINTS_MAX: Final = 32
OWNERS_MAX: Final = 256  # Their slots are proven in one answer.


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """An endpoint with its URL as it is asked; the URL is never shown."""

    name: str
    operator: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """A vault whose owners' balances are read: `owners` maps their addresses to accounts or pools of the book.

    `home` is the chain in the names of its owners' accounts, as `CollateralVault.home` has it."""

    chain: str
    address: bytes
    instance: str
    decimals: int
    code_hash: bytes
    home: int
    journal: Path
    owners: Mapping[bytes, str]

    @property
    def name(self) -> str:
        """Its CAIP-10 id."""
        return f"{self.chain}:0x{self.address.hex()}"

    @property
    def token(self) -> bytes:
        """The address of the token that it holds."""
        return bytes.fromhex(self.instance[-40:])

    @property
    def subject(self) -> str:
        """What its journal is of, so that it is never taken for another's."""
        owners = ",".join(sorted(f"0x{owner.hex()}" for owner in self.owners))
        return f"{self.name} code 0x{self.code_hash.hex()} home {self.home} holds {self.instance} for {owners}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChain:
    """A chain that is read: `agree` of the operators of `ways` must name the same blocks."""

    chain: str
    number: int
    profile: Finality
    agree: int
    ways: tuple[Way, ...]
    timeout_s: float
    answer_bytes_max: int
    receipts: bool
    vaults: tuple[Vault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All that is read, checked."""

    chains: tuple[LiveChain, ...]

    @property
    def vaults(self) -> tuple[Vault, ...]:
        """The vaults of all chains."""
        return tuple(vault for chain in self.chains for vault in chain.vaults)


def read_sources(
    path: Path, registry: Registry, *, time_ns: int, environment: Mapping[str, str] = os.environ
) -> Sources:
    """The sources in a .toml or .json file, with chains and tokens as the registry has them at `time_ns`.

    Raises `UnreadableFile`, `UnknownName`, `DuplicateName` or `InvalidInput` with the place inside the file, and shows
    no URL."""
    document = read_document(path, SourcesDocument)
    view, where = registry.at(time_ns), str(path)
    check.unique((source.chain for source in document.chains), "chain", where=f"{where}: chains")
    chains = tuple(
        _chain(source, view, path.parent, environment, f"{where}: chains[{i}]")
        for i, source in enumerate(document.chains)
    )
    found = Sources(chains=chains)
    _count(len(chains), "chains", 1, ENDPOINTS_MAX, where)
    check.unique((str(vault.journal) for vault in found.vaults), "journal", where=where)
    held = (f"{account} holds {vault.instance}" for vault in found.vaults for account in vault.owners.values())
    check.unique(held, "account and token", where=where)  # A book has one line for both, a statement one slot.
    return found


def _chain(
    source: ChainSource, view: RegistryView, folder: Path, environment: Mapping[str, str], where: str
) -> LiveChain:
    chain = parse_chain(source.chain, where=f"{where}.chain")
    check.known(source.chain, view.chains, "chain", where=f"{where}.chain", remedy=_REMEDY)
    if chain.namespace != _EVM or not chain.reference.isdecimal():
        raise InvalidInput(
            "chain", where=f"{where}.chain", value=source.chain, limit="of eip155", remedy="Leave the others out."
        )
    ways = tuple(_way(endpoint, environment, f"{where}.endpoints[{i}]") for i, endpoint in enumerate(source.endpoints))
    _count(len(ways), "endpoints", 1, ENDPOINTS_MAX, where)
    check.unique((way.name for way in ways), "endpoint", where=f"{where}.endpoints")
    _check_apart(ways, where)
    operators = len({way.operator for way in ways})
    _count(source.agree, f"agree, of {operators} operators,", 1, operators, where)
    check.within(source.timeout_s, "timeout_s", 0.1, TIMEOUT_S_MAX, where=where)
    check.within(source.answer_bytes_max, "answer_bytes_max", *ANSWER_BYTES, where=where)
    vaults = tuple(_vault(vault, source, view, folder, f"{where}.vaults[{i}]") for i, vault in enumerate(source.vaults))
    _count(len(vaults), "vaults", 1, ENDPOINTS_MAX, where)
    check.unique((vault.name for vault in vaults), "vault", where=f"{where}.vaults")
    return LiveChain(
        chain=source.chain,
        number=int(chain.reference),
        profile=view.chains[source.chain].finality,
        agree=source.agree,
        ways=ways,
        timeout_s=source.timeout_s,
        answer_bytes_max=source.answer_bytes_max,
        receipts=source.receipts,
        vaults=vaults,
    )


def _way(endpoint: EndpointSource, environment: Mapping[str, str], where: str) -> Way:
    for what, text in (("name", endpoint.name), ("operator", endpoint.operator)):
        if not text:
            raise InvalidInput(what, where=where, value=text, limit="given", remedy="Name it.")
    url = expanded(endpoint.url, environment, where=f"{where}.url")
    checked_url(url, where=f"{where}.url")
    return Way(name=endpoint.name, operator=endpoint.operator, url=url)


def expanded(url: str, environment: Mapping[str, str], *, where: str) -> str:
    """A URL with the variables of the environment that it names; raises `InvalidInput` for one that is not set."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not environment.get(name):
            raise InvalidInput(
                "variable", where=where, value=f"${name}", limit="set in the environment", remedy=f"export {name}=…"
            )
        return environment[name]

    if "$" in _VARIABLE.sub("", url):
        limit = "$NAME or ${NAME}, in capitals"
        raise InvalidInput("url", where=where, value="$", limit=limit, remedy="Name a variable, or write %24.")
    return _VARIABLE.sub(value, url)


def _check_apart(ways: Iterable[Way], where: str) -> None:
    """One URL is one voice, whatever its operators are called."""
    seen: dict[str, Way] = {}
    for way in ways:
        first = seen.setdefault(way.url, way)
        if first.operator != way.operator:
            raise DuplicateName("url of two operators", where=where, value=way.name, first=first.name)


def _vault(source: VaultSource, chain: ChainSource, view: RegistryView, folder: Path, where: str) -> Vault:
    instance = parse_asset(check_checksum(source.instance, where=where), where=f"{where}.instance")
    if str(instance.chain) != chain.chain:
        raise InvalidInput(
            "instance", where=where, value=str(instance), limit=f"a token on {chain.chain}", remedy="Correct one."
        )
    if instance.namespace != "erc20":
        raise InvalidInput("instance", where=where, value=str(instance), limit="an ERC-20", remedy="Name its token.")
    check.known(str(instance), view.instances, "asset instance", where=f"{where}.instance", remedy=_REMEDY)
    home = parse_chain(source.home or chain.chain, where=f"{where}.home")
    if home.namespace != _EVM or not home.reference.isdecimal():
        raise InvalidInput("home", where=where, value=source.home, limit="of eip155", remedy="Ask `home` of the vault.")
    if not _HASH.fullmatch(source.code_hash):
        limit = "0x and 64 hexadecimal digits"
        raise InvalidInput(
            "code_hash", where=where, value=source.code_hash[:80], limit=limit, remedy="Hash the code that runs there."
        )
    if not source.journal:
        raise InvalidInput("journal", where=where, value="", limit="a file", remedy="Name one.")
    return Vault(
        chain=chain.chain,
        address=_address(source.address, chain.chain, f"{where}.address"),
        instance=str(instance),
        decimals=view.instances[str(instance)].decimals,
        code_hash=bytes.fromhex(source.code_hash[2:]),
        home=int(home.reference),
        journal=folder / source.journal,
        owners=_owners(source.owners, str(home), f"{where}.owners"),
    )


def _owners(owners: tuple[Owner, ...], home: str, where: str) -> dict[bytes, str]:
    _count(len(owners), "owners", 1, OWNERS_MAX, where)
    addresses = [_address(owner.address, home, f"{where}[{i}].address") for i, owner in enumerate(owners)]
    check.unique((f"0x{address.hex()}" for address in addresses), "owner", where=where)
    return {
        address: owner.account or f"{home}:0x{address.hex()}" for address, owner in zip(addresses, owners, strict=True)
    }


def _address(text: str, chain: str, where: str) -> bytes:
    """The 20 bytes of an address, whose checksum holds where it has one."""
    account = parse_account(check_checksum(f"{chain}:{text}", where=where), where=where)
    return bytes.fromhex(account.address[2:])


def _count(value: int, what: str, low: int, high: int, where: str) -> None:
    if not low <= value <= high:
        raise InvalidInput(what, where=where, value=value, limit=f"{low} to {high}", remedy="Correct the file.")
