"""Pairs of documents that share a band, and the joining of pairs to clusters.

Two rounds keep large families cheap: first every member of a band's group against the group's
best, then only pairs that are still in different clusters. A family of n near-identical pages
costs n comparisons instead of n²/2, and the clusters are the same, because a pair that is joined
already cannot change them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.documents import Documents, Mask, Numbers

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def band_entries(
    documents: Documents, bands: int, takes_part: Mask
) -> Iterator[NDArray[np.uint64]]:
    """For each band hash << 32 | document of all that take part, in order; one band in memory."""
    for band in range(bands):
        parts = [np.empty(0, np.uint64)]
        for shard, begin in enumerate(documents.begins[:-1].tolist()):
            # opened for each band: thousands of shards would be more files than a process may hold
            path = documents.signature_file(shard, "bands")
            size = path.stat().st_size // bands
            entries = np.fromfile(path, np.uint64, size // 8, offset=size * band)
            entries += np.uint64(begin)
            parts.append(entries[takes_part[(entries & _LOW).astype(np.int64)]])
        whole = np.concatenate(parts)
        whole.sort()
        yield whole


def star_pairs(entries: NDArray[np.uint64], ranks: Numbers) -> NDArray[np.uint64]:
    """Of one band: the best of each group against all others, best << 32 | other, in order.

    The best one is the likeliest to survive, so that what explains a removal, its similarity to
    the survivor, mostly is one of these.

    Args:
        entries: a band's, of `band_entries`.
        ranks: of each document; the smallest is the best.
    """
    return np.asarray(_stars(entries, ranks))


def remaining_pairs(
    entries: NDArray[np.uint64],
    ranks: Numbers,
    clusters: Numbers,
    rows: Numbers,
    places: Any,
    least_equal: int,
) -> NDArray[np.uint64]:
    """Of one band: all pairs that no cluster joins yet and whose sketches leave hope.

    Args:
        entries: a band's, of `band_entries`.
        ranks: as for `star_pairs`, whose pairs are not among these.
        clusters: of each document.
        rows: where the sketch of a document is, -1 where it is in no group.
        places: the sketches.
        least_equal: pairs with fewer equal places are left out.
    """
    return np.asarray(_unjoined(entries, ranks, clusters, rows, places, least_equal))


def equal_places(places: NDArray[np.uint8], pairs: Numbers) -> NDArray[np.int64]:
    """In how many places the sketches of m pairs (m x 2 rows) are equal."""
    equal = np.empty(len(pairs), np.int64)
    _count_equal(places, pairs, equal)
    return equal


def split_pairs(packed: NDArray[np.uint64]) -> Numbers:
    """first << 32 | other as m x 2."""
    pairs = np.empty((len(packed), 2), np.int64)
    pairs[:, 0], pairs[:, 1] = packed >> _HALF, packed & _LOW
    return pairs


@compiled
def _group_end(entries: Any, begin: int) -> int:
    """Where the entries with the hash of the one at ``begin`` end."""
    end = begin + 1
    while end < len(entries) and entries[end] >> _HALF == entries[begin] >> _HALF:
        end += 1
    return end


@compiled
def _best_of(entries: Any, begin: int, end: int, ranks: Any) -> Any:
    best = entries[begin] & _LOW
    for at in range(begin + 1, end):
        other = entries[at] & _LOW
        if ranks[np.int64(other)] < ranks[np.int64(best)]:
            best = other
    return best


@compiled
def _stars(entries: Any, ranks: Any) -> Any:
    found = np.empty(len(entries), np.uint64)
    count, begin = 0, 0
    while begin < len(entries):
        end = _group_end(entries, begin)
        if end > begin + 1:
            best = _best_of(entries, begin, end, ranks)
            for at in range(begin, end):
                other = entries[at] & _LOW
                if other != best:
                    found[count] = best << _HALF | other
                    count += 1
        begin = end
    return np.sort(found[:count])


@compiled
def _unjoined(
    entries: Any, ranks: Any, clusters: Any, rows: Any, places: Any, least_equal: int
) -> Any:
    found = [np.uint64(0)]
    begin = 0
    while begin < len(entries):
        end = _group_end(entries, begin)
        if not _is_joined(entries, begin, end, clusters):
            best = _best_of(entries, begin, end, ranks)
            for i in range(begin, end):
                first = np.int64(entries[i] & _LOW)
                for j in range(i + 1, end):
                    second = np.int64(entries[j] & _LOW)
                    if (
                        clusters[first] != clusters[second]
                        and first != best
                        and second != best
                        and _equal(places[rows[first]], places[rows[second]]) >= least_equal
                    ):
                        better, other = entries[i] & _LOW, entries[j] & _LOW
                        if ranks[second] < ranks[first]:
                            better, other = other, better
                        found.append(better << _HALF | other)
        begin = end
    return np.array(found[1:], np.uint64) if len(found) > 1 else np.empty(0, np.uint64)


@compiled
def _is_joined(entries: Any, begin: int, end: int, clusters: Any) -> bool:
    """Whether one cluster has all of a group."""
    for at in range(begin + 1, end):
        if clusters[np.int64(entries[at] & _LOW)] != clusters[np.int64(entries[begin] & _LOW)]:
            return False
    return True


@compiled
def _equal(first: Any, second: Any) -> int:
    equal = 0
    for place in range(len(first)):
        equal += first[place] == second[place]
    return equal


@compiled
def _count_equal(places: Any, pairs: Any, equal: Any) -> None:
    for pair in range(len(pairs)):
        equal[pair] = _equal(places[pairs[pair, 0]], places[pairs[pair, 1]])


@compiled
def find(parents: Any, node: int) -> int:
    """The root of a node, which is the smallest of its cluster; halves the path."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@compiled
def join(parents: Any, pairs: Any) -> None:
    """Unite the clusters of each pair (m x 2)."""
    for at in range(len(pairs)):
        first, second = find(parents, pairs[at, 0]), find(parents, pairs[at, 1])
        if first < second:
            parents[second] = first
        elif second < first:
            parents[first] = second


@compiled
def roots(parents: Any) -> Any:
    """The root of every node."""
    found = np.empty_like(parents)
    for node in range(len(parents)):
        found[node] = find(parents, node)
    return found
