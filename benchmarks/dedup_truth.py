"""The exact truth of the deduplication benchmark: all pairs at or above a Jaccard similarity.

Nothing of it is ours: text is folded by the standard library (NFKC, casefold, blank runs one
space), a shingle is five characters numbered without loss, and every pair is found by prefix
filtering: with shingles in the order of their rarity, two sets of similarity t share one within
the first |x| - ceil(t |x|) + 1 of each; candidates are then compared whole.

Source: Xiao, Wang, Lin, Yu 2008, "Efficient similarity joins for near duplicate detection".
"""

import hashlib
import math
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nativize.home import nativize_home

Pairs = dict[tuple[int, int], float]
"""Similarity by two documents' numbers, the smaller first."""
Sets = list[NDArray[np.int64]]

SHINGLE = 5
THRESHOLD = 0.8
FORMAT = b"1"
"""Part of the cache's name: another number where this file computes something else."""


def folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def truth(texts: Sequence[str], threshold: float = THRESHOLD) -> Pairs:
    """All pairs of the texts, from the cache where they were found before."""
    path = cache_path(texts, threshold)
    if not path.exists():
        found = all_pairs(shingle_sets(map(folded, texts)), threshold)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, pairs=np.array([*found], np.int64), similarity=np.array([*found.values()]))
        part.replace(path)
    with np.load(path, allow_pickle=False) as kept:
        pairs, similarity = kept["pairs"].reshape(-1, 2).tolist(), kept["similarity"].tolist()
    return {(i, j): value for (i, j), value in zip(pairs, similarity, strict=True)}


def cache_path(texts: Sequence[str], threshold: float) -> Path:
    digest = hashlib.sha256(FORMAT + f"{threshold}".encode())
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    home = nativize_home(Path(__file__).resolve().parents[1] / ".nativize")
    return home / "benchmarks" / f"truth-{digest.hexdigest()[:24]}.npz"


def head(pairs: Pairs, documents: int) -> Pairs:
    """The pairs among the first documents."""
    return {(i, j): value for (i, j), value in pairs.items() if j < documents}


def shingle_sets(texts: Iterable[str], length: int = SHINGLE) -> Sets:
    """Of each text the distinct shingles as numbers; the smaller, the fewer texts have it."""
    points = [np.frombuffer(text.encode("utf-32-le"), "<u4") for text in texts]
    starts = np.cumsum([0, *map(len, points)])
    _, units = np.unique(np.concatenate(points), return_inverse=True)
    shingles = numbered(units.astype(np.uint64), length)
    spans = [shingles[begin : max(begin, end - length + 1)] for begin, end in pairwise(starts)]
    return by_rarity([np.unique(span) for span in spans])


def numbered(units: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """One number for every run of so many units, the same for the same ones alone."""
    found = units
    for more in range(1, length):
        alphabet, largest = int(units.max()) + 1, int(found.max()) + 1
        if alphabet * largest >= 1 << 64:
            _, inverse = np.unique(found, return_inverse=True)
            found = inverse.astype(np.uint64)
        found = found[: len(units) - more] * np.uint64(alphabet) + units[more:]
    return found


def by_rarity(sets: Sequence[NDArray[np.uint64]]) -> Sets:
    """The sets renumbered: rare members have small numbers; each sorted."""
    _, members, counts = np.unique(np.concatenate(sets), return_inverse=True, return_counts=True)
    ranks = np.empty(len(counts), np.int64)
    ranks[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    starts = np.cumsum([0, *map(len, sets)])
    return [np.sort(ranks[members[begin:end]]) for begin, end in pairwise(starts)]


def all_pairs(sets: Sets, threshold: float) -> Pairs:
    """Every pair of sets whose Jaccard similarity reaches the threshold."""
    found = {}
    for i, j in candidates(sets, threshold).tolist():
        similarity = jaccard(sets[i], sets[j])
        if similarity >= threshold:
            found[i, j] = similarity
    return found


def jaccard(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)


def candidates(sets: Sets, threshold: float) -> NDArray[np.int64]:
    """Pairs that share a member of their prefixes and whose sizes allow it; m x 2, i < j."""
    sizes = np.array([len(one) for one in sets])
    # the float product may lie a hair above a whole number
    prefix = [size - math.ceil(threshold * size - 1e-9) + 1 if size else 0 for size in sizes]
    members = np.concatenate([one[:keep] for one, keep in zip(sets, prefix, strict=True)])
    owners = np.repeat(np.arange(len(sets)), prefix)
    order = np.lexsort((owners, members))
    members, owners = members[order], owners[order]
    keys = np.empty(0, np.int64)
    for step in range(1, len(members)):
        same = members[step:] == members[:-step]
        if not same.any():
            break
        left, right = owners[:-step][same], owners[step:][same]
        least, most = np.sort([sizes[left], sizes[right]], axis=0)
        fits = least >= threshold * most - 1e-9
        keys = np.union1d(keys, left[fits] * len(sets) + right[fits])
    return np.stack(np.divmod(keys, len(sets)), axis=1)
