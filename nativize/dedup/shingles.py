"""From text to shingle hashes, in one pass over Arrow's buffers, a few thousand at a time.

Decoding, folding, cutting and hashing happen in one loop that makes no Python object, releases the
GIL and needs the same few kilobytes for a document of 100 MB as for one of a line. A hash has 64
bits: among a billion distinct shingles two collide with probability 0.03, so the Jaccard similarity
of hash sets is that of the shingles.
"""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.fold import BLANK, SPECIAL, FoldTables, fold_tables
from nativize.recipe import Dedup, Language
from nativize.utf8 import decode

CHUNK = 2_048
"""Shingles that are hashed before anyone looks at them; 16 kB, so they stay in the first cache."""
LONGEST_SEQUENCE = 18
"""Code points of the longest normal form of one (U+FDFA)."""
FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
"""A free slot of a table of hashes; no hash has this value."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_GREATEST = FREE - np.uint64(1)
_SPACE = np.uint64(32)
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)
_SIDE_BY_SIDE = 8
_VOWELS, _FINALS = 0x1161, 0x11A8
_HANGUL, _HANGUL_END = 0xAC00, 0xD7A4


class Shingling(NamedTuple):
    """What a text is compared by.

    Attributes:
        tables: the folding.
        by_words: whether units are words (or syllables), not characters.
        length: units of a shingle.
        seed: what all hashes are mixed with.
    """

    tables: FoldTables
    by_words: bool
    length: int
    seed: np.uint64

    @classmethod
    def of(cls, language: Language, dedup: Dedup) -> Self:
        # syllables are words to the kernel: what parts them is punctuation
        by_words = language.shingle != "characters"
        return cls(fold_tables(dedup.fold), by_words, dedup.shingle_length, np.uint64(dedup.seed))


@compiled
def mix(value: Any) -> Any:
    """64 well-mixed bits of 64 (the finaliser of splitmix64)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


# Where a document stands between two chunks, as fields of one array.
(
    AT, PREVIOUS, SLOW, STARTER, LAST, PENDING, STARTED, WORD, INSIDE, UNITS, NORMAL, COMPLICATED,
) = range(12)  # fmt: skip
FIELDS = 12


@compiled
def begin(state: Any, start: int, is_normal: bool) -> None:
    """A state at the beginning of a document, which may be in `normal_form` already."""
    state[:] = 0
    state[AT] = start
    state[PREVIOUS] = 32
    state[NORMAL] = is_normal


def units_room(length: int) -> NDArray[np.uint64]:
    """Working memory for `next_hashes`."""
    return np.empty(CHUNK + length + LONGEST_SEQUENCE, np.uint64)


@compiled
def next_hashes(data: Any, stop: int, how: Any, state: Any, units: Any, hashes: Any) -> int:
    """The next shingle hashes of a document into ``hashes``; how many, 0 at its end.

    A text of fewer units than a shingle has is one shingle; one without units has none.

    Args:
        data: UTF-8.
        stop: where the document ends.
        how: a `Shingling`.
        state: where it stands; `begin` made it. ``state[COMPLICATED]`` becomes 1 where characters
            act on each other: the document wants `normal_form` first.
        units: of `units_room`.
        hashes: room for `CHUNK` + `LONGEST_SEQUENCE` hashes.
    """
    before = state[UNITS]
    # the last units of the chunk before this one begin the first shingles of this one
    kept = min(before, how.length - 1)
    count = next_units(data, stop, how, state, units, kept)
    fresh = count - kept
    state[UNITS] = before + fresh
    if fresh == 0:
        return 0
    if before == 0 and count < how.length:
        if state[AT] < stop:
            return 0
        hashes[0] = _hash_of(units, 0, count, how.seed)
        return 1
    made = _roll(units, count, how.length, how.seed, hashes)
    for place in range(how.length - 1):
        units[place] = units[count - how.length + 1 + place]
    return made


@compiled
def _hash_of(units: Any, first: int, last: int, seed: Any) -> Any:
    rolling = np.uint64(0)
    for at in range(first, last):
        rolling = rolling * _BASE + units[at]
    return min(mix(rolling ^ seed), _GREATEST)


@compiled
def _roll(units: Any, count: int, length: int, seed: Any, hashes: Any) -> int:
    """Hashes of all runs of ``length`` units.

    A rolling hash waits for the one before it; short runs are faster hashed whole, side by side.
    """
    made = count - length + 1
    if length <= _SIDE_BY_SIDE:
        hashes[:made] = units[:made]
        for place in range(1, length):
            for at in range(made):
                hashes[at] = hashes[at] * _BASE + units[at + place]
    else:
        leaving, rolling = _ONE, np.uint64(0)
        for at in range(length - 1):
            leaving *= _BASE
            rolling = rolling * _BASE + units[at]
        for at in range(made):
            rolling = rolling * _BASE + units[at + length - 1]
            hashes[at] = rolling
            rolling -= units[at] * leaving
    for at in range(made):
        hashes[at] = min(mix(hashes[at] ^ seed), _GREATEST)
    return made


@compiled
def next_units(data: Any, stop: int, how: Any, state: Any, units: Any, count: Any) -> Any:
    """Units after the first ``count`` until the room is full or the document ends; how many."""
    folded, by_words, is_word = how.tables.folded, how.by_words, how.tables.is_word
    at, previous, slow = state[AT], state[PREVIOUS], state[SLOW]
    pending, started = state[PENDING], state[STARTED]
    word, inside = np.uint64(state[WORD]), state[INSIDE]
    few = np.empty(LONGEST_SEQUENCE, np.int32)
    full = count + CHUNK
    # unsigned, for of every signed index numba asks whether it counts from the end
    last, room = np.uint64(stop), np.uint64(full)
    while at < stop and count < full:
        if not by_words:
            # what most text is made of, one byte or three, as long as it goes on
            here, made = np.uint64(at), np.uint64(count)
            waits, begun = np.uint64(pending), np.uint64(started)
            while here < last and made < room:
                letter, bytes_of_it = np.uint32(data[here]), _ONE
                if letter >= 0x80:
                    if letter >> 4 != 0xE:
                        break
                    letter = (letter & 0x0F) << 12 | np.uint32(data[here + _ONE] & 0x3F) << 6
                    letter |= np.uint32(data[here + _TWO] & 0x3F)
                    bytes_of_it = _THREE
                value = folded[letter]
                if value >= SPECIAL:
                    break
                # without branches, for nobody can foresee where words end
                visible = np.uint64(value != BLANK)
                units[made] = _SPACE
                made += visible & waits
                units[made] = np.uint64(value)
                made += visible
                waits = (visible ^ _ONE) & begun
                begun |= visible
                here += bytes_of_it
                previous, slow = letter, 0
            at, count = np.int64(here), np.int64(made)
            pending, started = np.int64(waits), np.int64(begun)
            if at >= stop or count >= full:
                break
        if data[at] < 0x80:
            point, width = np.uint32(data[at]), 1
        else:
            point, width = decode(data, at)
        at += width
        value = folded[point]
        if value < SPECIAL:
            slow = 0
            if by_words:
                if value >= 0 and is_word[value]:
                    word, inside = word * _BASE + np.uint64(value) + _ONE, 1
                elif inside:
                    units[count] = mix(word)
                    count += 1
                    word, inside = np.uint64(0), 0
            else:
                # without branches, for nobody can foresee where words end
                shown = int(value != BLANK)
                units[count] = _SPACE
                count += shown & pending
                units[count] = np.uint64(value)
                count += shown
                pending = (1 - shown) & started
                started |= shown
        else:
            parts = _sequence(value, previous, slow, how.tables, state, few)
            if parts < 0:
                state[COMPLICATED] = 1
                at = stop
                break
            slow = 1
            for part in range(parts):
                value = few[part]
                if by_words:
                    if value >= 0 and is_word[value]:
                        word, inside = word * _BASE + np.uint64(value) + _ONE, 1
                    elif inside:
                        units[count] = mix(word)
                        count += 1
                        word, inside = np.uint64(0), 0
                elif value == BLANK:
                    pending = started
                else:
                    if pending:
                        units[count] = _SPACE
                        count += 1
                        pending = 0
                    units[count] = np.uint64(value)
                    count += 1
                    started = 1
        previous = point
    if at >= stop and inside:
        units[count] = mix(word)
        count += 1
        word, inside = np.uint64(0), 0
    state[AT], state[PREVIOUS], state[SLOW] = at, previous, slow
    state[PENDING], state[STARTED] = pending, started
    state[WORD], state[INSIDE] = np.int64(word), inside
    return count


@compiled
def _sequence(value: int, previous: int, slow: int, tables: Any, state: Any, few: Any) -> int:
    """What a special code point is compared as into ``few``; how many, -1 if it cannot be said.

    Text in normal form has combining characters in the order of their classes, and none that
    composes with the one before it; what breaks this must be normalised as a whole.
    """
    number, is_normal = value - SPECIAL, state[NORMAL]
    if number == 0 and not is_normal:
        return -1
    starter, last = state[STARTER], state[LAST]
    if not slow:
        starter, last = tables.normal[previous], 0
    count = 0
    for place in range(tables.begins[number], tables.begins[number + 1]):
        unit = tables.sequences[place]
        order = np.int64(tables.combining[unit])
        if order and order < last and not is_normal:
            return -1
        if tables.seconds[unit] and not is_normal and _composes(starter, unit, tables):
            return -1
        if order:
            last = order
        else:
            starter, last = unit, 0
        few[count] = tables.mapped[unit]
        count += 1
    state[STARTER], state[LAST] = starter, last
    return count


@compiled
def _composes(first: int, second: int, tables: Any) -> bool:
    """Whether a code point, or a base of it, has a composed form with the one behind it."""
    if _VOWELS <= second < _VOWELS + 21:
        return bool(0x1100 <= first < 0x1113)
    if _FINALS <= second < _FINALS + 27:
        return bool(_HANGUL <= first < _HANGUL_END)
    while first > 0:
        wanted = np.int64(first) << 32 | np.int64(second)
        place = np.searchsorted(tables.pairs, wanted)
        if place < len(tables.pairs) and tables.pairs[place] == wanted:
            return True
        first = tables.bases[first]
    return False


@compiled
def hashes_room(count: int) -> int:
    """Slots of a table for so many hashes, at most half full."""
    slots = 8
    while slots < 2 * count:
        slots *= 2
    return slots


@compiled
def bit_of(value: Any, words: int) -> Any:
    """Word and bit of a hash in a filter of a power of two of words; the table uses low bits."""
    high = value >> np.uint64(26)
    return (high >> np.uint64(6)) & np.uint64(words - 1), np.uint64(1) << (high & np.uint64(63))


@compiled
def slot_of(table: Any, value: Any) -> Any:
    """Where a hash stands in a table, or the free slot where it would."""
    last = np.uint64(len(table) - 1)
    slot = value & last
    while table[slot] != value and table[slot] != FREE:
        slot = (slot + _ONE) & last
    return slot


@compiled
def add(table: Any, value: Any) -> bool:
    """Put a hash into a table; whether it is new."""
    slot = slot_of(table, value)
    is_new = table[slot] != value
    table[slot] = value
    return bool(is_new)
