"""All documents of a corpus together, numbered by shard and row: what is known of each.

About 130 bytes a document lie in memory, half of them its id. Numbers never decide anything; where
documents are compared, quality, length, date and at last the id do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.errors import CorpusError

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Documents:
    """N signed documents of S shards.

    Attributes:
        shards: the shards' files.
        digests: of each shard's content.
        directory: where their signatures are.
        begins: S + 1 numbers, the first document of each shard, and N.
        table: N rows, columns as `sign_shard` writes them.
    """

    shards: Sequence[Path]
    digests: Sequence[str]
    directory: Path
    begins: Numbers
    table: pa.Table

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def ids(self) -> pa.ChunkedArray:
        return self.table["id"]

    def column(self, name: str) -> NDArray[np.generic]:
        """One number a document."""
        return np.asarray(self.table[name].to_numpy())

    def signature_file(self, shard: int, kind: str) -> Path:
        """The file of a shard that `sign_shard` made."""
        return self.directory / f"{self.shards[shard].stem}.{kind}"

    def by_shard(self, documents: Numbers) -> list[tuple[int, Numbers]]:
        """Sorted documents as (shard, those of them that are in it), without empty ones."""
        cuts = np.searchsorted(documents, self.begins)
        pieces = [
            (shard, documents[cuts[shard] : cuts[shard + 1]]) for shard in range(len(cuts) - 1)
        ]
        return [(shard, piece) for shard, piece in pieces if len(piece)]

    def places(self, documents: Numbers) -> NDArray[np.uint8]:
        """The sketches of sorted documents, 8 bits a place."""
        parts = [
            np.load(self.signature_file(shard, "places.npy"), mmap_mode="r")[
                piece - self.begins[shard]
            ]
            for shard, piece in self.by_shard(documents)
        ]
        return np.concatenate(parts)

    def place_of(self, document: int) -> str:
        """Where a document stands, for people."""
        shard = int(np.searchsorted(self.begins, document, "right")) - 1
        return f"row {self.table['row'][document]} of {self.shards[shard].name}"

    def best(self, documents: Numbers, groups: Numbers) -> Numbers:
        """For each group from 0 on the document that survives.

        Lowest perplexity, then longest, then earliest fetched (an unknown date is the latest), then
        the smallest id.

        Args:
            documents: m documents.
            groups: the group of each; none of 0 … g - 1 is empty.
        """
        keys = self._merits(documents)
        order = np.lexsort((*keys, groups))
        groups, documents = groups[order], documents[order]
        opens = np.flatnonzero(np.diff(groups, prepend=-1))
        heads = opens[groups]
        tied = np.ones(len(order), bool)
        for key in keys:
            tied &= key[order] == key[order][heads]
        best = documents[opens]
        alone = np.bincount(groups[tied], minlength=len(best)) == 1
        undecided = tied & ~alone[groups]
        if undecided.any():
            smallest, named = self.smallest_ids(documents[undecided], groups[undecided])
            best[named] = smallest
        return best

    @cached_property
    def ranks(self) -> Numbers:
        """Of each document its rank by quality, length and date, 0 the best; ties as they come."""
        ranks = np.empty(len(self), np.int64)
        ranks[np.lexsort(self._merits(np.arange(len(self))))] = np.arange(len(self))
        return ranks

    def _merits(self, documents: Numbers) -> tuple[NDArray[np.generic], ...]:
        """What decides between documents, the weightiest last, the smaller the better."""
        return (
            self.column("date")[documents],
            -self.column("characters")[documents].astype(np.int64),
            self.column("perplexity")[documents],
        )

    def smallest_ids(self, documents: Numbers, groups: Numbers) -> tuple[Numbers, Numbers]:
        """The document with the smallest id of each group there is, and these groups."""
        order = self.in_order_of_ids(documents, groups)
        documents, groups = documents[order], groups[order]
        opens = np.flatnonzero(np.diff(groups, prepend=-1))
        return documents[opens], groups[opens]

    def in_order_of_ids(self, documents: Numbers, groups: Numbers) -> Numbers:
        """An order by group, then id."""
        table = pa.table({"group": groups, "id": self.ids.take(pa.array(documents))})
        order = pc.sort_indices(table, sort_keys=[("group", "ascending"), ("id", "ascending")])
        return np.asarray(order.to_numpy(), np.int64)


def read_documents(directory: Path, shards: Sequence[Path], digests: Sequence[str]) -> Documents:
    """What was signed of all shards.

    Raises:
        CorpusError: two documents have the same id; names both places.
    """
    tables = [pq.read_table(directory / f"{shard.stem}.documents.parquet") for shard in shards]
    begins = np.cumsum([0, *map(len, tables)])
    table = _in_one_piece(tables)
    documents = Documents(shards, digests, directory, begins, table)
    _require_distinct_ids(documents)
    return documents


def _in_one_piece(tables: list[pa.Table]) -> pa.Table:
    """All rows in one chunk; a column at a time, so that only one is held twice."""
    columns = {}
    for name in tables[0].column_names:
        columns[name] = pa.concat_arrays([c for t in tables for c in t[name].chunks])
        tables[:] = [table.drop_columns([name]) for table in tables]
    return pa.table(columns)


def _require_distinct_ids(documents: Documents) -> None:
    hashes = documents.column("id_hash")
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    for at in same.tolist():
        first, second = sorted(order[[at, at + 1]].tolist())
        if documents.ids[first] == documents.ids[second]:
            raise CorpusError(
                f"document id {documents.ids[first]} stands twice, in"
                f" {documents.place_of(first)} and in {documents.place_of(second)}; ids must be"
                " unique, so give the crawl sources different names or name each file once"
            )


def equal_groups(*keys: Hashes) -> tuple[Numbers, Numbers]:
    """Indices of all that have an equal in all keys, and the group of each, numbered from 0."""
    order = np.lexsort(keys) if len(keys) > 1 else np.argsort(keys[0], kind="stable")
    opens = np.zeros(len(order), bool)
    opens[:1] = True
    for key in keys:
        opens[1:] |= key[order][1:] != key[order][:-1]
    group = np.cumsum(opens) - 1
    shared = np.bincount(group, minlength=1)[group] > 1
    _, numbered = np.unique(group[shared], return_inverse=True)
    return order[shared].astype(np.int64), numbered.astype(np.int64)
