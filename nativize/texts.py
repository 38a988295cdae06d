"""A column of texts as the kernels see it: all UTF-8 in one buffer, and where each text begins.

Neither reading it from Arrow nor writing it back makes a Python object per document.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nativize.compiled import compiled


@dataclass(frozen=True)
class Texts:
    """N texts.

    Attributes:
        data: their UTF-8, one after the other.
        offsets: N + 1 bytes, where each begins and the last ends.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of_column(cls, column: pa.ChunkedArray) -> Self:
        """A string column; shares its memory where it lies in one piece."""
        chunks = [chunk.cast(pa.large_string()) for chunk in column.chunks] or [_NOTHING]
        array = chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)
        _, ends, data = array.buffers()
        offsets = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
        return cls(np.frombuffer(data or b"", np.uint8), offsets)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """Python's strings; Arrow would leave a second copy of each in memory."""
        most = sum(len(text) if text.isascii() else 4 * len(text) for text in texts)
        data = np.empty(most, np.uint8)  # what is never written to takes no memory
        room, offsets = memoryview(data.data), [0]
        for text in texts:
            encoded = text.encode()
            offsets.append(offsets[-1] + len(encoded))
            room[offsets[-2] : offsets[-1]] = encoded
        return cls(data[: offsets[-1]], np.array(offsets, np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> str:
        return self.bytes_of(number).decode()

    def bytes_of(self, number: int) -> bytes:
        return self.data[self.offsets[number] : self.offsets[number + 1]].tobytes()

    def characters(self) -> NDArray[np.int64]:
        """Code points of each text."""
        counted: NDArray[np.int64] = _characters(self.data, self.offsets)
        return counted

    def column(self) -> pa.Array:
        """The texts as an Arrow array of strings."""
        buffers = [None, pa.py_buffer(self.offsets), pa.py_buffer(self.data)]
        large = pa.Array.from_buffers(pa.large_string(), len(self), buffers)
        return large.cast(pa.string())

    def replaced(self, changed: Mapping[int, bytes]) -> "Texts":
        """The same texts, those with the numbers in ``changed`` exchanged."""
        if not changed:
            return self
        pieces: list[NDArray[np.uint8]] = []
        lengths = np.diff(self.offsets)
        done = 0
        for number in sorted(changed):
            pieces.append(self.data[self.offsets[done] : self.offsets[number]])
            pieces.append(np.frombuffer(changed[number], np.uint8))
            lengths[number] = len(changed[number])
            done = number + 1
        pieces.append(self.data[self.offsets[done] : self.offsets[-1]])
        return Texts(np.concatenate(pieces), np.concatenate(([0], np.cumsum(lengths))))


@compiled
def _characters(data: Any, offsets: Any) -> Any:
    counts = np.zeros(len(offsets) - 1, np.int64)
    for text in range(len(counts)):
        count = 0
        for byte in data[offsets[text] : offsets[text + 1]]:
            count += (byte & 0xC0) != 0x80
        counts[text] = count
    return counts


_NOTHING = pa.array([], pa.large_string())
