"""Single texts out of a shard without decoding much of what stands around them.

Parquet's readers decode whole row groups, although each page of a column is compressed by itself.
Here a shard's pages of text are found by their headers, and a page is decoded up to the last text
that is wanted of it. A shard whose texts are laid out otherwise than we write them has no pages
here, and whoever wants its texts reads row groups.

Source: Parquet's format, "Data Pages", "Plain encoding" and its Thrift definition.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow.parquet as pq
import zstandard
from numpy.typing import NDArray

from nativize.errors import CorpusError
from nativize.texts import Texts

Numbers = NDArray[np.int64]

LENGTH_BYTES = 4
"""In front of each text of a page."""
LARGEST_HEADER = 100
"""Of a page; as we write them they have 20 to 30 bytes."""
_INTEGER, _STRUCT = 0x15, 0x2C
"""How Thrift marks a number that is the next field, and a structure that is the one after it."""


def text_pages(path: Path) -> Numbers:
    """P x 3 for P pages: the first row of each, and offset and bytes of its frame in the file.

    P is 0 where texts are laid out otherwise.
    """
    with pq.ParquetFile(path) as shard, path.open("rb") as file:
        metadata, column = shard.metadata, shard.schema.names.index("text")
        pages, row = [np.empty((0, 3), np.int64)], 0
        if shard.schema.column(column).max_definition_level:
            return pages[0]
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            found = np.array(list(_pages_of(group.column(column), file)), np.int64).reshape(-1, 3)
            if found[:, 0].sum() != group.num_rows:
                return pages[0]
            pages.append(found)
            pages[-1][:, 0] = row + np.cumsum(found[:, 0]) - found[:, 0]
            row += group.num_rows
    return np.concatenate(pages)


def _pages_of(chunk: Any, file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Rows, offset and bytes of each page of a column's part of a row group."""
    at = chunk.data_page_offset
    end = at + chunk.total_compressed_size
    plain = {"PLAIN", "RLE"}.issuperset(chunk.encodings)
    while plain and chunk.compression == "ZSTD" and at < end:
        file.seek(at)
        start = file.read(LARGEST_HEADER)
        header = start.find(zstandard.FRAME_HEADER)
        if header < 0:
            return
        kind, uncompressed, compressed, rows = _numbers_of(start[:header])
        if (kind, uncompressed) != (0, zstandard.frame_content_size(start[header:])):
            return
        yield rows, at + header, compressed
        at += header + compressed


def _numbers_of(header: bytes) -> tuple[int, int, int, int]:
    """Of a page its kind (0: data), both sizes and its rows; all -1 where it is no such page."""
    at, numbers = 0, []
    for mark in (_INTEGER, _INTEGER, _INTEGER, _STRUCT, _INTEGER):
        if header[at : at + 1] != bytes([mark]):
            return -1, -1, -1, -1
        at += 1
        if mark == _INTEGER:
            value, at = _varint(header, at)
            numbers.append(value >> 1)  # zigzag; none is negative
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and where it ends."""
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            break
    return value, at


def places_in_pages(sizes: Numbers, pages: Numbers) -> NDArray[np.uint32]:
    """Where in its page each text of a shard begins, by the bytes of all; 0 without pages."""
    if not len(pages):
        return np.zeros(len(sizes), np.uint32)
    ends = np.cumsum(sizes + LENGTH_BYTES)
    before = np.append(0, ends)[pages[:, 0]]
    of_each = np.repeat(before, np.diff(np.append(pages[:, 0], len(sizes))))
    return np.asarray(ends - sizes - of_each, np.uint32)


def texts_in_pages(
    path: Path, pages: Numbers, rows: Numbers, places: NDArray[np.uint32], sizes: NDArray[np.uint32]
) -> Texts:
    """Texts of some ascending rows of a shard.

    Args:
        path: the shard.
        pages: of `text_pages`.
        rows: n of them.
        places: of `places_in_pages`, of these rows.
        sizes: bytes of each.
    Raises:
        CorpusError: the shard ends before such a text.
    """
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    data = np.empty(int(offsets[-1]), np.uint8)
    into, decoder = memoryview(data.data), zstandard.ZstdDecompressor()
    of_each = np.searchsorted(pages[:, 0], rows, "right") - 1
    opens = np.flatnonzero(np.diff(of_each, prepend=-1)).tolist()
    begins, ends = places.tolist(), (places.astype(np.int64) + sizes).tolist()
    to = offsets.tolist()
    # one room for all pages: bytes of their own cost a fourth of decoding them
    page = memoryview(bytearray(max(ends, default=0)))
    with path.open("rb", buffering=0) as file:
        for first, last in zip(opens, [*opens[1:], len(rows)], strict=True):
            _, offset, size = pages[of_each[first]].tolist()
            file.seek(offset)
            end = ends[last - 1]
            if decoder.stream_reader(file.read(size)).readinto(page[:end]) < end:
                raise CorpusError(f"{path}: ends before row {rows[last - 1]}; run the walk again")
            for text in range(first, last):
                into[to[text] : to[text + 1]] = page[begins[text] : ends[text]]
    return Texts(data, offsets)
