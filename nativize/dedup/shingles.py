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
_SIDE_BY_SIDE = 8
HASHES = CHUNK + LONGEST_SEQUENCE + _SIDE_BY_SIDE
"""Room for the hashes of a chunk."""
FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
"""A free slot of a table of hashes; no hash has this value."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_GREATEST = FREE - np.uint64(1)
_SPACE = np.uint64(32)
_BASE_SQUARED = np.uint64(int(_BASE) ** 2 % 2**64)
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)
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
    AT, PREVIOUS, SLOW, STARTER, LAST, PENDING, STARTED, WORD, INSIDE, UNITS, HELD, NORMAL,
    COMPLICATED,
) = range(13)  # fmt: skip
FIELDS = 13


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

    Args: see `next_shingles`, and
        hashes: room for `HASHES`.
    """
    made, length = next_shingles(data, stop, how, state, units)
    _roll(units, made, length, how.seed, hashes)
    return made


@compiled
def next_shingles(data: Any, stop: int, how: Any, state: Any, units: Any) -> tuple[int, int]:
    """Units of the next shingles, each of which begins one behind the one before it.

    A text of fewer units than a shingle has is one shingle; one without units has none.

    Args:
        data: UTF-8.
        stop: where the document ends.
        how: a `Shingling`.
        state: where it stands; `begin` made it. ``state[COMPLICATED]`` becomes 1 where characters
            act on each other: the document wants `normal_form` first.
        units: of `units_room`; those of the last call, for they begin this one's shingles.
    Returns:
        How many shingles, 0 at the document's end, and how many units each has.
    """
    before, held = state[UNITS], state[HELD]
    kept = min(before, how.length - 1)
    for place in range(kept):
        units[place] = units[held - kept + place]
    count = next_units(data, stop, how, state, units, kept)
    state[UNITS], state[HELD] = before + count - kept, count
    if count == kept:
        return 0, 0
    length = min(how.length, count)
    return count - length + 1, length


@compiled
def hash_of(units: Any, first: Any, length: int, seed: Any) -> Any:
    """What `next_hashes` makes of the shingle that begins at unit ``first``."""
    rolling = np.uint64(0)
    for place in range(length):
        rolling = rolling * _BASE + units[first + np.uint64(place)]
    return min(mix(rolling ^ seed), _GREATEST)


@compiled
def _roll(units: Any, made: int, length: int, seed: Any, hashes: Any) -> None:
    """Hashes of ``made`` runs of ``length`` units.

    A rolling hash waits for the one before it; short runs are faster hashed whole, side by side,
    in two halves of two.
    """
    if length <= _SIDE_BY_SIDE:
        if length < 4:
            hashes[:made] = units[:made]
        else:
            for at in range(made + length - 2):
                hashes[at] = units[at] * _BASE + units[at + 1]
            for at in range(made + length - 4):
                hashes[at] = hashes[at] * _BASE_SQUARED + hashes[at + 2]
        for place in range(4 if length >= 4 else 1, length):
            later = units[place:]  # of ``at + place`` numba asks whether it counts from the end
            for at in range(made):
                hashes[at] = hashes[at] * _BASE + later[at]
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


@compiled
def next_units(data: Any, stop: int, how: Any, state: Any, units: Any, count: Any) -> Any:
    """Units after the first ``count`` until the room is full or the document ends; how many."""
    folded, by_words, is_word = how.tables.folded, how.by_words, how.tables.is_word
    at, previous, slow = state[AT], state[PREVIOUS], state[SLOW]
    pending, started = state[PENDING], state[STARTED]
    word, inside = np.uint64(state[WORD]), state[INSIDE]
    few = np.empty(LONGEST_SEQUENCE, np.int32)
    full = count + CHUNK
    while at < stop and count < full:
        if not by_words:
            here, made, blank = _plain(
                data, np.uint64(at), np.uint64(stop), folded, units, np.uint64(count),
                np.uint64(full), np.uint64(pending), np.uint64(1 - started),
            )  # fmt: skip
            if here > at:
                started |= int(made > count)
                pending = int(blank) & started
                at, count = np.int64(here), np.int64(made) - pending
                previous, slow = _letter_before(data, at), 0
            if at >= stop or count >= full:
                break
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
            elif value == BLANK:
                pending = started
            else:
                units[count] = _SPACE
                count += pending
                units[count] = np.uint64(value)
                count += 1
                pending, started = 0, 1
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
def _plain(
    data: Any,
    here: Any,
    last: Any,
    folded: Any,
    units: Any,
    made: Any,
    room: Any,
    pending: Any,
    blank: Any,
) -> Any:
    """Units of letters of one to three bytes that are one each, which is what most text is made of.

    All numbers are unsigned, for of every signed index numba asks whether it counts from the end.

    Args:
        here, last: where to begin, and where the document ends.
        made, room: how many units there are, and may be.
        pending: 1 where a space stands before the next letter, else 0.
        blank: 1 where no letter came yet, else 0.
    Returns:
        Where it ended, how many units there are, and whether the last is a space, or there is none.
    """
    units[made] = _SPACE
    made, blank = made + pending, blank | pending
    while here < last and made < room:
        start = here
        end = min(last, here + (room - made))
        while here < end and data[here] < 0x80:  # of which none is special
            made, blank = _put(units, made, folded[data[here]], blank)
            here += _ONE
        end = min(last, here + _TWO * (room - made))
        while here < end and data[here] >> 5 == 0x6:
            value = folded[_of_two(data, here)]
            if value >= SPECIAL:
                return here, made, blank
            made, blank = _put(units, made, value, blank)
            here += _TWO
        end = min(last, here + _THREE * (room - made))
        while here < end and data[here] >> 4 == 0xE:
            value = folded[_of_three(data, here)]
            if value >= SPECIAL:
                return here, made, blank
            made, blank = _put(units, made, value, blank)
            here += _THREE
        if here == start:
            break
    return here, made, blank


@compiled
def _put(units: Any, made: Any, value: Any, blank: Any) -> Any:
    """One more unit, unless it is a blank behind a blank; without branches, for nobody can foresee
    where words end."""
    is_blank = np.uint64(value == BLANK)
    units[made] = _SPACE if value == BLANK else np.uint64(value)
    return made + ((is_blank & blank) ^ _ONE), is_blank


@compiled
def _of_two(data: Any, at: Any) -> Any:
    return np.uint32(data[at] & 0x1F) << 6 | np.uint32(data[at + _ONE] & 0x3F)


@compiled
def _of_three(data: Any, at: Any) -> Any:
    high = np.uint32(data[at] & 0x0F) << 12 | np.uint32(data[at + _ONE] & 0x3F) << 6
    return high | np.uint32(data[at + _TWO] & 0x3F)


@compiled
def _letter_before(data: Any, at: Any) -> Any:
    at -= 1
    while data[at] & 0xC0 == 0x80:
        at -= 1
    return decode(data, at)[0]


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
