"""Pairs in crowds: large groups of a band that no cluster joins and sketches tell nothing about.

Pages of one site share its template: n of them that are .7 alike are n²/2 candidates, none of which
is a duplicate. Here only those are looked for that can be, by prefix and positional filtering
(PPJoin; Xiao, Wang, Lin, Yu 2008). The shingles of every text stand in one order, the rarest
first, so that what a page has beside the template comes before it. Of a pair at the threshold t
the longer text x has one of its first |x| - ceil(t |x|) + 1 shingles among the first
|y| - ceil(2t / (1 + t) |y|) + 1 of the other, and from the first that both have on enough are left
to share. No such pair is missed, and n pages of a template cost about n times as much as one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.candidates import Among, equal_bytes, pair_of
from nativize.dedup.documents import Hashes, Numbers
from nativize.dedup.mapped import mapped
from nativize.dedup.pairs import merge, ranges
from nativize.dedup.shingles import (
    CHUNK,
    FIELDS,
    HASHES,
    begin,
    next_hashes,
    units_room,
)
from nativize.dedup.sign import Signing
from nativize.dedup.stored import StoredTexts, load_texts, parts_for_calls
from nativize.engine import CorpusEngine

MOST_COUNTERS = 1 << 27
"""Of shingles, 2 bytes each; more shingles share one, and seem to be less rare than they are."""
BYTES_A_COUNTER = 4
"""Of text; a shingle of Japanese begins every 3 bytes, and many are those of the template."""

_LOW, _HALF, _HIDDEN = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(1 << 63)
_COUNT, _HASH = np.uint64(48), np.uint64(16)
"""A key has 16 bits of count and 48 of hash."""
_SLACK = 1e-6
"""What rounding may add to a product; a filter that is too wide misses nothing."""


@dataclass(frozen=True)
class Crowds:
    """Who is in which crowds.

    Attributes:
        members: ascending, n documents.
        begins: n + 1, where the crowds of each begin.
        crowds: numbers of crowds, ascending for each member.
    """

    members: Numbers
    begins: Numbers
    crowds: NDArray[np.uint32]

    @classmethod
    def of(cls, entries: Hashes) -> Self:
        """Those of `remaining_pairs`."""
        numbers, documents = entries >> _HALF, (entries & _LOW).astype(np.int64)
        order = np.lexsort((numbers, documents))
        members, begins = np.unique(documents[order], return_index=True)
        return cls(members, np.append(begins, len(order)), numbers[order].astype(np.uint32))


def write_pairs_in_crowds(
    crowds: Crowds,
    texts: StoredTexts,
    signing: Signing,
    engine: CorpusEngine,
    among: Among,
    out: Path,
) -> None:
    """Pairs of a crowd that may reach the threshold: better << 32 | other, ascending, each once.

    Args:
        crowds: who is in which.
        texts: those of all members are fetched.
        signing: what they are compared by.
        engine: where shingles are looked at.
        among: all documents.
        out: the file; others are left beside it.
    """
    if not len(crowds.members):
        out.touch()
        return
    texts.fetch(crowds.members)
    numbers, spans, how = texts.numbers_of(crowds.members), texts.save_spans(), signing.shingling()
    order, sizes = np.argsort(numbers), texts.sizes()[numbers]
    parts = [order[part] for part in parts_for_calls(sizes[order])]
    counters = min(int(sizes.sum()) // BYTES_A_COUNTER, MOST_COUNTERS - 1)
    counts = np.memmap(f"{out}-counts", np.uint16, "w+", shape=(1 << counters.bit_length(),))
    for part in parts:
        read = load_texts(texts.path, spans, numbers[part])
        _count(*read, how, units_room(how.length), np.asarray(counts))
    counts.flush()
    files = [Path(f"{out}-keys-{number}") for number in range(len(parts))]
    calls = [
        (texts.path, spans, numbers[part], part, signing, Path(f"{out}-counts"), file)
        for part, file in zip(parts, files, strict=True)
    ]
    lengths = np.empty(len(numbers), np.int64)
    lengths[order] = np.concatenate(engine.map(write_prefixes, calls, "crowds"))
    runs = [mapped(file).reshape(2, -1) for file in files]
    found = []
    for number, some in enumerate(ranges([keys for keys, _ in runs])):
        entries = [run[:, at] for run, at in zip(runs, some, strict=True)]
        keys, places = np.concatenate(entries, axis=1)
        ascending = np.lexsort((places, keys))
        found.append(Path(f"{out}-{number}"))
        shared = _sharing(
            keys[ascending], places[ascending], lengths, signing.dedup.threshold, crowds.members,
            crowds.begins, crowds.crowds, among,
        )  # fmt: skip
        np.unique(shared).tofile(found[-1])
    merge(found, out)


def write_prefixes(
    texts: Path,
    spans: Path,
    numbers: Numbers,
    members: Numbers,
    signing: Signing,
    counts: Path,
    out: Path,
) -> Numbers:
    """The first shingles of some texts, those that others may have; of each how many it has.

    Written are keys, ascending, then for each its place in the text's order << 32 | member, with
    the highest bit where the text looks for it in shorter ones, but is not found by it.
    """
    how, known = signing.shingling(), mapped(counts, np.uint16, "c")
    read = load_texts(texts, spans, numbers)
    sizes = np.empty(len(members), np.int64)
    entries = _prefixes(
        *read, members, how, units_room(how.length), known, signing.dedup.threshold, sizes
    )
    entries[:, np.argsort(entries[0])].tofile(out)
    return sizes


@compiled
def _distinct(data: Any, stop: int, how: Any, state: Any, units: Any, hashes: Any) -> Any:
    """All shingle hashes of a document, ascending, each once."""
    whole, length = np.empty(CHUNK, np.uint64), 0
    made = next_hashes(data, stop, how, state, units, hashes)
    while made:
        if length + made > len(whole):
            longer = np.empty(2 * (length + made), np.uint64)
            longer[:length] = whole[:length]
            whole = longer
        whole[length : length + made] = hashes[:made]
        length += made
        made = next_hashes(data, stop, how, state, units, hashes)
    whole = np.sort(whole[:length])
    count = 0
    for at in range(length):
        if at == 0 or whole[at] != whole[at - 1]:
            whole[count] = whole[at]
            count += 1
    return whole[:count]


@compiled
def _count(data: Any, spans: Any, is_normal: Any, how: Any, units: Any, counts: Any) -> None:
    """How many texts have a shingle, at most 65,535, by its last bits."""
    state, hashes = np.empty(FIELDS, np.int64), np.empty(HASHES, np.uint64)
    last = np.uint64(len(counts) - 1)
    for text in range(len(spans)):
        begin(state, spans[text, 0], is_normal[text])
        for value in _distinct(data, spans[text, 1], how, state, units, hashes):
            counts[value & last] += counts[value & last] < 65_535


@compiled
def _prefixes(
    data: Any,
    spans: Any,
    is_normal: Any,
    members: Any,
    how: Any,
    units: Any,
    counts: Any,
    threshold: float,
    sizes: Any,
) -> Any:
    state, hashes = np.empty(FIELDS, np.int64), np.empty(HASHES, np.uint64)
    last = np.uint64(len(counts) - 1)
    found, places = [np.uint64(0)], [np.uint64(0)]
    for text in range(len(spans)):
        begin(state, spans[text, 0], is_normal[text])
        keys = _distinct(data, spans[text, 1], how, state, units, hashes)
        for at in range(len(keys)):
            # by count, then by the hash, of which 48 bits are left: one order for all texts
            count = np.uint64(counts[keys[at] & last])
            keys[at] = count << _COUNT | keys[at] >> _HASH
        keys = np.sort(keys)
        sizes[text] = len(keys)
        looked_for = _prefix(len(keys), threshold)
        found_by = _prefix(len(keys), 2 * threshold / (1 + threshold))
        for at in range(looked_for):
            if keys[at] >> _COUNT > 1:  # nobody else has the others
                found.append(keys[at])
                hidden = _HIDDEN if at >= found_by else np.uint64(0)
                places.append(hidden | np.uint64(at) << _HALF | np.uint64(members[text]))
    entries = np.empty((2, len(found) - 1), np.uint64)
    for at in range(1, len(found)):
        entries[0, at - 1], entries[1, at - 1] = found[at], places[at]
    return entries


@compiled
def _prefix(size: int, share: float) -> int:
    """How many of a text's shingles hold one of any ``share`` of them; ``_SLACK`` for rounding."""
    return min(size - int(np.ceil(share * size - _SLACK)) + 1, size)


@compiled
def _sharing(
    keys: Any,
    places: Any,
    sizes: Any,
    threshold: float,
    members: Any,
    begins: Any,
    crowds: Any,
    among: Any,
) -> Any:
    """Pairs of a crowd in different clusters whose shingles and sketches leave hope.

    Args:
        keys: ascending; others below or above them may be looked at apart, for what a pair shares
            first decides, and what it shares later never says more.
        places: ascending where keys are equal.
    """
    merits, clusters, rows, sketches, touched, least_equal = among
    first_of = np.empty(len(keys), np.int64)
    for at in range(len(keys)):
        opens = at == 0 or keys[at] != keys[at - 1]
        first_of[at] = at if opens else first_of[at - 1]
    asked = np.full(len(members), -1, np.int64)
    found = [np.uint64(0)]
    # by member and key, so that a pair is looked at once, where it first shares one
    for at in np.argsort(places & _LOW, kind="mergesort"):
        one = np.int64(places[at] & _LOW)
        first, left = members[one], sizes[one] - np.int64((places[at] & ~_HIDDEN) >> _HALF)
        beside = first_of[at]
        while beside < len(keys) and keys[beside] == keys[at] and places[beside] < _HIDDEN:
            other = np.int64(places[beside] & _LOW)
            others_left = sizes[other] - np.int64(places[beside] >> _HALF)
            beside += 1
            if (sizes[other], other) >= (sizes[one], one) or asked[other] == one:
                continue
            asked[other] = one
            second = members[other]
            needed = threshold / (1 + threshold) * (sizes[one] + sizes[other]) - _SLACK
            if (
                min(left, others_left) >= needed
                and clusters[first] != clusters[second]
                and (touched[first] or touched[second])
                and _meet(crowds, begins, one, other)
                and equal_bytes(sketches[rows[first]], sketches[rows[second]]) >= least_equal
            ):
                found.append(pair_of(first, second, merits))
    return np.array(found[1:], np.uint64)


@compiled
def _meet(crowds: Any, begins: Any, one: Any, other: Any) -> bool:
    """Whether two members have a crowd in common."""
    i, j = begins[one], begins[other]
    while i < begins[one + 1] and j < begins[other + 1]:
        if crowds[i] == crowds[j]:
            return True
        if crowds[i] < crowds[j]:
            i += 1
        else:
            j += 1
    return False
