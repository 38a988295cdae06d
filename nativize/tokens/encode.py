"""One file of ids: a shard of a corpus, or all dialogues, each document between its marks."""

import itertools
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nativize.artifact import Accounts, Report
from nativize.chat.instruction import training_texts
from nativize.crawl.fields import is_encodable
from nativize.dedup.corpus import BATCH_ROWS, read_shard, shard_path
from nativize.errors import CorpusError
from nativize.tokens.id_file import IdWriter
from nativize.tokens.packing import Marks
from nativize.vocabulary.encoder import load_encoder

BUCKET = "bucket"


def encode_shard(
    vocabulary: Path,
    corpus: Path,
    shard: str,
    bucket: str | None,
    name: str,
    marks: Marks,
    bits: int,
    out: Path,
) -> Report:
    """``<name>.tokens`` of a corpus' shard: its training documents, those of one bucket or all.

    Args:
        vocabulary: the merged vocabulary.
        corpus: a deduplicated corpus.
        shard: the name of one of its shards.
        bucket: of the documents; None: of any.
        name: the stem of the file to write.
        marks: around each document.
        bits: of an id on disk.
        out: directory that the file is written to.
    Raises:
        CorpusError: a bucket is wanted of a corpus that was never scored.
    """
    return _encode(vocabulary, _texts(corpus, shard, bucket), name, marks, bits, out)


def encode_dialogues(
    vocabulary: Path, data: Path, name: str, marks: Marks, bits: int, out: Path
) -> Report:
    """``<name>.tokens`` of instruction data: its training dialogues as its template tells them.

    Args:
        vocabulary: the merged vocabulary.
        data: a value of ``instruction_data``.
        name: the stem of the file to write.
        marks: around each dialogue; there are none between its turns.
        bits: of an id on disk.
        out: directory that the file is written to.
    """
    batches = _batches(training_texts(data))
    return _encode(vocabulary, batches, name, marks, bits, out)


def _encode(
    vocabulary: Path,
    batches: Iterable[list[str]],
    name: str,
    marks: Marks,
    bits: int,
    out: Path,
) -> Report:
    encoder = load_encoder(vocabulary)
    accounts = Accounts()
    with IdWriter(out / f"{name}.tokens", bits) as writer:
        for texts in batches:
            whole = []
            for text in texts:
                accounts.enter(text)
                if is_encodable(text):
                    accounts.keep(text)
                    whole.append(text)
                else:
                    accounts.drop("lone_surrogate", text)
            ids = chain.from_iterable(map(marks.around, encoder.encode(whole)))
            writer.add(np.fromiter(ids, np.int64))
    return Report({"tokens": writer.tokens, "sha256": writer.sha256()}, accounts)


def _texts(corpus: Path, shard: str, bucket: str | None) -> Iterator[list[str]]:
    if bucket is None:
        for batch in read_shard(corpus, shard, "train", ["text"]):
            yield batch["text"].to_pylist()
        return
    path = shard_path(corpus, shard)
    if BUCKET not in pq.read_schema(path).names:
        raise CorpusError(
            f"{path}: its documents have no quality bucket, which mixture.quality weighs; leave all"
            " weights at 1, or score the corpus first"
        )
    for batch in read_shard(corpus, shard, "train", ["text", BUCKET]):
        yield batch.filter(pc.equal(batch[BUCKET], bucket))["text"].to_pylist()


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(itertools.islice(texts, BATCH_ROWS)):
        yield batch
