"""An endpoint that answers nonsense, or not at all, is an error with its name, and never a value."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crossmargin.adapters.networks.anvil import VARIABLE, AnvilBackend, find_anvil
from crossmargin.adapters.networks.jsonrpc import JsonRpc
from crossmargin.adapters.networks.rpc_reader import RpcReader
from crossmargin.core.errors import InvalidInput, Reverted, UnknownName, UnreachableChain

Answers = Callable[[dict], bytes]


@pytest.fixture
def serve() -> Iterator[Callable[[Answers], str]]:
    """Starts a server whose answers to JSON-RPC requests are as given; its URL."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(answers: Answers) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = answers(asked)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 the library's name
                """Nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def result(value: object) -> Answers:
    """The chain id 0x1, and else this result."""
    return lambda asked: json.dumps({"id": 1, "result": "0x1" if asked["method"] == "eth_chainId" else value}).encode()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"error": "no"}', b'{"error": {"message": "busy"}}'])
def test_what_is_no_answer_is_said_with_the_endpoint(serve, body: bytes) -> None:
    with pytest.raises(UnreachableChain, match="http://127"):
        RpcReader(serve(lambda asked: body))


@pytest.mark.parametrize("value", ["0xzz", 7, {}, {"number": "0x1"}, [1], "text"])
def test_a_result_of_the_wrong_form_is_refused(serve, value: object) -> None:
    reader = RpcReader(serve(result(value)))
    for ask in (
        lambda: reader.block(1),
        lambda: reader.proof(bytes(20), [1], 1),
        lambda: reader.logs(first=0, last=1),
        lambda: reader.call(bytes(20), b""),
    ):
        with pytest.raises(UnreachableChain, match="in no known form"):
            ask()
    reader.rpc.close()


def test_null_is_no_block_and_a_revert_carries_its_output(serve) -> None:
    reader = RpcReader(serve(result(None)))
    with pytest.raises(UnknownName, match="block"):
        reader.block(b"\x00" * 32)
    reader.rpc.close()
    refused = json.dumps({"error": {"code": 3, "message": "execution reverted", "data": "0x08c379a0"}}).encode()
    rpc = JsonRpc(serve(lambda asked: refused))
    with pytest.raises(Reverted) as caught:
        rpc.ask("eth_call")
    assert caught.value.output == bytes.fromhex("08c379a0")
    rpc.close()


def test_a_url_must_be_one_and_a_port_must_answer() -> None:
    for url in ("ftp://127.0.0.1", "127.0.0.1", "http://"):
        with pytest.raises(InvalidInput, match="http or https"):
            JsonRpc(url)
    with pytest.raises(UnreachableChain, match="no answer"):
        JsonRpc("http://127.0.0.1:1", timeout_s=1.0).ask("eth_chainId")


def test_anvil_is_named_or_missed(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "anvil"))
    assert find_anvil() == tmp_path / "anvil"
    with pytest.raises(InvalidInput, match="make chains"):
        AnvilBackend()
    ends = tmp_path / "ends"
    ends.write_text("#!/bin/sh\nexit 3\n")
    ends.chmod(0o755)
    with pytest.raises(UnreachableChain, match="did not start, exit status 3"):
        AnvilBackend(binary=ends)
