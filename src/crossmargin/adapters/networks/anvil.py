"""A chain in a child process: anvil of the Foundry project, found, started, and ended by its handle.

It listens on this machine alone, on a port that was free. Differences to `PyEvmBackend`: a reorg leaves stale hashes
to the opcode BLOCKHASH (a fault of version 1.7.1), and reads of a state by block hash find the best branch alone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from crossmargin.adapters.networks.backend import (
    BLOCK_GAS_LIMIT,
    BLOCK_INTERVAL_S,
    EPOCH_BLOCKS,
    FUNDS_WEI,
    GENESIS_S,
    BlockAnswer,
    Receipt,
    Send,
    development_keys,
)
from crossmargin.adapters.networks.jsonrpc import hexed, number, quantity, unhex
from crossmargin.adapters.networks.rpc_reader import RpcReader, log_of
from crossmargin.adapters.networks.signing import address_of, sign
from crossmargin.core.errors import InvalidInput, Reverted, UnreachableChain

VARIABLE: Final = "CROSSMARGIN_ANVIL"
_START_LIMIT_S: Final = 15.0
_POLL_S: Final = 0.01


def find_anvil() -> Path | None:
    """The binary that CROSSMARGIN_ANVIL names, that of `npm ci` in tools/chains, or one in PATH; None without any."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    # An editable install stands in its repository: src/crossmargin/adapters/networks/anvil.py.
    packages = Path(__file__).resolve().parents[4] / "tools" / "chains" / "node_modules" / "@foundry-rs"
    packed = sorted(packages.glob("anvil-*/bin/anvil*")) if packages.is_dir() else []
    found = shutil.which("anvil")
    return packed[0] if packed else Path(found) if found else None


class AnvilBackend(RpcReader):
    """A chain of Prague's rules in a child process; see `ChainBackend`."""

    def __init__(self, chain_id: int = 31_337, *, binary: Path | None = None) -> None:
        chosen = binary or find_anvil()
        if chosen is None or not chosen.is_file():
            raise InvalidInput(
                "anvil",
                where="chains",
                value=str(chosen) if chosen else "not found",
                limit="an executable file",
                remedy=f"Run `make chains`, or name the binary in {VARIABLE}.",
            )
        self.keys = development_keys()
        self._process, url = _start(chosen, chain_id)
        try:
            _wait(self._process, url)
            super().__init__(url)
            self.rpc.ask("anvil_setBlockTimestampInterval", BLOCK_INTERVAL_S)
            for key in self.keys:
                self.rpc.ask("anvil_setBalance", hexed(address_of(key)), quantity(FUNDS_WEI))
        except BaseException:
            _end(self._process)
            raise

    def send(self, key: bytes, to: bytes, calldata: bytes = b"", value: int = 0) -> Receipt:
        """Sign a transaction, mine a block with it, and say what became of it; a revert is an answer, no error."""
        sender = hexed(address_of(key))
        nonce = self._read("eth_getTransactionCount", number, sender, "latest")
        raw = sign(Send(key=key, to=to, calldata=calldata, value=value), chain_id=self.chain_id, nonce=nonce)
        transaction = self.rpc.ask("eth_sendRawTransaction", hexed(raw))
        self.rpc.ask("evm_mine")
        return self._read("eth_getTransactionReceipt", functools.partial(self._receipt, transaction), transaction)

    def deploy(self, key: bytes, init_code: bytes, value: int = 0) -> Receipt:
        """Deploy a contract; its address is `Receipt.contract`. Raises `Reverted`."""
        receipt = self.send(key, b"", init_code, value)
        if not receipt.status:
            raise Reverted(where="deployment", output=receipt.revert)
        return receipt

    def mine(self, count: int = 1) -> BlockAnswer:
        """Mine empty blocks; the last of them."""
        self.rpc.ask("anvil_mine", quantity(count), quantity(BLOCK_INTERVAL_S))
        return self.block("latest")

    def set_time(self, timestamp_s: int) -> None:
        """Let the next block have this timestamp, in Unix seconds, after that of the last."""
        last_s = self.block("latest").timestamp_s
        if timestamp_s <= last_s:
            raise InvalidInput(
                "timestamp", where="set_time", value=timestamp_s, limit=f"after {last_s}", remedy="Time only advances."
            )
        self.rpc.ask("evm_setNextBlockTimestamp", timestamp_s)

    def reorg(self, depth: int, sends: Sequence[Send] = ()) -> BlockAnswer:
        """Replace the last `depth` blocks by as many others, the first of them with `sends`; the new head."""
        height = self.block("latest").number
        if not 0 < depth <= height:
            raise InvalidInput(
                "depth", where="reorg", value=depth, limit=f"1 to {height}", remedy="Keep the first block."
            )
        made: dict[bytes, int] = {}
        pairs: list[list[Any]] = []
        for send in sends:
            sender = address_of(send.key)
            before = quantity(height - depth)
            nonce = made.get(sender, self._read("eth_getTransactionCount", number, hexed(sender), before))
            made[sender] = nonce + 1
            pairs.append([hexed(sign(send, chain_id=self.chain_id, nonce=nonce)), 0])
        self.rpc.ask("anvil_reorg", depth, pairs)
        return self.block("latest")

    def close(self) -> None:
        """Stop the chain."""
        self.rpc.close()
        _end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receipt(self, transaction: str, found: dict[str, Any]) -> Receipt:
        status = number(found["status"]) == 1
        made = found.get("contractAddress")
        return Receipt(
            transaction_hash=unhex(transaction),
            status=status,
            gas_used=number(found["gasUsed"]),
            block_hash=unhex(found["blockHash"]),
            block_number=number(found["blockNumber"]),
            contract=unhex(made) if made and status else b"",
            logs=tuple(log_of(log) for log in found["logs"]),
            revert=b"" if status else self._revert(transaction),
        )

    def _revert(self, transaction: str) -> bytes:
        """What a failed transaction returned: receipts do not say it, the trace does."""
        traced = self.rpc.ask("debug_traceTransaction", transaction, {"tracer": "callTracer"})
        return unhex(traced.get("output") or "0x")


def _start(binary: Path, chain_id: int) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(binary), "--silent", "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)]
    command += ["--no-mining", "--slots-in-an-epoch", str(EPOCH_BLOCKS), "--timestamp", str(GENESIS_S)]
    command += ["--gas-limit", str(BLOCK_GAS_LIMIT), "--hardfork", "prague", "--accounts", "1"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 the user's own binary
    return process, f"http://127.0.0.1:{port}"


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    """Until the chain answers; raises `UnreachableChain` where it ends or stays silent."""
    stop = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < stop and process.poll() is None:
        with contextlib.suppress(UnreachableChain):
            RpcReader(url, timeout_s=1.0).rpc.close()
            return
        time.sleep(_POLL_S)
    raise UnreachableChain(url, reason=f"anvil did not start, exit status {process.poll()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
