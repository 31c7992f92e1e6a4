"""keccak-256 as the Keccak team wrote it down: five steps on 25 lanes of 64 bits, 24 rounds.

Source: Bertoni, Daemen, Peeters and Van Assche (2011), "The Keccak reference", version 3.0, sections 1.2 and 2.
"""

RATE, LANES, WORD = 136, 25, (1 << 64) - 1


def keccak_256(message: bytes) -> bytes:
    """The digest of 32 bytes; padding is 1 0* 1, in bytes 0x01 … 0x80."""
    padded = bytearray(message) + b"\x01" + bytes(-(len(message) + 1) % RATE)
    padded[-1] |= 0x80
    lanes = [0] * LANES
    for block in range(0, len(padded), RATE):
        for lane in range(RATE // 8):
            at = block + 8 * lane
            lanes[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def permute(a: list[int]) -> list[int]:
    """Keccak-f[1600] of lanes a[x + 5y]."""
    register = 1
    for _ in range(24):
        parity = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        for x in range(5):
            mixed = parity[(x - 1) % 5] ^ rotate(parity[(x + 1) % 5], 1)
            for y in range(5):
                a[x + 5 * y] ^= mixed
        x, y, moving = 1, 0, a[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            moving, a[x + 5 * y] = a[x + 5 * y], rotate(moving, (step + 1) * (step + 2) // 2)
        for y in range(5):
            row = a[5 * y : 5 * y + 5]
            for x in range(5):
                a[x + 5 * y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & WORD)
        for bit in range(7):
            register = ((register << 1) ^ ((register >> 7) * 0x71)) % 256
            if register & 2:
                a[0] ^= 1 << ((1 << bit) - 1)
    return a


def rotate(lane: int, bits: int) -> int:
    """A lane turned left."""
    bits %= 64
    return ((lane << bits) | (lane >> (64 - bits))) & WORD
