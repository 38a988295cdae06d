"""Pairs of documents that share a band, and the joining of pairs to clusters.

Two rounds keep large families cheap: first every member of a band's group against the group's
best, then only pairs that are still in different clusters. A family of n near-identical pages
costs n comparisons instead of n²/2, and the clusters are the same, because a pair that is joined
already cannot change them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.documents import Hashes, Mask, Numbers

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def star_pairs(entries: NDArray[np.uint64], merits: Hashes) -> NDArray[np.uint64]:
    """Of one band: the best of each group against all others, best << 32 | other, in order.

    The best one is the likeliest to survive, so that what explains a removal, its similarity to
    the survivor, mostly is one of these.

    Args:
        entries: a band's, of `Bands`.
        merits: of each document; the smallest is the best.
    """
    return np.asarray(_stars(entries, merits))


def remaining_pairs(
    entries: NDArray[np.uint64],
    merits: Hashes,
    clusters: NDArray[np.uint32],
    rows: NDArray[np.uint32],
    sketches: Any,
    touched: Mask,
    least_equal: int,
) -> NDArray[np.uint64]:
    """Of one band: all pairs that no cluster joins yet and whose sketches leave hope.

    Args:
        entries: a band's, of `Bands`.
        merits: as for `star_pairs`, whose pairs are not among these.
        clusters: of each document.
        rows: where the sketch of a document that is in a group is.
        sketches: a row each.
        touched: at least one of a pair is.
        least_equal: pairs with fewer equal places are left out.
    """
    return np.asarray(_unjoined(entries, merits, clusters, rows, sketches, touched, least_equal))


def equal_places(
    sketches: NDArray[np.uint8], pairs: Numbers, rows: NDArray[np.uint32]
) -> NDArray[np.uint16]:
    """In how many places the sketches of m pairs of documents (m x 2) are equal.

    ``rows`` says for each document where its sketch is.
    """
    equal = np.empty(len(pairs), np.uint16)
    _count_equal(sketches, pairs, rows, equal)
    return equal


@compiled
def _group_end(entries: Any, begin: int) -> int:
    """Where the entries with the hash of the one at ``begin`` end."""
    end = begin + 1
    while end < len(entries) and entries[end] >> _HALF == entries[begin] >> _HALF:
        end += 1
    return end


@compiled
def _best_of(entries: Any, begin: int, end: int, merits: Any) -> Any:
    best = entries[begin] & _LOW
    for at in range(begin + 1, end):
        other = entries[at] & _LOW
        if merits[np.int64(other)] < merits[np.int64(best)]:
            best = other
    return best


@compiled
def _stars(entries: Any, merits: Any) -> Any:
    found = np.empty(len(entries), np.uint64)
    count, begin = 0, 0
    while begin < len(entries):
        end = _group_end(entries, begin)
        if end > begin + 1:
            best = _best_of(entries, begin, end, merits)
            for at in range(begin, end):
                other = entries[at] & _LOW
                if other != best:
                    found[count] = best << _HALF | other
                    count += 1
        begin = end
    return np.sort(found[:count])


@compiled
def _unjoined(
    entries: Any,
    merits: Any,
    clusters: Any,
    rows: Any,
    sketches: Any,
    touched: Any,
    least_equal: int,
) -> Any:
    found = [np.uint64(0)]
    begin = 0
    while begin < len(entries):
        end = _group_end(entries, begin)
        if not _is_joined(entries, begin, end, clusters):
            best = _best_of(entries, begin, end, merits)
            for i in range(begin, end):
                first = np.int64(entries[i] & _LOW)
                for j in range(i + 1, end):
                    second = np.int64(entries[j] & _LOW)
                    if (
                        clusters[first] != clusters[second]
                        and (touched[first] or touched[second])
                        and first != best
                        and second != best
                        and _equal(sketches[rows[first]], sketches[rows[second]]) >= least_equal
                    ):
                        better, other = entries[i] & _LOW, entries[j] & _LOW
                        if merits[second] < merits[first]:
                            better, other = other, better
                        found.append(better << _HALF | other)
        begin = end
    return np.sort(np.array(found[1:], np.uint64)) if len(found) > 1 else np.empty(0, np.uint64)


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
def _count_equal(sketches: Any, pairs: Any, rows: Any, equal: Any) -> None:
    for pair in range(len(pairs)):
        equal[pair] = _equal(sketches[rows[pairs[pair, 0]]], sketches[rows[pairs[pair, 1]]])


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
def flatten(parents: Any) -> None:
    """Every node's root in the place of its parent, in one pass: no parent stands behind it."""
    for node in range(len(parents)):
        parents[node] = parents[parents[node]]


@compiled
def joined_nodes(parents: Any) -> Any:
    """Ascending, all nodes of flat clusters of two or more."""
    is_root = np.zeros(len(parents), np.bool_)
    count = 0
    for node in range(len(parents)):
        root = parents[node]
        if root != node:
            count += 1 + (not is_root[root])
            is_root[root] = True
    nodes, at = np.empty(count, np.int64), 0
    for node in range(len(parents)):
        if parents[node] != node or is_root[node]:
            nodes[at] = node
            at += 1
    return nodes
