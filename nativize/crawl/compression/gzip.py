"""gzip: one member at a time."""

import re
import zlib
from typing import BinaryIO

from nativize.crawl.compression.held import HeldMember

INPUT_BYTES = 1 << 13
OUTPUT_BYTES = 1 << 16


class GzipMember(HeldMember):
    """One gzip member."""

    # magic, method deflate, known flags, three bytes of the six usual values, a known system
    magic = re.compile(rb"\x1f\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04][\x00-\x0d\xff]", re.DOTALL)
    late_bytes = 1 << 14  # at most 1,949 in 400 flips that broke the decoder

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        super().__init__(stream, offset)
        self._decoder = zlib.decompressobj(31)
        self._pending = b""

    def _decode(self) -> bytes:
        self._pending = self._pending or self._take(INPUT_BYTES)
        if not self._pending:
            self._cut("gzip member")
            return b""
        try:
            data = self._decoder.decompress(self._pending, OUTPUT_BYTES)
        except zlib.error as error:
            checksum = "check" in str(error) and "header" not in str(error)
            (self._disagree if checksum else self._break)("gzip member", error)
            return b""
        self._pending = self._decoder.unconsumed_tail
        if self._decoder.eof:
            self._end_whole(self._decoder.unused_data)
        return data
