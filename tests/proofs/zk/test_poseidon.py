"""Poseidon gives what other implementations of it give."""

import pytest

from crossmargin.proofs.zk.poseidon import MODULUS, poseidon

# O(1) Labs, proof-systems, poseidon/export_test_vectors/test_vectors/hex_kimchi.js, commit 0b318ef2: little-endian.
VECTORS = (
    (
        ("f2eee8d8f6e5fb182c610cae6c5393fce69dc4d900e7b4923b074e54ad00fb36",),
        "fb5992f65c07f9335995f43fd791d39012ad466717729e61045c297507054f3d",
    ),
    (
        (
            "bd3f1c8f183ceedea15080edbe79d30bd7d613b86bf2ba12007091c60ae39337",
            "65e4f04ab87706bab06d13c7eee0a7807d0b8ce268b4ece6aab1e0508ec9c42f",
        ),
        "fe2436f2027620a11233318b55d0a117086f09674826d1b7ce08d48ad0736c33",
    ),
    (
        (
            "da99182b35f2cd9f8a137052c4262576377a16deb83652db459a74893a0cf73c",
            "9805573990c4028292c9db171cd2b97902f9fc494983f6f7e0a0c184bc55df1b",
            "90ff1001b9dab21358aad1f6b7906a56d0c039502c1590c3ef9921a8951e4409",
            "88b56238a0eda34576db959fecd1c3790bb5311fdb231753243c5085974a5b37",
            "896a7727e511a4c30d99082bf3542623fb702afab0b62ebbf301ed51e38f6812",
        ),
        "09a2d55277908b7c8214f745b3605f0f9055dcd4c9b594cdd759292c34c3a20c",
    ),
)


def number(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")


@pytest.mark.parametrize(("inputs", "output"), VECTORS)
def test_the_published_vectors_hold(inputs, output):
    assert poseidon(list(map(number, inputs))) == number(output)


def test_numbers_are_reduced_and_their_order_counts():
    assert poseidon([MODULUS + 1, 2]) == poseidon([1, 2]) != poseidon([2, 1])
    assert 0 <= poseidon([MODULUS - 1] * 7) < MODULUS
