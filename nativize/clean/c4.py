"""C4's work on lines: those that break a rule go, and the sentences of the others are counted.

C4 is the one published filter that changes texts, so it runs before the statistics are taken.
Differences: a line that ended with a citation mark is stripped again before its end is looked at;
blank lines between paragraphs stay; a sentence ends at . ? ! before white space, where the paper
asks nltk's punkt.

Source: Raffel et al. 2020, "Exploring the Limits of Transfer Learning", section 2.2; order of the
rules as in datatrove 0.10.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nativize.clean.lines import spells
from nativize.compiled import compiled
from nativize.recipe import clean
from nativize.texts import Texts

LONGEST_WORD = 1_000
LOREM_IPSUM, BRACKET = 1, 2


class C4Lines(NamedTuple):
    """N texts without the lines that C4 drops.

    Attributes:
        texts: what is left.
        sentences: N, of the lines that are left.
        marks: N bit sets: a line says lorem ipsum (1), a line holds a curly bracket (2).
    """

    texts: Texts
    sentences: NDArray[np.int32]
    marks: NDArray[np.int32]


def c4_lines(texts: Texts, wanted: clean.C4) -> C4Lines:
    """The texts by C4's rules on lines."""
    data, ends, sentences, marks = _keep_lines(
        texts.data, texts.offsets, wanted.terminal_punctuation, wanted.minimum_line_words
    )
    return C4Lines(Texts(data, ends), sentences, marks)


@compiled
def _keep_lines(data: Any, offsets: Any, terminal: bool, least_words: int) -> Any:
    count = len(offsets) - 1
    out = np.empty(offsets[-1] - offsets[0] + 8, np.uint8)
    ends = np.zeros(count + 1, np.int64)
    sentences, marks = np.zeros(count, np.int32), np.zeros(count, np.int32)
    o = 0
    for text in range(count):
        first, at, end = o, offsets[text], offsets[text + 1]
        newlines = 0
        while at < end:
            begin = o
            if newlines and o > first:
                for _ in range(min(newlines, 2)):
                    out[o] = 10
                    o += 1
            start = o
            words, longest, at, o = _copy_line(data, at, end, out, o)
            newlines += 1
            at += 1
            if o == start:
                o = begin
                continue
            verdict = _verdict(out, start, o, words, longest, terminal, least_words)
            if verdict == 0:
                sentences[text] += _sentences(out, start, o)
                newlines = 1
                continue
            marks[text] |= max(verdict, 0)
            newlines -= 1
            o = begin
        ends[text + 1] = o
    return out[:o].copy(), ends, sentences, marks


@compiled
def _copy_line(data: Any, at: int, end: int, out: Any, o: int) -> Any:
    """The line without citations, its words, its longest word, and where both texts are now."""
    start, words, longest, length = o, 0, 0, 0
    while at < end and data[at] != 10:
        byte = data[at]
        if byte == 91:
            skipped = _citation(data, at, end)
            if skipped:
                words += length == 0
                length += skipped
                at += skipped
                continue
        if byte == 32 or byte == 9:
            length = 0
        else:
            words += length == 0
            length += (byte & 0xC0) != 0x80
            longest = max(longest, length)
        out[o] = byte
        o, at = o + 1, at + 1
    while o > start and (out[o - 1] == 32 or out[o - 1] == 9):
        o -= 1
    return words, longest, at, o


@compiled
def _citation(data: Any, at: int, end: int) -> int:
    """Length of [12], [edit] or [citation needed], else 0."""
    place = at + 1
    while place < end and 48 <= data[place] <= 57:
        place += 1
    if place < end and data[place] == 93:
        return place + 1 - at
    if spells(data, at + 1, end, b"edit]"):
        return 6
    return 17 if spells(data, at + 1, end, b"citation needed]") else 0


@compiled
def _verdict(
    out: Any, start: int, end: int, words: int, longest: int, terminal: bool, least_words: int
) -> int:
    """0: the line stays; -1: it goes; else the mark that it sets on the text."""
    if longest > LONGEST_WORD:
        return -1
    if terminal and not _is_terminal(out, start, end):
        return -1
    if words < least_words:
        return -1
    bracket, policy, script = False, False, False
    for place in range(start, end):
        byte = out[place] | 32
        if byte == 108 and spells(out, place, end, b"lorem ipsum"):
            return LOREM_IPSUM
        if byte == 106 and spells(out, place, end, b"javascript"):
            script = True
        bracket = bracket or out[place] == 123
        if byte == 116 or byte == 112 or byte == 99 or byte == 117:
            policy = policy or _is_policy(out, place, end)
    if script:
        return -1
    if bracket:
        return BRACKET
    return -1 if policy else 0


@compiled
def _is_policy(out: Any, at: int, end: int) -> bool:
    if spells(out, at, end, b"terms of use") or spells(out, at, end, b"privacy policy"):
        return True
    if spells(out, at, end, b"cookie policy") or spells(out, at, end, b"use of cookies"):
        return True
    return spells(out, at, end, b"uses cookies") or spells(out, at, end, b"use cookies")


@compiled
def _is_terminal(out: Any, start: int, end: int) -> bool:
    last = out[end - 1]
    dots = end - start >= 3 and last == 46 and out[end - 2] == 46 and out[end - 3] == 46
    marks = last == 46 or last == 63 or last == 33 or last == 34 or last == 39
    return marks and not dots


@compiled
def _sentences(out: Any, start: int, end: int) -> int:
    """Marks . ? ! with closing quotes before a space or the end, and a rest without one."""
    found, rest, place = 0, False, start
    while place < end:
        byte = out[place]
        if byte == 46 or byte == 63 or byte == 33:
            while place < end and (out[place] == 46 or out[place] == 63 or out[place] == 33):
                place += 1
            closed = place
            while closed < end and (
                out[closed] == 34 or out[closed] == 39 or out[closed] == 41 or out[closed] == 93
            ):
                closed += 1
            if closed == end or out[closed] == 32 or out[closed] == 9:
                found, rest, place = found + 1, False, closed
            else:
                rest = True
            continue
        rest = rest or (byte != 32 and byte != 9)
        place += 1
    return found + rest
