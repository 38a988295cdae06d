"""Which block each training sample is: a pure function, in constant time and memory.

Every corpus is permuted anew each epoch by a Feistel network with cycle walking (Black and
Rogaway 2002, "Ciphers with Arbitrary Finite Domains"); no permutation is ever held in memory.
Replay samples are interleaved as a line is drawn on a raster (Bresenham), so that any run of
samples holds its share to within one.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

ROUNDS = 4
"""Luby and Rackoff 1988: four rounds make a pseudo-random permutation."""

NEW, REPLAY = "new", "replay"


@dataclass(frozen=True)
class Order:
    """The order of an endless training.

    Attributes:
        blocks: number of blocks of each corpus, "new" and "replay".
        replay_share: share of samples that are replay, 0 to 1.
        seed: of the permutations.
    """

    blocks: Mapping[str, int]
    replay_share: float
    seed: int

    def locate(self, sample: int) -> tuple[str, int]:
        """Corpus and block number of a sample (0, 1, 2 … without end)."""
        replay = self._replay_before(sample)
        is_replay = self._replay_before(sample + 1) > replay
        corpus, position = (REPLAY, replay) if is_replay else (NEW, sample - replay)
        epoch, offset = divmod(position, self.blocks[corpus])
        key = f"{self.seed}:{corpus}:{epoch}".encode()
        return corpus, permute(offset, self.blocks[corpus], key)

    def samples_per_epoch(self) -> int:
        """Samples until every block of the new corpus was seen once (of replay, without new)."""
        share = self._share()
        if share == 1:
            return self.blocks[REPLAY]
        # n samples hold ceil(n * (1 - share)) new ones: the least n that holds them all
        return int((self.blocks[NEW] - 1) / (1 - share)) + 1

    def _replay_before(self, sample: int) -> int:
        share = self._share()
        return sample * share.numerator // share.denominator

    def _share(self) -> Fraction:
        # by its decimal text: 0.1 is one in ten, not 3602879701896397 in 2**55
        return Fraction(str(self.replay_share))


def permute(position: int, size: int, key: bytes) -> int:
    """Where ``position`` goes in the permutation of ``range(size)`` that ``key`` names."""
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    while True:
        position = _feistel(position, half, key)
        if position < size:  # walk the cycle: under four steps on average, as 4**half < 4 * size
            return position


def _feistel(value: int, half: int, key: bytes) -> int:
    mask = (1 << half) - 1
    left, right = value >> half, value & mask
    for number in range(ROUNDS):
        message = number.to_bytes(1, "little") + right.to_bytes(8, "little")
        mixed = hashlib.blake2b(message, key=key[:64], digest_size=8).digest()
        left, right = right, left ^ (int.from_bytes(mixed, "little") & mask)
    return left << half | right
