"""How much of a text repeats itself: the n-gram figures of Gopher and HojiChar.

An n-gram can only be frequent where the shorter one at the same place is, so each length is
counted only at the places that the length before left over: one full pass, then few. Units are
words, syllables, or pairs of characters where spaces do not part words: a Japanese or Chinese word
has about two, so the n-gram of n words is read as 2n visible characters.

Hashes are polynomials in 64 bits over the units; a collision within one text has a probability
below 1e-9 and would add one repetition.
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
"""top_n: characters of the most frequent n-gram, the spaces between its n words counted with them,
times its count; duplicate_n: characters of n-grams that stood before, scanned from the left without
overlap; both over all characters. Languages without spaces get the n - 1 spaces too: the published
thresholds are for counts with them."""
MEASURED_UNITS = 50_000
"""Repetition is measured in the head: counting n-grams of a whole book tells no more."""

BASE = np.uint64(0x9E3779B97F4A7C15)


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
    prefix, ends = _prefixes(units, lengths, measured)
    places = np.arange(max(0, measured - 2 * width + 1))
    slots = _slots(len(places))
    keys, counts = np.empty(slots, np.uint64), np.zeros(slots, np.int32)
    power = np.uint64(1)
    size = 0
    for level in range(9):
        wanted = (level + 2) * width
        while size < wanted:
            power *= BASE
            size += 1
        slot_of = _count(prefix, places, size, power, measured, keys, counts)
        if level < 3:
            top = _top(slot_of, counts, places, ends, size, measured, level + 1)
            shares[level] = top / characters
        else:
            shares[level] = _duplicates(slot_of, counts, places, ends, size) / characters
        places = _frequent(slot_of, counts, places)
        for slot in slot_of:
            if slot >= 0:
                counts[slot] = 0


@compiled
def _prefixes(units: Any, lengths: Any, measured: int) -> Any:
    """Polynomial hashes and character counts of all beginnings."""
    prefix = np.zeros(measured + 1, np.uint64)
    ends = np.zeros(measured + 1, np.int64)
    for place in range(measured):
        prefix[place + 1] = prefix[place] * BASE + units[place] + np.uint64(1)
        ends[place + 1] = ends[place] + lengths[place]
    return prefix, ends


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
def _count(
    prefix: Any, places: Any, size: int, power: Any, measured: int, keys: Any, counts: Any
) -> Any:
    """Every n-gram counted; its slot by place, -1 where the text ends before it does."""
    mask = np.uint64(len(keys) - 1)
    slot_of = np.empty(len(places), np.int64)
    for number in range(len(places)):
        place = places[number]
        if place + size > measured:
            slot_of[number] = -1
            continue
        value = prefix[place + size] - prefix[place] * power
        slot = _slot(value, mask)
        while counts[slot] and keys[slot] != value:
            slot = (slot + np.uint64(1)) & mask
        keys[slot] = value
        counts[slot] += 1
        slot_of[number] = slot
    return slot_of


@compiled
def _top(
    slot_of: Any, counts: Any, places: Any, ends: Any, size: int, measured: int, spaces: int
) -> int:
    """Characters of the most frequent n-gram times its count; the first among equals."""
    if measured < size:
        return 0
    most, best = 1, 0
    for number in range(len(places)):
        if slot_of[number] >= 0 and counts[slot_of[number]] > most:
            most, best = counts[slot_of[number]], places[number]
    return int((ends[best + size] - ends[best] + spaces) * most)


@compiled
def _duplicates(slot_of: Any, counts: Any, places: Any, ends: Any, size: int) -> int:
    """Characters of n-grams that stood before; what is stepped over is not remembered."""
    repeated, free = 0, 0
    for number in range(len(places)):
        place = places[number]
        if place < free or slot_of[number] < 0 or counts[slot_of[number]] == 1:
            continue
        if counts[slot_of[number]] < 0:
            repeated += ends[place + size] - ends[place]
            free = place + size
        else:
            counts[slot_of[number]] = -counts[slot_of[number]]
    return int(repeated)


@compiled
def _frequent(slot_of: Any, counts: Any, places: Any) -> Any:
    """The places whose n-gram occurs more than once."""
    kept = np.empty(len(places), np.int64)
    size = 0
    for number in range(len(places)):
        if slot_of[number] >= 0 and abs(counts[slot_of[number]]) > 1:
            kept[size] = places[number]
            size += 1
    return kept[:size]


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
    slots = _slots(total)
    mask = np.uint64(slots - 1)
    keys, counts = np.empty(slots, np.uint64), np.zeros(slots, np.int32)
    power = BASE * BASE * BASE * BASE * BASE
    value, different = np.uint64(0), 0
    for place in range(measured):
        value = value * BASE + points[place] + np.uint64(1)
        if place >= REPEATED_CHARACTERS:
            value -= power * (np.uint64(points[place - REPEATED_CHARACTERS]) + np.uint64(1))
        if place < REPEATED_CHARACTERS - 1:
            continue
        slot = _slot(value, mask)
        while counts[slot] and keys[slot] != value:
            slot = (slot + np.uint64(1)) & mask
        different += counts[slot] == 0
        keys[slot] = value
        counts[slot] += 1
    repeated = np.sort(counts[counts > 1])
    chosen = min(int(np.sqrt(different)), len(repeated))
    return np.sum(repeated[len(repeated) - chosen :]) / total
