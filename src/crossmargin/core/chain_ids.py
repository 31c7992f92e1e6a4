"""CAIP-2 chain ids and CAIP-19 asset ids, as far as margin needs them.

Source: ChainAgnostic CAIP-2 (namespace `[-a-z0-9]{3,8}`, reference `[-_a-zA-Z0-9]{1,32}`).
"""

from __future__ import annotations

import re

from crossmargin.core.errors import InvalidInput

_CHAIN = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")


def check_chain(chain: str, *, where: str) -> str:
    """`chain`, if it is a CAIP-2 id such as `eip155:1`; raises `InvalidInput` otherwise."""
    if not _CHAIN.fullmatch(chain):
        raise InvalidInput(
            "chain", where=where, value=chain, limit="a CAIP-2 id", remedy='Write it like "eip155:1" for Ethereum.'
        )
    return chain
