"""Exact similarity: how many distinct shingles two texts share, of all that either has.

The shingles of one text stand in a table; those of the other pass by it once. Nothing is sorted,
no set of the second is made, and a pair that cannot reach the threshold any more is left at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.fold import normal_form
from nativize.dedup.shingles import (
    AT,
    CHUNK,
    FIELDS,
    FREE,
    LONGEST_SEQUENCE,
    Shingling,
    add,
    begin,
    hashes_room,
    next_hashes,
    slot_of,
    units_room,
)
from nativize.texts import Texts

BELOW = -1.0
"""The similarity of a pair that was left because it cannot reach the threshold."""
PART_BYTES = 8_000_000
"""A longer text's shingles are looked at in several turns, each a share of all hashes, so that the
tables of a document of 100 MB stay below 200 MB."""


def similarities(
    texts: Texts, pairs: NDArray[np.int64], how: Shingling, *, least: float = 0.0
) -> NDArray[np.float64]:
    """Jaccard similarity of m pairs of texts, `BELOW` where it is less than ``least``.

    Two texts without shingles are 0 alike.
    """
    normal = Texts.of([normal_form(texts[row]) for row in range(len(texts))])
    spans = np.stack([normal.offsets[:-1], normal.offsets[1:]], axis=1)
    return similarities_of_spans(
        normal.data, spans, np.ones(len(texts), np.bool_), pairs, how, least=least
    )


def similarities_of_spans(
    data: NDArray[np.uint8],
    spans: NDArray[np.int64],
    is_normal: NDArray[np.bool_],
    pairs: NDArray[np.int64],
    how: Shingling,
    *,
    least: float,
) -> NDArray[np.float64]:
    """The same for texts that are spans of one buffer; fastest where pairs are in order.

    Args:
        data: UTF-8.
        spans: n x 2, where each text begins and ends.
        is_normal: whether each is in `normal_form`, or does not need it.
        pairs: m x 2, numbers of texts.
        how: what texts are compared by.
        least: pairs below are not followed to their end.
    """
    found = np.empty(len(pairs), np.float64)
    _compare(data, spans, is_normal, pairs, how, units_room(how.length), least, PART_BYTES, found)
    return found


@compiled
def _compare(
    data: Any,
    spans: Any,
    is_normal: Any,
    pairs: Any,
    how: Any,
    units: Any,
    least: float,
    part_bytes: int,
    found: Any,
) -> None:
    state, hashes = np.empty(FIELDS, np.int64), np.empty(CHUNK + LONGEST_SEQUENCE, np.uint64)
    table, seen, others = _free(8), np.zeros(8, np.int64), _free(8)
    current, members, turns, stamp = np.int64(-1), 0, 1, 0
    for pair in range(len(pairs)):
        first, second = pairs[pair, 0], pairs[pair, 1]
        if first != current:
            turns = 1 + (spans[first, 1] - spans[first, 0]) // part_bytes
        shared, union = 0, 0
        for turn in range(turns):
            if first != current or turns > 1:
                begin(state, spans[first, 0], is_normal[first])
                table, members = _table(
                    data, spans[first, 1], how, state, units, hashes, table, turns, turn
                )
                if len(seen) < len(table):
                    seen = np.zeros(len(table), np.int64)
            # one more than arithmetic wants, for its rounding
            most = members * (1.0 - least) / least + 1 if least > 0.0 and turns == 1 else np.inf
            begin(state, spans[second, 0], is_normal[second])
            stamp += 1  # never used before, so that nothing must be wiped
            hits, misses, others = _pass(
                data, spans[second, 1], how, state, units, hashes, table, seen, stamp, others,
                most, turns, turn,
            )  # fmt: skip
            shared += hits
            union += members + misses
        current = first
        similarity = shared / union if union else 0.0
        found[pair] = similarity if similarity >= least else BELOW


@compiled
def _free(slots: int) -> Any:
    table = np.empty(slots, np.uint64)
    table[:] = FREE
    return table


@compiled
def _table(
    data: Any,
    stop: int,
    how: Any,
    state: Any,
    units: Any,
    hashes: Any,
    table: Any,
    turns: int,
    turn: int,
) -> Any:
    """A table of a document's distinct hashes, one share of them, and how many.

    The smaller it is, the nearer it stays: one byte in three begins a character of Japanese.
    """
    slots = hashes_room((stop - state[AT]) // (3 * turns))
    table = table[:slots] if slots <= len(table) else np.empty(slots, np.uint64)
    table[:] = FREE
    count = 0
    made = next_hashes(data, stop, how, state, units, hashes)
    while made:
        for at in range(made):
            if turns == 1 or hashes[at] % np.uint64(turns) == np.uint64(turn):
                count += add(table, hashes[at])
                if 4 * count > 3 * len(table):
                    table = _grown(table)
        made = next_hashes(data, stop, how, state, units, hashes)
    return table, count


@compiled
def _grown(table: Any) -> Any:
    """The same hashes in a table twice as large."""
    larger = _free(2 * len(table))
    for value in table:
        if value != FREE:
            larger[slot_of(larger, value)] = value
    return larger


@compiled
def _pass(
    data: Any,
    stop: int,
    how: Any,
    state: Any,
    units: Any,
    hashes: Any,
    table: Any,
    seen: Any,
    stamp: int,
    others: Any,
    most: float,
    turns: int,
    turn: int,
) -> Any:
    """Distinct hashes of a document in the table, and not in it; stops at more than ``most``."""
    others = others[: min(len(others), 1_024)]
    others[:] = FREE
    hits, misses = 0, 0
    made = next_hashes(data, stop, how, state, units, hashes)
    while made and misses <= most:
        for at in range(made):
            value = hashes[at]
            if turns > 1 and value % np.uint64(turns) != np.uint64(turn):
                continue
            slot = slot_of(table, value)
            if table[slot] == value:
                hits += seen[slot] != stamp
                seen[slot] = stamp
            else:
                misses += add(others, value)
                if 2 * misses > len(others):
                    others = _grown(others)
        made = next_hashes(data, stop, how, state, units, hashes)
    return hits, misses, others
