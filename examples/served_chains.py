"""Two local chains as live ones are met: behind HTTP endpoints of three operators each, with a key in every URL.

    python served_chains.py

writes registry.toml, sources.toml, book.toml and market.toml here, says which command reads the chains, and serves them
until it is interrupted. It needs the extras chains, evm, contracts and evm-local.
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from crossmargin.adapters.live.document import ChainSource, EndpointSource, Owner, SourcesDocument, VaultSource
from crossmargin.adapters.networks.backend import ChainReader, Log
from crossmargin.adapters.networks.jsonrpc import hexed, number, quantity, unhex
from crossmargin.adapters.writing import write_document
from crossmargin.cli.chains.desk import Known, Sight, book_document, chains_document, market_document
from crossmargin.cli.chains.opening import open_stage
from crossmargin.cli.chains.reading import deposit
from crossmargin.cli.chains.stage import Kind, Side, Stage
from crossmargin.core.errors import CrossmarginError, UnknownName
from crossmargin.core.finality import Health, Trust
from crossmargin.core.instant import format_instant
from crossmargin.market.chains.health import Condition
from crossmargin.proofs.receipts import BlockReceipt
from crossmargin.proofs.rlp_codec import decode
from crossmargin.proofs.state import HEADER

VARIABLE: Final = "DESK_RPC_KEY"
KEY: Final = "9c1f-a-key-of-the-desk"
OPERATORS: Final = ("north", "east", "south")
DEPOSITS: Final = {"A": 400_000, "B": 90_000}
AGREE: Final = 2


@dataclass(frozen=True, kw_only=True)
class Served:
    """Chains that are served, and when it is there: `at` is the time of the last block, as `--at` takes it."""

    stage: Stage
    folder: Path

    @property
    def at(self) -> str:
        """The time of the later chain."""
        return format_instant(self.stage.now_s * 10**9)


@contextlib.contextmanager
def served_chains(folder: Path, kind: Kind = "in-process") -> Iterator[Served]:
    """Both chains with vaults and a final deposit in each, served, and the files that read them in `folder`."""
    with ExitStack() as files:
        hidden = Path(files.enter_context(TemporaryDirectory()))
        stage = open_stage(kind, hidden, files)
        for side in stage.sides:
            deposit(stage, side, DEPOSITS[side.name])
        stage.settle()
        urls = {side.name: [files.enter_context(served(side.chain)) for _ in OPERATORS] for side in stage.sides}
        write_files(stage, urls, folder)
        yield Served(stage=stage, folder=folder)


def write_files(stage: Stage, urls: dict[str, list[str]], folder: Path) -> None:
    """What a desk keeps: the registry, the sources, and book and market without anything that is read of chains."""
    home, abroad = (side.place for side in stage.sides)
    sources = SourcesDocument(chains=tuple(source_of(stage, side, urls[side.name]) for side in stage.sides))
    nothing = Known(amounts={}, trust=Trust.L2, condition=Condition(health=Health.HEALTHY))
    known = {place.chain: nothing for place in (home, abroad)}
    final_s = min(side.chain.block("finalized").timestamp_s for side in stage.sides)
    chains = msgspec.structs.replace(chains_document(home, abroad, known, Sight()), registry="registry.toml")
    write_document(folder / "registry.toml", stage.registry.document)
    write_document(folder / "sources.toml", sources)
    write_document(folder / "book.toml", book_document(stage.account, home, abroad, known))
    write_document(folder / "market.toml", market_document(chains, time_s=final_s))


def source_of(stage: Stage, side: Side, urls: list[str]) -> ChainSource:
    """How one chain is read."""
    ways = [
        EndpointSource(name=f"{operator} {side.name}", operator=operator, url=f"{url}/v2/${VARIABLE}")
        for operator, url in zip(OPERATORS, urls, strict=True)
    ]
    vault = VaultSource(
        address=hexed(side.system.vault.address),
        instance=side.place.instance,
        code_hash=hexed(side.system.vault.code_hash),
        home=stage.a.place.chain,
        journal=f"{side.name}.sqlite",
        owners=(Owner(address=hexed(stage.owner)),),
    )
    return ChainSource(chain=side.place.chain, agree=AGREE, endpoints=tuple(ways), vaults=(vault,))


@contextlib.contextmanager
def served(reader: ChainReader) -> Iterator[str]:
    """The URL at which a reader of a chain answers JSON-RPC, to those who know the key, while the block lasts."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # In one piece: the other side would wait before it confirms a first part.

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != f"/v2/{KEY}":
                return self.say(401, {"error": {"code": -32000, "message": f"no such key: {self.path}"}})
            with lock:
                return self.say(200, answer(reader, asked["method"], asked["params"]))

        def say(self, status: int, value: dict[str, Any]) -> None:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, **value}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 the library's name
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def answer(reader: ChainReader, method: str, parameters: list[Any]) -> dict[str, Any]:
    """What an endpoint answers to one call."""
    try:
        return {"result": METHODS[method](reader, *parameters)}
    except UnknownName:
        return {"result": None}
    except CrossmarginError as failure:
        return {"error": {"code": -32000, "message": str(failure)}}


def block(reader: ChainReader, at: str, _whole: bool) -> dict[str, Any]:
    """A block as JSON-RPC states it: the fields of its header, and the hash that the reader gives it."""
    found = reader.block(unhex(at) if len(at) == 66 else number(at) if at.startswith("0x") else at)
    fields = dict(zip(HEADER, decode(found.header, where="header"), strict=False))
    stated = {
        name: quantity(int.from_bytes(raw, "big")) if HEADER[name] is None else hexed(raw)
        for name, raw in fields.items()
    }
    own = {"hash": hexed(found.hash), "number": quantity(found.number), "timestamp": quantity(found.timestamp_s)}
    return stated | own


def proof(reader: ChainReader, address: str, slots: list[str], at: str) -> dict[str, Any]:
    """The answer of EIP-1186."""
    found = reader.proof(unhex(address), [number(slot) for slot in slots], number(at))
    paths = [{"value": quantity(path.value), "proof": [hexed(node) for node in path.nodes]} for path in found.slots]
    return {"accountProof": [hexed(node) for node in found.nodes], "storageProof": paths}


def logs(reader: ChainReader, wanted: dict[str, str]) -> list[dict[str, Any]]:
    """The events of a block by its hash."""
    return [log_fields(log) for log in reader.block_logs(unhex(wanted["blockHash"]), unhex(wanted.get("address", "")))]


def log_fields(log: Log) -> dict[str, Any]:
    """An event as JSON-RPC states it."""
    return {
        "address": hexed(log.address),
        "topics": [hexed(topic) for topic in log.topics],
        "data": hexed(log.data),
        "blockHash": hexed(log.block_hash),
        "blockNumber": quantity(log.block_number),
        "transactionHash": hexed(log.transaction_hash),
        "transactionIndex": quantity(log.transaction_index),
        "logIndex": quantity(log.index),
    }


def receipts(reader: ChainReader, block_hash: str) -> list[dict[str, Any]]:
    """All receipts of a block, whose types are known here."""
    found = [one for one in reader.receipts(unhex(block_hash)) if isinstance(one, BlockReceipt)]
    return [
        {
            "type": quantity(one.kind),
            "status": "0x1" if one.outcome else "0x0",
            "cumulativeGasUsed": quantity(one.gas),
            "logsBloom": hexed(one.bloom),
            "logs": [
                {"address": hexed(log.address), "topics": [hexed(t) for t in log.topics], "data": hexed(log.data)}
                for log in one.logs
            ],
        }
        for one in found
    ]


def call(reader: ChainReader, asked: dict[str, str], at: str) -> str:
    """What a contract answers in the state after a block."""
    return hexed(reader.call(unhex(asked["to"]), unhex(asked["data"]), number(at)))


METHODS: Final = {
    "eth_call": call,
    "eth_chainId": lambda reader: quantity(reader.chain_id),
    "eth_getBlockByNumber": block,
    "eth_getBlockByHash": block,
    "eth_getProof": proof,
    "eth_getLogs": logs,
    "eth_getBlockReceipts": receipts,
}


def main() -> None:
    """Serve until interrupted."""
    with served_chains(Path.cwd()) as found, contextlib.suppress(KeyboardInterrupt):
        options = f"--book book.toml -m market.toml --out live --at {found.at}"
        sys.stdout.write(f"{VARIABLE}={KEY} crossmargin chains read sources.toml {options}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    os.environ.setdefault(VARIABLE, KEY)
    main()
