"""Which lines deserve a second look: those that may be site furniture or hold personal data.

The patterns of `boilerplate` and `personal` are exact and slow (20 MB/s and less). This pass over
the bytes finds the few lines that they could match at all; it may name too many, never too few.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.clean.boilerplate import (
    LABEL_STARTS,
    MAXIMUM_LINE_CHARACTERS,
    SEPARATORS,
    STARTS,
)
from nativize.compiled import compiled
from nativize.texts import Texts
from nativize.utf8 import decode

MENU, PERSONAL, CHAIN, SIGN = 1, 2, 4, 8
"""A line may be a menu or label by its beginning, hold personal data, be a chain of links by its
arrows, or be a copyright or notice by a sign in it."""
SHORTEST_NUMBER, FEWEST_DIGITS = 8, 10
"""Digits of a telephone number with an international prefix (+), and of all other numbers."""
SLOTS = 1 << 10
ROOM = 4_096
"""Suspects that one call of the kernel finds; an array that grew inside cost half the speed."""

# what a byte may be: 1 newline, 2 @, 3 digit, 4 colon, 5 arrow, 6 g of "rights", 7 k of "cookie",
# 8 first byte of a character in LONGER; g and k are the rarest letters of their words
LONGER = "»›→＞｜©ⓒ"
NOTICE_BYTES = 3 * 43
"""A Japanese notice that more is to be read after a login is no longer."""


Suspect = tuple[int, int, int, int]
"""Number of the text, bytes where the line begins and ends, and what it may be (a bit set)."""


def suspect_lines(texts: Texts) -> Iterator[Suspect]:
    """The lines of normalised texts that need a second look, in order."""
    tables = (_byte_table(), _start_table(), _label_table(), _menu_table())
    lines = np.empty((ROOM, 4), np.int64)
    text, at = 0, int(texts.offsets[0])
    while text < len(texts):
        found, text, at = _suspects(texts.data, texts.offsets, text, at, lines, *tables)
        yield from map(tuple, lines[:found].tolist())


@functools.cache
def _byte_table() -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[10] = 1
    table[ord("@")] = 2
    table[ord("0") : ord("9") + 1] = 3
    table[ord(":")] = 4
    table[[ord("|"), ord(">")]] = 5
    table[[ord("g"), ord("G")]] = 6
    table[[ord("k"), ord("K")]] = 7
    table[[character.encode()[0] for character in LONGER]] = 8
    return table


@functools.cache
def _start_table() -> NDArray[np.int64]:
    """The first characters of furniture as a hash table; a key is 21 bits a character."""
    return _hash_table(STARTS)


@functools.cache
def _label_table() -> NDArray[np.int64]:
    return _hash_table(LABEL_STARTS)


def _hash_table(starts: Sequence[str]) -> NDArray[np.int64]:
    slots = np.full(SLOTS, -1, np.int64)
    for start in starts:
        key = 0
        for character in start:
            key = key << 21 | ord(character)
        slot = _slot(key)
        while slots[slot] not in (-1, key):
            slot = (slot + 1) % SLOTS
        slots[slot] = key
    return slots


@functools.cache
def _menu_table() -> NDArray[np.bool_]:
    """ASCII bytes that a line of a menu may hold: letters and separators."""
    allowed = {ord(c) for c in SEPARATORS if c < "\x80"} | set(range(65, 91)) | set(range(97, 123))
    return np.array([byte in allowed or byte >= 128 for byte in range(256)])


@compiled
def _slot(key: int) -> int:
    return (key ^ key >> 17) % SLOTS


SEPARATOR_POINTS = np.array(sorted(map(ord, SEPARATORS)), np.uint32)


@compiled
def _suspects(
    data: Any,
    offsets: Any,
    text: int,
    at: int,
    lines: Any,
    table: Any,
    starts: Any,
    labels: Any,
    menu: Any,
) -> Any:
    """Suspects from a text and a byte on until ``lines`` is full; how many, and where to go on."""
    found = 0
    while text < len(offsets) - 1:
        end = offsets[text + 1]
        at = max(at, offsets[text])
        while at < end:
            if found == len(lines):
                return found, text, at
            begin = at
            at, kind = _line(data, begin, end, table)
            if at - begin > 4 * MAXIMUM_LINE_CHARACTERS:
                kind &= PERSONAL
            else:
                kind |= _kind_by_start(data, begin, at, starts, labels, menu)
                kind |= SIGN if _is_notice(data, begin, at) else 0
            if kind:
                lines[found, 0], lines[found, 1] = text, begin
                lines[found, 2], lines[found, 3] = at, kind
                found += 1
            at += 1
        text, at = text + 1, 0  # the byte behind a text is the first of the next
    return found, text, at


@compiled
def _line(data: Any, at: int, end: int, table: Any) -> Any:
    """Where a line ends, and what its bytes say that it may be."""
    kind, arrows, colon, begin = 0, 0, -9, at
    while at < end:
        what = table[data[at]]
        while what == 0:
            at += 1
            if at == end:
                break
            what = table[data[at]]
        if what <= 1:
            break
        if what == 3:
            at, is_number = _number(data, at, end)
            kind |= PERSONAL if is_number else 0
        else:
            if what == 2:
                kind |= PERSONAL
            elif what == 4:
                kind |= PERSONAL if _is_address(data, begin, colon, at, end) else 0
                colon = at
            elif what == 5:
                arrows += 1
            elif what == 6:
                kind |= SIGN if at > begin + 1 and spells(data, at - 2, end, b"rights r") else 0
            elif what == 7:
                kind |= SIGN if at > begin + 1 and spells(data, at - 2, end, b"ookie") else 0
            else:
                sign = _sign(data, at, end)
                arrows += sign == 2
                kind |= SIGN if sign == 1 else 0
            at += 1
    return at, kind | (CHAIN if arrows > 1 else 0)


@compiled
def _number(data: Any, at: int, end: int) -> Any:
    """Where a run of digits, spaces, dots, hyphens and brackets ends; is it long enough?"""
    begin, digits, dots = at, 0, 0
    while at < end:
        byte = data[at]
        if 48 <= byte <= 57:
            digits += 1
        elif byte == 46:
            dots += 1
        elif byte != 32 and byte != 45 and byte != 40 and byte != 41:
            break
        at += 1
    international = digits >= SHORTEST_NUMBER and begin > 0 and data[begin - 1] == 43
    return at, digits >= FEWEST_DIGITS or dots >= 3 or international


@compiled
def _is_hex(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 70 or 97 <= byte <= 102


@compiled
def _is_word(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122


@compiled
def _is_address(data: Any, begin: int, colon: int, at: int, end: int) -> bool:
    """Whether two colons have hex digits around them as an IPv6 address has."""
    if at - colon > 5 or at + 1 >= end:
        return False
    for place in range(colon + 1, at):
        if not _is_hex(data[place]):
            return False
    place = colon - 1
    while place >= begin and colon - place <= 4 and _is_hex(data[place]):
        place -= 1
    if place >= begin and (_is_word(data[place]) or data[place] == 46):
        return False
    place = at + 1
    while place < end and place - at <= 4 and _is_hex(data[place]):
        place += 1
    if place < end and data[place] == 58:
        return True
    return place > at + 1 and (place == end or not _is_word(data[place]))


@compiled
def spells(data: Any, at: int, end: int, word: Any) -> bool:
    """Whether an ASCII word stands here in either case."""
    if end - at < len(word):
        return False
    for place in range(len(word)):
        byte = data[at + place]
        if byte != word[place] and (byte | 32) != word[place]:
            return False
    return True


@compiled
def _sign(data: Any, at: int, end: int) -> int:
    """1 for a character that only furniture has, 2 for an arrow, 0 for all else."""
    if end - at < 2:
        return 0
    first, second = data[at], data[at + 1]
    if first == 0xC2:
        return 1 if second == 0xA9 else 2 if second == 0xBB else 0
    if end - at < 3:
        return 0
    third = data[at + 2]
    if first == 0xE2:
        if second == 0x93:
            return 1 if third == 0x92 else 0
        return 2 if (second == 0x80 and third == 0xBA) or (second == 0x86 and third == 0x92) else 0
    return 2 if (second == 0xBC and third == 0x9E) or (second == 0xBD and third == 0x9C) else 0


@compiled
def _is_notice(data: Any, at: int, end: int) -> bool:
    """Whether a short line says すると."""
    if end - at > NOTICE_BYTES:
        return False
    sparse = True
    for place in range(at + 15, end, 16):  # the words before it fill 21 bytes beyond ASCII
        sparse = sparse and data[place] < 0x80
    if sparse:
        return False
    for place in range(at, end - 8):
        first = data[place] == 0xE3 and data[place + 2] == 0x99
        if first and data[place + 5] == 0x8B and data[place + 8] == 0xA8:
            return True
    return False


@compiled
def _kind_by_start(data: Any, at: int, end: int, starts: Any, labels: Any, menu: Any) -> int:
    """What a line may be by its first characters; no menu ends like a sentence."""
    begin, key, characters = at, 0, 0
    while at < end and characters < 3:
        point, length = decode(data, at)
        if characters or not _is_separator(point):
            if characters == 0 and spells(data, at, end, b"copyright"):
                return SIGN
            key = key << 21 | _lower(point)
            characters += 1
            if characters > 1:
                if _holds(labels, key):
                    return MENU | SIGN
                if _holds(starts, key):
                    notice = SIGN if point > 0x3000 else 0
                    return notice | (MENU if _may_be_menu(data, begin, end, menu) else 0)
        at += length
    return 0


@compiled
def _holds(starts: Any, key: int) -> bool:
    slot = _slot(key)
    while starts[slot] >= 0:
        if starts[slot] == key:
            return True
        slot = (slot + 1) % SLOTS
    return False


@compiled
def _may_be_menu(data: Any, begin: int, end: int, menu: Any) -> bool:
    """Whether a line holds no ASCII but letters and separators, and does not end in 。."""
    for place in range(begin, end):
        if not menu[data[place]]:
            return False
    ideographic = data[end - 1] == 0x82 and data[end - 2] == 0x80 and data[end - 3] == 0xE3
    return not (end - begin >= 3 and ideographic)


@compiled
def _lower(point: Any) -> int:
    return int(point) + (32 if 65 <= point <= 90 else 0)


@compiled
def _is_separator(point: Any) -> bool:
    for separator in SEPARATOR_POINTS:
        if separator >= point:
            return bool(separator == point)
    return False
