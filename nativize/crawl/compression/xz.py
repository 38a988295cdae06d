"""xz: one stream at a time; after damage, the next stream.

LZMA2 ends a chunk of at most 2 MiB with its coder in a known state, so a flipped bit is noticed
within 2 MiB. Memory is bounded by the dictionary that a stream asks for.

Source: https://tukaani.org/xz/xz-file-format.txt
"""

import lzma
import re
from typing import BinaryIO

from nativize.crawl.compression.member import Damage, Member, find

INPUT_BYTES = 1 << 14
OUTPUT_BYTES = 1 << 16
MEMORY_BYTES = 200 << 20
"""xz -9 asks for 65 MB; more is refused as damage."""
MAGIC = re.compile(rb"\xfd7zXZ\x00")
LOOK_BACK_BYTES = 1 << 16


class XzMember(Member):
    """One xz stream, with the zeros that may follow it."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        super().__init__(stream, offset)
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_BYTES)

    def read(self) -> bytes:
        while not self._decoder.eof and not self.damage:
            fed = self._stream.read(INPUT_BYTES) if self._decoder.needs_input else b""
            if not fed and self._decoder.needs_input:
                self._fail("xz stream is cut at the end of the file")
                break
            try:
                data = self._decoder.decompress(fed, OUTPUT_BYTES)
            except lzma.LZMAError as error:
                self._fail(f"xz stream is damaged ({error})")
                break
            if self._decoder.eof:
                self.end = self._past_padding(self._stream.tell() - len(self._decoder.unused_data))
            if data:
                return data
        return b""

    def _past_padding(self, offset: int) -> int:
        """Zeros in fours may follow a stream (section 2.2)."""
        self._stream.seek(offset)
        while self._stream.read(4) == bytes(4):
            offset += 4
        return offset

    def _fail(self, reason: str) -> None:
        start = max(self.offset + 1, self._stream.tell() - LOOK_BACK_BYTES)
        self.end = find(self._stream, start, MAGIC)
        self.damage = Damage(self.offset, self.end - self.offset, reason)
