"""How much a Parquet column unfolds to, read from its page headers before anything is decoded.

Arrow allocates what a page header declares and decodes whole pages, so one string of 500 MB, or a
dictionary of one long string for a thousand rows, took 2.5 GB. Headers are Thrift's compact
protocol; only their numbers are read here.

Source: https://parquet.apache.org/docs/file-format/data-pages/,
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

HEADER_BYTES = 1 << 14
"""Headers hold a minimum and a maximum value, which writers cut short."""
DICTIONARY_PAGE = 2
BOOLEANS, STRUCT = (1, 2), 12


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


def read_pages(stream: BinaryIO, chunk: Any) -> Iterator[Page]:
    """The pages of a column chunk, up to the first whose header cannot be read."""
    begins = (chunk.dictionary_page_offset, chunk.data_page_offset)
    offset = min(begin for begin in begins if begin)
    end = offset + chunk.total_compressed_size
    while offset < end:
        stream.seek(offset)
        try:
            header = _Compact(stream.read(HEADER_BYTES))
            fields = header.struct()
            kind, unfolded, stored = fields[1], fields[2], fields[3]
        except (IndexError, KeyError, RecursionError):
            return
        details = fields.get(5) or fields.get(7) or fields.get(8) or {}
        yield Page(kind == DICTIONARY_PAGE, unfolded, details.get(1, 0))
        if stored < 0:
            return
        offset += header.position + stored


class _Compact:
    """A struct in Thrift's compact protocol: numbers and structs by field, the rest passed over."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def struct(self) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while byte := self._byte():
            number = number + (byte >> 4) if byte >> 4 else self._zigzag()
            fields[number] = self._value(byte & 15)
        return fields

    def _value(self, kind: int) -> Any:
        if kind in BOOLEANS:
            return kind == 1
        if kind == STRUCT:
            return self.struct()
        if kind in (4, 5, 6):  # integers of 16, 32 and 64 bits
            return self._zigzag()
        if kind not in (3, 7, 8):  # a byte, a double, bytes; pages have no containers
            raise KeyError(kind)
        self.position += {3: 1, 7: 8}.get(kind) or self._number()
        return None

    def _zigzag(self) -> int:
        value = self._number()
        return value >> 1 ^ -(value & 1)

    def _number(self) -> int:
        value, shift = 0, 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _byte(self) -> int:
        self.position += 1
        return self._data[self.position - 1]
