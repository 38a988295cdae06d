"""The loops that touch every character, compiled by numba: shingles, minima, Jaccard.

All read Arrow's string buffers (UTF-8 bytes and offsets), make no Python object per document and
release the GIL. Hashes have 64 bits: among a billion distinct shingles two collide with
probability 0.03, so the Jaccard of hash sets is the Jaccard of the shingles.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.fold import word_table
from nativize.utf8 import decode

UnsignedArray = NDArray[np.uint64]

_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_BASE = np.uint64(0x9E3779B97F4A7C15)


def string_buffers(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """UTF-8 bytes and the n + 1 offsets of a large_string array, without a copy."""
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data or b"", np.uint8), starts


def permutations(count: int, seed: int) -> tuple[UnsignedArray, UnsignedArray]:
    """``count`` independent functions x → a·x + b modulo 2**64, a odd, so each a bijection.

    Source: Dietzfelbinger et al. 1997, "A reliable randomized algorithm for the closest pair".
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = generator.integers(0, 2**64, size=(2, count), dtype=np.uint64)
    return drawn[0] | np.uint64(1), drawn[1]


def band_hashes(
    texts: pa.Array, *, by_words: bool, length: int, bands: int, rows: int, seed: int
) -> tuple[UnsignedArray, NDArray[np.bool_]]:
    """One hash per document and band, and whether a document has shingles at all.

    Source: Broder 1997, "On the resemblance and containment of documents"; Indyk, Motwani 1998.
    """
    data, offsets = string_buffers(texts)
    factors, summands = permutations(bands * rows, seed)
    minima, sizes = _minima(data, offsets, _table(by_words), by_words, length, factors, summands)
    return _bands(minima, bands, rows), sizes > 0


def shingle_sets(
    texts: pa.Array, *, by_words: bool, length: int
) -> tuple[UnsignedArray, NDArray[np.int64]]:
    """Every document's shingle hashes, sorted and distinct, end to end, and n + 1 offsets."""
    data, offsets = string_buffers(texts)
    hashes, ends = _sets(data, offsets, _table(by_words), by_words, length)
    return hashes, ends


def _table(by_words: bool) -> NDArray[np.bool_]:
    """What belongs to words; empty where nobody asks, for it takes 0.15 s to make."""
    return word_table() if by_words else np.zeros(0, np.bool_)


@compiled
def mix(value: Any) -> Any:
    """64 well-mixed bits of 64 (the finaliser of splitmix64)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def _units(data: Any, start: int, stop: int, is_word: Any, by_words: bool, units: Any) -> int:
    """Hashes of the text's characters or words into ``units``; how many."""
    count, at = 0, start
    word, inside = np.uint64(0), False
    while at < stop:
        point, width = decode(data, at)
        at += width
        if not by_words:
            units[count] = mix(np.uint64(point) + _BASE)
            count += 1
        elif is_word[point]:
            word, inside = word * _BASE + np.uint64(point) + np.uint64(1), True
        elif inside:
            units[count] = mix(word)
            count += 1
            word, inside = np.uint64(0), False
    if inside:
        units[count] = mix(word)
        count += 1
    return count


@compiled
def _shingles(units: Any, count: int, length: int, hashes: Any) -> int:
    """Rolling hashes of ``length`` units into ``hashes``; a shorter text is one shingle."""
    if count == 0:
        return 0
    length = min(length, count)
    leaving = np.uint64(1)
    for _ in range(length):
        leaving *= _BASE
    rolling = np.uint64(0)
    for at in range(count):
        rolling = rolling * _BASE + units[at]
        if at >= length:
            rolling -= leaving * units[at - length]
        if at >= length - 1:
            hashes[at - length + 1] = mix(rolling)
    return count - length + 1


@compiled
def _distinct(hashes: Any, count: int, table: Any) -> int:
    """Distinct hashes moved to the front, in order of appearance; how many."""
    size = 4
    while size < 2 * count:
        size *= 2
    table[:size] = _EMPTY
    last = np.uint64(size - 1)
    kept = 0
    for at in range(count):
        value = hashes[at]
        slot = value & last
        while table[slot] != _EMPTY and table[slot] != value:
            slot = (slot + np.uint64(1)) & last
        if table[slot] == _EMPTY:
            table[slot] = value
            hashes[kept] = value
            kept += 1
    return kept


@compiled
def _document(
    data: Any,
    start: int,
    stop: int,
    is_word: Any,
    by_words: bool,
    length: int,
    units: Any,
    hashes: Any,
    table: Any,
) -> int:
    """The distinct shingle hashes of one document into ``hashes``; how many."""
    count = _units(data, start, stop, is_word, by_words, units)
    return _distinct(hashes, _shingles(units, count, length, hashes), table)


@compiled
def _rooms(offsets: Any) -> Any:
    """Working arrays for the longest document: units, hashes, table."""
    longest = 1
    for at in range(len(offsets) - 1):
        longest = max(longest, offsets[at + 1] - offsets[at])
    return (
        np.empty(longest, np.uint64),
        np.empty(longest, np.uint64),
        np.empty(4 * longest + 4, np.uint64),
    )


@compiled
def _minima(
    data: Any,
    offsets: Any,
    is_word: Any,
    by_words: bool,
    length: int,
    factors: Any,
    summands: Any,
) -> Any:
    documents, functions = len(offsets) - 1, len(factors)
    minima = np.full((documents, functions), _EMPTY, np.uint64)
    sizes = np.zeros(documents, np.int64)
    units, hashes, table = _rooms(offsets)
    for document in range(documents):
        count = _document(
            data, offsets[document], offsets[document + 1], is_word, by_words, length,
            units, hashes, table,
        )  # fmt: skip
        sizes[document] = count
        row = minima[document]
        for at in range(count):
            value = hashes[at]
            for function in range(functions):
                row[function] = min(row[function], factors[function] * value + summands[function])
    return minima, sizes


@compiled
def _bands(minima: Any, bands: int, rows: int) -> Any:
    hashed = np.empty((len(minima), bands), np.uint64)
    for document in range(len(minima)):
        for band in range(bands):
            value = np.uint64(band)
            for row in range(rows):
                value = mix(value * _BASE + minima[document, band * rows + row])
            hashed[document, band] = value
    return hashed


@compiled
def _sets(data: Any, offsets: Any, is_word: Any, by_words: bool, length: int) -> Any:
    documents = len(offsets) - 1
    ends = np.zeros(documents + 1, np.int64)
    whole = np.empty(max(offsets[documents] - offsets[0], 1), np.uint64)
    units, hashes, table = _rooms(offsets)
    for document in range(documents):
        count = _document(
            data, offsets[document], offsets[document + 1], is_word, by_words, length,
            units, hashes, table,
        )  # fmt: skip
        begin = ends[document]
        whole[begin : begin + count] = np.sort(hashes[:count])
        ends[document + 1] = begin + count
    return whole[: ends[documents]].copy(), ends


@compiled
def jaccard(first: Any, second: Any) -> float:
    """Exact Jaccard similarity of two sorted sets of hashes; two empty sets are 0 alike."""
    left, right, shared = 0, 0, 0
    while left < len(first) and right < len(second):
        if first[left] == second[right]:
            shared += 1
            left += 1
            right += 1
        elif first[left] < second[right]:
            left += 1
        else:
            right += 1
    union = len(first) + len(second) - shared
    return shared / union if union else 0.0


@compiled
def jaccard_of_spans(hashes: Any, begins: Any, ends: Any) -> Any:
    """Exact Jaccard of m pairs of sets, spans of one array; ``begins`` and ``ends`` are m x 2."""
    found = np.empty(len(begins), np.float64)
    for at in range(len(begins)):
        found[at] = jaccard(
            hashes[begins[at, 0] : ends[at, 0]], hashes[begins[at, 1] : ends[at, 1]]
        )
    return found
