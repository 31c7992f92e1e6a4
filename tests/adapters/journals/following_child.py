"""A follower as a process of its own, to be killed: polls the chain at a URL into a journal until it is ended."""

import sys
import time
from pathlib import Path

from crossmargin.adapters.journals.store import JournalStore
from crossmargin.adapters.networks.following import Follower
from crossmargin.adapters.networks.rpc_reader import RpcReader
from tests.adapters.networks.accounts import first, source_of


def main(url: str, path: str, contract: str) -> None:
    source = source_of(bytes.fromhex(contract), RpcReader(url))
    follower = Follower(source, JournalStore(Path(path), first(source)))
    while True:
        follower.poll()
        sys.stdout.write(f"{follower.journal.head.number}\n")
        sys.stdout.flush()
        time.sleep(0.002)


if __name__ == "__main__":
    main(*sys.argv[1:])
