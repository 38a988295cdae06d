"""Parquet: one row, one document; damage costs the rest of its row group.

A flipped bit is noticed by the compression, or by the checksum of a page where the writer made
one; damage in the footer costs the file. Memory is bounded by what the page headers declare: a
row group whose text has a page over the bound is quarantined undecoded, and rows are read in
batches small enough for their longest values.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from nativize.crawl.column_layout import Page, RowGroup, read_pages, read_row_groups
from nativize.crawl.fields import column_names, document_of_row
from nativize.crawl.reader import CrawlFile, Item, Quarantined, size_of

BATCH_ROWS = 256
BATCH_BYTES = 64_000_000
PAGES_OF_A_DOCUMENT = 4
"""A page may unfold to as much as so many documents of the longest kind; writers cut at 1 MB."""
UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)


def read_parquet(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """Every row as a document or a quarantined record."""
    size = file.path.stat().st_size
    with file.path.open("rb") as stream:
        try:
            groups = read_row_groups(stream)
            parquet = pq.ParquetFile(file.path, page_checksum_verification=True)
            names = parquet.schema_arrow.names
        except UNREADABLE as error:
            yield Quarantined(f"no readable Parquet: {error}", 0, size, size)
            return
        if not {file.source.text_field, file.source.text_field.partition(".")[0]} & set(names):
            reason = f"no column '{file.source.text_field}' among {names}"
            yield Quarantined(reason, 0, size, size)
            return
        with parquet:
            first_row = 0
            for number, layout in enumerate(groups):
                group = _Group(file, parquet, number, layout, first_row, maximum_bytes)
                yield from group.items(stream)
                first_row += layout.rows


class _Group:
    """One row group; what could not be read of it is one quarantined record."""

    def __init__(
        self,
        file: CrawlFile,
        parquet: pq.ParquetFile,
        number: int,
        layout: RowGroup,
        first_row: int,
        maximum_bytes: int,
    ) -> None:
        self._file = file
        self._parquet = parquet
        self._number = number
        self._layout = layout
        self._first_row = first_row
        self._maximum_bytes = maximum_bytes

    def items(self, stream: BinaryIO) -> Iterator[Item]:
        done = 0
        try:
            for batch in self._batches(stream):
                for row in batch.to_pylist():
                    yield _item(self._file, row, self._first_row + done, self._maximum_bytes)
                    done += 1
        except UNREADABLE as error:
            reason = f"row group {self._number} is damaged: {error}"
            yield self._rest(done, reason)
        else:
            if done < self._layout.rows:
                yield self._rest(done, f"row group {self._number} has fewer rows than it declares")

    def _batches(self, stream: BinaryIO) -> Iterator[pa.RecordBatch]:
        bound = self._maximum_bytes * PAGES_OF_A_DOCUMENT
        text_field = self._file.source.text_field
        columns, longest = [], 1
        for name, pages in self._pages(stream).items():
            if all(page.unfolded_bytes <= bound for page in pages):
                columns.append(name)
                longest += max((page.longest_value for page in pages), default=0)
            elif name in {text_field, text_field.partition(".")[0]}:
                raise OverflowError(f"column '{name}' has a page over {bound} bytes")
        rows = max(1, min(BATCH_ROWS, BATCH_BYTES // longest))
        batches: Iterator[pa.RecordBatch] = self._parquet.iter_batches(
            rows, row_groups=[self._number], columns=columns
        )
        return batches

    def _pages(self, stream: BinaryIO) -> dict[str, list[Page]]:
        """The pages of each column that a document takes something from."""
        wanted = column_names(self._file.source.text_field)
        found: dict[str, list[Page]] = {}
        for chunk in self._layout.chunks:
            if chunk.path[0] in wanted:
                found.setdefault(chunk.path[0], []).extend(read_pages(stream, chunk))
        return found

    def _rest(self, done: int, reason: str) -> Quarantined:
        return Quarantined(reason, self._first_row + done, self._layout.rows - done, 0, "rows")


def _item(file: CrawlFile, row: dict[str, Any], number: int, maximum_bytes: int) -> Item:
    item = document_of_row(file, row, number, 1)
    if item is None:
        reason = f"column '{file.source.text_field}' holds no valid text here"
        return Quarantined(reason, number, 1, 0, "rows")
    size = size_of(item).bytes
    if size > maximum_bytes:
        reason = f"longer than max_document_bytes ({maximum_bytes})"
        return Quarantined(reason, number, 1, size, "rows")
    return item
