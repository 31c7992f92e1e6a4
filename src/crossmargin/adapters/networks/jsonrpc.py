"""JSON-RPC of EVM chains over HTTP, on the standard library: one connection kept open, one call at a time.

An endpoint is a stranger: an answer is bounded in size and in time, one that drips included, and no redirection is
followed. What stands after the host of a URL is often a key. It is in no message: errors name the endpoint, and what
they repeat of an answer has every part of the URL's path and query taken out.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import socket
import threading
import time
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from crossmargin.adapters.documents import parse_json
from crossmargin.core.errors import InvalidInput, Reverted, UnreachableChain
from crossmargin.core.version import VERSION

_REVERTED: Final = 3  # The code of geth's error that carries what a contract returned.
ANSWER_BYTES_MAX: Final = 64 << 20
TIMEOUT_S: Final = 10.0
_SECRET_CHARACTERS: Final = 6  # Shorter parts of a URL are versions and names of networks.
_READS: Final = "eth_"  # These methods may be asked twice; what mines or sets may not.
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": f"crossmargin/{VERSION}"}
_BUSY: Final = (429, 503)  # Too many requests; unavailable. Source: RFC 6585 section 4, RFC 9110 section 15.6.4.
PAUSES_S: Final = (0.5, 1.5, 3.0)
_DROPPED: Final = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class JsonRpc:
    """A connection to an endpoint, which messages call `name`: its host without one.

    An answer must be whole within `timeout_s` and `answer_bytes_max`. After `failures_max` failures in a row nothing
    more is asked; without it every call is tried. What it answers is a claim of who runs it."""

    def __init__(
        self,
        url: str,
        *,
        name: str = "",
        timeout_s: float = TIMEOUT_S,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        failures_max: int | None = None,
    ) -> None:
        parts, port = checked_url(url, where=name or "RPC endpoint")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.url, self.name = url, name or f"{parts.scheme}://{parts.netloc}"
        self._connection = kind(str(parts.hostname), port, timeout=timeout_s)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secrets = _secrets(parts)
        self._timeout_s, self._bytes_max, self._failures_max = timeout_s, answer_bytes_max, failures_max
        self._failures, self._late = 0, False
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
            raise Reverted(where=method, output=_returned(output))
        said = error.get("message") if isinstance(error, dict) else None
        raise self.unreachable(f"{method} failed: {str(said or 'no result')[:300]}")

    def unreachable(self, reason: str) -> UnreachableChain:
        """The error of this endpoint, without anything that is secret."""
        for secret in self._secrets:
            reason = reason.replace(secret, "…")
        return UnreachableChain(self.name, reason=reason)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _answer(self, method: str, body: bytes) -> dict[str, Any]:
        if self._failures_max is not None and self._failures >= self._failures_max:
            raise self.unreachable(f"{method} was not asked: {self._failures} calls in a row had no answer")
        self._late = False
        watch = threading.Timer(self._timeout_s, self._cut)
        watch.daemon = True
        watch.start()
        try:
            answer = self._read(method, body)
        except (OSError, http.client.HTTPException, ValueError) as failure:
            self._connection.close()  # The next call opens it again.
            self._failures += 1
            why = f"none within {self._timeout_s:g} s" if self._late else str(failure)
            raise self.unreachable(f"{method} has no answer: {why}") from None
        finally:
            watch.cancel()
        self._failures = 0
        if not isinstance(answer, dict):
            raise self.unreachable(f"{method} was answered with no JSON object")
        return answer

    def _read(self, method: str, body: bytes) -> object:
        """What a call is answered with; an endpoint that asks for patience is asked again, within the call's time."""
        status, text = self._answered(method, body)
        for pause_s in PAUSES_S if method.startswith(_READS) else ():
            if status not in _BUSY:
                break
            time.sleep(pause_s)
            status, text = self._answered(method, body)
        if len(text) > self._bytes_max:
            raise ValueError(f"more than {self._bytes_max:,} bytes")
        try:
            return parse_json(text.decode())
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        except ValueError as failure:
            raise ValueError(f"HTTP {status}, {failure}") from None

    def _answered(self, method: str, body: bytes) -> tuple[int, bytes]:
        """Status and text of an answer; over a connection that was kept, and dropped meanwhile, it is asked again."""
        if self._late:
            raise TimeoutError
        kept = self._connection.sock is not None
        try:
            response = self._response(body)
        except _DROPPED:
            if not kept or not method.startswith(_READS):
                raise
            self._connection.close()
            response = self._response(body)
        return response.status, response.read(self._bytes_max + 1)

    def _response(self, body: bytes) -> http.client.HTTPResponse:
        self._connection.request("POST", self._path, body, _HEADERS)
        return self._connection.getresponse()

    def _cut(self) -> None:
        """End a call whose time is up: each byte of an answer resets the socket's own clock."""
        self._late = True
        with contextlib.suppress(OSError, AttributeError):  # It may have ended meanwhile.
            self._connection.sock.shutdown(socket.SHUT_RDWR)


def checked_url(url: str, *, where: str) -> tuple[SplitResult, int | None]:
    """The parts of a URL of http or https and its port, if it names one; raises `InvalidInput` and shows none of it.

    A user and a password are refused: they would stand in the host that messages name."""
    try:
        parts = urlsplit(url)
        port, known = parts.port, parts.scheme in {"http", "https"} and bool(parts.hostname)
        plain = url.isascii() and all(" " < character < "\x7f" for character in url)
    except ValueError:
        known = plain = False
    if not known or not plain or "@" in parts.netloc:
        raise InvalidInput(
            "url",
            where=where,
            value="…",
            limit="http or https with a host, in ASCII without blanks, user and password",
            remedy="Correct the URL.",
        )
    return parts, port


def _secrets(parts: SplitResult) -> tuple[str, ...]:
    """What of a URL must not be shown, longest first: parts of its path, and all that its query states."""
    found = [*parts.path.split("/"), *(text for pair in parse_qsl(parts.query) for text in pair), parts.query]
    found += [unquote(text) for text in found]
    return tuple(sorted({text for text in found if len(text) >= _SECRET_CHARACTERS}, key=len, reverse=True))


def _returned(output: object) -> bytes:
    """What a contract returned, as far as the endpoint says it in hexadecimal."""
    try:
        return unhex(output) if isinstance(output, str) else b""
    except ValueError:
        return b""


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
