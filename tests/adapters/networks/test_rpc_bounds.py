"""An endpoint is bounded in size, time and failures, and what its URL hides is in no message."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from crossmargin.adapters.networks import jsonrpc
from crossmargin.adapters.networks.jsonrpc import JsonRpc
from crossmargin.core.errors import InvalidInput, UnreachableChain

KEY = "3f9c-not-to-be-shown"
Talk = Callable[[socket.socket, int], None]


@pytest.fixture
def listen() -> Iterator[Callable[[Talk], str]]:
    """A server that talks to each connection as it is told, with its number; the URL that reaches it, with a key."""
    opened: list[socket.socket] = []

    def start(talk: Talk) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        opened.append(server)

        def serve() -> None:
            with contextlib.suppress(OSError):
                for number in range(100):
                    connection, _ = server.accept()
                    opened.append(connection)
                    with contextlib.suppress(OSError):
                        talk(connection, number)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/v2/{KEY}?token={KEY}&network=main"

    yield start
    for one in opened:
        one.close()


def answer(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body


def refusal(rpc: JsonRpc, method: str = "eth_chainId") -> str:
    with pytest.raises(UnreachableChain) as caught:
        rpc.ask(method)
    rpc.close()
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"<html>{KEY} is not valid</html>".encode(), "HTTP 401"),
        (json.dumps({"error": {"code": -32000, "message": f"the key {KEY} has no credit"}}).encode(), "has no credit"),
        (
            json.dumps({"error": {"code": 7, "message": f"/v2/{KEY}?token={KEY}&network=main"}}).encode(),
            "failed: /v2/…",
        ),
        (b"[" * 200_000, "nested too deeply"),
        (b"x" * 5_000_000, "more than 1,000,000 bytes"),
    ],
)
def test_an_answer_is_bounded_and_what_it_repeats_of_the_url_is_not_shown(listen, body: bytes, said: str) -> None:
    def talk(connection: socket.socket, _: int) -> None:
        connection.recv(65_536)
        connection.sendall(answer(body, "401 Unauthorized"))

    found = refusal(JsonRpc(listen(talk), answer_bytes_max=1_000_000))
    assert said in found
    assert found.startswith("http://127.0.0.1:")
    assert refusal(JsonRpc(listen(talk), name="north", answer_bytes_max=1_000_000)).startswith("north: ")


def test_an_answer_that_drips_ends_with_its_time(listen) -> None:
    def talk(connection: socket.socket, _: int) -> None:
        connection.recv(65_536)
        connection.sendall(answer(b"", length=1_000))
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)

    began = time.monotonic()
    assert "none within 0.3 s" in refusal(JsonRpc(listen(talk), timeout_s=0.3))
    assert time.monotonic() - began < 3.0


def test_after_failures_in_a_row_nothing_more_is_asked(listen) -> None:
    asked: list[int] = []

    def talk(connection: socket.socket, number: int) -> None:
        asked.append(number)
        connection.close()

    rpc = JsonRpc(listen(talk), failures_max=3)
    said = [refusal(rpc) for _ in range(6)]
    assert len(asked) == 3
    assert ["not asked" in one for one in said] == [False, False, False, True, True, True]


def test_a_kept_connection_that_was_dropped_is_opened_again_for_reads_alone(listen) -> None:
    def talk(connection: socket.socket, _: int) -> None:
        connection.recv(65_536)
        connection.sendall(answer(b'{"result": "0x1"}'))
        connection.close()

    url = listen(talk)
    rpc = JsonRpc(url)
    assert [rpc.ask("eth_chainId") for _ in range(3)] == ["0x1"] * 3
    with pytest.raises(UnreachableChain):
        rpc.ask("evm_mine")  # It may have been mined: it is not asked twice.
    rpc.close()


def test_an_endpoint_that_asks_for_patience_is_asked_again_within_the_time(listen, monkeypatch) -> None:
    monkeypatch.setattr(jsonrpc, "PAUSES_S", (0.0, 0.0, 0.0))
    busy = answer(b"slow down", "429 Too Many Requests")
    asked: list[bytes] = []

    def talk(connection: socket.socket, _: int) -> None:
        while part := connection.recv(65_536):
            if not part.endswith(b"}"):
                continue
            asked.append(part)
            connection.sendall(answer(b'{"result": "0x1"}') if len(asked) == 3 else busy)

    rpc = JsonRpc(listen(talk))
    assert rpc.ask("eth_chainId") == "0x1"
    assert len(asked) == 3
    assert "HTTP 429" in refusal(rpc)
    assert len(asked) == 7
    assert "HTTP 429" in refusal(rpc, "evm_mine")
    assert len(asked) == 8
    monkeypatch.setattr(jsonrpc, "PAUSES_S", (0.4, 0.4))
    began = time.monotonic()
    assert "none within 0.2 s" in refusal(
        JsonRpc(listen(lambda c, _: c.recv(65_536) and c.sendall(busy)), timeout_s=0.2)
    )
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{KEY}@127.0.0.1",
        f"http://127.0.0.1:{KEY}/",
        f"http://127.0.0.1/{KEY} x",
        f"http://127.0.0.1/{KEY}\r\nHost: elsewhere",
        f"http://[::1/{KEY}",
        f"https:///{KEY}",
        f"file:///{KEY}",
        f"http://127.0.0.1/{KEY}é",
    ],
)
def test_a_url_that_is_refused_is_not_shown(url: str) -> None:
    with pytest.raises(InvalidInput, match="http or https") as caught:
        JsonRpc(url)
    assert KEY not in str(caught.value)
