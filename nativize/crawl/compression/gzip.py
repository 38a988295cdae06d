"""gzip: one member at a time; its checksum is checked when it ends."""

import re
import zlib
from typing import BinaryIO

from nativize.crawl.compression.member import Damage, Member, find

INPUT_BYTES = 1 << 13
OUTPUT_BYTES = 1 << 12
"""What zlib had decoded before an error in one call is lost, so calls are small."""
LOOK_BACK_BYTES = 1 << 16
"""A damaged deflate stream may run on into its neighbour before it fails; measured far below."""

# magic, method deflate, known flags, three bytes of the six usual values, a known system
MAGIC = re.compile(rb"\x1f\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04][\x00-\x0d\xff]", re.DOTALL)


class GzipMember(Member):
    """One gzip member."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        super().__init__(stream, offset)
        self._decoder = zlib.decompressobj(31)
        self._pending = b""

    def read(self) -> bytes:
        while not self._decoder.eof and not self.damage:
            self._pending = self._pending or self._stream.read(INPUT_BYTES)
            if not self._pending:
                self._fail("gzip member is cut at the end of the file")
                break
            try:
                data = self._decoder.decompress(self._pending, OUTPUT_BYTES)
            except zlib.error as error:
                self._fail(f"gzip member is damaged ({error})")
                break
            self._pending = self._decoder.unconsumed_tail
            if self._decoder.eof:
                self.end = self._stream.tell() - len(self._decoder.unused_data)
            if data:
                return data
        return b""

    def _fail(self, reason: str) -> None:
        start = max(self.offset + 1, self._stream.tell() - LOOK_BACK_BYTES)
        self.end = find(self._stream, start, MAGIC)
        self.damage = Damage(self.offset, self.end - self.offset, reason)
