"""A deduplicated corpus on disk: shards as they were scored, and beside each the fates of its rows.

A refresh of 1 % changes who survives in nearly every shard, so text is never written again: whoever
reads applies the fates. This is the only place that knows how they are written and read.

    shards/<name>.parquet   all documents with all columns
    fates/<name>.parquet    for each row of that shard, in its order:
                              fate  "train", "heldout", or why the document is lost
                              cuts  begin, end, begin, end … of the UTF-8 bytes that are taken out
                                    of its text; ascending, apart or touching; mostly none

Texts are only cut where whole characters remain, and no document of a split is cut to nothing:
who writes fates sees to that. Rows of any other fate are not read, whatever it says.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact.fingerprint import fingerprint
from nativize.compiled import compiled
from nativize.crawl.document import ZSTD_LEVEL
from nativize.errors import CorpusError
from nativize.texts import Texts

Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "heldout")
SHARDS, FATES = "shards", "fates"
SCHEMA_OF_FATES = pa.schema(
    [
        pa.field("fate", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("cuts", pa.list_(pa.field("element", pa.int32(), nullable=False)), nullable=False),
    ]
)
BATCH_ROWS = 1_024
"""About 3 MB of text."""

Rows: TypeAlias = NDArray[np.int64]
Column: TypeAlias = pa.Array | pa.ChunkedArray
Strings: TypeAlias = Sequence[str] | Column
Spans: TypeAlias = Sequence[Sequence[int]] | Column
_REPAIR = "materialise the corpus again"


def shard_names(corpus: Path, split: Split | None = None) -> list[str]:
    """The corpus' shards in the order of their files; of a split only those that hold any of it.

    Raises:
        CorpusError: the directory has no shard at all, so it is no deduplicated corpus.
    """
    paths = sorted((corpus / SHARDS).glob("*.parquet"))
    if not paths:
        raise CorpusError(f"{corpus}: no {SHARDS}/*.parquet in it, so no corpus; {_REPAIR}")
    names = [path.stem for path in paths]
    if split is None:
        return names
    return [name for name in names if _which(read_fates(corpus, name, ["fate"]), split).any()]


def shard_path(corpus: Path, name: str) -> Path:
    """Where all documents of a shard lie, with those that are lost and before anything is cut."""
    return corpus / SHARDS / f"{name}.parquet"


def fates_path(corpus: Path, name: str) -> Path:
    """Where the fates of a shard's documents lie."""
    return corpus / FATES / f"{name}.parquet"


def shard_digest(digests: Mapping[str, str], name: str) -> str:
    """What the text of one shard depends on: its documents and their fates.

    Args:
        digests: those of the corpus' files, by their names in it, as ``file_digests`` says them.
        name: the shard's.
    Raises:
        CorpusError: one of its two files is not among them.
    """
    files = [f"{part}/{name}.parquet" for part in (SHARDS, FATES)]
    for file in files:
        if file not in digests:
            raise CorpusError(f"{file} is missing in the corpus; {_REPAIR}")
    return fingerprint({file: digests[file] for file in files})


def read_shard(
    corpus: Path, name: str, split: Split, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The documents of one shard and split, texts cut, in order, in batches, none of them empty.

    Args:
        corpus: a deduplicated corpus.
        name: of the shard.
        split: whose documents are wanted.
        columns: the wanted ones in their order; all without it.
    Raises:
        CorpusError: shard and fates do not fit each other, or a column is not there.
    """
    fates = read_fates(corpus, name)
    path = shard_path(corpus, name)
    wanted = _which(fates, split)
    with pq.ParquetFile(path) as shard:
        names = _columns_of(shard.schema_arrow, columns, path)
        for batch, rows in _batches(shard, names, wanted):
            kept = wanted[rows]
            if kept.any():
                documents = batch.select(names).filter(pa.array(kept))
                cuts = fates["cuts"].take(pa.array(rows[kept]))
                yield _without(documents, cuts, rows[kept], path)


def read_fates(corpus: Path, name: str, columns: Sequence[str] = SCHEMA_OF_FATES.names) -> pa.Table:
    """The columns ``fate`` and ``cuts`` of a shard's rows, or one of them.

    Raises:
        CorpusError: no fates, damaged ones, or not one for each row of the shard.
    """
    path = fates_path(corpus, name)
    try:
        with pq.ParquetFile(path) as file:
            table = file.read(list(columns))
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise CorpusError(f"{path}: no fates can be read ({error}); {_REPAIR}") from error
    if set(table.column_names) != set(columns):
        raise CorpusError(f"{path}: has not the columns {', '.join(columns)}; {_REPAIR}")
    rows = pq.read_metadata(shard_path(corpus, name)).num_rows
    if len(table) != rows:
        raise CorpusError(
            f"{path}: {len(table)} fates for the {rows} documents of {SHARDS}/{name}.parquet;"
            f" {_REPAIR}"
        )
    return table


def count_fates(corpus: Path) -> Counter[str]:
    """Documents of each fate in the whole corpus."""
    counted: Counter[str] = Counter()
    for name in shard_names(corpus):
        fates = read_fates(corpus, name, ["fate"])["fate"]
        for entry in fates.cast(pa.string()).value_counts().to_pylist():
            counted[entry["values"]] += entry["counts"]
    return counted


def count_kept(corpus: Path) -> int:
    """Documents that go on, in whichever split."""
    fates = count_fates(corpus)
    return sum(fates[split] for split in SPLITS)


def write_shard(corpus: Path, name: str, texts: Strings, fates: Strings | None = None) -> Path:
    """A shard of texts that nobody crawled, with numbers as ids; returns the corpus.

    Args:
        corpus: where it is written; directories are made.
        name: of the shard.
        texts: of its documents.
        fates: of each document; all are training text without it.
    """
    path = shard_path(corpus, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = [f"{name}-{number}" for number in range(len(texts))]
    pq.write_table(pa.table({"id": ids, "text": pa.array(texts, pa.string())}), path)
    write_fates(fates_path(corpus, name), fates or ["train"] * len(texts))
    return corpus


def write_fates(path: Path, fates: Strings, cuts: Spans | None = None) -> None:
    """One fate for each row of a shard, and what is cut out of its text, as a file at ``path``.

    Equal fates make equal bytes, whether they come as strings or with any dictionary.

    Args:
        path: ``fates/<name>.parquet`` of the corpus; directories are made.
        fates: "train", "heldout" or the reason of a loss; none is missing.
        cuts: for each row the byte spans to cut out; nothing is cut without it.
    Raises:
        ValueError: fates and cuts are not as many, or spans are not ascending pairs.
    """
    table = pa.table([_dictionary(fates), _spans(cuts, len(fates))], schema=SCHEMA_OF_FATES)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        use_dictionary=["fate"],
        write_statistics=False,
    )


def cut_texts(texts: Texts, cuts: Column, rows: Sequence[int] | Rows, path: Path) -> Texts:
    """The texts without the spans that ``cuts`` names for each of them.

    Args:
        texts: N of them.
        cuts: N lists of spans.
        rows: of the file at ``path`` where they stand, for the error.
        path: their shard.
    Raises:
        CorpusError: spans leave their text, overlap or part a character.
    """
    starts, spans = _flat(cuts)
    kept = np.empty(texts.offsets[-1] - texts.offsets[0], np.uint8)
    ends = np.zeros(len(texts) + 1, np.int64)
    wrong = _cut(texts.data, texts.offsets, spans, starts, kept, ends)
    if wrong >= 0:
        raise CorpusError(
            f"{path}: what is cut out of row {rows[wrong]} overlaps, parts a character or leaves"
            f" the text; {_REPAIR}"
        )
    return Texts(kept[: ends[-1]], ends)


def _which(fates: pa.Table, split: Split) -> NDArray[np.bool_]:
    """Which rows are of a split."""
    found = pc.fill_null(pc.equal(fates["fate"], split), False)
    return np.asarray(found.to_numpy(zero_copy_only=False), bool)


def _batches(
    shard: pq.ParquetFile, names: list[str], wanted: NDArray[np.bool_]
) -> Iterator[tuple[pa.RecordBatch, Rows]]:
    """All documents around the wanted ones, and the numbers of their rows.

    Row groups without any wanted row are left alone. A batch ends with its row group: those are
    cut by the size of their text, so that 1,024 long documents are never held at once.
    """
    begin = 0
    for group in range(shard.num_row_groups):
        end = begin + shard.metadata.row_group(group).num_rows
        if wanted[begin:end].any():
            for batch in shard.iter_batches(BATCH_ROWS, row_groups=[group], columns=names):
                yield batch, np.arange(begin, begin + len(batch))
                begin += len(batch)
        begin = end


def _columns_of(schema: pa.Schema, columns: Sequence[str] | None, path: Path) -> list[str]:
    names = list(schema.names if columns is None else columns)
    for name in names:
        if name not in schema.names:
            raise CorpusError(f"{path}: its documents have no column {name!r}")
    return names


def _without(batch: pa.RecordBatch, cuts: Column, rows: Rows, path: Path) -> pa.RecordBatch:
    """The documents with the spans cut out of their texts."""
    if "text" not in batch.schema.names or not len(pc.list_flatten(cuts)):
        return batch
    texts = Texts.of_column(pa.chunked_array([batch["text"]]))
    column = cut_texts(texts, cuts, rows, path).column().cast(batch["text"].type)
    place = batch.schema.get_field_index("text")
    return batch.set_column(place, batch.schema.field(place), column)


def _dictionary(fates: Strings) -> pa.Array:
    """The fates with a dictionary in the order they first appear, without any that is not used."""
    if isinstance(fates, pa.DictionaryArray) and not fates.null_count:
        words = fates.dictionary
        if not words.null_count and len(words.unique()) == len(words):  # in a third of the time
            encoded = fates.indices.dictionary_encode()
            words = words.take(encoded.dictionary).cast(pa.string())
            return pa.DictionaryArray.from_arrays(encoded.indices, words)
    strings = _in_one_piece(fates, pa.string())
    if strings.null_count:
        raise ValueError(f"{strings.null_count} of {len(strings)} documents have no fate")
    return strings.dictionary_encode()


def _spans(cuts: Spans | None, rows: int) -> pa.Array:
    """The cuts of each row, none without any given.

    Raises:
        ValueError: not one list for each row, or one that is not of ascending pairs.
    """
    kind = SCHEMA_OF_FATES.field("cuts").type
    if cuts is None:
        begins = pa.array(np.zeros(rows + 1, np.int32))
        return pa.ListArray.from_arrays(begins, pa.array([], pa.int32()), type=kind)
    lists = _in_one_piece(cuts, kind)
    if len(lists) != rows:
        raise ValueError(f"{len(lists)} lists of cuts for {rows} fates")
    starts, spans = _flat(lists)
    if (np.diff(starts) % 2).any():
        raise ValueError("a list of cuts has a begin without an end")
    # each begin is held against the end before it, the first of a list against 0
    before = np.concatenate(([0], spans[1::2]))
    before[starts // 2] = 0
    if (spans[::2] < before[:-1]).any() or (spans[1::2] <= spans[::2]).any():
        raise ValueError("cuts must be ascending spans of bytes that do not overlap")
    return lists


def _in_one_piece(column: Strings | Spans, kind: pa.DataType) -> pa.Array:
    if not isinstance(column, (pa.Array, pa.ChunkedArray)):
        return pa.array(column, kind)
    column = column.cast(kind)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _flat(lists: Column) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Where each list begins and the last ends (N + 1), and what stands in all of them."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    starts = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    return starts, pc.list_flatten(lists).to_numpy()


@compiled
def _cut(data: Any, offsets: Any, spans: Any, starts: Any, kept: Any, ends: Any) -> int:
    """What remains of all texts into ``kept``; the first text that cannot be cut so, or -1."""
    at = 0
    for text in range(len(offsets) - 1):
        done, end = offsets[text], offsets[text + 1]
        for place in range(starts[text], starts[text + 1], 2):
            if place + 1 == starts[text + 1]:
                return text
            first, last = offsets[text] + spans[place], offsets[text] + spans[place + 1]
            if first < done or last <= first or last > end:
                return text
            # a byte 10xxxxxx is inside a character
            if data[first] & 0xC0 == 0x80 or (last < end and data[last] & 0xC0 == 0x80):
                return text
            kept[at : at + first - done] = data[done:first]
            at += first - done
            done = last
        kept[at : at + end - done] = data[done:end]
        at += end - done
        ends[text + 1] = at
    return -1
