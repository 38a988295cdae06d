"""Similarities that an earlier run found, by the digests of both texts.

Similarity is a function of two texts, so what was found once stays true whatever comes and goes;
a refresh compares only pairs that are new. Forgetting it costs time and changes no result.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.documents import Documents, Hashes, Numbers
from nativize.dedup.mapped import mapped
from nativize.dedup.pairs import ranges
from nativize.dedup.shingles import mix

FILES = ("first", "second", "similarity")
UNKNOWN = np.nan


@dataclass(frozen=True)
class KnownPairs:
    """m pairs: two hashes of 64 bits, the first in order, and their similarity (or `BELOW`)."""

    first: Hashes
    second: Hashes
    similarity: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def of(cls, first: Hashes, second: Hashes, similarity: NDArray[np.float64]) -> Self:
        """The same in order."""
        order = np.argsort(first)
        return cls(first[order], second[order], similarity[order])

    @classmethod
    def read(cls, directory: Path | None) -> Self:
        """What was written, mapped; nothing where there is none."""
        if directory is None or not directory.exists():
            return cls(np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0))
        kinds = (np.uint64, np.uint64, np.float64)
        return cls(
            *(mapped(directory / name, kind) for name, kind in zip(FILES, kinds, strict=True))
        )

    def similarities(self, first: Hashes, second: Hashes) -> NDArray[np.float64]:
        """Similarity of each pair, `UNKNOWN` where it was never found."""
        if not len(self):
            return np.full(len(first), UNKNOWN)
        places = np.minimum(np.searchsorted(self.first, first), len(self) - 1)
        is_known = (self.first[places] == first) & (self.second[places] == second)
        return np.where(is_known, self.similarity[places], UNKNOWN)


def write_together(runs: Sequence[KnownPairs], directory: Path) -> KnownPairs:
    """All that some runs know, on disk; of a pair that several know the first one answers."""
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = [stack.enter_context((directory / name).open("wb")) for name in FILES]
        for some in ranges([run.first for run in runs]):
            parts = list(zip(runs, some, strict=True))
            columns = [
                np.concatenate([getattr(run, name)[part] for run, part in parts]) for name in FILES
            ]
            _, places = np.unique(columns[0], return_index=True)
            for file, column in zip(files, columns, strict=True):
                column[places].tofile(file)
    return KnownPairs.read(directory)


def pair_hashes(documents: Documents, pairs: Numbers) -> tuple[Hashes, Hashes]:
    """Two hashes of each pair (m x 2), whichever of both stands first."""
    high, low = (documents.of(f"digest_{half}", pairs) for half in ("high", "low"))
    swap = high[:, 0] > high[:, 1]
    high[swap], low[swap] = high[swap][:, ::-1], low[swap][:, ::-1]
    return np.asarray(_mixed(high)), np.asarray(_mixed(low))


@compiled
def _mixed(values: Any) -> Any:
    mixed = np.empty(len(values), np.uint64)
    for at in range(len(values)):
        mixed[at] = mix(mix(values[at, 0]) + values[at, 1])
    return mixed
