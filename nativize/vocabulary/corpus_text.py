"""Text out of a corpus: all of it in order, or a bounded sample spread over all of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as compute

from nativize.dedup.corpus import Split, read_shard, shard_names


def read_texts(corpus: Path, split: Split) -> Iterator[str]:
    """Every document's text of a split, in the order of its shards."""
    for column in _columns(corpus, split):
        yield from column.to_pylist()


def sample_texts(corpus: Path, split: Split, maximum_characters: int) -> list[str]:
    """Whole documents spread evenly over a split, at most so many characters; no chance in it.

    A document is taken whenever what was taken lags behind its share of what was seen, so that
    every source is there in proportion. Only the last document may be cut.
    """
    total = count_characters(corpus, split)
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


def count_characters(corpus: Path, split: Split) -> int:
    """Characters of a split."""
    lengths = (
        compute.sum(compute.utf8_length(column)).as_py() or 0 for column in _columns(corpus, split)
    )
    return sum(lengths)


def _columns(corpus: Path, split: Split) -> Iterator[Any]:
    for name in shard_names(corpus):
        for batch in read_shard(corpus, name, split, ["text"]):
            yield batch.column(0)
