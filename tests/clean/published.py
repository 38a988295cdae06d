"""What Gopher's filters are, slow and obvious; C4, FineWeb and the Japanese sets stand beside.

The filters of nativize are held against these definitions. A figure function returns a number; a
filter function returns the reason for which it drops the text, or None. Words are a list supplied
by the caller, so the same definition serves words, characters and syllables. Semantics follow
datatrove 0.10.1, whose reading of the paper is the one in use; where they differ, it is said.

Source: Rae et al. 2021, arXiv:2112.11446, table A1 and appendix A1.1;
gopher_repetition_filter.py and gopher_quality_filter.py of datatrove.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from tests.clean.published_characters import PUNCTUATION

Units = Callable[[str], Sequence[str]]
"""How a text becomes words, or what stands for words."""


def whitespace_words(text: str) -> list[str]:
    """Gopher's own words. datatrove cuts off punctuation and clitics (spaCy) as words."""
    return text.split()


def characters(text: str) -> list[str]:
    """All characters but white space, for languages without spaces."""
    return [character for character in text if not character.isspace()]


def tibetan_syllables(text: str) -> list[str]:
    """Runs between tsheg, shad and white space."""
    return re.findall("[^\\s\u0f0b-\u0f11]+", text)


TOP_NGRAMS = {2: 0.20, 3: 0.18, 4: 0.16}
DUPLICATE_NGRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def gopher_paragraphs(text: str) -> list[str]:
    """Parts between blank lines, of the text without outer white space."""
    return re.split(r"\n{2,}", text.strip())


def gopher_lines(text: str) -> list[str]:
    """Parts between runs of newlines; an outer newline leaves an empty line there."""
    return re.split(r"\n+", text)


def duplicates(parts: Sequence[str]) -> tuple[int, int]:
    """How many parts stood before, and their characters."""
    counts = Counter(parts)
    again = {part: count - 1 for part, count in counts.items()}
    return sum(again.values()), sum(len(part) * count for part, count in again.items())


def duplicate_share(parts: Sequence[str]) -> float:
    return duplicates(parts)[0] / len(parts)


def duplicate_character_share(parts: Sequence[str], text: str) -> float:
    """Characters of duplicates over all characters of the text, newlines included."""
    return duplicates(parts)[1] / len(text)


def top_ngram_share(units: Sequence[str], n: int, text: str, joint: str = " ") -> float:
    """Characters of the most frequent n-gram, times its count, over those of the text.

    Occurrences may overlap, so the share can exceed 1. Equals: the first counts. Nothing asks
    for a second occurrence: a text of four words is all one 4-gram. ``joint`` is counted with
    the n-gram (a space in datatrove, nothing where units are characters).
    """
    grams = [joint.join(units[at : at + n]) for at in range(len(units) - n + 1)]
    if not grams:
        return 0.0
    gram, count = Counter(grams).most_common(1)[0]
    return len(gram) * count / len(text)


def duplicate_ngram_share(units: Sequence[str], n: int, text: str) -> float:
    """Characters of n-grams that stood before, over those of the text.

    A scan from the left: a known n-gram is counted and stepped over whole; a new one is
    remembered and the scan goes on by one unit. What is stepped over is not remembered. The key
    is the units run together, so ["ab", "c"] is ["a", "bc"].
    """
    known: set[str] = set()
    repeated = place = 0
    while place + n <= len(units):
        gram = "".join(units[place : place + n])
        if gram in known:
            repeated += len(gram)
            place += n
        else:
            known.add(gram)
            place += 1
    return repeated / len(text)


def gopher_repetition(
    text: str,
    units: Units = whitespace_words,
    *,
    joint: str = " ",
    paragraphs: float = 0.30,
    paragraph_characters: float = 0.20,
    lines: float = 0.30,
    line_characters: float = 0.20,
    top_ngrams: Mapping[int, float] = TOP_NGRAMS,
    duplicate_ngrams: Mapping[int, float] = DUPLICATE_NGRAMS,
) -> str | None:
    """Gopher's repetition rules in datatrove's order; 0 switches a rule on lines off."""
    if not text:
        return "empty"
    parts = gopher_paragraphs(text)
    if paragraphs and duplicate_share(parts) > paragraphs:
        return "dup_para_frac"
    if paragraph_characters and duplicate_character_share(parts, text) > paragraph_characters:
        return "dup_para_char_frac"
    parts = gopher_lines(text)
    if lines and duplicate_share(parts) > lines:
        return "dup_line_frac"
    if line_characters and duplicate_character_share(parts, text) > line_characters:
        return "dup_line_char_frac"
    words = units(text)
    for n, most in top_ngrams.items():
        if top_ngram_share(words, n, text, joint) > most:
            return f"top_{n}_gram"
    for n, most in duplicate_ngrams.items():
        if duplicate_ngram_share(words, n, text) > most:
            return f"duplicated_{n}_n_grams"
    return None


STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})


def real_words(words: Sequence[str]) -> list[str]:
    """Words that are not punctuation alone."""
    return [word for word in words if not PUNCTUATION.issuperset(word)]


def mean_word_length(words: Sequence[str]) -> float:
    """Characters a word, over real words; 0 without any (datatrove: NaN, which drops nothing)."""
    real = real_words(words)
    return sum(map(len, real)) / len(real) if real else 0.0


def hash_ratio(text: str, words: Sequence[str]) -> float:
    return text.count("#") / len(words)


def ellipsis_ratio(text: str, words: Sequence[str]) -> float:
    """Ellipses over words; three points are one, four are one, six are two."""
    return (text.count("...") + text.count("…")) / len(words)


def bullet_line_share(text: str) -> float:
    """Lines that begin with • or -, over all lines of str.splitlines, blank ones too."""
    lines = text.splitlines()
    return sum(line.lstrip().startswith(("•", "-")) for line in lines) / len(lines)


def ellipsis_line_share(text: str) -> float:
    """Lines that end with an ellipsis, over all lines of str.splitlines, blank ones too."""
    lines = text.splitlines()
    return sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines)


def alphabetic_word_share(words: Sequence[str]) -> float:
    """Words with a character that str.isalpha takes (kana and kanji are), over all words."""
    return sum(any(map(str.isalpha, word)) for word in words) / len(words)


def distinct_stop_words(words: Sequence[str], stop_words: frozenset[str] = STOP_WORDS) -> int:
    """How many of the stop words occur, in their own case."""
    return len(stop_words.intersection(words))


def gopher_quality(
    text: str,
    units: Units = whitespace_words,
    *,
    least_words: int = 50,
    most_words: int = 100_000,
    least_word_length: float = 3,
    most_word_length: float = 10,
    symbols: float = 0.1,
    bullet_lines: float = 0.9,
    ellipsis_lines: float = 0.3,
    alphabetic_words: float = 0.8,
    least_stop_words: int = 2,
    stop_words: frozenset[str] = STOP_WORDS,
) -> str | None:
    """Gopher's quality rules in datatrove's order."""
    words = units(text)
    count = len(real_words(words))
    if count < least_words:
        return "gopher_short_doc"
    if count > most_words:
        return "gopher_long_doc"
    if mean_word_length(words) < least_word_length:
        return "gopher_below_avg_threshold"
    if mean_word_length(words) > most_word_length:
        return "gopher_above_avg_threshold"
    if hash_ratio(text, words) > symbols:
        return "gopher_too_many_hashes"
    if ellipsis_ratio(text, words) > symbols:
        return "gopher_too_many_ellipsis"
    if bullet_line_share(text) > bullet_lines:
        return "gopher_too_many_bullets"
    if ellipsis_line_share(text) > ellipsis_lines:
        return "gopher_too_many_end_ellipsis"
    if alphabetic_word_share(words) < alphabetic_words:
        return "gopher_below_alpha_threshold"
    if distinct_stop_words(words, stop_words) < least_stop_words:
        return "gopher_enough_stop_words"
    return None
