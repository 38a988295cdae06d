"""Text out of a corpus: all of it in order, or a bounded sample spread over all of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow.compute as compute
import pyarrow.parquet as parquet

from nativize.errors import CorpusError

Split = Literal["train", "heldout"]
BATCH_ROWS = 256


def shard_paths(corpus: Path, split: Split) -> list[Path]:
    """The shards of one split, sorted by name.

    Raises:
        CorpusError: the split has no shard at all.
    """
    paths = sorted((corpus / split).glob("*.parquet"))
    if not paths:
        raise CorpusError(f"{corpus / split}: no *.parquet shard; materialise the corpus again")
    return paths


def read_shard(path: Path) -> Iterator[list[str]]:
    """The texts of one shard in bounded batches."""
    for column in _columns(path):
        yield column.to_pylist()


def read_texts(corpus: Path, split: Split) -> Iterator[str]:
    """Every document's text of a split, in the order of its shards."""
    for path in shard_paths(corpus, split):
        for texts in read_shard(path):
            yield from texts


def sample_texts(corpus: Path, split: Split, maximum_characters: int) -> list[str]:
    """Whole documents spread evenly over a split, at most so many characters; no chance in it.

    A document is taken whenever what was taken lags behind its share of what was seen, so that
    every source is there in proportion. Only the last document may be cut.
    """
    total = _characters(corpus, split)
    share = min(1.0, maximum_characters / max(total, 1))
    seen = taken = 0
    sample: list[str] = []
    for text in read_texts(corpus, split):
        if share == 1.0 or taken <= share * seen:
            sample.append(text[: maximum_characters - taken])
            taken += len(sample[-1])
        seen += len(text)
        if taken >= maximum_characters:
            break
    return sample


def _characters(corpus: Path, split: Split) -> int:
    lengths = (
        compute.sum(compute.utf8_length(column)).as_py() or 0
        for path in shard_paths(corpus, split)
        for column in _columns(path)
    )
    return sum(lengths)


def _columns(path: Path) -> Iterator[Any]:
    with parquet.ParquetFile(path) as shard:
        for batch in shard.iter_batches(BATCH_ROWS, columns=["text"]):
            yield batch.column(0)
