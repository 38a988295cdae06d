"""Filters: each looks at a text and gives one figure; the recipe says where it drops.

Defaults and bounds follow published sets: Gopher (Rae et al. 2021, arXiv:2112.11446, table A1),
FineWeb (Penedo et al. 2024, arXiv:2406.17557), HojiChar and cc_net (Wenzek et al. 2019,
arXiv:1911.00359); figures in `nativize.recipe.Clean`.
"""

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

CHARACTER_NGRAM = 8
"""About Gopher's word pair: Japanese words have two to four characters."""
WORD_NGRAM = 2
LEAST_REPEATS = 3
HASH_BASE = np.uint64(0x9E3779B97F4A7C15)
MEASURED_CHARACTERS = 50_000
"""Repetition is measured in the head: counting n-grams of a whole book tells no more."""

# letters, and the marks that Python's \w leaves out in scripts where vowels are marks
LETTERS = re.compile(
    "[^\\W\\d_\u0900-\u109f\u1780-\u17ff]+|[\u0900-\u0f1f\u0f35-\u109f\u1780-\u17ff]+"
)
NOT_SPACE = re.compile(r"\S+")
SENTENCE_END = re.compile('[。．.!?！？…」』）)"”’།॥။។]$')
WORDS = {"words": re.compile(r"\S+"), "syllables": re.compile("[^\\s\u0f0b\u0f0d]+")}

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
SCRIPTS = {
    "ja": f"\u3041-\u30ff\uff66-\uff9f{HAN}",
    "zh": HAN,
    "ko": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3",
    "bo": "\u0f00-\u0fff",
    "hi": "\u0900-\u097f",
    "bn": "\u0980-\u09ff",
    "ta": "\u0b80-\u0bff",
    "th": "\u0e00-\u0e7f",
    "my": "\u1000-\u109f",
    "km": "\u1780-\u17ff",
    "ka": "\u10a0-\u10ff",
    "hy": "\u0530-\u058f",
    "he": "\u0590-\u05ff",
    "ar": "\u0600-\u06ff\u0750-\u077f",
    "fa": "\u0600-\u06ff\u0750-\u077f",
    "ur": "\u0600-\u06ff\u0750-\u077f",
    "ru": "\u0400-\u04ff",
    "uk": "\u0400-\u04ff",
    "bg": "\u0400-\u04ff",
    "el": "\u0370-\u03ff\u1f00-\u1fff",
}
"""Script of languages whose script tells them apart; all others count as Latin."""


def script_share(text: str, code: str) -> float:
    """Share of letters that belong to the language's script; 0 without any letter."""
    letters = "".join(LETTERS.findall(text))
    script = re.compile(f"[{SCRIPTS.get(code, LATIN)}]+")
    return _matched(script, letters) / len(letters) if letters else 0.0


def symbol_share(text: str) -> float:
    """Share of visible characters that are no letters: digits, punctuation, emoji, rules."""
    visible = _matched(NOT_SPACE, text)
    return 1 - _matched(LETTERS, text) / visible if visible else 1.0


def duplicate_line_share(text: str) -> float:
    """Share of lines, blank ones aside, that stood before in the same text."""
    lines = list(_lines(text))
    return 1 - len(set(lines)) / len(lines) if lines else 0.0


def top_ngram_share(text: str, shingle: str) -> float:
    """Share of characters in the most frequent n-gram, if it occurs three times or more."""
    head = text[:MEASURED_CHARACTERS]
    gram = _top_words(head, shingle) if shingle in WORDS else _top_characters(head)
    # overlapping occurrences, as in a run of one character, are counted once
    return head.count(gram) * len(gram) / len(head) if gram else 0.0


def line_punctuation_share(text: str) -> float:
    """Share of lines, blank ones aside, that end like a sentence."""
    lines = list(_lines(text))
    ended = sum(1 for line in lines if SENTENCE_END.search(line))
    return ended / len(lines) if lines else 0.0


def _lines(text: str) -> Iterator[str]:
    return (line for line in map(str.strip, text.split("\n")) if line)


def _top_characters(text: str) -> str:
    """The most frequent character n-gram, the earliest among equals; empty if it is rare."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.uint64)
    count = len(codes) - CHARACTER_NGRAM + 1
    if count < LEAST_REPEATS:
        return ""
    hashes = np.zeros(count, np.uint64)
    for place in range(CHARACTER_NGRAM):  # a polynomial in 64 bits; collisions cost a recount
        hashes = hashes * HASH_BASE + codes[place : place + count]
    ordered = np.sort(hashes)
    if not (ordered[LEAST_REPEATS - 1 :] == ordered[: 1 - LEAST_REPEATS]).any():
        return ""  # most texts end here, at a third of the cost
    _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    start = int(first[counts == counts.max()].min())
    return text[start : start + CHARACTER_NGRAM]


def _top_words(text: str, shingle: str) -> str:
    """The most frequent word n-gram, the first in order among equals; empty if it is rare."""
    words = [match.span() for match in WORDS[shingle].finditer(text)]
    last = WORD_NGRAM - 1
    grams = (text[words[i][0] : words[i + last][1]] for i in range(len(words) - last))
    counts = Counter(grams)
    most = max(counts.values(), default=0)
    if most < LEAST_REPEATS:
        return ""
    return min(gram for gram, count in counts.items() if count == most)


def _matched(pattern: re.Pattern[str], text: str) -> int:
    return sum(map(len, pattern.findall(text)))
