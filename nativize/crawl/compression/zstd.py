"""zstd: one frame at a time, with the dictionary that a WARC file may begin with.

A frame without checksum (the library's default, not the command's) cannot tell altered text.

Source: RFC 8878; https://iipc.github.io/warc-specifications/specifications/warc-zstd/
"""

import re
from typing import BinaryIO

import zstandard

from nativize.crawl.compression.held import HeldMember
from nativize.crawl.compression.member import Member, size_of

INPUT_BYTES = 1 << 10
"""One kilobyte can unfold to 32 MB at most (256 run-length blocks of 128 KiB)."""
WINDOW_BYTES = 1 << 27
"""What zstd itself takes without --long=28 and more; a frame that wants more is damage."""
DICTIONARY_BYTES = 1 << 24
SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
DICTIONARY = b"\x5d\x2a\x4d\x18"
FRAME = b"\x28\xb5\x2f\xfd"


class ZstdMember(HeldMember):
    """One zstd frame, decoded with the file's dictionary; or a skippable frame, which is empty."""

    magic = re.compile(rb"\x28\xb5\x2f\xfd")
    late_bytes = 1 << 18  # at most 123,134 in 500 flips that broke the decoder

    def __init__(
        self,
        stream: BinaryIO,
        offset: int,
        decompressor: zstandard.ZstdDecompressor | None = None,
    ) -> None:
        super().__init__(stream, offset)
        self._decompressor = decompressor or _decompressor()
        self._decoder = self._decompressor.decompressobj()
        begin = stream.read(8)
        if SKIPPABLE.match(begin):
            self._skip(begin)
        stream.seek(self.end)

    def following(self) -> Member | None:
        if self.end >= size_of(self._stream):
            return None
        return ZstdMember(self._stream, self.end, self._decompressor)

    def _decode(self) -> bytes:
        fed = self._take(INPUT_BYTES)
        if not fed:
            self._cut("zstd frame")
            return b""
        try:
            data: bytes = self._decoder.decompress(fed)
        except zstandard.ZstdError as error:
            checksum = "checksum" in str(error)
            (self._disagree if checksum else self._break)("zstd frame", error)
            return b""
        if self._decoder.eof:
            self._end_whole(self._decoder.unused_data)
        return data

    def _skip(self, begin: bytes) -> None:
        """Past a skippable frame; the first of a file may hold the dictionary."""
        end = self.offset + 8 + int.from_bytes(begin[4:], "little")
        if len(begin) < 8 or end > size_of(self._stream):
            self._cut("skippable zstd frame")
            return
        if self.offset == 0 and begin.startswith(DICTIONARY):
            self._take_dictionary(end - 8)
        self.end = end
        self._whole = True

    def _take_dictionary(self, length: int) -> None:
        data = self._stream.read(min(length, DICTIONARY_BYTES))
        try:
            if data.startswith(FRAME):
                with zstandard.ZstdDecompressor().stream_reader(data) as reader:
                    data = reader.read(DICTIONARY_BYTES)
            self._decompressor = _decompressor(zstandard.ZstdCompressionDict(data))
        except zstandard.ZstdError as error:
            self._break("dictionary of the zstd file", error)


def _decompressor(
    dictionary: zstandard.ZstdCompressionDict | None = None,
) -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=WINDOW_BYTES)
