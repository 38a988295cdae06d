"""xz: one stream at a time; after damage the next block that its index knows, or the next stream.

The range coder of LZMA never recovers from a flipped bit, so damage is noticed soon. Memory is
bounded by the dictionary that a stream asks for.

Source: https://tukaani.org/xz/xz-file-format.txt
"""

import lzma
import re
from dataclasses import replace
from typing import BinaryIO

from nativize.crawl.compression.held import HeldMember
from nativize.crawl.compression.member import Member, size_of
from nativize.crawl.compression.xz_index import Blocks, read_blocks

INPUT_BYTES = 1 << 14
OUTPUT_BYTES = 1 << 14
MEMORY_BYTES = 200 << 20
"""xz -9 asks for 65 MB; a stream that wants more is damage."""


class XzMember(HeldMember):
    """One xz stream, with the zeros that may follow it; or the blocks behind a damaged one."""

    magic = re.compile(rb"\xfd7zXZ\x00")
    late_bytes = 1 << 16  # at most 24,291 in 800 flips

    def __init__(self, stream: BinaryIO, offset: int, rest: Blocks | None = None) -> None:
        super().__init__(stream, offset)
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_BYTES)
        self._rest = rest
        self._behind: Blocks | None = None
        self._unfolded = 0
        if rest:
            self._decoder.decompress(rest.header)

    def following(self) -> Member | None:
        if self._behind:
            return XzMember(self._stream, self.end, self._behind)
        return XzMember(self._stream, self.end) if self.end < size_of(self._stream) else None

    def _decode(self) -> bytes:
        fed = self._take(self._wanted()) if self._decoder.needs_input else b""
        if not fed and self._decoder.needs_input:
            self._end_of_input()
            return b""
        try:
            data = self._decoder.decompress(fed, OUTPUT_BYTES)
        except lzma.LZMAError as error:
            self._break("xz stream", error)
            return b""
        self._unfolded += len(data)
        if self._decoder.eof:
            self._end_whole(self._decoder.unused_data)
            self._pass_padding()
        return data

    def _wanted(self) -> int:
        """Bytes to read; the blocks behind damage are read without their stream's index."""
        if self._rest:
            return min(INPUT_BYTES, self._rest.stop - self._stream.tell())
        return INPUT_BYTES

    def _end_of_input(self) -> None:
        if self._rest and self._unfolded == self._rest.unfold_to:
            self._end_whole(b"")
            self.end = self._rest.end
        else:
            self._cut("xz stream")

    def _pass_padding(self) -> None:
        """Zeros in fours may follow a stream (section 2.2)."""
        self._stream.seek(self.end)
        while self._stream.read(4) == bytes(4):
            self.end += 4

    def _fail(self, reason: str, offset: int | None = None) -> None:
        super()._fail(reason, offset)
        blocks = self._rest or read_blocks(self._stream, self.end)
        behind = blocks.after(self._unfolded) if blocks else None
        if behind and self.damage and behind.blocks[0].offset > self.offset:
            self._behind = behind
            self.end = behind.blocks[0].offset
            self.damage = replace(self.damage, length=self.end - self.damage.offset)
