"""How much of a text repeats itself: the n-gram figures of Gopher and HojiChar.

An n-gram can only be frequent where the shorter one at the same place is, so each length is
counted only at the places that the length before left over: one full pass, then few. Units are
words, syllables, or pairs of characters where spaces do not part words: a Japanese or Chinese word
has about two, so the n-gram of n words is read as 2n visible characters.

Hashes have 64 bits; a collision within one text has a probability below 1e-9 and would add one
repetition.
"""

from typing import Any

import numpy as np

from nativize.compiled import compiled

TOP = (2, 3, 4)
DUPLICATE = (5, 6, 7, 8, 9, 10)
CHARACTERS_A_WORD = 2
REPEATED_CHARACTERS = 5
"""HojiChar's n of its character repetition."""
NGRAM_SHARES = (*(f"top_{n}" for n in TOP), *(f"duplicate_{n}" for n in DUPLICATE))
"""top_n: characters of the most frequent n-gram that occurs twice or more, the spaces between its
n words counted with them, times its count; duplicate_n: characters of n-grams that stood before,
scanned from the left without overlap; both over all characters. Languages without spaces get the
n - 1 spaces too: the published thresholds are for counts with them."""
MEASURED_UNITS = 50_000
"""Repetition is measured in the head: counting n-grams of a whole book tells no more."""

BASE = np.uint64(0x9E3779B97F4A7C15)
SHIFT = np.uint64(21)
"""Bits of a code point."""


@compiled
def ngram_shares(
    units: Any, lengths: Any, known: int, characters: int, by_words: bool, shares: Any
) -> None:
    """The figures of `NGRAM_SHARES` of one text, written to ``shares``.

    Args:
        units: hashes of the text's units; the first ``known`` count.
        lengths: characters of each unit.
        known: how many units.
        characters: of the whole text; the denominator.
        by_words: units are words; else characters, of which two make a word.
        shares: 9 float32.
    """
    measured = min(known, MEASURED_UNITS)
    width = 1 if by_words else CHARACTERS_A_WORD
    if measured < known:
        characters = characters * measured // known
    words, ends = _words_and_ends(units, lengths, measured, width)
    places, values = _maybe_repeated(_joined(words, words[width:]))
    slots = _slots(len(places))
    keys, counts = np.empty(slots, np.uint64), np.zeros(slots, np.int32)
    for level in range(9):
        size = (level + 2) * width
        slot_of = _count(values, keys, counts)
        if level < 3:
            top = _top(slot_of, counts, places, ends, size, level + 1)
            shares[level] = top / characters
        else:
            shares[level] = _duplicates(slot_of, counts, places, ends, size) / characters
        places, values = _longer(slot_of, counts, places, values, words, size)


@compiled
def _words_and_ends(units: Any, lengths: Any, measured: int, width: int) -> Any:
    """A hash of the word that begins at each unit, and the characters of all beginnings."""
    words = np.empty(max(0, measured - width + 1), np.uint64)
    for place in range(len(words)):
        # two code points fit a hash as they are
        words[place] = units[place] if width == 1 else units[place] << SHIFT | units[place + 1]
    ends = np.arange(measured + 1)  # a character's length is 1
    if width == 1:
        for place in range(measured):
            ends[place + 1] = ends[place] + lengths[place]
    return words, ends


@compiled
def _joined(first: Any, second: Any) -> Any:
    """A hash of each pair of neighbours; as many as there are second ones."""
    values = np.empty(len(second), np.uint64)
    for place in range(len(second)):
        values[place] = first[place] * BASE + second[place]
    return values


@compiled
def _slots(entries: int) -> int:
    slots = 16
    while slots < 2 * entries:
        slots *= 2
    return slots


@compiled
def _slot(value: Any, mask: Any) -> Any:
    value = (value ^ (value >> np.uint64(32))) * np.uint64(0xBF58476D1CE4E5B9)
    return (value ^ (value >> np.uint64(29))) & mask


@compiled
def _maybe_repeated(values: Any) -> Any:
    """The places and hashes that may occur twice: all that do, and one in ten of the others.

    A small table of counts that fits the first-level cache settles most places of a page, at a
    third of what a look into a hash table costs.
    """
    slots = 1024
    while slots < 16 * len(values):
        slots *= 2
    mask = np.uint64(slots - 1)
    seen, slot_of = np.zeros(slots, np.uint8), np.empty(len(values), np.uint32)
    for place in range(len(values)):
        slot = _slot(values[place], mask)
        slot_of[place] = slot
        seen[slot] = min(2, seen[slot] + 1)
    places, kept, found = np.empty(len(values), np.int64), np.empty(len(values), np.uint64), 0
    for place in range(len(values)):
        places[found], kept[found] = place, values[place]
        found += seen[slot_of[place]] > 1
    return places[:found], kept[:found]


@compiled
def _count(values: Any, keys: Any, counts: Any) -> Any:
    """Every n-gram counted, by its hash; the slot of each."""
    mask = np.uint64(len(keys) - 1)
    slot_of = np.empty(len(values), np.int64)
    for number in range(len(values)):
        value = values[number]
        slot = _slot(value, mask)
        while counts[slot] and keys[slot] != value:
            slot = (slot + np.uint64(1)) & mask
        keys[slot] = value
        counts[slot] += 1
        slot_of[number] = slot
    return slot_of


@compiled
def _top(slot_of: Any, counts: Any, places: Any, ends: Any, size: int, spaces: int) -> int:
    """Characters of the most frequent n-gram times its count; the first among equals."""
    most, best = 1, -1
    for number in range(len(places)):
        if counts[slot_of[number]] > most:
            most, best = counts[slot_of[number]], places[number]
    return int((ends[best + size] - ends[best] + spaces) * most) if best >= 0 else 0


@compiled
def _duplicates(slot_of: Any, counts: Any, places: Any, ends: Any, size: int) -> int:
    """Characters of n-grams that stood before; what is stepped over is not remembered."""
    repeated, free = 0, 0
    for number in range(len(places)):
        place = places[number]
        if place < free or counts[slot_of[number]] == 1:
            continue
        if counts[slot_of[number]] < 0:
            repeated += ends[place + size] - ends[place]
            free = place + size
        else:
            counts[slot_of[number]] = -counts[slot_of[number]]
    return int(repeated)


@compiled
def _longer(slot_of: Any, counts: Any, places: Any, values: Any, words: Any, size: int) -> Any:
    """The places whose n-gram repeats, and hashes of the one that is a word longer there."""
    found = 0
    for number in range(len(places)):
        place = places[number]
        if abs(counts[slot_of[number]]) > 1 and place + size < len(words):
            places[found] = place
            values[found] = values[number] * BASE + words[place + size]
            found += 1
    for slot in slot_of:
        counts[slot] = 0
    return places[:found], values[:found]


@compiled
def repeated_share(points: Any, size: int) -> float:
    """Share of the most frequent 5-grams of characters among all occurrences.

    Of U different 5-grams the sqrt(U) most frequent count, those that occur once aside.

    Source: HojiChar's CharRepetitionRatioFilter, after the BigScience ROOTS corpus.
    """
    measured = min(size, MEASURED_UNITS)
    total = measured - REPEATED_CHARACTERS + 1
    if total < 1:
        return 0.0
    values = np.empty(total, np.uint64)
    for place in range(total):
        first = np.uint64(points[place]) << SHIFT | points[place + 1]
        second = np.uint64(points[place + 2]) << SHIFT | points[place + 3]
        values[place] = (first * BASE + second) * BASE + points[place + 4]
    _, values = _maybe_repeated(values)
    slots = _slots(len(values))
    keys, counts = np.empty(slots, np.uint64), np.zeros(slots, np.int32)
    _count(values, keys, counts)
    repeated = np.sort(counts[counts > 1])
    different = total - np.sum(repeated) + len(repeated)
    chosen = min(int(np.sqrt(different)), len(repeated))
    return np.sum(repeated[len(repeated) - chosen :]) / total
