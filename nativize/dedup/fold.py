"""What two texts are compared as; the corpus itself keeps its own text.

Folded are compatibility forms (NFKC), case, blank space, and as the recipe says punctuation, kana
and variants of characters. Marks stay, for they carry meaning: Tibetan vowels, Indic matras, Thai
tones, Japanese voicing marks. `fold` is the definition; the kernels follow tables that do the same,
character by character, and leave texts whose characters act on each other to `normal_form`.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nativize.recipe import Fold

CODE_POINTS = 0x110000
LAST_LETTER = 0x33480
"""No code point from here on has a case, a decomposition or is a letter, but for private use."""
BLANK = -1
SPECIAL = 0x200000
"""From here on a table's value is the number of a sequence; below it is a code point."""
HANGUL_FIRST, HANGUL_LAST = 0xAC00, 0xD7A3

KANA = str.maketrans(
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶゐゑをはひふへほぢづヰヱヲハヒフヘホヂヅ",
    "あいうえおつやゆよわアイウエオツヤユヨワカケいえおわいうえおじずイエオワイウエオジズ",
)
"""Historical spelling has は, ひ, ふ, へ, ほ inside words for today's わ, い, う, え, お, and large
kana for small ones. Comparing needs no rule for where: both texts fold alike."""


def fold(text: str, how: Fold) -> str:
    """The text as it is compared."""
    folded = "".join(_mapped(character, how) for character in normal_form(text))
    return " ".join(folded.split())


def normal_form(text: str) -> str:
    """Compatibility form without case."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _mapped(character: str, how: Fold) -> str:
    """A character of the normal form as it is compared."""
    if how.punctuation and is_punctuation(character):
        return " "
    if how.kana:
        character = character.translate(KANA)
    return character.translate(variants()) if how.kanji else character


def is_punctuation(character: str) -> bool:
    """Whether it parts words; low lines join them."""
    category = unicodedata.category(character)
    return category[0] == "P" and category != "Pc"


@cache
def variants() -> dict[int, str]:
    """Code point of a Chinese character → the simplified form of its oldest form.

    Source: the tables of OpenCC, Japanese (new) → traditional → simplified.
    """
    import opencc

    points = [*range(0x3400, 0xA000), *range(0x20000, 0x2A6E0)]
    lines = "\n".join(map(chr, points))
    for tables in ("jp2t", "t2s"):
        lines = opencc.OpenCC(tables).convert(lines)
    folded = zip(points, lines.split("\n"), strict=True)
    return {point: new for point, new in folded if chr(point) != new and len(new) == 1}


class FoldTables(NamedTuple):
    """`fold` by code point.

    Attributes:
        folded: for each code point what it is compared as: a code point, `BLANK`, or `SPECIAL` and
            the number of a sequence, for what has several or acts on its neighbours.
        normal: the same before punctuation, kana and variants.
        mapped: what a code point of the normal form is compared as.
        sequences: normal forms of several code points, one after the other; the first is empty and
            stands for what cannot be decided without its neighbours.
        begins: where each sequence begins, and the last ends.
        combining: canonical combining class of each code point.
        seconds: whether it composes with some code point before it.
        pairs: first << 32 | second of all that compose, sorted; without conjoining jamo.
        bases: the first of the two that a code point is composed of, 0 where it is not.
        is_word: whether it belongs to words: letters, marks, numbers, low lines. Python's ``\\w``
            lacks the marks and would cut Thai and Indic words at their vowels. Tibetan syllables
            come out as words, for their separator is punctuation.
    """

    folded: NDArray[np.int32]
    normal: NDArray[np.int32]
    mapped: NDArray[np.int32]
    sequences: NDArray[np.int32]
    begins: NDArray[np.int32]
    combining: NDArray[np.uint8]
    seconds: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    bases: NDArray[np.int32]
    is_word: NDArray[np.bool_]


@cache
def fold_tables(how: Fold) -> FoldTables:
    """The tables; takes 0.2 s, and 0.3 s more with variants of characters."""
    combining, pairs = _combining(), _composing_pairs()
    seconds = np.zeros(CODE_POINTS, np.bool_)
    seconds[pairs & 0xFFFFFFFF] = True
    seconds[VOWEL_JAMO.start : VOWEL_JAMO.stop] = True
    seconds[FINAL_JAMO.start : FINAL_JAMO.stop] = True
    normal = np.arange(CODE_POINTS, dtype=np.int32)
    sequences: list[str] = [""]
    for point in _candidates():
        text = normal_form(chr(point))
        decomposed = unicodedata.normalize("NFKC", chr(point))
        if combining[ord(decomposed[-1])] and not combining[ord(text[-1])]:
            normal[point] = SPECIAL  # U+0345 combines, its case fold does not
        elif len(text) > 1 or combining[ord(text)] or seconds[ord(text)]:
            normal[point] = SPECIAL + len(sequences)
            sequences.append(text)
        else:
            normal[point] = ord(text)
    mapped = _mapped_points(how)
    folded = np.where(
        normal < SPECIAL, mapped[np.minimum(normal, SPECIAL - 1) % CODE_POINTS], normal
    )
    begins = np.cumsum([0, *map(len, sequences)]).astype(np.int32)
    units = np.array([ord(unit) for unit in "".join(sequences)], np.int32)
    return FoldTables(
        folded, normal, mapped, units, begins, combining, seconds, pairs, _bases(), _word_points()
    )


VOWEL_JAMO, FINAL_JAMO = range(0x1161, 0x1176), range(0x11A8, 0x11C3)


def _assigned() -> Iterator[int]:
    """Code points that may have a category, case or decomposition of interest."""
    yield from range(0xD800)
    yield from range(0xE000, LAST_LETTER)
    yield from range(0xE0100, 0xE01F0)  # variation selectors, which are marks


def _candidates() -> Iterator[int]:
    """Code points that are not their own normal form, or act on others."""
    for point in _assigned():
        character = chr(point)
        acts = unicodedata.combining(character) or unicodedata.decomposition(character)
        if acts or character.casefold() != character:
            yield point
    yield from (*VOWEL_JAMO, *FINAL_JAMO)
    # these compose with what stands before them, though they do not combine
    yield from sorted({int(pair & 0xFFFFFFFF) for pair in _composing_pairs()})


def _combining() -> NDArray[np.uint8]:
    combining = np.zeros(CODE_POINTS, np.uint8)
    for point in _assigned():
        combining[point] = unicodedata.combining(chr(point))
    return combining


@cache
def _composing_pairs() -> NDArray[np.int64]:
    """first << 32 | second of all canonical compositions, sorted."""
    pairs = []
    for point in _assigned():
        parts = unicodedata.decomposition(chr(point)).split()
        is_canonical = len(parts) == 2 and not parts[0].startswith("<")
        if is_canonical and unicodedata.normalize("NFC", chr(point)) == chr(point):
            pairs.append(int(parts[0], 16) << 32 | int(parts[1], 16))
    return np.array(sorted(pairs), np.int64)


def _bases() -> NDArray[np.int32]:
    bases = np.zeros(CODE_POINTS, np.int32)
    for pair in _composing_pairs().tolist():
        composed = unicodedata.normalize("NFC", chr(pair >> 32) + chr(pair & 0xFFFFFFFF))
        bases[ord(composed)] = pair >> 32
    return bases


def _mapped_points(how: Fold) -> NDArray[np.int32]:
    mapped = np.arange(CODE_POINTS, dtype=np.int32)
    if how.kana:
        mapped[list(KANA)] = list(KANA.values())
    if how.kanji:
        mapped[list(variants())] = [ord(new) for new in variants().values()]
    for point in _assigned():
        if chr(point).isspace() or (how.punctuation and is_punctuation(chr(point))):
            mapped[point] = BLANK
    return mapped


def _word_points() -> NDArray[np.bool_]:
    is_word = np.zeros(CODE_POINTS, np.bool_)
    for point in _assigned():
        category = unicodedata.category(chr(point))
        is_word[point] = category[0] in "LMN" or category == "Pc"
    return is_word
