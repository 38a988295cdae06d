"""Where the blocks of an xz stream lie: read from the index at its end.

Offsets are counted from the index backwards, so that bytes lost or gained in a damaged block do
not move the blocks behind it.

Source: https://tukaani.org/xz/xz-file-format.txt, sections 2.1 and 4
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import BinaryIO

MAGIC = b"\xfd7zXZ\x00"
HEADER_BYTES = FOOTER_BYTES = 12
LONGEST_INDEX_BYTES = 1 << 24


@dataclass(frozen=True)
class Block:
    """A block by its place in the file and the bytes it unfolds to."""

    offset: int
    unfolds_to: int


@dataclass(frozen=True)
class Blocks:
    """Blocks of a stream in order.

    Attributes:
        header: the stream's header, which decoding a block needs.
        blocks: all of the stream, or those behind damage.
        stop: where the stream's index begins.
        end: where the stream ends.
    """

    header: bytes
    blocks: tuple[Block, ...]
    stop: int
    end: int

    @property
    def unfold_to(self) -> int:
        return sum(block.unfolds_to for block in self.blocks)

    def after(self, unfolded: int) -> "Blocks | None":
        """The blocks behind the one that holds this byte of the unfolded stream."""
        ends = accumulate(block.unfolds_to for block in self.blocks)
        number = sum(1 for end in ends if end <= unfolded) + 1
        behind = self.blocks[number:]
        return replace(self, blocks=behind) if behind else None


def read_blocks(stream: BinaryIO, end: int) -> Blocks | None:
    """The blocks of the stream that ends at ``end``; None where footer or index are damaged."""
    footer_at = _before_padding(stream, end) - FOOTER_BYTES
    if footer_at < HEADER_BYTES:
        return None
    footer = _bytes(stream, footer_at, FOOTER_BYTES)
    if footer[10:] != b"YZ" or zlib.crc32(footer[4:10]) != int.from_bytes(footer[:4], "little"):
        return None
    length = (int.from_bytes(footer[4:8], "little") + 1) * 4
    stop = footer_at - length
    if length > LONGEST_INDEX_BYTES or stop < HEADER_BYTES:
        return None
    index = _bytes(stream, stop, length)
    if zlib.crc32(index[:-4]) != int.from_bytes(index[-4:], "little"):
        return None
    flags = footer[8:10]
    header = MAGIC + flags + zlib.crc32(flags).to_bytes(4, "little")
    return Blocks(header, tuple(_blocks(index, stop)), stop, end)


def _blocks(index: bytes, stop: int) -> Iterator[Block]:
    numbers = _numbers(index[1:-4])
    count = next(numbers)
    pairs = [(next(numbers), next(numbers)) for _ in range(count)]
    offset = stop - sum(length + -length % 4 for length, _ in pairs)
    for length, unfolds_to in pairs:
        yield Block(offset, unfolds_to)
        offset += length + -length % 4


def _numbers(data: bytes) -> Iterator[int]:
    """Numbers of seven bits a byte, lowest first; a set high bit says that more follow."""
    value, shift = 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value, shift = 0, 0


def _before_padding(stream: BinaryIO, end: int) -> int:
    """Zeros in fours may follow a stream (section 2.2)."""
    while end >= 4 and _bytes(stream, end - 4, 4) == bytes(4):
        end -= 4
    return end


def _bytes(stream: BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    return stream.read(length)
