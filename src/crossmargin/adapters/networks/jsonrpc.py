"""JSON-RPC of EVM chains over HTTP, on the standard library: one connection kept open, one call at a time."""

from __future__ import annotations

import http.client
import itertools
import json
from typing import Any, Final
from urllib.parse import urlsplit

from crossmargin.core.errors import InvalidInput, Reverted, UnreachableChain

_REVERTED: Final = 3  # The code of geth's error that carries what a contract returned.
_ANSWER_BYTES_MAX: Final = 64 << 20


class JsonRpc:
    """A connection to an endpoint. What it answers is a claim of who runs it."""

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidInput("url", where="RPC endpoint", value=url, limit="http or https", remedy="Correct the URL.")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.url = url
        self._connection = kind(parts.hostname, parts.port, timeout=timeout_s)
        self._path = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
        self._ids = itertools.count(1)

    def ask(self, method: str, *parameters: Any) -> Any:
        """The result of a call; raises `Reverted` for a contract that refuses, `UnreachableChain` for all else."""
        asked = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(parameters)}
        answer = self._answer(method, json.dumps(asked).encode())
        error = answer.get("error")
        if error is None and "result" in answer:
            return answer["result"]
        if isinstance(error, dict) and error.get("code") == _REVERTED:
            output = error.get("data")
            raise Reverted(where=method, output=unhex(output) if isinstance(output, str) else b"")
        said = error.get("message") if isinstance(error, dict) else None
        raise UnreachableChain(self.url, reason=f"{method} failed: {str(said or 'no result')[:300]}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _answer(self, method: str, body: bytes) -> dict[str, Any]:
        try:
            self._connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            text = response.read(_ANSWER_BYTES_MAX + 1)
            answer = json.loads(text) if len(text) <= _ANSWER_BYTES_MAX else None
        except (OSError, http.client.HTTPException, ValueError) as failure:
            self._connection.close()  # The next call opens it again.
            raise UnreachableChain(self.url, reason=f"{method} has no answer: {failure}") from None
        if not isinstance(answer, dict):
            raise UnreachableChain(self.url, reason=f"{method} was answered with no JSON object")
        return answer


def unhex(text: str) -> bytes:
    """The bytes of hexadecimal text after 0x."""
    return bytes.fromhex(text.removeprefix("0x"))


def number(text: str) -> int:
    """The integer of a quantity in JSON-RPC."""
    return int(text, 16)


def quantity(value: int) -> str:
    """An integer as JSON-RPC writes quantities."""
    return hex(value)


def hexed(value: bytes) -> str:
    """Bytes as JSON-RPC writes them."""
    return "0x" + value.hex()
