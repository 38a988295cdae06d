"""The bands of all shards, joined: the exchange of deduplication, through files that shards keep.

Every shard left its bands in order, a row a band. A call joins some bands, or a range of hashes of
one, which it reads of every shard's file, and writes the pairs that it finds to a file again. So no
call holds more than its slice, whichever machine it runs on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nativize.compiled import compiled
from nativize.dedup.candidates import Among, crowds_together, remaining_pairs, star_pairs
from nativize.dedup.documents import Documents, Hashes, Mask
from nativize.dedup.mapped import Mode, mapped
from nativize.dedup.pairs import merge, pieces, split_pairs
from nativize.engine import CorpusEngine

MOST_ENTRIES = 16_000_000
"""Of a band in one call, about: 130 MB; of more documents a band is joined in several."""
WORTH_A_CALL = 1_000_000
"""Entries, 8 MB; of few documents a call joins several bands."""
NARROWED = 8
"""So many times as many entries are worth a call where most of them are only passed by."""
ARRAYS: Mapping[str, DTypeLike] = {
    "takes_part": np.bool_, "touched": np.bool_, "merits": np.uint64, "clusters": np.uint32,
    "rows": np.uint32, "sketches": np.uint8,
}  # fmt: skip
"""What joining takes beside the bands, a file each."""

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
FIRST_BITS = 16
_REST = np.uint64(64 - FIRST_BITS)


@dataclass(frozen=True)
class Bands:
    """The bands of all shards, and in a directory what joining them takes; it travels to workers.

    Attributes:
        files: of each shard.
        begins: the first document of each shard.
        count: how many bands there are.
        parts: in how many calls each is joined.
        directory: arrays over all documents, by name, and pairs.
        narrowed: only groups with a touched document are looked at.
    """

    files: tuple[Path, ...]
    begins: tuple[int, ...]
    count: int
    parts: int
    directory: Path
    narrowed: bool

    @classmethod
    def of(
        cls, documents: Documents, count: int, takes_part: Mask, touched: Mask, directory: Path
    ) -> Self:
        """The bands of those documents that take part; of their groups those that are touched."""
        shards = range(len(documents.shards))
        files = tuple(documents.signature_file(shard, "bands") for shard in shards)
        parts = -(-len(documents) // MOST_ENTRIES)
        narrowed = touched is not takes_part
        begins = tuple(documents.begins[:-1].tolist())
        bands = cls(files, begins, count, parts, directory, narrowed)
        directory.mkdir(parents=True, exist_ok=True)
        bands.save(takes_part=[takes_part], touched=[touched])
        bands.save(merits=(documents.merits(shard) for shard in shards))
        return bands

    def save(self, **arrays: Iterable[NDArray[Any]]) -> None:
        """Arrays of `ARRAYS`, part by part."""
        for name, parts in arrays.items():
            with (self.directory / name).open("wb") as file:
                for part in parts:
                    part.tofile(file)

    def load(self, name: str, mode: Mode = "c") -> NDArray[Any]:
        """One of them, mapped; not by "r", for which kernels would be compiled once more."""
        return mapped(self.directory / name, ARRAYS[name], mode)

    def slices(self) -> list["Slice"]:
        """All there is to join, in the pieces that are joined in one call."""
        worth = WORTH_A_CALL * (NARROWED if self.narrowed else 1)
        at_once = max(worth // len(self.load("touched")), 1)
        firsts = range(0, self.count, at_once)
        some = [range(first, min(first + at_once, self.count)) for first in firsts]
        return [Slice(self, bands, part) for bands in some for part in range(self.parts)]

    def with_touched(self, packed: Hashes) -> Mask:
        """Which of some pairs have a touched document."""
        return np.asarray(self.load("touched")[split_pairs(packed)].any(axis=1))

    def save_sketches(self, documents: Documents, packed: Hashes) -> None:
        """The sketches of all documents in some pairs, and in which row each one's is."""
        wanted = np.zeros(len(documents), bool)
        for piece in pieces(packed):
            wanted[split_pairs(piece)] = True
        documents.write_sketches(np.flatnonzero(wanted), self.directory / "sketches")
        self.save(rows=[np.cumsum(wanted, dtype=np.uint32) - np.uint32(1)])

    def among(self, least_equal: int, places: int) -> Among:
        """What pairs are looked for among; clusters, rows and sketches were saved with the bands.

        A sketch has so many places.
        """
        merits, clusters, rows, touched = map(self.load, ("merits", "clusters", "rows", "touched"))
        sketches = self.load("sketches").reshape(-1, places)
        return Among(merits, clusters, rows, sketches, touched, least_equal)

    def crowds(self) -> Hashes:
        """All crowds that `write_rest` left."""
        return crowds_together(
            [np.fromfile(piece.file("crowds"), np.uint64) for piece in self.slices()]
        )

    def join(
        self, engine: CorpusEngine, write: Callable[..., None], out: Path, *settings: int
    ) -> Hashes:
        """The pairs that a function writes of each slice, in a file: each once, in order."""
        slices = self.slices()
        engine.map(write, [(piece, *settings) for piece in slices], "bands")
        parts = [piece.file("pairs") for piece in slices]
        whole = merge(parts, out)
        for part in parts:
            part.unlink()
        return whole


@dataclass(frozen=True)
class Slice:
    """What one call joins: some bands, of each the same range of hashes.

    Attributes:
        all: the bands that it is of.
        bands: which of them.
        part: the range's number.
    """

    all: Bands
    bands: range
    part: int

    def file(self, kind: str) -> Path:
        return self.all.directory / f"{kind}-{self.bands.start}-{self.part}"

    def entries(self) -> list[Hashes]:
        """For each band hash << 32 | document of all that take part, in order.

        Of narrowed bands only the groups with a touched document, which are kept once found.
        """
        takes_part = self.all.load("takes_part")
        if not self.all.narrowed:
            return self._of_all(takes_part)
        kept = self.file("entries")
        if not kept.exists():
            found = self._of_touched(takes_part)
            lengths = np.array([len(entries) for entries in found], np.uint64)
            np.concatenate([lengths, *found]).tofile(kept)
        whole = np.fromfile(kept, np.uint64)
        lengths, whole = whole[: len(self.bands)], whole[len(self.bands) :]
        return np.split(whole, np.cumsum(lengths[:-1]).astype(np.int64))

    def write(self, parts: Sequence[Hashes]) -> None:
        """Pairs that were found of each band, as the slice's: each once, in order."""
        np.unique(np.concatenate(parts)).tofile(self.file("pairs"))

    def _of_all(self, takes_part: Mask) -> list[Hashes]:
        found = [np.empty(len(takes_part), np.uint64) for _ in self.bands]
        counts = [0 for _ in self.bands]
        for shard, begin in enumerate(self.all.begins):
            for at, row in enumerate(self._rows_of(shard)):
                counts[at] = _gather(row, begin, takes_part, found[at], counts[at])
        found = [entries[:count] for entries, count in zip(found, counts, strict=True)]
        for entries in found:
            entries.sort()
        return found

    def _of_touched(self, takes_part: Mask) -> list[Hashes]:
        touched = np.split(self.all.load("touched"), self.all.begins[1:])
        some = [shard for shard, mask in enumerate(touched) if mask.any()]
        nothing = np.empty(0, np.uint64)
        hashes = [[nothing] for _ in self.bands]
        for shard in some:
            for at, row in enumerate(self._rows_of(shard)):
                hashes[at].append(_hashes_of(row, touched[shard]))
        wanted = [_distinct(np.concatenate(parts)) for parts in hashes]
        likely = [_first_bits(some) for some in wanted]
        found = [[nothing] for _ in self.bands]
        for shard, begin in enumerate(self.all.begins):
            for at, row in enumerate(self._rows_of(shard)):
                found[at].append(_of_groups(row, begin, wanted[at], likely[at], takes_part))
        return [np.sort(np.concatenate(parts)) for parts in found]

    def _rows_of(self, shard: int) -> Sequence[Hashes]:
        """Of a shard hash << 32 | number in the shard, for each band."""
        path = self.all.files[shard]
        count = path.stat().st_size // 8 // self.all.count
        rows = mapped(path, mode="c").reshape(self.all.count, count)
        return [row[self._range(row)] for row in rows[self.bands.start : self.bands.stop]]

    def _range(self, row: Hashes) -> slice:
        """Where the slice's hashes lie; all that 32 bits have are dealt out evenly."""
        parts = self.all.parts
        borders = [((number << 32) // parts) << 32 for number in range(1, parts)]
        cuts = np.searchsorted(row, np.array(borders, np.uint64)).tolist()
        return slice(*[0, *cuts, len(row)][self.part : self.part + 2])


def write_stars(piece: Slice) -> None:
    """`star_pairs` of a slice."""
    merits = piece.all.load("merits")
    piece.write([star_pairs(entries, merits) for entries in piece.entries()])


def write_rest(piece: Slice, least_equal: int, places: int) -> None:
    """`remaining_pairs` of a slice, and its crowds; see `Bands.among`."""
    among = piece.all.among(least_equal, places)
    pairs, crowds = zip(*(remaining_pairs(some, among) for some in piece.entries()), strict=True)
    piece.write(pairs)
    crowds_together(crowds).tofile(piece.file("crowds"))


@compiled
def _gather(entries: Any, begin: int, takes_part: Any, whole: Any, count: int) -> int:
    """A shard's row with the documents' numbers, of those that take part, behind ``count``."""
    for entry in entries:
        if takes_part[begin + np.int64(entry & _LOW)]:
            whole[count] = entry + np.uint64(begin)
            count += 1
    return count


@compiled
def _hashes_of(entries: Any, wanted: Any) -> Any:
    """The hashes of a shard's row that wanted documents have."""
    found, count = np.empty(len(entries), np.uint64), 0
    for entry in entries:
        if wanted[np.int64(entry & _LOW)]:
            found[count] = entry >> _HALF
            count += 1
    return found[:count].copy()


def _distinct(hashes: Hashes) -> Hashes:
    """Each once, in order; those of one shard are in order, which ``np.unique`` makes no use of."""
    ascending = np.sort(hashes)
    return ascending[np.flatnonzero(np.diff(ascending, prepend=~ascending[:1]))]


def _first_bits(hashes: Hashes) -> Mask:
    """Which `FIRST_BITS` some hashes of 32 begin with: most others are told from them by these."""
    begun = np.zeros(1 << FIRST_BITS, bool)
    begun[hashes >> np.uint64(32 - FIRST_BITS)] = True
    return begun


@compiled
def _of_groups(entries: Any, begin: int, wanted: Any, likely: Any, takes_part: Any) -> Any:
    """Of a shard's row hash << 32 | document of those that have a wanted hash and take part."""
    found, count, at = np.empty(len(entries), np.uint64), 0, 0
    for entry in entries:
        if not likely[entry >> _REST]:
            continue
        value = entry >> _HALF
        while at < len(wanted) and wanted[at] < value:
            at += 1
        if at < len(wanted) and wanted[at] == value and takes_part[begin + np.int64(entry & _LOW)]:
            found[count] = entry + np.uint64(begin)
            count += 1
    return found[:count].copy()
