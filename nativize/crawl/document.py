"""The document: one schema from the crawl to the corpus, and how it lies in Parquet.

Where a document came from is `file` (relative to its source), `offset` and `length`: bytes of the
file as it lies there for WARC (of the compressed member, as in a CDX index), for text and for
damage; bytes of the uncompressed text for lines; row number and 1 for Parquet.

Files are a pure function of their rows: fixed zstd level, row groups cut by text size, no
timestamps. The same documents make the same bytes under one version of Arrow.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nativize.artifact import Count

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("licence", pa.string(), nullable=False),
        pa.field("fetched_at", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
    ]
)
"""Columns of a document.

`fetched_at` is ISO 8601 or empty, `language` what the crawl said, `sha256` that of the text's UTF-8
as it was read: what a request for removal finds a document by, however often it was cleaned since.
"""

ZSTD_LEVEL = 3
ROW_GROUP_TEXT_BYTES = 8_000_000
ROW_GROUP_ROWS = 10_000
SMALL_PAGE_BYTES = 128_000
"""Of scored shards, of which a refresh of deduplication decodes single texts: a page is the least
that can be decoded. Pages come out at about 160 kB and take 15 % more disk than those of 500 kB."""
SMALL_PAGE_ROWS = 16
"""Looked at together when pages are cut; Arrow's own 1,024 are megabytes of text."""
REPEATED = ["source", "licence", "language", "file"]


@dataclass(frozen=True)
class Document:
    """One document as it was read; the fields are the columns of `SCHEMA`."""

    id: str
    text: str
    url: str
    source: str
    licence: str
    fetched_at: str
    language: str
    file: str
    offset: int
    length: int
    sha256: str


def document_id(source: str, file: str, locator: str) -> str:
    """32 hex digits that stay the same as long as the document stays in its place."""
    return hashlib.sha256(f"{source}\0{file}\0{locator}".encode()).hexdigest()[:32]


def text_sha256(text: str) -> str:
    """SHA-256 of a text's UTF-8 as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


class DocumentFile:
    """A Parquet file of documents being written; a context manager.

    Rows are mappings with the schema's columns. At most one row group is held in memory. Without
    a row no file is made: a shard whose documents were all dropped must not change the value.
    """

    def __init__(self, path: Path, schema: pa.Schema = SCHEMA) -> None:
        self._path = path
        self._schema = schema
        self._rows: list[Mapping[str, Any]] = []
        self._row_group_bytes = 0
        self._writer: pq.ParquetWriter | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        self._rows.append(row)
        self._row_group_bytes += len(row["text"].encode())
        full = self._row_group_bytes >= ROW_GROUP_TEXT_BYTES
        if full or len(self._rows) >= ROW_GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        if self._writer:
            self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer = self._writer or open_writer(self._path, self._schema)
            self._writer.write_table(rows_to_table(self._rows, self._schema))
        self._rows = []
        self._row_group_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_writer(
    path: Path, schema: pa.Schema, *, fast: bool = False, small_pages: bool = False
) -> pq.ParquetWriter:
    """A Parquet writer with the settings that make equal documents equal bytes.

    ``fast``: for what is read once or twice and stays on the machine; reads at three times the
    speed and takes half as much room again. ``small_pages``: for what single texts are read of.
    """
    return pq.ParquetWriter(
        path,
        schema,
        compression="lz4" if fast else "zstd",
        compression_level=None if fast else ZSTD_LEVEL,
        use_dictionary=REPEATED,
        write_statistics=False,
        data_page_size=SMALL_PAGE_BYTES if small_pages else None,
        write_batch_size=SMALL_PAGE_ROWS if small_pages else None,
    )


def count_documents(directory: Path) -> int:
    """Documents in all shards below a directory, read from the files' own footers."""
    footers = (pq.read_metadata(path) for path in sorted(directory.rglob("*.parquet")))
    return sum(footer.num_rows for footer in footers if "text" in footer.schema.names)


def rows_to_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """The rows as an Arrow table of the schema."""
    columns = {field.name: [row[field.name] for row in rows] for field in schema}
    return pa.table(columns, schema=schema)


def count_of(texts: pa.ChunkedArray) -> Count:
    """Documents, characters and UTF-8 bytes of a column of texts."""
    return Count(
        len(texts),
        pc.sum(pc.utf8_length(texts)).as_py() or 0,
        pc.sum(pc.binary_length(texts)).as_py() or 0,
    )
