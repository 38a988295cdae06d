"""What is kept of each text: a digest of all of it, a sketch of its shingles, and their bands.

The sketch is the fast similarity sketch of Dahlgaard, Knudsen and Thorup (FOCS 2017): as many
values as MinHash has permutations, equal with the same probability, but each shingle falls into one
place instead of being tried in all: one multiplication a shingle, not 120. Where a text has too few
shingles to fill all places, it is thrown again until it has.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.fold import normal_form
from nativize.dedup.shingles import (
    COMPLICATED,
    FIELDS,
    HASHES,
    NORMAL,
    Shingling,
    add,
    begin,
    hashes_room,
    mix,
    next_hashes,
    units_room,
)
from nativize.texts import Texts
from nativize.utf8 import decode

EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
"""In all places of the sketch of a text without shingles."""
_FEW_TURNS = 9
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ROUND = np.uint64(0xD1342543DE82EF95)
_FIRST, _SECOND, _THIRD = (
    np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9),
)  # fmt: skip


@dataclass(frozen=True)
class Signed:
    """What is known of N texts.

    Attributes:
        digests: N x 2, 128 bits of the folded text; equal where the folded texts are.
        shingles: how many shingles each has, repetitions included.
        complicated: whether its characters act on each other, so that it is compared by way of
            `normal_form`.
        places: N x permutations, 8 bits of each place of the sketch (b-bit minwise hashing, Li and
            König 2010).
        bands: N x bands, 32 bits of each band.
    """

    digests: NDArray[np.uint64]
    shingles: NDArray[np.int64]
    complicated: NDArray[np.bool_]
    places: NDArray[np.uint8]
    bands: NDArray[np.uint32]

    @classmethod
    def room(cls, count: int, permutations: int, bands: int) -> Self:
        return cls(
            np.empty((count, 2), np.uint64),
            np.empty(count, np.int64),
            np.zeros(count, np.bool_),
            np.empty((count, permutations), np.uint8),
            np.empty((count, bands), np.uint32),
        )


def sign(texts: Texts, how: Shingling, *, permutations: int, bands: int, rows: int) -> Signed:
    """Digest, sketch and bands of every text."""
    signed = _signed(texts, how, permutations, bands, rows, is_normal=False)
    again = np.flatnonzero(signed.complicated)
    if len(again):
        normal = Texts.of([normal_form(texts[row]) for row in again.tolist()])
        second = _signed(normal, how, permutations, bands, rows, is_normal=True)
        for name in ("digests", "shingles", "places", "bands"):
            getattr(signed, name)[again] = getattr(second, name)
    return signed


def _signed(
    texts: Texts, how: Shingling, permutations: int, bands: int, rows: int, *, is_normal: bool
) -> Signed:
    signed = Signed.room(len(texts), permutations, bands)
    _sign(
        texts.data, texts.offsets, is_normal, how, units_room(how.length), permutations, rows,
        signed.digests, signed.shingles, signed.complicated, signed.places, signed.bands,
    )  # fmt: skip
    return signed


def sketches(texts: Texts, how: Shingling, *, permutations: int) -> NDArray[np.uint64]:
    """The whole sketch of every text: N x permutations; `EMPTY` where one has no shingles."""
    normal = Texts.of([normal_form(texts[row]) for row in range(len(texts))])
    found = np.empty((len(texts), permutations), np.uint64)
    _sketches(normal.data, normal.offsets, how, units_room(how.length), found)
    return found


@compiled
def _sign(
    data: Any,
    offsets: Any,
    is_normal: bool,
    how: Any,
    units: Any,
    permutations: int,
    rows: int,
    digests: Any,
    shingles: Any,
    complicated: Any,
    places: Any,
    bands: Any,
) -> None:
    state, hashes = np.empty(FIELDS, np.int64), np.empty(HASHES, np.uint64)
    sketch, digest = np.empty(permutations, np.uint64), np.empty(4, np.uint64)
    for text in range(len(offsets) - 1):
        start, stop = offsets[text], offsets[text + 1]
        begin(state, start, is_normal)
        count = _sketch(data, start, stop, how, state, units, hashes, sketch, digest)
        shingles[text] = count
        complicated[text] = state[COMPLICATED]
        _finish(digest, count, data, start, stop, how)
        digests[text, 0], digests[text, 1] = digest[0], digest[1]
        for place in range(permutations):
            places[text, place] = np.uint8(sketch[place] & np.uint64(0xFF))
        for band in range(bands.shape[1]):
            bands[text, band] = _band(sketch, band, rows)


@compiled
def _sketches(data: Any, offsets: Any, how: Any, units: Any, found: Any) -> None:
    state, hashes = np.empty(FIELDS, np.int64), np.empty(HASHES, np.uint64)
    digest = np.empty(4, np.uint64)
    for text in range(len(offsets) - 1):
        start, stop = offsets[text], offsets[text + 1]
        begin(state, start, True)
        _sketch(data, start, stop, how, state, units, hashes, found[text], digest)


@compiled
def _sketch(
    data: Any,
    start: int,
    stop: int,
    how: Any,
    state: Any,
    units: Any,
    hashes: Any,
    sketch: Any,
    digest: Any,
) -> int:
    """Sketch and digest of a document; how many shingles it has."""
    sketch[:] = EMPTY
    digest[:] = 0
    permutations, total = np.uint64(len(sketch)), 0
    made = next_hashes(data, stop, how, state, units, hashes)
    in_one_go = made
    while made:
        _digest(digest, hashes, made, total)
        for at in range(made):
            value = hashes[at]
            place = ((value & _LOW) * permutations) >> _HALF
            sketch[place] = min(sketch[place], value >> _HALF)
        total += made
        made = next_hashes(data, stop, how, state, units, hashes)
    if total == in_one_go:
        # all of them are at hand; a few turns mostly do, where most shingles are different ones
        _throw(hashes, total, 1, _FEW_TURNS, sketch)
    if total and sketch.max() == EMPTY:
        _fill(data, start, stop, how, state, units, hashes, sketch, total)
    return total


@compiled
def _fill(
    data: Any,
    start: int,
    stop: int,
    how: Any,
    state: Any,
    units: Any,
    hashes: Any,
    sketch: Any,
    total: int,
) -> None:
    """Throw the document's distinct shingles, until no place is empty.

    A document of more than 64 distinct shingles a place leaves one empty with probability e**-64,
    so no more are looked at.
    """
    most = min(64 * len(sketch), total)
    table, distinct = np.empty(hashes_room(most), np.uint64), np.empty(most, np.uint64)
    table[:] = EMPTY
    begin(state, start, state[NORMAL])
    count, made = 0, 1
    while made and count < most:
        made = next_hashes(data, stop, how, state, units, hashes)
        for at in range(made):
            if count < most and add(table, hashes[at]):
                distinct[count] = hashes[at]
                count += 1
    _throw(distinct, count, 1, 2 * len(sketch), sketch)


@compiled
def _throw(hashes: Any, count: int, first: int, last: int, sketch: Any) -> None:
    """Turns of all hashes into the places that no turn before has filled."""
    permutations = len(sketch)
    for turn in range(first, last):
        if sketch.max() != EMPTY:
            return
        for at in range(count):
            value = mix(hashes[at] + np.uint64(turn) * _ROUND)
            place = ((value & _LOW) * np.uint64(permutations)) >> _HALF
            if turn >= permutations:
                place = np.uint64(turn - permutations)
            sketch[place] = min(sketch[place], np.uint64(turn) << _HALF | value >> _HALF)


@compiled
def _digest(digest: Any, hashes: Any, made: int, total: int) -> None:
    """Take up shingle hashes in pairs, wherever chunks begin; an odd one waits in digest[2]."""
    first, second, at = digest[0], digest[1], 0
    if total & 1:
        left, right = digest[2], hashes[0]
        first = _stirred(first ^ (left * _FIRST + right), _SECOND)
        second = _stirred(second ^ (right * _FIRST + left), _THIRD)
        at = 1
    while at + 1 < made:
        left, right = hashes[at], hashes[at + 1]
        first = _stirred(first ^ (left * _FIRST + right), _SECOND)
        second = _stirred(second ^ (right * _FIRST + left), _THIRD)
        at += 2
    if at < made:
        digest[2] = hashes[at]
    digest[0], digest[1] = first, second


@compiled
def _stirred(value: Any, factor: Any) -> Any:
    value *= factor
    return value ^ (value >> _HALF)


@compiled
def _finish(digest: Any, total: int, data: Any, start: int, stop: int, how: Any) -> None:
    """The digest's last bits; a text without units, such as "!!!", is equal to itself alone."""
    if total & 1:
        digest[0] = _stirred(digest[0] ^ digest[2], _SECOND)
        digest[1] = _stirred(digest[1] ^ digest[2], _THIRD)
    length = np.uint64(total)
    if total == 0:
        at = start
        while at < stop:
            point, width = decode(data, at)
            at += width
            if how.tables.normal[point] > 32:  # blank space and controls do not tell texts apart
                digest[0] = _stirred(digest[0] ^ (np.uint64(point) + _FIRST), _SECOND)
                digest[1] = _stirred(digest[1] ^ (np.uint64(point) + _SECOND), _THIRD)
    digest[0] = mix(digest[0] ^ length)
    digest[1] = mix(digest[1] + length)


@compiled
def _band(sketch: Any, band: int, rows: int) -> Any:
    value = np.uint64(band)
    for place in range(band * rows, (band + 1) * rows):
        value = mix(value * _FIRST + sketch[place])
    return np.uint32(value >> _HALF)
