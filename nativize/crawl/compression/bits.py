"""A file seen as bits, and where bzip2's marks stand in it: at any bit, not only at a byte."""

from collections import deque
from dataclasses import dataclass
from typing import BinaryIO

BLOCK = 0x314159265359
END = 0x177245385090
MARK_BITS = 48
SCAN_BYTES = 1 << 18


@dataclass(frozen=True, order=True)
class Mark:
    """Where a block or the end of a stream begins, in bits of the file."""

    bit: int
    value: int


def _inner_bytes() -> list[tuple[int, int, bytes]]:
    """Each mark at each of eight shifts: its value, the shift, the whole bytes inside it."""
    return [
        (value, shift, (value << 16 - shift).to_bytes(8)[1 if shift else 0 : 6])
        for value in (BLOCK, END)
        for shift in range(8)
    ]


INNER_BYTES = _inner_bytes()


class Bits:
    """Marks in order of the file from a byte on, found a quarter of a megabyte at a time."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        self._stream = stream
        self._scanned = offset
        self._marks: deque[Mark] = deque()

    def next_mark(self, bit: int) -> Mark | None:
        """The first mark at or after a bit; None if the file has no more. Bits only grow."""
        while True:
            while self._marks and self._marks[0].bit < bit:
                self._marks.popleft()
            if self._marks:
                return self._marks[0]
            if not self._scan():
                return None

    def number(self, bit: int, width: int) -> int | None:
        """The bits as a number, the first the highest; None if the file ends before."""
        first, last = bit // 8, (bit + width + 7) // 8
        self._stream.seek(first)
        data = self._stream.read(last - first)
        if len(data) < last - first:
            return None
        return int.from_bytes(data) >> last * 8 - bit - width & (1 << width) - 1

    def _scan(self) -> bool:
        """Whether there was more of the file; its marks wait in `_marks`."""
        start = self._scanned
        self._stream.seek(start)
        data = self._stream.read(SCAN_BYTES + 7)
        if len(data) < 6:
            return False
        ended = len(data) < SCAN_BYTES + 7
        self._scanned = start + (len(data) if ended else SCAN_BYTES)
        found = {mark for entry in INNER_BYTES for mark in self._marks_in(data, start, *entry)}
        self._marks.extend(sorted(found))
        return True

    def _marks_in(
        self, data: bytes, start: int, value: int, shift: int, inner: bytes
    ) -> list[Mark]:
        found, at = [], data.find(inner)
        while at >= 0:
            bit = (start + at) * 8 - (8 - shift if shift else 0)
            inside = at if shift == 0 else at - 1
            if 0 <= inside < SCAN_BYTES and self.number(bit, MARK_BITS) == value:
                found.append(Mark(bit, value))
            at = data.find(inner, at + 1)
        return found
