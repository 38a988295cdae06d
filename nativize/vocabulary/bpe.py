"""Byte pair encoding over characters, learned exactly and in compiled loops.

sentencepiece's trainer keeps every place of every pair in a tree and looks at the most frequent
twentieth of all pairs only. Here a text is reduced to its different segments, every candidate has
its places in a linked list, a heap gives the most frequent one. Pairs that add up to the same
string are one candidate, because an encoder joins whatever adds up to a piece. What is learned
depends on segments and counts alone, so the first n pieces of a training are those of a shorter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.errors import VocabularyError
from nativize.vocabulary.segments import Segments

LONGEST_PIECE = 16
"""Characters, as in sentencepiece."""
MOST_CHARACTERS = 2**31 - 1
"""Of a sample; places and counts have 32 bits."""

POINT, SYMBOL, WEIGHT, PAIR, EARLIER, LATER = range(6)
"""Columns of a position: its character, 0 between segments; at a symbol's first position its entry,
at the last of a longer one minus its length, else -1; how often the segment occurs; at a symbol's
first position the entry of the pair with the next one, or -1; the positions before and behind it
in that entry's list, or -1."""
CODE, COUNT, FIRST, LAST, LENGTH, SAMPLE, RANK, MARKED = range(8)
"""Columns of an entry, which is a string: its hash; weight of all places where two symbols add up
to it; first and last of these places, or -1; its characters; a position where it stands; 0 for a
single character, 1… for pieces in their order, else -1; 1 while it is changed or pending."""
USED, QUEUED, CHANGED, PENDING, PIECES, EMPTY = range(6)
"""Numbers of the state: how many entries, in the queue, changed, pending; pieces so far; whether
no candidate is left."""
_BASE, _MIX = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)


class State(NamedTuple):
    """A training between two pieces; arrays with room to grow.

    Attributes:
        line: all segments, a position behind each; N x 6.
        entries: strings that are, or could become, a symbol; n x 8.
        slots: hash table of entries, -1 where free.
        queue: a heap of candidates and the count each had when it was put there.
        changed: candidates that gained places since then.
        pending: pieces that were brought together and must be joined.
        powers: of the hash's base.
        numbers: see ``USED``…
        limits: the least count and the greatest length of a piece.
    """

    line: Any
    entries: Any
    slots: Any
    queue: Any
    changed: Any
    pending: Any
    powers: Any
    numbers: Any
    limits: Any


@dataclass(frozen=True)
class Learned:
    """A training after its newest piece.

    Attributes:
        pieces: all pieces so far, in order.
        occurrences: how often each of them stands in the text as it is cut now.
        tokens: symbols in the text as it is cut now, single characters included.
    """

    pieces: list[str]
    occurrences: NDArray[np.int64]
    tokens: int


def learn(
    segments: Segments,
    sizes: Sequence[int],
    *,
    minimum: int = 2,
    longest: int = LONGEST_PIECE,
) -> Iterator[Learned]:
    """What was learned at each number of pieces, ascending, as far as the text carries it.

    Args:
        segments: the text; no piece ever reaches from one into another.
        sizes: numbers of pieces; single characters are none.
        minimum: a string that occurs less often never becomes a piece.
        longest: characters of a piece.
    Yields:
        The state at each size; the last one may have fewer pieces than asked for.
    Raises:
        VocabularyError: the text is too long.
    """
    if int((segments.counts * np.diff(segments.starts)).sum()) > MOST_CHARACTERS:
        raise VocabularyError(
            f"the sample has more than {MOST_CHARACTERS:,} characters; lower"
            " vocabulary.maximum_training_characters"
        )
    state = _state(segments, minimum, longest)
    at = 0
    while (at := _fill(state, at)) < len(state.line):
        state = _grown(state)
    for size in sizes:
        while _merge_until(state, size):
            state = _grown(state)
        yield _learned(state)
        if state.numbers[EMPTY]:
            return


def _learned(state: State) -> Learned:
    entries = state.entries[: state.numbers[USED]]
    occurrences = np.zeros(len(entries), np.int64)
    _count(state, occurrences)
    chosen = np.flatnonzero(entries[:, RANK] > 0)
    chosen = chosen[np.argsort(entries[chosen, RANK])]
    points = state.line[:, POINT].astype(np.uint32)
    spans = entries[chosen][:, [SAMPLE, LENGTH]].tolist()
    pieces = [points[at : at + size].tobytes().decode("utf-32-le") for at, size in spans]
    return Learned(pieces, occurrences[chosen], int(occurrences.sum()))


def _state(segments: Segments, minimum: int, longest: int) -> State:
    lengths = np.diff(segments.starts)
    inside = np.ones(len(segments.points) + len(lengths), np.bool_)
    inside[segments.starts[1:] + np.arange(len(lengths))] = False
    line = np.full((len(inside), 6), -1, np.int32)
    line[:, POINT] = 0
    line[inside, POINT] = segments.points
    line[:, WEIGHT] = np.repeat(segments.counts, lengths + 1)
    powers = np.cumprod(np.full(longest + 1, _BASE, np.uint32), dtype=np.uint32)
    limits = np.array([minimum, longest])
    entries, slots, queue, changed, pending = _room(1 << 16)
    numbers = np.zeros(6, np.int64)
    return State(line, entries, slots, queue, changed, pending, powers, numbers, limits)


def _room(entries: int) -> tuple[NDArray[np.int32], ...]:
    """Entries, slots, queue, changed and pending for so many entries."""
    empty = np.full((entries, 8), -1, np.int32)
    empty[:, COUNT] = empty[:, MARKED] = 0
    slots = np.full(2 * entries, -1, np.int32)
    queue = np.empty((2 * entries, 2), np.int32)
    return empty, slots, queue, np.empty(entries, np.int32), np.empty(entries, np.int32)


def _grown(state: State) -> State:
    """The same state with twice the room."""
    entries, slots, queue, changed, pending = _room(2 * len(state.entries))
    for old, new in ((state.entries, entries), (state.queue, queue), (state.changed, changed)):
        new[: len(old)] = old
    pending[: len(state.pending)] = state.pending
    _place(entries, slots, state.numbers[USED])
    return state._replace(
        entries=entries, slots=slots, queue=queue, changed=changed, pending=pending
    )


@compiled
def _slot(code: Any, slots: Any) -> Any:
    mixed = np.uint32(code * _MIX)  # Numba multiplies two uint32 as uint64
    return np.int64((np.uint64(mixed) * np.uint64(len(slots))) >> np.uint64(32))


@compiled
def _place(entries: Any, slots: Any, used: int) -> None:
    for entry in range(used):
        slot = _slot(np.uint32(entries[entry, CODE]), slots)
        while slots[slot] >= 0:
            slot = slot + 1 if slot + 1 < len(slots) else 0
        slots[slot] = entry


@compiled
def _found(state: Any, code: Any, at: int, length: int) -> int:
    """The entry of the string that stands at a position; a new one where there is none."""
    line, entries, slots = state.line, state.entries, state.slots
    slot = _slot(code, slots)
    while slots[slot] >= 0:
        entry = int(slots[slot])
        if np.uint32(entries[entry, CODE]) == code and entries[entry, LENGTH] == length:
            sample, step = entries[entry, SAMPLE], 0
            while step < length and line[sample + step, POINT] == line[at + step, POINT]:
                step += 1
            if step == length:
                return entry
        slot = slot + 1 if slot + 1 < len(slots) else 0
    entry = int(state.numbers[USED])
    state.numbers[USED] += 1
    slots[slot] = entry
    entries[entry, CODE] = np.int32(code)
    entries[entry, LENGTH] = length
    entries[entry, SAMPLE] = at
    return entry


@compiled
def _fill(state: Any, begin: int) -> int:
    """Enter all characters and pairs from a position on; where it stopped for want of room."""
    line = state.line
    at, size = begin, len(line)
    while at < size:
        end = at
        while line[end, POINT] != 0:
            end += 1
        if state.numbers[USED] + 2 * (end - at) > len(state.entries):
            return at
        for place in range(at, end):
            code = np.uint32(_BASE * np.uint32(line[place, POINT]))
            entry = _found(state, code, place, 1)
            state.entries[entry, RANK] = 0
            line[place, SYMBOL] = entry
        for place in range(at, end - 1):
            _enter(state, place, place + 1)
        at = end + 1
    return size


@compiled
def _enter(state: Any, left: int, right: int) -> None:
    """Put the pair of two neighbouring symbols at the end of its entry's list."""
    line, entries = state.line, state.entries
    first, second = line[left, SYMBOL], line[right, SYMBOL]
    length = entries[first, LENGTH] + entries[second, LENGTH]
    if length > state.limits[1]:
        line[left, PAIR] = -1
        return
    # powers[n] is the base to the power of n + 1
    shift = state.powers[entries[second, LENGTH] - 1]
    code = np.uint32(np.uint32(entries[first, CODE]) * shift + np.uint32(entries[second, CODE]))
    entry = _found(state, code, left, length)
    last = entries[entry, LAST]
    line[left, PAIR], line[left, EARLIER], line[left, LATER] = entry, last, -1
    if last >= 0:
        line[last, LATER] = left
    else:
        entries[entry, FIRST] = left
    entries[entry, LAST] = left
    entries[entry, COUNT] += line[left, WEIGHT]
    if entries[entry, MARKED]:
        return
    entries[entry, MARKED] = 1
    if entries[entry, RANK] > 0:
        state.pending[state.numbers[PENDING]] = entry
        state.numbers[PENDING] += 1
    else:
        state.changed[state.numbers[CHANGED]] = entry
        state.numbers[CHANGED] += 1


@compiled
def _leave(state: Any, at: int) -> None:
    """Take the pair that begins at a symbol out of its entry's list."""
    line, entries = state.line, state.entries
    entry = line[at, PAIR]
    if entry < 0:
        return
    before, behind = line[at, EARLIER], line[at, LATER]
    if before >= 0:
        line[before, LATER] = behind
    else:
        entries[entry, FIRST] = behind
    if behind >= 0:
        line[behind, EARLIER] = before
    else:
        entries[entry, LAST] = before
    entries[entry, COUNT] -= line[at, WEIGHT]
    line[at, PAIR] = -1


@compiled
def _merge_until(state: Any, size: int) -> bool:
    """Make pieces until there are so many; True where room is wanted before it can go on."""
    entries, numbers = state.entries, state.numbers
    while _join_pending(state):
        if numbers[QUEUED] + numbers[CHANGED] > len(state.queue):
            return True
        for number in range(numbers[CHANGED]):
            entry = state.changed[number]
            entries[entry, MARKED] = 0
            if entries[entry, COUNT] >= state.limits[0]:
                _push(state, entry)
        numbers[CHANGED] = 0
        if numbers[PIECES] >= size:
            return False
        best = _best(state)
        if best < 0:
            numbers[EMPTY] = 1
            return False
        numbers[PIECES] += 1
        entries[best, RANK] = numbers[PIECES]
        entries[best, MARKED] = 1
        state.pending[0] = best
        numbers[PENDING] = 1
    return True


@compiled
def _join_pending(state: Any) -> bool:
    """Join all places of a new piece, and of older ones that this brings together, oldest first.

    False where room is wanted; what is left stays pending.
    """
    entries, pending, numbers = state.entries, state.pending, state.numbers
    while numbers[PENDING] > 0:
        oldest = 0
        for number in range(1, numbers[PENDING]):
            if entries[pending[number], RANK] < entries[pending[oldest], RANK]:
                oldest = number
        piece = pending[oldest]
        while entries[piece, FIRST] >= 0:
            if numbers[USED] + 2 > len(entries):
                return False
            _join(state, piece)
        numbers[PENDING] -= 1
        pending[oldest] = pending[numbers[PENDING]]
        entries[piece, MARKED] = 0
    return True


@compiled
def _join(state: Any, piece: int) -> None:
    """Join the first place of a piece; the pairs with its neighbours change with it."""
    line, entries = state.line, state.entries
    at = entries[piece, FIRST]
    middle = at + entries[line[at, SYMBOL], LENGTH]
    end = at + entries[piece, LENGTH]
    before = at - 1
    if before >= 0:
        symbol = line[before, SYMBOL]
        before = -1 if line[before, POINT] == 0 else before + min(symbol + 1, 0)
    has_next = line[end, POINT] != 0
    if before >= 0:
        _leave(state, before)
    if has_next:
        _leave(state, middle)
    _leave(state, at)
    line[middle, SYMBOL] = -1
    line[at, SYMBOL] = piece
    line[end - 1, SYMBOL] = -entries[piece, LENGTH]
    if before >= 0:
        _enter(state, before, at)
    if has_next:
        _enter(state, at, end)


@compiled
def _best(state: Any) -> int:
    """The most frequent candidate, taken from the queue; -1 where none is left."""
    while state.numbers[QUEUED] > 0:
        entry, count = int(state.queue[0, 0]), state.queue[0, 1]
        _pop(state)
        now = state.entries[entry, COUNT]
        # a piece already; or queued once more with its higher count
        if state.entries[entry, RANK] >= 0 or now > count or now < state.limits[0]:
            continue
        if now == count:
            return entry
        _push(state, entry)
    return -1


@compiled
def _precedes(state: Any, one: Any, other: Any) -> bool:
    """Whether of two queued candidates the first comes first.

    It occurs more often, then is shorter, then has the lower code point.
    """
    if one[1] != other[1]:
        return bool(one[1] > other[1])
    line, entries = state.line, state.entries
    left, right = entries[one[0]], entries[other[0]]
    if left[LENGTH] != right[LENGTH]:
        return bool(left[LENGTH] < right[LENGTH])
    for step in range(left[LENGTH]):
        mine, yours = line[left[SAMPLE] + step, POINT], line[right[SAMPLE] + step, POINT]
        if mine != yours:
            return bool(mine < yours)
    return False


@compiled
def _push(state: Any, entry: int) -> None:
    queue = state.queue
    one = (np.int32(entry), state.entries[entry, COUNT])
    hole = state.numbers[QUEUED]
    state.numbers[QUEUED] += 1
    while hole > 0:
        above = (hole - 1) // 2
        if not _precedes(state, one, (queue[above, 0], queue[above, 1])):
            break
        queue[hole, 0], queue[hole, 1] = queue[above, 0], queue[above, 1]
        hole = above
    queue[hole, 0], queue[hole, 1] = one


@compiled
def _pop(state: Any) -> None:
    queue = state.queue
    state.numbers[QUEUED] -= 1
    size = state.numbers[QUEUED]
    last = (queue[size, 0], queue[size, 1])
    hole, below = 0, 1
    while below < size:
        best = (queue[below, 0], queue[below, 1])
        if below + 1 < size and _precedes(state, (queue[below + 1, 0], queue[below + 1, 1]), best):
            below += 1
            best = (queue[below, 0], queue[below, 1])
        if not _precedes(state, best, last):
            break
        queue[hole, 0], queue[hole, 1] = best
        hole, below = below, 2 * below + 1
    queue[hole, 0], queue[hole, 1] = last


@compiled
def _count(state: Any, occurrences: Any) -> None:
    """How often each entry stands in the text as it is cut now."""
    line = state.line
    at = 0
    while at < len(line):
        symbol = line[at, SYMBOL]
        if line[at, POINT] == 0:
            at += 1
            continue
        occurrences[symbol] += line[at, WEIGHT]
        at += state.entries[symbol, LENGTH]
