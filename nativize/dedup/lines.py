"""One shard's lines: what each is compared by, and where it stands. Made once and kept.

``<shard>.lines.npy`` has the 64-bit hash of every line long enough, in order;
``<shard>.spans.npy`` the fields of `Span` of each, 32 bytes a line together;
``<shard>.letters.npy`` how many folded characters each row of the shard has in all.
"""

from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import Report
from nativize.compiled import compiled
from nativize.dedup.fold import normal_form
from nativize.dedup.shingles import (
    CHUNK,
    COMPLICATED,
    FIELDS,
    LONGEST_SEQUENCE,
    Shingling,
    begin,
    mix,
    next_hashes,
    units_room,
)
from nativize.texts import Texts

NEWLINE = ord("\n")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Span(IntEnum):
    """The fields that are kept of a line, each 32 bits.

    ``BEGIN`` and ``END`` are bytes of the document, the newline behind the line with it;
    ``LETTERS`` folded characters; ``CHARACTERS`` those of the span; ``UNCLOSED`` is 1 where the
    document ends without a newline behind this line, which is not its first.
    """

    ROW, BEGIN, END, LETTERS, CHARACTERS, UNCLOSED = range(6)


def read_lines(path: Path, how: Shingling, minimum_characters: int, out: Path) -> Report:
    """The three files of a shard.

    Args:
        path: the shard.
        how: folding and seed; lines are compared whole, whatever its shingles are.
        minimum_characters: lines that fold to fewer are left out.
    """
    texts = Texts.of_column(pq.read_table(path, columns=["text"])["text"])
    # a line is compared by its characters, one by one
    how = how._replace(by_words=False, length=1)
    hashes, spans = hashed_lines(texts, how)
    letters = np.bincount(spans[:, Span.ROW], spans[:, Span.LETTERS], minlength=len(texts))
    long = spans[:, Span.LETTERS] >= minimum_characters
    hashes, spans = hashes[long], spans[long]
    order = np.argsort(hashes, kind="stable")
    np.save(out / f"{path.stem}.lines.npy", hashes[order], allow_pickle=False)
    np.save(out / f"{path.stem}.spans.npy", spans[order], allow_pickle=False)
    np.save(out / f"{path.stem}.letters.npy", letters.astype(np.int64), allow_pickle=False)
    return Report()


def hashed_lines(texts: Texts, how: Shingling) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Hash and `Span` of each line of some texts, in order; a line without letters has hash 0."""
    count = int(np.count_nonzero(texts.data == NEWLINE)) + len(texts)
    hashes, spans = np.zeros(count, np.uint64), np.zeros((count, len(Span)), np.uint32)
    complicated = np.zeros(count, np.bool_)
    units = units_room(how.length)
    made = _lines(texts.data, texts.offsets, how, units, hashes, spans, complicated)
    again = np.flatnonzero(complicated[:made])
    if len(again):
        normal = Texts.of([normal_form(_text_of(texts, spans[line])) for line in again.tolist()])
        letters = np.zeros(len(again), np.uint32)
        hashes[again] = _hash_lines(normal.data, normal.offsets, how, units, letters)
        spans[again, Span.LETTERS] = letters
    return hashes[:made], spans[:made]


def _text_of(texts: Texts, span: NDArray[np.uint32]) -> str:
    start = texts.offsets[span[Span.ROW]]
    return texts.data[start + span[Span.BEGIN] : start + span[Span.END]].tobytes().decode()


@compiled
def _lines(
    data: Any, offsets: Any, how: Any, units: Any, hashes: Any, spans: Any, complicated: Any
) -> int:
    state, room = np.empty(FIELDS, np.int64), np.empty(CHUNK + LONGEST_SEQUENCE, np.uint64)
    line = 0
    for text in range(len(offsets) - 1):
        start, stop = offsets[text], offsets[text + 1]
        at = start
        while at < stop:
            end, characters = at, 0
            while end < stop and data[end] != NEWLINE:
                characters += (data[end] & 0xC0) != 0x80
                end += 1
            hashes[line], letters = _hash_of_line(data, at, end, False, how, state, units, room)
            complicated[line] = state[COMPLICATED]
            closed = end < stop
            end += closed
            spans[line, 0] = text
            spans[line, 1] = at - start
            spans[line, 2] = end - start
            spans[line, 3] = letters
            spans[line, 4] = characters + closed
            spans[line, 5] = not closed and at > start
            line += 1
            at = end
    return line


@compiled
def _hash_lines(data: Any, offsets: Any, how: Any, units: Any, letters: Any) -> Any:
    state, room = np.empty(FIELDS, np.int64), np.empty(CHUNK + LONGEST_SEQUENCE, np.uint64)
    hashes = np.zeros(len(offsets) - 1, np.uint64)
    for line in range(len(hashes)):
        hashes[line], letters[line] = _hash_of_line(
            data, offsets[line], offsets[line + 1], True, how, state, units, room
        )
    return hashes


@compiled
def _hash_of_line(
    data: Any, start: int, stop: int, is_normal: bool, how: Any, state: Any, units: Any, room: Any
) -> Any:
    begin(state, start, is_normal)
    value, letters = how.seed, 0
    made = next_hashes(data, stop, how, state, units, room)
    while made:
        for at in range(made):
            value = (value ^ room[at]) * _FACTOR
            value ^= value >> np.uint64(32)
        letters += made
        made = next_hashes(data, stop, how, state, units, room)
    return mix(value), letters
