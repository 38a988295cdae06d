"""Parquet: one row, one document; a damaged row group costs that row group."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nativize.crawl.fields import column_names, document_of_row
from nativize.crawl.reader import CrawlFile, Item, Quarantined, size_of

BATCH_ROWS = 256


def read_parquet(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """Every row as a document or a quarantined record."""
    size = file.path.stat().st_size
    try:
        parquet = pq.ParquetFile(file.path)
    except (pa.ArrowException, OSError) as error:
        yield Quarantined(f"no readable Parquet: {error}", 0, size, size)
        return
    with parquet:
        names = parquet.schema_arrow.names
        if not {file.source.text_field, file.source.text_field.partition(".")[0]} & set(names):
            reason = f"no column '{file.source.text_field}' among {names}"
            yield Quarantined(reason, 0, size, size)
            return
        first_row = 0
        for group in range(parquet.num_row_groups):
            yield from _read_group(file, parquet, group, first_row, maximum_bytes)
            first_row += parquet.metadata.row_group(group).num_rows


def _read_group(
    file: CrawlFile, parquet: pq.ParquetFile, group: int, first_row: int, maximum_bytes: int
) -> Iterator[Item]:
    """The rows of one row group; what could not be read of it is one quarantined record."""
    wanted = column_names(file.source.text_field)
    columns = [name for name in parquet.schema_arrow.names if name in wanted]
    rows = parquet.metadata.row_group(group).num_rows
    done = 0
    batches = parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns)
    try:
        for batch in batches:
            for row in batch.to_pylist():
                yield _item(file, row, first_row + done, maximum_bytes)
                done += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = f"row group {group} is damaged: {error}"
        yield Quarantined(reason, first_row + done, rows - done, 0, "rows")


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
