"""Pairs of documents on disk, first << 32 | other in ascending files, worked on piece by piece.

A corpus has more pairs than documents, and no step needs all of them at once: in memory are about
`MOST_PAIRS`, however many there are.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nativize.dedup.documents import Hashes, Mask, Numbers
from nativize.dedup.mapped import mapped

Number = TypeVar("Number", np.uint64, np.int64)

MOST_PAIRS = 4_000_000
"""In memory at once: 32 MB as numbers, some 500 MB while their similarities are looked up."""

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def ranges(runs: Sequence[Hashes]) -> Iterator[list[slice]]:
    """Of ascending runs one slice each, again and again, of at most `MOST_PAIRS` numbers together.

    Slices hold the same range of numbers, so that equal ones are together; more than
    `MOST_PAIRS` are so only where they are equal.
    """
    # between two borders lie as many marks as there are runs, and of each run `every` numbers more
    count = max(len(runs), 1)
    every = max(MOST_PAIRS // (2 * count), 1)
    marks = np.sort(np.concatenate([np.empty(0, np.uint64), *(run[::every] for run in runs)]))
    borders = marks[count::count]
    cuts = [[0, *np.searchsorted(run, borders).tolist(), len(run)] for run in runs]
    for at in range(len(borders) + 1):
        yield [slice(cut[at], cut[at + 1]) for cut in cuts]


def merge(parts: Sequence[Path], out: Path) -> Hashes:
    """Ascending files as one, each number once."""
    runs = [mapped(part) for part in parts]
    with out.open("wb") as file:
        for some in ranges(runs):
            together = [run[piece] for run, piece in zip(runs, some, strict=True)]
            np.unique(np.concatenate([np.empty(0, np.uint64), *together])).tofile(file)
    return mapped(out)


def pieces(pairs: NDArray[Number]) -> Iterator[NDArray[Number]]:
    """All of some pairs, packed or split, `MOST_PAIRS` at a time."""
    for begin in range(0, len(pairs), MOST_PAIRS):
        yield np.array(pairs[begin : begin + MOST_PAIRS])


def sifted(packed: Hashes, keep: Callable[[Hashes], Mask], out: Path) -> Hashes:
    """Those of a file that are kept, in a file of their own."""
    with out.open("wb") as file:
        for piece in pieces(packed):
            piece[keep(piece)].tofile(file)
    return mapped(out)


def is_among(packed: Hashes, others: Hashes) -> Mask:
    """Which of some numbers are among others, ascending ones on disk."""
    if not len(others):
        return np.zeros(len(packed), bool)
    places = np.minimum(np.searchsorted(others, packed), len(others) - 1)
    return np.asarray(others[places] == packed)


def split_pairs(packed: NDArray[np.uint64]) -> Numbers:
    """first << 32 | other as m x 2."""
    pairs = np.empty((len(packed), 2), np.int64)
    pairs[:, 0], pairs[:, 1] = packed >> _HALF, packed & _LOW
    return pairs
