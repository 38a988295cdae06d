"""A deduplicated corpus as plain Parquet files, for tools that know nothing of fates."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from nativize.artifact import Count, Report, Workplace
from nativize.crawl.document import ROW_GROUP_ROWS, ROW_GROUP_TEXT_BYTES, count_of, open_writer
from nativize.dedup.corpus import SPLITS, Split, read_shard, shard_names
from nativize.engine import CorpusEngine


def write_plain(corpus: Path, place: Workplace, *, engine: CorpusEngine) -> Report:
    """``train/<shard>.parquet`` and ``heldout/<shard>.parquet``: all columns, texts cut.

    A shard without a document of a split has no file there.

    Raises:
        CorpusError: the directory is no deduplicated corpus, or damaged.
    """
    calls = [(corpus, name, split, place.out) for name in shard_names(corpus) for split in SPLITS]
    counts = engine.map(write_plain_shard, calls, "write")
    metrics: dict[str, int] = {}
    for split in SPLITS:
        found = [count for call, count in zip(calls, counts, strict=True) if call[2] == split]
        whole = sum(found, Count())
        metrics[f"{split}_shards"] = sum(count.documents > 0 for count in found)
        metrics |= {f"{split}_{unit}": number for unit, number in vars(whole).items()}
    return Report(metrics)


def write_plain_shard(corpus: Path, name: str, split: Split, out: Path) -> Count:
    """One file below ``out``, if the shard has any document of the split; what it holds."""
    groups = _row_groups(read_shard(corpus, name, split))
    first = next(groups, None)
    written = Count()
    if first is None:
        return written
    (out / split).mkdir(exist_ok=True)
    with open_writer(out / split / f"{name}.parquet", first.schema) as writer:
        for group in chain([first], groups):
            writer.write_table(group)
            written += count_of(group["text"])
    return written


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches gathered to row groups of the size that shards have."""
    gathered: list[pa.RecordBatch] = []
    text_bytes = rows = 0
    for batch in batches:
        gathered.append(batch)
        rows += len(batch)
        text_bytes += pc.sum(pc.binary_length(batch["text"])).as_py()
        if rows >= ROW_GROUP_ROWS or text_bytes >= ROW_GROUP_TEXT_BYTES:
            yield pa.Table.from_batches(gathered)
            gathered, text_bytes, rows = [], 0, 0
    if gathered:
        yield pa.Table.from_batches(gathered)
