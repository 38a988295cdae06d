"""Bounded samples of a corpus that depend on its documents alone: smallest hashes of ids first."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray


@dataclass(frozen=True)
class Listing:
    """All documents of some shards, without their text, one row each: shard, row, source,
    characters, and hash, by which samples are drawn.
    """

    table: pa.Table

    def sample(
        self, *, characters: int | None = None, documents: int | None = None
    ) -> dict[int, NDArray[np.int64]]:
        """Shard number → rows of a sample: as many as fit, at least one where there is any."""
        order = pc.sort_indices(self.table, sort_keys=[("hash", "ascending")]).to_numpy()
        drawn = order[:documents] if documents is not None else order
        if characters is not None:
            total = np.cumsum(self.table["characters"].to_numpy()[drawn])
            drawn = drawn[: max(1, int(np.searchsorted(total, characters, side="right")))]
        shards = self.table["shard"].to_numpy()[drawn]
        rows = self.table["row"].to_numpy()[drawn]
        by_place = np.lexsort((rows, shards))
        numbers, begins = np.unique(shards[by_place], return_index=True)
        parts = np.split(rows[by_place], begins[1:])
        return {int(number): part for number, part in zip(numbers, parts, strict=True)}

    def of_sources(self, sources: Sequence[str]) -> "Listing":
        """The documents of the named sources; of all when none is named."""
        if not sources:
            return self
        return Listing(self.table.filter(pc.is_in(self.table["source"], pa.array(sources))))

    def documents_by_source(self) -> dict[str, int]:
        counts = pc.value_counts(self.table["source"]).to_pylist()
        return {count["values"]: count["counts"] for count in sorted(counts, key=str)}


def list_documents(shards: Sequence[Path]) -> Listing:
    """What the shards hold, read one row group at a time."""
    parts = [part for number, shard in enumerate(shards) for part in _list_shard(number, shard)]
    return Listing(pa.concat_tables(parts) if parts else _empty())


def texts_of_rows(shard: Path, rows: NDArray[np.int64]) -> Iterator[str]:
    """The texts of some rows (sorted) of a shard, one row group in memory at a time."""
    with pq.ParquetFile(shard) as file:
        begin = 0
        for group in range(file.num_row_groups):
            end = begin + file.metadata.row_group(group).num_rows
            wanted = rows[(rows >= begin) & (rows < end)] - begin
            begin = end
            if len(wanted):
                texts = file.read_row_group(group, columns=["text"])["text"]
                yield from texts.take(pa.array(wanted)).to_pylist()


def _list_shard(number: int, shard: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(shard) as file:
        begin = 0
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=["id", "source", "text"])
            ids = table["id"].to_pylist()
            yield pa.table(
                {
                    "shard": pa.array([number] * len(ids), pa.int64()),
                    "row": pa.array(range(begin, begin + len(ids)), pa.int64()),
                    "source": table["source"],
                    "characters": pc.cast(pc.utf8_length(table["text"]), pa.int64()),
                    "hash": [hashlib.blake2b(i.encode(), digest_size=16).digest() for i in ids],
                }
            )
            begin += len(ids)


def _empty() -> pa.Table:
    names = ("shard", "row", "source", "characters", "hash")
    types = (pa.int64(), pa.int64(), pa.string(), pa.int64(), pa.binary())
    return pa.schema(list(zip(names, types, strict=True))).empty_table()
