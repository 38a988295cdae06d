"""What every compression offers: members that are read with a bound and tell their damage."""

import os
import re
from dataclasses import dataclass
from typing import BinaryIO

PLAIN_READ_BYTES = 1 << 16
SCAN_BYTES = 1 << 20


@dataclass(frozen=True)
class Damage:
    """Bytes of a file that could not be decoded, from where it begins to where reading goes on.

    Attributes:
        lost_bytes: text that was decoded, and is not handed on since it may be altered.
    """

    offset: int
    length: int
    reason: str
    lost_bytes: int = 0


class Member:
    """A stretch of a file from ``offset`` on.

    ``read`` gives bounded pieces until it gives nothing; then ``end`` and ``damage`` are known,
    and ``following`` is the next member. Damage lies at the end of its member.
    """

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        self.offset = offset
        self.end = offset
        self.damage: Damage | None = None
        self._stream = stream
        stream.seek(offset)

    def read(self) -> bytes:
        raise NotImplementedError

    def following(self) -> "Member | None":
        """The member after this one, once this one is read; None at the end of the file."""
        return type(self)(self._stream, self.end) if self.end < size_of(self._stream) else None


class PlainMember(Member):
    """An uncompressed file."""

    def read(self) -> bytes:
        data = self._stream.read(PLAIN_READ_BYTES)
        self.end += len(data)
        return data


def size_of(stream: BinaryIO) -> int:
    """Bytes of an open file."""
    return os.fstat(stream.fileno()).st_size


def find(stream: BinaryIO, start: int, pattern: re.Pattern[bytes]) -> int:
    """Where a pattern of at most 16 bytes is found at or after ``start``; else the file's end."""
    stream.seek(start)
    position, held = start, b""
    while block := stream.read(SCAN_BYTES):
        held += block
        if found := pattern.search(held):
            return position + found.start()
        position += max(0, len(held) - 16)
        held = held[-16:]
    return size_of(stream)
