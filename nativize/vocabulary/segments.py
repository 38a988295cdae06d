"""What pieces are learned from: a text's different segments, and how often each occurs.

A segment is where pieces may form: cut before every space, around every digit, and where letters
of one script meet other characters. Kana and kanji count as one script, as in sentencepiece.
"""

import functools
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.vocabulary.piece_model import SPACE

CODE_POINTS = 0x110000
BREAK, ALONE, MARK, OTHER = range(4)
"""Classes of characters: parts segments and is in none; a segment of its own (digits); goes with
what precedes it; no letter. Letters of the scripts have the numbers behind."""
JAPANESE = frozenset(("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "CJK", "IDEOGRAPHIC"))
CHUNK_CHARACTERS = 1 << 22
_SPACE = np.uint32(ord(SPACE))
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_USED, _FILLED = range(2)


@dataclass(frozen=True)
class Segments:
    """Different segments and how often each occurs.

    Attributes:
        points: their characters, one segment after the other; a space is "▁".
        starts: n + 1 positions, where each begins and the last ends.
        counts: n, how often each occurs.
    """

    points: NDArray[np.uint32]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    def characters(self) -> NDArray[np.int64]:
        """How often each code point occurs."""
        weights = np.repeat(self.counts, np.diff(self.starts))
        return np.bincount(self.points, weights, CODE_POINTS).astype(np.int64)


def segments_of(texts: Iterable[str], classes: NDArray[np.uint8] | None = None) -> Segments:
    """The segments of all texts, in the order of their first appearance."""
    classes = character_classes() if classes is None else classes
    points, starts = np.empty(CHUNK_CHARACTERS, np.uint32), np.zeros(1 << 16, np.int64)
    counts, hashes = np.zeros(1 << 16, np.int64), np.zeros(1 << 16, np.uint64)
    slots, numbers = np.full(1 << 17, -1, np.int32), np.zeros(2, np.int64)
    for chunk in _chunks(texts):
        points = _with_room(points, int(numbers[_FILLED]) + len(chunk) + 1)
        at = 0
        while True:
            at = _collect(chunk, at, classes, points, starts, counts, hashes, slots, numbers)
            if at >= len(chunk):
                break
            room = 2 * len(counts)
            starts, counts, hashes = (_with_room(old, room) for old in (starts, counts, hashes))
            slots = np.full(2 * room, -1, np.int32)
            _place(hashes, slots, numbers[_USED])
    used, filled = (int(number) for number in numbers)
    return Segments(points[:filled], starts[: used + 1], counts[:used])


@functools.cache
def character_classes() -> NDArray[np.uint8]:
    """The class of every code point; a script is what a letter's name begins with."""
    classes = np.full(CODE_POINTS, BREAK, np.uint8)
    scripts: dict[str, int] = {}
    for code in range(CODE_POINTS):
        category = unicodedata.category(chr(code))
        name = unicodedata.name(chr(code), "").partition(" ")[0]
        if category == "Cf" or name in ("COMBINING", "VARIATION"):
            classes[code] = MARK
        elif category == "Nd":
            classes[code] = ALONE
        elif category[0] in "LM" or (category == "Nl" and name in JAPANESE):
            script = "JAPANESE" if name in JAPANESE else name
            classes[code] = scripts.setdefault(script, OTHER + 1 + len(scripts))
        elif category[0] in "NPSZ" and category not in ("Zl", "Zp"):
            classes[code] = OTHER
    return classes


def _chunks(texts: Iterable[str]) -> Iterator[NDArray[np.uint32]]:
    waiting: list[str] = []
    length = 0
    for text in texts:
        waiting.append(text)
        length += len(text) + 1
        if length >= CHUNK_CHARACTERS:
            yield _points(waiting)
            waiting, length = [], 0
    yield _points(waiting)


def _points(texts: list[str]) -> NDArray[np.uint32]:
    text = "\n".join((*texts, ""))
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _with_room(array: NDArray[Any], room: int) -> NDArray[Any]:
    if room <= len(array):
        return array
    larger = np.zeros(max(room, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger


@compiled
def _collect(
    text: Any, begin: int, classes: Any, points: Any, starts: Any, counts: Any, hashes: Any,
    slots: Any, numbers: Any,
) -> int:  # fmt: skip
    """Enter the segments of a text from a position on; where it stopped for want of room."""
    at, size = begin, len(text)
    while at < size:
        kind = _class(classes, text[at])
        if kind == BREAK:
            at += 1
            continue
        if numbers[_USED] + 2 > len(counts):
            return at
        end = _end(text, at, classes, kind)
        _enter(text, at, end, points, starts, counts, hashes, slots, numbers)
        at = end
    return at


@compiled
def _class(classes: Any, point: int) -> int:
    return int(classes[point]) if point < CODE_POINTS else BREAK


@compiled
def _end(text: Any, begin: int, classes: Any, kind: int) -> int:
    """Where the segment that begins here ends."""
    at, size = begin + 1, len(text)
    if kind == ALONE:
        return at
    if (text[begin] == 0x20 or text[begin] == _SPACE) and at < size:
        kind = _class(classes, text[at])
        if kind in (BREAK, ALONE) or text[at] == 0x20 or text[at] == _SPACE:
            return at
        at += 1
    while at < size and text[at] != 0x20 and text[at] != _SPACE:
        follows = _class(classes, text[at])
        if follows != kind and follows != MARK:
            break
        at += 1
    return at


@compiled
def _enter(
    text: Any, begin: int, end: int, points: Any, starts: Any, counts: Any, hashes: Any,
    slots: Any, numbers: Any,
) -> None:  # fmt: skip
    """Count a segment, as a new one where it was not seen."""
    filled, used, length = numbers[_FILLED], numbers[_USED], end - begin
    code = np.uint64(length)
    for step in range(length):
        point = text[begin + step]
        points[filled + step] = _SPACE if point == 0x20 else point
        code = (code + np.uint64(points[filled + step])) * _BASE
        code ^= code >> np.uint64(29)
    mask = np.uint64(len(slots) - 1)
    slot = (code * _MIX >> np.uint64(20)) & mask
    while slots[slot] >= 0:
        segment = slots[slot]
        start = starts[segment]
        if hashes[segment] == code and starts[segment + 1] - start == length:
            step = 0
            while step < length and points[start + step] == points[filled + step]:
                step += 1
            if step == length:
                counts[segment] += 1
                return
        slot = (slot + np.uint64(1)) & mask
    slots[slot] = used
    hashes[used] = code
    counts[used] = 1
    starts[used + 1] = filled + length
    numbers[_USED] += 1
    numbers[_FILLED] += length


@compiled
def _place(hashes: Any, slots: Any, used: int) -> None:
    """Enter all segments in a larger table."""
    mask = np.uint64(len(slots) - 1)
    for segment in range(used):
        slot = (hashes[segment] * _MIX >> np.uint64(20)) & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = segment
