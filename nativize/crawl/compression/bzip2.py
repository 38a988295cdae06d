"""bzip2: each block by itself, for each block has a checksum of its own.

A bzip2 stream is a chain of bit-aligned blocks of up to 900 kB, each behind a 48-bit mark. A block
is cut out at its mark, shifted to a byte, closed as a stream of one block and decoded by itself,
as bzip2recover does; so a flipped bit in a dump of 20 GB in one stream costs one block, and
nothing of a block is handed on before its checksum is right. That a mark comes up in data by
accident happens once in 1,800 dumps of 20 GB, and costs that block.

Source: https://github.com/dsnet/compress/blob/master/doc/bzip2-format.pdf
"""

import bz2
import re
from collections import deque
from typing import BinaryIO

from nativize.crawl.compression.bits import END, MARK_BITS, Bits, Mark
from nativize.crawl.compression.member import Damage, Member, size_of

CHECKSUM_BITS = 32
HEADER = re.compile(rb"BZh[1-9]")
HEADER_BYTES = 4
LONGEST_BLOCK_BITS = 8 * 2_500_000
"""900,002 symbols of at most 20 bits, and their tables."""
OUTPUT_BYTES = 1 << 20
"""A block unfolds to 46.6 MB at most: 900,000 bytes, runs of 259 in five of them."""


class Bzip2Member(Member):
    """One bzip2 stream up to its end or its first damaged block; or what follows that block."""

    def __init__(self, stream: BinaryIO, offset: int, resumed: Mark | None = None) -> None:
        super().__init__(stream, offset)
        self._bits = Bits(stream, offset)
        self._resumed = resumed
        self._checksum = 0
        self._pieces: deque[bytes] = deque()
        self._mark = resumed or self._begin()

    def read(self) -> bytes:
        while self._mark and not self._pieces and not self.damage:
            if self._mark.value == END:
                self._finish(self._mark)
            else:
                self._decode(self._mark)
        return self._pieces.popleft() if self._pieces else b""

    def following(self) -> Member | None:
        if not self.damage or not self._mark:
            return super().following()
        header = self._mark.bit // 8 - HEADER_BYTES
        if header >= self.offset and self._mark.bit % 8 == 0 and self._header_at(header):
            return Bzip2Member(self._stream, header)
        return Bzip2Member(self._stream, self.end, self._mark)

    def _begin(self) -> Mark | None:
        """The first mark of a stream, which stands right behind its header."""
        mark = self._bits.next_mark(self.offset * 8)
        if mark and mark.bit == (self.offset + HEADER_BYTES) * 8 and self._header_at(self.offset):
            return mark
        self._fail(self.offset, mark, "no bzip2 stream begins here")
        return mark

    def _header_at(self, offset: int) -> bool:
        self._stream.seek(offset)
        return HEADER.fullmatch(self._stream.read(HEADER_BYTES)) is not None

    def _decode(self, mark: Mark) -> None:
        """The pieces of one block, if its checksum is right."""
        following = self._bits.next_mark(mark.bit + MARK_BITS)
        checksum = self._bits.number(mark.bit + MARK_BITS, CHECKSUM_BITS)
        if not following or checksum is None:
            self._fail(mark.bit // 8, None, "bzip2 stream is cut: a block has no end")
        elif following.bit - mark.bit > LONGEST_BLOCK_BITS:
            self._fail(mark.bit // 8, following, "bzip2 block is damaged (it has no end)")
        else:
            self._unfold(mark, following, checksum)

    def _unfold(self, mark: Mark, following: Mark, checksum: int) -> None:
        width = following.bit - mark.bit
        block = self._bits.number(mark.bit, width) or 0
        closed = (block << MARK_BITS | END) << CHECKSUM_BITS | checksum
        width += MARK_BITS + CHECKSUM_BITS
        padding = -width % 8
        data = b"BZh9" + (closed << padding).to_bytes((width + padding) // 8)
        decoder, pieces = bz2.BZ2Decompressor(), []
        try:
            while not decoder.eof:
                piece = decoder.decompress(data, OUTPUT_BYTES)
                if not piece and not decoder.eof:
                    raise EOFError("it is cut")
                pieces.append(piece)
                data = b""
        except (OSError, EOFError) as error:
            self._fail(mark.bit // 8, following, f"bzip2 block is damaged ({error})")
            return
        self._pieces.extend(piece for piece in pieces if piece)
        self._checksum = ((self._checksum << 1 | self._checksum >> 31) & 0xFFFFFFFF) ^ checksum
        self._mark = following

    def _finish(self, mark: Mark) -> None:
        """The end of a stream: its checksum is made of those of its blocks."""
        checksum = self._bits.number(mark.bit + MARK_BITS, CHECKSUM_BITS)
        self._mark = None
        self.end = (mark.bit + MARK_BITS + CHECKSUM_BITS + 7) // 8
        if checksum is None:
            self._fail(mark.bit // 8, None, "bzip2 stream is cut in its checksum")
        elif checksum != self._checksum and not self._resumed:
            start = mark.bit // 8
            self.damage = Damage(start, self.end - start, "bzip2 stream has another checksum")

    def _fail(self, start: int, following: Mark | None, reason: str) -> None:
        """Damage from ``start`` to the next mark, or to the end of the file."""
        self._mark = following
        self.end = following.bit // 8 if following else size_of(self._stream)
        self.damage = Damage(start, self.end - start, reason)
