"""Typed hashes against the example of EIP-712."""

import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.proofs.typed_hash import Domain, struct_hash, typed_digest

# EIP-712, section "Test cases", assets/eip-712/Example.js: the mail from Cow to Bob.
MAIL = Domain(name="Ether Mail", version="1", chain_id=1, contract=bytes.fromhex("cc" * 20))
COW = bytes.fromhex("cd2a3d9f938e13cd947ec05abc7fe734df8dd826")


def test_example_of_the_standard():
    assert MAIL.separator.hex() == "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"
    person = struct_hash("Person", [("string", "name", "Cow"), ("address", "wallet", COW)])
    assert person.hex() == "fc71e5fa27ff56c350aa531bc129ebdf613b772b6604664f5d8dbe21b85eb0c8"
    mail = bytes.fromhex("c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e")
    assert typed_digest(MAIL, mail).hex() == "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"


def test_each_part_of_a_domain_counts():
    domains = [
        Domain(),
        Domain(name="Other"),
        Domain(version="2"),
        Domain(chain_id=1),
        Domain(chain_id=2),
        Domain(contract=COW),
        Domain(chain_id=1, contract=COW),
    ]
    assert len({domain.separator for domain in domains}) == len(domains)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("uint8", 256), ("uint64", -1), ("uint128", 1 << 128), ("bytes32", b"short"), ("uint7", 1), ("string", 5)],
)
def test_values_outside_their_type_are_refused(kind, value):
    with pytest.raises(InvalidInput, match="typed hash"):
        struct_hash("Thing", [(kind, "field", value)])
