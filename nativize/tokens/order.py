"""Which block each training sample is: a pure function, in constant time and memory.

Streams are interleaved as a line is drawn on a raster (Bresenham): the first stream takes its
share of all samples, the second its share of what is left, and so on. Each of these steps is exact
to within one sample in any run of samples. A stream is permuted anew each epoch by a Feistel
network with cycle walking (Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains"); no
permutation is ever held in memory.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

ROUNDS = 4
"""Luby and Rackoff 1988: four rounds make a pseudo-random permutation."""


@dataclass(frozen=True)
class Stream:
    """One source of samples.

    Attributes:
        blocks: how many there are; an epoch.
        share: of all samples; more than 0.
    """

    blocks: int
    share: Fraction


class Order:
    """The order of an endless training.

    Attributes:
        streams: by name; which come first matters, as they are divided off in turn.
        seed: of the permutations.
    """

    def __init__(self, streams: Mapping[str, Stream], seed: int) -> None:
        """Raises ValueError: shares do not sum to 1, or a stream has nothing to give."""
        if sum(stream.share for stream in streams.values()) != 1:
            raise ValueError(f"shares of {dict(streams)} do not sum to 1")
        if any(stream.blocks < 1 or stream.share <= 0 for stream in streams.values()):
            raise ValueError(f"a stream of {dict(streams)} has no block or no share")
        self.streams = dict(streams)
        self.seed = seed
        self._steps = _steps(self.streams)

    def locate(self, sample: int) -> tuple[str, int]:
        """Stream and block number of a sample (0, 1, 2 … without end)."""
        place = sample
        for name, over, under in self._steps:
            before = place * over // under
            if (place + 1) * over // under > before:
                return name, self._block(name, before)
            place -= before
        raise AssertionError("unreachable: the last stream takes all that is left")

    def counts(self, samples: int) -> dict[str, int]:
        """How many of the first ``samples`` are of each stream."""
        counts = {}
        for name, over, under in self._steps:
            counts[name] = samples * over // under
            samples -= counts[name]
        return counts

    def _block(self, name: str, position: int) -> int:
        blocks = self.streams[name].blocks
        epoch, offset = divmod(position, blocks)
        return permute(offset, blocks, f"{self.seed}:{name}:{epoch}".encode())


def _steps(streams: Mapping[str, Stream]) -> list[tuple[str, int, int]]:
    """Each stream with its share of what the earlier ones leave, as numerator and denominator."""
    left, steps = Fraction(1), []
    for name, stream in streams.items():
        share = stream.share / left
        steps.append((name, share.numerator, share.denominator))
        left -= stream.share
    return steps


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
