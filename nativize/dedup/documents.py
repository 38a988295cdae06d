"""All documents of a corpus together, numbered by shard and row: what is known of each.

It lies on disk, a file a shard, a column after the other, and is read column by column or for some
documents alone: in memory is what somebody is at work with. Numbers never decide anything; where
documents are compared, quality, length, date and at last the id do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import DTypeLike, NDArray

from nativize.artifact import Accounts
from nativize.compiled import compiled
from nativize.dedup.mapped import mapped
from nativize.dedup.shingles import bit_of
from nativize.errors import CorpusError

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Hashes = NDArray[np.uint64]

COLUMNS: Mapping[str, DTypeLike] = {
    "id_hash": np.uint64,
    "url_hash": np.uint64,
    "digest_high": np.uint64,
    "digest_low": np.uint64,
    "date": np.int64,
    "bytes": np.uint32,
    "characters": np.uint32,
    "perplexity": np.float32,
    "row": np.uint32,
    "place": np.uint32,
    "shingled": np.bool_,
    "complicated": np.bool_,
}
"""62 bytes a document; ``place`` is where its text begins in its page of the shard."""
_SIZES = [np.dtype(kind).itemsize for kind in COLUMNS.values()]
_OFFSETS = dict(zip(COLUMNS, accumulate(_SIZES, initial=0), strict=False))
MOST_MAPPED = 4_096
"""Shards whose files stay mapped; Linux allows 65,530 maps."""
MOST_DOCUMENTS = 2**32 - 1
"""Numbers have 32 bits, beside a hash of 32."""

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


class Equals(NamedTuple):
    """Documents that have an equal, and the group of each; groups are numbered from 0."""

    members: Numbers
    groups: Numbers


class _Mapped(NamedTuple):
    """What `write_documents` wrote of a shard."""

    columns: NDArray[np.uint8]
    ids: pa.Array

    @classmethod
    def of(cls, columns: Path, ids: Path) -> Self:
        return cls(mapped(columns, np.uint8), _read_ids(ids))


@dataclass(frozen=True)
class Documents:
    """N signed documents of S shards.

    Attributes:
        shards: the shards' files.
        digests: of each shard's content.
        directory: where their signatures are.
        rows: of each shard how many it has, signed or not.
        begins: S + 1 numbers, the first document of each shard, and N.
    """

    shards: Sequence[Path]
    digests: Sequence[str]
    directory: Path
    rows: Sequence[int]
    begins: Numbers

    def __len__(self) -> int:
        return int(self.begins[-1])

    def signature_file(self, shard: int, kind: str) -> Path:
        """The file of a shard that `sign_shard` made."""
        return self.directory / f"{self.shards[shard].stem}.{kind}"

    def _mapped(self, shard: int) -> "_Mapped":
        if shard not in self._maps:
            if len(self._maps) >= MOST_MAPPED:
                self._maps.clear()
            files = (self.signature_file(shard, kind) for kind in ("documents", "ids.arrow"))
            self._maps[shard] = _Mapped.of(*files)
        return self._maps[shard]

    @cached_property
    def _maps(self) -> "dict[int, _Mapped]":
        return {}

    def column(self, name: str) -> NDArray[Any]:
        """What `COLUMNS` has under a name, of every document."""
        whole = np.empty(len(self), COLUMNS[name])
        for shard in range(len(self.shards)):
            whole[self.begins[shard] : self.begins[shard + 1]] = self.of_shard(name, shard)
        return whole

    def of_shard(self, name: str, shard: int) -> NDArray[Any]:
        """The same of the documents of one shard; not to be changed."""
        count = int(self.begins[shard + 1] - self.begins[shard])
        return column_of(self._mapped(shard).columns, name, count)

    def of(self, name: str, documents: Numbers) -> NDArray[Any]:
        """The same of some documents, in any order and shape."""
        found = np.empty(documents.shape, COLUMNS[name])
        for shard, places in self._places_by_shard(documents):
            found.flat[places] = self.of_shard(name, shard)[
                documents.flat[places] - self.begins[shard]
            ]
        return found

    def ids(self, documents: Numbers) -> pa.Array:
        """The ids of some documents, in any order."""
        parts, order = [pa.array([], pa.string())], [np.empty(0, np.int64)]
        for shard, places in self._places_by_shard(documents):
            whole = self._mapped(shard).ids
            parts.append(whole.take(pa.array(documents[places] - self.begins[shard])))
            order.append(places)
        back = np.empty(len(documents), np.int64)
        back[np.concatenate(order)] = np.arange(len(documents))
        return pa.concat_arrays(parts).take(pa.array(back))

    def id(self, document: int) -> str:
        """Its id."""
        return str(self.ids(np.array([document]))[0].as_py())

    def by_shard(self, documents: Numbers) -> list[tuple[int, Numbers]]:
        """Sorted documents as (shard, those of them that are in it), without empty ones."""
        return [(shard, documents[places]) for shard, places in self._places_by_shard(documents)]

    def _places_by_shard(self, documents: Numbers) -> list[tuple[int, Numbers]]:
        """Of documents in any order the places where those of each shard stand."""
        flat = documents.ravel()
        is_sorted = bool((flat[1:] >= flat[:-1]).all())
        order = np.arange(len(flat)) if is_sorted else np.argsort(flat, kind="stable")
        cuts = np.searchsorted(flat, self.begins, sorter=order)
        pieces = [(shard, order[cuts[shard] : cuts[shard + 1]]) for shard in range(len(cuts) - 1)]
        return [(shard, piece) for shard, piece in pieces if len(piece)]

    def write_sketches(self, documents: Numbers, path: Path) -> None:
        """The sketches of sorted documents end to end, a byte a place."""
        with path.open("wb") as file:
            for shard, piece in self.by_shard(documents):
                whole = np.load(self.signature_file(shard, "places.npy"), mmap_mode="r")
                whole[piece - self.begins[shard]].tofile(file)

    def place_of(self, document: int) -> str:
        """Where a document stands, for people."""
        shard = int(np.searchsorted(self.begins, document, "right")) - 1
        return f"row {self.of('row', np.array([document]))[0]} of {self.shards[shard].name}"

    def equals(self, takes_part: Mask, *names: str) -> Equals:
        """Of those that take part all that have an equal in all these columns, hashes each."""
        likely = self._likely_equal(takes_part, names[0])
        keys = [self.of(name, likely) for name in names]
        order = np.lexsort(keys)
        opens = np.zeros(len(order), bool)
        opens[:1] = True
        for key in keys:
            opens[1:] |= key[order][1:] != key[order][:-1]
        group = np.cumsum(opens) - 1
        shared = np.bincount(group, minlength=1)[group] > 1
        _, groups = np.unique(group[shared], return_inverse=True)
        return Equals(likely[order[shared]], groups.astype(np.int64))

    def _likely_equal(self, takes_part: Mask, name: str) -> Numbers:
        """Ascending documents with a hash that another has too, and a few that are alone.

        Of every hash a bit is kept, and of those whose bit was set already another: 4 to 8 bytes
        a document instead of a hash and a sort of all.
        """
        words = 1 << max(len(self) // 4, 1).bit_length()
        seen, again = np.zeros(words, np.uint64), np.zeros(words, np.uint64)
        masks = np.split(takes_part, self.begins[1:-1])
        for shard, mask in enumerate(masks):
            _note(self.of_shard(name, shard), mask, seen, again)
        return np.concatenate(
            [
                self.begins[shard] + _noted_again(self.of_shard(name, shard), mask, again)
                for shard, mask in enumerate(masks)
            ]
        )

    def best(self, documents: Numbers, groups: Numbers) -> Numbers:
        """For each group from 0 on the document that survives.

        Lowest perplexity, then longest, then earliest fetched (an unknown date is the latest), then
        the smallest id.

        Args:
            documents: m documents.
            groups: the group of each; none of 0 … g - 1 is empty.
        """
        merits = _merits(*(self.of(name, documents) for name in ("perplexity", "characters")))
        dates = self.of("date", documents)
        leaders = np.full(int(groups.max(initial=-1)) + 1, -1)
        tied = np.zeros(len(leaders), np.bool_)
        _find_leaders(groups, merits, dates, leaders, tied)
        best, first = documents[leaders], leaders[groups]
        level = np.flatnonzero(tied[groups] & (merits == merits[first]) & (dates == dates[first]))
        order = level[in_order(groups[level], self.ids(documents[level]))]
        smallest = np.diff(groups[order], prepend=-1) != 0
        best[groups[order[smallest]]] = documents[order[smallest]]
        return np.asarray(best)

    def merits(self, shard: int) -> Hashes:
        """Of each document of a shard one number by quality and length, the smaller the better."""
        return _merits(*(self.of_shard(name, shard) for name in ("perplexity", "characters")))


def in_order(*keys: Any) -> Numbers:
    """The order of rows by some columns, the weightiest first."""
    table = pa.table(
        [pa.array(key) for key in keys], names=[str(number) for number in range(len(keys))]
    )
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names])
    return np.asarray(order.to_numpy(), np.int64)


def write_documents(out: Path, stem: str, ids: pa.Array, columns: Mapping[str, Any]) -> None:
    """What is known of a shard's documents: ``<stem>.documents`` and ``<stem>.ids.arrow``."""
    with (out / f"{stem}.documents").open("wb") as file:
        for name, kind in COLUMNS.items():
            np.asarray(columns[name]).astype(kind).tofile(file)
    table = pa.table({"id": ids})
    with pa.ipc.new_file(out / f"{stem}.ids.arrow", table.schema) as writer:
        writer.write_table(table.combine_chunks())


def read_documents(
    directory: Path, shards: Sequence[Path], digests: Sequence[str], accounts: Sequence[Accounts]
) -> Documents:
    """What was signed of all shards; the books of each say how many documents.

    Raises:
        CorpusError: two documents have the same id, names both places; or they are too many.
    """
    rows = [account.entered.documents for account in accounts]
    begins = np.cumsum([0, *(account.kept.documents for account in accounts)])
    documents = Documents(shards, digests, directory, rows, begins)
    if len(documents) > MOST_DOCUMENTS:
        raise CorpusError(
            f"{len(documents)} documents are more than one corpus can hold ({MOST_DOCUMENTS});"
            " split the crawl into recipes by language or source"
        )
    _require_distinct_ids(documents)
    return documents


def column_of(columns: NDArray[np.uint8], name: str, count: int) -> NDArray[Any]:
    """A column of the documents in a mapped file, so many as it has."""
    begin, kind = _OFFSETS[name] * count, np.dtype(COLUMNS[name])
    return columns[begin : begin + kind.itemsize * count].view(kind)


def _read_ids(path: Path) -> pa.Array:
    """All ids of a shard, mapped, so that only those that are looked at are read."""
    with pa.memory_map(str(path)) as file:
        chunks = pa.ipc.open_file(file).read_all()["id"].chunks
    return chunks[0] if chunks else pa.array([], pa.string())


def _require_distinct_ids(documents: Documents) -> None:
    everyone = np.ones(len(documents), bool)
    members, groups = documents.equals(everyone, "id_hash")
    found = documents.ids(members)
    order = in_order(groups, found)
    ids = found.take(pa.array(order)).to_pylist()
    for at, (one, other) in enumerate(pairwise(ids)):
        if one == other:
            first, second = sorted(members[order[[at, at + 1]]].tolist())
            raise CorpusError(
                f"document id {one} stands twice, in {documents.place_of(first)} and in"
                f" {documents.place_of(second)}; ids must be unique, so give the crawl sources"
                " different names or name each file once"
            )


def _merits(perplexity: NDArray[np.float32], characters: NDArray[np.uint32]) -> Hashes:
    # no perplexity is negative, so that its bits are in order; what is not known is infinite
    quality = perplexity.view(np.uint32).astype(np.uint64)
    return np.asarray(quality << _HALF | (_LOW - characters))


@compiled
def _find_leaders(groups: Any, merits: Any, dates: Any, leaders: Any, tied: Any) -> None:
    """For each group where its best stands, and whether another is as good."""
    for at in range(len(groups)):
        group = groups[at]
        leader = leaders[group]
        if leader < 0 or (merits[at], dates[at]) < (merits[leader], dates[leader]):
            leaders[group], tied[group] = at, False
        elif merits[at] == merits[leader] and dates[at] == dates[leader]:
            tied[group] = True


@compiled
def _note(hashes: Any, mask: Any, seen: Any, again: Any) -> None:
    for at in range(len(hashes)):
        if mask[at]:
            word, bit = bit_of(hashes[at], len(seen))
            again[word] |= seen[word] & bit
            seen[word] |= bit


@compiled
def _noted_again(hashes: Any, mask: Any, again: Any) -> Any:
    numbers, count = np.empty(len(hashes), np.int64), 0
    for at in range(len(hashes)):
        if mask[at]:
            word, bit = bit_of(hashes[at], len(again))
            if again[word] & bit:
                numbers[count] = at
                count += 1
    return numbers[:count].copy()
