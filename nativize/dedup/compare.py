"""Exact similarity: how many distinct shingles two texts share, of all that either has.

The shingles of one text stand in a table, and its units in order beside it; the other passes by
once. As near duplicates say the same in the same order, units are compared with units for as long
as both texts go on alike: a shingle is hashed and looked up only where they part. Nothing is
sorted, no set of the second is made, and a pair that cannot reach the threshold any more is left
at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.fold import normal_form
from nativize.dedup.shingles import (
    AT,
    FIELDS,
    FREE,
    HASHES,
    HELD,
    Shingling,
    add,
    begin,
    hash_of,
    hashes_room,
    next_hashes,
    next_shingles,
    slot_of,
    units_room,
)
from nativize.texts import Texts

BELOW = -1.0
"""The similarity of a pair that was left because it cannot reach the threshold."""
PART_BYTES = 4_000_000
"""A longer text's shingles are looked at in several turns, each a share of all hashes, so that the
tables of a document of 100 MB stay below 200 MB."""
WORD_CHARACTERS = 4
"""At least; a table that turns out too small grows."""
_ONE = np.uint64(1)
_LAST_STAMP = np.int32(2**31 - 1)


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
    state, hashes = np.empty(FIELDS, np.int64), np.empty(HASHES, np.uint64)
    table, where, others = _free(8), np.empty(8, np.int32), _free(1_024)
    letters, earliest = np.empty(8, np.uint64), np.empty(8, np.int32)
    seen = np.zeros(8, np.int32)
    current, members, length, turns, stamp = np.int64(-1), 0, 0, 1, np.int32(0)
    for pair in range(len(pairs)):
        first, second = pairs[pair, 0], pairs[pair, 1]
        if first != current:
            turns = 1 + (spans[first, 1] - spans[first, 0]) // part_bytes
        shared, union = 0, 0
        for turn in range(turns):
            if first != current or turns > 1:
                begin(state, spans[first, 0], is_normal[first])
                table, where, letters, earliest, members, length = _table(
                    data, spans[first, 1], how, state, units, hashes, table, where, letters,
                    earliest, turns, turn,
                )  # fmt: skip
                if len(seen) < len(earliest):
                    seen = np.zeros(len(earliest), np.int32)
                    stamp = np.int32(0)
            # one more than arithmetic wants, for its rounding
            most = members * (1.0 - least) / least + 1 if least > 0.0 and turns == 1 else np.inf
            begin(state, spans[second, 0], is_normal[second])
            if stamp == _LAST_STAMP:
                seen[:] = 0
                stamp = np.int32(0)
            stamp += np.int32(1)  # never used before, so that nothing must be wiped
            hits, misses, others = _pass(
                data, spans[second, 1], how, state, units, table, where, letters,
                earliest[:length], seen, stamp, others, most, turns, turn,
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
def _about_characters(data: Any, start: int, stop: int) -> int:
    """How many characters a text has, if all of it is like its beginning."""
    looked_at = min(stop - start, 512)
    count = 0
    for at in range(start, start + looked_at):
        count += (data[at] & 0xC0) != 0x80
    return count * (stop - start) // max(looked_at, 1)


@compiled
def _table(
    data: Any,
    stop: int,
    how: Any,
    state: Any,
    units: Any,
    hashes: Any,
    table: Any,
    where: Any,
    letters: Any,
    earliest: Any,
    turns: int,
    turn: int,
) -> Any:
    """A document's hashes, one share of them, in a table; how many, and how many with repetitions.

    ``where`` says for each slot of the table its hash's first place in the text, ``earliest`` the
    same for each place. ``letters`` are the text's units, of which a shingle begins at each place.
    """
    expected = _about_characters(data, state[AT], stop) // turns
    slots = hashes_room(expected // WORD_CHARACTERS if how.by_words else expected)
    if slots > len(table):
        table, where = np.empty(slots, np.uint64), np.empty(slots, np.int32)
    else:
        table = table[:slots]
    table[:] = FREE
    count, length = 0, 0
    made = next_hashes(data, stop, how, state, units, hashes)
    while made:
        if length + made + how.length > len(letters):
            room = 2 * (length + made + how.length)
            letters, earliest = _longer(letters, room), _longer(earliest, room)
        if turns == 1:
            for place in range(made + min(how.length, state[HELD]) - 1):
                letters[length + place] = units[place]
        done = 0
        while done < made:
            done, count, length = _insert(
                hashes[:made], done, turns, turn, table, where, earliest, count, length
            )
            if done < made:
                table, where = _roomier(table, where)
        made = next_hashes(data, stop, how, state, units, hashes)
    return table, where, letters, earliest, count, length


@compiled
def _insert(
    hashes: Any,
    done: int,
    turns: int,
    turn: int,
    table: Any,
    where: Any,
    earliest: Any,
    count: int,
    length: int,
) -> Any:
    """Hashes from the first one not done into the table, until it is three quarters full.

    No array is replaced in here: numba would count references at every step (30 ns a shingle).
    """
    most = 3 * len(table) // 4
    for at in range(done, len(hashes)):
        value = hashes[at]
        if turns > 1 and value % np.uint64(turns) != np.uint64(turn):
            continue
        if count >= most:
            return at, count, length
        slot = slot_of(table, value)
        if table[slot] != value:
            table[slot] = value
            where[slot] = length
            count += 1
        earliest[length] = where[slot]
        length += 1
    return len(hashes), count, length


@compiled
def _longer(values: Any, room: int) -> Any:
    longer = np.empty(room, values.dtype)
    longer[: len(values)] = values
    return longer


@compiled
def _roomier(table: Any, where: Any) -> Any:
    """The same hashes and their places in a table twice as large."""
    larger, places = _free(2 * len(table)), np.empty(2 * len(table), np.int32)
    for old in range(len(table)):
        if table[old] != FREE:
            slot = slot_of(larger, table[old])
            larger[slot] = table[old]
            places[slot] = where[old]
    return larger, places


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
    table: Any,
    where: Any,
    letters: Any,
    earliest: Any,
    seen: Any,
    stamp: Any,
    others: Any,
    most: float,
    turns: int,
    turn: int,
) -> Any:
    """Distinct hashes of a document in the table, and not in it; stops at more than ``most``."""
    others = others[:1_024]
    others[:] = FREE
    hits, misses, here, follows = 0, 0, np.uint64(0), False
    made, length = next_shingles(data, stop, how, state, units)
    while made and misses <= most:
        done = 0
        while done < made:
            done, hits, misses, here, follows = _look_up(
                units, made, length, how.seed, done, turns, turn, table, where, letters, earliest,
                seen, stamp, others, hits, misses, here, follows,
            )  # fmt: skip
            if done < made:
                others = _grown(others)
        made, length = next_shingles(data, stop, how, state, units)
    return hits, misses, others


@compiled
def _look_up(
    units: Any,
    made: int,
    length: int,
    seed: Any,
    done: int,
    turns: int,
    turn: int,
    table: Any,
    where: Any,
    letters: Any,
    earliest: Any,
    seen: Any,
    stamp: Any,
    others: Any,
    hits: int,
    misses: int,
    here: Any,
    follows: bool,
) -> Any:
    """Shingles from the first one not done, until what is not in the table fills half of others.

    Args:
        here: place of the other text that is looked at next.
        follows: whether the shingle before is the one before that place, so that a shingle is the
            same where its last unit is.
    """
    most = len(others) // 2
    tail = np.uint64(length - 1)
    places = np.uint64(len(earliest))
    at, last = np.uint64(done), np.uint64(made)
    while at < last:
        if follows:
            while at < last and here < places and units[at + tail] == letters[here + tail]:
                hits += _mark(earliest[here], seen, stamp)
                at += _ONE
                here += _ONE
            if at == last:
                break
        value = hash_of(units, at, length, seed)
        if turns > 1 and value % np.uint64(turns) != np.uint64(turn):
            at += _ONE
            continue
        slot = slot_of(table, value)
        follows = turns == 1 and table[slot] == value
        if table[slot] == value:
            if here >= places or earliest[here] != where[slot]:
                here = np.uint64(where[slot])
            hits += _mark(where[slot], seen, stamp)
        elif misses >= most:
            return np.int64(at), hits, misses, here, False
        else:
            misses += add(others, value)
        at += _ONE
        here += _ONE  # behind a replaced unit the texts go on side by side
    return made, hits, misses, here, follows


@compiled
def _mark(place: Any, seen: Any, stamp: Any) -> bool:
    """Whether a place was not seen before."""
    new = seen[place] != stamp
    seen[place] = stamp
    return bool(new)
