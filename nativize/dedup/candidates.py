"""Pairs of documents that share a band, and the joining of pairs to clusters.

Two rounds keep large families cheap: first every member of a band's group against the group's
first, then only those pairs that are still in different clusters. A family of n near-identical
pages costs about n comparisons instead of n²/2, and the clusters are the same, because a pair
that is already joined cannot change them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled

Indices = NDArray[np.int64]


def star_pairs(bands: NDArray[np.uint64]) -> Indices:
    """Each row against the first row of its group in every band; m x 2, distinct, sorted."""
    keys = np.empty(0, np.int64)
    for order, starts in _groups(bands):
        sizes = np.diff(starts)
        first = np.repeat(order[starts[:-1]], sizes)
        others = first != order
        keys = np.union1d(keys, first[others] * len(bands) + order[others])
    return _pairs(keys, len(bands))


def remaining_pairs(bands: NDArray[np.uint64], clusters: Indices) -> Indices:
    """All pairs of rows that share a band but no cluster yet; m x 2, distinct, sorted."""
    keys = np.empty(0, np.int64)
    for order, starts in _groups(bands):
        found = _unjoined(order, starts, clusters, len(bands))
        keys = np.union1d(keys, found)
    return _pairs(keys, len(bands))


def _groups(bands: NDArray[np.uint64]) -> Iterator[tuple[Indices, Indices]]:
    """For each band: rows ordered by hash, and where in that order each group begins."""
    for band in range(bands.shape[1]):
        column = bands[:, band]
        order = np.argsort(column, kind="stable").astype(np.int64)
        ordered = column[order]
        borders = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        yield order, np.concatenate(([0], borders, [len(order)])).astype(np.int64)


def _pairs(keys: Indices, rows: int) -> Indices:
    return np.stack(np.divmod(keys, max(rows, 1)), axis=1)


@compiled
def _unjoined(order: Any, starts: Any, clusters: Any, rows: int) -> Any:
    found = []
    for group in range(len(starts) - 1):
        members = order[starts[group] : starts[group + 1]]
        for i in range(len(members)):
            for j in range(i + 1, len(members)):
                if clusters[members[i]] != clusters[members[j]]:
                    found.append(members[i] * rows + members[j])
    keys = np.empty(len(found), np.int64)
    for at in range(len(found)):
        keys[at] = found[at]
    return np.unique(keys)


@compiled
def find(parents: Any, node: int) -> int:
    """The root of a node, which is the smallest of its cluster; halves the path."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@compiled
def join(parents: Any, pairs: Any) -> None:
    """Unite the clusters of each pair."""
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
