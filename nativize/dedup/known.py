"""Similarities that an earlier run found, by the digests of both texts.

Similarity is a function of two texts, so what was found once stays true whatever comes and goes;
a refresh compares only pairs that are new. Forgetting it costs time and changes no result.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.documents import Documents, Hashes, Numbers
from nativize.dedup.shingles import mix

ARRAYS = ("first", "second", "similarity")
UNKNOWN = np.nan


@dataclass(frozen=True)
class KnownPairs:
    """m pairs: two hashes of 64 bits, the first in order, and their similarity (or `BELOW`)."""

    first: Hashes
    second: Hashes
    similarity: NDArray[np.float64]

    @classmethod
    def nothing(cls) -> Self:
        return cls(np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0))

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """What was written; nothing where there is none."""
        if path is None or not path.exists():
            return cls.nothing()
        with np.load(path, allow_pickle=False) as arrays:
            return cls(*(arrays[name] for name in ARRAYS))

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: getattr(self, name) for name in ARRAYS})

    def of(self, first: Hashes, second: Hashes) -> NDArray[np.float64]:
        """Similarity of each pair, `UNKNOWN` where it was never found."""
        if not len(self.first):
            return np.full(len(first), UNKNOWN)
        places = np.minimum(np.searchsorted(self.first, first), len(self.first) - 1)
        is_known = (self.first[places] == first) & (self.second[places] == second)
        return np.where(is_known, self.similarity[places], UNKNOWN)

    def after(self, newer: Self) -> Self:
        """What is known with these pairs too; of a pair that stands in both the newer answer."""
        first = np.concatenate([newer.first, self.first])
        _, places = np.unique(first, return_index=True)
        second = np.concatenate([newer.second, self.second])[places]
        similarity = np.concatenate([newer.similarity, self.similarity])[places]
        return type(self)(first[places], second, similarity)


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
