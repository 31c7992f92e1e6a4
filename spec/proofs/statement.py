"""A margin statement checked from its JSON by plain Python: what a stranger would write from the documents alone."""

from typing import Any

from spec.proofs.keccak import keccak_256
from spec.proofs.quantise import worst_loss
from spec.proofs.trees import Record, account_leaf, parent, written

HEAD = (
    "MarginStatement(uint64 epoch,uint64 asOfMs,bytes32 snapshot,bytes32 scenarioSet,bytes32 model,bytes32 book,"
    "bytes32 registry,uint8 moneyDecimals,bytes32 rowsRoot,uint64 rows,bytes32 scenariosRoot,uint64 scenarios,"
    "bytes32 accountsRoot,uint64 accounts,bytes32 claimsRoot,uint64 claims,uint128 worstLossTotal,"
    "uint128 collateralTotal)"
)


def digest(head: dict[str, Any]) -> bytes:
    """The EIP-712 digest of a head under the domain ("Crossmargin", "1")."""
    inputs = head["inputs"]
    numbers = {
        0: head["epoch"],
        1: head["as_of_ms"],
        7: head["money_decimals"],
        9: head["rows"],
        11: head["scenarios"],
        13: head["accounts"],
        15: head["claims"],
        16: int(head["worst_loss_total"]),
        17: int(head["collateral_total"]),
    }
    hashes = {
        2: inputs["snapshot"],
        3: inputs["scenario_set"],
        4: inputs["model"],
        5: inputs["book"],
        6: inputs["registry"],
        8: head["rows_root"][2:],
        10: head["scenarios_root"][2:],
        12: head["accounts_root"][2:],
        14: head["claims_root"][2:],
    }
    words = [numbers[i].to_bytes(32, "big") if i in numbers else bytes.fromhex(hashes[i]) for i in range(18)]
    structure = keccak_256(keccak_256(HEAD.encode()) + b"".join(words))
    domain = keccak_256(b"EIP712Domain(string name,string version)") + keccak_256(b"Crossmargin") + keccak_256(b"1")
    return keccak_256(b"\x19\x01" + keccak_256(domain) + structure)


def climbed(record: Record, index: int, count: int, path: list[str]) -> tuple[bytes, tuple[int, ...]]:
    """The root and the totals that a record and its path lead to."""
    assert 0 <= index < count
    assert len(path) == (count - 1).bit_length()
    for text in path:
        raw = raw_bytes(text)
        sums = tuple(int.from_bytes(raw[at : at + 16], "big") for at in range(32, len(raw), 16))
        neighbour = (raw[:32], sums)
        record = parent(neighbour, record) if index % 2 else parent(record, neighbour)
        assert all(total < 2**128 for total in record[1])
        index //= 2
    top = b"\x02" + count.to_bytes(8, "big") + bytes([len(record[1])]) + written(record)
    return keccak_256(top), record[1]


def account_holds(s: dict[str, Any]) -> bool:
    """The account's leaf leads to the root and the totals of the head."""
    packed = b"".join(
        p["row"].to_bytes(4, "big") + int(p["lots"]).to_bytes(8, "big", signed=True) + bytes([p["between"]])
        for p in s["positions"]
    )
    positions = keccak_256(b"\x12" + len(s["positions"]).to_bytes(4, "big") + packed)
    lines = b"".join(map(line_bytes, s["lines"]))
    content = keccak_256(b"\x15" + positions + keccak_256(b"\x14" + len(s["lines"]).to_bytes(4, "big") + lines))
    leaf = account_leaf(s["account"], raw_bytes(s["salt"]), content, (int(s["worst_loss"]), int(s["collateral"])))
    head = s["head"]
    totals = (int(head["worst_loss_total"]), int(head["collateral_total"]))
    return climbed(leaf, s["index"], head["accounts"], s["path"]) == (raw_bytes(head["accounts_root"]), totals)


def line_bytes(line: dict[str, Any]) -> bytes:
    """A collateral line as the leaf binds it."""
    figures = (
        int(line["amount"]).to_bytes(16, "big") + bytes([line["decimals"]]) + int(line["price"]).to_bytes(16, "big")
    )
    return keccak_256(line["instance"].encode()) + figures + int(line["weight"]).to_bytes(4, "big")


def collateral_holds(s: dict[str, Any]) -> bool:
    """The collateral is the sum of its lines, each rounded down."""
    found = sum(
        int(line["amount"]) * int(line["price"]) * line["weight"] // (10 ** line["decimals"] * 10**9)
        for line in s["lines"]
    )
    return bool(found == int(s["collateral"]))


def rows_hold(s: dict[str, Any]) -> bool:
    """Each row of a position is opened, and leads to the root of rows."""
    head, held = s["head"], True
    for row in s["rows"]:
        entry = b"\x10" + keccak_256(row["instrument"].encode()) + bytes([row["decimals"]]) + raw_bytes(row["quanta"])
        leaf = (keccak_256(b"\x00" + entry), ())
        held &= climbed(leaf, row["index"], head["rows"], row["path"])[0] == raw_bytes(head["rows_root"])
    return held and {row["index"] for row in s["rows"]} == {p["row"] for p in s["positions"]}


def loss_holds(s: dict[str, Any]) -> bool:
    """The worst loss of positions and rows is the stated one, in the stated scenario."""
    rows = {row["index"]: quanta(raw_bytes(row["quanta"])) for row in s["rows"]}
    positions = [(int(p["lots"]), p["between"]) for p in s["positions"]]
    loss, scenario = worst_loss(positions, [rows[p["row"]] for p in s["positions"]])
    return (max(loss, 0), scenario) == (int(s["worst_loss"]), s["worst"]["index"])


def scenario_holds(s: dict[str, Any]) -> bool:
    """The label of the worst scenario leads to the root of scenarios."""
    worst, head = s["worst"], s["head"]
    if worst["index"] < 0:
        return not s["positions"]
    leaf = (keccak_256(b"\x00\x11" + worst["label"].encode()), ())
    root = climbed(leaf, worst["index"], head["scenarios"], worst["path"])[0]
    return root == raw_bytes(head["scenarios_root"])


def quanta(packed: bytes) -> list[int]:
    """Signed integers of 8 bytes."""
    return [int.from_bytes(packed[at : at + 8], "big", signed=True) for at in range(0, len(packed), 8)]


def raw_bytes(text: str) -> bytes:
    """Bytes after 0x."""
    return bytes.fromhex(text.removeprefix("0x"))
