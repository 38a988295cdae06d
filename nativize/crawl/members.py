"""Files as members: gzip members, zstd frames, or the plain file as its only member.

Every member is read with a bound, says afterwards whether it was damaged and where, and damage in
one never costs the next: reading goes on at the next magic number. A cut at the end of a file is
damage too (FastWARC and warcio pass it silently).
"""

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

PLAIN_READ_BYTES = 1 << 16
GZIP_INPUT_BYTES = 1 << 13
GZIP_OUTPUT_BYTES = 1 << 12
"""What zlib had decoded before an error in one call is lost, so calls are small."""
ZSTD_INPUT_BYTES = 1 << 10
"""One kilobyte can unfold to 32 MB at most (256 run-length blocks of 128 KiB)."""
SCAN_BYTES = 1 << 20
LOOK_BACK_BYTES = 1 << 16
"""A damaged deflate stream may run on into its neighbour before it fails; measured far below."""

# magic, method deflate, known flags, three bytes of the six usual values, a known system
GZIP_MAGIC = re.compile(rb"\x1f\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04][\x00-\x0d\xff]", re.DOTALL)
ZSTD_MAGIC = re.compile(rb"\x28\xb5\x2f\xfd")


@dataclass(frozen=True)
class Damage:
    """Bytes of a file that could not be decoded, from the member's begin to where it goes on."""

    offset: int
    length: int
    reason: str


class Member(Protocol):
    """One member: ``read`` until it gives nothing, then ``end`` and ``damage`` are known."""

    offset: int
    end: int
    damage: Damage | None

    def read(self) -> bytes: ...


def read_members(path: Path) -> Iterator[Member]:
    """The members of a file in order; compression by suffix, else by magic number."""
    with path.open("rb", buffering=SCAN_BYTES) as stream:
        make = _kind(path, stream.read(4))
        size = stream.seek(0, os.SEEK_END)
        offset = 0
        while offset < size:
            member = make(stream, offset)
            yield member
            while member.read():
                pass
            offset = member.end


def _kind(path: Path, magic: bytes) -> "type[PlainMember | GzipMember | ZstdMember]":
    if path.suffix == ".gz" or magic.startswith(b"\x1f\x8b"):
        return GzipMember
    if path.suffix in {".zst", ".zstd"} or ZSTD_MAGIC.match(magic):
        return ZstdMember
    return PlainMember


class _Member:
    """A stretch of a file from ``offset`` on; ``end`` and ``damage`` are known once it is read."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        self.offset = offset
        self.end = offset
        self.damage: Damage | None = None
        self._stream = stream
        stream.seek(offset)


class PlainMember(_Member):
    """An uncompressed file."""

    def read(self) -> bytes:
        data = self._stream.read(PLAIN_READ_BYTES)
        self.end += len(data)
        return data


class GzipMember(_Member):
    """One gzip member; its checksum is checked when it ends."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        super().__init__(stream, offset)
        self._decoder = zlib.decompressobj(31)
        self._pending = b""

    def read(self) -> bytes:
        while not self._decoder.eof and not self.damage:
            self._pending = self._pending or self._stream.read(GZIP_INPUT_BYTES)
            if not self._pending:
                self._fail("gzip member is cut at the end of the file")
                break
            try:
                data = self._decoder.decompress(self._pending, GZIP_OUTPUT_BYTES)
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
        self.damage = _damage(self._stream, self.offset, start, GZIP_MAGIC, reason)
        self.end = self.damage.offset + self.damage.length


class ZstdMember(_Member):
    """One zstd frame; a frame that needs a dictionary counts as damaged."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        super().__init__(stream, offset)
        self._decoder = zstandard.ZstdDecompressor().decompressobj()

    def read(self) -> bytes:
        while not self._decoder.eof and not self.damage:
            pending = self._stream.read(ZSTD_INPUT_BYTES)
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
        self.damage = _damage(self._stream, self.offset, start, ZSTD_MAGIC, reason)
        self.end = self.damage.offset + self.damage.length


def _damage(
    stream: BinaryIO, offset: int, start: int, magic: re.Pattern[bytes], reason: str
) -> Damage:
    """The damage from ``offset`` to the next magic number at or after ``start``, or to the end."""
    stream.seek(start)
    position, held = start, b""
    while block := stream.read(SCAN_BYTES):
        held += block
        found = magic.search(held)
        if found:
            return Damage(offset, position + found.start() - offset, reason)
        position += max(0, len(held) - 16)
        held = held[-16:]
    return Damage(offset, stream.tell() - offset, reason)
