"""One shard's lines: what each is compared by, and where it stands. Made once and kept.

``<shard>.lines.npy`` has the 64-bit hash of every line long enough, in order;
``<shard>.spans.npy`` the fields of `Span` of each, 32 bytes a line together;
``<shard>.letters.npy`` how many folded characters each row of the shard has in all.

Most lines have no character that acts on others and are folded, hashed and measured in one pass
over their bytes; the rest takes the way of shingles, a third as fast.
"""

from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import Report
from nativize.compiled import compiled
from nativize.dedup.fold import BLANK, SPECIAL, normal_form
from nativize.dedup.shingles import (
    AT,
    COMPLICATED,
    FIELDS,
    Shingling,
    begin,
    mix,
    next_units,
    units_room,
)
from nativize.texts import Texts
from nativize.utf8 import decode

FORMAT = 2
"""Counted up when the files of the same shard would be others."""
NEWLINE, RETURN = ord("\n"), ord("\r")
_SPACE = np.uint64(32)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


class Span(IntEnum):
    """The fields that are kept of a line, each 32 bits.

    ``BEGIN`` and ``END`` are bytes of the document, the newline behind the line with it;
    ``LETTERS`` folded characters; ``CHARACTERS`` those of the span; ``NEWLINES`` the bytes of the
    newline before the line (0, 1, or 2 of a ``\\r\\n``), and `UNCLOSED` more where the document
    ends without one behind it.
    """

    ROW, BEGIN, END, LETTERS, CHARACTERS, NEWLINES = range(6)


UNCLOSED = 4


class Lines(NamedTuple):
    """Lines of N texts in order.

    Attributes:
        hashes: of each of m lines 64 bits of what it folds to.
        spans: m x `Span`.
        letters: N, folded characters of all lines of a text, also of those that are left out.
    """

    hashes: NDArray[np.uint64]
    spans: NDArray[np.uint32]
    letters: NDArray[np.int64]


def read_lines(path: Path, how: Shingling, minimum_characters: int, out: Path) -> Report:
    """The three files of a shard.

    Args:
        path: the shard.
        how: folding and seed; lines are compared whole, whatever its shingles are.
        minimum_characters: lines that fold to fewer are left out.
        out: directory for the files.
    """
    texts = Texts.of_column(pq.read_table(path, columns=["text"])["text"])
    lines = lines_of(texts, how, minimum_characters)
    order = np.argsort(lines.hashes, kind="stable")
    np.save(out / f"{path.stem}.lines.npy", lines.hashes[order], allow_pickle=False)
    np.save(out / f"{path.stem}.spans.npy", lines.spans[order], allow_pickle=False)
    np.save(out / f"{path.stem}.letters.npy", lines.letters, allow_pickle=False)
    return Report()


def lines_of(texts: Texts, how: Shingling, minimum_characters: int) -> Lines:
    """The lines of some texts that fold to at least so many characters."""
    # a line is compared by its characters, one by one
    how = how._replace(by_words=False, length=1)
    room = int(np.count_nonzero(texts.data == NEWLINE)) + len(texts)
    hashes, spans = np.empty(room, np.uint64), np.empty((room, len(Span)), np.uint32)
    letters, complicated = np.zeros(len(texts), np.int64), np.empty(room, np.bool_)
    made = _lines(
        texts.data, texts.offsets, how, minimum_characters, units_room(how.length),
        hashes, spans, complicated, letters,
    )  # fmt: skip
    lines = Lines(hashes[:made], spans[:made], letters)
    again = np.flatnonzero(complicated[:made])
    return _with_normal_forms(texts, lines, again, how, minimum_characters) if len(again) else lines


def _with_normal_forms(
    texts: Texts, lines: Lines, again: NDArray[np.int64], how: Shingling, minimum_characters: int
) -> Lines:
    """The same lines, those whose characters act on each other compared by their normal form."""
    normal = Texts.of([normal_form(_text_of(texts, lines.spans[line])) for line in again.tolist()])
    found = np.empty(len(again), np.uint32)
    lines.hashes[again] = _hash_lines(normal.data, normal.offsets, how, units_room(1), found)
    lines.spans[again, Span.LETTERS] = found
    np.add.at(lines.letters, lines.spans[again, Span.ROW], found)
    long = lines.spans[:, Span.LETTERS] >= minimum_characters
    return Lines(lines.hashes[long], lines.spans[long], lines.letters)


def _text_of(texts: Texts, span: NDArray[np.uint32]) -> str:
    start = texts.offsets[span[Span.ROW]]
    return texts.data[start + span[Span.BEGIN] : start + span[Span.END]].tobytes().decode()


@compiled
def _lines(
    data: Any,
    offsets: Any,
    how: Any,
    minimum: int,
    units: Any,
    hashes: Any,
    spans: Any,
    complicated: Any,
    letters: Any,
) -> int:
    """All complicated lines, and others of the minimum of folded characters; how many."""
    state, line = np.empty(FIELDS, np.int64), 0
    for text in range(len(offsets) - 1):
        start, stop = offsets[text], offsets[text + 1]
        at, before = start, 0
        while at < stop:
            end, value, count, characters, is_plain = _plain_line(data, at, stop, how)
            is_complicated = False
            if not is_plain:
                value, count = _line_by_units(data, at, end, False, how, state, units)
                is_complicated = state[COMPLICATED] != 0
                count = 0 if is_complicated else count
            letters[text] += count
            closed = end < stop
            if is_complicated or count >= minimum:
                hashes[line], complicated[line] = value, is_complicated
                spans[line, 0] = text
                spans[line, 1] = at - start
                spans[line, 2] = end + closed - start
                spans[line, 3] = count
                spans[line, 4] = characters + closed
                spans[line, 5] = before + (0 if closed else UNCLOSED)
                line += 1
            before = 2 if end > start and data[end - 1] == RETURN else 1
            at = end + 1
    return line


@compiled
def _plain_line(data: Any, at: int, stop: int, how: Any) -> Any:
    """Where the line ends, its hash, its folded characters, those it has, whether that holds.

    It does not hold for a line with a character whose fold is a sequence or acts on others.
    Without branches but for the length of a character: nobody can foresee where words end.
    """
    folded, value, sequences = how.tables.folded, how.seed, 0
    letters, characters, pending, started = 0, 0, 0, 0
    while at < stop:
        if data[at] < 0x80:
            point, width = np.uint32(data[at]), 1
            if point == NEWLINE:
                break
        else:
            point, width = decode(data, at)
        at += width
        characters += 1
        unit = folded[point]
        sequences |= unit >= SPECIAL
        shown = int(unit != BLANK)
        taken = _taken(value, np.uint64(unit), pending)
        value = taken if shown else value
        letters += shown * (1 + pending)
        started |= shown
        pending = (1 - shown) & started
    return at, mix(value), letters, characters, sequences == 0


@compiled
def _hash_lines(data: Any, offsets: Any, how: Any, units: Any, letters: Any) -> Any:
    """Hash of each of some lines in normal form; their folded characters into ``letters``."""
    state, hashes = np.empty(FIELDS, np.int64), np.empty(len(letters), np.uint64)
    for line in range(len(hashes)):
        hashes[line], letters[line] = _line_by_units(
            data, offsets[line], offsets[line + 1], True, how, state, units
        )
    return hashes


@compiled
def _line_by_units(
    data: Any, start: int, stop: int, is_normal: bool, how: Any, state: Any, units: Any
) -> Any:
    """Hash and folded characters of a line of any characters."""
    begin(state, start, is_normal)
    value, letters, pending = how.seed, 0, 0
    while state[AT] < stop:
        made = next_units(data, stop, how, state, units, 0)
        for at in range(made):
            is_space = int(units[at] == _SPACE)
            taken = _taken(value, units[at], pending)
            value = value if is_space else taken
            pending = is_space
        letters += made
    return mix(value), letters


@compiled
def _taken(value: Any, unit: Any, pending: int) -> Any:
    """The hash with one more character, and whether a space stands before that."""
    value = (value ^ unit ^ (np.uint64(pending) << _HALF)) * _FACTOR
    return value ^ (value >> _HALF)
