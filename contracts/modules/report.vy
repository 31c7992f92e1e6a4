# pragma version ~=0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title What signers sign: typed hashes of EIP-712
@custom:contract-name report
@license Apache-2.0
@notice The digest of a report is `crossmargin.proofs.statement.head_digest` under the domain ("Crossmargin", "1", this chain,
    this contract): what is signed for one contract on one chain is good nowhere else, a fork of the chain included.
"""

from ..interfaces import MarginAttestor

DOMAIN: constant(bytes32) = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
NAME: constant(bytes32) = keccak256("Crossmargin")
VERSION: constant(bytes32) = keccak256("1")
STATEMENT: constant(bytes32) = keccak256("MarginStatement(uint64 epoch,uint64 asOfMs,bytes32 snapshot,bytes32 scenarioSet,bytes32 model,bytes32 book,bytes32 registry,uint8 moneyDecimals,bytes32 rowsRoot,uint64 rows,bytes32 scenariosRoot,uint64 scenarios,bytes32 accountsRoot,uint64 accounts,bytes32 claimsRoot,uint64 claims,uint128 worstLossTotal,uint128 collateralTotal)")


@internal
@view
def _digest(structure: bytes32) -> bytes32:
    """
    @notice What is signed of a structure with this hash.
    """
    domain: bytes32 = keccak256(abi_encode(DOMAIN, NAME, VERSION, chain.id, self))
    return keccak256(concat(b"\x19\x01", domain, structure))


@internal
@view
def _head_digest(head: MarginAttestor.Head) -> bytes32:
    """
    @notice What is signed of a report. All its fields are static, so their ABI encoding is that of EIP-712.
    """
    return self._digest(keccak256(abi_encode(STATEMENT, head)))
