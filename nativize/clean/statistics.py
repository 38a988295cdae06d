"""Statistics of texts, as columns beside them: one pass measures all that the filters ask.

The filters are thresholds on these columns, so that a changed threshold decides anew and measures
nothing (as RedPajama-v2 keeps its quality signals). A text is decoded once, then walked by lines,
sentences, words and n-grams; no Python object is made per document.

Sources: Rae et al. 2021 (Gopher, arXiv:2112.11446), Penedo et al. 2024 (FineWeb,
arXiv:2406.17557), Okazaki et al. 2024 (Swallow), HojiChar 0.18; what exactly is counted is said in
`COUNTS` and `SHARES` and held against plain definitions in tests/clean.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.clean.marks import (
    ALPHABETIC,
    BBS,
    DIGIT,
    HIRAGANA,
    KANJI,
    KATAKANA,
    KUTEN,
    LETTER,
    PUNCTUATION,
    SCRIPT,
    SENTENCE_END,
    SEPARATOR,
    SPACE,
    SPECIAL,
    TERMINAL,
    TOTEN,
    marks,
)
from nativize.clean.ngrams import NGRAM_SHARES, ngram_shares, repeated_share
from nativize.compiled import compiled
from nativize.recipe import Language
from nativize.texts import Texts
from nativize.utf8 import decode

Columns = Mapping[str, NDArray[Any]]
"""A column for each name, N values each."""

COUNTS = {
    "characters": "code points",
    "visible": "characters that are no white space",
    "letters": "letters, with vowel signs",
    "script_letters": "letters of the language's script",
    "digits": "decimal digits",
    "special": "punctuation, white space, symbols, emoji (HojiChar)",
    "ascii": "characters below U+0080",
    "hiragana": "U+3041 to U+3096",
    "katakana": "U+30A1 to U+30FA",
    "kanji": "ideographs",
    "japanese": "hiragana, katakana, kanji and 。．！？!?、， (Swallow)",
    "ideographic_stops": "。 alone",
    "hashes": "number signs",
    "ellipses": "... and …, without overlap",
    "longest_run": "longest run of one character",
    "kana_in_head": "1 where a kana stands among the first 50 characters",
    "bulletin_marks": "HojiChar's marks of bulletin boards and shops",
    "lines": "lines, blank ones too",
    "text_lines": "lines that are not blank",
    "longest_line": "characters",
    "short_lines_10": "lines of at most 10 characters, blank ones too",
    "short_lines_30": "lines of 1 to 30 characters",
    "terminal_lines": "lines that end in a full stop of any script (FineWeb)",
    "ended_lines": "lines that end like a sentence, closing quotes and brackets too",
    "bullet_lines": "lines that begin with • or -",
    "ellipsis_lines": "lines that end in ... or …",
    "ellipsis_ends": "... or … right before a newline",
    "duplicate_lines": "lines that stood before in the text, blank ones aside",
    "duplicate_line_characters": "their characters",
    "paragraphs": "parts between blank lines",
    "duplicate_paragraphs": "paragraphs that stood before in the text",
    "duplicate_paragraph_characters": "their characters",
    "sentences": "stretches up to 。．！？!? within a line (Swallow)",
    "sentence_characters": "their characters, end marks included",
    "longest_sentence": "characters",
    "ellipsis_sentences": "sentences that end in ・, … or ...",
    "words": "stretches between white space; in Tibetan syllables",
    "real_words": "words that are not all punctuation",
    "real_word_characters": "their characters",
    "alphabetic_words": "words with a letter",
    "stop_words": "how many different stop words occur, punctuation around them aside",
}
"""What is counted in a cleaned text, in the order of the kernel's array.

Where words are parted, what only filters for Japanese ask stays 0: bulletin marks and sentences;
elsewhere words do.
"""
SHARES = (*NGRAM_SHARES, "repeated_5_characters")
"""Of n-grams, see `nativize.clean.ngrams`; the last is HojiChar's share of repeated 5-grams."""

(CHARACTERS, VISIBLE, LETTERS, SCRIPT_LETTERS, DIGITS, SPECIALS, ASCII, HIRAGANAS, KATAKANAS,
 KANJIS, JAPANESES, STOPS, HASHES, ELLIPSES, LONGEST_RUN, KANA_IN_HEAD, BULLETIN, LINES, TEXT_LINES,
 LONGEST_LINE, SHORT_10, SHORT_30, TERMINAL_LINES, ENDED_LINES, BULLETS, ELLIPSIS_LINES,
 ELLIPSIS_ENDS, TWICE_LINES, TWICE_LINE_CHARACTERS, PARAGRAPHS, TWICE_PARAGRAPHS,
 TWICE_PARAGRAPH_CHARACTERS, SENTENCES, SENTENCE_CHARACTERS, LONGEST_SENTENCE, ELLIPSIS_SENTENCES,
 WORDS, REAL_WORDS, REAL_WORD_CHARACTERS, ALPHABETIC_WORDS,
 STOP_WORDS) = range(len(COUNTS))  # fmt: skip

COUNT_COLUMNS, SHARE_COLUMNS = len(COUNTS), len(SHARES)
HEAD_CHARACTERS = 50
JAPANESE = HIRAGANA | KATAKANA | KANJI | KUTEN | TOTEN
BASE = np.uint64(0x9E3779B97F4A7C15)
NEWLINE, DOT, ELLIPSIS, NAKAGURO = 10, 46, 0x2026, 0x30FB
BULLETIN_WORDS = ("コメント", "SOLD OUT", "レビュー", "投稿", "ページ", "質問", "楽天市場")


def measure(texts: Texts, language: Language, stop_words: Sequence[str] = ()) -> Columns:
    """The statistics of normalised texts: every name of `COUNTS` and `SHARES`."""
    by_words = language.shingle != "characters"
    words = np.array(sorted(map(_hash_of, stop_words)), np.uint64)
    spellings, begins = _spellings(BULLETIN_WORDS)
    counts, shares = _measure(
        texts.data, texts.offsets, marks(language.code), by_words,
        np.uint16(SPACE | (SEPARATOR if language.shingle == "syllables" else 0)),
        words, spellings, begins,
    )  # fmt: skip
    columns: dict[str, NDArray[Any]] = {n: counts[:, i] for i, n in enumerate(COUNTS)}
    return columns | {name: shares[:, i] for i, name in enumerate(SHARES)}


def _spellings(words: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    points = [ord(character) for word in words for character in word]
    return np.array(points, np.uint32), np.cumsum([0, *map(len, words)])


def _hash_of(word: str) -> int:
    value = 0
    for character in word:
        value = (value * int(BASE) + ord(character)) & 0xFFFFFFFFFFFFFFFF
    return value


@compiled
def _measure(
    data: Any,
    offsets: Any,
    marks: Any,
    by_words: bool,
    separators: Any,
    stop_words: Any,
    spellings: Any,
    begins: Any,
) -> Any:
    count = len(offsets) - 1
    counts = np.zeros((count, COUNT_COLUMNS), np.int32)
    shares = np.zeros((count, SHARE_COLUMNS), np.float32)
    longest = 0
    for text in range(count):
        longest = max(longest, offsets[text + 1] - offsets[text])
    points, kinds = np.empty(longest + 1, np.uint32), np.empty(longest + 1, np.uint16)
    units, lengths = np.empty(longest + 1, np.uint64), np.empty(longest + 1, np.int32)
    for text in range(count):
        size, at = 0, offsets[text]
        while at < offsets[text + 1]:
            points[size], length = decode(data, at)
            kinds[size] = marks[points[size]]
            size, at = size + 1, at + length
        row = counts[text]
        _count_characters(points, kinds, size, row)
        _count_lines(points, kinds, size, row)
        if by_words:
            known = _words(points, kinds, size, separators, stop_words, units, lengths, row)
        else:
            known = _visible(points, kinds, size, units, lengths)
            row[BULLETIN] = _bulletin_marks(points, kinds, size, spellings, begins)
            _count_sentences(points, kinds, size, row)
        if size:
            ngram_shares(units, lengths, known, size, by_words, shares[text])
            shares[text, SHARE_COLUMNS - 1] = 0.0 if by_words else repeated_share(points, size)
    return counts, shares


@compiled
def _count_characters(points: Any, kinds: Any, size: int, row: Any) -> None:
    # sums in registers: sums in the row cost three times as much
    spaces = letters = script = digits = special = low = stops = hashes = 0
    hiragana = katakana = kanji = japanese = 0
    for place in range(size):
        point, kind = points[place], kinds[place]
        spaces += (kind & SPACE) != 0
        letters += (kind & LETTER) != 0
        script += (kind & SCRIPT) != 0
        digits += (kind & DIGIT) != 0
        special += (kind & SPECIAL) != 0
        low += point < 0x80
        hiragana += (kind & HIRAGANA) != 0
        katakana += (kind & KATAKANA) != 0
        kanji += (kind & KANJI) != 0
        japanese += (kind & JAPANESE) != 0
        stops += point == 0x3002
        hashes += point == 35
    row[CHARACTERS], row[VISIBLE], row[LETTERS] = size, size - spaces, letters
    row[SCRIPT_LETTERS], row[DIGITS], row[SPECIALS], row[ASCII] = script, digits, special, low
    row[HIRAGANAS], row[KATAKANAS], row[KANJIS], row[JAPANESES] = (
        hiragana,
        katakana,
        kanji,
        japanese,
    )
    row[STOPS], row[HASHES] = stops, hashes
    row[LONGEST_RUN], row[ELLIPSES] = _runs(points, size)
    for place in range(min(size, HEAD_CHARACTERS)):
        if kinds[place] & (HIRAGANA | KATAKANA):
            row[KANA_IN_HEAD] = 1


@compiled
def _runs(points: Any, size: int) -> Any:
    """Length of the longest run of one character, and how many ellipses there are."""
    longest = ellipses = dots = run = 0
    previous = np.uint32(0)
    for place in range(size):
        point = points[place]
        if point == previous:
            run += 1
        else:
            longest = max(longest, run)
            run = 1
            previous = point
        if point == DOT:
            dots += 1
            if dots == 3:
                ellipses += 1
                dots = 0
        else:
            dots = 0
            ellipses += point == ELLIPSIS
    return max(longest, run), ellipses


@compiled
def _count_lines(points: Any, kinds: Any, size: int, row: Any) -> None:
    """Lines and paragraphs of a text without blank space at the ends of its lines."""
    slots = 8
    while slots < size // 4 + 8:
        slots *= 2
    seen = np.zeros(slots, np.uint64)
    seen_paragraphs = np.zeros(slots, np.uint64)
    begin, value, paragraph, paragraph_begin = 0, np.uint64(7), np.uint64(7), 0
    for place in range(size + 1):
        if place < size and points[place] != NEWLINE:
            value = value * BASE + points[place]
            paragraph = paragraph * BASE + points[place]
            continue
        length = place - begin
        row[LINES] += 1
        row[SHORT_10] += length <= 10
        row[LONGEST_LINE] = max(row[LONGEST_LINE], length)
        ends_paragraph = place == size or (place + 1 < size and points[place + 1] == NEWLINE)
        if length:
            _count_line(points, kinds, begin, place, place < size, row)
            row[TEXT_LINES] += 1
            if not _add(seen, value):
                row[TWICE_LINES] += 1
                row[TWICE_LINE_CHARACTERS] += length
            if ends_paragraph:
                row[PARAGRAPHS] += 1
                if not _add(seen_paragraphs, paragraph):
                    row[TWICE_PARAGRAPHS] += 1
                    row[TWICE_PARAGRAPH_CHARACTERS] += place - paragraph_begin
        paragraph = paragraph * BASE + np.uint64(NEWLINE)
        if length == 0:
            paragraph, paragraph_begin = np.uint64(7), place + 1
        begin, value = place + 1, np.uint64(7)


@compiled
def _add(seen: Any, value: Any) -> bool:
    """Whether a hash is new; 0 marks a free slot."""
    # lines that differ in their last character differ in low bits, and the lowest is given away
    value = (value * np.uint64(0xBF58476D1CE4E5B9)) | np.uint64(1)
    mask = np.uint64(len(seen) - 1)
    slot = value >> np.uint64(32) & mask
    while seen[slot] != 0:
        if seen[slot] == value:
            return False
        slot = (slot + np.uint64(1)) & mask
    seen[slot] = value
    return True


@compiled
def _count_line(
    points: Any, kinds: Any, begin: int, end: int, newline_follows: bool, row: Any
) -> None:
    row[SHORT_30] += end - begin <= 30
    row[TERMINAL_LINES] += (kinds[end - 1] & TERMINAL) != 0
    row[ENDED_LINES] += (kinds[end - 1] & SENTENCE_END) != 0
    if _ends_in_ellipsis(points, begin, end):
        row[ELLIPSIS_LINES] += 1
        row[ELLIPSIS_ENDS] += newline_follows
    first = begin
    while first < end and kinds[first] & SPACE:
        first += 1
    row[BULLETS] += first < end and (points[first] == 0x2022 or points[first] == 45)


@compiled
def _ends_in_ellipsis(points: Any, begin: int, end: int) -> bool:
    if points[end - 1] == ELLIPSIS:
        return True
    dots = 0
    while dots < 3 and end - 1 - dots >= begin and points[end - 1 - dots] == DOT:
        dots += 1
    return dots == 3


@compiled
def _count_sentences(points: Any, kinds: Any, size: int, row: Any) -> None:
    begin = 0
    for place in range(size + 1):
        at_end = place == size or points[place] == NEWLINE
        if not at_end and not kinds[place] & KUTEN:
            continue
        if place > begin:
            end = place if at_end else place + 1
            row[SENTENCES] += 1
            row[SENTENCE_CHARACTERS] += end - begin
            row[LONGEST_SENTENCE] = max(row[LONGEST_SENTENCE], end - begin)
            last = end
            while last > begin and kinds[last - 1] & SPACE:
                last -= 1
            if last > begin:
                nakaguro = points[last - 1] == NAKAGURO
                row[ELLIPSIS_SENTENCES] += nakaguro or _ends_in_ellipsis(points, begin, last)
        begin = place + 1


@compiled
def _words(
    points: Any,
    kinds: Any,
    size: int,
    separators: Any,
    stop_words: Any,
    units: Any,
    lengths: Any,
    row: Any,
) -> int:
    """The words counted, their hashes in ``units``, their lengths in ``lengths``; how many."""
    known, place = 0, 0
    found = np.zeros(len(stop_words), np.bool_)
    while place < size:
        if kinds[place] & separators:
            place += 1
            continue
        begin, value, union, common = place, np.uint64(0), np.uint16(0), np.uint16(0xFFFF)
        while place < size and not kinds[place] & separators:
            value = value * BASE + points[place]
            union, common = union | kinds[place], common & kinds[place]
            place += 1
        units[known], lengths[known] = value, place - begin
        known += 1
        row[ALPHABETIC_WORDS] += (union & ALPHABETIC) != 0
        if not common & PUNCTUATION:
            row[REAL_WORDS] += 1
            row[REAL_WORD_CHARACTERS] += place - begin
            if len(stop_words):
                core = _core(points, kinds, begin, place)
                at = np.searchsorted(stop_words, core)
                if at < len(stop_words) and stop_words[at] == core:
                    found[at] = True
    row[WORDS] = known
    row[STOP_WORDS] = np.sum(found)
    return known


@compiled
def _core(points: Any, kinds: Any, begin: int, end: int) -> Any:
    """Hash of a word without the punctuation around it."""
    while begin < end and kinds[begin] & PUNCTUATION:
        begin += 1
    while end > begin and kinds[end - 1] & PUNCTUATION:
        end -= 1
    value = np.uint64(0)
    for place in range(begin, end):
        value = value * BASE + points[place]
    return value


@compiled
def _visible(points: Any, kinds: Any, size: int, units: Any, lengths: Any) -> int:
    known = 0
    for place in range(size):
        if not kinds[place] & SPACE:
            units[known], lengths[known] = points[place], 1
            known += 1
    return known


@compiled
def _bulletin_marks(points: Any, kinds: Any, size: int, spellings: Any, begins: Any) -> int:
    """Marks counted from the left, without overlap: dates, 話, weekdays, words, hyphens."""
    found, place = 0, 0
    while place < size:
        length = 0
        if kinds[place] & DIGIT:
            length = _date(points, kinds, place, size)
            if length == 0:
                end = place
                while end < size and kinds[end] & DIGIT:
                    end += 1
                # a number and 話 is one mark; else the digits are looked at one by one for dates
                if end < size and points[end] == 0x8A71:
                    length = end + 1 - place
        elif kinds[place] & BBS:
            length = _bulletin_word(points, place, size, spellings, begins)
        found += length > 0
        place += max(length, 1)
    return found


@compiled
def _bulletin_word(points: Any, place: int, size: int, spellings: Any, begins: Any) -> int:
    if points[place] == 45:
        return 1
    if points[place] == 40:
        if place + 2 < size and points[place + 2] == 41:
            day = points[place + 1]
            for known in (0x6708, 0x706B, 0x6C34, 0x6728, 0x91D1, 0x571F, 0x65E5):
                if day == known:
                    return 3
        return 0
    for word in range(len(begins) - 1):
        length = begins[word + 1] - begins[word]
        if place + length <= size:
            same = True
            for at in range(length):
                if points[place + at] != spellings[begins[word] + at]:
                    same = False
                    break
            if same:
                return int(length)
    return 0


@compiled
def _date(points: Any, kinds: Any, place: int, size: int) -> int:
    r"""Length of \d{4}[年.\-/] *\d{1,2}[月.\-/] *\d{1,2}日*, or 0."""
    at = place
    for _ in range(4):
        if at >= size or not kinds[at] & DIGIT:
            return 0
        at += 1
    for mark in (0x5E74, 0x6708):
        if at >= size or not (
            points[at] == mark or points[at] == 46 or points[at] == 45 or points[at] == 47
        ):
            return 0
        at += 1
        while at < size and points[at] == 32:
            at += 1
        if at >= size or not kinds[at] & DIGIT:
            return 0
        at += 1
        if at < size and kinds[at] & DIGIT:
            at += 1
    while at < size and points[at] == 0x65E5:
        at += 1
    return at - place
