# pragma version ~=0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Signatures of several, each counted once
@custom:contract-name quorum
@license Apache-2.0
@notice Signatures are packed, 65 bytes each (r, s, v), in rising order of the signers' addresses, so nobody counts twice.
    Sets of signers are kept by version: an old report is judged by those who could sign it.
@custom:security A signature has one form: s in the lower half of the group's order (EIP-2), v 27 or 28. Otherwise anybody could
    write a second one from the first.
"""

SIGNERS_MAX: constant(uint256) = 32
SIGNATURE_BYTES: constant(uint256) = 65
# Half the order of secp256k1, 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0.
S_MAX: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

isSigner: HashMap[uint256, HashMap[address, bool]]  # version, signer
threshold: HashMap[uint256, uint256]  # version


@internal
def _install(version: uint256, signers: DynArray[address, SIGNERS_MAX], needed: uint256):
    """
    @notice Keep a set of signers: addresses in rising order, none empty; 0 < needed <= their number < 2 * needed, so that
        two quorums share a signer.
    """
    assert needed <= len(signers) and len(signers) < 2 * needed, "threshold"
    last: address = empty(address)
    for signer: address in signers:
        assert convert(signer, uint256) > convert(last, uint256), "signers out of order"
        self.isSigner[version][signer] = True
        last = signer
    self.threshold[version] = needed


@internal
@view
def _check(version: uint256, digest: bytes32, signatures: Bytes[SIGNERS_MAX * SIGNATURE_BYTES]):
    """
    @notice Reverts unless enough signers of a version have signed the digest, and nobody else.
    """
    count: uint256 = len(signatures) // SIGNATURE_BYTES
    assert len(signatures) == count * SIGNATURE_BYTES, "signature length"
    assert count >= self.threshold[version], "too few signatures"
    last: uint256 = 0
    for i: uint256 in range(count, bound=SIGNERS_MAX):
        at: uint256 = i * SIGNATURE_BYTES
        s: uint256 = extract32(signatures, at + 32, output_type=uint256)
        v: uint256 = convert(slice(signatures, at + 64, 1), uint256)
        assert s <= S_MAX and (v == 27 or v == 28), "malleable signature"
        signer: address = ecrecover(digest, v, extract32(signatures, at, output_type=uint256), s)
        assert convert(signer, uint256) > last, "signers out of order"
        assert self.isSigner[version][signer], "not a signer"
        last = convert(signer, uint256)
