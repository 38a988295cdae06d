"""zstd: one frame at a time."""

import re
from typing import BinaryIO

import zstandard

from nativize.crawl.compression.member import Damage, Member, find

INPUT_BYTES = 1 << 10
"""One kilobyte can unfold to 32 MB at most (256 run-length blocks of 128 KiB)."""
LOOK_BACK_BYTES = 1 << 16

MAGIC = re.compile(rb"\x28\xb5\x2f\xfd")


class ZstdMember(Member):
    """One zstd frame; a frame that needs a dictionary counts as damaged."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        super().__init__(stream, offset)
        self._decoder = zstandard.ZstdDecompressor().decompressobj()

    def read(self) -> bytes:
        while not self._decoder.eof and not self.damage:
            pending = self._stream.read(INPUT_BYTES)
            if not pending:
                self._fail("zstd frame is cut at the end of the file")
                break
            try:
                data: bytes = self._decoder.decompress(pending)
            except zstandard.ZstdError as error:
                self._fail(f"zstd frame is damaged ({error})")
                break
            if self._decoder.eof:
                self.end = self._stream.tell() - len(self._decoder.unused_data)
            if data:
                return data
        return b""

    def _fail(self, reason: str) -> None:
        start = max(self.offset + 1, self._stream.tell() - LOOK_BACK_BYTES)
        self.end = find(self._stream, start, MAGIC)
        self.damage = Damage(self.offset, self.end - self.offset, reason)
