"""How a Parquet file is laid out, and how much its pages unfold to, before anything is decoded.

Arrow allocates what a page header declares and decodes whole pages: one string of 500 MB, or a
dictionary of one long string for a thousand rows, took 2.5 GB. And its own view of the footer
ends the process (an uncaught C++ exception) where a flipped bit made the footer contradict
itself. So footer and page headers are read here.

Source: https://parquet.apache.org/docs/file-format/
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from nativize.crawl.thrift import Compact

PAGE_HEADER_BYTES = 1 << 14
"""Headers hold a minimum and a maximum value, which writers cut short."""
LONGEST_FOOTER_BYTES = 16_000_000
DICTIONARY_PAGE = 2


@dataclass(frozen=True)
class Chunk:
    """A column of a row group: the names that lead to it, and where its pages lie."""

    path: tuple[str, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class RowGroup:
    """Rows that lie together."""

    rows: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True)
class Page:
    """A page by what its header declares."""

    dictionary: bool
    unfolded_bytes: int
    values: int

    @property
    def longest_value(self) -> int:
        """About the bytes of one value: of a dictionary the longest possible, else the mean."""
        return self.unfolded_bytes if self.dictionary else self.unfolded_bytes // (self.values or 1)


def read_row_groups(stream: BinaryIO) -> list[RowGroup]:
    """The row groups that a file's footer declares.

    Raises:
        ValueError: there is no such footer; says what is wrong with it.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 8))
    tail = stream.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > size - 12:
        raise ValueError("it does not end with a Parquet footer")
    if length > LONGEST_FOOTER_BYTES:
        raise ValueError(f"its footer has {length} bytes, more than {LONGEST_FOOTER_BYTES}")
    stream.seek(size - 8 - length)
    footer = Compact(stream.read(length)).struct()
    try:
        return [_row_group(group) for group in footer[4]]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"its footer is damaged ({error!r})") from error


def _row_group(group: dict[int, Any]) -> RowGroup:
    """Numbers are those of the fields in parquet.thrift."""
    return RowGroup(max(0, int(group[3])), tuple(_chunk(column[3]) for column in group[1]))


def _chunk(metadata: dict[int, Any]) -> Chunk:
    path = tuple(name.decode() for name in metadata[3])
    if not path:
        raise ValueError("a column has no name")
    begin = min(int(metadata[9]), int(metadata.get(11) or metadata[9]))
    return Chunk(path, max(0, begin), begin + int(metadata[7]))


def read_pages(stream: BinaryIO, chunk: Chunk) -> Iterator[Page]:
    """The pages of a column chunk, up to the first whose header cannot be read."""
    offset = chunk.begin
    while offset < chunk.end:
        stream.seek(offset)
        header = Compact(stream.read(PAGE_HEADER_BYTES))
        try:
            page, stored = _page(header.struct())
        except (LookupError, TypeError, ValueError, AttributeError):
            return
        yield page
        offset += header.position + stored


def _page(fields: dict[int, Any]) -> tuple[Page, int]:
    """A page and the bytes that it has in the file."""
    details = fields.get(5) or fields.get(7) or fields.get(8) or {}
    page = Page(fields[1] == DICTIONARY_PAGE, int(fields[2]), int(details.get(1, 0)))
    return page, max(0, int(fields[3]))
