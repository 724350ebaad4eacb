"""The engine's noise, so that a seed means the same picture here and there.

The 32-byte key is the seed's four bytes, least significant first, and 28 zeros; ChaCha20 with nonce and
counter zero gives 32-bit words; each pair gives two normal numbers by Box and Muller (1958), in f64.
"""

import numpy as np


def normal(seed: int, count: int) -> np.ndarray:
    """Standard normal numbers, float32 [count]."""
    words = chacha20_words(seed, -(-count // 16) * 16).astype(np.float64)
    u = (words[0::2] + 1) / 2**32
    angle = 2 * np.pi * words[1::2] / 2**32
    radius = np.sqrt(-2 * np.log(u))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).reshape(-1)[:count].astype(np.float32)


def chacha20_words(seed: int, count: int) -> np.ndarray:
    """The first `count` (a multiple of 16) keystream words, uint32, all blocks at once (RFC 8439's rounds)."""
    blocks = count // 16
    state = np.zeros((16, blocks), np.uint32)
    state[:4] = np.frombuffer(b"expand 32-byte k", "<u4")[:, None]
    state[4] = seed
    state[12] = np.arange(blocks)
    x = state.copy()

    def quarter(a, b, c, d):
        for p, q, r, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[p] += x[q]
            x[r] ^= x[p]
            x[r] = (x[r] << np.uint32(turn)) | (x[r] >> np.uint32(32 - turn))

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for diagonal in range(4):
            quarter(diagonal, (diagonal + 1) % 4 + 4, (diagonal + 2) % 4 + 8, (diagonal + 3) % 4 + 12)
    return (x + state).T.reshape(-1)
