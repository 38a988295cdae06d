"""Pairs of documents that share a band, and the joining of pairs to clusters.

Two rounds keep large families cheap: first every member of a band's group against the group's
best, then only pairs that are still in different clusters. A family of n near-identical pages
costs n comparisons instead of n²/2, and the clusters are the same, because a pair that is joined
already cannot change them. What is left of large groups is a crowd (`nativize.dedup.crowds`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.documents import Hashes, Mask, Numbers

MOST_HOPEFUL = 8
"""Pairs to compare for each member of a group; one that has more is a crowd. 17 never have."""
MOST_TRIED = 500
"""Sketches to compare for each; 10 µs in every group, where a member of a crowd costs 150 once."""

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def star_pairs(entries: NDArray[np.uint64], merits: Hashes) -> NDArray[np.uint64]:
    """Of one band: the best of each group against all others, best << 32 | other.

    The best one is the likeliest to survive, so that what explains a removal, its similarity to
    the survivor, mostly is one of these.

    Args:
        entries: a band's, of `Bands`.
        merits: of each document; the smallest is the best.
    """
    return np.asarray(_stars(entries, merits))


class Among(NamedTuple):
    """What pairs are looked for among, of all documents.

    Attributes:
        merits: as for `star_pairs`.
        clusters: of each document.
        rows: where the sketch of a document that is in a group is.
        sketches: a row each.
        touched: at least one of a pair is.
        least_equal: pairs with fewer equal places are left out.
    """

    merits: Hashes
    clusters: NDArray[np.uint32]
    rows: NDArray[np.uint32]
    sketches: NDArray[np.uint8]
    touched: Mask
    least_equal: int


def remaining_pairs(entries: NDArray[np.uint64], among: Among) -> tuple[Hashes, Hashes]:
    """Of one band: all pairs that no cluster joins yet and whose sketches leave hope, and crowds.

    Pairs of `star_pairs` are not among these.

    Args:
        entries: a band's, of `Bands`.
        among: all documents.
    Returns:
        Pairs better << 32 | other; and of groups with too many of them number << 32 | document.
    """
    pairs, crowds = _unjoined(entries, among, MOST_HOPEFUL, MOST_TRIED)
    return pairs, crowds


def crowds_together(parts: Sequence[Hashes]) -> Hashes:
    """Crowds of several calls of `remaining_pairs`; those of each get numbers of their own."""
    some, crowds = [np.empty(0, np.uint64)], np.uint64(0)
    for part in parts:
        if len(part):
            some.append(part + (crowds << _HALF))
            crowds = (some[-1][-1] >> _HALF) + np.uint64(1)
    return np.concatenate(some)


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
    return found[:count]


@compiled
def _unjoined(entries: Any, among: Any, most_hopeful: int, most_tried: int) -> Any:
    found, crowded = [np.uint64(0)], [np.uint64(0)]
    begin, crowds = 0, 0
    while begin < len(entries):
        end = _group_end(entries, begin)
        if end > begin + 2 and not _is_joined(entries, begin, end, among.clusters):
            members = (entries[begin:end] & _LOW).astype(np.int64)
            best = np.int64(_best_of(entries, begin, end, among.merits))
            hopeful = np.empty(most_hopeful * len(members), np.uint64)
            count = _hopeful_pairs(members, best, among, most_tried * len(members), hopeful)
            if count < 0:
                for member in members:
                    crowded.append(np.uint64(crowds) << _HALF | np.uint64(member))
                crowds += 1
            for at in range(count):
                found.append(hopeful[at])
        begin = end
    return np.array(found[1:], np.uint64), np.array(crowded[1:], np.uint64)


@compiled
def _hopeful_pairs(members: Any, best: Any, among: Any, most_tried: int, hopeful: Any) -> int:
    """A group's pairs into the room for them; how many, -1 if they are too many."""
    merits, clusters, rows, sketches, touched, least_equal = among
    is_touched = touched[members]
    some = members[is_touched]
    some = some[np.argsort(clusters[some])]
    everyone = np.append(some, members[~is_touched])
    count, tried, others = 0, 0, 0
    for first in some:
        while others < len(some) and clusters[some[others]] == clusters[first]:
            others += 1
        if first == best:
            continue
        for second in everyone[others:]:
            if second != best and clusters[second] != clusters[first]:
                tried += 1
                if equal_bytes(sketches[rows[first]], sketches[rows[second]]) >= least_equal:
                    if count == len(hopeful):
                        return -1
                    hopeful[count] = pair_of(first, second, merits)
                    count += 1
        if tried > most_tried:
            return -1
    return count


@compiled
def pair_of(first: int, second: int, merits: Any) -> Any:
    """Two documents as one number, the better one first."""
    if (merits[second], second) < (merits[first], first):
        first, second = second, first
    return np.uint64(first) << _HALF | np.uint64(second)


@compiled
def _is_joined(entries: Any, begin: int, end: int, clusters: Any) -> bool:
    """Whether one cluster has all of a group."""
    for at in range(begin + 1, end):
        if clusters[np.int64(entries[at] & _LOW)] != clusters[np.int64(entries[begin] & _LOW)]:
            return False
    return True


@compiled
def equal_bytes(first: Any, second: Any) -> int:
    equal = 0
    for place in range(len(first)):
        equal += first[place] == second[place]
    return equal


@compiled
def _count_equal(sketches: Any, pairs: Any, rows: Any, equal: Any) -> None:
    for pair in range(len(pairs)):
        equal[pair] = equal_bytes(sketches[rows[pairs[pair, 0]]], sketches[rows[pairs[pair, 1]]])


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
