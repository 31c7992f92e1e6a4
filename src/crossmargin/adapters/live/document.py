"""Where live chains are read from, as a user writes it (TOML, JSON): endpoints, vaults, and whose tokens they hold."""

from __future__ import annotations

import msgspec

from crossmargin.adapters.networks.jsonrpc import TIMEOUT_S
from crossmargin.market.chains.agreement import QUORUM


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class EndpointSource(_Part, frozen=True, kw_only=True):
    """A way to a chain: what it is called here, who operates it, and its URL (http or https).

    `$NAME` or `${NAME}` in the URL is a variable of the environment, so that no key stands in the file. Operators have
    one vote each, however many endpoints they run.
    """

    name: str
    operator: str
    url: str


class Owner(_Part, frozen=True, kw_only=True):
    """An address that a vault holds tokens for, and the account or pool of the book that they are collateral of.

    Without an `account` it is the one that reports name after the address: CAIP-10 on the vault's home chain. A
    statement can only show the collateral of an account of that name.
    """

    address: str
    account: str = ""


class VaultSource(_Part, frozen=True, kw_only=True):
    """A `CollateralVault`: its address, the token it holds (CAIP-19, in the registry), and the hash of its code.

    `home` (CAIP-2) is the chain by which it names its owners' accounts, its own chain by default. `journal` is the file
    of SQLite that following goes on from, beside this file; it is of this vault and these owners.
    """

    address: str
    instance: str
    code_hash: str
    journal: str
    owners: tuple[Owner, ...]
    home: str = ""


class ChainSource(_Part, frozen=True, kw_only=True):
    """A chain (CAIP-2, eip155 alone), and its endpoints, of whose operators `agree` must name the same blocks.

    An answer must be whole within `timeout_s` and `answer_bytes_max`. `receipts` is false for a chain whose receipts
    have a form of their own, or endpoints that do not serve them: its events are then the operators' word.
    """

    chain: str
    endpoints: tuple[EndpointSource, ...]
    vaults: tuple[VaultSource, ...]
    agree: int = QUORUM
    timeout_s: float = TIMEOUT_S
    answer_bytes_max: int = 16 << 20
    receipts: bool = True


class SourcesDocument(_Part, frozen=True, kw_only=True):
    """The chains that are read."""

    chains: tuple[ChainSource, ...]
