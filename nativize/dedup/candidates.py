"""Pairs of documents that share a band, and the joining of pairs to clusters.

Two rounds keep large families cheap: first every member of a band's group against the group's
best, then only pairs that are still in different clusters. A family of n near-identical pages
costs n comparisons instead of n²/2, and the clusters are the same, because a pair that is joined
already cannot change them. Bands are joined on the engine, each by whoever reads that row of all
shards' files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.documents import Documents, Mask, Numbers

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class Bands:
    """The bands of all shards, and in a directory what joining them takes; it travels to workers.

    Attributes:
        files: of each shard.
        begins: the first document of each shard.
        count: how many bands there are.
        directory: arrays over all documents, by name.
        narrowed: only groups with a touched document are looked at.
    """

    files: tuple[Path, ...]
    begins: tuple[int, ...]
    count: int
    directory: Path
    narrowed: bool

    @classmethod
    def of(
        cls, documents: Documents, count: int, takes_part: Mask, touched: Mask, directory: Path
    ) -> Self:
        """The bands of those documents that take part; of their groups those that are touched."""
        shards = range(len(documents.shards))
        files = tuple(documents.signature_file(shard, "bands") for shard in shards)
        narrowed = touched is not takes_part
        bands = cls(files, tuple(documents.begins[:-1].tolist()), count, directory, narrowed)
        directory.mkdir(parents=True, exist_ok=True)
        bands.save(takes_part=takes_part, touched=touched, ranks=documents.ranks)
        return bands

    def save(self, **arrays: NDArray[Any]) -> None:
        for name, array in arrays.items():
            np.save(self.directory / f"{name}.npy", array, allow_pickle=False)

    def load(self, name: str) -> NDArray[Any]:
        # copied when written to, which nobody does: a kernel would be compiled twice otherwise
        return np.asarray(np.load(self.directory / f"{name}.npy", mmap_mode="c"))

    def entries(self, band: int) -> NDArray[np.uint64]:
        """Of one band hash << 32 | document of all that take part, in order.

        Of a narrowed band only the groups with a touched document, which are kept once found.
        """
        found = self.directory / f"entries-{band}.npy"
        if found.exists():
            return self.load(found.stem)
        takes_part = self.load("takes_part")
        wanted = self._wanted(band) if self.narrowed else None
        parts = [np.empty(0, np.uint64)]
        for entries, begin in self._rows(band):
            if wanted is None:
                entries += np.uint64(begin)
                parts.append(entries[takes_part[(entries & _LOW).astype(np.int64)]])
            else:
                parts.append(_of_groups(entries, begin, wanted, takes_part))
        whole = np.concatenate(parts)
        whole.sort()
        if self.narrowed:
            self.save(**{found.stem: whole})
        return whole

    def _wanted(self, band: int) -> NDArray[np.uint64]:
        """The hashes of touched documents in order, each once."""
        touched, parts = self.load("touched"), [np.empty(0, np.uint64)]
        ends = (*self.begins[1:], len(touched))
        of_shards = [touched[begin:end] for begin, end in zip(self.begins, ends, strict=True)]
        shards = [shard for shard, here in enumerate(of_shards) if here.any()]
        for shard, (entries, _) in zip(shards, self._rows(band, shards), strict=True):
            here = of_shards[shard]
            parts.append(entries[here[(entries & _LOW).astype(np.int64)]] >> _HALF)
        return np.unique(np.concatenate(parts))

    def _rows(
        self, band: int, shards: Sequence[int] | None = None
    ) -> Iterator[tuple[NDArray[np.uint64], int]]:
        """Of all shards, or some, hash << 32 | number in the shard, and the shard's first."""
        for shard in range(len(self.files)) if shards is None else shards:
            path = self.files[shard]
            size = path.stat().st_size // self.count
            yield np.fromfile(path, np.uint64, size // 8, offset=size * band), self.begins[shard]


def stars_of_band(bands: Bands, band: int) -> NDArray[np.uint64]:
    """`star_pairs` of one band."""
    return star_pairs(bands.entries(band), bands.load("ranks"))


def rest_of_band(bands: Bands, band: int, least_equal: int) -> NDArray[np.uint64]:
    """`remaining_pairs` of one band; clusters, rows and places were saved with the bands."""
    names = ("ranks", "clusters", "rows", "places", "touched")
    ranks, clusters, rows, places, touched = map(bands.load, names)
    return remaining_pairs(bands.entries(band), ranks, clusters, rows, places, touched, least_equal)


def star_pairs(entries: NDArray[np.uint64], ranks: Numbers) -> NDArray[np.uint64]:
    """Of one band: the best of each group against all others, best << 32 | other, in order.

    The best one is the likeliest to survive, so that what explains a removal, its similarity to
    the survivor, mostly is one of these.

    Args:
        entries: a band's, of `Bands`.
        ranks: of each document; the smallest is the best.
    """
    return np.asarray(_stars(entries, ranks))


def remaining_pairs(
    entries: NDArray[np.uint64],
    ranks: Numbers,
    clusters: Numbers,
    rows: Numbers,
    places: Any,
    touched: Mask,
    least_equal: int,
) -> NDArray[np.uint64]:
    """Of one band: all pairs that no cluster joins yet and whose sketches leave hope.

    Args:
        entries: a band's, of `Bands`.
        ranks: as for `star_pairs`, whose pairs are not among these.
        clusters: of each document.
        rows: where the sketch of a document is, -1 where it is in no group.
        places: the sketches.
        touched: at least one of a pair is.
        least_equal: pairs with fewer equal places are left out.
    """
    return np.asarray(_unjoined(entries, ranks, clusters, rows, places, touched, least_equal))


def union(parts: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """All pairs of some lists in order, each once, in order; the lists are let go one by one."""
    whole = np.empty(0, np.uint64)
    while parts:
        whole = np.asarray(_merged(whole, parts.pop()))
    return whole


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
def _merged(first: Any, second: Any) -> Any:
    merged = np.empty(len(first) + len(second), np.uint64)
    i, j, count = 0, 0, 0
    while i < len(first) or j < len(second):
        if j == len(second) or (i < len(first) and first[i] <= second[j]):
            value = first[i]
            i += 1
        else:
            value = second[j]
            j += 1
        if count == 0 or merged[count - 1] != value:
            merged[count] = value
            count += 1
    return merged[:count].copy()


@compiled
def _of_groups(entries: Any, begin: int, wanted: Any, takes_part: Any) -> Any:
    """Of a shard's row hash << 32 | document of those that have a wanted hash and take part."""
    found, count, at = np.empty(len(entries), np.uint64), 0, 0
    for value in wanted:
        while at < len(entries) and entries[at] >> _HALF < value:
            at += 1
        while at < len(entries) and entries[at] >> _HALF == value:
            if takes_part[begin + np.int64(entries[at] & _LOW)]:
                found[count] = entries[at] + np.uint64(begin)
                count += 1
            at += 1
    return found[:count].copy()


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
    entries: Any,
    ranks: Any,
    clusters: Any,
    rows: Any,
    places: Any,
    touched: Any,
    least_equal: int,
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
                        and (touched[first] or touched[second])
                        and first != best
                        and second != best
                        and _equal(places[rows[first]], places[rows[second]]) >= least_equal
                    ):
                        better, other = entries[i] & _LOW, entries[j] & _LOW
                        if ranks[second] < ranks[first]:
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
